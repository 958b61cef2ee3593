/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Random input for tests: xorshift64*, seeded from MLS_SEED or the clock, with the seed printed. */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct Random {
	uint64_t state;
} Random;

__attribute__((unused)) static Random random_seeded(void)
{
	const char *text = getenv("MLS_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

	printf("# MLS_SEED=%" PRIu64 "\n", seed);
	return (Random){(seed + 1) * 0x9e3779b97f4a7c15ULL | 1};
}

__attribute__((unused)) static uint64_t random_next(Random *random)
{
	uint64_t x = random->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random->state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/* 0 to limit - 1 */
__attribute__((unused)) static uint32_t random_below(Random *random, uint32_t limit)
{
	return (uint32_t)((random_next(random) >> 32) * limit >> 32);
}

/* How often to repeat: fewer under valgrind. */
__attribute__((unused)) static int random_rounds(int n)
{
	return getenv("MLS_TEST_SMALL") ? n / 40 : n;
}
