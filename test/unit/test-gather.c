/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a report is gathered from: a CSV with its checkpoint, a bookmark, a status file, reports that failed. Each case makes them and says
 * in a line what the facts have to be.
 */
#include "daemon/gather.h"

#include "base/hash.h"
#include "random.h"
#include "report/spool.h"
#include "scratch.h"
#include "state/checkpoint.h"
#include "store/csv.h"
#include "tap.h"

#include <inttypes.h>

#define CSV "csv/out.csv"
#define DAY_US ((int64_t)86400 * 1000000)
#define HOUR_US ((int64_t)3600 * 1000000)
#define MAY_17 ((int64_t)20225 * DAY_US) /* 2025-05-17 00:00 UTC */
#define NOW_US (MAY_17 + 20 * HOUR_US)

static Config *config;
static char base[4096];

static void configure(const char *report)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, errors = STRBUF_INIT;

	strbuf_appendf(&text,
		"paths: { working_dir = \"%s/csv\"; state_dir = \"%s/state\"; csv_filename = "
		"\"out.csv\"; mail_log = \"/l/mail.log\"; };\nreport: { %s };\n",
		base, base, report);
	scratch_write("conf", text.data, text.len);
	config_free(config);
	config = NULL;
	if (config_load("conf", &config, &errors))
		tap_note("%s", strbuf_text(&errors));
	MUST(config);
}

/* An empty CSV that is committed, and no bookmark. */
static void set_up(void)
{
	scratch_empty();
	MUST(!mkdir("csv", 0700) && !mkdir("state", 0700));
	scratch_write(CSV, csv_header().data, csv_header().len);
	configure("");
}

/* "17 12:05 192.0.2.1 u", and so on: a row of May 2025. */
static void append(const char *row)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char day[3], time[6], ip[64], user[64];

	MUST(sscanf(row, "%2s %5s %63s %63s", day, time, ip, user) == 4);
	strbuf_appendf(&sb, "srv,\"2025-05-%s %s\",%s,%s,null,Errno 1,US,565,\"xy\"\n", day, time,
		ip, user);
	scratch_append(CSV, sb.data, sb.len);
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	MUST(!stat(path, &st));
	return (uint64_t)st.st_size;
}

static int64_t committed_us = NOW_US - HOUR_US;

/* What is in the CSV is committed; number is how many files there were, `counter` what the log's counters say. */
static void commit(uint64_t series, uint64_t number, uint64_t counter)
{
	_cleanup_checkpoint_ Checkpoint cp = CHECKPOINT_INIT;
	_cleanup_strbuf_ StrBuf path = STRBUF_INIT;
	_cleanup_close_ int fd = open(CSV, O_RDONLY | O_CLOEXEC);
	LogState *log;

	strbuf_appendf(&path, "%s/%s", base, CSV);
	cp.csv_path = strbuf_take(&path);
	cp.csv_series = series;
	cp.csv_number = number;
	cp.source = SOURCE_FILE;
	cp.written_us = committed_us;
	MUST(fd >= 0 && cp.csv_path && !mark_from_fd(fd, size_of(CSV), &cp.csv));
	MUST(!checkpoint_add_log(&cp, "/l/mail.log", &log));
	log->counters =
		(Counters){.successes = 10 * counter, .outages = counter, .aborted = 2 * counter};
	MUST(!checkpoint_save("state/state.offset", &cp));
}

static void append_facts(const Gather *gather, StrBuf *sb)
{
	const ReportFacts *facts = gather_facts(gather);
	const char *name, *type;
	Span bytes;

	strbuf_appendf(sb, "total=%d skipped=%d %s%s from=%dh until=%dh", (int)facts->total,
		(int)facts->skipped_rows, facts->date, facts->whole_day ? " whole" : "",
		(int)(facts->from_us ? (facts->from_us - MAY_17) / HOUR_US : -1),
		(int)((facts->until_us - MAY_17) / HOUR_US));
	if (facts->history_known)
		strbuf_appendf(sb, " new=%d/%d/%d", (int)facts->new_addresses,
			(int)facts->new_networks, (int)facts->new_countries);
	if (facts->day_before >= 0)
		strbuf_appendf(sb, " before=%d mean=%.1f/%u", (int)facts->day_before,
			facts->week_mean, facts->week_days);
	if (facts->counters_known)
		strbuf_appendf(sb, " %d/%d/%d", (int)facts->successes, (int)facts->outages,
			(int)facts->aborted);
	strbuf_appendf(sb, " csv=%d", (int)facts->csv_rows);
	if (gather_attachment(gather, &name, &type, &bytes))
		strbuf_appendf(sb, " %s=%s", name, type);
	else if (facts->attachment_note)
		strbuf_appendf(sb, " (%s)", facts->attachment_note);
	for (size_t i = 0; i < facts->warning_count; i++)
		strbuf_appendf(sb, " !%s", facts->warnings[i].key);
}

/* Gathers; *ret_gather when it is wanted. */
static void check(
	const char *name, const GatherOptions *options, const char *expected, Gather **ret_gather)
{
	_cleanup_(gather_freep) Gather *gather = NULL;
	_cleanup_strbuf_ StrBuf got = STRBUF_INIT;
	Why why = {""};
	int r = gather_new(config, options, &gather, &why);

	if (!r)
		append_facts(gather, &got);
	else
		strbuf_appendf(&got, "%d %s", r, why.text);
	if (!tap_ok(!strcmp(strbuf_text(&got), expected), "%s", name))
		tap_note("got  %s\n# want %s", strbuf_text(&got), expected);
	if (ret_gather)
		*ret_gather = TAKE(gather);
}

static const GatherOptions new_rows = {.now_us = NOW_US};

static void save(const Gather *gather, int64_t written_us)
{
	Bookmark bookmark = *gather_end(gather);
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT;

	bookmark.written_us = written_us;
	gather_payload(gather, &payload);
	MUST(!strbuf_error(&payload));
	MUST(!bookmark_save(config->paths.state_dir, "report", &bookmark,
		(Span){strbuf_text(&payload), payload.len}));
}

static uint64_t size_of_header(void)
{
	return csv_header().len;
}

static void append_many(unsigned rows, bool noise)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	HashKey key = {1, 2};

	for (unsigned i = 0; i < rows; i++) {
		HashDigest digest = noise ? hash_digest(key, &i, sizeof(i)) : (HashDigest){0, 0};

		strbuf_appendf(&sb,
			"srv,\"2025-05-17 12:00\",192.0.2.1,%016" PRIx64 "%016" PRIx64
			",null,Errno 1,US,565,\"xy\"\n",
			digest.h0, digest.h1);
	}
	scratch_append(CSV, strbuf_text(&sb), sb.len);
}

/* Whether it is the header and what the CSV has from there on; or all of it. */
static bool is_csv_from(Span bytes, uint64_t start)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	_cleanup_strbuf_ StrBuf got = STRBUF_INIT, want = STRBUF_INIT, csv = scratch_read(CSV);
	ssize_t n;

	scratch_write("attached", bytes.data, bytes.len);
	MUST(!reader_new(open("attached", O_RDONLY | O_CLOEXEC), &reader));
	do {
		char *to = strbuf_reserve(&got, 65536);

		MUST(to);
		n = reader_read(reader, to, 65536);
		MUST(n >= 0);
		got.len += (size_t)n;
	} while (n);
	if (start)
		strbuf_append_span(&want, csv_header());
	strbuf_append(&want, csv.data + start, csv.len - start);
	return got.len == want.len && !memcmp(got.data, want.data, got.len);
}

/* One report after another. */
static void test_series(void)
{
	GatherOptions later = {.now_us = NOW_US + DAY_US};
	_cleanup_(gather_freep) Gather *first = NULL, *adopted = NULL, *second = NULL;
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT, again = STRBUF_INIT;

	set_up();
	check("nothing was ever recorded", &new_rows, "1 ", NULL);
	append("16 12:05 192.0.2.1 u");
	append("17 12:05 192.0.2.1 u");
	commit(77, 1, 3);
	append("17 12:06 192.0.2.9 notyet");
	check("the first", &new_rows,
		"total=2 skipped=0 2025-05-17 from=-1h until=19h before=1 mean=1.0/1 30/3/6 csv=2",
		&first);
	tap_ok(!gather_start(first), "there was none before");
	tap_ok(gather_end(first)->place.series == 77 && gather_end(first)->place.number == 1 &&
			gather_end(first)->written_us == NOW_US &&
			gather_end(first)->has_counters && gather_end(first)->counters.outages == 3,
		"where it ends");
	tap_ok(!strcmp(gather_facts(first)->mode, "file /l/mail.log") &&
			*gather_facts(first)->server && gather_facts(first)->version,
		"what is about the host");
	check("it moves nothing", &new_rows,
		"total=2 skipped=0 2025-05-17 from=-1h until=19h before=1 mean=1.0/1 30/3/6 csv=2",
		NULL);

	/* Sent at 20:00; then rows come, and one more. */
	commit(77, 1, 5);
	check("what is committed later is in the next",
		&(GatherOptions){.now_us = NOW_US, .until = &gather_end(first)->place},
		"total=2 skipped=0 2025-05-17 from=-1h until=20h before=1 mean=1.0/1 csv=0",
		&adopted);
	gather_payload(first, &payload);
	gather_payload(adopted, &again);
	tap_ok(payload.len && payload.len == again.len &&
			!memcmp(payload.data, again.data, again.len),
		"reading up to a place again gives the same history");
	save(adopted, NOW_US);
	MUST(!bookmark_save(config->paths.state_dir, "report", gather_end(first),
		(Span){payload.data, payload.len}));
	append("18 00:10 192.0.2.1 u");
	append("18 00:11 198.51.100.7 v");
	committed_us += DAY_US;
	commit(77, 1, 6);
	check("the next", &later,
		"total=3 skipped=0 2025-05-18 from=20h until=43h new=2/0/0 before=2 mean=1.5/2 "
		"30/3/6 csv=5",
		&second);
	save(second, NOW_US + DAY_US);
	check("nothing more", &later,
		"total=0 skipped=0 2025-05-18 from=44h until=44h new=0/0/0 before=2 mean=1.5/2 "
		"0/0/0 csv=5",
		NULL);
	committed_us -= DAY_US;
}

/* Whether the window is all of this day so far. */
static void test_window(void)
{
	static const struct {
		const char *what;
		const char *rows[2];
		int64_t before_us; /* the last report; 0: none */
		int64_t committed_us;
		const char *expected;
	} cases[] = {
		{"all of today, at first", {"17 00:00 192.0.2.1 u", "17 19:59 192.0.2.1 u"}, 0,
			NOW_US,
			"total=2 skipped=0 2025-05-17 whole from=-1h until=20h 0/0/0 csv=2"},
		{"all of today, after a report of yesterday", {"17 00:00 192.0.2.1 u"},
			MAY_17 - HOUR_US, NOW_US,
			"total=1 skipped=0 2025-05-17 whole from=-1h until=20h csv=1"},
		{"after one of today", {"17 12:00 192.0.2.1 u"}, MAY_17 + HOUR_US, NOW_US,
			"total=1 skipped=0 2025-05-17 from=1h until=20h csv=1"},
		{"with a row of yesterday", {"16 23:59 192.0.2.1 u", "17 12:00 192.0.2.1 u"},
			MAY_17 - HOUR_US, NOW_US,
			"total=2 skipped=0 2025-05-17 from=-1h until=20h before=1 mean=1.0/1 "
			"csv=2"},
		{"with one of tomorrow", {"17 12:00 192.0.2.1 u", "18 00:00 192.0.2.1 u"},
			MAY_17 - HOUR_US, NOW_US,
			"total=2 skipped=0 2025-05-17 from=-1h until=20h csv=2"},
		{"nothing at all", {NULL}, MAY_17 - HOUR_US, NOW_US,
			"total=0 skipped=0 2025-05-17 whole from=-1h until=20h csv=0"},
		{"nothing is known of today", {"16 23:59 192.0.2.1 u"}, MAY_17 - 9 * HOUR_US,
			MAY_17 - HOUR_US, "total=1 skipped=0 2025-05-16 from=-9h until=-1h csv=1"},
		{"the checkpoint is of a clock that was ahead", {"17 12:00 192.0.2.1 u"},
			MAY_17 - HOUR_US, NOW_US + DAY_US,
			"total=1 skipped=0 2025-05-17 whole from=-1h until=20h csv=1"},
		{"and so is the last report", {"17 12:00 192.0.2.1 u"}, NOW_US + DAY_US, NOW_US,
			"total=1 skipped=0 2025-05-17 from=44h until=20h csv=1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		Bookmark bookmark = {.written_us = cases[i].before_us, .place = {77, 1, 0}};

		set_up();
		for (size_t k = 0; k < 2 && cases[i].rows[k]; k++)
			append(cases[i].rows[k]);
		committed_us = cases[i].committed_us;
		commit(77, 1, 0);
		if (cases[i].before_us)
			MUST(!bookmark_save(
				config->paths.state_dir, "report", &bookmark, SPAN_LITERAL("")));
		check(cases[i].what, &new_rows, cases[i].expected, NULL);
	}
	committed_us = NOW_US - HOUR_US;
}

static void test_date(void)
{
	static const struct {
		const char *date, *expected;
	} cases[] = {
		{"2025-05-16", "total=2 skipped=1 2025-05-16 whole from=-24h until=0h new=1/0/0 "
			       "before=0 mean=0.3/7 csv=8 out-2025-05-16.csv=text/csv"},
		{"2025-05-17", "total=1 skipped=1 2025-05-17 whole from=0h until=20h new=0/0/0 "
			       "before=2 mean=0.6/7 csv=8 out-2025-05-17.csv=text/csv"},
		{"2025-05-01", "total=1 skipped=1 2025-05-01 whole from=-384h until=-360h csv=8 "
			       "out-2025-05-01.csv=text/csv"},
		{"2025-04-30", "total=0 skipped=1 2025-04-30 whole from=-408h until=-384h csv=8 "
			       "(none: there are no new rows)"},
		{"2025-05-18", "total=1 skipped=1 2025-05-18 whole from=24h until=24h new=1/0/0 "
			       "before=1 mean=0.7/7 csv=8 out-2025-05-18.csv=text/csv"},
		{"2025-02-29", "-22 \"2025-02-29\" is no date such as 2026-11-22"},
		{"2025-5-1", "-22 \"2025-5-1\" is no date such as 2026-11-22"},
		{"yesterday\n", "-22 \"yesterday\n\" is no date such as 2026-11-22"},
		{"", "-22 \"\" is no date such as 2026-11-22"},
	};
	_cleanup_strbuf_ StrBuf want = STRBUF_INIT;

	set_up();
	append("01 12:00 192.0.2.1 u");
	append("12 12:00 192.0.2.1 u");
	append("14 12:00 192.0.2.1 u");
	append("16 12:00 192.0.2.1 u");
	append("17 00:00 192.0.2.1 u");
	append("16 23:59 192.0.2.2 late"); /* the clock was set back */
	append("18 00:00 198.51.100.1 u");
	scratch_append(CSV, "foreign\n", 8);
	commit(77, 1, 5);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		GatherOptions options = {
			.now_us = NOW_US, .date = cases[i].date, .with_attachment = true};

		strbuf_reset(&want);
		strbuf_append_string(&want, cases[i].expected);
		if (*cases[i].expected != '-')
			strbuf_append_string(&want, " !rows-foreign");
		check(cases[i].date, &options, strbuf_text(&want), NULL);
	}
	commit(77, 3, 5);
	check("what was before may have been rotated away",
		&(GatherOptions){.now_us = NOW_US, .date = "2025-04-30"},
		"total=0 skipped=1 2025-04-30 whole from=-408h until=-384h csv=8 !rows-foreign "
		"!rows-rotated",
		NULL);
}

/* A day has the hours that it has here. */
static void test_zones(void)
{
	static const struct {
		const char *zone, *date;
		int64_t from_us; /* from 2025-05-17 00:00 UTC */
		int hours;
	} cases[] = {
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2025-05-15", -50 * HOUR_US, 24},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2025-03-30", -48 * DAY_US - HOUR_US, 23},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27", -202 * DAY_US - 2 * HOUR_US, 25},
		{"WEST+12", "2025-05-15", -36 * HOUR_US, 24},
		{"EAST-14", "2025-05-15", -62 * HOUR_US, 24},
	};

	set_up();
	commit(77, 1, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		GatherOptions options = {.now_us = NOW_US, .date = cases[i].date};
		_cleanup_(gather_freep) Gather *gather = NULL;
		const ReportFacts *facts;

		MUST(!setenv("TZ", cases[i].zone, 1) &&
			!gather_new(config, &options, &gather, NULL));
		facts = gather_facts(gather);
		if (!tap_ok(facts->from_us - MAY_17 == cases[i].from_us &&
				    facts->until_us - facts->from_us ==
					    cases[i].hours * HOUR_US - 1000000,
			    "%s in %s", cases[i].date, cases[i].zone))
			tap_note("%d h, from %d h",
				(int)((facts->until_us - facts->from_us) / HOUR_US),
				(int)((facts->from_us - MAY_17) / HOUR_US));
	}
	MUST(!setenv("TZ", "UTC0", 1));
}

static void test_attachment(void)
{
	static const struct {
		const char *what, *report;
		unsigned rows; /* beside the first two, which were reported */
		bool noise;    /* they can't be packed well */
		const char *expected;
		bool has_whole;
	} cases[] = {
		{"new rows", "attach = \"new\";", 3, false, "out-2025-05-17.csv=text/csv", false},
		{"no new rows", "", 0, false, "(none: there are no new rows)", false},
		{"the whole CSV", "attach = \"whole\";", 3, false, "out.csv=text/csv", true},
		{"the whole CSV without new rows", "attach = \"whole\";", 0, false,
			"out.csv=text/csv", true},
		{"nothing", "attach = \"none\";", 3, false, "", false},
		{"packed", "", 20000, false, "out-2025-05-17.csv.gz=application/gzip", false},
		{"packed, all", "attach = \"whole\";", 20000, false, "out.csv.gz=application/gzip",
			true},
		{"packed to come below the limit", "max_attachment = \"4 KiB\";", 200, false,
			"out-2025-05-17.csv.gz=application/gzip", false},
		{"too large", "max_attachment = \"4 KiB\";", 1000, true,
			"(left out: packed, it has more than 4 KiB (report.max_attachment))",
			false},
		{"too large, all", "attach = \"whole\"; max_attachment = \"10 KiB\";", 1000, true,
			"(left out: packed, it has more than 10 KiB (report.max_attachment))",
			false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		GatherOptions options = {.now_us = NOW_US, .with_attachment = true};
		_cleanup_(gather_freep) Gather *first = NULL, *gather = NULL;
		_cleanup_strbuf_ StrBuf want = STRBUF_INIT;
		const char *name, *type;
		uint64_t start = cases[i].has_whole ? 0 : size_of_header();
		Span bytes;

		set_up();
		configure(cases[i].report);
		append("17 12:00 192.0.2.1 old");
		append("17 12:00 192.0.2.1 old");
		commit(77, 1, 0);
		MUST(!gather_new(config, &new_rows, &first, NULL));
		save(first, MAY_17 + HOUR_US);
		if (!cases[i].has_whole)
			start = size_of(CSV);
		append_many(cases[i].rows, cases[i].noise);
		commit(77, 1, 0);
		strbuf_appendf(
			&want, "total=%u skipped=0 2025-05-17 from=1h until=19h", cases[i].rows);
		strbuf_appendf(&want, "%s csv=%u%s%s", " 0/0/0", cases[i].rows + 2,
			*cases[i].expected ? " " : "", cases[i].expected);
		check(cases[i].what, &options, strbuf_text(&want), &gather);
		if (gather && gather_attachment(gather, &name, &type, &bytes))
			tap_ok(is_csv_from(bytes, start), "%s: are its bytes", cases[i].what);
	}
}

/* What is wrong is said, and nothing else is lost for it. */
static void test_trouble(void)
{
	static const struct {
		const char *what, *command;
		const char *expected;
	} cases[] = {
		{"nothing", "", "total=2 skipped=0 2025-05-17 from=1h until=19h 0/0/0 csv=3"},
		{"torn and foreign rows",
			"printf 'srv,\"2025-05-17 1\\na,b\\n\\n\\000\\n' >>csv/out.csv; printf "
			"'s,\"2025-05-17 09:00\",192.0.2.1,u,null,Errno 1,US,565,\"xy\"\\n' "
			">>csv/out.csv",
			"total=3 skipped=4 2025-05-17 from=1h until=19h 0/0/0 csv=8 !rows-foreign"},
		{"the CSV is gone", "rm csv/out.csv",
			"total=0 skipped=0 2025-05-17 from=1h until=19h 0/0/0 csv=0 !rows-missing"},
		{"the CSV is another one", "rm csv/out.csv; seq 1000 >csv/out.csv",
			"total=0 skipped=0 2025-05-17 from=1h until=19h 0/0/0 csv=0 !rows-missing"},
		{"a torn bookmark", "echo >>state/report.offset", NULL},
		{"a torn checkpoint", "echo >>state/state.offset", NULL},
		{"a status that is none", "echo x >state/status",
			"total=2 skipped=0 2025-05-17 from=1h until=19h 0/0/0 csv=3 !status"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(gather_freep) Gather *first = NULL, *gather = NULL;
		uint64_t size;
		Why why = {""};

		set_up();
		append("17 00:30 192.0.2.1 u");
		commit(77, 1, 0);
		MUST(!gather_new(config, &new_rows, &first, NULL));
		save(first, MAY_17 + HOUR_US);
		append("17 12:00 192.0.2.1 u");
		append("17 12:00 192.0.2.1 v");
		size = size_of(CSV);
		if (!strncmp(cases[i].command, "printf", 6))
			scratch_run("%s", cases[i].command);
		commit(77, 1, 0);
		if (size == size_of(CSV))
			scratch_run(": ; %s", cases[i].command);
		if (cases[i].expected)
			check(cases[i].what, &new_rows, cases[i].expected, NULL);
		else
			tap_ok(gather_new(config, &new_rows, &gather, &why) == -EBADMSG &&
					*why.text,
				"%s: %s", cases[i].what, why.text);
	}
}

/* The CSV and its checkpoint were moved away and began anew; or older ones were put back. */
static void test_started_over(void)
{
	_cleanup_(gather_freep) Gather *first = NULL;
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT, again = STRBUF_INIT;
	_cleanup_(gather_freep) Gather *adopted = NULL;
	CsvPlace end;

	set_up();
	append("16 00:30 192.0.2.1 u");
	append("16 00:30 192.0.2.1 v");
	commit(77, 1, 9);
	MUST(!gather_new(config, &new_rows, &first, NULL));
	save(first, MAY_17 - HOUR_US);
	end = gather_end(first)->place;
	gather_payload(first, &payload);
	check("what was reported already is not taken up again",
		&(GatherOptions){.now_us = NOW_US, .until = &(CsvPlace){77, 1, 80}},
		"total=0 skipped=0 2025-05-17 whole from=-1h until=20h csv=0", &adopted);
	gather_payload(adopted, &again);
	tap_ok(payload.len == again.len && !memcmp(payload.data, again.data, again.len),
		"and the history stays");

	scratch_write(CSV, csv_header().data, csv_header().len);
	append("17 00:30 192.0.2.1 u");
	commit(78, 1, 2);
	check("another series", &new_rows,
		"total=1 skipped=0 2025-05-17 whole from=-1h until=19h new=0/0/0 before=2 "
		"mean=2.0/1 20/2/4 csv=1 !rows-missing",
		NULL);
	gather_free(TAKE(adopted));
	check("is nothing to take up", &(GatherOptions){.now_us = NOW_US, .until = &end},
		"total=0 skipped=0 2025-05-17 whole from=-1h until=20h csv=0", &adopted);
	strbuf_reset(&again);
	gather_payload(adopted, &again);
	tap_ok(payload.len == again.len && !memcmp(payload.data, again.data, again.len),
		"and the history stays");

	commit(77, 1, 2);
	scratch_write(CSV, csv_header().data, csv_header().len);
	append("16 00:30 192.0.2.1 u");
	commit(77, 1, 2);
	check("an older one", &new_rows,
		"total=0 skipped=0 2025-05-17 whole from=-1h until=19h new=0/0/0 before=2 "
		"mean=2.0/1 csv=1 !rows-missing",
		NULL);
}

static void write_status(const Status *status, int *lock_fd)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	status_append(status, &text);
	MUST(!strbuf_error(&text));
	MUST(!status_write(
		"state/status", (Span){text.data, text.len}, MAY_17 + 15 * HOUR_US, lock_fd));
}

static bool hold_status(void *userdata)
{
	int lock_fd = -1;

	write_status(userdata, &lock_fd);
	return lock_fd >= 0;
}

static void test_service(void)
{
	StatusWarning warnings[] = {{NOW_US, "old:country", "old"},
		{NOW_US, "report-failed", "failed"}, {NOW_US, "missing:/l", "is missing"}};
	Status status = {.version = "2",
		.stopped_us = MAY_17 + 18 * HOUR_US,
		.committed_us = MAY_17 + 2 * HOUR_US,
		.paused = "disk full",
		.warnings = warnings,
		.warning_count = ARRAY_SIZE(warnings),
		.more_warnings = 3};
	int lock_fd = -1;
	pid_t pid;

	set_up();
	append("17 00:30 192.0.2.1 u");
	committed_us = MAY_17 + HOUR_US;
	commit(77, 1, 0);
	write_status(&status, &lock_fd);
	(void)close(lock_fd);
	check("a service that was stopped", &new_rows,
		"total=1 skipped=0 2025-05-17 whole from=-1h until=18h 0/0/0 csv=1 !service "
		"!missing:/l !more",
		NULL);
	status.stopped_us = 0;
	status.more_warnings = 0;
	lock_fd = -1;
	write_status(&status, &lock_fd);
	(void)close(lock_fd);
	check("one that ended otherwise", &new_rows,
		"total=1 skipped=0 2025-05-17 whole from=-1h until=1h 0/0/0 csv=1 !service "
		"!missing:/l",
		NULL);
	committed_us = MAY_17 + 17 * HOUR_US;
	commit(77, 1, 0);
	check("after which extract was called", &new_rows,
		"total=1 skipped=0 2025-05-17 whole from=-1h until=17h 0/0/0 csv=1 !missing:/l",
		NULL);
	committed_us = MAY_17 + HOUR_US;
	commit(77, 1, 0);
	pid = scratch_hold(hold_status, &status);
	check("one that runs", &new_rows,
		"total=1 skipped=0 2025-05-17 whole from=-1h until=20h 0/0/0 csv=1 !paused "
		"!old:country !missing:/l",
		NULL);
	scratch_let_go(pid);
	MUST(!unlink("state/status"));
	committed_us = NOW_US - 24 * HOUR_US;
	commit(77, 1, 0);
	check("none at all, and extract a day ago", &new_rows,
		"total=1 skipped=0 2025-05-16 from=-1h until=-4h 0/0/0 csv=1", NULL);
	committed_us--;
	commit(77, 1, 0);
	check("or longer", &new_rows,
		"total=1 skipped=0 2025-05-16 from=-1h until=-4h 0/0/0 csv=1 !checkpoint", NULL);
	committed_us = NOW_US - HOUR_US;
}

/* Reports that could not be sent, with the last of them. */
static void test_failures(void)
{
	Letter letter = {.created_us = NOW_US - HOUR_US,
		.end = {.place = {77, 1, 5}},
		.from = "a@b",
		.to = (const char *const[]){"root"},
		.to_count = 1,
		.message = SPAN_LITERAL("x\r\n")};
	_cleanup_(gather_freep) Gather *gather = NULL;
	_cleanup_spool_ Spool spool = SPOOL_INIT;

	set_up();
	commit(77, 1, 0);
	MUST(!spool_open("state", &spool) && !spool_add(&spool, &letter) &&
		!spool_add(&spool, &letter));
	check("reports that wait", &new_rows,
		"total=0 skipped=0 2025-05-17 whole from=-1h until=19h 0/0/0 csv=0", NULL);
	spool_done(&spool);
	MUST(!spool_read("state", &spool) && spool.count == 2);
	for (size_t i = 0; i < 2; i++)
		MUST(!spool_fail(&spool, &spool.entries[i]));
	check("that have failed", &new_rows,
		"total=0 skipped=0 2025-05-17 whole from=-1h until=19h 0/0/0 csv=0 !report-failed",
		&gather);
	tap_ok(gather && gather_facts(gather)->warning_count &&
			strstr(gather_facts(gather)->warnings[0].text,
				"2 reports could not be sent and are kept, the last ") ==
				gather_facts(gather)->warnings[0].text,
		"and how many");
}

/* Commits what is in the CSV; before that, when it is to be rotated, what is in it becomes the last file before. */
static void commit_on(Checkpoint *cp, bool rotate)
{
	_cleanup_close_ int fd = -1;
	FileMark mark;

	if (rotate) {
		_cleanup_close_ int old = open(CSV, O_RDONLY | O_CLOEXEC);

		MUST(old >= 0 && !mark_from_fd(old, size_of(CSV), &mark));
		MUST(!checkpoint_push_csv(cp, &mark, 0));
		scratch_run("mv %s %s.%d", CSV, CSV, (int)cp->csv_number);
		scratch_write(CSV, csv_header().data, csv_header().len);
	}
	fd = open(CSV, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && !mark_from_fd(fd, size_of(CSV), &cp->csv));
	MUST(!checkpoint_save("state/state.offset", cp));
}

/*
 * Rows come, are committed, rotated and reported in any order, and now and then a crash loses the bookmark that belongs to a report that was spooled:
 * all reports together have each row once.
 */
static void test_exactly_once(Random *random)
{
	GatherOptions options = {.now_us = NOW_US, .with_attachment = true};
	_cleanup_checkpoint_ Checkpoint cp = CHECKPOINT_INIT;
	_cleanup_strbuf_ StrBuf reported = STRBUF_INIT, written = STRBUF_INIT,
				payload = STRBUF_INIT;
	_cleanup_strbuf_ StrBuf expected = STRBUF_INIT;
	_cleanup_(gather_freep) Gather *all = NULL;
	Bookmark end;
	unsigned rotations = 0, reports = 0, adoptions = 0;
	uint64_t total = 0;
	bool ok = true;

	set_up();
	configure("max_attachment = \"40 MiB\";");
	MUST(asprintf(&cp.csv_path, "%s/%s", base, CSV) > 0);
	cp.csv_series = 77;
	cp.written_us = NOW_US;
	commit_on(&cp, false);
	for (unsigned i = 0; i < 400 && ok; i++) {
		_cleanup_(gather_freep) Gather *gather = NULL;
		_cleanup_strbuf_ StrBuf row = STRBUF_INIT;
		const char *name, *type;
		Span bytes;

		strbuf_appendf(&row,
			"srv,\"2025-05-%02u 12:05\",192.0.%u.1,u%u,null,Errno 1,US,565,\"xy\"\n",
			1 + i / 25, i % 40, i);
		scratch_append(CSV, row.data, row.len);
		strbuf_append(&written, row.data, row.len);
		if (random_below(random, 3) && i < 399)
			continue;
		commit_on(&cp, !random_below(random, 6) && ++rotations);
		if (random_below(random, 3) && i < 399)
			continue;
		MUST(!gather_new(config, &options, &gather, NULL));
		reports++;
		total += gather_facts(gather)->total;
		if (gather_attachment(gather, &name, &type, &bytes))
			strbuf_append(&reported, bytes.data + csv_header().len,
				bytes.len - csv_header().len);
		ok = !gather_facts(gather)->warning_count;
		end = *gather_end(gather);
		if (!random_below(random, 4)) {
			/* It was spooled, but the bookmark was not moved; meanwhile there is more. */
			GatherOptions again = {.now_us = NOW_US, .until = &end.place};
			_cleanup_(gather_freep) Gather *adopted = NULL;

			scratch_append(CSV, "srv,\"2025-05-17 12:05\",192.0.2.1,", 33);
			MUST(!gather_new(config, &again, &adopted, NULL));
			MUST(!truncate(CSV, (off_t)cp.csv.offset));
			save(adopted, NOW_US);
			adoptions++;
		} else {
			save(gather, NOW_US);
		}
	}
	tap_ok(ok && total == 400 && reported.len == written.len &&
			!memcmp(reported.data, written.data, written.len),
		"%u reports over %u rotations and %u crashes have each row once", reports,
		rotations, adoptions);
	MUST(!bookmark_load(config->paths.state_dir, "report", &end, &payload, NULL));
	MUST(!unlink("state/report.offset") && !gather_new(config, &options, &all, NULL));
	gather_payload(all, &expected);
	tap_ok(payload.len == expected.len && !memcmp(payload.data, expected.data, payload.len),
		"their history is that of one report of all");
}

int main(void)
{
	Random random = random_seeded();

	MUST(!setenv("TZ", "UTC0", 1));
	scratch_enter();
	MUST(getcwd(base, sizeof(base)));
	test_series();
	test_window();
	test_date();
	test_zones();
	test_attachment();
	test_trouble();
	test_started_over();
	test_service();
	test_failures();
	test_exactly_once(&random);
	config_free(config);
	return tap_done();
}
