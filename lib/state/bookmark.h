/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How far a reader of the CSV has come: a small file for each (state_dir/report.offset), like the checkpoint. A reader works,
 * makes its work durable, then moves its bookmark; it holds a lock of its own meanwhile. The writer only looks at
 * bookmarks, so that it keeps what a reader still needs.
 *
 * What the reader must remember beside the place goes into the same file, so that both move at once: the counters of the logs, and a
 * payload, lines of text that mean something to the reader alone.
 */

#include "base/strbuf.h"
#include "state/checkpoint.h"
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
	bool has_counters; /* of all logs, when the place was the end of the CSV: */
	Counters counters;
} Bookmark;

/* Takes the lock of `reader`, as lock_take(). */
int bookmark_lock(const char *state_dir, const char *reader, const char *command, int *ret_fd,
	char ret_holder[LOCK_HOLDER_MAX]);

enum { BOOKMARK_NONE = 1 };

/*
 * With the payload in ret_payload (in the place of what was there; NULL: it is not wanted). 0; BOOKMARK_NONE when that reader has none
 * yet; -EBADMSG when it is torn, foreign or of a newer version; -errno; with *ret_why.
 */
int bookmark_load(const char *state_dir, const char *reader, Bookmark *ret_bookmark,
	StrBuf *ret_payload, Why *ret_why);

/* Replaces it durably, under the lock. The payload is whole lines. 0 or -errno (-EINVAL: it is not): the old one stays. */
int bookmark_save(
	const char *state_dir, const char *reader, const Bookmark *bookmark, Span payload);

/* Its lines, for another file that holds a bookmark: the payload is their end. */
void bookmark_append(StrBuf *sb, const Bookmark *bookmark, Span payload);

/* Reads such lines; *ret_payload is borrowed from them. 0 or -EBADMSG. */
int bookmark_parse(StrBuf *lines, Bookmark *ret_bookmark, Span *ret_payload);
