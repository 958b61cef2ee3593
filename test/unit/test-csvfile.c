/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/csvfile.h"

#include "forbid.h"
#include "random.h"
#include "scratch.h"
#include "store/csv.h"
#include "tap.h"

#include <sys/mount.h>
#include <sys/resource.h>

#define PATH "out.csv"

/* Row number n, of 40 to 140 bytes. */
static void append_row(StrBuf *sb, unsigned n)
{
	strbuf_appendf(sb,
		"srv%u,\"2025-05-17 12:05\",192.0.2.%u,%0*u,null,Errno 1,US,5650,\"x\"\n", n,
		n % 256, (int)(n * 7 % 100), n);
}

static void append_rows(StrBuf *sb, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++)
		append_row(sb, n);
}

/* The header and the rows from 0 on. */
static StrBuf whole(unsigned rows)
{
	StrBuf sb = STRBUF_INIT;

	strbuf_append_span(&sb, csv_header());
	append_rows(&sb, 0, rows);
	return sb;
}

static const char *start_name(int start)
{
	static const char *const names[] = {
		"created", "continued", "rotated", "shorter", "foreign", "disappeared"};

	return start >= 0 && (size_t)start < ARRAY_SIZE(names) ? names[start] : "none";
}

/* The mark of path at a place in it. */
static FileMark mark_at(const char *path, uint64_t offset)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	FileMark mark;

	MUST(fd >= 0 && !mark_from_fd(fd, offset, &mark));
	return mark;
}

/* Opens PATH, which must start like this. */
static CsvFile *open_as(
	const FileMark *committed, CsvStart expected, uint64_t cut, const char *what)
{
	CsvFile *file = NULL;
	CsvStart start = (CsvStart)-1;
	uint64_t bytes = 0;
	Why why = {""};
	int r = csvfile_open(PATH, committed, 0, &file, &start, &bytes, &why);

	if (!tap_ok(!r && start == expected && bytes == cut, "%s: %s, %" PRIu64 " bytes cut", what,
		    start_name((int)expected), cut)) {
		tap_note("%d %s, %s, %" PRIu64 " bytes cut", r, why.text, start_name((int)start),
			bytes);
		MUST(!r);
	}
	return file;
}

static void fails(const FileMark *committed, int error, const char *says, const char *what)
{
	CsvFile *file = NULL;
	CsvStart start;
	uint64_t bytes;
	Why why = {""};
	int r = csvfile_open(PATH, committed, 0, &file, &start, &bytes, &why);

	if (!tap_ok(r == error && !file && strstr(why.text, says) && strstr(why.text, PATH),
		    "%s: %s", what, strerrorname_np(-error)))
		tap_note("%d %s", r, why.text);
	csvfile_free(file);
}

static bool holds(const char *path, unsigned rows)
{
	_cleanup_strbuf_ StrBuf sb = whole(rows);

	return scratch_holds(path, sb.data, sb.len);
}

/* ---- how it starts -------------------------------------------------------------------------- */

static void test_first_start(void)
{
	_cleanup_strbuf_ StrBuf some = whole(3);
	size_t header = csv_header().len;
	struct stat st;
	mode_t mask;

	scratch_empty();
	mask = umask(0);
	csvfile_free(open_as(NULL, CSV_CREATED, 0, "none"));
	(void)umask(mask);
	tap_ok(holds(PATH, 0) && !stat(PATH, &st) && (st.st_mode & 07777) == 0640,
		"it has the header and mode 0640");
	csvfile_free(open_as(NULL, CSV_CONTINUED, 0, "the header only"));
	scratch_text(PATH, "");
	csvfile_free(open_as(NULL, CSV_CREATED, 0, "empty"));
	tap_ok(holds(PATH, 0), "it has the header then");
	for (size_t len = 1; len < header; len += header / 5) {
		scratch_write(PATH, some.data, len);
		csvfile_free(open_as(NULL, CSV_CREATED, 0, "a torn header"));
		tap_ok(holds(PATH, 0), "it is whole then");
	}
	scratch_write(PATH, some.data, some.len);
	fails(NULL, -EEXIST, "holds rows already", "rows and no checkpoint");
	tap_ok(holds(PATH, 3), "and they stay");
	scratch_write(PATH, some.data, header + 1);
	fails(NULL, -EEXIST, "holds rows already", "one byte more than the header");
}

static void test_refused(void)
{
	static const char *const foreign[] = {"x", "a,b,c\n1,2,3\n", "\n", "server;date\n",
		"\xef\xbb\xbfserver,date,ip,user\n",
		"server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso,more\nx\n"};
	FileMark mark;

	scratch_empty();
	scratch_text("other",
		"0123456789012345678901234567890123456789012345678901234567890123456789"
		"01234567890123456789\n");
	mark = mark_at("other", 90);
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		scratch_text(PATH, foreign[i]);
		fails(NULL, -EBADMSG, "header", "a foreign file");
		fails(&mark, -EBADMSG, "header", "a foreign file with a checkpoint");
		tap_ok(scratch_holds(PATH, foreign[i], strlen(foreign[i])), "it stays as it is");
	}
	MUST(!unlink(PATH) && !mkdir(PATH, 0700));
	fails(NULL, -EISDIR, "directory", "a directory");
	MUST(!rmdir(PATH) && !mkfifo(PATH, 0600));
	fails(NULL, -EBADMSG, "not a regular file", "a FIFO");
	MUST(!unlink(PATH) && !symlink("no/where", PATH));
	fails(NULL, -ENOENT, "No such file", "a directory that is missing");
	MUST(!unlink(PATH) && !symlink("/dev/full", PATH));
	fails(NULL, -EBADMSG, "not a regular file", "a device");
}

static void test_continued(void)
{
	_cleanup_strbuf_ StrBuf some = whole(10), more = whole(40);
	FileMark mark;

	scratch_empty();
	scratch_write(PATH, some.data, some.len);
	mark = mark_at(PATH, some.len);
	csvfile_free(open_as(&mark, CSV_CONTINUED, 0, "as committed"));
	scratch_append(PATH, more.data + some.len, more.len - some.len);
	csvfile_free(open_as(&mark, CSV_CONTINUED, more.len - some.len, "rows behind"));
	tap_ok(holds(PATH, 10), "they are cut");
	for (size_t n = 1; n < 100; n += 13) {
		scratch_append(PATH, more.data + some.len, n);
		csvfile_free(open_as(&mark, CSV_CONTINUED, n, "a torn row behind"));
	}
	tap_ok(holds(PATH, 10), "they are cut");
	scratch_append(PATH, "\0\0\0\0\0\0\0\0\0\0", 10);
	csvfile_free(open_as(&mark, CSV_CONTINUED, 10, "NULs behind"));
	tap_ok(holds(PATH, 10), "they are cut");
	mark.device++;
	mark.inode = ~mark.inode;
	scratch_append(PATH, more.data + some.len, 50);
	csvfile_free(open_as(&mark, CSV_CONTINUED, 50, "on another device, with another inode"));
	tap_ok(holds(PATH, 10), "it is the same by what it holds");
	/* As far as the header is committed every CSV looks the same. */
	scratch_write(PATH, some.data, csv_header().len);
	mark = mark_at(PATH, csv_header().len);
	scratch_append(PATH, some.data + csv_header().len, 200);
	csvfile_free(open_as(&mark, CSV_CONTINUED, 200, "only the header committed"));
	tap_ok(holds(PATH, 0), "rows behind it are cut");
}

static void test_never_cut(void)
{
	_cleanup_strbuf_ StrBuf some = whole(30), other = STRBUF_INIT;
	FileMark mark, header;
	CsvFile *file;

	scratch_empty();
	scratch_write(PATH, some.data, some.len);
	mark = mark_at(PATH, some.len - 20);
	header = mark_at(PATH, csv_header().len);
	strbuf_append_span(&other, csv_header());
	append_rows(&other, 100, 160);
	scratch_write(PATH, other.data, other.len);
	csvfile_free(open_as(&mark, CSV_FOREIGN, 0, "other rows"));
	tap_ok(scratch_holds(PATH, other.data, other.len), "they stay");
	header.inode = ~header.inode;
	csvfile_free(open_as(&header, CSV_FOREIGN, 0, "only the header committed, another inode"));
	tap_ok(scratch_holds(PATH, other.data, other.len), "its rows stay");
	header = (FileMark){.inode = header.inode};
	csvfile_free(open_as(&header, CSV_FOREIGN, 0, "a mark of nothing"));
	tap_ok(scratch_holds(PATH, other.data, other.len), "cuts nothing");
	other.len--;
	scratch_write(PATH, other.data, other.len);
	file = open_as(&mark, CSV_FOREIGN, 0, "other rows, the last without newline");
	append_row(csvfile_buffer(file), 500);
	MUST(!csvfile_flush(file));
	csvfile_free(file);
	strbuf_append_char(&other, '\n');
	append_row(&other, 500);
	tap_ok(scratch_holds(PATH, other.data, other.len),
		"a row behind it starts on its own line");
}

static void test_shorter(void)
{
	_cleanup_strbuf_ StrBuf some = whole(120), few = whole(30);
	size_t header = csv_header().len;
	const size_t lens[] = {
		0, header / 2, header, header + 10, few.len, 4096, 5000, some.len - 1};
	FileMark mark;
	CsvFile *file;

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		_cleanup_strbuf_ StrBuf expected = STRBUF_INIT;

		scratch_empty();
		scratch_write(PATH, some.data, some.len);
		mark = mark_at(PATH, some.len);
		MUST(!truncate(PATH, (off_t)lens[i]));
		file = open_as(&mark, CSV_SHORTER, 0, "shorter than committed");
		append_row(csvfile_buffer(file), 500);
		MUST(!csvfile_flush(file));
		csvfile_free(file);
		strbuf_append(&expected, some.data, lens[i] >= header ? lens[i] : header);
		if (expected.data[expected.len - 1] != '\n')
			strbuf_append_char(&expected, '\n');
		append_row(&expected, 500);
		tap_ok(scratch_holds(PATH, expected.data, expected.len),
			"%zu bytes of it are appended to", lens[i]);
	}
	scratch_empty();
	scratch_write(PATH, some.data, some.len);
	mark = mark_at(PATH, some.len);
	mark.inode = ~mark.inode;
	scratch_empty();
	scratch_write(PATH, few.data, few.len);
	csvfile_free(open_as(&mark, CSV_FOREIGN, 0, "shorter, and another inode"));
	MUST(!unlink(PATH));
	csvfile_free(open_as(&mark, CSV_DISAPPEARED, 0, "gone"));
	tap_ok(holds(PATH, 0), "a new one has the header");
	scratch_text(PATH, "");
	mark.inode = 1;
	csvfile_free(open_as(&mark, CSV_DISAPPEARED, 0, "gone, an empty one is there"));
}

static void test_rotated(void)
{
	_cleanup_strbuf_ StrBuf some = whole(10), more = whole(14), other = STRBUF_INIT;
	size_t behind = more.len - some.len;
	FileMark mark, header;

	strbuf_append_span(&other, csv_header());
	append_rows(&other, 100, 160);
	scratch_empty();
	scratch_write(PATH, more.data, more.len);
	scratch_write(PATH ".1", other.data, other.len);
	scratch_write("another.csv", more.data, more.len);
	mark = mark_at(PATH, some.len);
	MUST(!rename(PATH, PATH "-20261122"));
	csvfile_free(open_as(&mark, CSV_ROTATED, behind, "rotated, no new one"));
	tap_ok(holds(PATH, 0) && holds(PATH "-20261122", 10),
		"the old one is cut, the new has its header");
	tap_ok(scratch_holds(PATH ".1", other.data, other.len) && holds("another.csv", 14),
		"no other file is touched");
	csvfile_free(open_as(&mark, CSV_ROTATED, 0, "rotated, a new one, nothing to cut"));
	MUST(!rename(PATH "-20261122", "renamed.csv"));
	csvfile_free(open_as(&mark, CSV_ROTATED, 0, "renamed to a name that is not the CSV's"));
	tap_ok(holds("another.csv", 14), "no other file is touched");
	MUST(!rename("renamed.csv", PATH "-20261122"));
	scratch_write(PATH, other.data, other.len);
	csvfile_free(open_as(&mark, CSV_ROTATED, 0, "rotated, a new one with rows"));
	tap_ok(scratch_holds(PATH, other.data, other.len), "they stay");

	/* Copies: the inode decides, whatever readdir() comes to first. */
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {PATH ".1", PATH ".2", PATH ".backup"};

		scratch_empty();
		for (int n = 0; n < 3; n++)
			scratch_write(names[n], more.data, more.len);
		mark = mark_at(names[i], some.len);
		csvfile_free(open_as(&mark, CSV_ROTATED, behind, "rotated, with copies"));
		tap_ok(holds(names[i], 10) && holds(names[(i + 1) % 3], 14) &&
				holds(names[(i + 2) % 3], 14),
			"only %s is cut", names[i]);
	}

	/* Rotated before its first row was committed: every older CSV begins with the same header. */
	scratch_empty();
	scratch_write(PATH ".2", other.data, other.len);
	scratch_write(PATH ".1", more.data, more.len);
	header = mark_at(PATH ".1", csv_header().len);
	csvfile_free(open_as(&header, CSV_ROTATED, more.len - csv_header().len,
		"rotated, only its header committed"));
	tap_ok(holds(PATH ".1", 0) && scratch_holds(PATH ".2", other.data, other.len),
		"no older CSV is cut");
	header.inode = 1;
	scratch_write(PATH ".1", more.data, more.len);
	MUST(!unlink(PATH));
	csvfile_free(open_as(&header, CSV_DISAPPEARED, 0, "only a header committed, and gone"));
	tap_ok(holds(PATH ".1", 14) && scratch_holds(PATH ".2", other.data, other.len),
		"no older CSV is cut");

	/* copytruncate: the name has the committed inode, the copy has the rows. */
	scratch_empty();
	scratch_write(PATH, more.data, more.len);
	mark = mark_at(PATH, some.len);
	scratch_write(PATH ".1", more.data, more.len);
	MUST(!truncate(PATH, 0));
	csvfile_free(open_as(&mark, CSV_ROTATED, behind, "copied and truncated"));
	tap_ok(holds(PATH, 0) && holds(PATH ".1", 10), "the copy is cut");
}

/* A rotation may leave files that only root, or nobody, can write. */
static void test_rotated_read_only(void)
{
	_cleanup_strbuf_ StrBuf some = whole(10), more = whole(14);
	FileMark mark;

	scratch_empty();
	scratch_write(PATH ".1", some.data, some.len);
	mark = mark_at(PATH ".1", some.len);
	MUST(!chmod(PATH ".1", 0444));
	scratch_be_nobody(".");
	csvfile_free(open_as(&mark, CSV_ROTATED, 0, "rotated and read-only, nothing to cut"));
	scratch_come_back();
	MUST(!unlink(PATH) && !chmod(PATH ".1", 0644));
	scratch_write(PATH ".1", more.data, more.len);
	/* which may be a new inode */
	mark = mark_at(PATH ".1", some.len);
	MUST(!chmod(PATH ".1", 0444));
	scratch_be_nobody(".");
	fails(&mark, -EACCES, "is to be cut back to byte", "rotated and read-only, rows to cut");
	scratch_come_back();
	tap_ok(holds(PATH ".1", 14), "it stays as it is");
}

/* ---- locks ---------------------------------------------------------------------------------- */

/* A process that has the file open until it is killed. */
static bool write_csv(void *userdata)
{
	CsvFile *file;
	CsvStart start;
	uint64_t cut;

	return !csvfile_open(PATH, NULL, 0, &file, &start, &cut, NULL);
}

static void test_lock(void)
{
	_cleanup_strbuf_ StrBuf some = whole(3);
	FileMark mark;
	pid_t pid;

	scratch_empty();
	pid = scratch_hold(write_csv, NULL);
	fails(NULL, -EBUSY, "another maillogsentinel is writing it (process",
		"locked by another process");
	scratch_append(PATH, some.data + csv_header().len, some.len - csv_header().len);
	mark = mark_at(PATH, some.len);
	/* It is still written, but has been renamed: not to be cut, nor to be taken for gone. */
	MUST(!rename(PATH, PATH ".1"));
	fails(&mark, -EBUSY, "another maillogsentinel is writing it (process",
		"rotated, and locked by another process");
	tap_ok(holds(PATH ".1", 3), "its rows stay");
	scratch_let_go(pid);
	csvfile_free(open_as(&mark, CSV_ROTATED, 0, "the lock ends with the process"));
}

/* ---- writing -------------------------------------------------------------------------------- */

static void test_flush(Random *random)
{
	_cleanup_strbuf_ StrBuf expected = whole(0);
	CsvFile *file;
	bool ok = true;
	FileMark mark;

	scratch_empty();
	file = open_as(NULL, CSV_CREATED, 0, "none");
	tap_ok(!strcmp(csvfile_path(file), PATH) && !csvfile_flush(file), "nothing to flush");
	for (unsigned n = 0; n < 300; n++) {
		append_row(csvfile_buffer(file), n);
		append_row(&expected, n);
		if (random_below(random, 4))
			continue;
		ok = ok && !csvfile_flush(file) && !csvfile_buffer(file)->len &&
		     scratch_holds(PATH, expected.data, expected.len) &&
		     !csvfile_mark(file, &mark) && mark.offset == expected.len;
		ok = ok && !csvfile_sync(file);
	}
	tap_ok(ok, "rows are there after a flush, and the mark names their end");
	MUST(!csvfile_flush(file) && !csvfile_mark(file, &mark));
	append_row(csvfile_buffer(file), 1000);
	csvfile_free(file);
	csvfile_free(open_as(&mark, CSV_CONTINUED, 0, "what was not flushed is dropped"));
}

/* Writes rows until it fails, then makes room: whole rows at all times, each exactly once. */
static void check_no_room(const char *what, int error, void (*make_room)(void))
{
	_cleanup_strbuf_ StrBuf all = STRBUF_INIT;
	CsvFile *file = open_as(NULL, CSV_CREATED, 0, what);
	unsigned n = 0, failures = 0;
	bool ok = true;
	int r = 0;

	strbuf_append_span(&all, csv_header());
	while (failures < 3 && n < 100000) {
		_cleanup_strbuf_ StrBuf before = scratch_read(PATH);

		for (unsigned i = 0; i < 37; i++, n++) {
			append_row(csvfile_buffer(file), n);
			append_row(&all, n);
		}
		r = csvfile_flush(file);
		if (!r)
			continue;
		failures++;
		ok = ok && r == error && scratch_holds(PATH, before.data, before.len) &&
		     csvfile_buffer(file)->len == all.len - before.len;
	}
	if (!tap_ok(failures == 3 && ok, "%s: it ends where it ended, the rows are kept", what))
		tap_note("%u failures, %s", failures, strerror(-r));
	make_room();
	tap_ok(!csvfile_flush(file) && !csvfile_sync(file) &&
			scratch_holds(PATH, all.data, all.len),
		"%s: with room again all rows are there, each once", what);
	csvfile_free(file);
}

static void raise_limit(void)
{
	struct rlimit limit;

	MUST(!getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = limit.rlim_max;
	MUST(!setrlimit(RLIMIT_FSIZE, &limit));
}

static void test_limit(void)
{
	struct rlimit limit;

	scratch_empty();
	MUST(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	MUST(!getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = 10007;
	MUST(!setrlimit(RLIMIT_FSIZE, &limit));
	check_no_room("file size limit", -EFBIG, raise_limit);
}

/* Not even the torn row can be cut off: then nothing may be written behind it. The exit status. */
static int write_behind_torn(void)
{
	struct rlimit limit;
	_cleanup_(csvfile_freep) CsvFile *file = NULL;
	CsvStart start;
	uint64_t cut;

	if (csvfile_open(PATH, NULL, 0, &file, &start, &cut, NULL))
		return 1;
	append_rows(csvfile_buffer(file), 0, 20);
	if (!forbid_call(SYS_ftruncate, EIO))
		return 2;
	MUST(!getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = 1000;
	if (setrlimit(RLIMIT_FSIZE, &limit) || csvfile_flush(file) != -EFBIG)
		return 3;
	raise_limit();
	return csvfile_flush(file) == -EIO ? 0 : 4;
}

static void test_uncut(void)
{
	_cleanup_strbuf_ StrBuf all = whole(20);
	FileMark mark;
	int status;
	pid_t pid;

	scratch_empty();
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		_exit(write_behind_torn());
	MUST(waitpid(pid, &status, 0) == pid);
	if (status == 2 << 8) {
		tap_ok(true, "a torn row that can't be cut # SKIP no seccomp");
		return;
	}
	if (!tap_ok(!status && scratch_holds(PATH, all.data, 1000),
		    "nothing is written behind a torn row that can't be cut"))
		tap_note("status %x", status);
	mark = mark_at(PATH, csv_header().len);
	csvfile_free(open_as(&mark, CSV_CONTINUED, 1000 - csv_header().len, "the next start"));
	tap_ok(holds(PATH, 0), "cuts it");
}

static void grow_disk(void)
{
	MUST(!mount("none", ".", "tmpfs", MS_REMOUNT, "size=4m"));
}

static void test_full_disk(void)
{
	static const char *const what = "full disk";

	scratch_empty();
	MUST(!mkdir("disk", 0700));
	if (mount("none", "disk", "tmpfs", 0, "size=64k")) {
		tap_ok(true, "%s # SKIP can't mount a tmpfs: %s", what, strerror(errno));
		return;
	}
	MUST(!chdir("disk"));
	check_no_room(what, -ENOSPC, grow_disk);
	MUST(!chdir(".."));
	MUST(!umount2("disk", MNT_DETACH));
}

/* Power is lost at any byte of a flush: what is committed stays, and what is written again stands there once. */
static void test_torn(void)
{
	_cleanup_strbuf_ StrBuf some = whole(5), more = whole(9);
	bool ok = true;

	for (size_t len = some.len; len <= more.len && ok; len++) {
		CsvFile *file = NULL;
		CsvStart start;
		uint64_t cut;
		FileMark mark;

		scratch_write(PATH, more.data, len);
		mark = mark_at(PATH, some.len);
		ok = !csvfile_open(PATH, &mark, 0, &file, &start, &cut, NULL) &&
		     start == CSV_CONTINUED && cut == len - some.len;
		if (!ok)
			break;
		append_rows(csvfile_buffer(file), 5, 9);
		ok = !csvfile_flush(file) && holds(PATH, 9);
		csvfile_free(file);
	}
	tap_ok(ok, "cut at each of %zu bytes, then written again", more.len - some.len);
}

int main(void)
{
	Random random = random_seeded();

	scratch_enter();
	test_first_start();
	test_refused();
	test_continued();
	test_never_cut();
	test_shorter();
	test_rotated();
	test_rotated_read_only();
	test_lock();
	test_flush(&random);
	test_limit();
	test_full_disk();
	test_uncut();
	test_torn();
	return tap_done();
}
