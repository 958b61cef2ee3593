/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/utf8.h"

size_t utf8_decode(const char *p, size_t len, uint32_t *ret_code_point)
{
	const unsigned char *u = (const unsigned char *)p;
	uint32_t cp, min;
	size_t n, i;

	if (u[0] < 0x80) {
		*ret_code_point = u[0];
		return 1;
	}
	if (u[0] >= 0xc2 && u[0] <= 0xdf) {
		n = 2, cp = u[0] & 0x1f, min = 0x80;
	} else if ((u[0] & 0xf0) == 0xe0) {
		n = 3, cp = u[0] & 0x0f, min = 0x800;
	} else if (u[0] >= 0xf0 && u[0] <= 0xf4) {
		n = 4, cp = u[0] & 0x07, min = 0x10000;
	} else {
		return 0;
	}
	if (len < n)
		return 0;
	for (i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (u[i] & 0x3f);
	}
	if (cp < min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*ret_code_point = cp;
	return n;
}

/* Of 8 bytes at once, whether one of them is none: the top bit of each that is below 0x20, above 0x7e or a backslash. */
static bool has_other(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101ULL, tops = 0x80 * ones;
	uint64_t backslash = word ^ '\\' * ones;

	/* A borrow can only mark bytes above one that is marked with reason. */
	return ((word - 0x20 * ones) | (word + ones) | word | ((backslash - ones) & ~backslash)) &
	       tops;
}

size_t utf8_plain_prefix(const char *p, size_t len)
{
	size_t i = 0;
	uint64_t word;

	for (; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		if (has_other(word))
			break;
	}
	for (; i < len; i++)
		if ((unsigned char)p[i] < 0x20 || (unsigned char)p[i] > 0x7e || p[i] == '\\')
			break;
	return i;
}

static void append_hex(StrBuf *sb, const char *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		char text[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};

		strbuf_append(sb, text, sizeof(text));
	}
}

void utf8_append_escaped(StrBuf *sb, Span s)
{
	const char *p = s.data, *end = s.data + s.len;

	while (p < end) {
		size_t n = utf8_plain_prefix(p, (size_t)(end - p));
		uint32_t cp;

		strbuf_append(sb, p, n);
		p += n;
		if (p == end)
			break;
		n = utf8_decode(p, (size_t)(end - p), &cp);
		if (!n) {
			append_hex(sb, p, 1);
			p++;
			continue;
		}
		if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) ||
			(cp == '\\' && p + 1 < end && p[1] == 'x'))
			append_hex(sb, p, n);
		else
			strbuf_append(sb, p, n);
		p += n;
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void utf8_append_unescaped(StrBuf *sb, Span s)
{
	size_t i = 0;

	while (i < s.len) {
		if (s.data[i] == '\\' && s.len - i >= 4 && s.data[i + 1] == 'x') {
			int hi = hex_value(s.data[i + 2]), lo = hex_value(s.data[i + 3]);

			if (hi >= 0 && lo >= 0) {
				strbuf_append_char(sb, (char)(hi << 4 | lo));
				i += 4;
				continue;
			}
		}
		strbuf_append_char(sb, s.data[i++]);
	}
}
