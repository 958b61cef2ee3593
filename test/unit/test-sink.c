/* SPDX-License-Identifier: GPL-3.0-or-later */

/* SQLite as a sink: what it takes, what it answers, how it fails; and that rows of an INSERT arrive the same however it takes them. */

#include "store/sink.h"

#include "base/strbuf.h"
#include "scratch.h"
#include "tap.h"

#include <sys/stat.h>

#define PATH "x.sqlite"

static const SinkOptions options = {.dialect = SQL_SQLITE, .path = PATH, .timeout_ms = 50};

static int append_row(void *userdata, const char *const *values, size_t count)
{
	StrBuf *sb = userdata;

	for (size_t i = 0; i < count; i++) {
		strbuf_append_string(sb, i ? "|" : "");
		strbuf_append_string(sb, values[i] ? values[i] : "-");
	}
	strbuf_append_char(sb, '\n');
	return 0;
}

static int refuse_row(void *userdata, const char *const *values, size_t count)
{
	return -ECANCELED;
}

static Sink *open_sink(void)
{
	Sink *sink = NULL;
	Why why = {""};

	if (sink_open(&options, &sink, &why))
		tap_note("%s", why.text);
	MUST(sink);
	return sink;
}

static void must(Sink *sink, const char *statement)
{
	Why why = {""};

	if (sink_execute(sink, statement, &why)) {
		tap_note("%s: %s", statement, why.text);
		MUST(false);
	}
}

static bool answers(Sink *sink, const char *statement, const char *expected)
{
	_cleanup_strbuf_ StrBuf got = STRBUF_INIT;
	Why why = {""};
	int r = sink_query(sink, statement, append_row, &got, &why);

	if (!r && !strcmp(strbuf_text(&got), expected))
		return true;
	tap_note("%d %s '%s'", r, why.text, strbuf_text(&got));
	return false;
}

#define INSERT "INSERT INTO t (a,b) VALUES\n"
#define TAIL "\nON CONFLICT (a) DO NOTHING;\n"

static const struct {
	const char *name;
	const char *statement;
	int result;
	const char *rows;
} inserts[] = {
	{"one row", INSERT "(1,'x')" TAIL, 0, "1|text|x\n"},
	{"rows", INSERT "(1,'x'),\n(2,'y'),\n(-3,'')" TAIL, 0, "-3|text|\n1|text|x\n2|text|y\n"},
	{"a row that is there", INSERT "(1,'x'),\n(1,'y'),\n(2,'z')" TAIL, 0,
		"1|text|x\n2|text|z\n"},
	{"NULL, 64 bits", INSERT "(9223372036854775807,NULL),\n(-922337203685477580,NULL)" TAIL, 0,
		"-922337203685477580|null|-\n9223372036854775807|null|-\n"},
	{"quotes", INSERT "(1,''''),\n(2,'''a''''b'''),\n(3,''),\n(4,'\\')" TAIL, 0,
		"1|text|'\n2|text|'a''b'\n3|text|\n4|text|\\\n"},
	{"what looks like the end of a row", INSERT "(1,'),(2,'),\n(2,')\nx'),\n(3,')'')')" TAIL, 0,
		"1|text|),(2,\n2|text|)\nx\n3|text|)')\n"},
	{"what looks like the end of the rows", INSERT "(1,'a'),\n(2,')\n')" TAIL, 0,
		"1|text|a\n2|text|)\n\n"},
	{"what only SQLite reads", INSERT "(1,'x'),\n(1+1,x'79'),\n(3, 'z'),\n(4,2.5)" TAIL, 0,
		"1|text|x\n2|blob|y\n3|text|z\n4|real|2.5\n"},
	{"no line of its own for the end", INSERT "(1,'x'),\n(2,'y') ON CONFLICT (a) DO NOTHING", 0,
		"1|text|x\n2|text|y\n"},
	{"another number of values", INSERT "(1,'x'),\n(2)" TAIL, -EBADMSG, "1|text|x\n"},
	{"too many values", INSERT "(1,'x',2)" TAIL, -EBADMSG, ""},
	{"an end without a quote", INSERT "(1,'x'),\n(2,'y)" TAIL, -EBADMSG, "1|text|x\n"},
	{"a number that is none", INSERT "(1,'x'),\n(-,'y')" TAIL, -EBADMSG, "1|text|x\n"},
	{"a value that may not be", INSERT "(1,'x'),\n('y','y')" TAIL, -EBADMSG, "1|text|x\n"},
	{"a table that is not there", "INSERT INTO u (a,b) VALUES\n(1,'x')" TAIL, -EBADMSG, ""},
	{"a row that is there, and no word about it", INSERT "(1,'x'),\n(1,'y')\n;\n", -EBADMSG,
		"1|text|x\n"},
};

static void test_inserts(void)
{
	scratch_empty();
	{
		_cleanup_(sink_freep) Sink *sink = open_sink();

		must(sink, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
		for (size_t i = 0; i < ARRAY_SIZE(inserts); i++) {
			Why why = {""};
			int r;

			must(sink, "BEGIN IMMEDIATE;");
			r = sink_execute(sink, inserts[i].statement, &why);
			if (!tap_ok(r == inserts[i].result && !r == !*why.text &&
					    answers(sink,
						    "SELECT a, typeof(b), b FROM t ORDER BY a",
						    inserts[i].rows),
				    "insert: %s", inserts[i].name))
				tap_note("%d %s", r, why.text);
			must(sink, "ROLLBACK");
		}
		/* By itself it is a transaction, whole or not at all. */
		for (size_t i = 0; i < ARRAY_SIZE(inserts); i++) {
			int r = sink_execute(sink, inserts[i].statement, NULL);

			tap_ok(r == inserts[i].result &&
					answers(sink, "SELECT a, typeof(b), b FROM t ORDER BY a",
						r ? "" : inserts[i].rows),
				"insert by itself: %s", inserts[i].name);
			must(sink, "DELETE FROM t");
		}
	}
}

static void test_statements(void)
{
	_cleanup_(sink_freep) Sink *sink = NULL;
	struct stat st;
	Why why = {""};

	scratch_empty();
	sink = open_sink();
	MUST(!stat(PATH, &st));
	tap_ok((st.st_mode & 0777) == 0640, "the file has the mode of the CSV");
	tap_ok(sink_dialect(sink) == SQL_SQLITE, "the dialect");
	sink_free(sink);
	sink = open_sink();
	tap_ok(answers(sink, "PRAGMA journal_mode", "wal\n") &&
			answers(sink, "PRAGMA synchronous", "2\n") &&
			answers(sink, "PRAGMA busy_timeout", "50\n"),
		"readers don't wait, what is committed is durable, and others are waited for");
	must(sink, "CREATE TABLE t (a INTEGER, b TEXT);\n");
	must(sink, "-- nothing\n");
	must(sink, "INSERT INTO t VALUES (1, NULL), (2, 'ö')");
	tap_ok(answers(sink, "SELECT a, b FROM t ORDER BY a;\n", "1|-\n2|ö\n"), "an answer");
	tap_ok(sink_query(sink, "SELECT a FROM t", refuse_row, NULL, &why) == -ECANCELED,
		"an answer that nobody wants");
	tap_ok(sink_execute(sink, "SELEKT 1", &why) == -EBADMSG && strstr(why.text, "syntax error"),
		"no SQL");
	tap_ok(sink_execute(sink, "INSERT INTO t VALUES (3, 'x'); DELETE FROM t", &why) ==
				-EINVAL &&
			answers(sink, "SELECT count(*) FROM t", "2\n"),
		"two statements are none");
	tap_ok(!sink_lock(sink, "x", 0, &why) && !sink_unlock(sink, &why), "a lock");
}

static void test_others(void)
{
	_cleanup_(sink_freep) Sink *a = NULL, *b = NULL;
	Why why = {""};

	scratch_empty();
	a = open_sink();
	b = open_sink();
	must(a, "CREATE TABLE t (a INTEGER)");
	must(a, "BEGIN IMMEDIATE");
	must(a, "INSERT INTO t VALUES (1)");
	tap_ok(sink_execute(b, "BEGIN IMMEDIATE", &why) == SINK_AWAY &&
			!strcmp(why.text, "another program has it locked"),
		"another's transaction is waited for, but not for ever");
	tap_ok(answers(b, "SELECT count(*) FROM t", "0\n"), "who reads does not wait");
	sink_free(a);
	a = NULL;
	tap_ok(!sink_execute(b, "BEGIN IMMEDIATE", &why) &&
			answers(b, "SELECT count(*) FROM t", "0\n"),
		"what was not committed is undone with the connection");
}

static void test_failures(void)
{
	_cleanup_(sink_freep) Sink *sink = NULL;
	SinkOptions wrong = options;
	Why why = {""};

	scratch_empty();
	wrong.path = "absent/x.sqlite";
	tap_ok(sink_open(&wrong, &sink, &why) == -ENOENT && !strcmp(why.text, strerror(ENOENT)),
		"no directory");
	MUST(!mkdir("dir", 0700));
	wrong.path = "dir";
	tap_ok(sink_open(&wrong, &sink, &why) == -EISDIR, "a directory");
	MUST(!mkfifo("fifo", 0600));
	wrong.path = "fifo";
	tap_ok(sink_open(&wrong, &sink, &why) == -EINVAL &&
			!strcmp(why.text, "is not a regular file"),
		"a FIFO");
	scratch_text("text", "This is a text and no database, however long it may be.\n");
	wrong.path = "text";
	tap_ok(sink_open(&wrong, &sink, &why) == -EBADMSG && strstr(why.text, "not a database"),
		"another file");
	tap_note("%s", why.text);
	sink = open_sink();
	must(sink, "CREATE TABLE t (a)");
	must(sink, "PRAGMA max_page_count = 3");
	tap_ok(sink_execute(sink, "INSERT INTO t VALUES (zeroblob(1000000))", &why) == -ENOSPC &&
			!strcmp(why.text, strerror(ENOSPC)),
		"a full disk");
	must(sink, "PRAGMA query_only = on");
	tap_ok(sink_execute(sink, "INSERT INTO t VALUES (1)", &why) == -EACCES,
		"a database that is only for reading");
}

int main(void)
{
	scratch_enter();
	test_inserts();
	test_statements();
	test_others();
	test_failures();
	return tap_done();
}
