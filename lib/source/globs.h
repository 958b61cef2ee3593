/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which logs a list of paths and patterns (glob(7), component by component, as the shell has it) names now. A path is a log
 * whether it is there or not; a pattern names the regular files that match it and are not rotated files of a log (source/siblings)
 * or compressed. A file that can be reached by several names is one log. Looks once and keeps nothing: whoever wants to know what
 * appears later watches what globs_find() names (source/watch) and looks again. At most GLOBS_LOGS_MAX logs, and
 * as many places to watch.
 */

#include "base/base.h"

#define GLOBS_LOGS_MAX 4096

/* Whether path is a pattern: it holds one of *?[ */
bool globs_is_pattern(const char *path);

/* Whether pattern would name the file at path, were it there. */
bool globs_matches(const char *pattern, const char *path);

typedef struct GlobLog {
	char *path;
	const char *
		pattern; /* the one that matched, borrowed from the list; NULL: it is listed by itself */
	/* Another log of the list that this one is not read beside, borrowed; NULL: it is read. */
	const char *twin_of;
	bool rotated; /* and that is because it is a rotated file of it; else they are one file */
	bool there;
	bool is_link;
	uint64_t device, inode;
} GlobLog;

/* A place where a log may appear. */
typedef struct GlobPlace {
	char *path;
	bool directory; /* anything that appears in it; else a log that is not there yet */
} GlobPlace;

typedef struct GlobList {
	GlobLog *logs; /* listed ones in their order, then those found, by name */
	size_t count;
	GlobPlace *places;
	size_t place_count;
	size_t too_many; /* logs beyond GLOBS_LOGS_MAX */
	Why why;         /* the first directory that could not be read, "path: reason"; "" */
} GlobList;

#define GLOB_LIST_INIT ((GlobList){0})

/*
 * Finds the logs of names (NULL-terminated). Of several names of one file the one for which is_known(userdata, path) says true
 * is read, else one that is listed, else one that is no symbolic link, else the first. 0 or -ENOMEM.
 */
int globs_find(const char *const *names, bool (*is_known)(void *userdata, const char *path),
	void *userdata, GlobList *ret_list);

void globs_done(GlobList *list);
#define _cleanup_globs_ _cleanup_(globs_done)
