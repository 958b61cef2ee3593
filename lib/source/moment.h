/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whether the names in some directories stood still for a while. A directory is read entry by entry, and its files are
 * opened one by one, while others rename them: what was seen existed at one moment only if nothing was renamed,
 * created or deleted meanwhile, and two readings that are alike do not prove it (on some file systems the same
 * tear is seen again and again).
 *
 * inotify(7) proves it: the kernel queues the event before it lets go of the directory's lock, and moment_check()
 * waits for that lock before it looks. Where there is no inotify, or changes come past this kernel (see source/mount), the times of the
 * directory have to do: they must be the same as before, and not so new that another change could have the same time.
 */

#include "base/base.h"

typedef struct Moment Moment;

/* Opens nothing yet. 0 or -ENOMEM. It can serve one log after another, which saves inotify instances (a user has 128). */
int moment_new(Moment **ret_moment);
void moment_free(Moment *moment);
DEFINE_CLEANUP(Moment *, moment_freep, moment_free)

/* A new while begins, without directories. */
void moment_begin(Moment *moment);

/*
 * From now on the entries of dir that begin with prefix are to stand still. *ret_fd is the open directory, borrowed until the next
 * while begins. 0; -ENOENT, where dir is to stay missing then; -errno.
 */
int moment_add(Moment *moment, const char *dir, const char *prefix, int *ret_fd);

/* 0: they did, and each dir is still the same directory; -ESTALE: not, or that can't be told; -errno. */
int moment_check(Moment *moment);
