/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From an address to a number, in one search ("D16R", after DXR by Zec, Rizzo and Mikuc, 2012):
 * the whole space is cut at borders, each of which starts a stretch of one value.
 *
 * IPv4: the upper 16 bits name a chunk; v4_root[chunk] to v4_root[chunk + 1] is where it lies in
 * v4_chunks. It has first the lower 16 bits where each of its n entries starts (uint16_t,
 * ascending, beginning with 0, padded to a whole word), then the n values. Both lie together
 * because most chunks are no longer than a cache line or two.
 * A chunk of one entry is the value alone.
 * IPv6: the upper 16 bits name a chunk, v6_root[chunk] to v6_root[chunk + 1] are its entries:
 * v6_key holds the next 32 bits where each starts, v6_value what holds from there on; the first
 * entry of a chunk starts at the chunk's first address. A chunk without entries is all as the last
 * one before it. v6_sample has every IPTRIE_SAMPLE-th of v6_key, so that most steps of the search
 * stay in little memory. A site, which is a /48, that is cut further inside has a v6_value of
 * IPTRIE_INSIDE | n: its pieces are site_root[n] to site_root[n + 1], site_key the next 16 bits
 * where they start, beginning with 0, and site_value. In the same way a subnet, which is a /64, that
 * is cut has a site_value of IPTRIE_INSIDE | n: subnet_root, subnet_key with the lower 64 bits,
 * subnet_value.
 *
 * The arrays lie in one block of memory that the owner provides; the layout says where, as
 * offsets, so that the block can be moved, written to a file and mapped. Numbers are in the
 * machine's byte order.
 */

#include "enrich/ipsegments.h"

#define IPTRIE_INSIDE 0x80000000U
#define IPTRIE_VALUE_MAX (IPTRIE_INSIDE - 1)
#define IPTRIE_CHUNKS 65536U
#define IPTRIE_SAMPLE 16U
/* Of an array: keeps every index in 32 bits; ten times what the largest databases need. */
#define IPTRIE_ENTRIES_MAX ((uint64_t)1 << 26)

/*
 * An array in a block: where it starts, counted from the block's start, and how many elements it
 * has.
 */
typedef struct BlockArray {
	uint64_t offset, count;
} BlockArray;

typedef struct IpTrieLayout {
	BlockArray v4_root, v4_chunks;
	BlockArray v6_root, v6_sample, v6_key, v6_value;
	BlockArray site_root, site_key, site_value;
	BlockArray subnet_root, subnet_key, subnet_value;
} IpTrieLayout;

/* A trie that is ready to be asked: borrows the block. */
typedef struct IpTrie {
	const uint32_t *v4_root, *v4_chunks;
	const uint32_t *v6_root, *v6_sample, *v6_key, *v6_value;
	const uint32_t *site_root, *site_value, *subnet_root, *subnet_value;
	const uint16_t *site_key;
	const uint64_t *subnet_key;
	uint32_t v4_words, v6_entries, sites, site_entries, subnets, subnet_entries;
} IpTrie;

typedef struct IpTrieBuilder IpTrieBuilder;

/* 0 or -ENOMEM. All addresses have the value 0 until something is added. */
int iptrie_builder_new(IpTrieBuilder **ret_builder);
void iptrie_builder_free(IpTrieBuilder *builder);
DEFINE_CLEANUP(IpTrieBuilder *, iptrie_builder_freep, iptrie_builder_free)

/*
 * From first on all addresses of the family have the value, until the next border. Ascending; a
 * value that holds already is no border. 0, -EINVAL (not ascending, value above IPTRIE_VALUE_MAX,
 * not a v4 number), -EFBIG, -ENOMEM.
 */
int iptrie_builder_add(IpTrieBuilder *builder, IpFamily family, IpKey first, uint32_t value);

/* How many stretches of equal value the family has so far. */
uint64_t iptrie_builder_segments(const IpTrieBuilder *builder, IpFamily family);

/*
 * Completes the trie and says where its arrays will lie in a block, from *offset on; *offset then
 * is the first byte behind them. 0 or -ENOMEM. Nothing can be added after that.
 */
int iptrie_builder_finish(IpTrieBuilder *builder, uint64_t *offset, IpTrieLayout *ret_layout);

/* Writes the arrays into the block, which is as long as the layout demands. */
void iptrie_builder_write(const IpTrieBuilder *builder, void *block, const IpTrieLayout *layout);

/* Whether the arrays lie in a block of this size, and fit each other. */
bool iptrie_layout_valid(const IpTrieLayout *layout, uint64_t block_size);

/*
 * The trie that lies in the block; the layout is a valid one for it. Of the block's bytes nothing is
 * assumed: what does not make sense has the value 0, or any other.
 */
IpTrie iptrie_open(const void *block, const IpTrieLayout *layout);

/* Where an array of the block lies, and room for the next one; arrays start at cache lines. */
BlockArray block_array_place(uint64_t *offset, uint64_t count, size_t element_size);

/* Whether the array lies in a block of this size, at the start of a cache line. */
bool block_array_valid(BlockArray array, uint64_t block_size, size_t element_size);

/* The value at addr in host byte order. */
uint32_t iptrie_get_v4(const IpTrie *trie, uint32_t addr);

/* The value at the address. */
uint32_t iptrie_get_v6(const IpTrie *trie, IpKey addr);
