/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/schedule.h"

#define DAY_US (86400 * USEC_PER_SEC)
/* After a start: when the others of a host that boots are done as well, and not all hosts after the same outage at once. */
#define SOON_MIN_US (10 * USEC_PER_SEC)
#define SOON_MAX_US (60 * USEC_PER_SEC)

int schedule_init(Schedule *schedule, const char *expression, uint64_t delay_ms, uint64_t random,
	Why *ret_why)
{
	*schedule = (Schedule){.delay_us = (int64_t)delay_ms * 1000, .random = random};
	if (!*expression || !strcmp(expression, "off"))
		return 0;
	schedule->on = true;
	return calspec_parse(span_from_string(expression), &schedule->spec, ret_why);
}

void schedule_done(Schedule *schedule)
{
	job_record_done(&schedule->record);
}

/* 0 to max - 1; 0 for 0. SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators"). */
static int64_t draw(Schedule *schedule, int64_t max)
{
	uint64_t x = schedule->random += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	x ^= x >> 31;
	return max > 0 ? (int64_t)(x % (uint64_t)max) : 0;
}

static int64_t soon(Schedule *schedule, int64_t now_us)
{
	return now_us +
	       MIN(SOON_MIN_US + draw(schedule, SOON_MAX_US - SOON_MIN_US), schedule->delay_us);
}

static int64_t backoff(const Schedule *schedule)
{
	int64_t wait_us = SCHEDULE_RETRY_MIN_US;

	for (uint64_t i = 1; i < schedule->record.failures && wait_us < SCHEDULE_RETRY_MAX_US; i++)
		wait_us *= 2;
	return MIN(wait_us, SCHEDULE_RETRY_MAX_US);
}

/* The first slot after those that are done with; the draw for one that is known stays. */
static void find_slot(Schedule *schedule)
{
	JobRecord *record = &schedule->record;
	int64_t from_us = schedule->is_back ? schedule->back_us : record->since_us, slot_us;

	if (calspec_next(&schedule->spec, &schedule->zone, from_us, &slot_us)) {
		record->slot_us = record->due_us = SCHEDULE_NEVER;
		return;
	}
	if (slot_us == record->slot_us)
		return;
	record->slot_us = slot_us;
	record->due_us = slot_us + draw(schedule, schedule->delay_us);
}

/* A host without a clock of its own begins in 1970 and soon knows better; one that had been years ahead stays back. */
static void watch_clock(Schedule *schedule, int64_t now_us)
{
	bool is_back = now_us < schedule->record.since_us - DAY_US;

	if (is_back == schedule->is_back)
		return;
	schedule->is_back = is_back;
	schedule->back_us = now_us;
	find_slot(schedule);
}

/* expression_take, when it is another one than before, counts from now on. */
static void count_by(Schedule *schedule, char *expression_take, int64_t now_us)
{
	JobRecord *record = &schedule->record;
	bool is_other = !record->expression || strcmp(record->expression, expression_take);

	free(record->expression);
	record->expression = expression_take;
	if (is_other || !record->since_us)
		record->since_us = now_us;
	/* What is drawn within another delay is drawn anew. */
	if (is_other || record->due_us < record->slot_us ||
		record->due_us - record->slot_us > schedule->delay_us)
		record->slot_us = 0;
	find_slot(schedule);
	watch_clock(schedule, now_us);
}

static int64_t after_failure(Schedule *schedule, int64_t now_us)
{
	return MAX(
		soon(schedule, now_us), MIN(schedule->record.ended_us, now_us) + backoff(schedule));
}

int schedule_begin(Schedule *schedule, const char *expression, JobRecord *record_take,
	bool is_needed, int64_t now_us)
{
	JobRecord *record = &schedule->record;
	bool is_interrupted = record_take->running;
	char *copy;

	*record = *record_take;
	*record_take = (JobRecord){0};
	record->running = false;
	if (!schedule->on)
		return 0;
	copy = strdup(expression);
	if (!copy)
		return -ENOMEM;
	count_by(schedule, copy, now_us);
	if (record->due_us <= now_us)
		record->due_us = soon(schedule, now_us);
	if (is_interrupted || (is_needed && !record->started_us))
		schedule->again_us = soon(schedule, now_us);
	else if (record->failures)
		schedule->again_us = after_failure(schedule, now_us);
	return 0;
}

void schedule_change(Schedule *schedule, const Schedule *next, char *expression_take,
	bool is_needed, int64_t now_us)
{
	JobRecord *record = &schedule->record;

	schedule->spec = next->spec;
	schedule->on = next->on;
	schedule->delay_us = next->delay_us;
	if (!schedule->on) {
		schedule->again_us = 0;
		free(expression_take);
		return;
	}
	count_by(schedule, expression_take, now_us);
	if (record->running || schedule->again_us)
		return;
	if (is_needed && !record->started_us)
		schedule->again_us = soon(schedule, now_us);
	else if (record->failures)
		schedule->again_us = after_failure(schedule, now_us);
}

int64_t schedule_look(Schedule *schedule, int64_t now_us)
{
	if (!schedule->on || schedule->record.running)
		return SCHEDULE_NEVER;
	watch_clock(schedule, now_us);
	/* A clock that was set back makes no wait longer than it can be. */
	if (schedule->again_us > now_us + SCHEDULE_RETRY_MAX_US)
		schedule->again_us = now_us + backoff(schedule);
	if (schedule->again_us)
		return MIN(schedule->again_us, schedule->record.due_us);
	return schedule->record.due_us;
}

void schedule_again(Schedule *schedule, int64_t now_us)
{
	schedule->again_us = now_us + backoff(schedule);
}

void schedule_started(Schedule *schedule, int64_t now_us)
{
	JobRecord *record = &schedule->record;

	if (record->due_us <= now_us)
		record->served_us = now_us;
	record->running = true;
	record->started_us = now_us;
	record->since_us = schedule->is_back ? now_us : MAX(record->since_us, now_us);
	schedule->is_back = false;
	schedule->again_us = 0;
	find_slot(schedule);
}

void schedule_ended(Schedule *schedule, int64_t now_us, bool failed, const char *result)
{
	JobRecord *record = &schedule->record;

	record->running = false;
	record->ended_us = now_us;
	free(record->result);
	record->result = result ? strdup(result) : NULL;
	if (!failed) {
		record->ok_us = now_us;
		record->failures = 0;
		return;
	}
	record->failures++;
	schedule_again(schedule, now_us);
}
