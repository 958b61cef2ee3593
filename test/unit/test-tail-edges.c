/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/tail.h"

#include "pack.h"
#include "tap.h"

#define LOG "d/mail.log"
#define NOW_US INT64_C(1800000000000000)

/* What one tail has said and read since it was last looked at. */
typedef struct Seen {
	StrBuf lines;
	StrBuf notices;
	unsigned warnings, notes;
	unsigned cuts;
} Seen;

static void on_notice(void *userdata, bool warning, const char *text)
{
	Seen *seen = userdata;

	seen->warnings += warning;
	seen->notes += !warning;
	strbuf_append_string(&seen->notices, text);
	strbuf_append_char(&seen->notices, '\n');
}

static Tail *start_at(const char *path, Seen *seen, const LogState *state)
{
	TailCallbacks callbacks = {on_notice, seen};
	Tail *tail;

	MUST(!tail_new(path, state, NOW_US, &callbacks, &tail));
	return tail;
}

static Tail *start(Seen *seen, const LogState *state)
{
	return start_at(LOG, seen, state);
}

static void consume(Tail *tail, Seen *seen)
{
	Span chunk = tail_chunk(tail);

	if (tail_chunk_is_cut(tail)) {
		seen->cuts++;
		strbuf_appendf(&seen->lines, "<%zu bytes>\n", chunk.len);
	} else {
		strbuf_append_span(&seen->lines, chunk);
	}
	tail_consume(tail, chunk.len);
}

/* Reads all that is there. The last result, which is not 0. */
static int read_all(Tail *tail, Seen *seen, Why *why)
{
	int r = 0;

	for (int i = 0; i < 1000 && !r; i++) {
		if (!tail_chunk(tail).len)
			r = tail_fill(tail, NOW_US, why);
		consume(tail, seen);
	}
	return r;
}

static void forget(Seen *seen)
{
	strbuf_done(&seen->lines);
	strbuf_done(&seen->notices);
	*seen = (Seen){0};
}

/* Reads all and compares it, then forgets it. */
static void reads(Tail *tail, Seen *seen, const char *expected, const char *what)
{
	Why why = {""};
	int r = read_all(tail, seen, &why);

	if (!tap_ok(r == TAIL_IDLE && !strcmp(strbuf_text(&seen->lines), expected), "%s", what)) {
		tap_note("%d %s", r, why.text);
		tap_note("got '%s'", strbuf_text(&seen->lines));
		tap_note("notices: %s", strbuf_text(&seen->notices));
	}
	strbuf_reset(&seen->lines);
}

/* One warning (or none), which says this; then forgets it. */
static void warns(Seen *seen, const char *text, const char *what)
{
	bool ok = text ? seen->warnings == 1 && strstr(strbuf_text(&seen->notices), text)
		       : !seen->warnings;

	if (!tap_ok(ok, "%s", what))
		tap_note("%u warnings: %s", seen->warnings, strbuf_text(&seen->notices));
	forget(seen);
}

static void append(const char *path, const char *text)
{
	scratch_append(path, text, strlen(text));
}

static void new_world(void)
{
	scratch_empty();
	MUST(!mkdir("d", 0755));
}

/* Starts another tail where this one is. */
static Tail *again(Tail *tail_take, Seen *seen)
{
	LogState state = {0};
	char path[64];

	(void)snprintf(path, sizeof(path), "%s", tail_path(tail_take));
	tail_save(tail_take, &state);
	tail_free(tail_take);
	return start_at(path, seen, &state);
}

static void write_gzip(const char *path, const char *text)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	pack_gzip(&sb, text, strlen(text), 0);
	scratch_write(path, sb.data, sb.len);
}

/* ---- truncation ----------------------------------------------------------------------------- */

static void test_truncation(void)
{
	Seen seen = {0};
	Tail *tail;

	new_world();
	append(LOG, "one\ntwo\n");
	tail = start(&seen, NULL);
	reads(tail, &seen, "one\ntwo\n", "two lines");
	warns(&seen, NULL, "nothing to say");
	MUST(!truncate(LOG, 0));
	append(LOG, "this is longer than what was there before\n");
	reads(tail, &seen, "this is longer than what was there before\n",
		"truncated and grown beyond the old size between two looks");
	warns(&seen, "up to byte 8 is gone", "it is said that something may be lost");
	MUST(!truncate(LOG, 0));
	append(LOG, "that is longer than what was there before\n");
	reads(tail, &seen, "that is longer than what was there before\n",
		"truncated and grown to the same size");
	forget(&seen);
	MUST(!truncate(LOG, 0));
	reads(tail, &seen, "", "truncated");
	append(LOG, "x\n");
	reads(tail, &seen, "x\n", "then a short line");
	forget(&seen);
	/* Only what had no newline yet is taken back and written anew. */
	append(LOG, "half a li");
	reads(tail, &seen, "", "a line without its end is not read");
	MUST(!truncate(LOG, 2));
	append(LOG, "another line\n");
	reads(tail, &seen, "another line\n", "nor when it is replaced by another");
	warns(&seen, NULL, "of which nothing is lost");
	tail_free(tail);
	forget(&seen);
}

/* A position in the log, and less than that is left of it. */
static void test_shorter(void)
{
	char line[5001];
	Seen seen = {0};
	Tail *tail;

	new_world();
	(void)memset(line, 'x', 5000);
	line[4999] = '\n';
	line[5000] = '\0';
	append(LOG, line);
	append(LOG, "one\ntwo\n");
	tail = start(&seen, NULL);
	(void)read_all(tail, &seen, NULL);
	forget(&seen);
	MUST(!truncate(LOG, 5004));
	reads(tail, &seen, "", "cut to less than the position: it goes on at its end");
	warns(&seen, "is shorter than what was read of it (5004 of 5008 bytes)", "and says so");
	append(LOG, "three\n");
	reads(tail, &seen, "three\n", "with what comes then");
	forget(&seen);
	MUST(!truncate(LOG, 5004));
	append(LOG, "4\n");
	tail = again(tail, &seen);
	reads(tail, &seen, "", "the same while nobody looks");
	warns(&seen, "is shorter than what was read of it (5006 of 5010 bytes)", "and says so");
	append(LOG, "five\n");
	reads(tail, &seen, "five\n", "with what comes then");
	tail_free(tail);
	forget(&seen);
}

/* Lines from to end - 1, each of len bytes; `kind` makes them another line. */
static StrBuf lines_text(char kind, unsigned from, unsigned end, int len)
{
	StrBuf sb = STRBUF_INIT;

	for (unsigned i = from; i < end; i++)
		strbuf_appendf(&sb, "%0*u%c\n", len - 2, i, kind);
	return sb;
}

/*
 * A log that was read in several steps loses its end and, perhaps, has grown again: with lines that are `len` bytes long, `read` is how
 * many were there at each step, `kept` how many of them are left, `added` how many others came. It goes on at line `at`.
 */
static const struct {
	const char *name;
	int len;
	unsigned read[8];
	unsigned kept, added, at;
	const char *warning;
} cut_rows[] = {
	{"shorter, at a place", 1000, {10, 20, 30, 40}, 20, 0, 20,
		"is shorter than what was read of it (20000 of 40000 bytes), going on at its end"},
	{"shorter, between places", 1000, {10, 20, 30, 40}, 25, 0, 25,
		"what may be new in bytes 20000 to 25000 is skipped"},
	{"shorter, one read", 1000, {40}, 25, 0, 25, "(25000 of 40000 bytes)"},
	{"shorter than what is compared", 10, {10, 30}, 25, 0, 25, "(250 of 300 bytes)"},
	{"only its first line is left", 10, {30}, 1, 0, 1, "(10 of 300 bytes)"},
	{"grown again", 1000, {10, 20, 30, 40}, 25, 20, 20,
		"other bytes stand before byte 40000, up to which it was read; going on at byte "
		"20000, bytes 20000 to 40000 may be read twice"},
	{"grown again, cut at a place", 1000, {10, 20, 30, 40}, 30, 30, 30,
		"bytes 30000 to 40000 may be read twice"},
	{"grown again to the same size", 1000, {10, 20, 30, 40}, 25, 15, 20,
		"bytes 20000 to 40000 may be read twice"},
	{"grown again, but shorter", 1000, {10, 20, 30, 40}, 15, 20, 10,
		"bytes 10000 to 35000 may be read twice"},
	{"grown again, small", 10, {10, 30}, 15, 20, 1, "bytes 10 to 300 may be read twice"},
	{"grown again, one read", 1000, {40}, 25, 20, 1, "bytes 1000 to 40000 may be read twice"},
	{"grown again, nearer to the end", 1000, {10, 20, 30, 32, 33, 34, 35, 36}, 34, 20, 34,
		"bytes 34000 to 36000 may be read twice"},
};

static void test_cut(void)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cut_rows); i++) {
		bool stopped = i % 2;
		_cleanup_strbuf_ StrBuf expected = STRBUF_INIT, news = STRBUF_INIT;
		unsigned before = 0;
		Seen seen = {0};
		char what[128];
		Tail *tail;

		new_world();
		tail = start(&seen, NULL);
		for (size_t j = 0; j < 8 && cut_rows[i / 2].read[j]; j++) {
			_cleanup_strbuf_ StrBuf more = lines_text(
				'a', before, cut_rows[i / 2].read[j], cut_rows[i / 2].len);

			append(LOG, more.data);
			(void)read_all(tail, &seen, NULL);
			before = cut_rows[i / 2].read[j];
		}
		forget(&seen);
		MUST(!truncate(LOG, (off_t)cut_rows[i / 2].kept * cut_rows[i / 2].len));
		news = lines_text('b', 0, cut_rows[i / 2].added, cut_rows[i / 2].len);
		append(LOG, strbuf_text(&news));
		expected = lines_text(
			'a', cut_rows[i / 2].at, cut_rows[i / 2].kept, cut_rows[i / 2].len);
		strbuf_append_string(&expected, strbuf_text(&news));
		if (stopped)
			tail = again(tail, &seen);
		(void)snprintf(what, sizeof(what), "%s, %s", cut_rows[i / 2].name,
			stopped ? "while it is stopped" : "while it runs");
		reads(tail, &seen, strbuf_text(&expected), what);
		warns(&seen, cut_rows[i / 2].warning, "and says so");
		append(LOG, "next\n");
		reads(tail, &seen, "next\n", "what comes then is read");
		tail = again(tail, &seen);
		append(LOG, "next to it\n");
		reads(tail, &seen, "next to it\n", "once");
		warns(&seen, NULL, "and nothing is said any more");
		tail_free(tail);
	}
}

static void test_no_append(void)
{
	Seen seen = {0};
	Tail *tail;
	int fd;

	new_world();
	fd = open(LOG, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	MUST(fd >= 0 && !file_write_full(fd, "0123456789\n", 11));
	tail = start(&seen, NULL);
	reads(tail, &seen, "0123456789\n", "a writer without O_APPEND");
	scratch_text(LOG ".1", "0123456789\n");
	MUST(!truncate(LOG, 0) && !file_write_full(fd, "abc\n", 4));
	MUST(read_all(tail, &seen, NULL) == TAIL_IDLE);
	tap_ok(seen.lines.len == 15 && !memcmp(seen.lines.data, "\0\0\0\0\0\0\0\0\0\0\0abc\n", 15),
		"goes on behind as many NULs");
	warns(&seen, NULL, "of which nothing is lost");
	(void)close(fd);
	tail_free(tail);
}

/* A log of a writer without O_APPEND: it begins with more NULs than are read at once. */
static void write_behind_nuls(int fd, const char *text)
{
	MUST(pwrite(fd, text, strlen(text), 3 * LINES_BUFFER_SIZE) == (ssize_t)strlen(text));
}

/* Nothing else was read of it when it is copied, cut and written again. */
static void test_many_nuls(void)
{
	_cleanup_close_ int log = -1, copy = -1;
	Seen seen = {0};
	Why why = {""};
	Tail *tail;

	for (int restarted = 0; restarted < 2; restarted++) {
		new_world();
		close_fd(&log);
		close_fd(&copy);
		log = open(LOG, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		MUST(log >= 0 && !file_write_full(log, "one\n", 4));
		tail = start(&seen, NULL);
		reads(tail, &seen, "one\n", "a log");
		scratch_text(LOG ".2", "one\n");
		MUST(!ftruncate(log, 0));
		write_behind_nuls(log, "two\n");
		for (int i = 0; i < 4; i++)
			MUST(tail_fill(tail, NOW_US, &why) == 0 && !tail_chunk(tail).len);
		tap_ok(tail_lag(tail) && tail_lag(tail) < 3 * LINES_BUFFER_SIZE,
			"truncated: some of the NULs were read");
		if (restarted)
			tail = again(tail, &seen);
		copy = open(LOG ".1", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		write_behind_nuls(copy, "two\n");
		MUST(!ftruncate(log, 0));
		MUST(pwrite(log, "\0\0\0\0three\n", 10, 3 * LINES_BUFFER_SIZE) == 10);
		MUST(read_all(tail, &seen, NULL) == TAIL_IDLE);
		tap_ok(memmem(seen.lines.data, seen.lines.len, "two\n", 4) &&
				memmem(seen.lines.data, seen.lines.len, "three\n", 6),
			"copied and cut: nothing of it is lost%s",
			restarted ? " while nobody looks" : "");
		warns(&seen, NULL, "and nothing to say");
		tail_free(tail);
	}
}

/* A log that begins with NULs, and what it held before. */
static void write_log(const char *path, size_t nuls, const char *text)
{
	static const char many[2000];

	MUST(!truncate(path, 0) || errno == ENOENT);
	scratch_append(path, many, nuls);
	append(path, text);
}

static void look(Tail *tail, Seen *seen, int times)
{
	Why why = {""};

	for (int i = 0; i < times; i++) {
		MUST(tail_fill(tail, NOW_US, &why) >= 0);
		consume(tail, seen);
	}
}

static bool reads_from(const Tail *tail, const char *path)
{
	struct stat open_st, st;

	return tail_fd(tail) < 0 ||
	       (!fstat(tail_fd(tail), &open_st) && !stat(path, &st) && st.st_ino == open_st.st_ino);
}

static bool holds_once(const StrBuf *lines, const char *line)
{
	const char *at = memmem(lines->data, lines->len, line, strlen(line));
	size_t behind;

	if (!at)
		return false;
	behind = (size_t)(at - lines->data) + 1;
	return !memmem(lines->data + behind, lines->len - behind, line, strlen(line));
}

/*
 * The log is copied, cut and written again while the copy is read: what is read first is only a part of it. While the tail
 * is at the copy it is finished and the log is cut between two looks, as if it were during one.
 */
static void test_growing_copy(void)
{
	for (int i = 0; i < 28; i++) {
		size_t nuls = i % 2 ? 1000 : 0;
		bool moved = i % 4 < 2;
		int looks = i / 4;
		bool in_copy;
		Seen seen = {0};
		Tail *tail;

		new_world();
		write_log(LOG, 0, "one\n");
		tail = start(&seen, NULL);
		reads(tail, &seen, "one\n", "a log");
		write_log(LOG "-20261120", 0, "one\n");
		write_log(LOG, nuls, "\ntwo\nthree\n");
		write_log(LOG "-20261121", nuls, nuls ? "" : "\ntwo\n");
		tail = again(tail, &seen);
		look(tail, &seen, looks);
		in_copy = reads_from(tail, LOG "-20261121");
		if (!in_copy)
			append(LOG "-20261121", nuls ? "\ntwo\nthree\n" : "three\n");
		write_log(LOG, nuls ? nuls + 11 : 0, "\nfour\n");
		if (moved) {
			MUST(!rename(LOG, LOG "-20261122"));
			append(LOG, "five\n");
		}
		look(tail, &seen, 1);
		if (in_copy)
			append(LOG "-20261121", nuls ? "\ntwo\nthree\n" : "three\n");
		look(tail, &seen, 20);
		tap_ok(holds_once(&seen.lines, "two\n") && holds_once(&seen.lines, "three\n") &&
				holds_once(&seen.lines, "four\n") &&
				holds_once(&seen.lines, "five\n") == moved,
			"a copy that grows, after %d looks%s%s: nothing is lost", looks,
			nuls ? ", with NULs" : "", moved ? ", rotated again" : "");
		warns(&seen, NULL, "nothing to say");
		tail_free(tail);
		forget(&seen);
	}
}

/*
 * Between two looks the log, of which nothing was read, is copied, cut, perhaps written again, rotated and compressed, so that the file that
 * is open has lost its name.
 */
static void test_nameless(void)
{
	static const struct {
		bool known;       /* a file was finished before it */
		bool forgotten;   /* and is gone then */
		const char *text; /* what the log gets after it was cut */
		bool packed;      /* it is there, compressed */
	} cases[] = {
		{true, false, "three\n", true},
		{true, false, "thr", true},
		{true, false, "", true},
		{true, true, "", true},
		{false, false, "three\n", true},
		{false, false, "", true},
		{false, false, "", false},
	};
	static const struct timespec finished[] = {{1000, 0}, {1000, 0}};
	static const struct timespec copied[] = {{2000, 0}, {2000, 0}};
	static const struct timespec rotated[] = {{1799999999, 0}, {1799999999, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text;
		char expected[64];
		Seen seen = {0};
		Tail *tail;

		new_world();
		scratch_write(LOG, "one\n", cases[i].known ? 4 : 0);
		MUST(!utimensat(AT_FDCWD, LOG, finished, 0));
		tail = start(&seen, NULL);
		reads(tail, &seen, cases[i].known ? "one\n" : "", "a log");
		if (cases[i].known) {
			MUST(!rename(LOG, LOG "-20261120"));
			append(LOG, "two\n");
			look(tail, &seen, 2);
		} else {
			append(LOG, "two\n");
		}
		MUST(tail_fd(tail) >= 0 && reads_from(tail, LOG));
		append(LOG "-20261121", "two\n");
		MUST(!utimensat(AT_FDCWD, LOG "-20261121", copied, 0));
		write_log(LOG, 0, text);
		if (cases[i].packed)
			write_gzip(LOG "-20261122.gz", text);
		MUST(!unlink(LOG) && (!cases[i].forgotten || !unlink(LOG "-20261120")));
		append(LOG "-20261123", "four\n");
		MUST(!utimensat(AT_FDCWD, LOG "-20261123", rotated, 0));
		append(LOG, "five\n");
		(void)snprintf(expected, sizeof(expected), "two\n%s%sfour\nfive\n", text,
			*text && !strchr(text, '\n') ? "\n" : "");
		reads(tail, &seen, expected, "compressed before it was read");
		warns(&seen, NULL, "nothing to say");
		tail_free(tail);
		forget(&seen);
	}
}

/* NULs that another copy begins with too do not make it the rest of this one. */
static void test_nuls_elsewhere(void)
{
	static const struct timespec times[2] = {{1000, 0}, {1000, 0}};
	_cleanup_close_ int log = -1;
	Seen seen = {0};
	Tail *tail;

	new_world();
	log = open(LOG, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	MUST(log >= 0);
	tail = start(&seen, NULL);
	for (int i = 0; i < 2; i++) {
		MUST(!ftruncate(log, 0));
		MUST(pwrite(log, "a\n", 2, 200000 + 2 * i) == 2);
		(void)read_all(tail, &seen, NULL);
		forget(&seen);
		if (!i)
			MUST(!ftruncate(log, 0));
	}
	scratch_write(LOG ".1", "", 0);
	MUST(!truncate(LOG ".1", 200000));
	append(LOG ".1", "a\n");
	/* It is older than what was read, whatever the clock's tick. */
	MUST(!utimensat(AT_FDCWD, LOG ".1", times, 0));
	MUST(!ftruncate(log, 0));
	MUST(pwrite(log, "b\n", 2, 200004) == 2);
	tail = again(tail, &seen);
	(void)read_all(tail, &seen, NULL);
	tap_ok(holds_once(&seen.lines, "b\n") && !holds_once(&seen.lines, "a\n"),
		"truncated without a copy, NULs before");
	warns(&seen, "up to byte 200004 is gone", "what was read last is nowhere");
	tail_free(tail);
}

/* A copy that was never finished must not be looked at again and again. */
static void test_broken_copy(void)
{
	static const char *const parts[] = {"tw", "two\nthr"};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		Seen seen = {0};
		Tail *tail;

		new_world();
		append(LOG, "one\n");
		tail = start(&seen, NULL);
		reads(tail, &seen, "one\n", "a log");
		scratch_text(LOG ".2", "one\n");
		MUST(!truncate(LOG, 0));
		append(LOG, "two\nthree\n");
		append(LOG ".1", parts[i]);
		tail = again(tail, &seen);
		reads(tail, &seen, "two\nthree\n",
			"the log, of which there is the start of a copy");
		append(LOG, "four\n");
		reads(tail, &seen, "four\n", "and it is followed");
		warns(&seen, NULL, "nothing is lost");
		tail_free(tail);
	}
}

/* ---- rotation ------------------------------------------------------------------------------- */

static void test_waiting(void)
{
	Seen seen = {0};
	Tail *tail;

	/* Between logrotate's rename and rsyslog's HUP, with a process that ends and starts at every turn. */
	new_world();
	append(LOG ".2", "one\n");
	append(LOG, "two\n");
	tail = start(&seen, NULL);
	reads(tail, &seen, "one\ntwo\n", "a sibling and the log");
	MUST(!rename(LOG, LOG ".1"));
	append(LOG, "");
	tail = again(tail, &seen);
	reads(tail, &seen, "", "renamed, the new one is empty");
	append(LOG ".1", "three\n");
	tail = again(tail, &seen);
	reads(tail, &seen, "three\n", "the old one is still written");
	append(LOG, "five\n");
	append(LOG ".1", "four\n");
	reads(tail, &seen, "four\nfive\n", "the old one is read to its end first");
	tail = again(tail, &seen);
	reads(tail, &seen, "", "nothing comes twice");
	warns(&seen, NULL, "and nothing is lost");

	/* Nothing was read of the new file when the process ended: the old one is remembered. */
	MUST(!rename(LOG, LOG ".0"));
	write_gzip(LOG ".0.gz", "five\n");
	MUST(!unlink(LOG ".0"));
	append(LOG, "");
	for (int i = 0; i < 3; i++) {
		tail = again(tail, &seen);
		reads(tail, &seen, "", "an empty log behind one that was read and compressed");
	}
	append(LOG, "six\n");
	reads(tail, &seen, "six\n", "it is written");
	warns(&seen, NULL, "nothing to say");
	tail_free(tail);
}

static void test_last_line(void)
{
	Seen seen = {0};
	FileMark mark;
	LogState state = {0};
	Tail *tail;

	new_world();
	append(LOG, "one\ntwo");
	tail = start(&seen, NULL);
	reads(tail, &seen, "one\n", "a last line without newline waits for its end");
	MUST(!rename(LOG, LOG ".1"));
	append(LOG, "");
	reads(tail, &seen, "", "also when it was renamed");
	append(LOG, "three\n");
	MUST(!tail_fill(tail, NOW_US, NULL) && !tail_fill(tail, NOW_US, NULL));
	tap_ok(tail_chunk(tail).len == 4 && !memcmp(tail_chunk(tail).data, "two\n", 4),
		"it is a line when the new one holds a byte");
	tail_mark(tail, 4, &mark);
	tap_ok(mark.offset == 7 && mark.tail_len == 7 && mark.head_len == 7,
		"the place behind it is the file's end");
	tail_save(tail, &state);
	tap_ok(state.position.offset == 4, "the place before it is its start");
	state.position = mark;
	tail_free(tail);
	tail = start(&seen, &state);
	reads(tail, &seen, "three\n", "from the place behind it on");
	warns(&seen, NULL, "nothing to say");
	tail_free(tail);
}

static void test_gone(void)
{
	static const struct timespec times[2] = {
		{NOW_US / 1000000 + 1, 0}, {NOW_US / 1000000 + 1, 0}};
	Seen seen = {0};
	LogState state = {0};
	Tail *tail;

	new_world();
	append(LOG, "one\n");
	tail = start(&seen, NULL);
	reads(tail, &seen, "one\n", "a log");
	tail_save(tail, &state);
	tail_free(tail);
	MUST(!unlink(LOG));
	tail = start(&seen, &state);
	for (int i = 0; i < 3; i++)
		reads(tail, &seen, "", "it is deleted while nobody looks");
	warns(&seen,
		"up to byte 4 is gone; what was written to it after that is lost, going on with "
		"the next one that appears",
		"which is said once");
	tap_ok(tail_fd(tail) == -1 && !tail_lag(tail), "none is open");
	tail_save(tail, &state);
	tap_ok(state.has_position && state.position.offset == 4, "the place is still what it was");
	append(LOG, "two\n");
	reads(tail, &seen, "two\n", "the next one");
	tail_free(tail);
	forget(&seen);
	/* The clock was wrong when the place was saved. */
	state.position.written_us = INT64_MAX;
	append(LOG ".1", "one and a half\n");
	MUST(!utimensat(AT_FDCWD, LOG ".1", times, 0));
	tail = start(&seen, &state);
	reads(tail, &seen, "one and a half\ntwo\n", "what was written after the checkpoint is new");
	tail_free(tail);
	forget(&seen);
}

/* ---- links and other names ------------------------------------------------------------------ */

static void switch_link(const char *target, const char *link)
{
	MUST(!symlink(target, "d/new-link") && !rename("d/new-link", link));
}

/* A link to the file of today, as a path and what it says on four days. */
static const struct {
	const char *name;
	const char *path, *link;
	const char *target[4];
	const char *file[4];
} link_rows[] = {
	{"a date in the name", "d/mail.log", "d/mail.log",
		{"mail-20261120.log", "mail-20261121.log", "mail-20261122.log",
			"mail-20261123.log"},
		{"d/mail-20261120.log", "d/mail-20261121.log", "d/mail-20261122.log",
			"d/mail-20261123.log"}},
	{"a date that suffixes the name", "d/mail.log", "d/mail.log",
		{"mail.log.2026-11-20", "mail.log.2026-11-21", "mail.log.2026-11-22",
			"mail.log.2026-11-23"},
		{"d/mail.log.2026-11-20", "d/mail.log.2026-11-21", "d/mail.log.2026-11-22",
			"d/mail.log.2026-11-23"}},
	{"another directory", "d/mail.log", "d/mail.log",
		{"../e/2026/11-20/x/mx1.log", "../e/2026/11-21/x/mx1.log",
			"../e/2026/11-22/x/mx1.log", "../e/2027/01-01/x/mx1.log"},
		{"e/2026/11-20/x/mx1.log", "e/2026/11-21/x/mx1.log", "e/2026/11-22/x/mx1.log",
			"e/2027/01-01/x/mx1.log"}},
	{"the directory is the link", "d/today/mail.log", "d/today",
		{"20261120", "20261121", "20261122", "20261123"},
		{"d/20261120/mail.log", "d/20261121/mail.log", "d/20261122/mail.log",
			"d/20261123/mail.log"}},
};

static void make_directories(void)
{
	static const char *const names[] = {"e", "e/2026", "e/2027", "e/2026/11-20", "e/2026/11-21",
		"e/2026/11-22", "e/2027/01-01", "e/2026/11-20/x", "e/2026/11-21/x",
		"e/2026/11-22/x", "e/2027/01-01/x", "d/20261120", "d/20261121", "d/20261122",
		"d/20261123"};

	new_world();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		MUST(!mkdir(names[i], 0755));
	/* What only looks like it. */
	append("d/mail-2026112.log", "wrong\n");
	append("d/nail-20261120.log", "wrong\n");
	append("e/2026/11-2x", "wrong\n");
	append("e/2026/11-29", "wrong\n");
}

static void test_links(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(link_rows); i++) {
		const char *const *file = link_rows[i].file;
		char packed[64], what[128];
		Seen seen = {0};
		Tail *tail;

		make_directories();
		append(file[0], "one\n");
		switch_link(link_rows[i].target[1], link_rows[i].link);
		append(file[1], "two\n");
		tail = start_at(link_rows[i].path, &seen, NULL);
		(void)snprintf(what, sizeof(what), "%s: those before, and the one that it leads to",
			link_rows[i].name);
		reads(tail, &seen, "one\ntwo\n", what);
		append(file[2], "four\n");
		switch_link(link_rows[i].target[2], link_rows[i].link);
		append(file[1], "three\n");
		reads(tail, &seen, "three\nfour\n", "switched while it runs");
		tail = again(tail, &seen);
		reads(tail, &seen, "", "a start");
		switch_link(link_rows[i].target[3], link_rows[i].link);
		append(file[2], "five\n");
		append(file[3], "six\n");
		tail = again(tail, &seen);
		reads(tail, &seen, "five\nsix\n", "switched while it is stopped");
		/* Back to the first, over two days, one of them compressed. */
		warns(&seen, NULL, "nothing is lost");
		tail_free(tail);
		/* Who has a suffix is a rotated file, whatever its date. */
		if (!strncmp(link_rows[i].target[0], "mail.log.", 9))
			continue;
		switch_link(link_rows[i].target[0], link_rows[i].link);
		tail = start_at(link_rows[i].path, &seen, NULL);
		reads(tail, &seen, "one\n", "files of later days are not read");
		append(file[0], "one and a half\n");
		(void)snprintf(packed, sizeof(packed), "%s.gz", file[1]);
		write_gzip(packed, "two\nthree\n");
		MUST(!unlink(file[1]));
		switch_link(link_rows[i].target[3], link_rows[i].link);
		tail = again(tail, &seen);
		reads(tail, &seen, "one and a half\ntwo\nthree\nfour\nfive\nsix\n",
			"three days at once");
		warns(&seen, NULL, "nothing is lost");
		tail_free(tail);
	}
}

/* A name that tells nothing: the file is found by what it is. */
static void test_other_names(void)
{
	Seen seen = {0};
	Tail *tail;

	new_world();
	append("d/a", "one\n");
	switch_link("a", LOG);
	tail = start(&seen, NULL);
	reads(tail, &seen, "one\n", "a link to any file");
	append("d/a", "two\n");
	append("d/b", "three\n");
	switch_link("b", LOG);
	reads(tail, &seen, "two\nthree\n", "switched while it runs");
	append("d/b", "four\n");
	append("d/c", "five\n");
	switch_link("c", LOG);
	tail = again(tail, &seen);
	reads(tail, &seen, "four\nfive\n", "switched while it is stopped");
	MUST(!unlink(LOG));
	reads(tail, &seen, "", "the link is gone");
	switch_link("nowhere", LOG);
	reads(tail, &seen, "", "it leads nowhere");
	tail = again(tail, &seen);
	reads(tail, &seen, "", "also at a start");
	append("d/c", "six\n");
	append("d/nowhere", "seven\n");
	reads(tail, &seen, "six\nseven\n", "then it does");
	warns(&seen, NULL, "nothing is lost");
	append("d/nowhere", "eight\n");
	MUST(!rename("d/nowhere", "d/old.mail") && !unlink(LOG));
	append(LOG, "nine\n");
	tail = again(tail, &seen);
	reads(tail, &seen, "eight\nnine\n", "renamed to any name while it is stopped");
	MUST(!rename(LOG, "d/older.mail"));
	append("d/older.mail", "ten\n");
	append(LOG, "eleven\n");
	reads(tail, &seen, "ten\neleven\n", "the same while it runs");
	warns(&seen, NULL, "nothing is lost");
	tail_free(tail);
}

/* ---- what can't be read --------------------------------------------------------------------- */

static int fill(Tail *tail, Why *why)
{
	*why = (Why){""};
	return tail_fill(tail, NOW_US, why);
}

static void test_unreadable(void)
{
	Seen seen = {0};
	Why why;
	Tail *tail;
	int fd;

	new_world();
	append(LOG, "one\n");
	MUST(!chmod(LOG, 0) && !chmod(scratch_root, 0755));
	MUST(geteuid() || !chown(LOG, 65534, 65534));
	scratch_be_nobody("d");
	tail = start(&seen, NULL);
	tap_ok(fill(tail, &why) == -EACCES && strstr(why.text, LOG ": ") &&
			fill(tail, &why) == -EACCES,
		"a log that may not be read");
	MUST(!chmod(LOG, 0644));
	reads(tail, &seen, "one\n", "then it may");
	MUST(!chmod(LOG, 0200));
	append(LOG, "two\n");
	reads(tail, &seen, "two\n", "what is open stays readable");
	MUST(!rename(LOG, LOG ".1"));
	append(LOG, "three\n");
	MUST(!chmod(LOG, 0200));
	tap_ok(fill(tail, &why) == -EACCES, "the next one may not be read");
	append(LOG ".1", "still two\n");
	MUST(!fill(tail, &why));
	tap_ok(tail_chunk(tail).len == 10, "meanwhile the old one is");
	tail = again(tail, &seen);
	tap_ok(fill(tail, &why) == -EACCES, "after a restart it may be either");
	MUST(!chmod(LOG, 0644) && !chmod(LOG ".1", 0644));
	reads(tail, &seen, "still two\nthree\n", "then all may be");
	fd = open(LOG, O_WRONLY | O_APPEND | O_CLOEXEC);
	MUST(fd >= 0 && !chmod("d", 0));
	MUST(!file_write_full(fd, "four\n", 5));
	tap_ok(read_all(tail, &seen, &why) == -EACCES &&
			!strcmp(strbuf_text(&seen.lines), "four\n"),
		"its directory may not be entered, what is open is read");
	strbuf_reset(&seen.lines);
	MUST(!chmod("d", 0755));
	reads(tail, &seen, "", "then it may");
	(void)close(fd);
	MUST(!rename(LOG, LOG ".0"));
	fd = open(LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	MUST(fd >= 0);
	tail_free(tail);
	MUST(!unlink(LOG ".0") && !unlink(LOG ".1"));
	forget(&seen);
	tail = start(&seen, NULL);
	reads(tail, &seen, "", "an empty log and no other");
	MUST(!chmod("d", 0) && !file_write_full(fd, "five\n", 5));
	tap_ok(fill(tail, &why) == -EACCES, "its directory may not be entered when it is written");
	MUST(!chmod("d", 0755));
	reads(tail, &seen, "five\n", "then it may, and its first line is there");
	scratch_come_back();
	warns(&seen, NULL, "nothing is lost");
	(void)close(fd);
	tail_free(tail);
}

static void test_directory(void)
{
	Seen seen = {0};
	Why why;
	Tail *tail;

	scratch_empty();
	tail = start(&seen, NULL);
	reads(tail, &seen, "", "no directory");
	tap_ok(tail_fd(tail) == -1 && tail_written_us(tail, 42) == 42 &&
			!strcmp(tail_path(tail), LOG),
		"nothing is open");
	MUST(!mkdir("d", 0755));
	reads(tail, &seen, "", "no log");
	MUST(!mkdir(LOG, 0755));
	tap_ok(fill(tail, &why) == -EISDIR && !strcmp(why.text, LOG ": Is a directory"),
		"a directory in its place");
	MUST(!rmdir(LOG) && !mkfifo(LOG, 0644));
	tap_ok(fill(tail, &why) == -EINVAL && !strcmp(why.text, LOG ": not a regular file"),
		"a FIFO in its place");
	MUST(!unlink(LOG));
	append(LOG, "one\n");
	reads(tail, &seen, "one\n", "then the log");
	tail_free(tail);
	forget(&seen);
}

static void test_damaged(void)
{
	Seen seen = {0};
	_cleanup_strbuf_ StrBuf gz = STRBUF_INIT;
	Tail *tail;

	new_world();
	pack_gzip(&gz, "one\ntwo\n", 8, 0);
	gz.data[gz.len - 5] ^= 1;
	scratch_write(LOG ".2.gz", gz.data, gz.len);
	tail = start(&seen, NULL);
	for (int i = 0; i < 3; i++)
		(void)read_all(tail, &seen, NULL);
	append(LOG, "three\n");
	reads(tail, &seen, "one\ntwo\nthree\n", "a damaged sibling and the log");
	warns(&seen,
		LOG
		".2.gz: damaged or cut short, 8 bytes of it could be read, what follows is lost",
		"the damage is said once");
	tail = again(tail, &seen);
	reads(tail, &seen, "", "and not read again");
	tail_free(tail);
	forget(&seen);
}

/* ---- long lines and such -------------------------------------------------------------------- */

static void test_long_line(void)
{
	static char line[10 << 20];
	char expected[64];
	Seen seen = {0};
	LogState state = {0};
	Tail *tail;

	new_world();
	memset(line, 'x', sizeof(line));
	append(LOG, "one\n");
	scratch_append(LOG, line, sizeof(line));
	tail = start(&seen, NULL);
	reads(tail, &seen, "one\n", "a line before one of 10 MB");
	tap_ok(!tail_lag(tail), "which is read, but for its end");
	tail_save(tail, &state);
	tap_ok(state.position.offset == 4, "the place is its start");
	append(LOG, "\ntwo\n");
	(void)snprintf(expected, sizeof(expected), "<%zu bytes>\ntwo\n", LINES_LINE_MAX + 1);
	reads(tail, &seen, expected, "it is cut, and the one behind it is whole");
	tail = again(tail, &seen);
	append(LOG, "three\n");
	reads(tail, &seen, "three\n", "the place behind it");
	tail_free(tail);
	tail = start(&seen, &state);
	(void)snprintf(expected, sizeof(expected), "<%zu bytes>\ntwo\nthree\n", LINES_LINE_MAX + 1);
	reads(tail, &seen, expected, "from its start on again");
	/* In the middle of it the log is copied and truncated, behind it all goes on. */
	scratch_append(LOG, line, sizeof(line));
	reads(tail, &seen, "", "another one of 10 MB");
	MUST(!rename(LOG, LOG ".1"));
	append(LOG, "four\n");
	(void)snprintf(expected, sizeof(expected), "<%zu bytes>\nfour\n", LINES_LINE_MAX + 1);
	reads(tail, &seen, expected, "it ends with the file");
	warns(&seen, NULL, "nothing to say");
	tail_free(tail);
}

static void test_bytes(void)
{
	static const char bytes[] =
		"\0\0\n\n\r\n\xff\xfe\x80\n\0mid\0dle\0\n\x1f\x8b\x08\n\xe2\x80\xa8\n";
	Seen seen = {0};
	Tail *tail;

	new_world();
	scratch_append(LOG, bytes, sizeof(bytes) - 1);
	tail = start(&seen, NULL);
	MUST(read_all(tail, &seen, NULL) == TAIL_IDLE);
	tap_ok(seen.lines.len == sizeof(bytes) - 1 &&
			!memcmp(seen.lines.data, bytes, seen.lines.len),
		"every byte comes as it is");
	tail_free(tail);
	forget(&seen);
}

static void test_times(void)
{
	const struct timespec old[2] = {{1000, 0}, {1000, 0}},
			      future[2] = {{5000000000, 0}, {5000000000, 0}};
	Seen seen = {0};
	LogState state = {0};
	Tail *tail;

	new_world();
	append(LOG, "one\n");
	MUST(!utimensat(AT_FDCWD, LOG, old, 0));
	tail = start(&seen, NULL);
	reads(tail, &seen, "one\n", "a log");
	tap_ok(tail_written_us(tail, NOW_US) == 1000000000, "when it was written");
	tail_save(tail, &state);
	tap_ok(state.position.written_us == 1000000000, "the place knows it");
	MUST(!utimensat(AT_FDCWD, LOG, future, 0));
	reads(tail, &seen, "", "its time is in the future");
	tail_save(tail, &state);
	tap_ok(state.position.written_us == NOW_US, "the place does not follow it there");
	append(LOG, "two\nthree");
	tap_ok(tail_lag(tail) == 9, "what is not read yet");
	MUST(!fill(tail, &(Why){""}));
	tap_ok(!tail_lag(tail), "is none any more");
	tail_free(tail);
	forget(&seen);
}

/* ---- a single file -------------------------------------------------------------------------- */

static Tail *start_single(Seen *seen, const char *path)
{
	TailCallbacks callbacks = {on_notice, seen};
	Tail *tail;

	MUST(!tail_new_single(open(path, O_RDONLY | O_CLOEXEC), path, &callbacks, &tail));
	return tail;
}

static void test_single(void)
{
	Seen seen = {0};
	_cleanup_strbuf_ StrBuf gz = STRBUF_INIT;
	TailCallbacks callbacks = {on_notice, &seen};
	int ends[2];
	Tail *tail;

	scratch_empty();
	append("file.1", "zero\n");
	append("file", "one\ntwo");
	tail = start_single(&seen, "file");
	reads(tail, &seen, "one\ntwo\n", "one file, its last line without newline, no sibling");
	reads(tail, &seen, "", "it stays at its end");
	tail_free(tail);
	append("empty", "");
	tail = start_single(&seen, "empty");
	reads(tail, &seen, "", "an empty one");
	tail_free(tail);
	pack_gzip(&gz, "three\nfour", 10, 1600000000);
	scratch_write("packed", gz.data, gz.len);
	tail = start_single(&seen, "packed");
	reads(tail, &seen, "three\nfour\n", "a compressed one");
	tap_ok(tail_written_us(tail, NOW_US) == 1600000000000000, "its time is that of its header");
	tail_free(tail);
	warns(&seen, NULL, "nothing to say");
	scratch_write("packed", gz.data, gz.len - 9);
	tail = start_single(&seen, "packed");
	(void)read_all(tail, &seen, NULL);
	warns(&seen, "packed: damaged or cut short", "one that is cut short");
	tail_free(tail);
	MUST(!pipe2(ends, O_CLOEXEC) && !file_write_full(ends[1], "five\nsix", 8));
	(void)close(ends[1]);
	MUST(!tail_new_single(ends[0], "pipe", &callbacks, &tail));
	reads(tail, &seen, "five\nsix\n", "a pipe");
	tail_free(tail);
	tap_ok(tail_new_single(open(".", O_RDONLY | O_CLOEXEC), "dir", &callbacks, &tail) ==
			-EISDIR,
		"a directory is an error");
	forget(&seen);
}

int main(void)
{
	scratch_enter();
	test_truncation();
	test_shorter();
	test_cut();
	test_no_append();
	test_many_nuls();
	test_growing_copy();
	test_nameless();
	test_nuls_elsewhere();
	test_broken_copy();
	test_waiting();
	test_last_line();
	test_gone();
	test_links();
	test_other_names();
	test_unreadable();
	test_directory();
	test_damaged();
	test_long_line();
	test_bytes();
	test_times();
	test_single();
	return tap_done();
}
