/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Plays power losses. First the program reads a log that grows, and the bytes of log, CSV and checkpoint are kept after each
 * commit. Then each state that fsync allows between two commits is put back, the program starts, the log goes on, the program reads on:
 * every line that is in the log then, or was committed before, must be exactly one row.
 *
 *     power-play PROGRAM
 *
 * With the checkpoint of commit N, the CSV has at least its length then; behind that there may be any part of the rows of the next
 * commit, or zeros, where the length reached the disk and the bytes did not. Nobody syncs the log: it may have any length, also less
 * than what was read of it, whose rows are there then.
 */

#include "forbid.h"
#include "scratch.h"
#include "tap.h"

#define CSV "csv/maillogsentinel.csv"
#define CHECKPOINT "state/state.offset"
#define LOG "log/mail.log"
#define STEPS 4
#define NOTES_MAX 40

typedef struct Moment {
	StrBuf log, csv, checkpoint;
} Moment;

static char *program;
static Moment moments[STEPS + 1];
static unsigned notes;

/* Into the same inode, as a power loss leaves it. */
static void put(const char *path, const char *data, size_t len)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	MUST(fd >= 0 && !file_write_full(fd, data, len));
}

static void put_span(const char *path, Span data)
{
	put(path, data.data, data.len);
}

static Span all(const StrBuf *sb)
{
	return (Span){strbuf_text(sb), sb->len};
}

/* The program with these arguments; its exit status, or -1. */
static int run(const char *output, char *const *arguments)
{
	char *argv[12] = {program, (char[]){"-c"}, (char[]){"conf"}};
	int status;
	pid_t pid;

	for (size_t i = 0; arguments[i]; i++)
		argv[3 + i] = arguments[i];
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		int out = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		int err = open("err", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

		if (dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
			execv(program, argv);
		_exit(127);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int extract(void)
{
	return run("out", (char *const[]){(char[]){"extract"}, NULL});
}

/* The rows that the program makes of these lines. */
static StrBuf rows_of(Span lines)
{
	StrBuf rows;
	char *end;

	put_span("oracle.log", lines);
	MUST(!run("oracle.csv", (char *const[]){(char[]){"extract"}, (char[]){"--stdout"},
					(char[]){"--from"}, (char[]){"oracle.log"}, NULL}));
	rows = scratch_read("oracle.csv");
	end = strchr(strbuf_text(&rows), '\n');
	MUST(end);
	strbuf_consume(&rows, (size_t)(end + 1 - rows.data));
	return rows;
}

/* Failures from number `from` on, of different lengths, one in four folded, and noise between. */
static void append_lines(StrBuf *sb, unsigned from, unsigned count)
{
	for (unsigned n = from; n < from + count; n++) {
		strbuf_appendf(sb,
			"2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: "
			"%swarning: unknown[203.0.113.%u]: SASL PLAIN authentication failed: "
			"%.*s, sasl_username=user%u%s\n",
			n % 4 ? "" : "message repeated 3 times: [ ", n % 250, (int)(n * 7 % 20),
			"authentication failure", n, n % 4 ? "" : "]");
		strbuf_appendf(
			sb, "2026-11-22T13:01:49.060269+00:00 mx1 postfix/smtpd[9]: disconnect\n");
	}
}

static void append_config(void)
{
	_cleanup_strbuf_ StrBuf conf = STRBUF_INIT;

	strbuf_appendf(&conf,
		"paths: { working_dir = \"%s/csv\"; state_dir = \"%s/state\"; mail_log = \"%s/" LOG
		"\"; };\nschedule: { ip_update_schedule = \"\"; report_schedule = \"\"; };\ndns: { "
		"enabled = false; };\n",
		scratch_root, scratch_root, scratch_root);
	put_span("conf", all(&conf));
}

static void make_place(void)
{
	scratch_empty();
	MUST(!mkdir("csv", 0755) && !mkdir("state", 0755) && !mkdir("log", 0755));
	append_config();
}

/* Reads the log as it grows; noise stands before the first line that counts. */
static void record(unsigned noise)
{
	_cleanup_strbuf_ StrBuf log = STRBUF_INIT;

	make_place();
	for (unsigned i = 0; i < noise; i++)
		strbuf_appendf(&log,
			"2026-11-22T13:01:47.%06u+00:00 mx1 postfix/qmgr[7]: %06u: removed\n", i,
			i);
	for (unsigned n = 0; n <= STEPS; n++) {
		Moment *moment = &moments[n];

		strbuf_done(&moment->log);
		strbuf_done(&moment->csv);
		strbuf_done(&moment->checkpoint);
		put_span(LOG, all(&log));
		MUST(!extract());
		moment->log = scratch_read(LOG);
		moment->csv = scratch_read(CSV);
		moment->checkpoint = scratch_read(CHECKPOINT);
		append_lines(&log, 100 * n, 6);
	}
}

/* The length of the first line of the bytes. */
static size_t line_len(const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);

	return end ? (size_t)(end + 1 - data) : len;
}

static void complain(const char *what, unsigned n, size_t csv_len, bool zeros, size_t log_len)
{
	if (notes++ < NOTES_MAX)
		tap_note("commit %u, %zu bytes of rows behind it%s, log of %zu bytes (%zu were "
			 "read): %s",
			n, csv_len, zeros ? ", zeros" : "", log_len, moments[n].log.len, what);
}

/* "rows N" of the checkpoint. */
static unsigned long committed_rows(void)
{
	_cleanup_strbuf_ StrBuf checkpoint = scratch_read(CHECKPOINT);
	const char *rows = strstr(strbuf_text(&checkpoint), "\nrows ");

	return rows ? strtoul(rows + sizeof("\nrows ") - 1, NULL, 10) : 0;
}

static unsigned long count_rows(const StrBuf *csv)
{
	unsigned long rows = 0;

	for (size_t i = 0; i < csv->len; i++)
		rows += csv->data[i] == '\n';
	return rows ? rows - 1 : 0;
}

/*
 * The power went between commit n and the next one, with tail_len bytes of the next rows (or zeros) behind the committed ones and a log
 * of log_len bytes. Whether all is well in the end.
 */
static bool play(unsigned n, size_t tail_len, bool zeros, size_t log_len)
{
	const Moment *at = &moments[n], *next = &moments[n < STEPS ? n + 1 : n];
	_cleanup_strbuf_ StrBuf csv = STRBUF_INIT, log = STRBUF_INIT, tail = STRBUF_INIT,
				expected = STRBUF_INIT, rows = STRBUF_INIT, got = STRBUF_INIT;
	const char *wrong = NULL;
	size_t from;

	strbuf_append_span(&csv, all(&at->csv));
	for (size_t i = 0; i < tail_len; i++)
		strbuf_append_char(&csv, zeros ? '\0' : next->csv.data[at->csv.len + i]);
	strbuf_append(&log, next->log.data, log_len);
	put_span(CSV, all(&csv));
	put_span(CHECKPOINT, all(&at->checkpoint));
	put("state/state.offset.tmp", "torn", 4);
	put("state/lock", zeros ? "\0\0" : "", zeros ? 2 : 0);
	put_span(LOG, all(&log));
	put("err", "", 0);
	if (extract())
		wrong = "the start fails";
	append_lines(&log, 900, 6);
	put_span(LOG, all(&log));
	if (extract())
		wrong = "it does not go on";
	/*
	 * What was read stands there already, whatever the log has lost of it. Where not even its first line is left it is like any new
	 * log, and what goes on is one line with that.
	 */
	from = log_len < line_len(at->log.data, at->log.len) ? 0 : MIN(log_len, at->log.len);
	strbuf_append(&tail, log.data + from, log.len - from);
	rows = rows_of(all(&tail));
	strbuf_append_span(&expected, all(&at->csv));
	strbuf_append_span(&expected, all(&rows));
	got = scratch_read(CSV);
	if (!wrong && !span_equal(all(&got), all(&expected)))
		wrong = "the CSV differs";
	if (!wrong && committed_rows() != count_rows(&got))
		wrong = "the checkpoint counts other rows";
	if (wrong)
		complain(wrong, n, tail_len, zeros, log_len);
	return !wrong;
}

static void test_moment(unsigned n, const char *name)
{
	const Moment *at = &moments[n], *next = &moments[n < STEPS ? n + 1 : n];
	size_t read = at->log.len, rest = next->csv.len - at->csv.len, last = read;
	size_t row = rest ? line_len(next->csv.data + at->csv.len, rest) : 0;
	size_t line = line_len(next->log.data + read, next->log.len - read);
	unsigned played = 0, good = 0;

	/* Where the last line that was read begins. */
	while (last && (last == read || at->log.data[last - 1] != '\n'))
		last--;
	{
		const size_t tails[] = {0, 1, row / 2, row, rest / 2, rest};
		const size_t logs[] = {next->log.len, read, read + line / 2, read + line,
			read ? read - 1 : 0, last + (read - last) / 2, last, read / 2, 10, 0};

		for (size_t t = 0; t < ARRAY_SIZE(tails); t++) {
			for (size_t l = 0; l < ARRAY_SIZE(logs); l++) {
				if (logs[l] > next->log.len)
					continue;
				played += 2;
				good += play(n, tails[t], false, logs[l]);
				good += play(n, tails[t], true, logs[l]);
			}
		}
	}
	tap_ok(played == good, "%s: %u power losses after commit %u", name, played, n);
}

/*
 * A first start: the header is durable, then the checkpoint, then rows are written. What the power left of a header that was not
 * durable yet is no CSV of somebody else.
 */
static void test_first_start(void)
{
	static const struct {
		const char *name;
		size_t header, zeros;
		bool csv, checkpoint;
	} cases[] = {
		{"nothing", 0, 0, false, false},
		{"an empty CSV", 0, 0, true, false},
		{"a part of the header", 10, 0, true, false},
		{"a part of the header and zeros", 10, 20, true, false},
		{"zeros in place of the header", 0, 69, true, false},
		{"the header", 1000, 0, true, false},
		{"the header and the first checkpoint", 1000, 0, true, true},
		{"and zeros", 1000, 100, true, true},
	};
	const Moment *last = &moments[STEPS];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ StrBuf csv = STRBUF_INIT, got = STRBUF_INIT;
		size_t header = line_len(last->csv.data, last->csv.len);

		make_place();
		strbuf_append(&csv, last->csv.data, MIN(header, cases[i].header));
		for (size_t n = 0; n < cases[i].zeros; n++)
			strbuf_append_char(&csv, '\0');
		if (cases[i].csv)
			put_span(CSV, all(&csv));
		put_span(LOG, all(&last->log));
		if (cases[i].checkpoint) {
			/* The one that a first start makes. */
			put_span(LOG, (Span){"", 0});
			put(CSV, last->csv.data, header);
			MUST(!extract());
			put_span(CSV, all(&csv));
			put_span(LOG, all(&last->log));
		}
		(void)extract();
		if (access(CSV, F_OK) == 0)
			got = scratch_read(CSV);
		tap_ok(span_equal(all(&got), all(&last->csv)), "a first start that left %s",
			cases[i].name);
	}
}

/* The log was rotated, and the power loss takes that back: the directory is no more synced than the log. */
static void test_rotation_undone(void)
{
	_cleanup_strbuf_ StrBuf old = STRBUF_INIT, new = STRBUF_INIT, rest = STRBUF_INIT;
	static const struct {
		const char *name;
		bool undone;
		size_t new_len; /* of the new log */
	} cases[] = {
		{"stays", false, SIZE_MAX},
		{"stays, and the new log has lost a line", false, 700},
		{"stays, and the new log is empty", false, 0},
		{"is undone, and the new log is gone", true, 0},
	};

	append_lines(&old, 1, 8);
	append_lines(&new, 21, 8);
	append_lines(&rest, 41, 8);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ StrBuf expected = STRBUF_INIT, got = STRBUF_INIT,
					written = STRBUF_INIT, rows = STRBUF_INIT;

		make_place();
		put_span(LOG, all(&old));
		MUST(!extract());
		MUST(!rename(LOG, LOG ".1"));
		put_span(LOG, all(&new));
		MUST(!extract());
		expected = scratch_read(CSV);
		if (cases[i].undone)
			MUST(!unlink(LOG) && !rename(LOG ".1", LOG));
		else
			MUST(!truncate(LOG, (off_t)MIN(new.len, cases[i].new_len)));
		tap_ok(!extract(), "a rotation that %s: it starts", cases[i].name);
		scratch_append(LOG, rest.data, rest.len);
		tap_ok(!extract(), "and goes on");
		rows = rows_of(all(&rest));
		strbuf_append_span(&expected, all(&rows));
		got = scratch_read(CSV);
		if (!tap_ok(span_equal(all(&got), all(&expected)), "and the CSV is exact"))
			tap_note("%zu rows, not %zu", (size_t)count_rows(&got),
				(size_t)count_rows(&expected));
	}
}

/*
 * The CSV was renamed while the program ran, and the power went before the checkpoint said so: the rows behind the committed ones stand
 * in the renamed file, and of the new one there is what the power left.
 */
static void test_csv_moved(void)
{
	static const struct {
		const char *name;
		bool there;
		size_t header, zeros, tail;
	} cases[] = {
		{"no new one", false, 0, 0, SIZE_MAX},
		{"an empty new one", true, 0, 0, SIZE_MAX},
		{"a part of the header", true, 20, 0, SIZE_MAX},
		{"zeros in place of the header", true, 0, 69, SIZE_MAX},
		{"the header", true, SIZE_MAX, 0, SIZE_MAX},
		{"the header, and the old one lost what was not committed", true, SIZE_MAX, 0, 0},
		{"the header, and the old one lost a part of that", true, SIZE_MAX, 0, 30},
	};
	_cleanup_strbuf_ StrBuf log = STRBUF_INIT, more = STRBUF_INIT;

	append_lines(&log, 1, 8);
	append_lines(&more, 21, 8);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ StrBuf checkpoint = STRBUF_INIT, expected = STRBUF_INIT,
					got = STRBUF_INIT, next = STRBUF_INIT, new = STRBUF_INIT;
		size_t header, committed;

		make_place();
		put_span(LOG, all(&log));
		MUST(!extract());
		checkpoint = scratch_read(CHECKPOINT);
		got = scratch_read(CSV);
		committed = got.len;
		header = line_len(got.data, got.len);
		scratch_append(LOG, more.data, more.len);
		MUST(!extract());
		expected = scratch_read(CSV);
		put_span(CHECKPOINT, all(&checkpoint));
		MUST(!rename(CSV, CSV ".1"));
		MUST(!truncate(CSV ".1",
			(off_t)(committed + MIN(cases[i].tail, expected.len - committed))));
		strbuf_append(&new, expected.data, MIN(header, cases[i].header));
		for (size_t n = 0; n < cases[i].zeros; n++)
			strbuf_append_char(&new, '\0');
		if (cases[i].there)
			put_span(CSV, all(&new));
		put("err", "", 0);
		tap_ok(!extract(), "a CSV that was renamed, and %s: it starts", cases[i].name);
		strbuf_done(&got);
		got = scratch_read(CSV ".1");
		next = scratch_read(CSV);
		strbuf_append(
			&got, next.data + MIN(header, next.len), next.len - MIN(header, next.len));
		tap_ok(span_equal(all(&got), all(&expected)), "and the CSVs are exact");
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		unsigned noise;
	} cases[] = {{"a short log", 0}, {"a log of 200 KiB", 2800}};

	MUST(argc == 2);
	program = argv[1];
	MUST(!setenv("TZ", "UTC", 1));
	scratch_enter();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		record(cases[i].noise);
		for (unsigned n = 0; n <= STEPS; n++)
			test_moment(n, cases[i].name);
	}
	test_first_start();
	test_rotation_undone();
	test_csv_moved();
	for (unsigned n = 0; n <= STEPS; n++) {
		strbuf_done(&moments[n].log);
		strbuf_done(&moments[n].csv);
		strbuf_done(&moments[n].checkpoint);
	}
	return tap_done();
}
