/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Finds the logs that paths.mail_log names (source/globs), now and as they appear: the places where one could are watched, and what
 * happens there leads to a look soon after, at most one a second. Says in the program's log which names are not followed
 * and why, each once.
 */

#include "daemon/loop.h"

typedef struct Discover Discover;

typedef struct DiscoverCallbacks {
	/* Whether something was read of the log by an earlier process: of two names of one file it is the one that goes on. */
	bool (*is_known)(void *userdata, const char *path);
	/* Follow this one, too. 0 or -errno: it is tried again at the next look, and said unless it is -ENOMEM. */
	int (*found)(void *userdata, const char *path);
	/* A log that is followed is (hold), or is no longer, the same file as another one: it must not be read beside that. */
	void (*hold)(void *userdata, const char *path, bool hold);
	/* A look that was due by itself is done: something may be found. */
	void (*looked)(void *userdata);
	void *userdata;
} DiscoverCallbacks;

/* names is NULL-terminated and borrowed. follow: watch for what appears later. 0 or -ENOMEM. */
int discover_new(Loop *loop, const char *const *names, bool follow,
	const DiscoverCallbacks *callbacks, Discover **ret_discover);
void discover_free(Discover *discover);
DEFINE_CLEANUP(Discover *, discover_freep, discover_free)

/* Looks now. 0 or -ENOMEM. */
int discover_look(Discover *discover);

/* Logs that can't be followed as there are too many, as of the last look. */
size_t discover_too_many(const Discover *discover);

/* The directory that could not be read at the last look, and why; "" when all could. Borrowed. */
const char *discover_fault(const Discover *discover);
