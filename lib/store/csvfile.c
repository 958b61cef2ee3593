/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/csvfile.h"

#include "base/file.h"
#include "state/lock.h"
#include "store/csv.h"
#include "store/csvfind.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

struct CsvFile {
	char *path;
	int fd;
	uint64_t length; /* of the whole rows in the file */
	bool torn;       /* part of a row stands behind them */
	StrBuf buffer;
};

void csvfile_free(CsvFile *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		(void)close(file->fd);
	strbuf_done(&file->buffer);
	free(file->path);
	free(file);
}

StrBuf *csvfile_buffer(CsvFile *file)
{
	return &file->buffer;
}

const char *csvfile_path(const CsvFile *file)
{
	return file->path;
}

/* 0, -ESTALE when it has not the length that it was left with, -errno. */
static int check_length(const CsvFile *file)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	if (file->torn)
		return (uint64_t)st.st_size < file->length ? -ESTALE : 0;
	return (uint64_t)st.st_size == file->length ? 0 : -ESTALE;
}

/* No part of a row stays, neither for readers nor in front of the next row; nor does a file become longer by that. */
static int cut_torn(CsvFile *file)
{
	int r = check_length(file);

	if (r < 0)
		return r;
	if (file->torn && ftruncate(file->fd, (off_t)file->length) < 0)
		return -errno;
	file->torn = false;
	return 0;
}

int csvfile_flush(CsvFile *file)
{
	int r = strbuf_error(&file->buffer);

	if (r < 0)
		return r;
	if (!file->buffer.len)
		return 0;
	r = cut_torn(file);
	if (r < 0)
		return r;
	r = file_write_full(file->fd, file->buffer.data, file->buffer.len);
	if (r < 0) {
		file->torn = true;
		(void)cut_torn(file);
		return r;
	}
	file->length += file->buffer.len;
	strbuf_reset(&file->buffer);
	return 0;
}

int csvfile_check(const CsvFile *file)
{
	struct stat st = {0}, named;
	int r = check_length(file);

	if (r == -ESTALE)
		return CSVFILE_CHANGED;
	if (!r && fstat(file->fd, &st) < 0)
		r = -errno;
	if (r < 0)
		return r;
	/* Where the name can't be looked at, nothing says that it is another file's. */
	if (stat(file->path, &named) < 0)
		return errno == ENOENT || errno == ENOTDIR ? CSVFILE_MOVED : 0;
	return named.st_dev == st.st_dev && named.st_ino == st.st_ino ? 0 : CSVFILE_MOVED;
}

int csvfile_sync(CsvFile *file)
{
	return fdatasync(file->fd) < 0 ? -errno : 0;
}

int csvfile_mark(CsvFile *file, FileMark *ret_mark)
{
	return mark_from_fd(file->fd, file->length, ret_mark);
}

/*
 * 0 with the header there, 1 empty, -EBADMSG, -errno. Empty is also what a power loss leaves of a header: a part, or zeros where
 * the length came to the disk and the bytes did not.
 */
static int check_header(int fd, uint64_t size)
{
	Span header = csv_header();
	char start[256];
	ssize_t n, same = 0;

	n = file_pread_full(fd, start, MIN(header.len, sizeof(start)), 0);
	if (n < 0)
		return (int)n;
	while (same < n && start[same] == header.data[same])
		same++;
	if (same == n)
		return size < header.len ? 1 : 0;
	while (same < n && !start[same])
		same++;
	return same == n && size <= header.len ? 1 : -EBADMSG;
}

static int open_locked(const char *path, int flags, int *ret_fd, struct stat *ret_st, Why *why)
{
	_cleanup_close_ int fd =
		open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, 0640);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		why_set(why, "%s: %s", path, strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode)) {
		why_set(why, "%s: not a regular file", path);
		return -EBADMSG;
	}
	r = lock_file(fd);
	if (r == LOCK_HELD) {
		pid_t holder = lock_file_holder(fd);

		if (holder)
			why_set(why, "%s: another maillogsentinel is writing it (process %ld)",
				path, (long)holder);
		else
			why_set(why, "%s: another process is writing it", path);
		return -EBUSY;
	}
	/* Only now its size stays what it is. */
	if (!r && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0) {
		why_set(why, "%s: can't be locked: %s", path, strerror(-r));
		return r;
	}
	*ret_fd = take_fd(&fd);
	*ret_st = st;
	return 0;
}

/*
 * What is committed, as the caller has it. Without a row of ours every file would do that begins with what stood there
 * before, be it only the header: then the inode alone can tell, and in doubt nothing is cut.
 */
typedef struct Committed {
	const FileMark *mark; /* NULL at a first start */
	bool has_rows;
} Committed;

static Committed committed_from(const FileMark *mark, uint64_t begin)
{
	return (Committed){mark, mark && mark->offset > MAX(begin, (uint64_t)csv_header().len)};
}

/* As mark_compare_fd. */
static int compare_committed(const Committed *committed, int fd, const struct stat *st)
{
	const FileMark *mark = committed->mark;

	if (mark->offset < csv_header().len ||
		(!committed->has_rows && (uint64_t)st->st_size > mark->offset &&
			st->st_ino != mark->inode))
		return MARK_OTHER;
	return mark_compare_fd(mark, fd);
}

/* Cuts the committed file back to the committed length. The bytes cut, or -errno. */
static int64_t cut_back(int fd, uint64_t size, uint64_t length)
{
	if (size <= length)
		return 0;
	if (ftruncate(fd, (off_t)length) < 0 || fsync(fd) < 0)
		return -errno;
	return (int64_t)(size - length);
}

static bool is_forbidden(int error)
{
	return error == -EACCES || error == -EPERM || error == -EROFS;
}

/* Whether the found file, which must not be written, can stay as it is. */
static bool ends_committed(const Committed *committed, const CsvFound *found, Why *why)
{
	struct stat st;

	if (!fstat(reader_fd(found->reader), &st) &&
		(uint64_t)st.st_size <= committed->mark->offset)
		return true;
	why_set(why, "%s: is to be cut back to byte %" PRIu64 " and must not be written",
		found->path, committed->mark->offset);
	return false;
}

/*
 * Opens the committed file, where it was found, for cutting. 1; 0 when it is not to be cut (it is compressed, or a copy that has
 * another's name, or ends where it should and must not be written); -EAGAIN when it is not there any more; -errno.
 */
static int open_rotated(const Committed *committed, const CsvFound *found, int *ret_fd,
	struct stat *ret_st, Why *why)
{
	_cleanup_close_ int fd = -1;
	struct stat st = {0};
	int r;

	if (reader_compressed(found->reader) || (!found->same && !found->named))
		return 0;
	r = open_locked(found->path, 0, &fd, &st, why);
	if (r == -ENOENT || (!r && compare_committed(committed, fd, &st)))
		return -EAGAIN;
	/* Only a copy: it may be forbidden, or in use. */
	if (r < 0 && !found->same)
		return 0;
	/* A rotation may make files read-only, or another user's. */
	if (is_forbidden(r) && ends_committed(committed, found, why))
		return 0;
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	*ret_st = st;
	return 1;
}

/*
 * Looks for the committed file under another name in its directory (it was rotated while nobody looked), and cuts what was not
 * committed. 1 found, 0 not, -errno.
 */
static int find_rotated(const char *path, const Committed *committed, uint64_t *ret_cut, Why *why)
{
	int r = -EAGAIN;

	/* What was found can be renamed before it is opened: then look again. */
	for (int attempt = 0; attempt < 5 && r == -EAGAIN; attempt++) {
		_cleanup_csvfound_ CsvFound found = CSV_FOUND_INIT;
		_cleanup_close_ int fd = -1;
		struct stat st = {0};
		int64_t cut;

		r = csvfind(path, committed->mark, &found);
		if (r < 0)
			why_set(why, "%s: its rotated files can't be looked at: %s", path,
				strerror(-r));
		if (r < 0)
			return r;
		if (r || (!committed->has_rows && !found.same))
			return 0;
		r = open_rotated(committed, &found, &fd, &st, why);
		if (r <= 0) {
			r = r ? r : 1;
			continue;
		}
		cut = cut_back(fd, (uint64_t)st.st_size, committed->mark->offset);
		if (cut < 0) {
			why_set(why, "%s: can't be cut back: %s", found.path, strerror((int)-cut));
			return (int)cut;
		}
		*ret_cut += (uint64_t)cut;
	}
	return r;
}

int csvfile_cut_back(const char *path, const FileMark *mark, uint64_t begin,
	uint64_t *ret_cut_bytes, Why *ret_why)
{
	Committed committed = committed_from(mark, begin);
	uint64_t cut = 0;
	int r = find_rotated(path, &committed, &cut, ret_why);

	if (r >= 0)
		*ret_cut_bytes = cut;
	return r;
}

/* A file that does not end with a newline: the next row must not become part of its last line. */
static int end_last_line(CsvFile *file)
{
	char last;

	if (!file->length)
		return 0;
	if (file_pread_full(file->fd, &last, 1, (off_t)file->length - 1) != 1)
		return -EIO;
	if (last != '\n')
		strbuf_append_char(&file->buffer, '\n');
	return strbuf_error(&file->buffer);
}

/*
 * Somebody emptied the committed file, and rows came to stand at its start before that was noticed: without a header they
 * were never committed, and are written again.
 */
static bool is_emptied(const CsvFile *file, const FileMark *committed, const struct stat *st)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT, scratch = STRBUF_INIT;
	const size_t max = 65536;
	char *data = strbuf_reserve(&line, max);
	const char *end;
	ssize_t n;
	Row row;

	if (!committed || st->st_ino != committed->inode || !data)
		return false;
	n = file_pread_full(file->fd, data, max, 0);
	end = n > 0 ? memchr(data, '\n', (size_t)n) : NULL;
	return end && !csv_parse_row((Span){data, (size_t)(end - data)}, &scratch, &row, NULL);
}

/* The file has the committed name and is not the committed file, or not all of it. */
static int classify_other(CsvFile *file, const Committed *committed, const struct stat *st,
	CsvStart *start, uint64_t *cut, Why *why)
{
	int r = find_rotated(file->path, committed, cut, why);

	if (r < 0)
		return r;
	if (r > 0)
		*start = CSV_ROTATED;
	else if (st->st_ino == committed->mark->inode && file->length < committed->mark->offset)
		*start = CSV_SHORTER;
	else
		*start = file->length ? CSV_FOREIGN : CSV_DISAPPEARED;
	return end_last_line(file);
}

/* What the opened file is; fills start and cut. */
static int classify(CsvFile *file, const Committed *committed, const struct stat *st,
	CsvStart *start, uint64_t *cut, Why *why)
{
	int r = check_header(file->fd, file->length);
	int64_t bytes;

	if (r == -EBADMSG && is_emptied(file, committed->mark, st)) {
		*cut = file->length;
		r = 1;
	}
	if (r < 0) {
		why_set(why, "%s: %s", file->path,
			r == -EBADMSG ? "does not start with the header of this program's CSV"
				      : strerror(-r));
		return r;
	}
	if (r > 0 && file->length) {
		if (ftruncate(file->fd, 0) < 0) {
			r = -errno;
			why_set(why, "%s: can't be cut back: %s", file->path, strerror(-r));
			return r;
		}
		file->length = 0;
	}
	if (!committed->mark) {
		*start = r ? CSV_CREATED : CSV_CONTINUED;
		if (r || file->length == csv_header().len)
			return 0;
		why_set(why, "%s: holds rows already, but nothing says how far the logs were read",
			file->path);
		return -EEXIST;
	}
	r = compare_committed(committed, file->fd, st);
	if (r == MARK_OTHER)
		return classify_other(file, committed, st, start, cut, why);
	if (r == MARK_SHORT) {
		*start = CSV_SHORTER;
		return end_last_line(file);
	}
	if (r < 0) {
		why_set(why, "%s: %s", file->path, strerror(-r));
		return r;
	}
	bytes = cut_back(file->fd, file->length, committed->mark->offset);
	if (bytes < 0) {
		why_set(why, "%s: can't be cut back: %s", file->path, strerror((int)-bytes));
		return (int)bytes;
	}
	*cut = (uint64_t)bytes;
	file->length = committed->mark->offset;
	*start = CSV_CONTINUED;
	return 0;
}

/* The header, durable together with the name. */
static int write_header(CsvFile *file, Why *why)
{
	Span header = csv_header();
	int r = file_write_full(file->fd, header.data, header.len);

	if (!r && fsync(file->fd) < 0)
		r = -errno;
	if (!r)
		r = file_sync_parent(file->path);
	if (r < 0) {
		why_set(why, "%s: %s", file->path, strerror(-r));
		(void)!ftruncate(file->fd, 0);
		return r;
	}
	file->length = header.len;
	return 0;
}

int csvfile_open(const char *path, const FileMark *mark, uint64_t begin, CsvFile **ret_file,
	CsvStart *ret_start, uint64_t *ret_cut_bytes, Why *ret_why)
{
	Committed committed = committed_from(mark, begin);
	_cleanup_(csvfile_freep) CsvFile *file = calloc(1, sizeof(*file));
	CsvStart start = CSV_CREATED;
	uint64_t cut = 0;
	struct stat st = {0};
	int r;

	if (!file)
		return -ENOMEM;
	file->fd = -1;
	file->path = strdup(path);
	if (!file->path)
		return -ENOMEM;
	r = open_locked(path, O_CREAT, &file->fd, &st, ret_why);
	if (r < 0)
		return r;
	file->length = (uint64_t)st.st_size;
	r = classify(file, &committed, &st, &start, &cut, ret_why);
	if (r < 0)
		return r;
	if (!file->length) {
		r = write_header(file, ret_why);
		if (r < 0)
			return r;
	}
	*ret_file = TAKE(file);
	*ret_start = start;
	*ret_cut_bytes = cut;
	return 0;
}

/* What was flushed but not committed goes back in front of the buffer, and is cut. */
static int take_back(CsvFile *file, uint64_t committed)
{
	_cleanup_strbuf_ StrBuf rows = STRBUF_INIT;
	size_t len = (size_t)(file->length - committed);
	char *data = strbuf_reserve(&rows, len);
	ssize_t n;
	int r = cut_torn(file);

	if (r < 0 || !data)
		return r < 0 ? r : strbuf_error(&rows);
	if (strbuf_error(&file->buffer))
		return strbuf_error(&file->buffer);
	n = file_pread_full(file->fd, data, len, (off_t)committed);
	if (n < 0 || (size_t)n < len)
		return n < 0 ? (int)n : -ESTALE;
	rows.len = len;
	strbuf_append(&rows, strbuf_text(&file->buffer), file->buffer.len);
	if (strbuf_error(&rows))
		return strbuf_error(&rows);
	/* Whatever fails from here on: these rows are written again, by this process or from the log. */
	if (ftruncate(file->fd, (off_t)committed) < 0)
		return -errno;
	strbuf_done(&file->buffer);
	file->buffer = rows;
	rows = STRBUF_INIT;
	file->length = committed;
	return fsync(file->fd) < 0 ? -errno : 0;
}

int csvfile_open_next(CsvFile *file, const FileMark *committed, uint64_t begin, CsvFile **ret_next,
	CsvStart *ret_start, uint64_t *ret_cut_bytes, Why *ret_why)
{
	int r = committed->offset <= file->length ? 0 : -ESTALE;

	if (!r && file->length > committed->offset)
		r = take_back(file, committed->offset);
	if (r < 0) {
		why_set(ret_why, "%s: can't be cut back where it was moved to: %s", file->path,
			strerror(-r));
		return r;
	}
	/* The next one is opened as at a start, which looks at this one, too: it must not find a writer there. */
	lock_file_release(file->fd);
	r = csvfile_open(file->path, committed, begin, ret_next, ret_start, ret_cut_bytes, ret_why);
	if (r < 0)
		(void)lock_file(file->fd);
	return r;
}

void csvfile_replace(CsvFile *file, CsvFile *next_take)
{
	/* Moved, not copied: a copy can fail, and these rows are nowhere else any more. */
	strbuf_done(&next_take->buffer);
	next_take->buffer = file->buffer;
	(void)close(file->fd);
	free(file->path);
	*file = *next_take;
	free(next_take);
}
