/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Names of addresses by reverse DNS (c-ares), asynchronous, with a cache. One query serves everybody
 * who asks for the address. The owner watches the descriptors and the timeout that this module
 * names through its callbacks; all calls come from one thread. Times are monotonic milliseconds, given by the caller.
 *
 * An answer ends by a deadline that runs from the moment its query is sent (timeout_ms and tries). After 64 timeouts in a row
 * without one answer new addresses are Timeout at once, while one probe a second goes on until a server answers again.
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
	const char *
		servers; /* "127.0.0.1:5353,[::1]:53"; NULL or "" takes resolv.conf's, and notices when that changes */
	unsigned timeout_ms; /* of the first try; each further try waits twice as long */
	unsigned tries;
	unsigned max_in_flight; /* at most 256 */
	bool cache_enabled;
	size_t cache_size; /* answers kept that nobody holds */
	unsigned
		cache_ttl_seconds; /* upper limit; the answer's own TTL counts when it is shorter */
} RdnsOptions;

enum { RDNS_READ = 1, RDNS_WRITE = 2 };

typedef struct RdnsCallbacks {
	/* Watch fd for RDNS_READ|RDNS_WRITE; 0 means forget it (it is about to be closed). */
	void (*watch)(void *userdata, int fd, unsigned events);
	/* At least one entry that was pending is answered. May call rdns_entry_* and rdns_lookup, not rdns_free. */
	void (*answered)(void *userdata);
	void *userdata;
} RdnsCallbacks;

typedef struct RdnsCounts {
	uint64_t lookups, cache_hits, sent, answered[RDNS_OFF + 1];
	size_t in_flight, waiting, cached;
	bool resolver_dead; /* the 64-timeouts rule is in force */
} RdnsCounts;

/* Checks the options (-EINVAL with *ret_why: "servers: 'x:70000' is not an address with port"). */
int rdns_options_check(const RdnsOptions *options, Why *ret_why);

int rdns_new(
	const RdnsOptions *options, const RdnsCallbacks *callbacks, Rdns **ret_rdns, Why *ret_why);
/* Queries in flight end without an answer; entries must all have been unreferenced before. */
void rdns_free(Rdns *rdns);
DEFINE_CLEANUP(Rdns *, rdns_freep, rdns_free)

/*
 * Applies new options: a new channel is made, queries in flight end on the old one.
 * 0 or -errno and nothing has changed.
 */
int rdns_reconfigure(Rdns *rdns, const RdnsOptions *options, Why *ret_why);

/*
 * Asks for the name of addr. The entry is the caller's reference; when its status is RDNS_PENDING, answered() comes later.
 * 0 or -ENOMEM.
 */
int rdns_lookup(Rdns *rdns, const IpAddr *addr, uint64_t now_ms, RdnsEntry **ret_entry);

RdnsStatus rdns_entry_status(const RdnsEntry *entry);
/* The host name when the status is RDNS_OK, else NULL. Borrowed while the reference is held. */
const char *rdns_entry_name(const RdnsEntry *entry);
void rdns_entry_unref(Rdns *rdns, RdnsEntry *entry);

/* The owner saw events (RDNS_READ|RDNS_WRITE) on fd; fd -1: only timeouts. */
void rdns_dispatch(Rdns *rdns, int fd, unsigned events, uint64_t now_ms);
/* Milliseconds from now until rdns_dispatch(-1) is due; -1: nothing to wait for. Ask again after any call. */
int64_t rdns_timeout(const Rdns *rdns, uint64_t now_ms);

void rdns_counts(const Rdns *rdns, RdnsCounts *ret_counts);
