/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Tells when a log may have changed: inotify(7) on the file that is open, on the one that has its name
 * now, on its directory, or on the nearest one above that exists, and on the links that its name leads over. Of many logs only those are named that an event is about;
 * in a directory that they share, by the entry's name, which begins with the log's. Many writes
 * are one event, events can be dropped (IN_Q_OVERFLOW) and some file systems send none, so it only ever says "look again";
 * the owner keeps a slow poll beside it.
 */

#include "base/base.h"

typedef struct Watch Watch;

/* 0 or -errno (EMFILE: the user's inotify instances are used up). */
int watch_new(Watch **ret_watch);
void watch_free(Watch *watch);
DEFINE_CLEANUP(Watch *, watch_freep, watch_free)

/* Readable when there is something to dispatch. Borrowed. */
int watch_fd(const Watch *watch);

enum { WATCH_NEW = 1 };

/*
 * Watches the log `slot` (0, 1, ... of the owner's choice), that has the name path and is open as open_fd (-1: not open).
 * Call it whenever all was read; 0: nothing has changed; WATCH_NEW: something is watched only
 * since now, look once more; -errno (ENOSPC: the user's watches are used up): the poll must do.
 */
int watch_arm(Watch *watch, size_t slot, const char *path, int open_fd);

/*
 * Watches for whatever appears in or disappears from the directory path (or the nearest one above that exists) as
 * `slot`, which is none of a log. Returns as above.
 */
int watch_arm_directory(Watch *watch, size_t slot, const char *path);

/* The slot is watched no more; it may be used again. */
void watch_disarm(Watch *watch, size_t slot);

#define WATCH_ALL SIZE_MAX

typedef struct WatchCallbacks {
	/* Something may have happened to slot; WATCH_ALL: to any, events were lost. The same one may come many times. */
	void (*changed)(void *userdata, size_t slot);
	void *userdata;
} WatchCallbacks;

/* Takes what is there. 0 or -errno (WATCH_ALL was called then). */
int watch_dispatch(Watch *watch, const WatchCallbacks *callbacks);
