/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The files of one log, oldest first: its rotated siblings PATH.1, PATH.2.gz, PATH-20261122,
 * PATH-20261122.xz, PATH.20261122-125632.gz and the like (logrotate's numbers and dateext, postlogd's
 * stamps), then the log itself. They are ordered by number or by date; where a directory has both, the two
 * orders are merged by modification time and, where that is equal, by birth time. Where PATH leads over links to
 * a file with a date, those of other days are siblings (source/links), and so are the rotated siblings of the file
 * that it leads to. At most SIBLINGS_MAX files.
 */

#include "source/moment.h"

#define SIBLINGS_MAX 4096

typedef enum SiblingKind {
	SIBLING_NUMBERED,
	SIBLING_DATED,
	SIBLING_LOG, /* not rotated: the log itself */
} SiblingKind;

typedef struct Sibling {
	char *path;
	uint64_t device, inode;
	int64_t written_us; /* modification time */
	int64_t born_us;    /* birth time; 0 where the file system keeps none */
	SiblingKind kind;
	bool compressed; /* by its name */
	char digits[33]; /* of its number or date */
	uint32_t number;
	bool passed; /* for who walks over them: it was at its end, with this length */
	uint64_t length;
} Sibling;

typedef struct SiblingList {
	Sibling *files;
	size_t count;
} SiblingList;

#define SIBLING_LIST_INIT ((SiblingList){NULL, 0})

typedef enum SiblingSuffix {
	SIBLING_SUFFIX_NONE = 0,
	SIBLING_SUFFIX_PLAIN, /* a number, or digits that are a date */
	SIBLING_SUFFIX_ODD, /* other digits, which count where the log is there, but prove nothing */
} SiblingSuffix;

/* What a rotated file's name has behind its log's. */
SiblingSuffix siblings_read_suffix(const char *suffix);

/*
 * Lists the files of the log at path as they were at one moment: a rotation that runs meanwhile is waited out. The
 * moment lasts: what is opened by these names since is what was listed if moment_check() says so after it. A
 * file that has two names counts once, as the log if it is that; PATH.1.gz does not count beside PATH.1, which it is
 * being made of. A directory that is missing is an empty list. 0, -E2BIG above SIBLINGS_MAX, -ESTALE when
 * the names do not stop moving, -EISDIR or -EINVAL when path is a directory or something else that is no file,
 * -ENOMEM, or -errno of reading the directory.
 */
int siblings_list(const char *path, Moment *moment, SiblingList *ret_list);

/*
 * Lists the one file with this inode, whatever its name, in the directory of path or in the one that it leads to; none when it is not
 * there. 0, -ENOMEM.
 */
int siblings_find(const char *path, uint64_t inode, SiblingList *ret_list);

/* Moves the one file of from_take into the list, before list->files[at]. 0 or -ENOMEM. */
int siblings_insert(SiblingList *list, size_t at, SiblingList *from_take);

void siblings_done(SiblingList *list);
#define _cleanup_siblings_ _cleanup_(siblings_done)
