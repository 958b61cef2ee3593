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
	int64_t wait_us = SOON_MIN_US + draw(schedule, SOON_MAX_US - SOON_MIN_US);

	return now_us + (schedule->slots_wait ? wait_us : MIN(wait_us, schedule->delay_us));
}

static int64_t longest_wait(const Schedule *schedule)
{
	return schedule->slots_wait ? SCHEDULE_AWAY_MAX_US : SCHEDULE_RETRY_MAX_US;
}

static int64_t backoff(const Schedule *schedule)
{
	uint64_t failures =
		schedule->slots_wait ? schedule->fresh_failures : schedule->record.failures;
	int64_t wait_us = SCHEDULE_RETRY_MIN_US, longest_us = longest_wait(schedule);

	for (uint64_t i = 1; i < failures && wait_us < longest_us; i++)
		wait_us *= 2;
	return MIN(wait_us, longest_us);
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

/* Of a failure before a start or a change. */
static int64_t after_failure(Schedule *schedule, int64_t now_us)
{
	/* Who did that may have mended it. */
	if (schedule->slots_wait)
		return soon(schedule, now_us);
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
	schedule->fresh_failures = 0;
	if (!schedule->on) {
		schedule->again_us = 0;
		free(expression_take);
		return;
	}
	count_by(schedule, expression_take, now_us);
	if (record->running || (schedule->again_us && !schedule->slots_wait))
		return;
	if (is_needed && !record->started_us)
		schedule->again_us = soon(schedule, now_us);
	else if (record->failures)
		schedule->again_us = after_failure(schedule, now_us);
}

int64_t schedule_next(const Schedule *schedule)
{
	const JobRecord *record = &schedule->record;

	if (!schedule->again_us)
		return record->due_us;
	if (schedule->slots_wait && record->failures)
		return schedule->again_us;
	return MIN(schedule->again_us, record->due_us);
}

int64_t schedule_look(Schedule *schedule, int64_t now_us)
{
	if (!schedule->on || schedule->record.running)
		return SCHEDULE_NEVER;
	watch_clock(schedule, now_us);
	/* A clock that was set back makes no wait longer than it can be. */
	if (schedule->again_us > now_us + longest_wait(schedule))
		schedule->again_us = now_us + backoff(schedule);
	return schedule_next(schedule);
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
		record->failures = schedule->fresh_failures = 0;
		return;
	}
	record->failures++;
	schedule->fresh_failures++;
	schedule_again(schedule, now_us);
}
