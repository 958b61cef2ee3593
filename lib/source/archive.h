/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A log and its rotated siblings as one sequence of files, oldest first, and where in it reading
 * goes on. Siblings are PATH.1, PATH.2.gz, PATH-20261122, PATH-20261122.xz, PATH.20261122-125632.gz and the
 * like (logrotate's numbers and dateext, postlogd's stamps). They are ordered by number or by date; where a
 * directory mixes both, by modification time.
 */

#include "base/compress.h"
#include "state/mark.h"

typedef struct ArchiveFile {
	char *path;
	uint64_t device, inode;
	int64_t written_us; /* modification time */
	bool compressed;    /* by its name */
	char kind;          /* 'n'umbered, 'd'ated, 'l'ive */
	uint64_t number;    /* of a numbered one */
	char digits[33];    /* of a dated one */
} ArchiveFile;

typedef struct ArchiveList {
	ArchiveFile *files;
	size_t count;
} ArchiveList;

#define ARCHIVE_LIST_INIT ((ArchiveList){NULL, 0})
#define ARCHIVE_FILES_MAX 4096

void archive_list_done(ArchiveList *list);
#define _cleanup_archive_list_ _cleanup_(archive_list_done)

/*
 * The siblings of path, oldest first, and path itself last if it is there. A directory that is missing is an
 * empty list. 0, -ENOMEM, or -errno of reading the directory.
 */
int archive_list(const char *path, ArchiveList *ret_list);

/* What was read last, for archive_next(). */
typedef struct ArchiveFrom {
	const FileMark *mark; /* NULL: nothing was read, start with the oldest */
	bool finished;        /* the file of the mark was read to its end */
	int64_t seen_us;      /* when that was: what was written later is new */
	bool has_open;        /* the finished file is still open: its inode is its own */
	uint64_t open_device, open_inode;
} ArchiveFrom;

typedef struct ArchivePlace {
	Reader *reader; /* the open file, at offset; the caller's */
	char *path;     /* heap memory */
	bool live;      /* it is the log itself, not a sibling */
	uint64_t device, inode;
	uint64_t offset;
	char head[MARK_HEAD_MAX]; /* its first bytes, as far as they lie before offset */
	size_t head_len;
	char history[MARK_TAIL_MAX]; /* the bytes before offset */
	size_t history_len;
} ArchivePlace;

void archive_place_done(ArchivePlace *place);

enum {
	ARCHIVE_NOTHING = 1, /* there is nothing (more) to read now */
	ARCHIVE_LOST = 2,    /* the marked file is gone; the place is the next best one */
	ARCHIVE_SHORT = 4,   /* the marked file is shorter than the mark; the place is its end */
};

/*
 * Where reading goes on after `from`: in the marked file, which is recognised by its content under whatever name it has
 * now, or when that is at its end in the next newer one. 0, or a sum of ARCHIVE_LOST, ARCHIVE_SHORT and
 * ARCHIVE_NOTHING (only without ARCHIVE_NOTHING is the place filled); -errno, with the path in *ret_why.
 */
int archive_next(const char *path, const ArchiveFrom *from, ArchivePlace *ret_place, Why *ret_why);
