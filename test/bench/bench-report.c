/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What a report of a million rows (MLS_BENCH_ROWS) from 10,000 addresses to 50,000 users costs: reading them, parsing them, counting them, and
 * comparing them with 30 days of 10,000 addresses each; beside awk, which counts one column. Each is a process of its own, so that its memory is
 * its own; best of three. "even" is the worst case: nearly every row is another pair of user and address.
 */

#include <sys/resource.h>
#include <time.h>

#include "many-rows.h"
#include "report/history.h"
#include "scratch.h"
#include "store/csv.h"
#include "store/csvreader.h"

#define PATH "out.csv"
#define DAY 20780 /* many_rows_write()'s */

typedef enum Work {
	READ,
	PARSE,
	COUNT,
	COMPARE,
	AWK,
	WORKS,
} Work;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void write_history(uint32_t rows)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	_cleanup_(history_freep) History *history = NULL;

	MUST(!history_new(&history));
	for (int32_t day = 1; day <= 30; day++) {
		_cleanup_(stats_freep) ReportStats *stats = NULL;

		MUST(!stats_new(&stats));
		for (uint32_t i = 0; i < MIN(rows, 10000U); i++) {
			char ip[32], date[32];
			Row row;

			(void)snprintf(
				ip, sizeof(ip), "%u.%d.%u.%u", 1 + i % 200, day, i / 256, i % 256);
			(void)snprintf(date, sizeof(date), "2026-%02d-%02d 00:00",
				day < 9 ? 10 : 11, day < 9 ? day + 23 : day - 8);
			row = (Row){
				{SPAN_LITERAL("mail"), span_from_string(date), span_from_string(ip),
					SPAN_LITERAL("u"), SPAN_MISSING, SPAN_LITERAL("OK"),
					SPAN_LITERAL("US"), SPAN_LITERAL("1"), SPAN_MISSING}};
			MUST(!stats_add(stats, &row));
		}
		MUST(!history_add(history, stats, DAY - 31 + day, NULL));
	}
	history_append(history, &sb);
	MUST(!strbuf_error(&sb));
	scratch_write("history", sb.data, sb.len);
}

static void compare(ReportStats *stats, ReportFacts *facts)
{
	_cleanup_strbuf_ StrBuf text = scratch_read("history"), back = STRBUF_INIT;
	_cleanup_(history_freep) History *history = NULL;
	Why why;

	MUST(!history_new(&history));
	MUST(!history_load(history, (Span){text.data, text.len}, &why));
	strbuf_done(&text);
	MUST(!history_add(history, stats, DAY, facts));
	history_append(history, &back);
	MUST(!strbuf_error(&back));
	scratch_write("history.new", back.data, back.len);
}

static void do_work(Work work, uint32_t rows)
{
	_cleanup_(csvreader_freep) CsvReader *reader = NULL;
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	_cleanup_strbuf_ StrBuf scratch = STRBUF_INIT;
	ReportFacts facts = {.total = 0};
	uint32_t found = 0;
	Why why;
	int r;

	if (work == AWK) {
		scratch_run("awk -F, '{ n[$4]++ } END { for (u in n) print n[u], u }' " PATH
			    " >/dev/null");
		return;
	}
	MUST(!stats_new(&stats));
	MUST(!csvreader_open(".", NULL, &reader, &why));
	for (;; found++) {
		Span line;
		Row row;

		r = csvreader_next(reader, &line, &why);
		if (r)
			break;
		if (work >= PARSE)
			MUST(!csv_parse_row(line, &scratch, &row, &why));
		if (work >= COUNT)
			MUST(!stats_add(stats, &row));
	}
	MUST(r == CSVREADER_END && found == rows);
	if (work >= COUNT)
		MUST(!stats_report(stats, &facts) && facts.total == rows);
	if (work >= COMPARE)
		compare(stats, &facts);
}

/* In a process of its own, so that those that are measured start small. */
static void prepare(Random *random, uint32_t rows, bool even)
{
	pid_t pid = fork();
	int status;

	MUST(pid >= 0);
	if (!pid) {
		write_history(rows);
		many_rows_write(random, ".", PATH, rows, even);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid && !status);
}

static void measure(const char *what, Work work, uint32_t rows)
{
	double best = 1e9;
	long memory_kb = 0;

	for (int i = 0; i < 3; i++) {
		double start = now();
		struct rusage usage;
		pid_t pid = fork();
		int status;

		MUST(pid >= 0);
		if (!pid) {
			do_work(work, rows);
			_exit(0);
		}
		MUST(wait4(pid, &status, 0, &usage) == pid && !status);
		best = MIN(best, now() - start);
		memory_kb = usage.ru_maxrss;
	}
	printf("%-44s %6.3f s  %6.0f ns/row  %5.1f MB\n", what, best, best * 1e9 / rows,
		(double)memory_kb / 1024);
}

int main(void)
{
	static const char *const works[WORKS] = {
		"read", "and parse", "and count", "and compare with history", "awk, one column"};
	const char *text = getenv("MLS_BENCH_ROWS");
	uint32_t rows = text ? (uint32_t)strtoul(text, NULL, 10) : 1000000;
	Random random = random_seeded();

	scratch_enter();
	for (int even = 0; even < 2; even++) {
		prepare(&random, rows, even);
		for (Work work = READ; work < WORKS; work++) {
			char what[80];

			(void)snprintf(what, sizeof(what), "%s: %s", even ? "even" : "skewed",
				works[work]);
			measure(what, work, rows);
		}
	}
	return 0;
}
