/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Texts from outside as people are to see them: in one line, of known width, and so that different ones look different as far as one look
 * can tell. What shows nothing by itself or changes how other characters are shown (bidirectional controls, zero-width marks, blanks at an
 * end or one behind the other), a control character or a byte that is not UTF-8 is shown as \xHH, as the CSV does with some of them; so is
 * what would be drawn over a character that has four such marks already.
 */

#include "base/strbuf.h"

#define DISPLAY_ALL SIZE_MAX

/*
 * Appends raw bytes for a line of a log: as utf8_append_escaped() (base/utf8.h) does, and besides as \xHH what shows nothing by itself
 * or changes how others are shown. Blanks stay. utf8_append_unescaped() undoes it.
 */
void display_append_escaped(StrBuf *sb, Span raw);

/* How many columns the text takes. */
size_t display_width(Span text);

/*
 * Appends the text, of which "…" replaces the middle where it takes more than so many columns (at least 1). Returns how many it takes.
 * It is still to be escaped for a place where characters such as '<' mean something.
 */
size_t display_append(StrBuf *sb, Span text, size_t columns);
