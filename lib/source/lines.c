/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/lines.h"

int lines_init(LineBuffer *lines)
{
	memset(lines, 0, offsetof(LineBuffer, head));
	/* One byte more: lines_finish() and a cut line add a newline. */
	lines->data = malloc(LINES_BUFFER_SIZE + 1);
	return lines->data ? 0 : -ENOMEM;
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
	lines->adjust = 0;
	lines->cutting = false;
}

char *lines_space(LineBuffer *lines, size_t *ret_size)
{
	size_t keep = MIN(lines->start - lines->history, (size_t)MARK_TAIL_MAX);
	size_t from = lines->start - keep;

	if (from) {
		memmove(lines->data, lines->data + from, lines->end - from);
		lines->history = 0;
		lines->start -= from;
		lines->complete -= from;
		lines->end -= from;
	}
	*ret_size = LINES_BUFFER_SIZE - lines->end;
	return lines->data + lines->end;
}

/* data[end] is where `rest` more bytes of the stream stand; whole lines among them are complete. */
static void take_bytes(LineBuffer *lines, size_t n)
{
	const char *newline = memrchr(lines->data + lines->end, '\n', n);

	lines->end += n;
	if (newline)
		lines->complete = (size_t)(newline - lines->data) + 1;
	if (lines->complete == lines->start && lines->end == LINES_BUFFER_SIZE) {
		size_t kept = lines->start + LINES_LINE_MAX;

		lines->cutting = true;
		lines->adjust = (int64_t)(lines->end - kept);
		lines->end = kept;
	}
}

void lines_filled(LineBuffer *lines, size_t n)
{
	char *from = lines->data + lines->end;
	const char *newline;
	size_t dropped, rest;

	/* The head is kept only as long as nothing is missing in it. */
	if (lines->head_len < MARK_HEAD_MAX && lines_read_offset(lines) == lines->head_len) {
		size_t more = MIN(n, (size_t)MARK_HEAD_MAX - lines->head_len);

		memcpy(lines->head + lines->head_len, from, more);
		lines->head_len += (uint32_t)more;
	}
	if (!lines->cutting) {
		take_bytes(lines, n);
		return;
	}
	newline = memchr(from, '\n', n);
	if (!newline) {
		lines->adjust += (int64_t)n;
		return;
	}
	dropped = (size_t)(newline - from);
	rest = n - dropped - 1;
	lines->adjust += (int64_t)dropped;
	lines->cutting = false;
	lines->cut_count++;
	*from = '\n';
	lines->complete = ++lines->end;
	/* The bytes behind the cut line follow it; they are looked at when it is consumed. */
	memmove(lines->data + lines->end, newline + 1, rest);
	lines->end += rest;
}

void lines_finish(LineBuffer *lines)
{
	if (lines->complete == lines->end && !lines->cutting)
		return;
	if (lines->cutting) {
		lines->cutting = false;
		lines->cut_count++;
	}
	lines->data[lines->end++] = '\n';
	lines->complete = lines->end;
	lines->adjust--;
}

Span lines_chunk(const LineBuffer *lines)
{
	return (Span){lines->data + lines->start, lines->complete - lines->start};
}

void lines_consume(LineBuffer *lines, size_t n)
{
	lines->start += n;
	lines->offset += n;
	if (lines->start == lines->complete && lines->adjust) {
		size_t rest = lines->end - lines->complete;

		lines->offset += (uint64_t)lines->adjust;
		lines->adjust = 0;
		/* What was cut out is missing in the bytes before. */
		lines->history = lines->start;
		lines->end = lines->complete;
		take_bytes(lines, rest);
	}
}

Span lines_before_end(const LineBuffer *lines)
{
	size_t len = MIN(lines->end - lines->history, (size_t)MARK_TAIL_MAX);

	if (lines->cutting)
		len = 0;
	return (Span){lines->data + lines->end - len, len};
}

uint64_t lines_read_offset(const LineBuffer *lines)
{
	return lines->offset + (lines->end - lines->start) + (uint64_t)lines->adjust;
}

void lines_mark(LineBuffer *lines, size_t n, FileMark *ret_mark)
{
	size_t place = lines->start + n, tail = MIN(place - lines->history, (size_t)MARK_TAIL_MAX);

	*ret_mark = (FileMark){.offset = lines->offset + n};
	if (n && place == lines->complete && lines->adjust) {
		ret_mark->offset += (uint64_t)lines->adjust;
		tail = 0;
	}
	if (lines->head_hashed_len != lines->head_len) {
		lines->head_hash = mark_hash(lines->head, lines->head_len);
		lines->head_hashed_len = lines->head_len;
	}
	ret_mark->head_len = lines->head_len;
	ret_mark->head_hash = lines->head_hash;
	ret_mark->tail_len = (uint32_t)tail;
	ret_mark->tail_hash = mark_hash(lines->data + place - tail, tail);
}
