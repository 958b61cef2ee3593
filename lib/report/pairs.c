/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/pairs.h"

#define FRESH_MIN ((size_t)1 << 16)
#define BYTE_VALUES 256

void pairs_done(Pairs *pairs)
{
	free(pairs->entries);
	free(pairs->fresh);
	*pairs = (Pairs){.entries = NULL};
}

/* By each byte, the lowest first; a byte that is the same in all is passed over. Returns where they are then: in one or the other. */
static uint64_t *sort(uint64_t *from, uint64_t *to, size_t count)
{
	for (unsigned shift = 0; shift < 64; shift += 8) {
		size_t ends[BYTE_VALUES] = {0}, at = 0;
		uint64_t *swap = from;

		for (size_t i = 0; i < count; i++)
			ends[from[i] >> shift & 0xff]++;
		if (ends[from[0] >> shift & 0xff] == count)
			continue;
		for (size_t i = 0; i < BYTE_VALUES; i++) {
			size_t n = ends[i];

			ends[i] = at;
			at += n;
		}
		for (size_t i = 0; i < count; i++)
			to[ends[from[i] >> shift & 0xff]++] = from[i];
		from = to;
		to = swap;
	}
	return from;
}

static uint64_t value_of(const Pair *pair)
{
	return (uint64_t)pair->a << 32 | pair->b;
}

/* From the end to the start, so that the entries can stay where they are: `to` is never before what is still to be read. */
int pairs_settle(Pairs *pairs)
{
	size_t most = pairs->count + pairs->fresh_count, old = pairs->count, to = most;
	size_t fresh = pairs->fresh_count;
	const uint64_t *sorted;
	Pair *entries;

	if (!fresh)
		return 0;
	entries = reallocarray(pairs->entries, most, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	pairs->entries = entries;
	sorted = sort(pairs->fresh, pairs->fresh + pairs->fresh_size, fresh);
	while (fresh) {
		uint64_t value = sorted[fresh - 1];
		uint64_t count = 0;

		while (old && value_of(&entries[old - 1]) > value)
			entries[--to] = entries[--old];
		if (old && value_of(&entries[old - 1]) == value)
			count = entries[--old].count;
		for (; fresh && sorted[fresh - 1] == value; fresh--)
			count++;
		if (count > UINT32_MAX)
			return -EFBIG;
		entries[--to] = (Pair){(uint32_t)(value >> 32), (uint32_t)value, (uint32_t)count};
	}
	/* The rest of the old ones are at the start, where they belong. */
	memmove(entries + old, entries + to, (most - to) * sizeof(*entries));
	pairs->count = old + most - to;
	pairs->fresh_count = 0;
	return 0;
}

/* It grows with what there is, so that all merging together is as much work as reading that a few times. */
static int make_room(Pairs *pairs)
{
	int r = pairs_settle(pairs);
	size_t size = MAX(FRESH_MIN, pairs->fresh_size);
	uint64_t *fresh;

	if (r < 0)
		return r;
	if (pairs->count / 8 >= 2 * size)
		size *= 2;
	if (size == pairs->fresh_size)
		return 0;
	free(TAKE(pairs->fresh));
	pairs->fresh_size = 0;
	fresh = reallocarray(NULL, size, 2 * sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	pairs->fresh = fresh;
	pairs->fresh_size = size;
	return 0;
}

int pairs_add(Pairs *pairs, uint32_t a, uint32_t b)
{
	int r = pairs->fresh_count == pairs->fresh_size ? make_room(pairs) : 0;

	if (r < 0)
		return r;
	pairs->fresh[pairs->fresh_count++] = (uint64_t)a << 32 | b;
	return 0;
}
