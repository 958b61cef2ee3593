/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A job: a command of this program that the service runs as a process of its own, because it blocks or uses the network for
 * long. It is this very binary (/proc/self/exe, also when the file was replaced meanwhile) with the command line that a person
 * would type; its configuration is the service's in force, in a sealed memfd, so that nobody who edits the file is in its way.
 * It writes no log file: what it says, on stdout as on stderr, comes through a pipe and goes into the service's log line by line, with
 * the level that the line has and the name of the job before it; at most JOB_LINES_MAX of them, the number of the others is told at the end.
 *
 * It is ended by its deadline: SIGTERM, and SIGKILL JOB_KILL_MS later. A service that is killed does not take its job with it:
 * that finishes its work, under its own lock.
 */

#include "daemon/config.h"
#include "daemon/loop.h"

#define JOB_LINES_MAX 1000
#define JOB_KILL_MS 5000

typedef struct Job Job;

typedef struct JobOptions {
	const char *name;             /* in the log */
	const char *const *arguments; /* of the command line, with the command; ends with NULL */
	uint64_t deadline_ms;
	/*
	 * It has ended and is reaped; called once, from the loop, and the job may be freed in it. exit_status is as a shell has
	 * it (128 and the signal that killed it). reason is what is to be known of it in a line: of success the last thing that it
	 * said, else the last error or what became of it; "" when there is nothing; it is not escaped.
	 */
	void (*ended)(void *userdata, int exit_status, const char *reason);
	void *userdata;
} JobOptions;

/* name and arguments are borrowed for as long as the job lives. 0 or -errno. */
int job_start(Loop *loop, const Config *config, const JobOptions *options, Job **ret_job);

/* Ends it: SIGTERM now, SIGKILL later; ended() comes when it has. */
void job_end(Job *job);

/* One that runs is ended and waited for (JOB_KILL_MS at most, then killed), and ended() is not called. */
void job_free(Job *job);
DEFINE_CLEANUP(Job *, job_freep, job_free)
