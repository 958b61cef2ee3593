/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * When one job is to run: at the slots of a calendar expression, each put off by a part of the random delay that is drawn once for it;
 * soon after the start for a slot that was missed meanwhile, a run that did not end, and what was never done but is needed;
 * and again after a failure, later each time, until the next slot; or, of a job that depends on another host, at which no slot shall knock
 * every few minutes, slots wait for that, too. A slot is served once: of several that were missed the last
 * counts, and one that was served is not served again when the clock is set back by up to a day. When it is set back further, what was
 * known of the time before may be wrong, and slots count from then on, unless it comes forward again before there was one.
 *
 * Pure: the time is a parameter, and what has to outlast the process is its owner's to keep (state/jobs).
 */

#include "base/calspec.h"
#include "state/jobs.h"

#define SCHEDULE_NEVER INT64_MAX
#define SCHEDULE_RETRY_MIN_US (5 * 60 * USEC_PER_SEC)
#define SCHEDULE_RETRY_MAX_US (6 * 3600 * USEC_PER_SEC)
#define SCHEDULE_AWAY_MAX_US (30 * 60 * USEC_PER_SEC) /* the same where slots wait */

typedef struct Schedule {
	CalSpec spec;
	bool on; /* else it never runs */
	int64_t delay_us;
	uint64_t random; /* the state of the draws, any number */
	LocalZone zone;
	int64_t again_us; /* a run besides the slots; 0: none */
	/* After a failure slots wait for the next try; a start and a change make it soon. To be set once, after schedule_init(). */
	bool slots_wait;
	uint64_t fresh_failures; /* in a row, since then */
	bool is_back;            /* the clock is far behind what is known: slots count from ... */
	int64_t back_us;         /* ... here */
	JobRecord record;
} Schedule;

/* "" and "off" never run. 0 or -EINVAL with *ret_why. It is the owner's to end with schedule_done(). */
int schedule_init(Schedule *schedule, const char *expression, uint64_t delay_ms, uint64_t random,
	Why *ret_why);
void schedule_done(Schedule *schedule);

/*
 * Goes on from the record of the process before (record_take; {0}: there was none). is_needed: run soon if it never ran. To be called
 * once, first. 0 or -ENOMEM.
 */
int schedule_begin(Schedule *schedule, const char *expression, JobRecord *record_take,
	bool is_needed, int64_t now_us);

/*
 * Goes on as next (of schedule_init) says. expression_take is its expression; another one counts from now on. What runs, runs on, and what
 * failed is tried again. is_needed as above.
 */
void schedule_change(Schedule *schedule, const Schedule *next, char *expression_take,
	bool is_needed, int64_t now_us);

/* When it is to run: now, if that is not after now_us; SCHEDULE_NEVER while it runs and when no slot comes any more. */
int64_t schedule_look(Schedule *schedule, int64_t now_us);

/* The same as far as it is known without a look at the clock, whether it runs or not. */
int64_t schedule_next(const Schedule *schedule);

/* It is to run in a while, like after a failure. */
void schedule_again(Schedule *schedule, int64_t now_us);

/* It was started. */
void schedule_started(Schedule *schedule, int64_t now_us);

/* It has ended, with the result in a line (NULL without memory). */
void schedule_ended(Schedule *schedule, int64_t now_us, bool failed, const char *result);
