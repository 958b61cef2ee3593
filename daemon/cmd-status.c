/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/calendar.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "state/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

enum { OPTION_JSON };

static const CommandOption options[] = {
	[OPTION_JSON] = {"json", 0, NULL, "one JSON object"},
	{0},
};

/* Above that, people see those that need a look. */
#define LOGS_SHOWN 10
#define LABEL_WIDTH 10 /* of what begins a line */

typedef struct Printer {
	const Status *status;
	bool running;
	int64_t now_us;
	LocalZone zone;
	StrBuf out;
} Printer;

/* What of the log was not read yet: false where that can't be known (it was rotated, it may not be looked at). */
static bool find_lag(const StatusLog *log, uint64_t *ret_bytes)
{
	struct stat st;

	if (!log->open || !log->inode || stat(log->path, &st) < 0 || st.st_dev != log->device ||
		st.st_ino != log->inode || (uint64_t)st.st_size < log->offset)
		return false;
	*ret_bytes = (uint64_t)st.st_size - log->offset;
	return true;
}

static Counters sum_counters(const Status *status)
{
	Counters sum = {0};

	for (size_t i = 0; i < status->log_count; i++)
		counters_add(&sum, &status->logs[i].counters);
	return sum;
}

/* ---- for programs --------------------------------------------------------------------------- */

static void append_name(Printer *p, const char *name)
{
	strbuf_appendf(&p->out,
		"%s\"%s\":", p->out.len && !strchr("{[", p->out.data[p->out.len - 1]) ? "," : "",
		name);
}

/* An object of an array. */
static void begin_item(Printer *p)
{
	strbuf_append_string(&p->out, p->out.data[p->out.len - 1] == '[' ? "{" : ",{");
}

static void append_number(Printer *p, const char *name, uint64_t value)
{
	append_name(p, name);
	strbuf_append_u64(&p->out, value);
}

static void append_bool(Printer *p, const char *name, bool value)
{
	append_name(p, name);
	strbuf_append_string(&p->out, value ? "true" : "false");
}

static void append_string(Printer *p, const char *name, const char *text)
{
	append_name(p, name);
	json_append_string(&p->out, span_from_string(text));
}

/* Null when it is not known. */
static void append_instant(Printer *p, const char *name, int64_t time_us)
{
	char text[CALENDAR_ISO_MAX];

	append_name(p, name);
	json_append_string(
		&p->out, time_us ? (Span){text, calendar_format_iso(&p->zone, time_us, text)}
				 : SPAN_MISSING);
}

/* Whole seconds since the instant, null when it is not known. */
static void append_age(Printer *p, const char *name, int64_t time_us)
{
	if (time_us) {
		append_number(p, name, (uint64_t)(MAX(p->now_us - time_us, 0) / 1000000));
	} else {
		append_name(p, name);
		strbuf_append_string(&p->out, "null");
	}
}

static void append_counters(Printer *p, const Counters *counters)
{
	append_number(p, "lines", counters->lines);
	append_number(p, "failures", counters->failures);
	append_number(p, "successes", counters->successes);
	append_number(p, "outages", counters->outages);
	append_number(p, "aborted", counters->aborted);
	append_number(p, "skipped", counters->skipped);
}

static void append_json_log(Printer *p, const StatusLog *log)
{
	uint64_t lag;

	begin_item(p);
	append_string(p, "path", log->path);
	append_name(p, "offset");
	if (log->open && log->inode)
		strbuf_append_u64(&p->out, log->offset);
	else
		strbuf_append_string(&p->out, "null");
	append_name(p, "lag");
	if (find_lag(log, &lag))
		strbuf_append_u64(&p->out, lag);
	else
		strbuf_append_string(&p->out, "null");
	append_instant(p, "last_read", log->read_us);
	append_age(p, "last_read_age", log->read_us);
	append_counters(p, &log->counters);
	strbuf_append_char(&p->out, '}');
}

static void append_json_database(Printer *p, const StatusDatabase *database)
{
	begin_item(p);
	append_string(p, "kind", database->kind);
	append_string(p, "path", database->path);
	append_bool(p, "there", database->there);
	append_bool(p, "used", database->used);
	append_instant(p, "date", database->date_us);
	append_age(p, "age", database->date_us);
	append_number(p, "ranges_v4", database->ranges_v4);
	append_number(p, "ranges_v6", database->ranges_v6);
	append_instant(p, "loaded", database->loaded_us);
	strbuf_append_char(&p->out, '}');
}

static void append_json_job(Printer *p, const StatusJob *job)
{
	begin_item(p);
	append_string(p, "name", job->name);
	append_instant(p, "running_since", job->running_us);
	append_instant(p, "next", job->next_us);
	append_instant(p, "last", job->ended_us);
	append_age(p, "last_age", job->ended_us);
	append_instant(p, "last_ok", job->ok_us);
	append_number(p, "failures", job->failures);
	append_string(p, "result", job->ended_us ? job->result : NULL);
	strbuf_append_char(&p->out, '}');
}

static void append_json(Printer *p)
{
	const Status *status = p->status;
	Counters sum = sum_counters(status);

	strbuf_append_char(&p->out, '{');
	append_bool(p, "running", p->running);
	append_string(p, "version", status->version);
	append_number(p, "pid", (uint64_t)status->pid);
	append_instant(p, "started", status->started_us);
	append_instant(p, "stopped", status->stopped_us);
	append_instant(p, "written", status->written_us);
	append_instant(p, "committed", status->committed_us);
	append_counters(p, &sum);
	append_number(p, "rows", status->rows);
	append_number(p, "waiting", status->waiting);
	append_string(p, "paused", status->paused);
	append_name(p, "logs");
	strbuf_append_char(&p->out, '[');
	for (size_t i = 0; i < status->log_count; i++)
		append_json_log(p, &status->logs[i]);
	strbuf_append_char(&p->out, ']');
	append_name(p, "databases");
	strbuf_append_char(&p->out, '[');
	for (size_t i = 0; i < status->database_count; i++)
		append_json_database(p, &status->databases[i]);
	strbuf_append_char(&p->out, ']');
	append_name(p, "jobs");
	strbuf_append_char(&p->out, '[');
	for (size_t i = 0; i < status->job_count; i++)
		append_json_job(p, &status->jobs[i]);
	strbuf_append_char(&p->out, ']');
	append_name(p, "warnings");
	strbuf_append_char(&p->out, '[');
	for (size_t i = 0; i < status->warning_count; i++) {
		const StatusWarning *warning = &status->warnings[i];

		strbuf_append_string(&p->out, i ? ",{" : "{");
		append_string(p, "key", warning->key);
		append_instant(p, "since", warning->since_us);
		append_age(p, "age", warning->since_us);
		append_string(p, "text", warning->text);
		strbuf_append_char(&p->out, '}');
	}
	strbuf_append_char(&p->out, ']');
	append_number(p, "more_warnings", status->more_warnings);
	strbuf_append_string(&p->out, "}\n");
}

/* ---- for people ----------------------------------------------------------------------------- */

/* "3 h 12 min": the two largest units. */
static void append_duration(StrBuf *sb, int64_t duration_us)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	int64_t seconds = MAX(duration_us, 0) / 1000000;
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && seconds < units[i].seconds)
		i++;
	strbuf_appendf(sb, "%" PRId64 " %s", seconds / units[i].seconds, units[i].unit);
	seconds %= units[i].seconds;
	if (i + 2 < ARRAY_SIZE(units) && seconds >= units[i + 1].seconds)
		strbuf_appendf(
			sb, " %" PRId64 " %s", seconds / units[i + 1].seconds, units[i + 1].unit);
}

/* "2026-11-22 13:01 (3 h 12 min)" */
static void append_since(Printer *p, int64_t time_us)
{
	char text[CALENDAR_MINUTE_MAX];

	(void)calendar_format_minute(&p->zone, time_us, text);
	strbuf_appendf(&p->out, "%s (", text);
	append_duration(&p->out, p->now_us - time_us);
	strbuf_append_char(&p->out, ')');
}

static void append_escaped(Printer *p, const char *text)
{
	utf8_append_escaped(&p->out, span_from_string(text));
}

static void append_state(Printer *p)
{
	const Status *status = p->status;

	strbuf_append_string(&p->out, "maillogsentinel ");
	if (p->running) {
		append_escaped(p, status->version);
		strbuf_append_string(&p->out, " is running since ");
		append_since(p, status->started_us);
		strbuf_appendf(&p->out, ", process %" PRId64 "\n", status->pid);
	} else if (status->stopped_us) {
		strbuf_append_string(&p->out, "is not running; it was stopped ");
		append_since(p, status->stopped_us);
		strbuf_append_char(&p->out, '\n');
	} else {
		strbuf_append_string(
			&p->out, "is not running; it ended unexpectedly, and was last heard of ");
		append_since(p, status->written_us);
		strbuf_append_char(&p->out, '\n');
	}
}

static void append_log(Printer *p, const StatusLog *log)
{
	uint64_t lag;
	bool has_lag = find_lag(log, &lag);

	if (p->status->log_count > LOGS_SHOWN && has_lag && !lag)
		return;
	strbuf_append_string(&p->out, "log:      ");
	append_escaped(p, log->path);
	if (!log->open)
		strbuf_append_string(&p->out, ": not open");
	else if (log->inode)
		strbuf_appendf(&p->out, ": read up to byte %" PRIu64, log->offset);
	else
		strbuf_append_string(&p->out, ": open"); /* the journal, which has no bytes */
	if (has_lag)
		strbuf_appendf(&p->out, ", %" PRIu64 " to go", lag);
	if (log->read_us) {
		strbuf_append_string(&p->out, ", last lines ");
		append_duration(&p->out, p->now_us - log->read_us);
		strbuf_append_string(&p->out, " ago");
	}
	strbuf_append_char(&p->out, '\n');
}

/* "country:  /x/country.mmdb: data of 2026-11-20 23:30 (1 d 14 h), 371960 ranges" */
static void append_database(Printer *p, const StatusDatabase *database)
{
	strbuf_appendf(&p->out, "%s:%*s", database->kind,
		(int)(LABEL_WIDTH - MIN(strlen(database->kind), (size_t)LABEL_WIDTH - 2) - 1), "");
	append_escaped(p, database->path);
	if (database->used) {
		strbuf_append_string(&p->out, ": data of ");
		append_since(p, database->date_us);
		strbuf_appendf(&p->out, ", %" PRIu64 " ranges%s",
			database->ranges_v4 + database->ranges_v6,
			database->there ? "" : "; the file is not there any more");
	} else {
		strbuf_append_string(&p->out, database->there ? ": not in use" : ": not there");
	}
	strbuf_append_char(&p->out, '\n');
}

static void append_job(Printer *p, const StatusJob *job)
{
	char next[CALENDAR_MINUTE_MAX];

	strbuf_append_string(&p->out, "job:      ");
	append_escaped(p, job->name);
	if (job->running_us) {
		strbuf_append_string(&p->out, ": running since ");
		append_since(p, job->running_us);
	}
	if (job->ended_us) {
		strbuf_append_string(&p->out, job->running_us ? ", before that " : ": ");
		strbuf_append_string(&p->out, job->failures ? "failed " : "done ");
		append_since(p, job->ended_us);
	} else if (!job->running_us) {
		strbuf_append_string(&p->out,
			job->next_us || !*job->result ? ": has not run yet" : ": does not run");
	}
	if (job->next_us && p->running) {
		(void)calendar_format_minute(&p->zone, job->next_us, next);
		strbuf_appendf(&p->out, ", next %s", next);
	}
	if ((job->ended_us || !job->next_us) && *job->result) {
		strbuf_append_string(&p->out, ": ");
		append_escaped(p, job->result);
	}
	strbuf_append_char(&p->out, '\n');
}

static void append_text(Printer *p)
{
	const Status *status = p->status;
	Counters sum = sum_counters(status);

	append_state(p);
	strbuf_appendf(&p->out,
		"read:     %" PRIu64 " lines: %" PRIu64 " failed logins, %" PRIu64
		" successful, %" PRIu64 " outages, %" PRIu64 " aborted\n",
		sum.lines, sum.failures, sum.successes, sum.outages, sum.aborted);
	strbuf_appendf(&p->out,
		"written:  %" PRIu64 " rows; %" PRIu64 " failed logins wait for their names\n",
		status->rows, status->waiting);
	if (status->paused) {
		strbuf_append_string(&p->out, "paused:   ");
		append_escaped(p, status->paused);
		strbuf_append_char(&p->out, '\n');
	}
	if (status->log_count > LOGS_SHOWN)
		strbuf_appendf(&p->out, "logs:     %zu; those that are not read to their end:\n",
			status->log_count);
	for (size_t i = 0; i < status->log_count; i++)
		append_log(p, &status->logs[i]);
	for (size_t i = 0; i < status->database_count; i++)
		append_database(p, &status->databases[i]);
	for (size_t i = 0; i < status->job_count; i++)
		append_job(p, &status->jobs[i]);
	for (size_t i = 0; i < status->warning_count; i++) {
		strbuf_append_string(&p->out, "warning:  since ");
		append_since(p, status->warnings[i].since_us);
		strbuf_append_string(&p->out, ": ");
		append_escaped(p, status->warnings[i].text);
		strbuf_append_char(&p->out, '\n');
	}
	if (status->more_warnings)
		strbuf_appendf(&p->out, "warning:  and %" PRIu64 " more\n", status->more_warnings);
}

/* ---- the command ---------------------------------------------------------------------------- */

static int print(const Status *status, bool running, bool json)
{
	Printer p = {
		.status = status, .running = running, .now_us = loop_wall_us(), .out = STRBUF_INIT};
	int r;

	if (json)
		append_json(&p);
	else
		append_text(&p);
	r = strbuf_error(&p.out);
	if (r < 0)
		log_error("%s", strerror(-r));
	else
		/* main() reports what stdout could not take. */
		(void)fwrite(strbuf_text(&p.out), 1, p.out.len, stdout);
	strbuf_done(&p.out);
	if (r < 0)
		return EXIT_UNREADABLE;
	if (!running)
		return EXIT_NOT_RUNNING;
	return status->warning_count || status->more_warnings || status->paused ? EXIT_FAILED
										: EXIT_DONE;
}

static int run(const CommandInvocation *invocation)
{
	_cleanup_(config_freep) Config *config = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_status_ Status status = STATUS_INIT;
	Why why = {""};
	bool running;
	int r = command_read_config(invocation, &config);

	if (r)
		return r;
	path = file_join_dup(config->paths.state_dir, "status");
	r = path ? status_read(path, &status, &running, &why) : -ENOMEM;
	if (r == -ENOENT) {
		log_error("not running; there is no %s", path);
		return EXIT_NOT_RUNNING;
	}
	if (r < 0) {
		log_error("%s: %s", path ? path : "status", *why.text ? why.text : strerror(-r));
		return EXIT_UNREADABLE;
	}
	return print(&status, running, invocation->option[OPTION_JSON].count);
}

const Command command_status = {
	.name = "status",
	.arguments = "",
	.options = options,
	.help = "say what the running daemon does, and what is wrong",
	.run = run,
};
