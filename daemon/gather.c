/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/gather.h"

#include "base/calendar.h"
#include "build-config.h"
#include "daemon/alerts.h"
#include "daemon/attachment.h"
#include "daemon/failures.h"
#include "daemon/hostname.h"
#include "daemon/log.h"
#include "report/history.h"
#include "report/stats.h"
#include "store/csv.h"
#include "store/csvfind.h"
#include "store/csvreader.h"

#include <inttypes.h>
#include <stdio.h>

#define READER "report"
#define DATE_LEN 10
#define MISSING_SAID 10 /* of the gaps in the rows; of the others their number */
#define DAYS_BEFORE 40  /* with a date: that are looked at for what is new */
#define CHUNK_SIZE ((size_t)65536)

struct Gather {
	const Config *config;
	const GatherOptions *options; /* while it is made */
	bool has_start;
	Bookmark start, end;
	ReportStats *stats;
	ReportStats *before; /* with a date: the rows of the days before that count */
	History *history;
	ServiceState service;
	Alerts alerts;
	Attachment attachment;
	bool has_attachment;
	char *server, *mode, *csv_path, *attachment_name, *attachment_note;
	int32_t day; /* --date, or that of until_us */
	char day_text[DATE_LEN + 1];
	LocalZone zone;
	ReportFacts facts;
	Why csv_why; /* why the CSV can't be read */

	/* while rows are read */
	StrBuf scratch;
	uint64_t missing, skipped;
	Why skipped_why;           /* the first */
	char other_date[DATE_LEN]; /* of the row before that was not of the day, */
	bool other_counts;         /* and whether it is one of the days before */
	bool has_before,
		has_older; /* there are rows of a day before, and of one before those that count */
};

void gather_free(Gather *gather)
{
	if (!gather)
		return;
	stats_free(gather->stats);
	stats_free(gather->before);
	history_free(gather->history);
	alerts_done(&gather->alerts);
	attachment_done(&gather->attachment);
	strbuf_done(&gather->scratch);
	free(gather->server);
	free(gather->mode);
	free(gather->csv_path);
	free(gather->attachment_name);
	free(gather->attachment_note);
	free(gather);
}

/* ---- days ----------------------------------------------------------------------------------- */

static int32_t day_of(LocalZone *zone, int64_t time_us, char ret_text[DATE_LEN + 1])
{
	CivilTime civil;
	char text[CALENDAR_MINUTE_MAX];

	local_zone_civil(zone, time_us, &civil);
	(void)calendar_format_minute(zone, time_us, text);
	memcpy(ret_text, text, DATE_LEN);
	ret_text[DATE_LEN] = '\0';
	return (int32_t)calendar_days(civil.year, civil.month, civil.day);
}

/* The window of a day; it ends now at the latest. */
static int choose_date(Gather *gather, const char *date, int64_t now_us, Why *ret_why)
{
	ReportFacts *facts = &gather->facts;
	CivilTime civil;
	int r = calendar_parse_date(span_from_string(date), &civil);

	if (!r)
		r = local_zone_instant(&gather->zone, &civil, &facts->from_us);
	if (r < 0) {
		why_set(ret_why, "\"%.64s\" is no date such as 2026-11-22", date);
		return r;
	}
	gather->day = (int32_t)calendar_days(civil.year, civil.month, civil.day);
	memcpy(gather->day_text, date, DATE_LEN + 1);
	civil.hour = 23;
	civil.minute = 59;
	civil.second = 59;
	r = local_zone_instant(&gather->zone, &civil, &facts->until_us);
	facts->until_us = MAX(facts->from_us, MIN(facts->until_us, now_us));
	return r;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Says it, here and in the report. */
static void PRINTF_LIKE(3, 4) alert(Gather *gather, const char *key, const char *fmt, ...)
{
	Why why;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why.text, sizeof(why.text), fmt, ap);
	va_end(ap);
	if (gather->options->until)
		return;
	log_warning("%s", why.text);
	alerts_add(&gather->alerts, gather->options->now_us, key, "%s", why.text);
}

static void note_missing(Gather *gather, const Why *why)
{
	if (gather->missing++ < MISSING_SAID)
		alert(gather, "rows-missing", "%s", why->text);
}

static int attach(Gather *gather, Span line)
{
	int r;

	if (!gather->has_attachment || gather->config->report.attach != REPORT_ATTACH_NEW)
		return 0;
	r = attachment_add(&gather->attachment, line);
	return r ? r : attachment_add(&gather->attachment, SPAN_LITERAL("\n"));
}

/* With a date: whether a row of another one is of the days before that are compared with. */
static bool is_before(Gather *gather, const char *date)
{
	CivilTime civil;
	int64_t day;

	if (!memcmp(date, gather->other_date, DATE_LEN))
		return gather->other_counts;
	memcpy(gather->other_date, date, DATE_LEN);
	gather->other_counts = false;
	if (calendar_parse_date((Span){date, DATE_LEN}, &civil) < 0)
		return false;
	day = calendar_days(civil.year, civil.month, civil.day);
	gather->has_before |= day < gather->day;
	gather->has_older |= day < gather->day - DAYS_BEFORE;
	gather->other_counts = day < gather->day && day >= gather->day - DAYS_BEFORE;
	return gather->other_counts;
}

/* 0 or -errno. */
static int take_line(Gather *gather, Span line)
{
	Why why = {""};
	int r;
	Row row;

	r = csv_parse_row(line, &gather->scratch, &row, &why);
	if (r == CSV_NOT_A_ROW) {
		if (!gather->skipped++)
			gather->skipped_why = why;
		stats_skip(gather->stats);
		return 0;
	}
	if (r < 0)
		return r;
	if (gather->options->date &&
		memcmp(row.field[COLUMN_DATE].data, gather->day_text, DATE_LEN) != 0)
		return is_before(gather, row.field[COLUMN_DATE].data)
			       ? stats_add(gather->before, &row)
			       : 0;
	r = stats_add(gather->stats, &row);
	return r ? r : attach(gather, line);
}

static bool is_at(CsvPlace place, const CsvPlace *until)
{
	return until && (place.series != until->series || place.number > until->number ||
				(place.number == until->number && place.offset >= until->offset));
}

/* 0 or -errno with *ret_why. */
static int read_rows(Gather *gather, CsvReader *reader, Why *ret_why)
{
	const CsvPlace *until = gather->options->until;
	Why why = {""};
	Span line;
	int r = 0;

	while (!is_at(csvreader_place(reader), until) && r != CSVREADER_END) {
		r = csvreader_next(reader, &line, &why);
		if (r == CSVREADER_MISSING)
			note_missing(gather, &why);
		if (r < 0) {
			*ret_why = why;
			return r;
		}
		if (r)
			continue;
		r = take_line(gather, line);
		if (r < 0) {
			why_set(ret_why, "%s: %s", gather->csv_path, strerror(-r));
			return r;
		}
	}
	gather->end.place = until ? *until : csvreader_place(reader);
	return 0;
}

/* What else is not as it should be in the rows. */
static void check_rows(Gather *gather, const Checkpoint *checkpoint)
{
	uint64_t first =
		checkpoint->before_count ? checkpoint->before[0].number : checkpoint->csv_number;

	if (gather->missing > MISSING_SAID)
		alert(gather, "rows-missing", "rows are missing in %" PRIu64 " more places",
			gather->missing - MISSING_SAID);
	if (gather->skipped)
		alert(gather, "rows-foreign",
			"%s: lines that are no rows and don't count: %" PRIu64 "; the first: %s",
			gather->csv_path, gather->skipped, gather->skipped_why.text);
	if (gather->options->date && first > 1 && !gather->has_before)
		alert(gather, "rows-rotated",
			"%s: rows of %s may be in rotated files that are not read any more",
			gather->csv_path, gather->day_text);
}

/* ---- the CSV as a file ---------------------------------------------------------------------- */

/* Counts its rows, as far as they are committed, and attaches it where that is wanted. 0 or -ENOMEM. */
static int read_csv(Gather *gather, const Checkpoint *checkpoint)
{
	bool wanted =
		gather->has_attachment && gather->config->report.attach == REPORT_ATTACH_WHOLE;
	_cleanup_csvfound_ CsvFound found = CSV_FOUND_INIT;
	_cleanup_free_ char *data = malloc(CHUNK_SIZE);
	uint64_t left, lines = 0;
	int r = data ? csvfind(gather->csv_path, &checkpoint->csv, &found) : -ENOMEM;

	left = found.reader ? MIN(found.length, checkpoint->csv.offset) : 0;
	gather->facts.csv_bytes = left;
	while (left) {
		ssize_t n = reader_read(found.reader, data, MIN(left, (uint64_t)CHUNK_SIZE));

		r = wanted && n > 0 ? attachment_add(&gather->attachment, (Span){data, (size_t)n})
				    : (int)MIN(n, 0);
		if (n <= 0 || r < 0)
			break;
		left -= (uint64_t)n;
		for (const char *p = data; (p = memchr(p, '\n', (size_t)(data + n - p))); p++)
			lines++;
	}
	gather->facts.csv_rows = lines ? lines - 1 : 0;
	if (r == -ENOMEM)
		return r;
	if (r == CSVFIND_GONE)
		why_set(&gather->csv_why, "%s: is gone", gather->csv_path);
	else if (r < 0)
		why_set(&gather->csv_why, "%s: %s", gather->csv_path, strerror(-r));
	/* That it is gone has been said where rows of it were new. */
	if (*gather->csv_why.text && (r < 0 || !gather->missing))
		alert(gather, "csv", "%s", gather->csv_why.text);
	return 0;
}

/* ---- the attachment ------------------------------------------------------------------------- */

/* 0 or -errno. */
static int end_attachment(Gather *gather)
{
	const Config *config = gather->config;
	bool is_new = config->report.attach == REPORT_ATTACH_NEW;
	_cleanup_strbuf_ StrBuf note = STRBUF_INIT;
	int r = attachment_end(&gather->attachment);

	if (r < 0)
		return r;
	if (gather->attachment.too_large)
		strbuf_appendf(&note,
			"left out: packed, it has more than %" PRIu64
			" KiB (report.max_attachment)",
			config->report.max_attachment_bytes / 1024);
	else if (is_new && !gather->facts.total)
		strbuf_append_string(&note, "none: there are no new rows");
	else if (*gather->csv_why.text)
		strbuf_appendf(&note, "left out: %s", gather->csv_why.text);
	gather->has_attachment = !note.len;
	if (note.len)
		gather->facts.attachment_note = gather->attachment_note = strbuf_take(&note);
	else
		gather->facts.attachment = gather->attachment_name =
			attachment_name_dup(&gather->attachment, config->paths.csv_filename,
				is_new ? gather->day_text : NULL);
	return gather->facts.attachment || gather->facts.attachment_note ? 0 : -ENOMEM;
}

/* ---- what is beside the rows ---------------------------------------------------------------- */

/* "file /var/log/mail.log and 2 more" */
static char *mode_dup(const Config *config, SourceKind kind)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	size_t count = 1;

	if (kind == SOURCE_JOURNAL)
		return strdup("journal");
	while (config->paths.mail_log[count])
		count++;
	strbuf_appendf(&sb, "file %s", config->paths.mail_log[0]);
	if (count > 1)
		strbuf_appendf(&sb, " and %zu more", count - 1);
	return strbuf_take(&sb);
}

static Counters sum_counters(const Checkpoint *checkpoint)
{
	Counters sum = {0};

	for (size_t i = 0; i < checkpoint->log_count; i++)
		counters_add(&sum, &checkpoint->logs[i].counters);
	return sum;
}

/* What was counted since the last report; not known where that did not count, or more than there is now. */
static void count_others(Gather *gather, const Checkpoint *checkpoint)
{
	const Counters *now = &gather->end.counters;
	Counters since = {0};
	bool is_same = gather->has_start && gather->start.place.series == checkpoint->csv_series;

	gather->end.has_counters = true;
	gather->end.counters = sum_counters(checkpoint);
	if (is_same && !gather->start.has_counters)
		return;
	if (is_same)
		since = gather->start.counters;
	if (now->successes < since.successes || now->outages < since.outages ||
		now->aborted < since.aborted)
		return;
	gather->facts.counters_known = true;
	gather->facts.successes = now->successes - since.successes;
	gather->facts.outages = now->outages - since.outages;
	gather->facts.aborted = now->aborted - since.aborted;
}

/*
 * Up to when all that was logged is among the rows: now, while the service runs (without anything new it need not write), else when it was last
 * heard of. Then whether that is all of this day so far.
 */
static void choose_window(Gather *gather, const Checkpoint *checkpoint)
{
	const ServiceState *service = &gather->service;
	int64_t now_us = gather->options->now_us;
	ReportFacts *facts = &gather->facts;
	char text[DATE_LEN + 1];
	const StatsDay *days;
	size_t count = stats_days(gather->stats, &days);

	facts->from_us = gather->has_start ? gather->start.written_us : 0;
	facts->until_us = service->running
				  ? now_us
				  : MIN(MAX(checkpoint->written_us, service->heard_us), now_us);
	if (gather->options->until)
		facts->until_us = now_us;
	if (facts->from_us <= now_us)
		facts->until_us = MAX(facts->until_us, facts->from_us);
	gather->day = day_of(&gather->zone, facts->until_us, gather->day_text);
	facts->whole_day =
		gather->day == day_of(&gather->zone, now_us, text) &&
		(!count || (count == 1 && days[0].day == gather->day)) &&
		(!facts->from_us || day_of(&gather->zone, facts->from_us, text) < gather->day);
}

/* 0 or -errno. */
static int compare(Gather *gather)
{
	_cleanup_(stats_freep) ReportStats *none = NULL;
	int r = 0;

	/* Of a day it is the CSV that knows what came before. */
	if (gather->has_older) {
		r = stats_new(&none);
		if (!r)
			r = history_add(gather->history, none, gather->day - DAYS_BEFORE - 1, NULL);
	}
	if (!r && gather->has_before)
		r = history_add(gather->history, gather->before, gather->day - 1, NULL);
	return r ? r : history_add(gather->history, gather->stats, gather->day, &gather->facts);
}

static void add_failures(Gather *gather)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	const char *state_dir = gather->config->paths.state_dir;
	int64_t since_us = 0;
	int r = failures_append(state_dir, &text, &since_us);

	if (r < 0)
		alert(gather, "spool", "%s/spool: %s", state_dir, strerror(-r));
	else if (text.len)
		alerts_add(&gather->alerts, since_us, FAILURES_KEY, "%s", text.data);
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* The bookmark and the history that it holds. 0 or -errno with *ret_why. */
static int load_start(Gather *gather, Why *ret_why)
{
	const char *state_dir = gather->config->paths.state_dir;
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT;
	Why why = {""};
	int r = bookmark_load(state_dir, READER, &gather->start, &payload, &why);

	if (r < 0) {
		why_set(ret_why, "%s/%s.offset: %s", state_dir, READER,
			*why.text ? why.text : strerror(-r));
		return r;
	}
	gather->has_start = r != BOOKMARK_NONE;
	r = history_load(gather->history, (Span){strbuf_text(&payload), payload.len}, &why);
	if (r == -ENOMEM)
		why_set(ret_why, "%s", strerror(-r));
	if (r != -EBADMSG)
		return r;
	alert(gather, "history", "%s/%s.offset: %s; what was seen before is not known", state_dir,
		READER, why.text);
	return 0;
}

/* 0 or -errno with *ret_why. */
static int prepare(Gather *gather, Why *ret_why)
{
	const GatherOptions *options = gather->options;
	int r = stats_new(&gather->stats);

	if (!r)
		r = history_new(&gather->history);
	if (!r && options->date)
		r = stats_new(&gather->before);
	if (r < 0) {
		why_set(ret_why, "%s", strerror(-r));
		return r;
	}
	r = options->date ? choose_date(gather, options->date, options->now_us, ret_why)
			  : load_start(gather, ret_why);
	gather->has_attachment =
		options->with_attachment && gather->config->report.attach != REPORT_ATTACH_NONE;
	gather->attachment.limit_bytes = (size_t)gather->config->report.max_attachment_bytes;
	if (!r && gather->has_attachment && gather->config->report.attach == REPORT_ATTACH_NEW)
		r = attachment_add(&gather->attachment, csv_header());
	return r;
}

/* All but the rows. 0 or -errno with *ret_why. */
static int conclude(Gather *gather, const Checkpoint *checkpoint, Why *ret_why)
{
	const GatherOptions *options = gather->options;
	ReportFacts *facts = &gather->facts;
	const StatsDay *days;
	int r;

	check_rows(gather, checkpoint);
	if (!options->date)
		choose_window(gather, checkpoint);
	if (!options->date && !options->until)
		count_others(gather, checkpoint);
	gather->end.written_us = options->now_us;
	facts->version = MLS_VERSION;
	facts->server = gather->server;
	facts->mode = gather->mode;
	facts->now_us = options->now_us;
	facts->whole_day |= options->date != NULL;
	memcpy(facts->date, gather->day_text, sizeof(facts->date));
	facts->csv_path = gather->csv_path;
	r = stats_report(gather->stats, facts);
	if (!r && !(options->until && !stats_days(gather->stats, &days)))
		r = compare(gather);
	if (!r && !options->until)
		r = read_csv(gather, checkpoint);
	if (!r && gather->has_attachment)
		r = end_attachment(gather);
	if (!r)
		r = gather->alerts.error;
	if (r < 0)
		why_set(ret_why, "%s", strerror(-r));
	facts->warnings = gather->alerts.list;
	facts->warning_count = gather->alerts.count;
	return r;
}

int gather_new(
	const Config *config, const GatherOptions *options, Gather **ret_gather, Why *ret_why)
{
	_cleanup_(gather_freep) Gather *gather = calloc(1, sizeof(*gather));
	_cleanup_(csvreader_freep) CsvReader *reader = NULL;
	const Checkpoint *checkpoint;
	int r;

	if (!gather) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	gather->config = config;
	gather->options = options;
	gather->facts.day_before = -1;
	gather->facts.week_mean = -1;
	r = prepare(gather, ret_why);
	if (!r)
		r = csvreader_open(config->paths.state_dir,
			gather->has_start ? &gather->start.place : NULL, &reader, ret_why);
	if (r)
		return r < 0 ? r : GATHER_NOTHING;
	checkpoint = csvreader_checkpoint(reader);
	if (!options->until) {
		alerts_add_service(&gather->alerts, config, checkpoint->written_us, options->now_us,
			&gather->service);
		add_failures(gather);
	}
	gather->server = hostname_dup();
	gather->mode = mode_dup(config, checkpoint->source);
	gather->csv_path =
		checkpoint->csv_path ? strdup(checkpoint->csv_path) : config_csv_path_dup(config);
	if (!gather->server || !gather->mode || !gather->csv_path) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	r = read_rows(gather, reader, ret_why);
	if (!r)
		r = conclude(gather, checkpoint, ret_why);
	if (r < 0)
		return r;
	gather->options = NULL;
	*ret_gather = TAKE(gather);
	return 0;
}

const ReportFacts *gather_facts(const Gather *gather)
{
	return &gather->facts;
}

bool gather_attachment(
	const Gather *gather, const char **ret_name, const char **ret_type, Span *ret_bytes)
{
	if (!gather->has_attachment)
		return false;
	*ret_name = gather->attachment_name;
	*ret_type = gather->attachment.packed ? "application/gzip" : "text/csv";
	*ret_bytes = (Span){strbuf_text(&gather->attachment.bytes), gather->attachment.bytes.len};
	return true;
}

const Bookmark *gather_start(const Gather *gather)
{
	return gather->has_start ? &gather->start : NULL;
}

const Bookmark *gather_end(const Gather *gather)
{
	return &gather->end;
}

void gather_payload(const Gather *gather, StrBuf *sb)
{
	history_append(gather->history, sb);
}
