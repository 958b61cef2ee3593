/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Names of addresses by reverse DNS (c-ares), asynchronous, with a cache. One query serves
 * everybody who asks for the address while it runs. The owner watches the descriptors and the
 * timeout that this module names through its callbacks; all calls come from one thread. Times are
 * monotonic milliseconds, given by the caller.
 *
 * A lookup waits until fewer than max_in_flight queries run (first come, first served). From the
 * moment its query is sent it ends within timeout_ms * (2^tries - 1) and a tenth of a second,
 * whatever the servers do: that is also the limit for all of several servers together, which are
 * asked in turn, each for its share of the time. A truncated answer is asked for again over TCP.
 *
 * Answers are kept for their TTL, "no such name" and "no PTR" for the zone's negative TTL and at
 * most 5 minutes, failures and timeouts 5 seconds.
 *
 * After 64 timeouts in a row without one answer the servers count as dead: what waits and new
 * addresses are Timeout at once (and that is not kept), while one probe a second, for an address
 * that was just refused so, goes on until a server answers. When nobody has asked for a minute the
 * probes stop; the next lookup then goes out again, and one timeout is enough.
 */

#include "base/ipaddr.h"

typedef enum RdnsStatus {
	RDNS_PENDING = 0,
	RDNS_OK,            /* OK: name holds it */
	RDNS_NO_NAME,       /* Errno 1: no such name (NXDOMAIN) */
	RDNS_SERVER_FAILED, /* Errno 2: SERVFAIL, REFUSED, NOTIMP, FORMERR, connection refused */
	RDNS_NO_PTR,        /* Errno 4: the name has no usable PTR */
	RDNS_TIMEOUT,       /* Timeout: no valid answer in time */
	RDNS_OFF,           /* Off: lookups are switched off, or there is no address */
} RdnsStatus;

/* The text of the CSV column: "OK", "Errno 1", ... */
const char *rdns_status_text(RdnsStatus status);

#define RDNS_NAME_MAX 254 /* 253 bytes of a host name and a NUL */

typedef struct Rdns Rdns;
typedef struct RdnsEntry RdnsEntry; /* one address, asked or cached; counted references */

typedef struct RdnsOptions {
	bool enabled;
	/*
	 * "127.0.0.1:5353, [::1]:53", at most 8; NULL or "" takes resolv.conf's, and notices when
	 * that changes.
	 */
	const char *servers;
	/* NULL is /etc/resolv.conf. Its options do not count, only its servers. */
	const char *resolv_conf;
	/* Of the first try, 10 to 60,000; each further try waits twice as long. */
	unsigned timeout_ms;
	unsigned tries;         /* 1 to 8; all of them together take at most 5 minutes */
	unsigned max_in_flight; /* 1 to 256 */
	bool cache_enabled;     /* without it only what is in flight is shared */
	size_t cache_size;      /* answers kept that nobody holds, at most 10 million */
	/* Upper limit, at most 30 days; the answer's own TTL counts when it is shorter. */
	unsigned cache_ttl_seconds;
} RdnsOptions;

enum { RDNS_READ = 1, RDNS_WRITE = 2 };

typedef struct RdnsCallbacks {
	/* Watch fd for RDNS_READ|RDNS_WRITE; 0 means forget it (it is about to be closed). */
	void (*watch)(void *userdata, int fd, unsigned events);
	/*
	 * At least one entry that was pending is answered. Comes from rdns_dispatch() alone, at its
	 * end. May call rdns_entry_* and rdns_lookup, not rdns_free or rdns_reconfigure.
	 */
	void (*answered)(void *userdata);
	void *userdata;
} RdnsCallbacks;

typedef struct RdnsCounts {
	uint64_t lookups;                /* calls of rdns_lookup */
	uint64_t cache_hits;             /* of these, answered from the cache */
	uint64_t shared;                 /* likewise, that wait for a query of another one */
	uint64_t sent;                   /* queries (not counting repetitions), probes among them */
	uint64_t answered[RDNS_OFF + 1]; /* entries by the status they got */
	size_t in_flight, waiting; /* entries that are pending: query sent, query not yet sent */
	size_t cached;             /* answers kept that nobody holds */
	bool resolver_dead;        /* the 64-timeouts rule is in force */
} RdnsCounts;

/* Checks the options (-EINVAL with *ret_why: "servers: 'x:70000' is not an address with port"). */
int rdns_options_check(const RdnsOptions *options, Why *ret_why);

int rdns_new(
	const RdnsOptions *options, const RdnsCallbacks *callbacks, Rdns **ret_rdns, Why *ret_why);
/* Queries in flight end without an answer; entries must all have been unreferenced before. */
void rdns_free(Rdns *rdns);
DEFINE_CLEANUP(Rdns *, rdns_freep, rdns_free)

/*
 * Applies new options: a new channel is made, queries in flight end on the old one, what waits goes
 * to the new one (or is Off when lookups are now switched off). Ask rdns_timeout() afterwards. 0 or
 * -errno and nothing has changed.
 */
int rdns_reconfigure(Rdns *rdns, const RdnsOptions *options, Why *ret_why);

/*
 * Asks for the name of addr. The entry is the caller's reference; when its status is RDNS_PENDING,
 * answered() comes later. An entry's answer does not change any more once it has one. 0 or -ENOMEM.
 */
int rdns_lookup(Rdns *rdns, const IpAddr *addr, uint64_t now_ms, RdnsEntry **ret_entry);

RdnsStatus rdns_entry_status(const RdnsEntry *entry);
/* The host name when the status is RDNS_OK, else NULL. Borrowed while the reference is held. */
const char *rdns_entry_name(const RdnsEntry *entry);
/*
 * A lookup that nobody holds any more and that was not yet sent is given up; one in flight ends in
 * the cache.
 */
void rdns_entry_unref(Rdns *rdns, RdnsEntry *entry);

/* The owner saw events (RDNS_READ|RDNS_WRITE) on fd; fd -1: only timeouts. */
void rdns_dispatch(Rdns *rdns, int fd, unsigned events, uint64_t now_ms);
/*
 * Milliseconds from now until rdns_dispatch(-1) is due; -1: nothing to wait for. Ask again after
 * any call.
 */
int64_t rdns_timeout(const Rdns *rdns, uint64_t now_ms);

void rdns_counts(const Rdns *rdns, RdnsCounts *ret_counts);
