/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/timetable.h"

#include "base/file.h"
#include "daemon/command.h"
#include "daemon/job.h"
#include "daemon/schedule.h"
#include "daemon/sql-queue.h"
#include "report/spool.h"
#include "state/bookmark.h"
#include "state/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#define HOUR_MS ((uint64_t)3600 * 1000)
#define WARNING_KEY "jobs" /* the file can't be written */

typedef struct JobKind {
	const char *name;
	const char *const *arguments;
	size_t schedule;        /* offsets of the options in Config: */
	size_t random_delay_ms; /* 0: there is none */
	const char *option;     /* how people call the first */
	uint64_t deadline_ms;
	bool slots_wait; /* as of daemon/schedule.h */
	const char *
		after; /* the job whose end it waits for: it goes on with what that makes; NULL: none */
	/* Whether it is to run at once, if it never ran; NULL: no. */
	bool (*is_needed)(const Config *config);
	/* Why it never runs, whatever its schedule says; NULL: it does. */
	const char *(*why_not)(const Config *config);
	/*
	 * What to run for what a run has left that did the part which must be done once; NULL: there are no two parts. Whether that part
	 * was done since the last slot's run began, and whether something is left of whatever run it was, also by hand.
	 */
	const char *const *rest;
	bool (*is_begun)(const Config *config, int64_t since_us);
	bool (*has_rest)(const Config *config);
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

static const char *lacks_recipient(const Config *config)
{
	return config->report.email[0] ? NULL : "report.email is not set: no report is sent";
}

static bool is_composed(const Config *config, int64_t since_us)
{
	Bookmark bookmark;

	return !bookmark_load(config->paths.state_dir, "report", &bookmark, NULL, NULL) &&
	       bookmark.written_us >= since_us;
}

static bool has_spooled(const Config *config)
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;

	if (spool_read(config->paths.state_dir, &spool) < 0)
		return false;
	for (size_t i = 0; i < spool.count; i++)
		if (!spool.entries[i].failed)
			return true;
	return false;
}

static const JobKind kinds[] = {
	{
		.name = "update-db",
		.arguments = (const char *const[]){"update-db", NULL},
		.schedule = offsetof(Config, schedule.ip_update_schedule),
		.random_delay_ms = offsetof(Config, schedule.ip_update_random_delay_ms),
		.option = "schedule.ip_update_schedule",
		.deadline_ms = HOUR_MS,
		.is_needed = needs_databases,
	},
	{
		.name = "report",
		.arguments = (const char *const[]){"report", "--send", NULL},
		.schedule = offsetof(Config, schedule.report_schedule),
		.option = "schedule.report_schedule",
		/* A slow mail server may take a quarter of an hour for each of those that wait. */
		.deadline_ms = 4 * HOUR_MS,
		.why_not = lacks_recipient,
		.rest = (const char *const[]){"report", "--send", "--spooled", NULL},
		.is_begun = is_composed,
		.has_rest = has_spooled,
	},
	{
		.name = "sql-export",
		.arguments = (const char *const[]){"sql-export", NULL},
		.schedule = offsetof(Config, schedule.sql_export_schedule),
		.option = "schedule.sql_export_schedule",
		.deadline_ms = HOUR_MS,
	},
	{
		.name = "sql-import",
		.arguments = (const char *const[]){"sql-import", NULL},
		.schedule = offsetof(Config, schedule.sql_import_schedule),
		.option = "schedule.sql_import_schedule",
		/* Years may wait, for a server far away; what is in when it is ended stays in. */
		.deadline_ms = 4 * HOUR_MS,
		.slots_wait = true,
		.after = "sql-export",
	},
};

#define KINDS ARRAY_SIZE(kinds)

typedef struct Entry {
	Timetable *timetable;
	const JobKind *kind;
	Schedule schedule;
	const char *off; /* why it never runs, though it has a schedule */
	bool rest_alone; /* the next run that is no slot's is for what is left */
	Job *job;        /* NULL: it does not run */
} Entry;

struct Timetable {
	Loop *loop;
	const Config *config;
	Warnings *warnings;
	void (*changed)(void *userdata);
	void *userdata;
	char *path;
	SqlQueue sql_queue;
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
	if (!entry->schedule.on)
		warnings_clear(warnings, key, NULL);
	else if (record->failures)
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

void timetable_status(Timetable *timetable, Status *status)
{
	StatusJob *jobs = calloc(KINDS, sizeof(*jobs));

	sqlqueue_status(&timetable->sql_queue, timetable->config, status);
	if (!jobs)
		return;
	for (size_t i = 0; i < KINDS; i++) {
		const Entry *entry = &timetable->entries[i];
		const JobRecord *record = &entry->schedule.record;
		int64_t next_us = schedule_next(&entry->schedule);

		if (!entry->schedule.on && !entry->off)
			continue;
		jobs[status->job_count++] = (StatusJob){
			.name = entry->kind->name,
			.running_us = entry->job ? record->started_us : 0,
			.next_us =
				entry->job || entry->off || next_us == SCHEDULE_NEVER ? 0 : next_us,
			.ended_us = record->ended_us,
			.ok_us = record->ok_us,
			.failures = record->failures,
			.result = entry->off       ? entry->off
				  : record->result ? record->result
						   : "",
		};
	}
	status->jobs = jobs;
}

/* ---- running -------------------------------------------------------------------------------- */

static void note_end(Entry *entry, bool failed, const char *reason)
{
	int64_t now_us = loop_wall_us();

	/* One with nothing to do every few minutes need not tell everybody so. */
	if (!failed)
		log_message_kind(*reason ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, MESSAGE_JOB_DONE,
			"MLS_JOB", entry->kind->name, "%s: done in %" PRId64 " s",
			entry->kind->name,
			MAX(now_us - entry->schedule.record.started_us, 0) / 1000000);
	schedule_ended(&entry->schedule, now_us, failed, reason);
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

/* A slot has all of it done; after a run that failed or was ended, or was somebody else's, maybe only what that has left. */
static bool is_rest(const Entry *entry, int64_t now_us)
{
	const JobRecord *record = &entry->schedule.record;
	const JobKind *kind = entry->kind;

	return record->due_us > now_us && kind->rest &&
	       (entry->rest_alone || kind->is_begun(entry->timetable->config, record->served_us));
}

/* Something is left of a run that this is not known to have failed. */
static void look_for_rest(Entry *entry, int64_t now_us)
{
	Schedule *schedule = &entry->schedule;

	if (!entry->kind->rest || !schedule->on || entry->job || schedule->again_us ||
		!entry->kind->has_rest(entry->timetable->config))
		return;
	entry->rest_alone = true;
	schedule_again(schedule, now_us);
}

static void start(Entry *entry, int64_t now_us)
{
	Timetable *timetable = entry->timetable;
	bool rest = is_rest(entry, now_us);
	const JobOptions options = {.name = entry->kind->name,
		.arguments = rest ? entry->kind->rest : entry->kind->arguments,
		.deadline_ms = entry->kind->deadline_ms,
		.ended = on_ended,
		.userdata = entry};
	int r;

	/* From a slot on it is known what was begun. */
	entry->rest_alone &= rest;
	schedule_started(&entry->schedule, now_us);
	save(timetable);
	log_message_kind(LOG_LEVEL_DEBUG, MESSAGE_JOB_STARTED, "MLS_JOB", entry->kind->name,
		"%s: started%s", entry->kind->name, rest ? " for what is left" : "");
	r = job_start(timetable->loop, timetable->config, &options, &entry->job);
	if (r < 0)
		note_end(entry, true, strerror(-r));
}

static bool runs(const Timetable *timetable, const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (timetable->entries[i].job && !strcmp(timetable->entries[i].kind->name, name))
			return true;
	return false;
}

int64_t timetable_look(Timetable *timetable)
{
	int64_t now_us = loop_wall_us(), next_us = SCHEDULE_NEVER;

	for (size_t i = 0; i < KINDS && !timetable->ending; i++) {
		Entry *entry = &timetable->entries[i];

		/* It is looked at again when that ends. */
		if (entry->kind->after && runs(timetable, entry->kind->after))
			continue;
		look_for_rest(entry, now_us);
		if (schedule_look(&entry->schedule, now_us) <= now_us)
			start(entry, now_us);
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

/* What it runs by: nothing where it never does, then *ret_off says why. */
static const char *find_expression(const JobKind *kind, const Config *config, const char **ret_off)
{
	const char *expression = *(char *const *)((const char *)config + kind->schedule);
	bool on = *expression && strcmp(expression, "off");

	*ret_off = on && kind->why_not ? kind->why_not(config) : NULL;
	return *ret_off ? "" : expression;
}

static int init_schedule(const JobKind *kind, const Config *config, const char *expression,
	Schedule *ret_schedule, Why *ret_why)
{
	uint64_t delay_ms = 0, random;
	int r;

	if (kind->random_delay_ms)
		delay_ms = *(const uint64_t *)((const char *)config + kind->random_delay_ms);
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = (uint64_t)loop_wall_us();
	r = schedule_init(ret_schedule, expression, delay_ms, random, ret_why);
	ret_schedule->slots_wait = kind->slots_wait;
	return r;
}

static bool is_needed(const JobKind *kind, const Config *config)
{
	return kind->is_needed && kind->is_needed(config);
}

static int open_entry(Entry *entry, JobRecords *records)
{
	const Config *config = entry->timetable->config;
	const char *expression = find_expression(entry->kind, config, &entry->off);
	JobRecord none = {0}, *record = &none;
	Why why = {""};
	int r = init_schedule(entry->kind, config, expression, &entry->schedule, &why);

	if (r < 0)
		return r;
	for (size_t i = 0; i < records->count; i++)
		/* Those that were taken over have no name any more. */
		if (records->list[i].name && !strcmp(records->list[i].name, entry->kind->name))
			record = &records->list[i];
	if (!record->name)
		record->name = strdup(entry->kind->name);
	if (!record->name)
		return -ENOMEM;
	r = schedule_begin(&entry->schedule, expression, record, is_needed(entry->kind, config),
		loop_wall_us());
	if (r < 0)
		return r;
	if (entry->schedule.on)
		warn(entry);
	return 0;
}

int timetable_reconfigure(Timetable *timetable, const Config *config)
{
	struct {
		Schedule schedule;
		const char *off;
		char *expression;
	} next[KINDS] = {0};
	bool is_on = false;
	Why why = {""};
	int r = 0;

	for (size_t i = 0; i < KINDS && !r; i++) {
		const char *expression = find_expression(&kinds[i], config, &next[i].off);

		next[i].expression = strdup(expression);
		r = next[i].expression
			    ? init_schedule(&kinds[i], config, expression, &next[i].schedule, &why)
			    : -ENOMEM;
	}
	for (size_t i = 0; i < KINDS; i++) {
		Entry *entry = &timetable->entries[i];

		if (r < 0) {
			free(next[i].expression);
			continue;
		}
		schedule_change(&entry->schedule, &next[i].schedule, next[i].expression,
			is_needed(entry->kind, config), loop_wall_us());
		entry->off = next[i].off;
		is_on |= entry->schedule.on;
		warn(entry);
	}
	if (r < 0)
		return r;
	timetable->config = config;
	timetable->sql_queue.is_known = false;
	if (is_on)
		save(timetable);
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
