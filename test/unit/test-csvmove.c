/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: packages=xz-utils,zstd */
/* The CSV is renamed, copied, compressed, cut or replaced while it is open, and found again. */
#include "random.h"
#include "scratch.h"
#include "store/csv.h"
#include "store/csvfile.h"
#include "store/csvfind.h"
#include "tap.h"

#define PATH "out.csv"
#define COMMITTED 20u /* rows */
#define FLUSHED 25u
#define BUFFERED 28u

static void append_rows(StrBuf *sb, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++)
		strbuf_appendf(sb,
			"srv%u,\"2025-05-17 12:05\",192.0.2.%u,user,null,Errno 1,US,5650,\"x\"\n",
			n, n % 256);
}

/* A CSV with these rows. */
static StrBuf csv_of(unsigned from, unsigned to)
{
	StrBuf sb = STRBUF_INIT;

	strbuf_append_span(&sb, csv_header());
	append_rows(&sb, from, to);
	return sb;
}

static void write_csv(const char *path, unsigned from, unsigned to)
{
	_cleanup_strbuf_ StrBuf sb = csv_of(from, to);

	scratch_write(path, sb.data, sb.len);
}

static bool holds(const char *path, unsigned from, unsigned to)
{
	_cleanup_strbuf_ StrBuf sb = csv_of(from, to);

	return scratch_holds(path, sb.data, sb.len);
}

/* ---- moved while it is open ----------------------------------------------------------------- */

static const struct {
	const char *what;
	const char *command; /* "" nothing */
	int check;           /* what csvfile_check() says */
	int open;            /* what csvfile_open_next() says */
	CsvStart start;
	const char *old;   /* where the committed rows are afterwards; NULL: nowhere */
	const char *other; /* what stood before the rows that are written now; NULL: the header */
} moves[] = {
	{"nothing", "", 0, 0, 0, NULL, NULL},
	{"appended to nothing", ": >>out.csv", 0, 0, 0, NULL, NULL},
	{"another name for it", "ln out.csv out.csv.1", 0, 0, 0, NULL, NULL},
	{"renamed", "mv out.csv out.csv.1", CSVFILE_MOVED, 0, CSV_ROTATED, "out.csv.1", NULL},
	{"renamed, an empty one is there", "mv out.csv out.csv-20261122; : >out.csv", CSVFILE_MOVED,
		0, CSV_ROTATED, "out.csv-20261122", NULL},
	{"renamed to any name", "mv out.csv before; : >out.csv", CSVFILE_MOVED, 0, CSV_ROTATED,
		"before", NULL},
	{"renamed twice", "mv out.csv out.csv.1; mv out.csv.1 out.csv.2; : >out.csv.1; : >out.csv",
		CSVFILE_MOVED, 0, CSV_ROTATED, "out.csv.2", NULL},
	{"renamed, a copy beside it", "cp out.csv out.csv.0; mv out.csv out.csv.1", CSVFILE_MOVED,
		0, CSV_ROTATED, "out.csv.1", NULL},
	{"renamed, another one is there", "mv out.csv out.csv.1; cp other.csv out.csv",
		CSVFILE_MOVED, 0, CSV_ROTATED, "out.csv.1", "other.csv"},
	{"renamed and back", "mv out.csv x; mv x out.csv", 0, 0, 0, NULL, NULL},
	{"replaced by a copy", "cp out.csv x; mv x out.csv", CSVFILE_MOVED, 0, CSV_CONTINUED, NULL,
		"out.csv"},
	{"removed", "rm out.csv", CSVFILE_MOVED, 0, CSV_DISAPPEARED, NULL, NULL},
	{"replaced by another", "cp other.csv x; mv x out.csv", CSVFILE_MOVED, 0, CSV_FOREIGN, NULL,
		"other.csv"},
	{"renamed and compressed", "mv out.csv out.csv.1; gzip out.csv.1", CSVFILE_MOVED, 0,
		CSV_ROTATED, "", NULL},
	{"compressed", "gzip out.csv", CSVFILE_MOVED, 0, CSV_ROTATED, "", NULL},
	{"another program's file is there", "mv out.csv out.csv.1; echo x >out.csv", CSVFILE_MOVED,
		-EBADMSG, 0, "out.csv.1", NULL},
	{"a directory is there", "mv out.csv out.csv.1; mkdir out.csv", CSVFILE_MOVED, -EISDIR, 0,
		"out.csv.1", NULL},
	{"emptied", ": >out.csv", CSVFILE_CHANGED, 0, 0, NULL, NULL},
	{"copied and emptied", "cp out.csv out.csv.1; : >out.csv", CSVFILE_CHANGED, 0, 0, NULL,
		NULL},
	{"cut by a byte", "truncate -s -1 out.csv", CSVFILE_CHANGED, 0, 0, NULL, NULL},
	{"written to", "echo x >>out.csv", CSVFILE_CHANGED, 0, 0, NULL, NULL},
	{"renamed and cut", "truncate -s -1 out.csv; mv out.csv x", CSVFILE_CHANGED, 0, 0, NULL,
		NULL},
};

/* Everything that a commit does with a file that has been moved. */
static bool go_on(CsvFile *file, const FileMark *committed, size_t i)
{
	_cleanup_(csvfile_freep) CsvFile *next = NULL;
	_cleanup_strbuf_ StrBuf expected = STRBUF_INIT;
	CsvStart start = (CsvStart)-1;
	FileMark mark;
	uint64_t cut = 0;
	Why why = {""};
	int r = csvfile_open_next(file, committed, 0, &next, &start, &cut, &why);

	if (r != moves[i].open || (!r && start != moves[i].start) || (r && !*why.text)) {
		tap_note("%d %s, start %d", r, why.text, (int)start);
		return false;
	}
	if (moves[i].old && *moves[i].old && !holds(moves[i].old, 0, COMMITTED)) {
		tap_note("%s is not cut back", moves[i].old);
		return false;
	}
	if (r)
		return !csvfile_mark(file, &mark) && mark.offset == committed->offset;
	if (moves[i].start == CSV_CONTINUED)
		expected = csv_of(0, COMMITTED);
	else if (moves[i].other)
		expected = scratch_read(moves[i].other);
	else
		strbuf_append_span(&expected, csv_header());
	if (!scratch_holds(PATH, expected.data, expected.len)) {
		tap_note("the new one is not as it should begin");
		return false;
	}
	append_rows(&expected, COMMITTED, BUFFERED);
	csvfile_replace(file, TAKE(next));
	return !csvfile_check(file) && !csvfile_flush(file) && !csvfile_buffer(file)->len &&
	       scratch_holds(PATH, expected.data, expected.len);
}

static void test_moves(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		_cleanup_(csvfile_freep) CsvFile *file = NULL;
		FileMark committed;
		CsvStart start;
		uint64_t cut;
		int r;

		scratch_empty();
		MUST(!mkdir("there", 0700) && !chdir("there"));
		MUST(!csvfile_open(PATH, NULL, 0, &file, &start, &cut, NULL));
		append_rows(csvfile_buffer(file), 0, COMMITTED);
		MUST(!csvfile_flush(file) && !csvfile_mark(file, &committed));
		append_rows(csvfile_buffer(file), COMMITTED, FLUSHED);
		MUST(!csvfile_flush(file));
		append_rows(csvfile_buffer(file), FLUSHED, BUFFERED);
		write_csv("other.csv", 500, 510);
		scratch_run("%s", moves[i].command);
		r = csvfile_check(file);
		tap_ok(r == moves[i].check, "%s: it is seen", moves[i].what);
		if (moves[i].check == CSVFILE_CHANGED) {
			_cleanup_strbuf_ StrBuf before =
				scratch_read(access(PATH, F_OK) ? "x" : PATH);

			tap_ok(csvfile_flush(file) == -ESTALE &&
					scratch_holds(access(PATH, F_OK) ? "x" : PATH,
						strbuf_text(&before), before.len),
				"%s: nothing is written then", moves[i].what);
		} else if (moves[i].check) {
			tap_ok(go_on(file, &committed, i), "%s: it goes on exactly", moves[i].what);
		} else {
			tap_ok(!csvfile_flush(file) && holds(PATH, 0, BUFFERED), "%s: it goes on",
				moves[i].what);
		}
		MUST(!chdir(".."));
	}
}

/* What could not be opened is opened when it can be. */
static void test_again(void)
{
	_cleanup_(csvfile_freep) CsvFile *file = NULL, *next = NULL;
	FileMark committed;
	CsvStart start;
	uint64_t cut;
	Why why;

	scratch_empty();
	MUST(!csvfile_open(PATH, NULL, 0, &file, &start, &cut, NULL));
	append_rows(csvfile_buffer(file), 0, COMMITTED);
	MUST(!csvfile_flush(file) && !csvfile_mark(file, &committed));
	append_rows(csvfile_buffer(file), COMMITTED, FLUSHED);
	MUST(!csvfile_flush(file));
	append_rows(csvfile_buffer(file), FLUSHED, BUFFERED);
	scratch_run("mv out.csv out.csv.1; mkdir out.csv");
	for (int i = 0; i < 3; i++)
		tap_ok(csvfile_check(file) == CSVFILE_MOVED &&
				csvfile_open_next(file, &committed, 0, &next, &start, &cut, &why) ==
					-EISDIR,
			"something is in the way");
	scratch_run("rmdir out.csv");
	tap_ok(!csvfile_open_next(file, &committed, 0, &next, &start, &cut, &why) &&
			start == CSV_ROTATED,
		"it is gone");
	/* The checkpoint could not be saved: then it is opened once more. */
	csvfile_free(TAKE(next));
	tap_ok(csvfile_check(file) == CSVFILE_MOVED &&
			!csvfile_open_next(file, &committed, 0, &next, &start, &cut, &why) &&
			start == CSV_ROTATED,
		"given up and opened again");
	csvfile_replace(file, TAKE(next));
	tap_ok(!csvfile_flush(file) && holds("out.csv.1", 0, COMMITTED) &&
			holds(PATH, COMMITTED, BUFFERED),
		"each row is there once");
}

/* Rows that came to stand without a header, after the file was emptied, were not committed. */
static void test_emptied(void)
{
	_cleanup_strbuf_ StrBuf rows = STRBUF_INIT;
	CsvFile *file = NULL;
	FileMark committed;
	CsvStart start;
	uint64_t cut = 0;
	int fd;

	scratch_empty();
	append_rows(&rows, 20, 25);
	for (int copied = 0; copied < 2; copied++) {
		write_csv(PATH, 0, 24);
		fd = open(PATH, O_RDWR | O_CLOEXEC);
		MUST(fd >= 0);
		MUST(!mark_from_fd(fd, csv_header().len + 100, &committed));
		(void)close(fd);
		if (copied)
			scratch_run("cp out.csv out.csv.1");
		MUST(!truncate(PATH, 0));
		scratch_append(PATH, rows.data, rows.len);
		tap_ok(!csvfile_open(PATH, &committed, 0, &file, &start, &cut, NULL) &&
				start == (copied ? CSV_ROTATED : CSV_SHORTER) && cut >= rows.len &&
				holds(PATH, 0, 0),
			"emptied%s, rows without a header", copied ? " after it was copied" : "");
		csvfile_free(file);
	}
}

/* Rows that were there before ours can stand in other files, too: with only them committed none of these is cut. */
static void test_same_start(void)
{
	CsvFile *file = NULL;
	FileMark committed;
	CsvStart start;
	uint64_t cut = 0, begin;
	int fd;

	scratch_empty();
	write_csv(PATH, 0, 3);
	fd = open(PATH, O_RDWR | O_CLOEXEC);
	MUST(fd >= 0);
	begin = (uint64_t)lseek(fd, 0, SEEK_END);
	MUST(!mark_from_fd(fd, begin, &committed));
	(void)close(fd);
	write_csv("out.csv.1", 0, 30);
	MUST(!truncate(PATH, 0));
	tap_ok(!csvfile_open(PATH, &committed, begin, &file, &start, &cut, NULL) && !cut &&
			start == CSV_SHORTER && holds("out.csv.1", 0, 30) && holds(PATH, 0, 0),
		"another file that begins with what stood there before");
	csvfile_free(file);
	MUST(!rename("out.csv.1", PATH));
	tap_ok(!csvfile_open(PATH, &committed, begin, &file, &start, &cut, NULL) && !cut &&
			start == CSV_FOREIGN && holds(PATH, 0, 30),
		"it is in the place of the committed file");
	csvfile_free(file);
}

/* ---- found again ---------------------------------------------------------------------------- */

static const struct {
	const char *what;
	const char *command;
	int expected;
	const char *found; /* NULL: none */
} finds[] = {
	{"in its place", "", 0, "out.csv"},
	{"renamed", "mv out.csv out.csv.1", 0, "out.csv.1"},
	{"renamed to any name", "mv out.csv zzz", 0, "zzz"},
	{"gzip", "gzip out.csv", 0, "out.csv.gz"},
	{"xz", "xz out.csv", 0, "out.csv.xz"},
	{"zstd", "zstd -q --rm out.csv", 0, "out.csv.zst"},
	{"gzip under any name", "gzip out.csv; mv out.csv.gz zzz", 0, "zzz"},
	{"the very file before its copies", "cp out.csv a; cp out.csv out.csv.1; mv out.csv z", 0,
		"z"},
	{"a copy with its name first", "cp out.csv a; cp out.csv out.csv.2; rm out.csv", 0,
		"out.csv.2"},
	{"a copy before a compressed one", "cp out.csv a; gzip out.csv", 0, "a"},
	{"gone", "rm out.csv", CSVFIND_GONE, NULL},
	{"its directory gone", "rm -r ../there", CSVFIND_GONE, NULL},
	{"shorter", "truncate -s -1 out.csv", CSVFIND_SHORT, "out.csv"},
	{"a copy that is shorter, and a longer one",
		"head -c 5000 out.csv >a; head -c 5001 out.csv >b; head -c 4999 out.csv >c; rm "
		"out.csv",
		CSVFIND_SHORT, "b"},
	{"compressed and cut", "gzip out.csv; truncate -s -20 out.csv.gz", CSVFIND_SHORT,
		"out.csv.gz"},
	{"shorter than what tells files apart", "truncate -s 4000 out.csv", CSVFIND_GONE, NULL},
	{"other bytes before the place",
		"head -c 5900 out.csv >a; yes | head -c 9000 >>a; mv a out.csv", CSVFIND_GONE,
		NULL},
	{"longer", "yes | head -c 9000 >>out.csv", 0, "out.csv"},
	{"longer and compressed", "yes | head -c 9000 >>out.csv; gzip out.csv", 0, "out.csv.gz"},
	{"beside FIFOs, links to nowhere and directories",
		"mkfifo out.csv.0; ln -s no/where out.csv.00; mkdir out.csv.000; ln -s out.csv l",
		0, "out.csv"},
};

static void test_finds(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(finds); i++) {
		_cleanup_csvfound_ CsvFound found = CSV_FOUND_INIT;
		_cleanup_strbuf_ StrBuf content = csv_of(0, 120);
		static char data[8192];
		size_t len = 0;
		ssize_t n = 1;
		FileMark mark;
		int fd, r;

		MUST(content.len > 6000);
		content.len = 6000;
		scratch_empty();
		MUST(!mkdir("there", 0700) && !chdir("there"));
		write_csv("out.csv-old", 1, 121);
		scratch_write(PATH, content.data, content.len);
		fd = open(PATH, O_RDONLY | O_CLOEXEC);
		MUST(fd >= 0 && !mark_from_fd(fd, content.len, &mark));
		(void)close(fd);
		scratch_run("%s", finds[i].command);
		r = csvfind("../there/" PATH, &mark, &found);
		if (!tap_ok(r == finds[i].expected &&
				    (finds[i].found ? found.path &&
							      !strcmp(strrchr(found.path, '/') + 1,
								      finds[i].found)
						    : !found.path),
			    "%s", finds[i].what))
			tap_note("%d %s", r, found.path ? found.path : "none");
		while (found.reader && n > 0 && len < found.length) {
			n = reader_read(found.reader, data + len, found.length - len);
			len += n > 0 ? (size_t)n : 0;
		}
		if (found.reader)
			tap_ok(len == found.length && len <= content.len &&
					(r || len == content.len) &&
					!memcmp(data, content.data, len),
				"%s: %zu bytes of it can be read", finds[i].what, len);
		MUST(!chdir(".."));
	}
}

static void test_forbidden(void)
{
	_cleanup_csvfound_ CsvFound found = CSV_FOUND_INIT;
	FileMark mark;
	int fd;

	scratch_empty();
	write_csv(PATH, 0, 20);
	fd = open(PATH, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && !mark_from_fd(fd, 500, &mark));
	(void)close(fd);
	scratch_run("cp out.csv out.csv.1; rm out.csv; cp out.csv.1 other; chmod 0 out.csv.1; "
		    "chmod 755 .");
	scratch_be_nobody("other");
	tap_ok(!csvfind(PATH, &mark, &found), "what can be read is found");
	scratch_come_back();
	csvfound_done(&found);
	scratch_run("rm other; echo >another");
	scratch_be_nobody("another");
	tap_ok(csvfind(PATH, &mark, &found) == -EACCES, "nothing is decided while it may be the "
							"one that can't be read");
	scratch_come_back();
	scratch_run("mv out.csv.1 foreign");
	scratch_be_nobody("another");
	tap_ok(csvfind(PATH, &mark, &found) == CSVFIND_GONE, "files of others do not matter");
	scratch_come_back();
}

int main(void)
{
	scratch_enter();
	test_moves();
	test_again();
	test_emptied();
	test_same_start();
	test_finds();
	test_forbidden();
	return tap_done();
}
