/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns.h"

#include "enrich/rdns-answer.h"
#include "enrich/rdns-cache.h"
#include "enrich/rdns-health.h"
#include "enrich/rdns-options.h"
#include "enrich/rdns-route.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_CHECK_MS 5000
#define ROUTE_RENEW_MS 5000U

/* c-ares ends a query itself; the deadline after that is for the cases in which it does not. */
#define DEADLINE_SLACK_MS 100

struct RdnsQuery {
	RdnsAsk ask;
	Rdns *rdns;
	RdnsRoute *route; /* NULL while it waits to be sent */
	RdnsEntry *entry; /* NULL: a probe, or the deadline has passed */
	uint64_t deadline_ms;
	bool over_tcp, truncated;    /* truncated: is in the list of that name */
	TAILQ_ENTRY(RdnsQuery) link; /* in waiting, or in in_flight while there is an entry */
	TAILQ_ENTRY(RdnsQuery) truncated_link;
};

typedef TAILQ_HEAD(QueryList, RdnsQuery) QueryList;

struct Rdns {
	bool enabled, cache_enabled, servers_from_file;
	char *resolv_conf;
	unsigned max_in_flight;
	size_t cache_size;
	unsigned cache_ttl_seconds;
	uint64_t deadline_after_ms;
	RdnsCallbacks callbacks;

	RdnsCache cache;
	RdnsRoute *route;                     /* NULL when switched off */
	TAILQ_HEAD(RouteList, RdnsRoute) old; /* replaced, with queries in flight */
	QueryList waiting, in_flight;         /* in_flight: the earliest deadline first */
	QueryList truncated;                  /* answered in part, to be asked again over TCP */
	size_t waiting_count, in_flight_count;

	uint64_t now_ms; /* of the call that runs */
	uint64_t resolv_conf_read_ms;

	RdnsHealth health;
	const RdnsEntry *in_lookup; /* the caller of rdns_lookup sees its status by itself */
	bool notify;
	RdnsCounts counts;
};

const char *rdns_status_text(RdnsStatus status)
{
	switch (status) {
	case RDNS_PENDING: return "Pending";
	case RDNS_OK: return "OK";
	case RDNS_NO_NAME: return "Errno 1";
	case RDNS_SERVER_FAILED: return "Errno 2";
	case RDNS_NO_PTR: return "Errno 4";
	case RDNS_TIMEOUT: return "Timeout";
	case RDNS_OFF: return "Off";
	}
	return NULL;
}

/*
 * Routes
 */

static void routes_reap(Rdns *rdns)
{
	for (RdnsRoute *route = TAILQ_FIRST(&rdns->old), *next; route; route = next) {
		next = TAILQ_NEXT(route, link);
		if (route->live)
			continue;
		TAILQ_REMOVE(&rdns->old, route, link);
		rdns_route_free(route);
	}
}

static void route_replace(Rdns *rdns, RdnsRoute *route)
{
	if (rdns->route)
		TAILQ_INSERT_TAIL(&rdns->old, rdns->route, link);
	rdns->route = route;
	routes_reap(rdns);
}

/* What was found out about the old servers says nothing of the new ones. */
static void servers_replace(Rdns *rdns, RdnsRoute *route)
{
	for (RdnsRoute *old = TAILQ_FIRST(&rdns->old); old; old = TAILQ_NEXT(old, link))
		old->obsolete = true;
	if (rdns->route)
		rdns->route->obsolete = true;
	route_replace(rdns, route);
	rdns->health = (RdnsHealth){0};
}

/* Without memory for another route the old one goes on. */
static int route_new(Rdns *rdns, const RdnsServers *servers, RdnsRoute **ret_route)
{
	int r = rdns_route_new(
		servers, rdns->route->timeout_ms, rdns->route->tries, &rdns->callbacks, ret_route);

	if (!r)
		(*ret_route)->made_ms = rdns->now_ms;
	return r;
}

/*
 * Other servers in resolv.conf? Read anew, not compared by its times: two changes within one tick
 * of a clock have the same.
 */
static void resolv_conf_follow(Rdns *rdns)
{
	RdnsServers servers;
	RdnsRoute *route;

	if (!rdns->route || !rdns->servers_from_file ||
		rdns->now_ms < rdns->resolv_conf_read_ms + RESOLV_CONF_CHECK_MS)
		return;
	rdns->resolv_conf_read_ms = rdns->now_ms;
	if (!rdns_servers_read(rdns->resolv_conf, &servers) &&
		!rdns_servers_equal(&servers, &rdns->route->servers) &&
		!route_new(rdns, &servers, &route))
		servers_replace(rdns, route);
}

/*
 * New sockets after a failure. When an address of this host goes (DHCP, a changed uplink), a socket
 * that was connected from it fails for ever, and c-ares never closes one for that. A query that
 * c-ares has lost track of goes as well. Not more often than a query may take: so there are never
 * more than a few old routes.
 */
static void route_renew(Rdns *rdns)
{
	RdnsRoute *route;

	if (rdns->route && rdns->route->failed &&
		rdns->now_ms >=
			rdns->route->made_ms + MAX(rdns->deadline_after_ms, ROUTE_RENEW_MS) &&
		!route_new(rdns, &rdns->route->servers, &route))
		route_replace(rdns, route);
}

/*
 * Entries and queries
 */

static bool entry_expired(const Rdns *rdns, const RdnsEntry *entry)
{
	uint64_t ttl_ms = (uint64_t)MIN(entry->ttl_seconds, rdns->cache_ttl_seconds) * 1000;

	return !rdns->cache_enabled || rdns->now_ms >= entry->answered_ms + ttl_ms;
}

/* Where an answered entry of the table belongs now. May free it. */
static void entry_settle(Rdns *rdns, RdnsEntry *entry)
{
	if (!entry->ttl_seconds || !rdns->cache_ttl_seconds) {
		rdns_cache_remove(&rdns->cache, entry);
	} else if (!entry->refs) {
		rdns_cache_set_idle(&rdns->cache, entry, true);
		rdns_cache_shrink(&rdns->cache, rdns->cache_size);
	}
}

static void entry_answer(
	Rdns *rdns, RdnsEntry *entry, RdnsStatus status, const char *name, uint32_t ttl_seconds)
{
	if (status == RDNS_OK) {
		entry->name = strdup(name);
		if (!entry->name) {
			status = RDNS_TIMEOUT;
			ttl_seconds = 0;
		}
	}
	entry->status = status;
	entry->ttl_seconds = ttl_seconds;
	entry->answered_ms = rdns->now_ms;
	entry->query = NULL;
	rdns->counts.answered[status]++;
	if (entry != rdns->in_lookup)
		rdns->notify = true;
	if (entry->in_table)
		entry_settle(rdns, entry);
}

/* An answered entry that the table does not know. */
static int entry_new_answered(
	Rdns *rdns, const IpAddr *addr, RdnsStatus status, RdnsEntry **ret_entry)
{
	RdnsEntry *entry = rdns_entry_new(addr);

	if (!entry)
		return -ENOMEM;
	entry->status = status;
	rdns->counts.answered[status]++;
	*ret_entry = entry;
	return 0;
}

/* Takes the entry off a query that runs; the query may run on. */
static RdnsEntry *query_leave(RdnsQuery *query)
{
	TAILQ_REMOVE(&query->rdns->in_flight, query, link);
	query->rdns->in_flight_count--;
	query->route->live--;
	query->entry->query = NULL;
	return TAKE(query->entry);
}

static void query_free(RdnsQuery *query)
{
	if (query->truncated)
		TAILQ_REMOVE(&query->rdns->truncated, query, truncated_link);
	if (query->entry)
		(void)query_leave(query);
	free(query);
}

static void query_timed_out(const RdnsQuery *query)
{
	Rdns *rdns = query->rdns;

	query->route->failed = true;
	/* Over TCP it is asked only after an answer over UDP. */
	if (!query->over_tcp && !query->route->obsolete)
		rdns_health_timed_out(&rdns->health, &query->ask.addr, rdns->now_ms);
}

/* The end of a query, inside c-ares: nothing here may ask. */
static void query_reply(RdnsAsk *ask, RdnsOutcome outcome, const void *message, size_t len)
{
	RdnsQuery *query = (RdnsQuery *)((char *)ask - offsetof(RdnsQuery, ask));
	Rdns *rdns = query->rdns;
	RdnsAnswer answer = {.ttl_seconds = RDNS_FAILURE_TTL_SECONDS};
	RdnsEntry *entry = query->entry;

	switch (outcome) {
	case RDNS_ASK_ANSWERED:
		if (!query->route->obsolete)
			rdns_health_answered(&rdns->health);
		if (rdns_answer_read(&query->ask.addr, message, len, &answer) < 0) {
			answer.status = RDNS_TIMEOUT;
		} else if (answer.truncated && !query->over_tcp && entry) {
			query->truncated = true;
			TAILQ_INSERT_TAIL(&rdns->truncated, query, truncated_link);
			return;
		}
		break;
	case RDNS_ASK_REFUSED:
		query->route->failed = true;
		answer.status = RDNS_SERVER_FAILED;
		break;
	case RDNS_ASK_TIMED_OUT:
		/* The end of a probe, or of one whose deadline has passed, says nothing new. */
		if (entry)
			query_timed_out(query);
		answer.status = RDNS_TIMEOUT;
		break;
	case RDNS_ASK_BROKEN: answer.status = RDNS_TIMEOUT; break;
	case RDNS_ASK_ENDED: query_free(query); return;
	}
	query_free(query);
	if (entry)
		entry_answer(rdns, entry, answer.status, answer.name, answer.ttl_seconds);
}

static void query_insert(Rdns *rdns, RdnsQuery *query)
{
	RdnsQuery *before = TAILQ_LAST(&rdns->in_flight, QueryList);

	/* Out of order only after a reload that has made the deadline shorter. */
	while (before && before->deadline_ms > query->deadline_ms)
		before = TAILQ_PREV(before, QueryList, link);
	if (before)
		TAILQ_INSERT_AFTER(&rdns->in_flight, before, query, link);
	else
		TAILQ_INSERT_HEAD(&rdns->in_flight, query, link);
	rdns->in_flight_count++;
}

static void send_waiting(Rdns *rdns)
{
	while (rdns->route && rdns->in_flight_count < rdns->max_in_flight && !rdns->health.dead) {
		RdnsQuery *query = TAILQ_FIRST(&rdns->waiting);

		if (!query)
			break;
		TAILQ_REMOVE(&rdns->waiting, query, link);
		rdns->waiting_count--;
		query->route = rdns->route;
		query->route->live++;
		query->deadline_ms = rdns->now_ms + rdns->deadline_after_ms;
		query_insert(rdns, query);
		rdns->counts.sent++;
		/* query may be gone afterwards, here and below. */
		rdns_route_ask(query->route, false, &query->ask);
	}
}

static void send_truncated(Rdns *rdns)
{
	RdnsQuery *query;

	while ((query = TAILQ_FIRST(&rdns->truncated))) {
		TAILQ_REMOVE(&rdns->truncated, query, truncated_link);
		query->truncated = false;
		query->over_tcp = true;
		rdns_route_ask(query->route, true, &query->ask);
	}
}

static void send_probe(Rdns *rdns)
{
	RdnsQuery *query;
	IpAddr addr;

	if (!rdns->route || !rdns_health_probes(&rdns->health, rdns->now_ms, &addr))
		return;
	query = calloc(1, sizeof(*query));
	if (!query)
		return;
	query->ask.reply = query_reply;
	query->rdns = rdns;
	query->route = rdns->route;
	query->ask.addr = addr;
	rdns->counts.sent++;
	rdns_route_ask(query->route, false, &query->ask);
}

/* Deadlines that c-ares has let pass. The query is its own from now on. */
static void end_overdue(Rdns *rdns)
{
	for (RdnsQuery *query = TAILQ_FIRST(&rdns->in_flight), *next;
		query && query->deadline_ms <= rdns->now_ms; query = next) {
		RdnsEntry *entry;

		next = TAILQ_NEXT(query, link);
		entry = query_leave(query);
		query_timed_out(query);
		entry_answer(rdns, entry, RDNS_TIMEOUT, NULL, RDNS_FAILURE_TTL_SECONDS);
	}
}

static void end_waiting(Rdns *rdns, RdnsStatus status)
{
	RdnsQuery *query;

	while ((query = TAILQ_FIRST(&rdns->waiting))) {
		RdnsEntry *entry = query->entry;

		TAILQ_REMOVE(&rdns->waiting, query, link);
		rdns->waiting_count--;
		free(query);
		entry_answer(rdns, entry, status, NULL, 0);
	}
}

/*
 * The interface
 */

static int apply(Rdns *rdns, const RdnsOptions *options, Why *ret_why)
{
	const char *resolv_conf = options->resolv_conf ? options->resolv_conf : RESOLV_CONF;
	_cleanup_(rdns_route_freep) RdnsRoute *route = NULL;
	_cleanup_free_ char *path = NULL;
	RdnsServers servers;
	bool from_file;
	int r;

	r = rdns_options_read(options, &servers, ret_why);
	if (r < 0)
		return r;
	from_file = !servers.count;
	path = strdup(resolv_conf);
	if (!path)
		return -ENOMEM;
	if (options->enabled) {
		r = from_file ? rdns_servers_read(path, &servers) : 0;
		if (!r)
			r = rdns_route_new(&servers, options->timeout_ms, options->tries,
				&rdns->callbacks, &route);
		if (r < 0)
			return r;
	}
	free(rdns->resolv_conf);
	rdns->resolv_conf = TAKE(path);
	rdns->enabled = options->enabled;
	rdns->servers_from_file = from_file;
	rdns->cache_enabled = options->cache_enabled;
	rdns->max_in_flight = options->max_in_flight;
	rdns->cache_size = options->cache_enabled ? options->cache_size : 0;
	rdns->cache_ttl_seconds = options->cache_ttl_seconds;
	rdns->deadline_after_ms = rdns_options_total_ms(options) + DEADLINE_SLACK_MS;
	servers_replace(rdns, TAKE(route));
	if (!rdns->enabled)
		end_waiting(rdns, RDNS_OFF);
	rdns_cache_shrink(&rdns->cache, rdns->cache_size);
	return 0;
}

int rdns_new(
	const RdnsOptions *options, const RdnsCallbacks *callbacks, Rdns **ret_rdns, Why *ret_why)
{
	_cleanup_(rdns_freep) Rdns *rdns = NULL;
	int r;

	rdns = calloc(1, sizeof(*rdns));
	if (!rdns)
		return -ENOMEM;
	rdns->callbacks = *callbacks;
	TAILQ_INIT(&rdns->old);
	TAILQ_INIT(&rdns->waiting);
	TAILQ_INIT(&rdns->in_flight);
	TAILQ_INIT(&rdns->truncated);
	r = rdns_cache_init(&rdns->cache);
	if (!r)
		r = apply(rdns, options, ret_why);
	if (r < 0)
		return r;
	*ret_rdns = TAKE(rdns);
	return 0;
}

void rdns_free(Rdns *rdns)
{
	if (!rdns)
		return;
	for (RdnsQuery *query; (query = TAILQ_FIRST(&rdns->waiting));) {
		TAILQ_REMOVE(&rdns->waiting, query, link);
		free(query);
	}
	for (RdnsQuery *query; (query = TAILQ_FIRST(&rdns->truncated));)
		query_free(query);
	for (RdnsRoute *route; (route = TAILQ_FIRST(&rdns->old));) {
		TAILQ_REMOVE(&rdns->old, route, link);
		rdns_route_free(route);
	}
	rdns_route_free(rdns->route);
	rdns_cache_done(&rdns->cache);
	free(rdns->resolv_conf);
	free(rdns);
}

int rdns_reconfigure(Rdns *rdns, const RdnsOptions *options, Why *ret_why)
{
	return apply(rdns, options, ret_why);
}

static int lookup_new(Rdns *rdns, const IpAddr *addr, RdnsEntry **ret_entry)
{
	RdnsQuery *query = calloc(1, sizeof(*query));
	RdnsEntry *entry = rdns_entry_new(addr);

	if (!query || !entry) {
		free(query);
		free(entry);
		return -ENOMEM;
	}
	query->ask.reply = query_reply;
	query->rdns = rdns;
	query->ask.addr = *addr;
	query->entry = entry;
	entry->query = query;
	rdns_cache_insert(&rdns->cache, entry);
	TAILQ_INSERT_TAIL(&rdns->waiting, query, link);
	rdns->waiting_count++;
	rdns->in_lookup = entry;
	send_waiting(rdns);
	rdns->in_lookup = NULL;
	*ret_entry = entry;
	return 0;
}

int rdns_lookup(Rdns *rdns, const IpAddr *addr, uint64_t now_ms, RdnsEntry **ret_entry)
{
	RdnsEntry *entry;

	rdns->now_ms = now_ms;
	rdns->counts.lookups++;
	if (!rdns->enabled || addr->family == IP_UNKNOWN)
		return entry_new_answered(rdns, addr, RDNS_OFF, ret_entry);
	resolv_conf_follow(rdns);
	route_renew(rdns);

	entry = rdns_cache_find(&rdns->cache, addr);
	if (entry && entry->status != RDNS_PENDING && entry_expired(rdns, entry)) {
		rdns_cache_remove(&rdns->cache, entry);
		entry = NULL;
	}
	if (entry) {
		rdns_cache_set_idle(&rdns->cache, entry, false);
		entry->refs++;
		rdns->counts.cache_hits += entry->status != RDNS_PENDING;
		rdns->counts.shared += entry->status == RDNS_PENDING;
		*ret_entry = entry;
		return 0;
	}
	if (rdns_health_refuses(&rdns->health, addr, now_ms))
		return entry_new_answered(rdns, addr, RDNS_TIMEOUT, ret_entry);
	return lookup_new(rdns, addr, ret_entry);
}

RdnsStatus rdns_entry_status(const RdnsEntry *entry)
{
	return entry->status;
}

const char *rdns_entry_name(const RdnsEntry *entry)
{
	return entry->name;
}

void rdns_entry_unref(Rdns *rdns, RdnsEntry *entry)
{
	if (!entry || --entry->refs)
		return;
	if (!entry->in_table) {
		rdns_entry_free(entry);
	} else if (entry->status != RDNS_PENDING) {
		entry_settle(rdns, entry);
	} else if (!entry->query->route) {
		TAILQ_REMOVE(&rdns->waiting, entry->query, link);
		rdns->waiting_count--;
		free(entry->query);
		rdns_cache_remove(&rdns->cache, entry);
	}
}

void rdns_dispatch(Rdns *rdns, int fd, unsigned events, uint64_t now_ms)
{
	rdns->now_ms = now_ms;
	for (RdnsRoute *route = TAILQ_FIRST(&rdns->old); route; route = TAILQ_NEXT(route, link))
		rdns_route_dispatch(route, fd, events);
	if (rdns->route)
		rdns_route_dispatch(rdns->route, fd, events);
	send_truncated(rdns);
	end_overdue(rdns);
	route_renew(rdns);
	send_probe(rdns);
	if (rdns->health.dead)
		end_waiting(rdns, RDNS_TIMEOUT);
	send_waiting(rdns);
	routes_reap(rdns);
	/*
	 * The callback may look up, and what that answers at once is the next call's: no loop
	 * without end here.
	 */
	if (rdns->notify) {
		rdns->notify = false;
		rdns->callbacks.answered(rdns->callbacks.userdata);
	}
}

static void sooner(int64_t *timeout_ms, int64_t other_ms)
{
	if (other_ms >= 0 && (*timeout_ms < 0 || other_ms < *timeout_ms))
		*timeout_ms = other_ms;
}

int64_t rdns_timeout(const Rdns *rdns, uint64_t now_ms)
{
	const RdnsQuery *first = TAILQ_FIRST(&rdns->in_flight);
	int64_t timeout_ms = -1;

	if (rdns->notify || !TAILQ_EMPTY(&rdns->truncated) ||
		(rdns->waiting_count &&
			(rdns->health.dead || rdns->in_flight_count < rdns->max_in_flight)))
		return 0;
	if (first)
		timeout_ms =
			first->deadline_ms > now_ms ? (int64_t)(first->deadline_ms - now_ms) : 0;
	for (const RdnsRoute *route = TAILQ_FIRST(&rdns->old); route;
		route = TAILQ_NEXT(route, link))
		sooner(&timeout_ms, rdns_route_timeout(route));
	if (rdns->route) {
		sooner(&timeout_ms, rdns_route_timeout(rdns->route));
		sooner(&timeout_ms, rdns_health_timeout(&rdns->health, now_ms));
	}
	return timeout_ms;
}

void rdns_counts(const Rdns *rdns, RdnsCounts *ret_counts)
{
	*ret_counts = rdns->counts;
	ret_counts->in_flight = rdns->in_flight_count;
	ret_counts->waiting = rdns->waiting_count;
	ret_counts->cached = rdns->cache.idle_count;
	ret_counts->resolver_dead = rdns->health.dead;
}
