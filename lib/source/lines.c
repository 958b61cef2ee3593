/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/lines.h"

#include <sys/mman.h>

#define RELEASE_MIN ((size_t)16 << 10)

/*
 * What is kept of the bytes last read of a line that is cut: what a mark behind it needs, and one that makes
 * room for its newline. So what stands before any place where reading goes on is what the stream has there.
 */
#define CUT_KEEP ((size_t)MARK_TAIL_MAX + 1)

/* Advises on the whole pages of the buffer from `at` on. Should it fail, nothing depends on it. */
static void advise(LineBuffer *lines, size_t at, int advice)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)lines->data,
		  from = (start + at + page - 1) / page * page,
		  to = (start + LINES_BUFFER_SIZE) / page * page;

	if (from < to)
		(void)madvise(lines->data + (from - start), to - from, advice);
}

int lines_init(LineBuffer *lines)
{
	memset(lines, 0, offsetof(LineBuffer, head));
	/* One byte more: lines_finish() adds a newline. */
	lines->data = malloc(LINES_BUFFER_SIZE + 1);
	if (!lines->data)
		return -ENOMEM;
	/* Of most buffers little is ever touched; a huge page would make it all. */
	advise(lines, 0, MADV_NOHUGEPAGE);
	return 0;
}

void lines_done(LineBuffer *lines)
{
	free(lines->data);
	lines->data = NULL;
}

void lines_start(LineBuffer *lines, uint64_t offset, Span head, Span history)
{
	lines->head_len = (uint32_t)MIN(head.len, (size_t)MARK_HEAD_MAX);
	if (lines->head_len)
		memcpy(lines->head, head.data, lines->head_len);
	lines->head_hashed_len = 0;
	lines->head_hash = mark_hash(NULL, 0);
	if (history.len > MARK_TAIL_MAX) {
		history.data += history.len - MARK_TAIL_MAX;
		history.len = MARK_TAIL_MAX;
	}
	if (history.len)
		memcpy(lines->data, history.data, history.len);
	lines->history = 0;
	lines->start = lines->complete = lines->end = history.len;
	lines->offset = offset;
	lines->empty = 0;
	lines->cutting = lines->ends_early = false;
	lines->dropped = 0;
}

/* The first bytes of the line that are kept end here; then the last ones read of it follow. */
static size_t cut_end(const LineBuffer *lines)
{
	return lines->start + LINES_LINE_MAX;
}

static void make_room(LineBuffer *lines)
{
	size_t keep = MIN(lines->start - lines->history, (size_t)MARK_TAIL_MAX);
	size_t from = lines->start - keep;

	lines->history = 0;
	if (!from)
		return;
	memmove(lines->data, lines->data + from, lines->end - from);
	lines->start -= from;
	lines->complete -= from;
	lines->end -= from;
}

bool lines_at_start(const LineBuffer *lines)
{
	return lines->offset == lines->empty;
}

bool lines_hold_nothing(const LineBuffer *lines)
{
	size_t at = lines->start;

	while (at < lines->end && !lines->data[at])
		at++;
	return lines_at_start(lines) && at == lines->end;
}

/* The buffer is full of one line that has not ended. */
static void cut(LineBuffer *lines)
{
	size_t drop;

	if (!lines->cutting) {
		size_t nuls = 0;

		while (lines->start + nuls < lines->end && !lines->data[lines->start + nuls])
			nuls++;
		if (nuls) {
			if (lines_at_start(lines))
				lines->empty += nuls;
			lines->start += nuls;
			lines->complete = lines->start;
			lines->offset += nuls;
			make_room(lines);
			return;
		}
	}
	lines->cutting = true;
	drop = lines->end - cut_end(lines) - CUT_KEEP;
	memmove(lines->data + cut_end(lines), lines->data + lines->end - CUT_KEEP, CUT_KEEP);
	lines->end -= drop;
	lines->dropped += drop;
}

char *lines_space(LineBuffer *lines, size_t *ret_size)
{
	make_room(lines);
	while (lines->end == LINES_BUFFER_SIZE)
		cut(lines);
	*ret_size = LINES_BUFFER_SIZE - lines->end;
	return lines->data + lines->end;
}

/* The line that is cut is whole; the stream goes on at `resume`, behind bytes of it that are left. */
static void end_cut(LineBuffer *lines, size_t resume)
{
	lines->cutting = false;
	lines->cut_count++;
	lines->data[cut_end(lines)] = '\n';
	lines->complete = cut_end(lines) + 1;
	lines->ends_early = true;
	lines->resume = resume;
}

void lines_release(LineBuffer *lines)
{
	make_room(lines);
	if (lines->touched < lines->end + RELEASE_MIN)
		return;
	/* Anonymous memory: the pages come back as zeros when they are written. */
	advise(lines, lines->end, MADV_DONTNEED);
	lines->touched = lines->end;
}

/* n more bytes belong to the stream. */
static void add_read(LineBuffer *lines, size_t n)
{
	/* The head grows only as long as nothing is missing in it. */
	if (lines->head_len < MARK_HEAD_MAX && lines_read_offset(lines) == lines->head_len) {
		size_t more = MIN(n, (size_t)MARK_HEAD_MAX - lines->head_len);

		memcpy(lines->head + lines->head_len, lines->data + lines->end, more);
		lines->head_len += (uint32_t)more;
	}
	lines->end += n;
}

void lines_filled(LineBuffer *lines, size_t n)
{
	const char *from = lines->data + lines->end, *newline;

	add_read(lines, n);
	lines->touched = MAX(lines->touched, lines->end);
	if (lines->cutting) {
		newline = memchr(from, '\n', n);
		if (newline)
			end_cut(lines, (size_t)(newline - lines->data) + 1);
		return;
	}
	newline = memrchr(from, '\n', n);
	if (newline)
		lines->complete = (size_t)(newline - lines->data) + 1;
}

void lines_finish(LineBuffer *lines)
{
	if (lines->ends_early || lines->start == lines->end)
		return;
	if (lines->cutting) {
		end_cut(lines, lines->end);
		return;
	}
	lines->data[lines->end] = '\n';
	lines->complete = lines->end + 1;
	lines->ends_early = true;
	lines->resume = lines->end;
}

Span lines_chunk(const LineBuffer *lines)
{
	return (Span){lines->data + lines->start, lines->complete - lines->start};
}

bool lines_chunk_is_cut(const LineBuffer *lines)
{
	return lines->ends_early && lines->resume > lines->complete;
}

void lines_consume(LineBuffer *lines, size_t n)
{
	const char *newline;

	if (!lines->ends_early || !n) {
		lines->start += n;
		lines->offset += n;
		return;
	}
	lines->offset += lines->resume - lines->start + lines->dropped;
	lines->start = lines->complete = lines->resume;
	lines->dropped = 0;
	lines->ends_early = false;
	newline = memrchr(lines->data + lines->start, '\n', lines->end - lines->start);
	if (newline)
		lines->complete = (size_t)(newline - lines->data) + 1;
}

uint64_t lines_read_offset(const LineBuffer *lines)
{
	return lines->offset + (lines->end - lines->start) + lines->dropped;
}

/* The mark of the offset, which `before` stands before. */
static void make_mark(LineBuffer *lines, uint64_t offset, Span before, FileMark *ret_mark)
{
	FileMark mark = {.offset = offset};

	mark.head_len = (uint32_t)MIN(offset, (uint64_t)lines->head_len);
	if (lines->head_hashed_len != mark.head_len) {
		lines->head_hash = mark_hash(lines->head, mark.head_len);
		lines->head_hashed_len = mark.head_len;
	}
	mark.head_hash = lines->head_hash;
	mark.tail_len = (uint32_t)before.len;
	mark.tail_hash = mark_hash(before.data, before.len);
	*ret_mark = mark;
}

/* Up to MARK_TAIL_MAX bytes that stand before a place in the buffer. */
static Span before_place(const LineBuffer *lines, size_t place)
{
	size_t len = MIN(place - lines->history, (size_t)MARK_TAIL_MAX);

	return (Span){lines->data + place - len, len};
}

Span lines_before_end(const LineBuffer *lines)
{
	return before_place(lines, lines->end);
}

void lines_mark(LineBuffer *lines, size_t n, FileMark *ret_mark)
{
	if (n && lines->ends_early)
		make_mark(lines, lines->offset + (lines->resume - lines->start) + lines->dropped,
			before_place(lines, lines->resume), ret_mark);
	else
		make_mark(
			lines, lines->offset + n, before_place(lines, lines->start + n), ret_mark);
}

void lines_mark_read(LineBuffer *lines, FileMark *ret_mark)
{
	make_mark(lines, lines_read_offset(lines), lines_before_end(lines), ret_mark);
}

void lines_mark_ahead(const LineBuffer *lines, size_t n, FileMark *ret_mark)
{
	LineBuffer ahead = *lines;

	add_read(&ahead, n);
	lines_mark_read(&ahead, ret_mark);
}
