/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The buffer that cuts a stream into lines, driven by a program of three bytes a step against the stream as a whole: what is
 * read, taken and marked must be what stands there.
 */

#include "fuzz.h"

#include "source/lines.h"

#define STREAM_MAX (3 * LINES_BUFFER_SIZE)
#define NEWLINES_MAX ((size_t)4096) /* at once: each is a line to look at */

typedef struct Model {
	LineBuffer lines;
	char *stream;
	size_t len;  /* of the stream as far as it is written */
	size_t read; /* as far as it was read */
	size_t done; /* consumed */
} Model;

static void check_mark(const Model *m, const FileMark *mark, size_t place)
{
	size_t head = MIN(place, (size_t)MARK_HEAD_MAX);

	HOLDS(mark->offset == place && mark->head_len <= head && mark->tail_len <= MARK_TAIL_MAX);
	HOLDS(mark->tail_len == MIN(place, (size_t)MARK_TAIL_MAX) || mark->tail_len <= place);
	HOLDS(mark->head_hash == mark_hash(m->stream, mark->head_len));
	HOLDS(mark->tail_hash == mark_hash(m->stream + place - mark->tail_len, mark->tail_len));
}

/* Where the line that starts at `from` ends: behind its newline, or the stream's end. */
static size_t line_end(const Model *m, size_t from)
{
	const char *newline = memchr(m->stream + from, '\n', m->read - from);

	return newline ? (size_t)(newline - m->stream) + 1 : m->read;
}

/* One line of the chunk, or all of it. */
static void take(Model *m, bool all)
{
	Span chunk = lines_chunk(&m->lines);
	bool cut = lines_chunk_is_cut(&m->lines);
	size_t n = 0, place;
	FileMark mark;

	if (!chunk.len)
		return;
	HOLDS(chunk.data[chunk.len - 1] == '\n');
	/* Only NULs that a truncation left are dropped, before a line that would not fit with them. */
	for (; m->done < m->lines.offset; m->done++)
		HOLDS(!m->stream[m->done]);
	HOLDS(m->done == m->lines.offset);
	do {
		const char *newline = memchr(chunk.data + n, '\n', chunk.len - n);
		size_t line = (size_t)(newline - chunk.data) + 1 - n;
		size_t end = line_end(m, m->done);

		HOLDS(!memcmp(m->stream + m->done, chunk.data + n, line - 1));
		if (cut)
			HOLDS(line == LINES_LINE_MAX + 1 && end - m->done > LINES_LINE_MAX);
		else
			HOLDS(m->done + line == end ||
				(end == m->read && m->done + line == end + 1));
		m->done = end;
		n += line;
	} while (all && n < chunk.len);
	place = m->done;
	lines_mark(&m->lines, n, &mark);
	check_mark(m, &mark, place);
	lines_consume(&m->lines, n);
	HOLDS(lines_read_offset(&m->lines) == m->read);
}

static void read_more(Model *m, size_t n)
{
	size_t space, more;
	char *to;

	while (lines_chunk(&m->lines).len)
		take(m, true);
	to = lines_space(&m->lines, &space);
	HOLDS(space);
	more = MIN(MIN(space, n), m->len - m->read);
	memcpy(to, m->stream + m->read, more);
	m->read += more;
	lines_filled(&m->lines, more);
	HOLDS(lines_read_offset(&m->lines) == m->read);
}

static void finish(Model *m)
{
	FileMark mark;

	while (lines_chunk(&m->lines).len)
		take(m, true);
	lines_mark_read(&m->lines, &mark);
	check_mark(m, &mark, m->read);
	lines_finish(&m->lines);
}

static void write_more(Model *m, unsigned what, size_t n)
{
	static const char bytes[] = {'x', '\n', '\0', 'y'};

	n = MIN(bytes[what] == '\n' ? MIN(n, NEWLINES_MAX) : n, STREAM_MAX - m->len);
	memset(m->stream + m->len, bytes[what], n);
	m->len += n;
}

FUZZ_TARGET(lines)
{
	static char *stream;
	FuzzInput input = {data, size};
	Model m = {0};

	if (!stream)
		stream = malloc(STREAM_MAX + 1);
	HOLDS(stream && !lines_init(&m.lines));
	m.stream = stream;
	lines_start(&m.lines, 0, SPAN_MISSING, SPAN_MISSING);
	while (input.size) {
		unsigned what = (unsigned)fuzz_take(&input, 1);
		size_t n = (size_t)fuzz_take(&input, 2);

		switch (what % 8) {
		case 0:
		case 1:
		case 2: write_more(&m, what % 8, n << (what >> 5 & 3)); break;
		case 3: write_more(&m, 1, 1); break;
		case 4: read_more(&m, n << (what >> 5 & 3)); break;
		case 5: take(&m, false); break;
		case 6: take(&m, true); break;
		case 7: finish(&m); break;
		}
	}
	read_more(&m, STREAM_MAX);
	finish(&m);
	while (lines_chunk(&m.lines).len)
		take(&m, true);
	lines_done(&m.lines);
	return 0;
}
