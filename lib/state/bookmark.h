/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How far a reader of the CSV has come: a small file for each (state_dir/report.offset), like the checkpoint. A reader works,
 * makes its work durable, then moves its bookmark; it holds a lock of its own meanwhile. The writer only looks at
 * bookmarks, so that it keeps what a reader still needs.
 */

#include "state/lock.h"

/* All readers there are, NULL at the end. */
extern const char *const bookmark_readers[];

/* A place in the CSV: a file by its number in a series (state/checkpoint) and an offset in it. */
typedef struct CsvPlace {
	uint64_t series, number, offset;
} CsvPlace;

typedef struct Bookmark {
	CsvPlace place;
	int64_t written_us;
} Bookmark;

/* Takes the lock of `reader`, as lock_take(). */
int bookmark_lock(const char *state_dir, const char *reader, const char *command, int *ret_fd,
	char ret_holder[LOCK_HOLDER_MAX]);

enum { BOOKMARK_NONE = 1 };

/* 0; BOOKMARK_NONE when that reader has none yet; -EBADMSG when it is torn, foreign or of a newer version; -errno; with *ret_why. */
int bookmark_load(const char *state_dir, const char *reader, Bookmark *ret_bookmark, Why *ret_why);

/* Replaces it durably, under the lock. 0 or -errno: the old one stays. */
int bookmark_save(const char *state_dir, const char *reader, const Bookmark *bookmark);
