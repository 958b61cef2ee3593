/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"
#include "daemon/journal-lag.h"
#include "daemon/status-print.h"

#include <inttypes.h>

/* Nothing stands before it in its object or array. */
static bool is_first(const StatusPrinter *p)
{
	return !p->out->len || strchr("{[", p->out->data[p->out->len - 1]);
}

static void append_name(StatusPrinter *p, const char *name)
{
	strbuf_appendf(p->out, "%s\"%s\":", is_first(p) ? "" : ",", name);
}

/* An object of an array. */
static void begin_item(StatusPrinter *p)
{
	strbuf_append_string(p->out, is_first(p) ? "{" : ",{");
}

static void append_number(StatusPrinter *p, const char *name, uint64_t value)
{
	append_name(p, name);
	strbuf_append_u64(p->out, value);
}

static void append_bool(StatusPrinter *p, const char *name, bool value)
{
	append_name(p, name);
	strbuf_append_string(p->out, value ? "true" : "false");
}

static void append_string(StatusPrinter *p, const char *name, const char *text)
{
	append_name(p, name);
	json_append_string(p->out, span_from_string(text));
}

static void append_null(StatusPrinter *p, const char *name)
{
	append_name(p, name);
	strbuf_append_string(p->out, "null");
}

/* A number with three decimals. */
static void append_thousandths(StatusPrinter *p, const char *name, uint64_t value)
{
	append_name(p, name);
	strbuf_appendf(p->out, "%" PRIu64 ".%03u", value / 1000, (unsigned)(value % 1000));
}

/* Null when it is not known. */
static void append_instant(StatusPrinter *p, const char *name, int64_t time_us)
{
	char text[CALENDAR_ISO_MAX];

	append_name(p, name);
	json_append_string(
		p->out, time_us ? (Span){text, calendar_format_iso(&p->zone, time_us, text)}
				: SPAN_MISSING);
}

/* Whole seconds since the instant, null when it is not known. */
static void append_age(StatusPrinter *p, const char *name, int64_t time_us)
{
	if (time_us)
		append_number(p, name, (uint64_t)(MAX(p->now_us - time_us, 0) / 1000000));
	else
		append_null(p, name);
}

static void append_counters(StatusPrinter *p, const Counters *counters)
{
	append_number(p, "lines", counters->lines);
	append_number(p, "failures", counters->failures);
	append_number(p, "successes", counters->successes);
	append_number(p, "outages", counters->outages);
	append_number(p, "aborted", counters->aborted);
	append_number(p, "skipped", counters->skipped);
	append_number(p, "lost", counters->lost);
}

static void append_json_log(StatusPrinter *p, const StatusLog *log)
{
	uint64_t lag;

	begin_item(p);
	append_string(p, "path", log->path);
	append_bool(p, "open", log->open);
	if (log->open && log->inode)
		append_number(p, "offset", log->offset);
	else
		append_null(p, "offset");
	append_string(p, "cursor", log->cursor);
	if (status_log_lag(log, &lag))
		append_number(p, "lag", lag);
	else
		append_null(p, "lag");
	if (journal_lag(log, &lag))
		append_number(p, "lag_entries", lag);
	else
		append_null(p, "lag_entries");
	append_instant(p, "last_read", log->read_us);
	append_age(p, "last_read_age", log->read_us);
	append_counters(p, &log->counters);
	strbuf_append_char(p->out, '}');
}

static void append_json_dns(StatusPrinter *p)
{
	const StatusDns *dns = &p->status->dns;
	const StatusDnsCounts *counts = &dns->counts;
	unsigned permille;

	append_name(p, "dns");
	strbuf_append_char(p->out, '{');
	append_bool(p, "enabled", dns->enabled);
	append_bool(p, "dead", dns->dead);
	append_instant(p, "since", dns->since_us);
	append_number(p, "lookups", counts->lookups);
	append_number(p, "cache_hits", counts->cache_hits);
	append_number(p, "shared", counts->shared);
	append_number(p, "queries", counts->queries);
	append_number(p, "ok", counts->ok);
	append_number(p, "no_name", counts->no_name);
	append_number(p, "failed", counts->failed);
	append_number(p, "no_ptr", counts->no_ptr);
	append_number(p, "timeout", counts->timeout);
	append_number(p, "off", counts->off);
	append_number(p, "in_flight", dns->in_flight);
	append_number(p, "queued", dns->queued);
	append_number(p, "cached", dns->cached);
	append_thousandths(p, "lookups_per_minute", status_dns_rate(p->status, p->now_us));
	if (status_dns_hits(p->status, &permille))
		append_thousandths(p, "cache_hit_ratio", permille);
	else
		append_null(p, "cache_hit_ratio");
	strbuf_append_char(p->out, '}');
}

static void append_json_database(StatusPrinter *p, const StatusDatabase *database)
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
	strbuf_append_char(p->out, '}');
}

static void append_json_job(StatusPrinter *p, const StatusJob *job)
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
	strbuf_append_char(p->out, '}');
}

/* Null when nothing is known of it. */
static void append_json_sql(StatusPrinter *p)
{
	const StatusSql *sql = &p->status->sql;

	if (!sql->path) {
		append_null(p, "sql");
		return;
	}
	append_name(p, "sql");
	strbuf_append_char(p->out, '{');
	append_string(p, "path", sql->path);
	append_number(p, "files_waiting", sql->files);
	append_number(p, "bytes_waiting", sql->bytes);
	append_instant(p, "oldest_waiting", sql->oldest_us);
	append_age(p, "oldest_waiting_age", sql->oldest_us);
	append_instant(p, "last_import", sql->imported_us);
	append_age(p, "last_import_age", sql->imported_us);
	strbuf_append_char(p->out, '}');
}

void status_print_json(StatusPrinter *p)
{
	const Status *status = p->status;
	Counters sum = status_sum(status);

	strbuf_append_char(p->out, '{');
	append_bool(p, "running", p->running);
	append_string(p, "version", status->version);
	append_number(p, "pid", (uint64_t)status->pid);
	append_instant(p, "started", status->started_us);
	append_instant(p, "stopped", status->stopped_us);
	append_instant(p, "written", status->written_us);
	append_instant(p, "committed", status->committed_us);
	append_number(p, "generation", status->generation);
	append_instant(p, "reloaded", status->reloaded_us);
	append_string(p, "reload_error", status->reload_error);
	append_counters(p, &sum);
	append_number(p, "rows", status->rows);
	append_number(p, "waiting", status->waiting);
	append_string(p, "paused", status->paused);
	append_string(p, "source", status->source);
	append_name(p, "logs");
	strbuf_append_char(p->out, '[');
	for (size_t i = 0; i < status->log_count; i++)
		append_json_log(p, &status->logs[i]);
	strbuf_append_char(p->out, ']');
	append_json_dns(p);
	append_name(p, "databases");
	strbuf_append_char(p->out, '[');
	for (size_t i = 0; i < status->database_count; i++)
		append_json_database(p, &status->databases[i]);
	strbuf_append_char(p->out, ']');
	append_name(p, "jobs");
	strbuf_append_char(p->out, '[');
	for (size_t i = 0; i < status->job_count; i++)
		append_json_job(p, &status->jobs[i]);
	strbuf_append_char(p->out, ']');
	append_json_sql(p);
	append_name(p, "warnings");
	strbuf_append_char(p->out, '[');
	for (size_t i = 0; i < status->warning_count; i++) {
		const StatusWarning *warning = &status->warnings[i];

		strbuf_append_string(p->out, i ? ",{" : "{");
		append_string(p, "key", warning->key);
		append_instant(p, "since", warning->since_us);
		append_age(p, "age", warning->since_us);
		append_string(p, "text", warning->text);
		strbuf_append_char(p->out, '}');
	}
	strbuf_append_char(p->out, ']');
	append_number(p, "more_warnings", status->more_warnings);
	strbuf_append_string(p->out, "}\n");
}
