/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Counts pairs of numbers exactly. A flood of a million attempts may be a million pairs: they are gathered, sorted and merged, which takes
 * 12 bytes for each different one and no look into memory far away.
 */

#include "base/base.h"

typedef struct Pair {
	uint32_t a, b;
	uint32_t count;
} Pair;

/* Start it with {0}. */
typedef struct Pairs {
	Pair *entries; /* in order, once they are settled */
	size_t count;
	uint64_t *fresh; /* not yet among them; as much room again behind them */
	size_t fresh_count, fresh_size;
} Pairs;

void pairs_done(Pairs *pairs);

/* Counts a pair. 0 or -errno (-EFBIG: one comes more than 2^32 - 1 times). */
int pairs_add(Pairs *pairs, uint32_t a, uint32_t b);

/* Makes entries and count be all that were added. 0 or -errno, as above. */
int pairs_settle(Pairs *pairs);
