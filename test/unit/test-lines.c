/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/lines.h"

#include "base/strbuf.h"
#include "random.h"
#include "scratch.h"
#include "tap.h"

/*
 * A stream is read in random steps and consumed line by line or in heaps; what the buffer says is compared with what
 * the stream itself says at each line's end.
 */
typedef struct Stream {
	StrBuf bytes;
	uint64_t at;   /* read up to here */
	uint64_t done; /* consumed up to here */
	uint64_t cuts, nuls;
	const char *wrong;
	uint64_t wrong_at;
} Stream;

static void expect(Stream *stream, bool ok, const char *what)
{
	if (ok || stream->wrong)
		return;
	stream->wrong = what;
	stream->wrong_at = stream->done;
}

/* The line at offset, with its newline if it has one. */
static Span line_at(const Stream *stream, uint64_t offset)
{
	const char *start = stream->bytes.data + offset;
	size_t rest = stream->bytes.len - offset;
	const char *newline = memchr(start, '\n', rest);

	return (Span){start, newline ? (size_t)(newline - start) + 1 : rest};
}

/* The mark of the place n bytes into the chunk, or (SIZE_MAX) where reading goes on. */
static void check_mark(Stream *stream, LineBuffer *lines, size_t n, uint64_t offset)
{
	uint64_t head = MIN(offset, (uint64_t)MARK_HEAD_MAX);
	uint64_t tail = MIN(offset, (uint64_t)MARK_TAIL_MAX);
	FileMark mark;

	if (n == SIZE_MAX)
		lines_mark_read(lines, &mark);
	else
		lines_mark(lines, n, &mark);
	expect(stream, mark.offset == offset, "offset of the mark");
	expect(stream, mark.head_len == head && mark.tail_len == tail, "lengths of the mark");
	expect(stream, mark.head_hash == mark_hash(stream->bytes.data, head), "head of the mark");
	expect(stream, mark.tail_hash == mark_hash(stream->bytes.data + offset - tail, tail),
		"tail of the mark");
}

/* Where the stream is when `line`, which starts at done, has been handed out as `out` bytes, checked; 0 when it is wrong. */
static uint64_t check_line(Stream *stream, const LineBuffer *lines, Span chunk, size_t *ret_out)
{
	Span line = line_at(stream, stream->done);
	bool ended = line.data[line.len - 1] == '\n';

	if (lines_chunk_is_cut(lines)) {
		size_t nuls = 0;

		/* NULs that do not fit were left out before the line was cut. */
		expect(stream, line.len + !ended > LINES_BUFFER_SIZE - MARK_TAIL_MAX,
			"cut needlessly");
		while (nuls < line.len && !line.data[nuls])
			nuls++;
		stream->cuts++;
		expect(stream,
			chunk.len == LINES_LINE_MAX + 1 && chunk.data[LINES_LINE_MAX] == '\n' &&
				line.len - nuls > LINES_LINE_MAX &&
				!memcmp(chunk.data, line.data + nuls, LINES_LINE_MAX),
			"a cut line");
		*ret_out = chunk.len;
		return stream->done + line.len;
	}
	*ret_out = line.len + !ended;
	expect(stream,
		*ret_out <= chunk.len && !memcmp(chunk.data, line.data, line.len) &&
			chunk.data[*ret_out - 1] == '\n',
		"a line");
	return stream->done + line.len;
}

/* Checks every line of the chunk, and consumes it or only some of its lines. */
static void take_chunk(Stream *stream, LineBuffer *lines, Random *random)
{
	Span chunk = lines_chunk(lines);
	bool some = !random_below(random, 4);
	size_t n = 0;

	check_mark(stream, lines, 0, stream->done);
	while (n < chunk.len && !stream->wrong) {
		uint64_t before = stream->done, offset;
		size_t out = 0;

		if (some && n && !random_below(random, 3))
			break;
		/* What was left out without a trace: NULs before a line that does not fit. */
		offset = check_line(stream, lines, (Span){chunk.data + n, chunk.len - n}, &out);
		if (stream->wrong)
			break;
		n += out;
		stream->done = offset;
		check_mark(stream, lines, n, offset);
		expect(stream, offset > before, "progress");
	}
	if (!stream->wrong)
		lines_consume(lines, n);
}

/* NULs that were left out so far belong to the line that comes. */
static void skip_nuls(Stream *stream, const LineBuffer *lines)
{
	while (stream->done < lines->offset && !stream->bytes.data[stream->done]) {
		stream->done++;
		stream->nuls++;
	}
}

static void run(Stream *stream, LineBuffer *lines, Random *random, uint32_t step)
{
	while (!stream->wrong) {
		size_t size, n, some;
		char *space;
		Span before;

		if (lines_chunk(lines).len) {
			take_chunk(stream, lines, random);
			continue;
		}
		space = lines_space(lines, &size);
		skip_nuls(stream, lines);
		expect(stream, size > 0, "room");
		expect(stream, lines_read_offset(lines) == stream->at, "read offset");
		before = lines_before_end(lines);
		expect(stream, before.len == MIN(stream->at, (uint64_t)MARK_TAIL_MAX),
			"length of the bytes before");
		expect(stream,
			!memcmp(before.data, stream->bytes.data + stream->at - before.len,
				before.len),
			"the bytes before");
		check_mark(stream, lines, 0, stream->done);
		check_mark(stream, lines, SIZE_MAX, stream->at);
		if (stream->wrong)
			return;
		if (stream->at == stream->bytes.len) {
			lines_finish(lines);
			if (!lines_chunk(lines).len)
				break;
			continue;
		}
		n = MIN(size, stream->bytes.len - stream->at);
		some = 1 + random_below(random, step);
		n = MIN(n, some);
		memcpy(space, stream->bytes.data + stream->at, n);
		lines_filled(lines, n);
		stream->at += n;
		expect(stream, lines_read_offset(lines) == stream->at, "read offset behind");
	}
	expect(stream, stream->done == stream->bytes.len, "the end");
	expect(stream, lines->cut_count == stream->cuts, "count of cut lines");
}

/* Reads the stream from offset on. True when all was right. */
static bool check(
	const StrBuf *bytes, uint64_t offset, Random *random, uint32_t step, uint64_t *ret_cuts)
{
	Stream stream = {.bytes = *bytes, .at = offset, .done = offset};
	LineBuffer lines;

	MUST(!lines_init(&lines));
	lines_start(&lines, offset, (Span){bytes->data, MIN(offset, (uint64_t)MARK_HEAD_MAX)},
		(Span){bytes->data, offset});
	run(&stream, &lines, random, step);
	lines_done(&lines);
	if (stream.wrong)
		tap_note("%s, at byte %" PRIu64 " of %zu, from %" PRIu64 ", steps up to %u",
			stream.wrong, stream.wrong_at, bytes->len, offset, step);
	if (ret_cuts)
		*ret_cuts += stream.cuts;
	return !stream.wrong;
}

static void append_line(StrBuf *sb, Random *random, size_t len)
{
	char *to = strbuf_reserve(sb, len + 2);
	uint32_t kind = random_below(random, 16);

	MUST(to);
	for (size_t i = 0; i < len; i++) {
		char c = (char)(random_next(random) >> 56);

		to[i] = c == '\n' ? ' ' : c;
	}
	if (kind == 0)
		memset(to, 0, len);
	else if (kind == 1)
		memset(to, 0, len / 2);
	else if (kind == 2)
		to[len++] = '\r';
	to[len++] = '\n';
	sb->len += len;
}

static const uint32_t steps[] = {1, 100, 5000, LINES_BUFFER_SIZE, 4 * LINES_BUFFER_SIZE};

static void test_small(Random *random, unsigned runs)
{
	_cleanup_strbuf_ StrBuf bytes = STRBUF_INIT;
	bool ok = true;

	for (unsigned i = 0; i < runs && ok; i++) {
		uint32_t count = random_below(random, 30), longest = 1 + random_below(random, 900);

		strbuf_reset(&bytes);
		(void)strbuf_reserve(&bytes, 1);
		for (uint32_t n = 0; n < count; n++)
			append_line(&bytes, random, random_below(random, longest));
		if (bytes.len && random_below(random, 2))
			bytes.len--;
		ok = check(&bytes, 0, random, steps[random_below(random, 3)], NULL);
	}
	tap_ok(ok, "%u streams of short lines", runs);
}

static void test_large(Random *random, unsigned runs)
{
	_cleanup_strbuf_ StrBuf bytes = STRBUF_INIT;
	uint64_t cuts = 0;
	bool ok = true;

	for (unsigned i = 0; i < runs && ok; i++) {
		uint32_t count = 1 + random_below(random, 6);

		strbuf_reset(&bytes);
		for (uint32_t n = 0; n < count; n++) {
			static const uint32_t limits[] = {10, 300, 5000, 80000, 700 << 10};
			uint32_t limit = limits[random_below(random, ARRAY_SIZE(limits))];

			append_line(&bytes, random, random_below(random, limit));
		}
		/* However few streams there are, one has a line that does not fit. */
		if (!i)
			append_line(&bytes, random, (uint32_t)(LINES_BUFFER_SIZE + 1000));
		if (random_below(random, 2))
			bytes.len--;
		ok = check(&bytes, 0, random, steps[1 + random_below(random, 4)], &cuts);
	}
	tap_ok(ok, "%u streams of lines up to 700 KiB", runs);
	tap_ok(cuts > 0, "some of them were cut");
}

/* A short line before one that fills the buffer, to the byte: where the room is tightest. */
static void test_borders(Random *random)
{
	_cleanup_strbuf_ StrBuf bytes = STRBUF_INIT;
	bool ok = true;

	for (size_t first = 0; first <= 520; first += first < 250 || first > 260 ? 65 : 1) {
		for (int more = -3; more <= 3 && ok; more++) {
			for (int newline = 0; newline < 2 && ok; newline++) {
				strbuf_reset(&bytes);
				if (first)
					append_line(&bytes, random, first);
				append_line(&bytes, random,
					(size_t)((int)(LINES_BUFFER_SIZE - MIN(first, 256)) +
						 more));
				bytes.len -= newline ? 0 : 1;
				ok = check(&bytes, 0, random, steps[4], NULL);
			}
		}
	}
	tap_ok(ok, "a short line, then one that just fills the buffer");
}

/* What a writer without O_APPEND leaves when the file was truncated: as many NULs as it had bytes. */
static void test_nuls(Random *random)
{
	_cleanup_strbuf_ StrBuf bytes = STRBUF_INIT;
	LineBuffer lines;
	bool ok = true;
	size_t size;
	char *space;

	for (int i = 0; i < 6 && ok; i++) {
		size_t nuls = (size_t)(1 + random_below(random, 3 << 20));
		char *to;

		strbuf_reset(&bytes);
		if (i % 2)
			append_line(&bytes, random, 200);
		to = strbuf_reserve(&bytes, nuls);
		memset(to, 0, nuls);
		bytes.len += nuls;
		strbuf_append_string(&bytes, "the first line\n");
		append_line(&bytes, random, 100);
		ok = check(&bytes, 0, random, steps[3 + i % 2], NULL);
	}
	tap_ok(ok, "megabytes of NULs");
	MUST(!lines_init(&lines));
	lines_start(&lines, 0, SPAN_MISSING, SPAN_MISSING);
	for (int i = 0; i < 20; i++) {
		space = lines_space(&lines, &size);
		memset(space, 0, size);
		lines_filled(&lines, size);
	}
	space = lines_space(&lines, &size);
	memcpy(space, "line\n", 5);
	lines_filled(&lines, 5);
	tap_ok(!lines_chunk_is_cut(&lines) && lines_chunk(&lines).len < LINES_BUFFER_SIZE &&
			!memcmp(lines.data + lines.complete - 5, "line\n", 5),
		"the line behind them is not cut");
	lines_done(&lines);
}

static void test_resume(Random *random)
{
	_cleanup_strbuf_ StrBuf bytes = STRBUF_INIT;
	bool ok = true;

	while (bytes.len < 6000)
		append_line(&bytes, random, random_below(random, 200));
	for (uint64_t offset = 0; offset <= bytes.len && ok; offset += 1)
		ok = check(&bytes, offset, random, 3000, NULL);
	tap_ok(ok, "a stream that is taken up at each of its %zu bytes", bytes.len);
}

static void test_empty(void)
{
	LineBuffer lines;
	FileMark mark;

	MUST(!lines_init(&lines));
	lines_start(&lines, 0, SPAN_MISSING, SPAN_MISSING);
	lines_finish(&lines);
	tap_ok(!lines_chunk(&lines).len, "nothing has no last line");
	lines_mark(&lines, 0, &mark);
	tap_ok(!mark.offset && !mark.head_len && !mark.tail_len, "and its mark is empty");
	lines_done(&lines);
}

int main(void)
{
	bool small = getenv("MLS_TEST_SMALL");
	Random random = random_seeded();

	test_empty();
	test_small(&random, small ? 20 : 1000);
	test_large(&random, small ? 5 : 100);
	test_borders(&random);
	test_nuls(&random);
	test_resume(&random);
	return tap_done();
}
