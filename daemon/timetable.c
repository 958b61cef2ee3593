/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/timetable.h"

#include "base/file.h"
#include "daemon/command.h"
#include "daemon/job.h"
#include "daemon/schedule.h"
#include "state/frame.h"

#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#define HOUR_MS ((uint64_t)3600 * 1000)
#define WARNING_KEY "jobs" /* the file can't be written */

typedef struct JobKind {
	const char *name;
	const char *const *arguments;
	size_t schedule, random_delay_ms; /* offsets of the options in Config */
	const char *option;               /* how people call the first */
	uint64_t deadline_ms;
	bool (*is_needed)(const Config *config); /* at once, if it never ran */
} JobKind;

static bool is_missing(const char *path, char *const *urls)
{
	struct stat st;

	return *urls && stat(path, &st) < 0 && errno == ENOENT;
}

static bool needs_databases(const Config *config)
{
	return is_missing(
		       config->geolocation.country_db_path, config->geolocation.country_db_url) ||
	       is_missing(config->asn_aso.asn_db_path, config->asn_aso.asn_db_url);
}

static const JobKind kinds[] = {
	{"update-db", (const char *const[]){"update-db", NULL},
		offsetof(Config, schedule.ip_update_schedule),
		offsetof(Config, schedule.ip_update_random_delay_ms), "schedule.ip_update_schedule",
		HOUR_MS, needs_databases},
};

#define KINDS ARRAY_SIZE(kinds)

typedef struct Entry {
	Timetable *timetable;
	const JobKind *kind;
	Schedule schedule;
	Job *job; /* NULL: it does not run */
} Entry;

struct Timetable {
	Loop *loop;
	const Config *config;
	Warnings *warnings;
	void (*changed)(void *userdata);
	void *userdata;
	char *path;
	bool ending;
	Entry entries[KINDS];
};

/* ---- what is told --------------------------------------------------------------------------- */

static void save(Timetable *timetable)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	int r;

	frame_begin(&sb, JOBS_NAME, JOBS_VERSION);
	for (size_t i = 0; i < KINDS; i++)
		jobs_append(&sb, &timetable->entries[i].schedule.record);
	r = frame_save(timetable->path, &sb);
	if (r < 0)
		warnings_raise(timetable->warnings, LOG_LEVEL_WARNING, WARNING_KEY, loop_wall_us(),
			"%s: %s; after a restart jobs may run once too often", timetable->path,
			strerror(-r));
	else
		warnings_clear(timetable->warnings, WARNING_KEY, "%s: can be written again",
			timetable->path);
}

/* What is to be known of a job that failed last time, or that will never run. */
static void warn(Entry *entry)
{
	const JobRecord *record = &entry->schedule.record;
	Warnings *warnings = entry->timetable->warnings;
	char key[64];

	(void)snprintf(key, sizeof(key), "job:%s", entry->kind->name);
	if (record->failures)
		warnings_raise(warnings, LOG_LEVEL_WARNING, key, record->ended_us,
			"%s: failed, and is tried again: %s", entry->kind->name,
			record->result ? record->result : strerror(ENOMEM));
	else if (record->due_us == SCHEDULE_NEVER)
		warnings_raise(warnings, LOG_LEVEL_WARNING, key, loop_wall_us(),
			"%s: \"%s\" is a time that does not come any more", entry->kind->option,
			record->expression);
	else
		warnings_clear(warnings, key, "%s: works again", entry->kind->name);
}

void timetable_status(const Timetable *timetable, Status *status)
{
	StatusJob *jobs = calloc(KINDS, sizeof(*jobs));

	if (!jobs)
		return;
	for (size_t i = 0; i < KINDS; i++) {
		const Entry *entry = &timetable->entries[i];
		const JobRecord *record = &entry->schedule.record;
		int64_t next_us = MIN(record->due_us,
			entry->schedule.again_us ? entry->schedule.again_us : SCHEDULE_NEVER);

		if (!entry->schedule.on)
			continue;
		jobs[status->job_count++] = (StatusJob){
			.name = entry->kind->name,
			.running_us = entry->job ? record->started_us : 0,
			.next_us = entry->job || next_us == SCHEDULE_NEVER ? 0 : next_us,
			.ended_us = record->ended_us,
			.ok_us = record->ok_us,
			.failures = record->failures,
			.result = record->result ? record->result : "",
		};
	}
	status->jobs = jobs;
}

/* ---- running -------------------------------------------------------------------------------- */

static void note_end(Entry *entry, bool failed, const char *reason)
{
	schedule_ended(&entry->schedule, loop_wall_us(), failed, reason);
	save(entry->timetable);
	warn(entry);
}

static void on_ended(void *userdata, int exit_status, const char *reason)
{
	Entry *entry = userdata;
	Timetable *timetable = entry->timetable;

	/* One that was told to end is not done, and did not fail: its record still says that it runs. */
	if (!timetable->ending || !exit_status)
		note_end(entry, exit_status != EXIT_DONE, reason);
	job_free(TAKE(entry->job));
	timetable->changed(timetable->userdata);
}

static void start(Entry *entry)
{
	Timetable *timetable = entry->timetable;
	const JobOptions options = {.name = entry->kind->name,
		.arguments = entry->kind->arguments,
		.deadline_ms = entry->kind->deadline_ms,
		.ended = on_ended,
		.userdata = entry};
	int r;

	schedule_started(&entry->schedule, loop_wall_us());
	save(timetable);
	log_debug("%s: started", entry->kind->name);
	r = job_start(timetable->loop, timetable->config, &options, &entry->job);
	if (r < 0)
		note_end(entry, true, strerror(-r));
}

int64_t timetable_look(Timetable *timetable)
{
	int64_t now_us = loop_wall_us(), next_us = SCHEDULE_NEVER;

	for (size_t i = 0; i < KINDS && !timetable->ending; i++) {
		Entry *entry = &timetable->entries[i];

		if (schedule_look(&entry->schedule, now_us) <= now_us)
			start(entry);
		next_us = MIN(next_us, schedule_look(&entry->schedule, now_us));
	}
	return next_us == SCHEDULE_NEVER ? -1 : MAX(next_us - now_us, 0) / 1000 + 1;
}

void timetable_end(Timetable *timetable)
{
	timetable->ending = true;
	for (size_t i = 0; i < KINDS; i++)
		if (timetable->entries[i].job)
			job_end(timetable->entries[i].job);
}

/* ---- start ---------------------------------------------------------------------------------- */

static void load(Timetable *timetable, JobRecords *records)
{
	Why why = {""};
	int r = jobs_load(timetable->path, records, &why);

	if (r < 0)
		log_warning("%s: %s; as if no job had ever run", timetable->path, why.text);
}

static int open_entry(Entry *entry, JobRecords *records)
{
	const Config *config = entry->timetable->config;
	const char *at = (const char *)config;
	const char *expression = *(char *const *)(at + entry->kind->schedule);
	uint64_t delay_ms = *(const uint64_t *)(at + entry->kind->random_delay_ms), random;
	JobRecord none = {0}, *record = &none;
	Why why = {""};
	int r;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = (uint64_t)loop_wall_us();
	r = schedule_init(&entry->schedule, expression, delay_ms, random, &why);
	if (r < 0)
		return r;
	for (size_t i = 0; i < records->count; i++)
		if (!strcmp(records->list[i].name, entry->kind->name))
			record = &records->list[i];
	if (!record->name)
		record->name = strdup(entry->kind->name);
	if (!record->name)
		return -ENOMEM;
	r = schedule_begin(&entry->schedule, expression, record, entry->kind->is_needed(config),
		loop_wall_us());
	if (r < 0)
		return r;
	if (entry->schedule.on)
		warn(entry);
	return 0;
}

int timetable_new(Loop *loop, const Config *config, Warnings *warnings,
	void (*changed)(void *userdata), void *userdata, Timetable **ret_timetable)
{
	_cleanup_(timetable_freep) Timetable *timetable = calloc(1, sizeof(*timetable));
	_cleanup_job_records_ JobRecords records = JOB_RECORDS_INIT;
	bool is_on = false;

	if (!timetable)
		return -ENOMEM;
	timetable->loop = loop;
	timetable->config = config;
	timetable->warnings = warnings;
	timetable->changed = changed;
	timetable->userdata = userdata;
	timetable->path = file_join_dup(config->paths.state_dir, JOBS_NAME);
	if (!timetable->path)
		return -ENOMEM;
	load(timetable, &records);
	for (size_t i = 0; i < KINDS; i++) {
		Entry *entry = &timetable->entries[i];
		int r;

		entry->timetable = timetable;
		entry->kind = &kinds[i];
		r = open_entry(entry, &records);
		if (r < 0)
			return r;
		is_on |= entry->schedule.on;
	}
	/* Slots count from the first start on, however often it is started until the first slot. */
	if (is_on)
		save(timetable);
	*ret_timetable = TAKE(timetable);
	return 0;
}

void timetable_free(Timetable *timetable)
{
	if (!timetable)
		return;
	for (size_t i = 0; i < KINDS; i++) {
		job_free(timetable->entries[i].job);
		schedule_done(&timetable->entries[i].schedule);
	}
	free(timetable->path);
	free(timetable);
}
