/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the parts of the ledger test share: a log of its operations, in which every one stands with how far the ledger was
 * then, and a way to end. The test is: a writer (ledger-writer) that writes a mail log and into a ledger what rows must
 * come of it; rotations of every kind (ledger-rotate); the daemon under test, that is ended and started meanwhile
 * (ledger-daemon); and the comparison of CSV and ledger at the end (ledger-drive). Each draws from a random number
 * generator of its own, so that the same seed is the same test however long the daemon takes.
 */

#include "base/base.h"
#include "random.h"

/* All names are relative to the test's directory, in which it is. */
#define LEDGER_PATH 96

/* Appends a line to the log of operations. */
void ledger_log(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Says why on stdout and ends the test, and the daemon. */
void ledger_fail(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

#define LEDGER_MUST(condition)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ledger_fail(                                                               \
				"%s:%d: %s: %s", __FILE__, __LINE__, #condition, strerror(errno)); \
	} while (0)

static inline Random ledger_random(uint64_t seed)
{
	return (Random){(seed + 1) * 0x9e3779b97f4a7c15ULL | 1};
}

/* True in `permille` of 1,000 calls. */
static inline bool random_chance(Random *random, uint32_t permille)
{
	return random_below(random, 1000) < permille;
}

uint64_t ledger_now_ms(void);
void ledger_sleep_us(uint32_t us);
