/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A journal's cursor in its parts (systemd's JOURNAL_FILE_FORMAT.md). To libsystemd a cursor is opaque and the nearest entry
 * is as good as the one meant; whoever must neither lose nor double an entry has to know which one it is.
 */

#include "state/checkpoint.h"

#define CURSOR_MAX CHECKPOINT_CURSOR_MAX /* the longest that systemd writes is 145 bytes */

typedef struct Cursor {
	char file_set[33]; /* hexadecimal: entries with the same one are numbered in one row */
	uint64_t number;
	char boot[33];
	uint64_t monotonic_us;
	uint64_t realtime_us;
	uint64_t hash; /* of the entry's content */
} Cursor;

/* text is a cursor: shorter than CURSOR_MAX. */
void cursor_copy(char to[CURSOR_MAX], const char *text);

/* "s=...;i=...;b=...;m=...;t=...;x=...", in this order and shorter than CURSOR_MAX. 0 or -EINVAL. */
int cursor_parse(const char *text, Cursor *ret_cursor);

/*
 * Whether both are the same entry. Copied from /run to /var (journalctl --flush) it has another number in another set of
 * files, and remains the same.
 */
bool cursor_same_entry(const Cursor *a, const Cursor *b);

/* Whether no entry can have been between the two, a the earlier one. */
bool cursor_adjacent(const Cursor *a, const Cursor *b);
