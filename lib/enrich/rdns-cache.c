/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns-cache.h"

#define BUCKETS_MIN ((size_t)256)

int rdns_cache_init(RdnsCache *cache)
{
	RdnsCache made = {.buckets_count = BUCKETS_MIN};
	int r;

	r = hash_key_random(&made.key);
	if (r < 0)
		return r;
	made.buckets = calloc(made.buckets_count, sizeof(RdnsEntry *));
	if (!made.buckets)
		return -ENOMEM;
	*cache = made;
	TAILQ_INIT(&cache->idle);
	return 0;
}

void rdns_cache_done(RdnsCache *cache)
{
	for (size_t i = 0; i < cache->buckets_count; i++)
		for (RdnsEntry *entry = cache->buckets[i], *next; entry; entry = next) {
			next = entry->chain;
			rdns_entry_free(entry);
		}
	free(cache->buckets);
	*cache = (RdnsCache){0};
}

RdnsEntry *rdns_entry_new(const IpAddr *addr)
{
	RdnsEntry *entry = calloc(1, sizeof(*entry));

	if (entry) {
		entry->addr = *addr;
		entry->refs = 1;
	}
	return entry;
}

void rdns_entry_free(RdnsEntry *entry)
{
	free(entry->name);
	free(entry);
}

static RdnsEntry **bucket(const RdnsCache *cache, const IpAddr *addr)
{
	uint64_t hash = hash_bytes(cache->key, addr, sizeof(*addr));

	return &cache->buckets[hash & (cache->buckets_count - 1)];
}

/* A table that can't grow for want of memory is slower, not wrong. */
static void grow(RdnsCache *cache)
{
	RdnsCache larger = *cache;

	larger.buckets_count *= 2;
	larger.buckets = calloc(larger.buckets_count, sizeof(RdnsEntry *));
	if (!larger.buckets)
		return;
	for (size_t i = 0; i < cache->buckets_count; i++)
		for (RdnsEntry *entry = cache->buckets[i], *next; entry; entry = next) {
			RdnsEntry **place = bucket(&larger, &entry->addr);

			next = entry->chain;
			entry->chain = *place;
			*place = entry;
		}
	free(cache->buckets);
	cache->buckets = larger.buckets;
	cache->buckets_count = larger.buckets_count;
}

RdnsEntry *rdns_cache_find(const RdnsCache *cache, const IpAddr *addr)
{
	RdnsEntry *entry = *bucket(cache, addr);

	while (entry && !ipaddr_equal(&entry->addr, addr))
		entry = entry->chain;
	return entry;
}

void rdns_cache_insert(RdnsCache *cache, RdnsEntry *entry)
{
	RdnsEntry **place;

	if (cache->count >= cache->buckets_count)
		grow(cache);
	place = bucket(cache, &entry->addr);
	entry->chain = *place;
	*place = entry;
	entry->in_table = true;
	cache->count++;
}

void rdns_cache_remove(RdnsCache *cache, RdnsEntry *entry)
{
	RdnsEntry **place = bucket(cache, &entry->addr);

	rdns_cache_set_idle(cache, entry, false);
	while (*place != entry)
		place = &(*place)->chain;
	*place = entry->chain;
	entry->chain = NULL;
	entry->in_table = false;
	cache->count--;
	if (!entry->refs)
		rdns_entry_free(entry);
}

void rdns_cache_set_idle(RdnsCache *cache, RdnsEntry *entry, bool idle)
{
	if (entry->idle == idle)
		return;
	entry->idle = idle;
	if (idle) {
		TAILQ_INSERT_TAIL(&cache->idle, entry, idle_link);
		cache->idle_count++;
	} else {
		TAILQ_REMOVE(&cache->idle, entry, idle_link);
		cache->idle_count--;
	}
}

void rdns_cache_shrink(RdnsCache *cache, size_t count)
{
	while (cache->idle_count > count)
		rdns_cache_remove(cache, TAILQ_FIRST(&cache->idle));
}
