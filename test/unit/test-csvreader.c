/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: packages=xz-utils,zstd */
/*
 * Three CSV files, numbers 1 to 3 with a hundred rows each, were written and committed; each case does something to them and then reads
 * from some place.
 */
#include "store/csvreader.h"

#include "random.h"
#include "scratch.h"
#include "state/checkpoint.h"
#include "store/csv.h"
#include "tap.h"

#define PATH "csv/out.csv"
#define SERIES 77u
#define ROWS 100u
#define WIDTH 64u /* of a row */

static void append_rows(StrBuf *sb, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++)
		strbuf_appendf(sb,
			"srv%04u,\"2025-05-17 12:05\",192.0.2.1,u,null,Errno 1,US,565,\"xy\"\n", n);
}

static uint64_t offset_of(unsigned rows)
{
	return csv_header().len + (uint64_t)rows * WIDTH;
}

static FileMark mark_at(const char *path, uint64_t offset)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	FileMark mark;

	MUST(fd >= 0 && !mark_from_fd(fd, offset, &mark));
	return mark;
}

static void write_csv(const char *path, unsigned from, unsigned to)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	strbuf_append_span(&sb, csv_header());
	append_rows(&sb, from, to);
	MUST(sb.len == offset_of(to - from));
	scratch_write(path, sb.data, sb.len);
}

/* Two rows more than what is committed stand in the newest. */
static void set_up(void)
{
	_cleanup_checkpoint_ Checkpoint cp = CHECKPOINT_INIT;
	FileMark mark;

	scratch_empty();
	MUST(!mkdir("csv", 0700));
	write_csv("csv/out.csv.2", 0, ROWS);
	write_csv("csv/out.csv.1", ROWS, 2 * ROWS);
	write_csv(PATH, 2 * ROWS, 3 * ROWS + 2);
	cp.csv_path = strdup(PATH);
	MUST(cp.csv_path);
	cp.csv_series = SERIES;
	mark = mark_at("csv/out.csv.2", offset_of(ROWS));
	MUST(!checkpoint_push_csv(&cp, &mark, 0));
	mark = mark_at("csv/out.csv.1", offset_of(ROWS));
	MUST(!checkpoint_push_csv(&cp, &mark, 0));
	cp.csv = mark_at(PATH, offset_of(ROWS));
	MUST(!checkpoint_save("state.offset", &cp));
}

/* What is read, in short: "0-29" rows, "-122" bytes missing, "!" something else is said, "?" a line that is no row. */
static int read_all(const CsvPlace *from, StrBuf *ret_text, CsvPlace *ret_place, Why *why)
{
	_cleanup_(csvreader_freep) CsvReader *reader = NULL;
	_cleanup_strbuf_ StrBuf scratch = STRBUF_INIT;
	long first = -1, last = -1;
	uint64_t missing = 0;
	int r = csvreader_open(".", from, &reader, why);

	while (!r) {
		Span line;
		Row row;

		r = csvreader_next(reader, &line, why);
		if (!r && !csv_parse_row(line, &scratch, &row, NULL)) {
			_cleanup_free_ char *name = span_dup(row.field[COLUMN_SERVER]);
			long n = name ? strtol(name + 3, NULL, 10) : -1;

			first = first < 0 ? n : first;
			if (last < 0 || n == last + 1) {
				last = n;
				continue;
			}
			strbuf_appendf(ret_text, "%ld-%ld ", first, last);
			first = last = n;
			continue;
		}
		if (first >= 0)
			strbuf_appendf(ret_text, "%ld-%ld ", first, last);
		first = last = -1;
		if (!r)
			strbuf_append_string(ret_text, "? ");
		if (r != CSVREADER_MISSING)
			continue;
		if (csvreader_missing_bytes(reader) > missing)
			strbuf_appendf(ret_text, "-%" PRIu64 " ",
				csvreader_missing_bytes(reader) - missing);
		else
			strbuf_append_string(ret_text, "! ");
		missing = csvreader_missing_bytes(reader);
		r = 0;
	}
	if (reader)
		*ret_place = csvreader_place(reader);
	return r;
}

#define HEADER_LEN 69u
#define FROM(number, rows)                                \
	{                                                 \
		SERIES, number, HEADER_LEN + (rows)*WIDTH \
	}
#define ALL "0-299 "

static const struct {
	const char *what;
	CsvPlace from; /* {0}: none */
	const char *command;
	const char *expected;
	int result; /* CSVREADER_END where 0 */
} cases[] = {
	{"all", {0}, "", ALL, 0},
	{"from the start", FROM(1, 0), "", ALL, 0},
	{"from before the header's end", {SERIES, 1, 0}, "", ALL, 0},
	{"from a row", FROM(1, 40), "", "40-299 ", 0},
	{"from the end of the first", FROM(1, 100), "", "100-299 ", 0},
	{"from the second", FROM(2, 99), "", "199-299 ", 0},
	{"from the last", FROM(3, 99), "", "299-299 ", 0},
	{"from the end", FROM(3, 100), "", "", 0},
	{"from behind the end of one before", FROM(1, 101), "", "100-299 ", 0},
	{"ahead", FROM(3, 101), "", "! ", 0},
	{"far ahead", FROM(4, 0), "", "! ", 0},
	{"another series", {5, 3, 500}, "", "! 0-299 ", 0},
	{"of no series", {0, 2, 0}, "", "100-299 ", 0},
	{"no checkpoint", FROM(1, 0), "rm state.offset", "", CSVREADER_NOTHING},
	{"a torn checkpoint", FROM(1, 0), "echo x >>state.offset", "", -EBADMSG},
	{"renamed", {0},
		"cd csv; mv out.csv.2 out.csv.3; mv out.csv.1 out.csv.2; mv out.csv out.csv.1", ALL,
		0},
	{"compressed", FROM(1, 3), "gzip csv/out.csv.2; xz csv/out.csv.1", "3-299 ", 0},
	{"all compressed, under any name", FROM(2, 3),
		"gzip csv/*; cd csv; mv out.csv.gz a; mv out.csv.1.gz b", "103-299 ", 0},
	{"copied and emptied", {0}, "cp csv/out.csv csv/x; : >csv/out.csv", ALL, 0},
	{"the first is gone", {0}, "rm csv/out.csv.2", "-6400 100-299 ", 0},
	{"the first is gone when some of it was read", FROM(1, 40), "rm csv/out.csv.2",
		"-3840 100-299 ", 0},
	{"the first is gone when all of it was read", FROM(1, 100), "rm csv/out.csv.2", "100-299 ",
		0},
	{"the second is gone", {0}, "rm csv/out.csv.1", "0-99 -6400 200-299 ", 0},
	{"the current one is gone", {0}, "rm csv/out.csv", "0-199 -6400 ", 0},
	{"the directory is gone", FROM(2, 100), "rm -r csv", "", -ENOENT},
	{"the current one is shorter", FROM(3, 20), "truncate -s -192 csv/out.csv", "220-298 -64 ",
		0},
	{"the current one is shorter by half a row", {0}, "truncate -s -150 csv/out.csv",
		"0-298 -64 ", 0},
	{"one before is shorter", {0}, "truncate -s 5000 csv/out.csv.1", "0-176 -1472 200-299 ", 0},
	{"one before is compressed and damaged", {0},
		"gzip csv/out.csv.1; truncate -s -60 csv/out.csv.1.gz", "0-178 -1344 200-299 ", 0},
	{"one that is too short to be known", {0}, "truncate -s 4000 csv/out.csv.1",
		"0-99 -6400 200-299 ", 0},
	{"other rows in its place", {0}, "tac csv/out.csv.1 >csv/x; mv csv/x csv/out.csv.1",
		"0-99 -6400 200-299 ", 0},
	{"rows behind the end of one before", {0}, "tail -n 1 csv/out.csv >>csv/out.csv.1", ALL, 0},
};

static void test_cases(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT, again = STRBUF_INIT;
		CsvPlace place = {0}, second = {0};
		int expected = cases[i].result ? cases[i].result : CSVREADER_END;
		Why why = {""};
		int r;

		set_up();
		scratch_run("%s", cases[i].command);
		r = read_all(cases[i].from.number ? &cases[i].from : NULL, &text, &place, &why);
		if (!tap_ok(r == expected && !strcmp(strbuf_text(&text), cases[i].expected), "%s",
			    cases[i].what))
			tap_note("%d %s: %s", r, why.text, strbuf_text(&text));
		if (r != CSVREADER_END || strstr(cases[i].what, "ahead"))
			continue;
		r = read_all(&place, &again, &second, &why);
		tap_ok(r == CSVREADER_END && !again.len && !memcmp(&place, &second, sizeof(place)),
			"%s: nothing the second time", cases[i].what);
	}
}

static void test_forgotten(void)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	_cleanup_checkpoint_ Checkpoint cp = CHECKPOINT_INIT;
	const CsvPlace from = FROM(1, 40);
	CsvPlace place;
	Why why = {""};

	set_up();
	MUST(!checkpoint_load("state.offset", &cp, &why));
	checkpoint_drop_csvs(&cp, 1);
	MUST(!checkpoint_save("state.offset", &cp));
	if (!tap_ok(read_all(&from, &text, &place, &why) == CSVREADER_END &&
			    !strcmp(strbuf_text(&text), "! 100-299 ") &&
			    strstr(why.text, "the numbers 1 to 1"),
		    "a file that is not known any more"))
		tap_note("%s: %s", why.text, strbuf_text(&text));
}

int main(void)
{
	scratch_enter();
	MUST(csv_header().len == HEADER_LEN);
	test_cases();
	test_forgotten();
	return tap_done();
}
