/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns-route.h"

static int open_channel(RdnsRoute *route, bool tcp, RdnsChannel **ret_channel)
{
	const RdnsChannelOptions options = {
		.servers = &route->servers,
		.tcp = tcp,
		/*
		 * c-ares asks every server for each try: all of it shall end by the one deadline.
		 */
		.timeout_ms = MAX(route->timeout_ms / (unsigned)route->servers.count, 1U),
		.tries = route->tries,
	};

	return rdns_channel_new(&options, route->callbacks, ret_channel);
}

int rdns_route_new(const RdnsServers *servers, unsigned timeout_ms, unsigned tries,
	const RdnsCallbacks *callbacks, RdnsRoute **ret_route)
{
	_cleanup_(rdns_route_freep) RdnsRoute *route = NULL;
	int r;

	route = calloc(1, sizeof(*route));
	if (!route)
		return -ENOMEM;
	route->servers = *servers;
	route->timeout_ms = timeout_ms;
	route->tries = tries;
	route->callbacks = callbacks;
	r = open_channel(route, false, &route->udp);
	if (r < 0)
		return r;
	*ret_route = TAKE(route);
	return 0;
}

void rdns_route_free(RdnsRoute *route)
{
	if (!route)
		return;
	rdns_channel_free(route->udp);
	rdns_channel_free(route->tcp);
	free(route);
}

void rdns_route_ask(RdnsRoute *route, bool over_tcp, RdnsAsk *ask)
{
	if (over_tcp && !route->tcp && open_channel(route, true, &route->tcp) < 0) {
		ask->reply(ask, RDNS_ASK_BROKEN, NULL, 0);
		return;
	}
	rdns_channel_ask(over_tcp ? route->tcp : route->udp, ask);
}

void rdns_route_dispatch(RdnsRoute *route, int fd, unsigned events)
{
	rdns_channel_dispatch(route->udp, fd, events);
	if (route->tcp)
		rdns_channel_dispatch(route->tcp, fd, events);
}

int64_t rdns_route_timeout(const RdnsRoute *route)
{
	int64_t udp = rdns_channel_timeout(route->udp);
	int64_t tcp = route->tcp ? rdns_channel_timeout(route->tcp) : -1;

	return udp < 0 || (tcp >= 0 && tcp < udp) ? tcp : udp;
}
