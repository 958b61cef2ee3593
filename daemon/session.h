/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One stretch of work: the record (checkpoint and CSV), the logs, and the pipeline between, from the durable place where the last
 * stretch ended. Reads in rounds, writes rows as their names arrive, commits. Who owns it (daemon.c) lends it loop, resolver and
 * databases, and drains it before a stop.
 *
 * What can't be written or remembered now is kept, and reading pauses: it is tried again every second, which is said when it begins and
 * when it ends. After a failure that leaves in doubt what is on disk the session is broken: nothing of it may be committed any more,
 * and its owner opens another one, which goes on from the last commit. A session that does not follow ends in both cases.
 */

#include "daemon/daemon.h"
#include "daemon/loop.h"
#include "daemon/warnings.h"
#include "enrich/geodb.h"
#include "enrich/rdns.h"

typedef struct Session Session;

typedef struct SessionCallbacks {
	/* A round of reading is done; names may have been asked for in it. */
	void (*round)(void *userdata);
	/* Rows and positions are on disk. */
	void (*committed)(void *userdata);
	/* Reading waits from now on, for a reason that was said. */
	void (*paused)(void *userdata);
	/* See above; why it is is in the text. Called once, from the loop. */
	void (*broken)(void *userdata, const char *why);
	/* Nothing is left to do, or it can't go on (logged already); then exit_status says so. Called once, from the loop. */
	void (*ended)(void *userdata, int exit_status);
	void *userdata;
	Warnings *warnings; /* borrowed: where what lasts is told */
} SessionCallbacks;

/*
 * Takes the locks and opens the record, which is what can fail because of another writer. former: the session
 * before, which was closed, for this call and session_start(); NULL: there was none. Everything is borrowed as long as the session lives. 0; or an exit status with what is wrong in ret_why: EXIT_FAILED, where trying again later may help, or EXIT_CONFIG,
 * where somebody has to look.
 */
int session_open(Loop *loop, const Config *config, const DaemonOptions *options,
	const SessionCallbacks *callbacks, const Session *former, Session **ret_session,
	StrBuf *ret_why);
/* What was not committed is given up: the next session reads it again. */
void session_free(Session *session);
DEFINE_CLEANUP(Session *, session_freep, session_free)

/*
 * Opens the logs and reads. Names are looked up in rdns (borrowed, NULL for none), and addresses in what *geodb is (borrowed, NULL for none) when
 * their row is written. 0 or as session_open().
 */
int session_start(Session *session, Rdns *rdns, GeoDb *const *geodb, StrBuf *ret_why);

/*
 * Ends it, but for the lock of state_dir, which nobody else gets before the session after this one, and the files of the logs, which that
 * one goes on with. It can only be freed then.
 */
void session_close(Session *session);

/* Commits soon though nothing may be new: to see whether that works again. */
void session_prove(Session *session);

/* sources_minds() of a session that was started. */
bool session_minds(const Session *session, const char *key);

/* Names have arrived. */
void session_wake(Session *session);

/* Looks at all logs, in case no event came, and whether the CSV was rotated. */
void session_look(Session *session);

/* How soon it is to be looked at again. */
unsigned session_poll_ms(const Session *session);

/* Whether what waits for its row must not be given up: sources_have_left(). */
bool session_must_drain(const Session *session);

/* Reads no more, and has ended when all that was read is written and committed. */
void session_drain(Session *session);
bool session_is_draining(const Session *session);

/* What still waits for its name waits no longer: its status is Timeout. */
void session_hurry(Session *session);

/*
 * The last commit of a session that has ended, or that shall wait no longer, with exit_status. The exit status that comes of it:
 * EXIT_FAILED when what was read of the logs and can be written could not be committed.
 */
int session_finish(Session *session, int exit_status);

/* Failures that wait for their names. */
size_t session_waiting(const Session *session);
/* Rows that were written since it was opened. */
uint64_t session_rows(const Session *session);

/* What status says of the logs and of what is written. The logs are status's to free. */
void session_status(const Session *session, Status *status);

/* Reading waits, for a reason that was said in the log and stands in the warning "paused". */
bool session_is_paused(const Session *session);
