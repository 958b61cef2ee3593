/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/utf8.h"
#include "daemon/journal-lag.h"
#include "daemon/status-print.h"

#include <inttypes.h>

/* Above that, people see those that need a look. */
#define LOGS_SHOWN 10
#define LABEL_WIDTH 10 /* of what begins a line */

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
static void append_since(StatusPrinter *p, int64_t time_us)
{
	char text[CALENDAR_MINUTE_MAX];

	(void)calendar_format_minute(&p->zone, time_us, text);
	strbuf_appendf(p->out, "%s (", text);
	append_duration(p->out, p->now_us - time_us);
	strbuf_append_char(p->out, ')');
}

static void append_escaped(StatusPrinter *p, const char *text)
{
	utf8_append_escaped(p->out, span_from_string(text));
}

static void append_state(StatusPrinter *p)
{
	const Status *status = p->status;

	strbuf_append_string(p->out, "maillogsentinel ");
	if (p->running) {
		append_escaped(p, status->version);
		strbuf_append_string(p->out, " is running since ");
		append_since(p, status->started_us);
		strbuf_appendf(p->out, ", process %" PRId64 "\n", status->pid);
	} else if (status->stopped_us) {
		strbuf_append_string(p->out, "is not running; it was stopped ");
		append_since(p, status->stopped_us);
		strbuf_append_char(p->out, '\n');
	} else {
		strbuf_append_string(
			p->out, "is not running; it ended unexpectedly, and was last heard of ");
		append_since(p, status->written_us);
		strbuf_append_char(p->out, '\n');
	}
}

static void append_log(StatusPrinter *p, const StatusLog *log)
{
	uint64_t lag;
	bool has_lag = status_log_lag(log, &lag);

	if (p->status->log_count > LOGS_SHOWN && has_lag && !lag)
		return;
	strbuf_append_string(p->out, "log:      ");
	append_escaped(p, log->path);
	if (!log->open)
		strbuf_append_string(p->out, ": not open");
	else if (log->inode)
		strbuf_appendf(p->out, ": read up to byte %" PRIu64, log->offset);
	else
		strbuf_append_string(p->out, ": open"); /* the journal, which has no bytes */
	if (has_lag)
		strbuf_appendf(p->out, ", %" PRIu64 " to go", lag);
	else if (journal_lag(log, &lag))
		strbuf_appendf(p->out, ", %" PRIu64 "%s entries to go", lag,
			lag == JOURNAL_LAG_MAX ? " or more" : "");
	if (log->read_us) {
		strbuf_append_string(p->out, ", last lines ");
		append_duration(p->out, p->now_us - log->read_us);
		strbuf_append_string(p->out, " ago");
	}
	strbuf_append_char(p->out, '\n');
}

/* "names:    5012 lookups, 2.1 a minute, 71 % from the cache; 1433 queries: 802 OK, 310 no name, ..." */
static void append_dns(StatusPrinter *p)
{
	const StatusDns *dns = &p->status->dns;
	const StatusDnsCounts *counts = &dns->counts;
	uint64_t rate = status_dns_rate(p->status, p->now_us);
	unsigned permille;

	if (!dns->since_us)
		return;
	if (!dns->enabled) {
		strbuf_append_string(p->out, "names:    not looked up\n");
		return;
	}
	strbuf_appendf(p->out, "names:    %" PRIu64 " lookups", counts->lookups);
	if (status_dns_hits(p->status, &permille))
		strbuf_appendf(p->out,
			" (since the start %" PRIu64 ".%u a minute, %u %% from the cache)",
			rate / 1000, (unsigned)(rate % 1000 / 100), permille / 10);
	strbuf_appendf(p->out,
		", %" PRIu64 " queries: %" PRIu64 " OK, %" PRIu64 " no name, %" PRIu64
		" server failed, %" PRIu64 " no PTR, %" PRIu64 " timeouts",
		counts->queries, counts->ok, counts->no_name, counts->failed, counts->no_ptr,
		counts->timeout);
	if (dns->in_flight + dns->queued)
		strbuf_appendf(p->out, "; %" PRIu64 " under way, %" PRIu64 " wait", dns->in_flight,
			dns->queued);
	strbuf_append_char(p->out, '\n');
}

/* "country:  /x/country.mmdb: data of 2026-11-20 23:30 (1 d 14 h), 371960 ranges" */
static void append_database(StatusPrinter *p, const StatusDatabase *database)
{
	strbuf_appendf(p->out, "%s:%*s", database->kind,
		(int)(LABEL_WIDTH - MIN(strlen(database->kind), (size_t)LABEL_WIDTH - 2) - 1), "");
	append_escaped(p, database->path);
	if (database->used) {
		strbuf_append_string(p->out, ": data of ");
		append_since(p, database->date_us);
		strbuf_appendf(p->out, ", %" PRIu64 " ranges%s",
			database->ranges_v4 + database->ranges_v6,
			database->there ? "" : "; the file is not there any more");
	} else {
		strbuf_append_string(p->out, database->there ? ": not in use" : ": not there");
	}
	strbuf_append_char(p->out, '\n');
}

static void append_job(StatusPrinter *p, const StatusJob *job)
{
	char next[CALENDAR_MINUTE_MAX];

	strbuf_append_string(p->out, "job:      ");
	append_escaped(p, job->name);
	if (job->running_us) {
		strbuf_append_string(p->out, ": running since ");
		append_since(p, job->running_us);
	}
	if (job->ended_us) {
		strbuf_append_string(p->out, job->running_us ? ", before that " : ": ");
		strbuf_append_string(p->out, job->failures ? "failed " : "done ");
		append_since(p, job->ended_us);
	} else if (!job->running_us) {
		strbuf_append_string(p->out,
			job->next_us || !*job->result ? ": has not run yet" : ": does not run");
	}
	if (job->next_us && p->running) {
		(void)calendar_format_minute(&p->zone, job->next_us, next);
		strbuf_appendf(p->out, ", next %s", next);
	}
	if ((job->ended_us || !job->next_us) && *job->result) {
		strbuf_append_string(p->out, ": ");
		append_escaped(p, job->result);
	}
	strbuf_append_char(p->out, '\n');
}

/* "sql:      2 files wait in /x/sql, since 2026-11-22 13:01 (3 h 12 min); last import 2026-11-22 13:00 (3 h 13 min)" */
static void append_sql(StatusPrinter *p)
{
	const StatusSql *sql = &p->status->sql;

	if (!sql->path)
		return;
	strbuf_append_string(p->out, "sql:      ");
	if (sql->files)
		strbuf_appendf(p->out, "%" PRIu64 " file%s in ", sql->files,
			sql->files == 1 ? " waits" : "s wait");
	else
		strbuf_append_string(p->out, "no file waits in ");
	append_escaped(p, sql->path);
	if (sql->files) {
		strbuf_append_string(p->out, ", since ");
		append_since(p, sql->oldest_us);
	}
	if (sql->imported_us) {
		strbuf_append_string(p->out, "; last import ");
		append_since(p, sql->imported_us);
	} else if (sql->files) {
		strbuf_append_string(p->out, "; nothing was imported yet");
	}
	strbuf_append_char(p->out, '\n');
}

void status_print_text(StatusPrinter *p)
{
	const Status *status = p->status;
	Counters sum = status_sum(status);

	append_state(p);
	strbuf_appendf(p->out,
		"read:     %" PRIu64 " lines: %" PRIu64 " failed logins, %" PRIu64
		" successful, %" PRIu64 " outages, %" PRIu64 " aborted\n",
		sum.lines, sum.failures, sum.successes, sum.outages, sum.aborted);
	strbuf_appendf(p->out,
		"written:  %" PRIu64 " rows; %" PRIu64 " failed logins wait for their names\n",
		status->rows, status->waiting);
	if (status->reloaded_us) {
		strbuf_appendf(p->out, "config:   generation %" PRIu64 ", %s ", status->generation,
			status->reload_error ? "a reload was refused" : "reloaded");
		append_since(p, status->reloaded_us);
		strbuf_append_char(p->out, '\n');
	}
	if (status->paused) {
		strbuf_append_string(p->out, "paused:   ");
		append_escaped(p, status->paused);
		strbuf_append_char(p->out, '\n');
	}
	if (status->log_count > LOGS_SHOWN)
		strbuf_appendf(p->out, "logs:     %zu; those that are not read to their end:\n",
			status->log_count);
	for (size_t i = 0; i < status->log_count; i++)
		append_log(p, &status->logs[i]);
	append_dns(p);
	for (size_t i = 0; i < status->database_count; i++)
		append_database(p, &status->databases[i]);
	for (size_t i = 0; i < status->job_count; i++)
		append_job(p, &status->jobs[i]);
	append_sql(p);
	for (size_t i = 0; i < status->warning_count; i++) {
		strbuf_append_string(p->out, "warning:  since ");
		append_since(p, status->warnings[i].since_us);
		strbuf_append_string(p->out, ": ");
		append_escaped(p, status->warnings[i].text);
		strbuf_append_char(p->out, '\n');
	}
	if (status->more_warnings)
		strbuf_appendf(p->out, "warning:  and %" PRIu64 " more\n", status->more_warnings);
}
