/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A growing byte buffer, always NUL-terminated behind len. Appending never fails at the spot: the
 * first failed allocation sets error, later appends do nothing, and the one check at the end
 * (strbuf_error) says whether all of it is there. The memory is the StrBuf's own; start it with
 * STRBUF_INIT, end it with strbuf_done or _cleanup_strbuf_. Growth is by doubling; the limit is
 * STRBUF_MAX bytes (then error is -EFBIG).
 */

#include <stdarg.h>

#include "base/base.h"

#define STRBUF_MAX ((size_t)1 << 30)

typedef struct StrBuf {
	char *data; /* NULL until the first append; then NUL-terminated */
	size_t len;
	size_t size;
	int error; /* 0 or -errno, sticky */
} StrBuf;

#define STRBUF_INIT ((StrBuf){NULL, 0, 0, 0})

void strbuf_done(StrBuf *sb);
#define _cleanup_strbuf_ _cleanup_(strbuf_done)

/* Empties it and forgets an error; keeps the memory for the next use. */
void strbuf_reset(StrBuf *sb);

/* Room for n more bytes, or NULL (error is set). Write at the returned place, then add to len. */
char *strbuf_reserve(StrBuf *sb, size_t n);

void strbuf_append(StrBuf *sb, const void *data, size_t len);
void strbuf_append_string(StrBuf *sb, const char *s);
void strbuf_append_char(StrBuf *sb, char c);
void strbuf_append_span(StrBuf *sb, Span s);
void strbuf_append_u64(StrBuf *sb, uint64_t value);
void strbuf_appendf(StrBuf *sb, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_vappendf(StrBuf *sb, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* Keeps the first len bytes alone; there are as many. */
void strbuf_truncate(StrBuf *sb, size_t len);

/* Removes the first n bytes (n <= len). */
void strbuf_consume(StrBuf *sb, size_t n);

/* 0, or the -errno of the first append that failed. */
static inline int strbuf_error(const StrBuf *sb)
{
	return sb->error;
}

/* The text, "" when empty; borrowed until the next append. */
static inline const char *strbuf_text(const StrBuf *sb)
{
	return sb->data ? sb->data : "";
}

/* The text as heap memory that the caller frees; NULL when an append had failed. Empties sb. */
char *strbuf_take(StrBuf *sb);
