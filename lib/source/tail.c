/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/tail.h"

#include "base/compress.h"
#include "base/file.h"
#include "source/find.h"
#include "source/moment.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

struct Tail {
	char *path;
	TailCallbacks callbacks;
	Moment *own_moment;
	LineBuffer lines;

	/* The file that is open, or none. */
	Reader *reader;
	char *file_path;
	bool single; /* no other file is looked for */
	bool live;   /* it was opened as the log itself, so it may grow */
	uint64_t device, inode;
	int64_t written_us; /* when it was last written, as of the last read */
	uint64_t prefix_device, prefix_inode, prefix_len; /* see take_copy() */
	bool successor_seen;         /* there is a newer one with content: finish at the next end */
	bool damage_said, gone_said; /* once is enough */

	/* Where to go on when none is open. */
	bool has_position, has_finished;
	FileMark position, finished;
	int64_t seen_us;

	/* Of the file that is open, or was last. */
	Trail earlier;
	uint64_t length; /* 0: not known */
};

static void notice(Tail *tail, bool warning, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void notice(Tail *tail, bool warning, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) >= 0)
		tail->callbacks.notice(tail->callbacks.userdata, warning, text);
	va_end(ap);
}

int tail_new(const char *path, const LogState *state, int64_t seen_us,
	const TailCallbacks *callbacks, Tail **ret_tail)
{
	_cleanup_(tail_freep) Tail *tail = calloc(1, sizeof(*tail));

	if (!tail)
		return -ENOMEM;
	tail->callbacks = *callbacks;
	tail->path = strdup(path);
	if (!tail->path || lines_init(&tail->lines) < 0)
		return -ENOMEM;
	if (!tail->callbacks.moment) {
		if (moment_new(&tail->own_moment) < 0)
			return -ENOMEM;
		tail->callbacks.moment = tail->own_moment;
	}
	lines_start(&tail->lines, 0, SPAN_MISSING, SPAN_MISSING);
	tail->seen_us = seen_us;
	if (state) {
		tail->has_position = state->has_position;
		tail->position = state->position;
		tail->has_finished = state->has_finished;
		tail->finished = state->finished;
		tail->earlier = state->earlier;
		tail->length = state->length;
	}
	*ret_tail = TAKE(tail);
	return 0;
}

int tail_new_single(int fd_take, const char *name, const TailCallbacks *callbacks, Tail **ret_tail)
{
	_cleanup_(tail_freep) Tail *tail = NULL;
	Reader *reader = NULL;
	int r = reader_new(fd_take, &reader);

	if (!r)
		r = tail_new(name, NULL, 0, callbacks, &tail);
	if (r) {
		reader_free(reader);
		return r;
	}
	tail->reader = reader;
	tail->single = true;
	tail->file_path = strdup(name);
	if (!tail->file_path)
		return -ENOMEM;
	*ret_tail = TAKE(tail);
	return 0;
}

void tail_free(Tail *tail)
{
	if (!tail)
		return;
	reader_free(tail->reader);
	moment_free(tail->own_moment);
	lines_done(&tail->lines);
	free(tail->file_path);
	free(tail->path);
	free(tail);
}

const char *tail_path(const Tail *tail)
{
	return tail->path;
}

Span tail_chunk(const Tail *tail)
{
	return lines_chunk(&tail->lines);
}

bool tail_chunk_is_cut(const Tail *tail)
{
	return lines_chunk_is_cut(&tail->lines);
}

void tail_consume(Tail *tail, size_t n)
{
	lines_consume(&tail->lines, n);
}

void tail_mark(Tail *tail, size_t n, FileMark *ret_mark)
{
	lines_mark(&tail->lines, n, ret_mark);
	/* A place behind nothing but NULs would be one of many files. */
	if (!n && lines_at_start(&tail->lines))
		*ret_mark = (FileMark){
			.head_hash = mark_hash(NULL, 0), .tail_hash = mark_hash(NULL, 0)};
	ret_mark->device = tail->device;
	ret_mark->inode = tail->inode;
	ret_mark->written_us = tail->written_us;
}

void tail_save(Tail *tail, LogState *state)
{
	if (tail->reader) {
		state->has_position = true;
		tail_mark(tail, 0, &state->position);
	} else {
		state->has_position = tail->has_position;
		state->position = tail->position;
	}
	state->earlier = tail->earlier;
	trail_cut(&state->earlier, state->position.offset);
	state->length = tail->length;
	state->has_finished = tail->has_finished;
	state->finished = tail->finished;
}

void tail_save_file(const Tail *tail, LogState *state)
{
	if (!tail->reader || tail->device != state->position.device ||
		tail->inode != state->position.inode ||
		lines_read_offset(&tail->lines) < state->position.offset)
		return;
	state->earlier = tail->earlier;
	trail_cut(&state->earlier, state->position.offset);
	state->length = MAX(state->length, tail->length);
	state->has_finished = tail->has_finished;
	state->finished = tail->finished;
}

int64_t tail_written_us(const Tail *tail, int64_t now_us)
{
	return tail->reader ? reader_written_us(tail->reader, now_us) : now_us;
}

int tail_fd(const Tail *tail)
{
	return tail->reader ? reader_fd(tail->reader) : -1;
}

uint64_t tail_lag(const Tail *tail)
{
	uint64_t at = lines_read_offset(&tail->lines);
	struct stat st;

	if (!tail->reader || reader_compressed(tail->reader) ||
		fstat(reader_fd(tail->reader), &st) < 0 || (uint64_t)st.st_size < at)
		return 0;
	return (uint64_t)st.st_size - at;
}

static void say_gone(Tail *tail, uint64_t read_to, const char *next)
{
	if (tail->length > read_to)
		notice(tail, true,
			"%s: the file that was read up to byte %" PRIu64
			" is gone; at least %" PRIu64
			" bytes that it held after that are lost, going on with %s",
			tail->path, read_to, tail->length - read_to, next);
	else
		notice(tail, true,
			"%s: the file that was read up to byte %" PRIu64
			" is gone; what was written to it after that is lost, going on with %s",
			tail->path, read_to, next);
}

/*
 * What is known of the last file that was read: the place in the current one, or, since the start of
 * a file has no content to be known by, the end of the one before.
 */
static ArchiveFrom from_mark(const Tail *tail, const FileMark *mark)
{
	ArchiveFrom from = {.moment = tail->callbacks.moment,
		.has_open = tail->reader,
		.open_device = tail->device,
		.open_inode = tail->inode};

	if (mark && mark->offset) {
		from.mark = mark;
		from.earlier = &tail->earlier;
	} else if (tail->has_finished && tail->finished.offset) {
		from.mark = &tail->finished;
		from.finished = true;
	}
	if (from.mark)
		from.seen_us = from.mark->written_us;
	return from;
}

/* Whether the log's name leads to the file of another one: what is found there, and beside it, is that one's to read. */
static bool leads_to_another(const Tail *tail)
{
	struct stat st;

	if (!tail->callbacks.is_anothers || stat(tail->path, &st) < 0 ||
		(tail->reader && st.st_dev == tail->device && st.st_ino == tail->inode))
		return false;
	return tail->callbacks.is_anothers(
		tail->callbacks.userdata, tail->path, st.st_dev, st.st_ino);
}

/* Finds where reading goes on and says what is lost. 0, TAIL_IDLE, -errno. */
static int find_next(Tail *tail, const ArchiveFrom *from, ArchivePlace *place, Why *why)
{
	ArchiveFrom finished = from_mark(tail, NULL);
	bool after_finished = from->mark == &tail->position && finished.mark;
	Why part = {""};
	int r;

	if (leads_to_another(tail))
		return TAIL_IDLE;
	r = find_place(tail->path, from, after_finished ? &finished : NULL, place, &part);
	if (r < 0) {
		why_set(why, "%s", part.text);
		return r;
	}
	/* With the directory not there, nothing is known of what is in it: a file system may be mounted later. */
	if (!tail->gone_said && !(r & ARCHIVE_NOTHING && !find_has_directory(tail->path))) {
		if (r & ARCHIVE_LOST && !from->after_open)
			say_gone(tail, from->mark ? from->mark->offset : 0,
				r & ARCHIVE_NOTHING ? "the next one that appears" : place->path);
		else if (r & (ARCHIVE_SHORT | ARCHIVE_CHANGED))
			notice(tail, true, "%s", part.text);
		tail->gone_said = (r & ~ARCHIVE_NOTHING) != 0;
	}
	return r & ARCHIVE_NOTHING ? TAIL_IDLE : 0;
}

static void note_written(Tail *tail, const struct stat *st, int64_t now_us)
{
	int64_t written_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;

	/* A time in the future would hide newer files. */
	tail->written_us = MIN(written_us, now_us);
	tail->length = reader_compressed(tail->reader) ? 0 : (uint64_t)st->st_size;
}

/* The file of the place, which is taken, is the open one now. */
static void take_file(Tail *tail, ArchivePlace *place, int64_t now_us)
{
	struct stat st;

	reader_free(tail->reader);
	free(tail->file_path);
	tail->reader = TAKE(place->reader);
	tail->file_path = TAKE(place->path);
	tail->live = place->live;
	tail->device = place->device;
	tail->inode = place->inode;
	tail->successor_seen = tail->damage_said = tail->gone_said = false;
	/* Only what was read already goes on elsewhere than at its start. */
	trail_cut(&tail->earlier, place->offset);
	if (!fstat(reader_fd(tail->reader), &st))
		note_written(tail, &st, now_us);
}

/* Reading goes on at place, whose parts are taken. */
static void take_place(Tail *tail, ArchivePlace *place, int64_t now_us)
{
	lines_start(&tail->lines, place->offset, (Span){place->before.head, place->before.head_len},
		(Span){place->before.history, place->before.history_len});
	take_file(tail, place, now_us);
}

/* The same from the start of the file: less than a line was read, which many files can begin with. 0 or -errno. */
static int take_start(Tail *tail, ArchivePlace *place, int64_t now_us)
{
	int r = reader_skip(place->reader, 0);

	if (r < 0)
		return r;
	place->offset = place->before.head_len = place->before.history_len = 0;
	take_place(tail, place, now_us);
	return 0;
}

/* The place becomes the end of the last finished file. Of one of which nothing was read nothing is remembered. */
static void remember_finished(Tail *tail, const FileMark *mark)
{
	if (!mark->offset)
		return;
	tail->finished = *mark;
	tail->has_finished = true;
}

bool tail_holds(const Tail *tail, const FileMark *mark)
{
	/* It may have been cut and written anew. */
	return tail->reader && !reader_compressed(tail->reader) && mark->device == tail->device &&
	       mark->inode == tail->inode && !mark_compare_fd(mark, reader_fd(tail->reader));
}

bool tail_resume(Tail *tail, const Tail *former, int64_t now_us)
{
	const FileMark *mark = &tail->position;
	ArchivePlace place = {.live = former->live,
		.device = former->device,
		.inode = former->inode,
		.offset = mark->offset};
	int fd;

	if (!tail->has_position || !tail_holds(former, mark))
		return false;
	fd = reader_fd(former->reader);
	if (match_read_before(fd, mark->offset, &place.before) < 0)
		return false;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	place.path = strdup(former->file_path);
	/* A reader begins at the start. */
	if (fd < 0 || !place.path || lseek(fd, 0, SEEK_SET) < 0 ||
		reader_new(take_fd(&fd), &place.reader) < 0 ||
		reader_skip(place.reader, mark->offset) < 0) {
		close_fd(&fd);
		archive_place_done(&place);
		return false;
	}
	take_place(tail, &place, now_us);
	archive_place_done(&place);
	return true;
}

/* The first file of this process: from the checkpoint's place, or the oldest there is. */
static int open_first(Tail *tail, int64_t now_us, Why *why)
{
	ArchiveFrom from = from_mark(tail, tail->has_position ? &tail->position : NULL);
	ArchivePlace place;
	int r;

	/* What was written after the checkpoint is new, whatever the mark says. */
	from.seen_us = MIN(from.seen_us, tail->seen_us);
	r = find_next(tail, &from, &place, why);
	if (r)
		return r;
	/* Should it be gone, what is newer is found by it as long as nothing was read of what is open now. */
	if (from.mark && !place.offset)
		remember_finished(tail, from.mark);
	take_place(tail, &place, now_us);
	return 0;
}

/*
 * place begins with all that was read of the open file, so it may be a copy of it, or what it is being copied from: what
 * comes then is there, if what was read says anything. It can end in the middle of a line. 0 or -errno.
 */
static int take_copy(Tail *tail, ArchivePlace *place, int64_t now_us)
{
	if (!lines_at_start(&tail->lines)) {
		take_file(tail, place, now_us);
		return 0;
	}
	/* As long as it does not grow there is no more in it. */
	tail->prefix_device = tail->device;
	tail->prefix_inode = tail->inode;
	tail->prefix_len = lines_read_offset(&tail->lines);
	return take_start(tail, place, now_us);
}

/* Whether the file of the place, which is to be read from its start, is the one that the open file was found to begin with. */
static bool is_prefix(const Tail *tail, const ArchivePlace *place)
{
	struct stat st;

	return tail->prefix_len && place->device == tail->prefix_device &&
	       place->inode == tail->prefix_inode && !place->offset &&
	       !reader_compressed(place->reader) && !fstat(reader_fd(place->reader), &st) &&
	       (uint64_t)st.st_size == tail->prefix_len;
}

/*
 * The open file is at its end. It is finished when there is a newer one that holds a byte and it
 * is, read after that, still at its end: writers go on with the old file for a while after the
 * new one is there (rsyslog, until it gets its HUP), and a copy of the log grows until the log is cut.
 * 0, TAIL_IDLE, -errno.
 */
static int finish_file(Tail *tail, int64_t now_us, Why *why)
{
	ArchivePlace place;
	ArchiveFrom from;
	FileMark read;
	bool copy;
	int r;

	lines_mark_read(&tail->lines, &read);
	read.written_us = tail->written_us;
	from = from_mark(tail, &read);
	from.finished = true;
	from.after_open = true;
	r = find_next(tail, &from, &place, why);
	if (r)
		return r;
	/* NULs are no sign that it is one, but then the log is looked at more closely when it is read. */
	copy = read.offset && place.offset == read.offset &&
	       (place.live || !lines_hold_nothing(&tail->lines));
	if (place.live && place.at_end && !place.offset) {
		r = TAIL_IDLE;
	} else if (copy && place.live) {
		r = take_copy(tail, &place, now_us);
	} else if (!tail->successor_seen && !reader_compressed(tail->reader)) {
		tail->successor_seen = true;
	} else if (copy) {
		r = take_copy(tail, &place, now_us);
	} else {
		lines_finish(&tail->lines);
		if (!lines_chunk(&tail->lines).len) {
			FileMark mark;

			tail_mark(tail, 0, &mark);
			remember_finished(tail, &mark);
			take_place(tail, &place, now_us);
			if (tail->live)
				notice(tail, false, "%s: going on with the new file", tail->path);
		}
	}
	archive_place_done(&place);
	return r;
}

/* The bytes before the place of reading are not the ones that were read: the file was cut and written anew. */
static int reopen_truncated(Tail *tail, int64_t now_us, Why *why)
{
	ArchivePlace place;
	ArchiveFrom from;
	FileMark mark;
	int r;

	/* A line that had no end yet is read again, from the copy. */
	tail_mark(tail, 0, &mark);
	from = from_mark(tail, &mark);
	r = find_next(tail, &from, &place, why);
	if (r)
		return r;
	/* What is newer is found by it as long as nothing was read of what is open then. */
	if (!place.offset)
		remember_finished(tail, &mark);
	take_place(tail, &place, now_us);
	notice(tail, false, "%s: truncated, going on with %s", tail->path, tail->file_path);
	return 0;
}

/* Whether the open file still is the log itself. Then it may grow. */
static bool still_the_log(const Tail *tail)
{
	struct stat st;

	return tail->live && !stat(tail->path, &st) && st.st_dev == tail->device &&
	       st.st_ino == tail->inode;
}

bool tail_close(Tail *tail, int64_t now_us)
{
	if (!tail->reader)
		return true;
	if (tail->single || lines_chunk(&tail->lines).len || !still_the_log(tail))
		return false;
	tail_mark(tail, 0, &tail->position);
	tail->has_position = true;
	tail->seen_us = now_us;
	reader_free(TAKE(tail->reader));
	return true;
}

void tail_release(Tail *tail)
{
	lines_release(&tail->lines);
}

/*
 * No line was read of the log yet, so nothing can tell whether it was copied and truncated since it was
 * found. Whether, now that its first bytes were read, it still is what comes next; if not, what does is open
 * then. 0, MARK_OTHER, -errno.
 */
static int check_first(Tail *tail, size_t n, int64_t now_us, Why *why)
{
	ArchiveFrom from = from_mark(tail, NULL);
	ArchivePlace place;
	FileMark read;
	int r;

	lines_mark_ahead(&tail->lines, n, &read);
	from.open_mark = &read;
	if (leads_to_another(tail))
		return 0;
	r = archive_next(tail->path, &from, &place, why);
	if (r < 0)
		return r;
	if (r & ARCHIVE_NOTHING)
		return 0;
	if (!place.before_open || is_prefix(tail, &place)) {
		archive_place_done(&place);
		return 0;
	}
	take_place(tail, &place, now_us);
	return MARK_OTHER;
}

/* Whether the bytes before the place of reading still are what was read; if not, what comes next is open then. As above. */
static int check_before(Tail *tail, int64_t now_us, Why *why)
{
	Span before = lines_before_end(&tail->lines);
	uint64_t at = lines_read_offset(&tail->lines);
	char now[MARK_TAIL_MAX];
	ssize_t n =
		file_pread_full(reader_fd(tail->reader), now, before.len, (off_t)(at - before.len));

	if (n < 0) {
		why_set(why, "%s: %s", tail->file_path, strerror((int)-n));
		return (int)n;
	}
	if ((size_t)n == before.len && !memcmp(now, before.data, before.len))
		return 0;
	n = reopen_truncated(tail, now_us, why);
	return n ? (int)n : MARK_OTHER;
}

/*
 * Whether what was read of the log is what stands there: it can be truncated and grow again at any
 * moment. 0; TAIL_IDLE or -errno, where what was read does not count; MARK_OTHER when another place is open.
 */
static int check_read(Tail *tail, size_t n, int64_t now_us, Why *why)
{
	uint64_t at = lines_read_offset(&tail->lines);
	int r = at ? check_before(tail, now_us, why) : 0;

	if (!r && lines_at_start(&tail->lines))
		r = check_first(tail, n, now_us, why);
	if (r < 0 || r == TAIL_IDLE)
		(void)reader_skip(tail->reader, at);
	return r;
}

/* Remembers that reading came by here. */
static void note_place(Tail *tail)
{
	FileMark mark;

	if (tail->single)
		return;
	lines_mark(&tail->lines, 0, &mark);
	trail_add(&tail->earlier, &mark);
}

/* A file that loses its end keeps its first line most of the time: that is known again by it. */
static void note_first_line(Tail *tail)
{
	Span chunk = lines_chunk(&tail->lines);
	const char *newline = chunk.len ? memchr(chunk.data, '\n', chunk.len) : NULL;
	FileMark mark;

	if (tail->single || tail->lines.offset || !newline)
		return;
	lines_mark(&tail->lines, (size_t)(newline - chunk.data) + 1, &mark);
	trail_add(&tail->earlier, &mark);
}

int tail_fill(Tail *tail, int64_t now_us, Why *ret_why)
{
	struct stat st;
	ssize_t n;
	size_t size;
	char *space;
	bool known;
	int r;

	if (!tail->reader)
		return open_first(tail, now_us, ret_why);
	note_place(tail);
	space = lines_space(&tail->lines, &size);
	/* Before it is read: what is written meanwhile is newer than that. */
	known = !fstat(reader_fd(tail->reader), &st);
	n = reader_read(tail->reader, space, size);
	if (n < 0 && n != -EBADMSG) {
		why_set(ret_why, "%s: %s", tail->file_path, strerror((int)-n));
		return (int)n;
	}
	if (tail->live && !reader_compressed(tail->reader)) {
		r = check_read(tail, (size_t)MAX(n, 0), now_us, ret_why);
		if (r)
			return r == MARK_OTHER ? 0 : r;
	}
	if (known)
		note_written(tail, &st, now_us);
	if (n > 0) {
		lines_filled(&tail->lines, (size_t)n);
		note_first_line(tail);
		return 0;
	}
	if (n == -EBADMSG && !tail->damage_said) {
		notice(tail, true,
			"%s: damaged or cut short, %" PRIu64
			" bytes of it could be read, what follows is lost",
			tail->file_path, lines_read_offset(&tail->lines));
		tail->damage_said = true;
	}
	if (tail->single) {
		lines_finish(&tail->lines);
		return lines_chunk(&tail->lines).len ? 0 : TAIL_IDLE;
	}
	if (still_the_log(tail))
		return TAIL_IDLE;
	return finish_file(tail, now_us, ret_why);
}
