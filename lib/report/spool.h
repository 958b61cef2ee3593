/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The finished reports that wait to be sent, and those that could not be: state_dir/spool. Each is a file
 * SEQUENCE-NUMBER.OFFSET-NUMBER.OFFSET.eml, by the rows that it is about (the first from 0.0 on), in the order of the sequence; beside it .state, what has become of
 * it (report/letter). One that can't be sent is renamed to .failed and holds up no other; renamed back it is tried again.
 *
 * Who changes anything holds the lock of the report's bookmark; looking needs none. The spool takes no more than SPOOL_COUNT_MAX letters
 * and SPOOL_BYTES_MAX bytes.
 */

#include "report/letter.h"

#define SPOOL_COUNT_MAX 1000
#define SPOOL_BYTES_MAX ((uint64_t)1 << 30)
#define SPOOL_NAME_MAX 128

typedef struct SpoolEntry {
	char name[SPOOL_NAME_MAX]; /* without what follows the range */
	uint64_t sequence;
	CsvPlace start, end; /* without the series, which is in the letter */
	bool failed;
} SpoolEntry;

typedef struct Spool {
	char *dir;
	SpoolEntry *entries; /* in order */
	size_t count;
	uint64_t size_bytes; /* of the letters */
} Spool;

#define SPOOL_INIT ((Spool){.dir = NULL})

void spool_done(Spool *spool);
#define _cleanup_spool_ _cleanup_(spool_done)

/* What is there, whoever is at work on it; without a directory it is empty. 0 or -errno. */
int spool_read(const char *state_dir, Spool *ret_spool);

/* The same to change it: makes the directory, and removes what a crash has left. 0 or -errno. */
int spool_open(const char *state_dir, Spool *ret_spool);

enum { SPOOL_FULL = 1 };

/*
 * Adds a letter, behind all others. It is durable when this returns 0; with -errno it may be there all the same. SPOOL_FULL: nothing was
 * done.
 */
int spool_add(Spool *spool, const Letter *letter);

/* The file, heap memory: of the letter, and of its tries. NULL without memory. */
char *spool_letter_path_dup(const Spool *spool, const SpoolEntry *entry);
char *spool_tries_path_dup(const Spool *spool, const SpoolEntry *entry);

/* As letter_load(). */
int spool_load(const Spool *spool, const SpoolEntry *entry, Letter *ret_letter, Why *ret_why);

/* Removes it, durably. 0 or -errno: it may be there still. The entries stay as they are. */
int spool_remove(const Spool *spool, const SpoolEntry *entry);

/* It has failed. 0 or -errno. */
int spool_fail(const Spool *spool, SpoolEntry *entry);

/* Whether anything has failed, and of the last of it: when it was made, and why (0 and "" when that is not known). */
typedef struct SpoolFailures {
	size_t count;
	char name[SPOOL_NAME_MAX];
	int64_t created_us;
	char reason[LETTER_REASON_MAX + 1];
} SpoolFailures;

void spool_failures(const Spool *spool, SpoolFailures *ret_failures);
