/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/mime.h"

#include "base/utf8.h"

#define WORD_MAX 75 /* of an encoded word (RFC 2047, 2) */
#define BASE64_LINE ((size_t)57)
#define REPLACEMENT "\xef\xbf\xbd"

static const char hex[] = "0123456789ABCDEF";

/* ---- bodies ---------------------------------------------------------------------------------- */

/* The length of the character at the start of text; a byte that is none counts as one. */
static size_t char_length(Span text)
{
	uint32_t cp;
	size_t n = utf8_decode(text.data, text.len, &cp);

	return n ? n : 1;
}

static void append_hex(StrBuf *sb, char escape, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		strbuf_append(sb, (char[]){escape, hex[byte >> 4], hex[byte & 15]}, 3);
	}
}

/* Whether the character that rest begins with stays as it is, at this column of the output. */
static bool is_plain(Span rest, size_t column)
{
	char c = *rest.data;

	if (c == ' ' || c == '\t')
		return rest.len > 1;
	if (c <= ' ' || c >= 0x7f || c == '=')
		return false;
	return column || (c != '.' && !span_starts_with(rest, "From "));
}

static void append_quoted_line(StrBuf *sb, Span line)
{
	size_t column = 0;

	while (line.len) {
		bool plain = is_plain(line, column);
		size_t n = char_length(line), width = plain ? 1 : 3 * n;

		/* One byte is left for the "=" that joins the lines again. */
		if (column + width > MIME_LINE_MAX - 1) {
			strbuf_append_string(sb, "=\r\n");
			column = 0;
			continue;
		}
		if (plain)
			strbuf_append_char(sb, *line.data);
		else
			append_hex(sb, '=', line.data, n);
		column += width;
		line.data += n;
		line.len -= n;
	}
}

void mime_append_quoted_printable(StrBuf *sb, Span text)
{
	while (text.len) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t n = end ? (size_t)(end - text.data) : text.len;

		append_quoted_line(sb, (Span){text.data, n});
		if (end)
			strbuf_append_string(sb, "\r\n");
		text.data += n + !!end;
		text.len -= n + !!end;
	}
}

/* Up to 57 bytes; returns the end of what it wrote. */
static char *write_base64(char *to, const unsigned char *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; n >= 3; n -= 3, bytes += 3) {
		*to++ = digits[bytes[0] >> 2];
		*to++ = digits[(bytes[0] & 3) << 4 | bytes[1] >> 4];
		*to++ = digits[(bytes[1] & 15) << 2 | bytes[2] >> 6];
		*to++ = digits[bytes[2] & 63];
	}
	if (n) {
		unsigned second = n > 1 ? bytes[1] : 0;

		*to++ = digits[bytes[0] >> 2];
		*to++ = digits[(bytes[0] & 3) << 4 | second >> 4];
		*to++ = n > 1 ? digits[(second & 15) << 2] : '=';
		*to++ = '=';
	}
	return to;
}

void mime_append_base64(StrBuf *sb, Span bytes)
{
	for (size_t at = 0; at < bytes.len; at += BASE64_LINE) {
		char line[MIME_LINE_MAX + 2], *end;

		end = write_base64(line, (const unsigned char *)bytes.data + at,
			MIN(bytes.len - at, BASE64_LINE));
		*end++ = '\r';
		*end++ = '\n';
		strbuf_append(sb, line, (size_t)(end - line));
	}
}

/* ---- headers --------------------------------------------------------------------------------- */

static bool is_safe(uint32_t cp)
{
	return cp >= 0x20 && !(cp >= 0x7f && cp < 0xa0) && !(cp >= 0x2028 && cp <= 0x202e) &&
	       !(cp >= 0x2066 && cp <= 0x2069);
}

static void append_safe(StrBuf *sb, Span text)
{
	while (text.len) {
		uint32_t cp = 0;
		size_t n = utf8_decode(text.data, text.len, &cp);

		if (n && is_safe(cp))
			strbuf_append(sb, text.data, n);
		else
			strbuf_append_string(sb, REPLACEMENT);
		n = MAX(n, (size_t)1);
		text.data += n;
		text.len -= n;
	}
}

static bool is_ascii(Span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] > 0x7e)
			return false;
	return true;
}

/* Whether it can be folded at its blanks and comes back as it was. */
static bool can_be_plain(Span text)
{
	size_t word = 0;

	if (!is_ascii(text) || !text.len || *text.data == ' ' || text.data[text.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == ' ' && !word)
			return false;
		word = text.data[i] == ' ' ? 0 : word + 1;
		if (word > MIME_LINE_MAX / 2)
			return false;
		if (text.data[i] == '=' && i + 1 < text.len && text.data[i + 1] == '?')
			return false;
	}
	return true;
}

static void append_plain(StrBuf *sb, size_t column, Span text)
{
	while (text.len) {
		size_t n = 1;

		/* A word with the blank before it. */
		while (n < text.len && text.data[n] != ' ')
			n++;
		if (*text.data == ' ' && column + n > MIME_LINE_MAX) {
			strbuf_append_string(sb, "\r\n");
			column = 0;
		}
		strbuf_append(sb, text.data, n);
		column += n;
		text.data += n;
		text.len -= n;
	}
}

/* What may stand for itself in an encoded word wherever one may stand (RFC 2047, 5). */
static bool is_q_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!*+-/", c));
}

static size_t q_width(const char *bytes, size_t n)
{
	return n == 1 && (is_q_plain(*bytes) || *bytes == ' ') ? 1 : 3 * n;
}

static void append_word(StrBuf *sb, Span text, bool base64)
{
	strbuf_append_string(sb, base64 ? "=?utf-8?B?" : "=?utf-8?Q?");
	if (base64) {
		char encoded[MIME_LINE_MAX],
			*end = write_base64(encoded, (const unsigned char *)text.data, text.len);

		strbuf_append(sb, encoded, (size_t)(end - encoded));
	}
	for (size_t i = 0; i < text.len && !base64; i++) {
		if (is_q_plain(text.data[i]))
			strbuf_append_char(sb, text.data[i]);
		else if (text.data[i] == ' ')
			strbuf_append_char(sb, '_');
		else
			append_hex(sb, '=', text.data + i, 1);
	}
	strbuf_append_string(sb, "?=");
}

/* No character is cut in two: some readers decode each word by itself. */
static void append_words(StrBuf *sb, size_t column, Span text)
{
	static const size_t frame = sizeof("=?utf-8?Q?"
					   "?=") -
				    1;
	size_t q_total = 0;
	bool base64;

	for (size_t i = 0; i < text.len; i++)
		q_total += q_width(text.data + i, 1);
	base64 = (text.len + 2) / 3 * 4 < q_total;
	while (text.len) {
		/* a first one that is too long for its line goes to the next */
		size_t room = MIN((size_t)MIME_LINE_MAX - MIN(column, (size_t)MIME_LINE_MAX),
			       (size_t)WORD_MAX),
		       n = 0, q = 0;

		while (n < text.len) {
			size_t next = char_length((Span){text.data + n, text.len - n});

			q += q_width(text.data + n, next);
			if (frame + (base64 ? (n + next + 2) / 3 * 4 : q) > room)
				break;
			n += next;
		}
		append_word(sb, (Span){text.data, n}, base64);
		text.data += n;
		text.len -= n;
		column = 1;
		if (text.len)
			strbuf_append_string(sb, "\r\n ");
	}
}

static void append_quoted_string(StrBuf *sb, Span text)
{
	strbuf_append_char(sb, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			strbuf_append_char(sb, '\\');
		strbuf_append_char(sb, text.data[i]);
	}
	strbuf_append_char(sb, '"');
}

void mime_append_header_text(StrBuf *sb, size_t column, Span text, bool as_phrase)
{
	_cleanup_strbuf_ StrBuf clean = STRBUF_INIT;
	Span safe;

	append_safe(&clean, text);
	if (strbuf_error(&clean)) {
		sb->error = strbuf_error(&clean);
		return;
	}
	safe = (Span){strbuf_text(&clean), clean.len};
	if (!can_be_plain(safe) || (as_phrase && safe.len > MIME_LINE_MAX / 2))
		append_words(sb, column, safe);
	else if (as_phrase)
		append_quoted_string(sb, safe);
	else
		append_plain(sb, column, safe);
}

/* In lines of their own where it takes several (RFC 2231, 3 and 4). */
static void append_extended(StrBuf *sb, const char *name, Span value)
{
	static const char charset[] = "utf-8''";
	size_t room = MIME_LINE_MAX - strlen(name) - sizeof(" *00*=;"), n;
	_cleanup_strbuf_ StrBuf encoded = STRBUF_INIT;

	strbuf_append_string(&encoded, charset);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];

		if (is_q_plain(c) && c != '*' && c != '/')
			strbuf_append_char(&encoded, c);
		else
			append_hex(&encoded, '%', &c, 1);
	}
	if (strbuf_error(&encoded)) {
		sb->error = strbuf_error(&encoded);
		return;
	}
	if (encoded.len <= room) {
		strbuf_appendf(sb, ";\r\n %s*=%s", name, encoded.data);
		return;
	}
	for (size_t i = 0, start = 0; start < encoded.len; i++, start += n) {
		n = MIN(encoded.len - start, room);
		/* no escape is cut */
		for (size_t back = 1; back <= 2 && start + n < encoded.len; back++)
			if (encoded.data[start + n - back] == '%')
				n -= back;
		strbuf_appendf(sb, ";\r\n %s*%zu*=%.*s", name, i, (int)n, encoded.data + start);
	}
}

void mime_append_parameter(StrBuf *sb, const char *name, Span value)
{
	_cleanup_strbuf_ StrBuf clean = STRBUF_INIT;
	Span safe;

	append_safe(&clean, value);
	if (strbuf_error(&clean)) {
		sb->error = strbuf_error(&clean);
		return;
	}
	safe = (Span){strbuf_text(&clean), clean.len};
	/* Some read encoded words here, too. */
	if (!is_ascii(safe) || strstr(safe.data, "=?")) {
		append_extended(sb, name, safe);
		return;
	}
	strbuf_appendf(sb, ";\r\n %s=", name);
	append_quoted_string(sb, safe);
}
