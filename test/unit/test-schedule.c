/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/schedule.h"

#include <time.h>

#include "scratch.h"
#include "state/frame.h"
#include "tap.h"

#define SECOND USEC_PER_SEC
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)
#define HOUR_MS ((uint64_t)3600 * 1000)
#define START (1795305600 * SECOND) /* Sunday 2026-11-22 00:00 UTC */
#define MONDAY (START + DAY)

/* A service with one job, in a world with a clock of its own. */
typedef struct World {
	const char *expression;
	uint64_t delay_ms;
	bool is_needed, slots_wait;
	int64_t now_us;
	Schedule schedule;
	uint64_t random;
	unsigned runs, looks;
	int64_t run_us; /* the last */
} World;

/* Starts the service anew, from what the one before left. */
static void boot(World *world)
{
	JobRecord record = world->schedule.record;

	MUST(!schedule_init(
		&world->schedule, world->expression, world->delay_ms, ++world->random, NULL));
	world->schedule.slots_wait = world->slots_wait;
	MUST(!schedule_begin(
		&world->schedule, world->expression, &record, world->is_needed, world->now_us));
}

static void run(World *world)
{
	world->runs++;
	world->run_us = world->now_us;
	schedule_started(&world->schedule, world->now_us);
}

static void end(World *world, bool failed)
{
	schedule_ended(&world->schedule, world->now_us, failed, failed ? "broken" : "fine");
}

/* Lives until then, as the daemon does: it looks at least every 30 s of its own time, and when it was told. */
static void live(World *world, int64_t until_us, bool failing)
{
	while (world->now_us < until_us) {
		int64_t next_us = schedule_look(&world->schedule, world->now_us);

		world->looks++;
		if (next_us <= world->now_us) {
			run(world);
			world->now_us += 2 * SECOND;
			end(world, failing);
			continue;
		}
		/* nothing happens at the ticks before */
		world->now_us = MIN(MIN(next_us, until_us),
			next_us - world->now_us > DAY ? world->now_us + HOUR : next_us);
	}
}

static World make(const char *expression, uint64_t delay_ms)
{
	World world = {.expression = expression, .delay_ms = delay_ms, .now_us = START + HOUR};

	boot(&world);
	return world;
}

static void done(World *world)
{
	schedule_done(&world->schedule);
}

static void test_years(void)
{
	World weekly = make("weekly", 6 * HOUR_MS), often = make("*:0/5", 0),
	      off = make("off", HOUR_MS), never = make("2020-01-01", HOUR_MS);
	int64_t least_us = DAY, most_us = 0;

	for (int64_t week = 0; week < 520; week++) {
		int64_t late_us;

		live(&weekly, MONDAY + week * WEEK + 2 * DAY, false);
		late_us = weekly.run_us - (MONDAY + week * WEEK);
		least_us = MIN(least_us, late_us);
		most_us = MAX(most_us, late_us);
	}
	tap_ok(weekly.runs == 520 && weekly.looks < 520 * 200, "ten years of weeks: %u runs",
		weekly.runs);
	tap_ok(least_us >= 0 && least_us < HOUR && most_us > 5 * HOUR && most_us < 6 * HOUR,
		"at times of the delay that chance draws");
	live(&often, START + DAY, false);
	tap_ok(often.runs == 23 * 12 - 1, "a day of five minutes: %u runs", often.runs);
	live(&off, START + WEEK, false);
	tap_ok(!off.runs && schedule_look(&off.schedule, off.now_us) == SCHEDULE_NEVER, "off");
	live(&never, START + WEEK, false);
	boot(&never);
	tap_ok(!never.runs && schedule_look(&never.schedule, never.now_us) == SCHEDULE_NEVER,
		"what never comes");
	done(&weekly);
	done(&often);
	done(&off);
	done(&never);
}

static void test_starts(void)
{
	World world = make("weekly", 6 * HOUR_MS);
	int64_t due_us = schedule_look(&world.schedule, world.now_us), began_us;

	boot(&world);
	world.now_us += MINUTE;
	boot(&world);
	tap_ok(schedule_look(&world.schedule, world.now_us) == due_us,
		"what was drawn stays over a restart");
	world.now_us = due_us - SECOND;
	boot(&world);
	tap_ok(schedule_look(&world.schedule, world.now_us) == due_us, "also just before it");
	/* Down for five weeks. */
	began_us = world.now_us = due_us + 5 * WEEK;
	boot(&world);
	live(&world, began_us + 3 * DAY, false);
	tap_ok(world.runs == 1 && world.run_us >= began_us + 10 * SECOND &&
			world.run_us <= began_us + MINUTE,
		"slots that were missed are served once, soon");
	boot(&world);
	live(&world, began_us + 3 * DAY + HOUR, false);
	tap_ok(world.runs == 1, "and not again");
	/* Started again and again, each time not long enough. */
	world.now_us += 2 * WEEK;
	for (int i = 0; i < 5; i++) {
		boot(&world);
		live(&world, world.now_us + 5 * SECOND, false);
	}
	boot(&world);
	live(&world, world.now_us + MINUTE, false);
	tap_ok(world.runs == 2, "a missed slot waits for a service that stays");
	run(&world);
	world.now_us += HOUR;
	boot(&world);
	live(&world, world.now_us + MINUTE, false);
	tap_ok(world.runs == 4, "a run that did not end is done again");
	done(&world);

	world = make("weekly", 0);
	began_us = world.now_us += WEEK;
	boot(&world);
	tap_ok(schedule_look(&world.schedule, world.now_us) <= world.now_us,
		"without a delay at once");
	done(&world);

	world = (World){
		.expression = "weekly", .delay_ms = 5000, .is_needed = true, .now_us = START};
	boot(&world);
	live(&world, START + HOUR, false);
	tap_ok(world.runs == 1 && world.run_us == START + 5 * SECOND,
		"what is needed and never was done is done soon");
	boot(&world);
	live(&world, START + 2 * HOUR, false);
	tap_ok(world.runs == 1, "but once");
	done(&world);
}

static void test_changes(void)
{
	World world = make("weekly", 6 * HOUR_MS);

	live(&world, START + 3 * DAY, false);
	world.expression = "daily";
	world.delay_ms = 0;
	boot(&world);
	live(&world, START + 3 * DAY + HOUR, false);
	tap_ok(world.runs == 1, "another schedule: what it would have had before does not count");
	live(&world, START + 5 * DAY + HOUR, false);
	tap_ok(world.runs == 3, "then it does");
	world.delay_ms = HOUR_MS * 20;
	boot(&world);
	live(&world, START + 6 * DAY, false);
	world.delay_ms = 60000;
	boot(&world);
	tap_ok(schedule_look(&world.schedule, world.now_us) <= START + 6 * DAY + MINUTE,
		"a shorter delay is drawn anew");
	world.expression = "";
	boot(&world);
	world.now_us += WEEK;
	boot(&world);
	world.expression = "daily";
	boot(&world);
	world.runs = 0;
	live(&world, world.now_us + 2 * MINUTE, false);
	tap_ok(world.runs == 1, "switched off for a week and on again: that was missed");
	done(&world);
}

/* What only slots do must be told from what follows them. */
static void test_served(void)
{
	World world = make("weekly", 0);
	const JobRecord *record = &world.schedule.record;
	int64_t slot_us;

	world.now_us = slot_us = MONDAY + MINUTE;
	run(&world);
	end(&world, true);
	tap_ok(record->served_us == slot_us, "a run at a slot serves it");
	world.now_us = schedule_look(&world.schedule, world.now_us);
	run(&world);
	end(&world, false);
	tap_ok(record->served_us == slot_us && record->started_us > slot_us,
		"one after a failure does not");
	schedule_again(&world.schedule, world.now_us);
	tap_ok(schedule_look(&world.schedule, world.now_us) == world.now_us + 5 * MINUTE,
		"one that was asked for comes as soon as after a failure");
	world.now_us += 5 * MINUTE;
	run(&world);
	boot(&world);
	tap_ok(record->served_us == slot_us, "nor does it, and a restart knows that");
	world.now_us = slot_us + WEEK;
	run(&world);
	tap_ok(record->served_us == slot_us + WEEK, "the next one does");
	end(&world, false);
	done(&world);
}

static void test_failures(void)
{
	static const int64_t waits_us[] = {5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE,
		80 * MINUTE, 160 * MINUTE, 320 * MINUTE, 6 * HOUR, 6 * HOUR};
	World world = make("weekly", 0);
	bool ok = true;

	world.now_us = MONDAY;
	for (size_t i = 0; i < ARRAY_SIZE(waits_us); i++) {
		int64_t next_us = schedule_look(&world.schedule, world.now_us);

		ok &= i ? next_us == world.now_us + waits_us[i - 1] : next_us <= world.now_us;
		world.now_us = MAX(next_us, world.now_us);
		run(&world);
		end(&world, true);
	}
	tap_ok(ok && world.schedule.record.failures == ARRAY_SIZE(waits_us),
		"each failure waits longer, up to six hours");
	live(&world, MONDAY + 2 * DAY, true);
	world.now_us += MINUTE;
	boot(&world);
	tap_ok(schedule_look(&world.schedule, world.now_us) > world.now_us + HOUR,
		"a restart does not shorten that");
	world.now_us += DAY;
	boot(&world);
	live(&world, world.now_us + MINUTE, false);
	tap_ok(world.run_us >= world.now_us - MINUTE && !world.schedule.record.failures &&
			world.schedule.record.ok_us == world.now_us - MINUTE + 2 * SECOND,
		"but it does not wait longer either, and then it works");
	world.runs = 0;
	live(&world, MONDAY + WEEK - SECOND, false);
	tap_ok(!world.runs, "nothing more until the next slot");
	live(&world, MONDAY + WEEK + SECOND, true);
	tap_ok(world.runs == 1, "which comes");
	done(&world);

	world = make("*:0/2", 0);
	live(&world, START + 2 * HOUR, true);
	tap_ok(world.runs == 29 && world.looks < 100,
		"where slots come sooner than the wait, they are what counts: %u", world.runs);
	done(&world);
}

/* As boot(), but of a service that goes on. */
static void change(World *world, const char *expression, uint64_t delay_ms)
{
	Schedule next;

	MUST(!schedule_init(&next, expression, delay_ms, ++world->random, NULL));
	schedule_change(
		&world->schedule, &next, strdup(expression), world->is_needed, world->now_us);
	world->expression = expression;
	world->delay_ms = delay_ms;
}

/* A job that depends on another host. */
static void test_away(void)
{
	static const int64_t waits_us[] = {
		5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE, 30 * MINUTE, 30 * MINUTE};
	World world = make("*:0/5", 0);
	int64_t next_us;
	bool ok = true;

	world.slots_wait = true;
	boot(&world);
	live(&world, START + HOUR + 5 * MINUTE + SECOND, true);
	for (size_t i = 0; i < ARRAY_SIZE(waits_us); i++) {
		next_us = schedule_look(&world.schedule, world.now_us);
		ok &= next_us == world.schedule.record.ended_us + waits_us[i];
		world.now_us = next_us;
		run(&world);
		end(&world, true);
	}
	tap_ok(ok && world.runs == 1 + ARRAY_SIZE(waits_us), "slots wait, up to half an hour");
	world.now_us -= DAY;
	tap_ok(schedule_look(&world.schedule, world.now_us) == world.now_us + 30 * MINUTE,
		"nor does a clock that was set back make it longer");
	world.now_us += DAY;
	boot(&world);
	next_us = schedule_look(&world.schedule, world.now_us);
	tap_ok(next_us >= world.now_us + 10 * SECOND && next_us <= world.now_us + MINUTE,
		"a start tries it soon");
	world.now_us = next_us;
	run(&world);
	end(&world, true);
	tap_ok(schedule_look(&world.schedule, world.now_us) == world.now_us + 5 * MINUTE,
		"then after five minutes again");
	world.now_us += 5 * MINUTE;
	run(&world);
	end(&world, true);
	change(&world, "*:0/5", 0);
	next_us = schedule_look(&world.schedule, world.now_us);
	tap_ok(next_us >= world.now_us + 10 * SECOND && next_us <= world.now_us + MINUTE,
		"a reload tries it soon, too");
	world.now_us = next_us;
	run(&world);
	end(&world, false);
	next_us = schedule_look(&world.schedule, world.now_us);
	tap_ok(next_us > world.now_us && next_us <= world.now_us + 5 * MINUTE,
		"when it works the slots are back");
	done(&world);

	world = make("daily", 0);
	world.slots_wait = true;
	boot(&world);
	live(&world, START + DAY + SECOND, true);
	tap_ok(schedule_look(&world.schedule, world.now_us) == world.now_us + 5 * MINUTE,
		"what has few slots need not wait for one");
	done(&world);
}

static void test_clock(void)
{
	World world = make("weekly", 6 * HOUR_MS);
	int64_t due_us;

	live(&world, MONDAY + DAY, false);
	world.runs = 0;
	world.now_us += 10 * WEEK;
	live(&world, world.now_us + DAY, false);
	tap_ok(world.runs == 1, "the clock goes forward by weeks: once");
	world.now_us -= 20 * HOUR;
	live(&world, world.now_us + 2 * DAY, false);
	tap_ok(world.runs == 1, "back by hours: the slot was served");
	world.now_us -= 5 * WEEK;
	live(&world, world.now_us + WEEK, false);
	tap_ok(world.runs == 2, "back by weeks: a week later it comes");
	live(&world, world.now_us + 3 * WEEK, false);
	tap_ok(world.runs == 5, "and each week");
	live(&world, START + 30 * WEEK + 2 * DAY, false);
	world.runs = 0;
	world.now_us -= 3 * DAY;
	live(&world, world.now_us + 5 * DAY, false);
	tap_ok(!world.runs, "back by days, and time goes by to where it was: the slot was served");
	world.runs = 5;
	/* A host without a clock starts in 1970. */
	due_us = schedule_look(&world.schedule, world.now_us);
	{
		int64_t real_us = world.now_us;

		world.now_us = 5 * SECOND;
		boot(&world);
		live(&world, MINUTE, false);
		world.now_us = real_us + 2 * MINUTE;
		live(&world, real_us + 10 * MINUTE, false);
		tap_ok(world.runs == 5 &&
				schedule_look(&world.schedule, world.now_us) < due_us + 6 * HOUR,
			"a clock that begins in 1970 and then is set");
	}
	live(&world, due_us + DAY, false);
	tap_ok(world.runs == 6, "serves the slot");
	/* A failure, then the clock goes back. */
	run(&world);
	end(&world, true);
	world.now_us -= 3 * DAY;
	world.runs = 0;
	live(&world, world.now_us + 6 * MINUTE, false);
	tap_ok(world.runs == 1, "a clock that was set back makes no retry late");
	done(&world);

	/* Back and forth at random: never more runs than slots and jumps, and it never spins. */
	world = make("hourly", HOUR_MS / 4);
	for (unsigned i = 0; i < 2000; i++) {
		world.random = world.random * 6364136223846793005ULL + 1442695040888963407ULL;
		world.now_us += (int64_t)(world.random >> 40) % (3 * HOUR / SECOND) * SECOND - HOUR;
		live(&world, world.now_us + HOUR, false);
	}
	tap_ok(world.runs > 1000 && world.runs < 6000 && world.looks < 30000,
		"back and forth 2,000 times: %u runs, %u looks", world.runs, world.looks);
	done(&world);
}

static void test_file(void)
{
	static char none[1] = "";
	JobRecord records[] = {
		{(char[]){"update-db"}, (char[]){"Mon..Fri 06:00"}, 1, 2, 3, 4, 5, 6, 7, 8, true,
			(char[]){"it \x1b[31m broke \\x41 \n\xff"}},
		{(char[]){"other"}, none, 8, INT64_MAX, INT64_MAX, 0, 0, 0, 0, 0, false, NULL},
	};
	_cleanup_job_records_ JobRecords back = JOB_RECORDS_INIT;
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, again = STRBUF_INIT, bytes = STRBUF_INIT;
	Why why = {""};
	bool ok = true;

	tap_ok(jobs_load("jobs", &back, &why) == JOBS_NONE, "no file");
	frame_begin(&sb, JOBS_NAME, JOBS_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		jobs_append(&sb, &records[i]);
	strbuf_append_string(&again, sb.data);
	MUST(!frame_save("jobs", &sb));
	tap_ok(!jobs_load("jobs", &back, &why) && back.count == 2 &&
			!strcmp(back.list[0].result, records[0].result) && back.list[0].running &&
			!*back.list[1].expression && !back.list[1].result,
		"what is saved is loaded");
	strbuf_reset(&sb);
	frame_begin(&sb, JOBS_NAME, JOBS_VERSION);
	for (size_t i = 0; i < back.count; i++)
		jobs_append(&sb, &back.list[i]);
	tap_ok(!strcmp(sb.data, again.data), "and the same when it is saved again");
	job_records_done(&back);
	bytes = scratch_read("jobs");
	for (size_t len = 0; len < bytes.len; len++) {
		scratch_write("jobs", bytes.data, len);
		ok &= jobs_load("jobs", &back, &why) == -EBADMSG && *why.text && !back.count;
	}
	tap_ok(ok, "each torn one is refused");
	strbuf_reset(&sb);
	frame_begin(&sb, JOBS_NAME, JOBS_VERSION);
	strbuf_append_string(&sb, "job x\nlater news of it\nsince 5\n");
	MUST(!frame_save("jobs", &sb));
	tap_ok(!jobs_load("jobs", &back, &why) && back.list[0].since_us == 5,
		"what is not known is passed over");
	job_records_done(&back);
	static const char *const bad[] = {"since 5\n", "job x\nsince -5\n", "job x\nsince\n",
		"job x\nfailures y\n", "job x\nok 9223372036854775808\n"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		strbuf_reset(&sb);
		frame_begin(&sb, JOBS_NAME, JOBS_VERSION);
		strbuf_append_string(&sb, bad[i]);
		MUST(!frame_save("jobs", &sb));
		tap_ok(jobs_load("jobs", &back, &why) == -EBADMSG, "refused: %zu", i);
	}
}

static void test_reloads(void)
{
	World world = make("weekly", 6 * HOUR_MS);
	int64_t due_us = schedule_look(&world.schedule, world.now_us);

	change(&world, "weekly", 6 * HOUR_MS);
	tap_ok(schedule_look(&world.schedule, world.now_us) == due_us,
		"reloaded as it was: what was drawn stays");
	change(&world, "daily", 0);
	tap_ok(schedule_look(&world.schedule, world.now_us) == START + DAY, "another schedule");
	run(&world);
	change(&world, "*:0/5", 0);
	world.now_us += HOUR;
	tap_ok(schedule_look(&world.schedule, world.now_us) == SCHEDULE_NEVER,
		"what runs is not started again");
	end(&world, true);
	due_us = schedule_look(&world.schedule, world.now_us);
	tap_ok(due_us <= world.now_us, "its slots have come meanwhile");
	run(&world);
	end(&world, true);
	change(&world, "weekly", 6 * HOUR_MS);
	due_us = schedule_look(&world.schedule, world.now_us);
	tap_ok(due_us > world.now_us && due_us <= world.now_us + HOUR,
		"what has failed is tried again whatever its schedule is");
	change(&world, "off", 0);
	tap_ok(schedule_look(&world.schedule, world.now_us) == SCHEDULE_NEVER, "off");
	change(&world, "weekly", 6 * HOUR_MS);
	due_us = schedule_look(&world.schedule, world.now_us);
	tap_ok(due_us > world.now_us && due_us <= world.now_us + HOUR, "and on again");
	done(&world);

	world = make("off", 0);
	world.is_needed = true;
	change(&world, "weekly", 5000);
	tap_ok(schedule_look(&world.schedule, world.now_us) <= world.now_us + 5 * SECOND,
		"what is needed and never was done is done soon");
	done(&world);
}

int main(void)
{
	MUST(!setenv("TZ", "UTC", 1));
	tzset();
	scratch_enter();
	test_years();
	test_starts();
	test_changes();
	test_reloads();
	test_failures();
	test_away();
	test_served();
	test_clock();
	test_file();
	return tap_done();
}
