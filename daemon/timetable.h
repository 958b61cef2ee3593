/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The jobs of the service: which there are, when each runs (daemon/schedule.h), their processes (daemon/job.h), and what is to be
 * known of them: in state_dir/jobs, in status, and as a warning "job:NAME" for as long as one fails. It has no timer: its owner looks
 * at the time that the last look named, or when a job has ended.
 */

#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/warnings.h"
#include "state/status.h"

typedef struct Timetable Timetable;

/*
 * Everything is borrowed for as long as it lives. changed() is called from the loop when a job has ended. A file of the process before
 * that can't be read is said, and counts as none. 0 or -ENOMEM.
 */
int timetable_new(Loop *loop, const Config *config, Warnings *warnings,
	void (*changed)(void *userdata), void *userdata, Timetable **ret_timetable);
/* Ends the jobs that run, and waits for them. */
void timetable_free(Timetable *timetable);
DEFINE_CLEANUP(Timetable *, timetable_freep, timetable_free)

/*
 * Does as config says from now on, which must live as long. A job that runs goes on with what it has. 0 or -errno, and nothing has
 * changed. To be followed by a look.
 */
int timetable_reconfigure(Timetable *timetable, const Config *config);

/* Starts what is due. Returns in how many ms to look again, at least 1; negative: nothing is to come. */
int64_t timetable_look(Timetable *timetable);

/* Tells the jobs that run to end; nothing is started any more. What they did not finish is done after the next start. */
void timetable_end(Timetable *timetable);

/*
 * The jobs, in an array that is status's to free, and the files that they have to do with; the texts are borrowed until the next call of
 * anything here.
 */
void timetable_status(Timetable *timetable, Status *status);
