/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The way to one list of servers with one set of time limits: a channel for UDP, and one for TCP
 * from the first question that needs it. A reload makes a new route; the old one goes when no query
 * that somebody waits for is left on it.
 */

#include <sys/queue.h>

#include "enrich/rdns-channel.h"

typedef struct RdnsRoute RdnsRoute;
struct RdnsRoute {
	RdnsServers servers;
	unsigned timeout_ms, tries;
	const RdnsCallbacks *callbacks;
	RdnsChannel *udp, *tcp; /* tcp may be NULL */
	/* What follows is kept by rdns. */
	uint64_t made_ms;
	bool obsolete;               /* its servers are no longer asked */
	bool failed;                 /* a query was refused or timed out */
	size_t live;                 /* queries with an entry */
	TAILQ_ENTRY(RdnsRoute) link; /* in the list of the old ones */
};

/* timeout_ms is for all servers together. The callbacks must outlive the route. 0 or -errno. */
int rdns_route_new(const RdnsServers *servers, unsigned timeout_ms, unsigned tries,
	const RdnsCallbacks *callbacks, RdnsRoute **ret_route);
/* Ends every question with RDNS_ASK_ENDED. Never inside reply(). */
void rdns_route_free(RdnsRoute *route);
DEFINE_CLEANUP(RdnsRoute *, rdns_route_freep, rdns_route_free)

/* Asks for the name of ask->addr; reply() may come before this returns. */
void rdns_route_ask(RdnsRoute *route, bool over_tcp, RdnsAsk *ask);

/* As rdns_channel_dispatch and rdns_channel_timeout. */
void rdns_route_dispatch(RdnsRoute *route, int fd, unsigned events);
int64_t rdns_route_timeout(const RdnsRoute *route);
