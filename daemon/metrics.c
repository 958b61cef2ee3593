/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/metrics.h"

#include "base/utf8.h"

#include <inttypes.h>

#define PREFIX "maillogsentinel_"

/* Of what samples() follow. */
static void family(StrBuf *sb, const char *name, const char *type, const char *help)
{
	strbuf_appendf(
		sb, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

/* Bytes from outside are made text first: one that is not UTF-8 would have the whole file refused. */
static void append_label(StrBuf *sb, const char *name, const char *value)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	utf8_append_escaped(&text, span_from_string(value));
	if (strbuf_error(&text) && !sb->error)
		sb->error = strbuf_error(&text);
	strbuf_appendf(sb, "%s=\"", name);
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\\' || text.data[i] == '"')
			strbuf_append_char(sb, '\\');
		strbuf_append_char(sb, text.data[i]);
	}
	strbuf_append_char(sb, '"');
}

/* A sample's name and its labels, of which the second may be NULL. */
static void begin(StrBuf *sb, const char *name, const char *label, const char *value,
	const char *label2, const char *value2)
{
	strbuf_appendf(sb, PREFIX "%s", name);
	if (label) {
		strbuf_append_char(sb, '{');
		append_label(sb, label, value);
		if (label2) {
			strbuf_append_char(sb, ',');
			append_label(sb, label2, value2);
		}
		strbuf_append_char(sb, '}');
	}
	strbuf_append_char(sb, ' ');
}

static void labelled(
	StrBuf *sb, const char *name, const char *label, const char *value, uint64_t number)
{
	begin(sb, name, label, value, NULL, NULL);
	strbuf_appendf(sb, "%" PRIu64 "\n", number);
}

static void append_seconds(StrBuf *sb, int64_t time_us)
{
	strbuf_appendf(sb, "%" PRId64 ".%06u\n", time_us / 1000000, (unsigned)(time_us % 1000000));
}

/* An instant that is not known has no sample. */
static void labelled_instant(
	StrBuf *sb, const char *name, const char *label, const char *value, int64_t time_us)
{
	if (time_us <= 0)
		return;
	begin(sb, name, label, value, NULL, NULL);
	append_seconds(sb, time_us);
}

static void counter(StrBuf *sb, const char *name, const char *help, uint64_t number)
{
	family(sb, name, "counter", help);
	labelled(sb, name, NULL, NULL, number);
}

static void gauge(StrBuf *sb, const char *name, const char *help, uint64_t number)
{
	family(sb, name, "gauge", help);
	labelled(sb, name, NULL, NULL, number);
}

static void instant(StrBuf *sb, const char *name, const char *help, int64_t time_us)
{
	family(sb, name, "gauge", help);
	labelled_instant(sb, name, NULL, NULL, time_us);
}

static void append_service(const Status *status, StrBuf *sb)
{
	gauge(sb, "up", "Whether the service runs: 0 once it was stopped.", !status->stopped_us);
	family(sb, "build_info", "gauge", "The version, as a label.");
	labelled(sb, "build_info", "version", status->version, 1);
	instant(sb, "start_time_seconds", "When the service was started.", status->started_us);
	gauge(sb, "config_generation",
		"The configuration in force: 1 at the start, and one more for each reload.",
		status->generation);
	gauge(sb, "config_last_reload_successful", "0 when the last reload changed nothing.",
		!status->reload_error);
	instant(sb, "config_last_reload_timestamp_seconds", "When the last reload was over.",
		status->reloaded_us);
	instant(sb, "last_commit_timestamp_seconds",
		"When rows and positions were last made durable.", status->committed_us);
	gauge(sb, "paused", "Whether reading pauses until what is wrong is mended.",
		status->paused != NULL);
}

static void append_counts(const Status *status, StrBuf *sb)
{
	const Counters *counts = &status->committed;

	counter(sb, "lines_total", "Lines of the logs that were read.", counts->lines);
	counter(sb, "lines_cut_total", "Lines of which only the start was looked at.",
		counts->skipped);
	counter(sb, "messages_lost_total", "Messages that the logging says it has dropped.",
		counts->lost);
	family(sb, "logins_total", "counter", "Logins in the logs, by what became of them.");
	labelled(sb, "logins_total", "result", "failure", counts->failures);
	labelled(sb, "logins_total", "result", "success", counts->successes);
	labelled(sb, "logins_total", "result", "outage", counts->outages);
	labelled(sb, "logins_total", "result", "aborted", counts->aborted);
	counter(sb, "rows_total", "Rows that were written to the CSV.", status->committed_rows);
	gauge(sb, "logins_waiting", "Failed logins that wait for the names of their addresses.",
		status->waiting);
}

static void append_logs(const Status *status, StrBuf *sb)
{
	size_t count = MIN(status->log_count, (size_t)METRICS_LOGS_MAX);
	uint64_t lag, sum = 0, open = 0;

	for (size_t i = 0; i < status->log_count; i++) {
		open += status->logs[i].open;
		if (status_log_lag(&status->logs[i], &lag))
			sum += lag;
	}
	gauge(sb, "logs", "Logs that are followed.", status->log_count);
	gauge(sb, "logs_open", "Of them those that are there and can be read.", open);
	gauge(sb, "lag_bytes", "Bytes of all logs that were not read yet, where that is known.",
		sum);
	family(sb, "log_lag_bytes", "gauge", "Bytes of the log that were not read yet.");
	for (size_t i = 0; i < count; i++)
		if (status_log_lag(&status->logs[i], &lag))
			labelled(sb, "log_lag_bytes", "log", status->logs[i].path, lag);
	family(sb, "log_last_read_timestamp_seconds", "gauge",
		"When lines of the log were last read.");
	for (size_t i = 0; i < count; i++)
		labelled_instant(sb, "log_last_read_timestamp_seconds", "log", status->logs[i].path,
			status->logs[i].read_us);
	family(sb, "log_lines_total", "counter", "Lines of the log that were read.");
	for (size_t i = 0; i < count; i++)
		labelled(sb, "log_lines_total", "log", status->logs[i].path,
			status->logs[i].committed.lines);
	family(sb, "log_failures_total", "counter", "Failed logins in the log.");
	for (size_t i = 0; i < count; i++)
		labelled(sb, "log_failures_total", "log", status->logs[i].path,
			status->logs[i].committed.failures);
}

static void append_dns(const StatusDns *dns, StrBuf *sb)
{
	const StatusDnsCounts *counts = &dns->counts;
	uint64_t settled = counts->cache_hits + counts->shared;

	gauge(sb, "dns_enabled", "Whether names of addresses are looked up.", dns->enabled);
	gauge(sb, "dns_up", "0 while no name server answers.", !dns->dead);
	family(sb, "dns_lookups_total", "counter",
		"Lookups of names: answered from the cache, by the query of another, or new.");
	labelled(sb, "dns_lookups_total", "by", "cache", counts->cache_hits);
	labelled(sb, "dns_lookups_total", "by", "other", counts->shared);
	labelled(sb, "dns_lookups_total", "by", "new",
		counts->lookups - MIN(settled, counts->lookups));
	counter(sb, "dns_queries_total", "Queries that were sent to name servers.",
		counts->queries);
	family(sb, "dns_answers_total", "counter", "New lookups, by what came of them.");
	labelled(sb, "dns_answers_total", "status", "ok", counts->ok);
	labelled(sb, "dns_answers_total", "status", "no_name", counts->no_name);
	labelled(sb, "dns_answers_total", "status", "failed", counts->failed);
	labelled(sb, "dns_answers_total", "status", "no_ptr", counts->no_ptr);
	labelled(sb, "dns_answers_total", "status", "timeout", counts->timeout);
	labelled(sb, "dns_answers_total", "status", "off", counts->off);
	gauge(sb, "dns_queries_in_flight", "Queries that wait for their answer.", dns->in_flight);
	gauge(sb, "dns_lookups_queued", "Lookups that wait to be sent.", dns->queued);
	gauge(sb, "dns_cache_entries", "Answers that are kept.", dns->cached);
}

static void append_databases(const Status *status, StrBuf *sb)
{
	if (!status->database_count)
		return;
	family(sb, "database_used", "gauge", "Whether addresses are looked up in the database.");
	for (size_t i = 0; i < status->database_count; i++)
		labelled(sb, "database_used", "database", status->databases[i].kind,
			status->databases[i].used);
	family(sb, "database_timestamp_seconds", "gauge",
		"When the data of the database was made.");
	for (size_t i = 0; i < status->database_count; i++)
		if (status->databases[i].used)
			labelled_instant(sb, "database_timestamp_seconds", "database",
				status->databases[i].kind, status->databases[i].date_us);
	family(sb, "database_ranges", "gauge", "Ranges of addresses in the database.");
	for (size_t i = 0; i < status->database_count; i++) {
		const StatusDatabase *database = &status->databases[i];

		begin(sb, "database_ranges", "database", database->kind, "family", "ipv4");
		strbuf_appendf(sb, "%" PRIu64 "\n", database->ranges_v4);
		begin(sb, "database_ranges", "database", database->kind, "family", "ipv6");
		strbuf_appendf(sb, "%" PRIu64 "\n", database->ranges_v6);
	}
}

static void append_jobs(const Status *status, StrBuf *sb)
{
	const StatusJob *jobs = status->jobs;

	if (!status->job_count)
		return;
	family(sb, "job_running", "gauge", "Whether the job runs.");
	for (size_t i = 0; i < status->job_count; i++)
		labelled(sb, "job_running", "name", jobs[i].name, jobs[i].running_us != 0);
	family(sb, "job_failures", "gauge", "How many of its last runs have failed, in a row.");
	for (size_t i = 0; i < status->job_count; i++)
		labelled(sb, "job_failures", "name", jobs[i].name, jobs[i].failures);
	family(sb, "job_last_end_timestamp_seconds", "gauge", "When it last ended.");
	for (size_t i = 0; i < status->job_count; i++)
		labelled_instant(sb, "job_last_end_timestamp_seconds", "name", jobs[i].name,
			jobs[i].ended_us);
	family(sb, "job_last_success_timestamp_seconds", "gauge", "When it last ended well.");
	for (size_t i = 0; i < status->job_count; i++)
		labelled_instant(sb, "job_last_success_timestamp_seconds", "name", jobs[i].name,
			jobs[i].ok_us);
	family(sb, "job_next_timestamp_seconds", "gauge", "When it runs next.");
	for (size_t i = 0; i < status->job_count; i++)
		labelled_instant(
			sb, "job_next_timestamp_seconds", "name", jobs[i].name, jobs[i].next_us);
}

static void append_sql(const StatusSql *sql, StrBuf *sb)
{
	if (!sql->path)
		return;
	gauge(sb, "sql_files_waiting", "Files of SQL that are not in the database.", sql->files);
	gauge(sb, "sql_bytes_waiting", "Their bytes.", sql->bytes);
	instant(sb, "sql_oldest_waiting_timestamp_seconds", "When the oldest of them was written.",
		sql->oldest_us);
	instant(sb, "sql_last_import_timestamp_seconds",
		"When sql-import last saw which files the database has.", sql->imported_us);
}

typedef struct Kind {
	Span name;
	uint64_t count;
} Kind;

/* The kind is what stands before the first colon of a warning's key; what follows there comes from outside. */
static size_t count_kinds(const Status *status, Kind kinds[METRICS_KINDS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < status->warning_count; i++) {
		const char *key = status->warnings[i].key;
		Span name = {key, strcspn(key, ":")};
		size_t at = 0;

		while (at < count && !span_equal(kinds[at].name, name))
			at++;
		if (at == METRICS_KINDS_MAX)
			continue;
		if (at == count)
			kinds[count++] = (Kind){.name = name};
		kinds[at].count++;
	}
	return count;
}

static void append_warnings(const Status *status, StrBuf *sb)
{
	Kind kinds[METRICS_KINDS_MAX];
	size_t count = count_kinds(status, kinds);

	gauge(sb, "warnings", "Warnings that stand.",
		status->warning_count + status->more_warnings);
	if (count)
		family(sb, "warnings_by_kind", "gauge", "Warnings that stand, by their kind.");
	for (size_t i = 0; i < count; i++) {
		_cleanup_strbuf_ StrBuf name = STRBUF_INIT;

		strbuf_append_span(&name, kinds[i].name);
		if (strbuf_error(&name))
			sb->error = strbuf_error(&name);
		labelled(sb, "warnings_by_kind", "kind", strbuf_text(&name), kinds[i].count);
	}
}

void metrics_append(const Status *status, StrBuf *sb)
{
	append_service(status, sb);
	append_counts(status, sb);
	append_logs(status, sb);
	append_dns(&status->dns, sb);
	append_databases(status, sb);
	append_jobs(status, sb);
	append_sql(&status->sql, sb);
	append_warnings(status, sb);
}
