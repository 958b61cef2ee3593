/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Counts byte strings exactly: equal ones get equal numbers, 0, 1, 2, ... in the order of their first appearance. Keeps one copy of
 * each, and tells them apart by digests of 128 bits, keyed at random, since it is attackers who choose what is counted; no result
 * depends on the key.
 */

#include "base/hash.h"
#include "base/strbuf.h"

typedef struct TallyEntry {
	HashDigest digest;
	uint64_t count;
	uint32_t start; /* in bytes; it ends where the next one starts */
} TallyEntry;

typedef struct TallySlot {
	uint32_t hash;   /* the digest's first bits */
	uint32_t number; /* + 1; 0: the slot is free */
} TallySlot;

typedef struct Tally {
	HashKey key;
	StrBuf bytes;
	TallyEntry *entries;
	uint32_t count, size;
	TallySlot *slots; /* 2 * size of them */
} Tally;

void tally_init(Tally *tally, HashKey key);
void tally_done(Tally *tally);

/* Adds to the count of the bytes. 0 with their number, or -errno (-EFBIG: STRBUF_MAX bytes of them, or 2^31 of them). */
int tally_add(Tally *tally, Span bytes, uint64_t count, uint32_t *ret_number);

/*
 * The same in two steps, for who has something to do between them: the first fetches what the second needs from memory, which takes longer
 * than all that is reckoned here.
 */
HashDigest tally_prepare(const Tally *tally, Span bytes);
int tally_add_prepared(
	Tally *tally, Span bytes, HashDigest digest, uint64_t count, uint32_t *ret_number);

/* The bytes of a number, borrowed until the next tally_add. */
static inline Span tally_get(const Tally *tally, uint32_t number)
{
	size_t start = tally->entries[number].start;
	size_t end =
		number + 1 < tally->count ? tally->entries[number + 1].start : tally->bytes.len;

	return (Span){strbuf_text(&tally->bytes) + start, end - start};
}
