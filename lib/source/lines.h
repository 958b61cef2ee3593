/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whole lines out of a stream of bytes, without copying them one by one. The owner reads into
 * lines_space(), takes lines_chunk() (any number of whole lines), and consumes what is done. A line
 * that does not fit into the buffer is handed out alone, cut to its first LINES_LINE_MAX bytes; the
 * rest is dropped and counted. NULs at the start of such a line are dropped alone: a writer
 * without O_APPEND leaves as many as the file had bytes when it was truncated. The buffer knows the
 * offset of every place in it and keeps enough bytes before the chunk to mark the place (state/mark).
 */

#include "state/mark.h"

#define LINES_LINE_MAX ((size_t)65536)
#define LINES_BUFFER_SIZE ((size_t)512 << 10)

typedef struct LineBuffer {
	char *data;
	size_t history;  /* start of the bytes before `start` that are kept */
	size_t start;    /* of what is not consumed */
	size_t complete; /* end of the last whole line */
	size_t end;      /* of the bytes read */
	size_t touched;  /* end of what was ever filled, since lines_release() */
	uint64_t offset; /* in the stream, of data[start] */
	uint64_t empty;  /* as many bytes at the start of the stream were NULs and were dropped */

	/* A line that does not fit: its first LINES_LINE_MAX bytes, then the last ones read of it. */
	bool cutting;
	uint64_t dropped; /* bytes between the two */
	uint64_t cut_count;

	/* The chunk ends with a newline that the stream does not have there, and is one line. */
	bool ends_early;
	size_t resume; /* where the stream goes on behind the chunk */

	uint32_t head_len;
	uint32_t head_hashed_len;
	uint64_t head_hash;
	char head[MARK_HEAD_MAX];
} LineBuffer;

/* 0 or -ENOMEM. */
int lines_init(LineBuffer *lines);
void lines_done(LineBuffer *lines);

/*
 * A new stream that is read from offset on; head are its first bytes, as many as a mark of the offset
 * needs, history the bytes before offset.
 */
void lines_start(LineBuffer *lines, uint64_t offset, Span head, Span history);

/* Where to read more bytes, and how many fit (never 0). Not while a chunk is unconsumed. */
char *lines_space(LineBuffer *lines, size_t *ret_size);

/*
 * Gives memory behind what is kept back to the system, if it is much: of thousands of buffers only those that are being filled
 * shall be large. Not while a chunk is unconsumed.
 */
void lines_release(LineBuffer *lines);

/* n bytes were read there. */
void lines_filled(LineBuffer *lines, size_t n);

/* The stream has ended: a last line without newline becomes a line. Not while a chunk is unconsumed. */
void lines_finish(LineBuffer *lines);

/* The whole lines that are not consumed, each with its newline; empty when there is none. */
Span lines_chunk(const LineBuffer *lines);

/* The chunk is one line that was cut to LINES_LINE_MAX bytes. */
bool lines_chunk_is_cut(const LineBuffer *lines);

/* The first n bytes of the chunk (ending after a newline) are done. */
void lines_consume(LineBuffer *lines, size_t n);

/* The bytes read that lie before the place where reading goes on: to compare with the file. */
Span lines_before_end(const LineBuffer *lines);

/* Offset at which the next byte will be read. */
uint64_t lines_read_offset(const LineBuffer *lines);

/*
 * Nothing was consumed by which the stream could be known: nothing at all, or NULs, which all files begin with that
 * were truncated under a writer without O_APPEND.
 */
bool lines_at_start(const LineBuffer *lines);

/* The same, and nothing but NULs was read either. */
bool lines_hold_nothing(const LineBuffer *lines);

/* The place n bytes into the chunk: what a mark says of the stream (not which file, nor when). */
void lines_mark(LineBuffer *lines, size_t n, FileMark *ret_mark);

/* The same of the place where reading goes on. Not while a chunk is unconsumed. */
void lines_mark_read(LineBuffer *lines, FileMark *ret_mark);

/* What lines_mark_read() would be after lines_filled(n). */
void lines_mark_ahead(const LineBuffer *lines, size_t n, FileMark *ret_mark);
