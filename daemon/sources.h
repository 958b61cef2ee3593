/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which logs a session reads: the journal or the files that paths.mail_log names (daemon/choice), as they appear (daemon/discover), or files
 * that were named by hand; where each of them goes on, and where in the checkpoint its place is kept.
 */

#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/logs.h"
#include "daemon/pipeline.h"
#include "state/status.h"

typedef struct Sources Sources;

typedef struct SourcesOptions {
	Loop *loop;
	const Config *config;
	const DaemonOptions *options;
	Checkpoint
		*checkpoint; /* where the logs go on, and where sources_save() puts their places */
	int64_t seen_us;     /* when it was written */
	Pipeline *pipeline;  /* the logs are added to it */
	const Sources *
		former; /* those before these, if they are still there, until sources_open() has returned */
	Warnings *warnings;
	void (*changed)(void *userdata); /* there may be more to read */
	void *userdata;
} SourcesOptions;

/* Everything in options is borrowed as long as it lives. 0; or an exit status with what is wrong in ret_why. */
int sources_open(const SourcesOptions *options, Sources **ret_sources, StrBuf *ret_why);
void sources_free(Sources *sources);
DEFINE_CLEANUP(Sources *, sources_freep, sources_free)

/* The logs themselves, borrowed. Their indexes are those of the pipeline's. */
Logs *sources_logs(const Sources *sources);

/* After a round: decides for what has appeared first, where nothing was there before. 0 or -errno. */
int sources_settle(Sources *sources);

/* Looks at everything, in case no event came, and raises and clears warnings. */
void sources_look(Sources *sources);

/*
 * Whether a warning with this key is for these sources to clear, or for somebody else: false for what is about a log that is not
 * followed, or a pattern that is not there, any more.
 */
bool sources_minds(const Sources *sources, const char *key);

/* How soon it is to be looked at again. */
unsigned sources_poll_ms(const Sources *sources);

/* Puts the places and counters of all logs into the checkpoint; when pipeline_can_save(). */
void sources_save(Sources *sources);

/*
 * After that: whether something waits for its row that was read from a file which is not the open one of its log any more.
 * Nobody may be able to read it again.
 */
bool sources_have_left(const Sources *sources);

/* What was saved is on disk for certain. */
void sources_committed(Sources *sources);

/* Says which logs are not there, nor a rotated sibling of them. How many. */
size_t sources_say_missing(const Sources *sources);

/* Adds the logs to status. */
void sources_status(const Sources *sources, Status *status);
