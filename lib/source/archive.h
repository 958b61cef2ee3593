/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A log and its rotated siblings (source/siblings) as one sequence, and where in it reading goes on. A file is
 * recognised by its content, under whatever name and compressed or not; the inode decides between copies.
 */

#include "source/match.h"
#include "source/moment.h"

/* What was read last, for archive_next(). */
typedef struct ArchiveFrom {
	Moment *moment;       /* to look with */
	const FileMark *mark; /* a place behind a file's start; NULL: nothing was read */
	const Trail *earlier; /* places before the mark in its file; NULL: none are known */
	bool finished;        /* the file of the mark was read to its end */
	int64_t seen_us; /* what was written later is new, should the file of the mark be gone */
	bool has_open;   /* a file is still open: its inode is its own */
	bool after_open; /* what was read is the open file: only what is newer counts */
	uint64_t open_device, open_inode;
	const FileMark *open_mark; /* what was read of it, from its start; NULL: nothing */
} ArchiveFrom;

typedef struct ArchivePlace {
	Reader *reader;   /* the open file, at offset; the caller's */
	char *path;       /* heap memory */
	bool live;        /* it is the log itself, not a sibling */
	bool at_end;      /* nothing can be read there now */
	bool before_open; /* it is older than what was read of the open file */
	uint64_t device, inode;
	uint64_t offset;
	Before before; /* offset */
} ArchivePlace;

void archive_place_done(ArchivePlace *place);

enum {
	ARCHIVE_NOTHING = 1, /* there is nothing (more) to read now */
	ARCHIVE_LOST = 2,    /* the marked file is gone; the place is the next best one */
	ARCHIVE_SHORT =
		4, /* the marked file is shorter than the mark; its end counts as the place */
	ARCHIVE_CHANGED =
		8, /* it has other bytes before the mark; the place is the last one before them */
};

/*
 * Where reading goes on after `from`: in the marked file, or when that is at its end in the next newer one. What begins
 * with all that was read of the marked file is a copy of it, and goes on at the same offset. A sibling is
 * still written for a while after the new log is there (rsyslog, until it gets its HUP): so while nothing newer
 * holds a byte, the place is the first such end. With after_open the place is always newer than the open file, which
 * the caller keeps in mind itself.
 *
 * A file that lost its end (in a power cut) goes on at its end. One that has grown again since, so that other bytes stand before
 * the mark, goes on at the newest of the earlier places that still matches; where none does, behind the last line within
 * its first bytes, which match: what is read twice is said, nothing of it is lost.
 *
 * 0, or a sum of the conditions above (only without ARCHIVE_NOTHING is the place filled; ARCHIVE_SHORT and ARCHIVE_CHANGED are explained
 * in *ret_why); -errno with the path in *ret_why.
 */
int archive_next(const char *path, const ArchiveFrom *from, ArchivePlace *ret_place, Why *ret_why);
