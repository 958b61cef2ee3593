/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The program under test: `run`, sometimes `extract` again and again in its place, killed, ended with SIGTERM and left down
 * for some rotations at random. As root it is run as another user, so that there are logs that it may not read.
 *
 * With reloads, what it is given is the file "conf", in which another configuration is put before each SIGHUP. Of those, NAME.bad must be
 * refused, and NAME.part do not name the log: it is never started with either.
 */

#include "ledger.h"
#include "state/checkpoint.h"

#include <stdio.h>
#include <sys/types.h>

typedef enum DaemonState {
	DAEMON_DOWN,
	DAEMON_RUNS,
	DAEMON_EXTRACTS,
} DaemonState;

typedef struct Daemon {
	Random random;
	const char *program, *checkpoint_path, *said_path;
	const char *const *configs; /* one is drawn at each start, and at each reload */
	uint32_t config_count;
	uid_t uid; /* 0: as who the test runs */
	gid_t gid;

	DaemonState state;
	pid_t pid;
	uint32_t down_rotations; /* to come before it starts again */
	uint32_t extracts_left;
	uint32_t hold; /* it is left alone while not 0 */
	uint32_t kill_permyriad, reload_permyriad;
	FILE *said;                 /* what it says, as far as it was looked at */
	bool reloading;             /* one was asked for, and is not over */
	uint32_t reloaded, refused; /* that are over */
	uint32_t kills, terms, extracts, starts;
	uint64_t longest_wait_ms;
} Daemon;

/* What may happen to it between two steps of the rotations happens now. */
void daemon_tick(Daemon *daemon);

/* Reloads that are over. */
uint32_t daemon_reloads(Daemon *daemon);

/* A rotation is over. */
void daemon_rotated(Daemon *daemon);

/* From here on it runs, and is left alone until daemon_release(). */
void daemon_hold(Daemon *daemon);
void daemon_release(Daemon *daemon);

/* Waits, with daemon_hold(), until the checkpoint says that so many lines and rows were done. */
void daemon_wait_for(Daemon *daemon, uint64_t lines, uint64_t rows);

/* Whether the last checkpoint says so. */
bool daemon_has_read(const Daemon *daemon, uint64_t lines);

/* Ends it with SIGTERM; its exit status must be 0. */
void daemon_stop(Daemon *daemon);

/* What the last checkpoint says of all logs; zeros when there is none. Returns the rows. */
uint64_t daemon_counters(const Daemon *daemon, Counters *ret_counters);
