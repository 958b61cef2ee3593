/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/strbuf.h"

#include <stdio.h>

void why_set(Why *ret_why, const char *fmt, ...)
{
	va_list ap;

	if (!ret_why)
		return;
	va_start(ap, fmt);
	if (vsnprintf(ret_why->text, sizeof(ret_why->text), fmt, ap) < 0)
		ret_why->text[0] = '\0';
	va_end(ap);
}

void strbuf_done(StrBuf *sb)
{
	free(sb->data);
	*sb = STRBUF_INIT;
}

void strbuf_reset(StrBuf *sb)
{
	sb->len = 0;
	sb->error = 0;
	if (sb->data)
		sb->data[0] = '\0';
}

char *strbuf_reserve(StrBuf *sb, size_t n)
{
	size_t size = sb->size;
	char *data;

	if (sb->error)
		return NULL;
	if (n >= STRBUF_MAX || sb->len + n + 1 > STRBUF_MAX) {
		sb->error = -EFBIG;
		return NULL;
	}
	if (sb->len + n + 1 <= size)
		return sb->data + sb->len;
	if (!size)
		size = 64;
	while (size < sb->len + n + 1)
		size *= 2;
	data = realloc(sb->data, size);
	if (!data) {
		sb->error = -ENOMEM;
		return NULL;
	}
	if (!sb->data)
		data[0] = '\0';
	sb->data = data;
	sb->size = size;
	return sb->data + sb->len;
}

void strbuf_append(StrBuf *sb, const void *data, size_t len)
{
	char *to = strbuf_reserve(sb, len);

	if (!to)
		return;
	if (len)
		memcpy(to, data, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void strbuf_append_string(StrBuf *sb, const char *s)
{
	strbuf_append(sb, s, strlen(s));
}

void strbuf_append_char(StrBuf *sb, char c)
{
	strbuf_append(sb, &c, 1);
}

void strbuf_append_span(StrBuf *sb, Span s)
{
	strbuf_append(sb, s.data, s.len);
}

void strbuf_append_u64(StrBuf *sb, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	strbuf_append(sb, digits + at, sizeof(digits) - at);
}

void strbuf_vappendf(StrBuf *sb, const char *fmt, va_list ap)
{
	va_list again;
	int n;
	char *to;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0) {
		if (!sb->error)
			sb->error = -EINVAL;
		return;
	}
	to = strbuf_reserve(sb, (size_t)n);
	if (!to)
		return;
	(void)vsnprintf(to, (size_t)n + 1, fmt, ap);
	sb->len += (size_t)n;
}

void strbuf_appendf(StrBuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vappendf(sb, fmt, ap);
	va_end(ap);
}

void strbuf_truncate(StrBuf *sb, size_t len)
{
	sb->len = len;
	if (sb->data)
		sb->data[len] = '\0';
}

void strbuf_consume(StrBuf *sb, size_t n)
{
	if (!n)
		return;
	sb->len -= n;
	memmove(sb->data, sb->data + n, sb->len);
	sb->data[sb->len] = '\0';
}

char *strbuf_take(StrBuf *sb)
{
	char *text;

	if (!sb->data && !strbuf_reserve(sb, 0))
		return NULL;
	if (sb->error) {
		strbuf_done(sb);
		return NULL;
	}
	text = sb->data;
	*sb = STRBUF_INIT;
	return text;
}
