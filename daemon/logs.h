/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The logs that are read: a source each (daemon/source), and one watch over all of their files (source/watch).
 * Says in the program's log what happens to them, each thing once. Where there are more of them than files may be open, idle ones are
 * closed until they change.
 */

#include "daemon/loop.h"
#include "daemon/source.h"
#include "daemon/warnings.h"

#define LOGS_POLL_MS 30000     /* how often the owner looks in case no event came */
#define LOGS_POLL_SOON_MS 3000 /* the same where events are known not to come */

typedef struct Logs Logs;

typedef struct LogsOptions {
	/*
	 * Watch them, and wait for one that can't be read; without it a log that can't be read is an error. Without inotify the poll
	 * must do.
	 */
	bool follow;
	uint64_t quiet_warning_ms; /* silence that is worth a warning; 0: none is */
	Warnings *warnings;        /* borrowed; what lasts is told here */
	const Logs *
		former; /* those before these, whose files are gone on with; NULL: there are none */
	void (*changed)(void *userdata); /* there may be more to read */
	void *userdata;
} LogsOptions;

/* 0 or -ENOMEM. */
int logs_new(Loop *loop, const LogsOptions *options, Logs **ret_logs);
void logs_free(Logs *logs);

/* The former ones are not there any more: for when all are added. */
void logs_forget_former(Logs *logs);
DEFINE_CLEANUP(Logs *, logs_freep, logs_free)

/* Adds the log that is followed as path, from where state says. year: of stamps that have none; 0: guess. 0 or -ENOMEM. */
int logs_add(Logs *logs, const char *path, const LogState *state, int64_t seen_us, int year);

/* Forgets the log that was added last, and was not read yet. */
void logs_take_back(Logs *logs);

/* Adds the journal of path (NULL: the system's), from where state says. 0 or -errno. */
int logs_add_journal(Logs *logs, const char *path, const LogState *state);

/*
 * Adds one file ("-" is stdin) that is read to its end; it may be a journal's, or a directory of them. year: of stamps that
 * have none; 0: guess. 0 or -errno.
 */
int logs_add_file(Logs *logs, const char *name, int year);

size_t logs_count(const Logs *logs);
/* Log 0, 1, ... Borrowed. */
Source *logs_source(const Logs *logs, size_t index);
const char *logs_name(const Logs *logs, size_t index);

/*
 * Makes lines available in the log's source if there are any. 0, or -errno when it can't be read and is not waited for (said
 * already).
 */
int logs_fill(Logs *logs, size_t index);

/* Everything that is there was read. */
bool logs_idle(const Logs *logs, size_t index);
bool logs_all_idle(const Logs *logs);

/* There is no file of it, nor was there one. */
bool logs_missing(const Logs *logs, size_t index);

/* It had its turn: gives memory back, where there are many, and when it holds no lines. */
void logs_rest(Logs *logs, size_t index);

/* Does not read the log, which counts as idle, until it is let go. */
void logs_hold(Logs *logs, size_t index, bool hold);
bool logs_held(const Logs *logs, size_t index);

/* How soon the owner has to look again: LOGS_POLL_MS, or LOGS_POLL_SOON_MS when a log can't be watched. */
unsigned logs_poll_ms(const Logs *logs);

/* Looks again: none is idle. */
void logs_wake(Logs *logs);

/* Whether lines come as they should, once in a while: raises and clears warnings. */
void logs_check(Logs *logs, int64_t now_us);

/* When lines of it were last read; 0: not since the start. */
int64_t logs_read_us(const Logs *logs, size_t index);
