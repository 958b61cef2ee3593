/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * HTML as mail clients take it: each element carries its style, since many drop style sheets; one small sheet turns the colours
 * for who prefers them dark, and makes room on narrow screens. Both come from one table of looks.
 */

#include "base/strbuf.h"

typedef enum Look {
	LOOK_PAGE,  /* what is around the card */
	LOOK_CARD,  /* what all is on */
	LOOK_BAND,  /* the head of it */
	LOOK_FAINT, /* text on that */
	LOOK_TEXT,
	LOOK_MUTED,
	LOOK_WORSE, /* numbers that rose */
	LOOK_BETTER,
	LOOK_BAR,
	LOOK_TOP,   /* the longest of the bars */
	LOOK_TRACK, /* behind a bar */
	LOOK_TILE,
	LOOK_RULE,
	LOOK_WARNING,
	LOOK_FINE, /* there are none */
} Look;

/* <tag class="..." style="...">, the look's style and then what else is given. */
void markup_open(StrBuf *sb, const char *tag, Look look, const char *style);

/* Escaped, and cut to columns as display_append() does; also for what stands in an attribute in double quotes. */
void markup_append_value(StrBuf *sb, Span text, size_t columns);

/* The same for text, with <wbr> behind what clients look for when they make links of names. */
void markup_append_text(StrBuf *sb, Span text, size_t columns);

/* "1,234" */
void markup_append_number(StrBuf *sb, uint64_t value);

/* A bar that is so much of the room's width, 0 to 1. */
void markup_append_bar(StrBuf *sb, Look look, double part);

/* The style sheet's text. */
void markup_append_sheet(StrBuf *sb);
