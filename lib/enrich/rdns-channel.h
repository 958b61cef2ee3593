/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One c-ares channel to a fixed list of servers, over UDP or over TCP: PTR questions go out,
 * messages come back. It knows nothing of entries, caches and limits. UDP and TCP are channels of
 * their own, because c-ares ends the UDP queries of a server too when its TCP connection fails, and
 * who owns a reverse zone decides which answers need TCP.
 *
 * Over UDP c-ares sees headers and questions alone, and reply() gets the message as it came: since
 * 1.28 c-ares takes messages apart itself, and one that it can't read costs the connection, with
 * all queries that are on it.
 *
 * reply() may come from inside rdns_channel_ask() and must then not use this channel; it comes
 * exactly once for each question.
 */

#include "enrich/rdns-servers.h"
#include "enrich/rdns.h"

typedef struct RdnsChannel RdnsChannel;

typedef enum RdnsOutcome {
	RDNS_ASK_ANSWERED, /* a message with the id and the question that were sent */
	RDNS_ASK_TIMED_OUT,
	RDNS_ASK_REFUSED, /* connection refused, no route, or all of several servers failed */
	RDNS_ASK_BROKEN,  /* out of memory and the like */
	RDNS_ASK_ENDED,   /* the channel is being freed: only free what belongs to the question */
} RdnsOutcome;

/* Part of whatever the caller keeps for a question; must stay until reply(). */
typedef struct RdnsAsk RdnsAsk;
struct RdnsAsk {
	IpAddr addr;          /* whose name is asked for */
	RdnsChannel *channel; /* set by rdns_channel_ask */
	/* message is NULL unless outcome is RDNS_ASK_ANSWERED. */
	void (*reply)(RdnsAsk *ask, RdnsOutcome outcome, const void *message, size_t len);
};

typedef struct RdnsChannelOptions {
	const RdnsServers *servers; /* at least one; copied */
	bool tcp;
	unsigned timeout_ms; /* of the first try of each server, then twice as long */
	unsigned tries;      /* of each server */
} RdnsChannelOptions;

/* watch of *callbacks, which must outlive the channel, is told the descriptors. 0 or -errno. */
int rdns_channel_new(const RdnsChannelOptions *options, const RdnsCallbacks *callbacks,
	RdnsChannel **ret_channel);
/* Ends every question with RDNS_ASK_ENDED. Never inside reply(). */
void rdns_channel_free(RdnsChannel *channel);
DEFINE_CLEANUP(RdnsChannel *, rdns_channel_freep, rdns_channel_free)

void rdns_channel_ask(RdnsChannel *channel, RdnsAsk *ask);

/*
 * Events on fd, which need not be this channel's; fd -1: reads what has come, then looks at the
 * timeouts.
 */
void rdns_channel_dispatch(RdnsChannel *channel, int fd, unsigned events);
/* Milliseconds until rdns_channel_dispatch(-1) is due; -1: nothing to wait for. */
int64_t rdns_channel_timeout(const RdnsChannel *channel);
