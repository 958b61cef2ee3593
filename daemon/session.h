/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One stretch of work: the record (checkpoint and CSV), the logs, and the pipeline between, from the durable place where the last
 * stretch ended. Reads in rounds, writes rows as their names arrive, commits, and pauses while rows can't be written. Who owns it
 * (daemon.c) lends it loop, resolver and databases, drains it before a stop, and may open another one when it is closed.
 */

#include "daemon/daemon.h"
#include "daemon/loop.h"
#include "enrich/geodb.h"
#include "enrich/rdns.h"

typedef struct Session Session;

typedef struct SessionCallbacks {
	/* A round of reading is done; names may have been asked for in it. */
	void (*round)(void *userdata);
	/* Nothing is left to do, or it can't go on (logged already); then exit_status says so. Called once, from the loop. */
	void (*ended)(void *userdata, int exit_status);
	void *userdata;
} SessionCallbacks;

/*
 * Takes the locks and opens the record, which is what can fail because of another writer. Everything is borrowed as long as the
 * session lives. 0; or an exit status: what was wrong has been logged.
 */
int session_open(Loop *loop, const Config *config, const DaemonOptions *options,
	const SessionCallbacks *callbacks, Session **ret_session);
/* What was not committed is given up: the next session reads it again. */
void session_free(Session *session);
DEFINE_CLEANUP(Session *, session_freep, session_free)

/* Opens the logs and reads. rdns and geodb are borrowed, NULL for none; names are looked up in rdns. 0 or an exit status, logged. */
int session_start(Session *session, Rdns *rdns, GeoDb *geodb);

/* Names have arrived. */
void session_wake(Session *session);

/* Looks at all logs, in case no event came. */
void session_look(Session *session);

/* Reads no more, and has ended when all that was read is written. */
void session_drain(Session *session);

/*
 * The last commit of a session that ended with exit_status (of one that ended because it can't write: none). The exit status that
 * comes of it.
 */
int session_finish(Session *session, int exit_status);

/* Failures that wait for their names. */
size_t session_waiting(const Session *session);

/* Reading waits for something that is said in the log and in the status, and that ends by itself. */
bool session_is_paused(const Session *session);
