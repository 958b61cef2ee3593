/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The entries of rdns: a table from address to entry with a random key (attackers choose the
 * addresses), and the list of the answered entries that nobody holds, the longest unused first,
 * which is as long as its owner lets it be.
 *
 * An entry is in the table (asked or cached), or it is not (its time is over, or it was never worth
 * keeping) and belongs to those who hold it alone.
 */

#include <sys/queue.h>

#include "base/hash.h"
#include "enrich/rdns.h"

typedef struct RdnsQuery RdnsQuery;

struct RdnsEntry {
	IpAddr addr;
	RdnsStatus status;
	unsigned refs;
	bool in_table, idle; /* idle: in the table, answered, and nobody holds it */
	uint32_t ttl_seconds;
	uint64_t answered_ms;
	char *name;
	RdnsQuery *query; /* while pending */
	RdnsEntry *chain; /* the next in the table's bucket */
	TAILQ_ENTRY(RdnsEntry) idle_link;
};

typedef struct RdnsCache {
	HashKey key;
	RdnsEntry **buckets;
	size_t buckets_count; /* a power of two */
	size_t count;
	TAILQ_HEAD(RdnsIdleList, RdnsEntry) idle;
	size_t idle_count;
} RdnsCache;

/* 0 or -errno. */
int rdns_cache_init(RdnsCache *cache);
/* Frees every entry of the table, held or not. */
void rdns_cache_done(RdnsCache *cache);

/* A new entry, pending, that one holds and the table does not know; NULL when out of memory. */
RdnsEntry *rdns_entry_new(const IpAddr *addr);
/* Of an entry that the table does not know. */
void rdns_entry_free(RdnsEntry *entry);

RdnsEntry *rdns_cache_find(const RdnsCache *cache, const IpAddr *addr);
/* The address must not be in the table. */
void rdns_cache_insert(RdnsCache *cache, RdnsEntry *entry);
/* Forgets the entry, which then belongs to those who hold it; one that nobody holds is freed. */
void rdns_cache_remove(RdnsCache *cache, RdnsEntry *entry);

/* Nobody holds the answered entry any more, or somebody does again. */
void rdns_cache_set_idle(RdnsCache *cache, RdnsEntry *entry, bool idle);
/* Frees the longest unused until at most count entries that nobody holds are left. */
void rdns_cache_shrink(RdnsCache *cache, size_t count);
