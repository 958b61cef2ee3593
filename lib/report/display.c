/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/display.h"

#include "base/utf8.h"
#include "report/glyph.h"

#define ELLIPSIS "\xe2\x80\xa6"
#define MARKS_MAX 4 /* Vietnamese, Hebrew and Thai need three at most */

/* What is shown or left out as a whole. */
typedef struct Cell {
	Span bytes;
	size_t width;
	bool hex; /* they are shown as \xHH */
} Cell;

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static Cell hex_cell(const char *p, size_t len)
{
	return (Cell){{p, len}, 4 * len, true};
}

/* A blank is one of the text's own only between two others. */
static bool is_plain_blank(Span text, size_t at)
{
	return at && at + 1 < text.len && text.data[at - 1] != ' ';
}

/* The cell at `at`, which is before the text's end. */
static Cell cell_at(Span text, size_t at)
{
	const char *p = text.data + at;
	size_t len = text.len - at, n, end;
	uint32_t cp;
	int width;

	if (len >= 4 && p[0] == '\\' && p[1] == 'x' && is_hex(p[2]) && is_hex(p[3]))
		return (Cell){{p, 4}, 4, false};
	n = utf8_decode(p, len, &cp);
	if (!n)
		return hex_cell(p, 1);
	width = glyph_width(cp);
	if (width <= 0 || (cp == ' ' && !is_plain_blank(text, at)))
		return hex_cell(p, n);
	end = n;
	for (int marks = 0; marks < MARKS_MAX && end < len && cp != ' '; marks++) {
		size_t more = utf8_decode(p + end, len - end, &cp);

		if (!more || glyph_width(cp))
			break;
		end += more;
	}
	return (Cell){{p, end}, (size_t)width, false};
}

static void append_cell(StrBuf *sb, Cell cell)
{
	if (!cell.hex) {
		strbuf_append_span(sb, cell.bytes);
		return;
	}
	for (size_t i = 0; i < cell.bytes.len; i++)
		strbuf_appendf(sb, "\\x%02x", (unsigned char)cell.bytes.data[i]);
}

void display_append_escaped(StrBuf *sb, Span raw)
{
	size_t from = 0, at = 0, n;
	uint32_t cp;

	while (at < raw.len) {
		at += utf8_plain_prefix(raw.data + at, raw.len - at);
		if (at == raw.len)
			break;
		n = utf8_decode(raw.data + at, raw.len - at, &cp);
		/* The others are escaped by what takes the text between. */
		if (n > 1 && glyph_width(cp) == GLYPH_NONE) {
			utf8_append_escaped(sb, (Span){raw.data + from, at - from});
			append_cell(sb, hex_cell(raw.data + at, n));
			from = at + n;
		}
		at += MAX(n, (size_t)1);
	}
	utf8_append_escaped(sb, (Span){raw.data + from, raw.len - from});
}

size_t display_width(Span text)
{
	size_t width = 0;

	for (size_t at = 0; at < text.len;) {
		Cell cell = cell_at(text, at);

		width += cell.width;
		at += cell.bytes.len;
	}
	return width;
}

size_t display_append(StrBuf *sb, Span text, size_t columns)
{
	size_t width = display_width(text), head = width, tail = 0, at = 0, shown = 0;

	if (width > columns) {
		tail = (columns - 1) / 2;
		head = columns - 1 - tail;
	}
	while (at < text.len) {
		Cell cell = cell_at(text, at);

		if (shown + cell.width > head)
			break;
		append_cell(sb, cell);
		shown += cell.width;
		at += cell.bytes.len;
	}
	if (at == text.len)
		return shown;
	strbuf_append_string(sb, ELLIPSIS);
	for (size_t left = width - shown; at < text.len;) {
		Cell cell = cell_at(text, at);

		if (left <= tail) {
			append_cell(sb, cell);
			shown += cell.width;
		}
		left -= cell.width;
		at += cell.bytes.len;
	}
	return shown + 1;
}
