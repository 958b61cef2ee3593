/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What holds of every page that a report makes, whatever its facts are. */

#include <stdio.h>

#include "base/utf8.h"
#include "report/display.h"
#include "report/glyph.h"
#include "report/text.h"

/* What is wrong with a page in plain text; NULL: nothing. */
__attribute__((unused)) static const char *page_text_fault(Span page)
{
	static char fault[200];
	unsigned line = 1;

	for (size_t at = 0; at < page.len; line++) {
		const char *end = memchr(page.data + at, '\n', page.len - at);
		Span text = {page.data + at, end ? (size_t)(end - page.data) - at : 0};
		size_t columns = 0;

		if (!end)
			return "its last line has no end";
		for (size_t i = 0, n; i < text.len; i += n) {
			uint32_t cp;

			n = utf8_decode(text.data + i, text.len - i, &cp);
			if (!n || glyph_width(cp) == GLYPH_NONE) {
				(void)snprintf(fault, sizeof(fault), "line %u: byte %02x", line,
					(unsigned char)text.data[i]);
				return fault;
			}
			columns += (size_t)glyph_width(cp);
		}
		if (columns > REPORT_TEXT_COLUMNS) {
			(void)snprintf(fault, sizeof(fault), "line %u: %zu columns", line, columns);
			return fault;
		}
		if (text.len && text.data[text.len - 1] == ' ') {
			(void)snprintf(fault, sizeof(fault), "line %u: a blank at its end", line);
			return fault;
		}
		at += text.len + 1;
	}
	return NULL;
}

static bool page_is_one_of(Span word, const char *const *words)
{
	for (; *words; words++)
		if (span_equal_string(word, *words))
			return true;
	return false;
}

static size_t page_name_length(Span text)
{
	size_t n = 0;

	while (n < text.len &&
		((text.data[n] >= 'a' && text.data[n] <= 'z') ||
			(n && (text.data[n] == '-' ||
				      (text.data[n] >= '0' && text.data[n] <= '9')))))
		n++;
	return n;
}

/* The length of the tag that text begins with, and its name; 0: it is none that a report may have. */
static size_t page_tag(Span text, Span *ret_name, bool *ret_closes)
{
	static const char *const names[] = {"html", "head", "meta", "title", "style", "body", "div",
		"table", "tr", "td", "h1", "h2", "span", "b", "br", "wbr", "bdi", NULL};
	static const char *const attributes[] = {"lang", "charset", "name", "content", "http-equiv",
		"class", "style", "role", "title", "colspan", NULL};
	size_t at = 1;

	*ret_closes = at < text.len && text.data[at] == '/';
	at += *ret_closes;
	*ret_name = (Span){text.data + at, 0};
	ret_name->len = page_name_length((Span){text.data + at, text.len - at});
	if (!page_is_one_of(*ret_name, names))
		return 0;
	at += ret_name->len;
	while (!*ret_closes && at < text.len && text.data[at] == ' ') {
		Span name = {text.data + at + 1, 0}, value;
		const char *quote;

		at++;
		name.len = page_name_length((Span){text.data + at, text.len - at});
		at += name.len;
		if (!page_is_one_of(name, attributes) || text.len - at < 2 ||
			memcmp(text.data + at, "=\"", 2) != 0)
			return 0;
		at += 2;
		quote = memchr(text.data + at, '"', text.len - at);
		if (!quote)
			return 0;
		value = (Span){text.data + at, (size_t)(quote - text.data) - at};
		if (memchr(value.data, '<', value.len) || memchr(value.data, '>', value.len) ||
			memmem(value.data, value.len, "url(", 4) ||
			memmem(value.data, value.len, "//", 2))
			return 0;
		at += value.len + 1;
	}
	return at < text.len && text.data[at] == '>' ? at + 1 : 0;
}

static size_t page_entity(Span text)
{
	static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&nbsp;",
		"&middot;", "&ndash;", "&emsp;", "&#9650;", "&#9660;", NULL};

	for (size_t i = 0; entities[i]; i++)
		if (span_starts_with(text, entities[i]))
			return strlen(entities[i]);
	return 0;
}

#define PAGE_DEPTH_MAX 64

/* What is wrong with a page of HTML: a tag or an attribute that a report does not use, one that is not closed, a stray character. */
__attribute__((unused)) static const char *page_html_fault(Span page)
{
	static const char *const alone[] = {"meta", "br", "wbr", NULL};
	static char fault[200];
	Span open[PAGE_DEPTH_MAX];
	size_t depth = 0;

	for (size_t at = 0, n; at < page.len; at += n) {
		Span rest = {page.data + at, page.len - at}, name;
		bool closes;
		uint32_t cp;

		n = utf8_decode(rest.data, rest.len, &cp);
		if (!n || (cp != '\n' && glyph_width(cp) == GLYPH_NONE) || cp == '>')
			goto fault;
		if (cp == '&' && !(n = page_entity(rest)))
			goto fault;
		if (cp != '<')
			continue;
		/* For Outlook alone; others take it for a comment. Nothing from outside is in one. */
		if (span_starts_with(rest, "<!--[if mso]>")) {
			const char *end = memmem(rest.data, rest.len, "<![endif]-->", 12);

			if (!end)
				goto fault;
			n = (size_t)(end - rest.data) + 12;
			continue;
		}
		if (span_starts_with(rest, "<!DOCTYPE html>")) {
			n = strlen("<!DOCTYPE html>");
			continue;
		}
		n = page_tag(rest, &name, &closes);
		if (!n)
			goto fault;
		if (page_is_one_of(name, alone))
			continue;
		if (!closes && depth < PAGE_DEPTH_MAX)
			open[depth++] = name;
		else if (!closes || !depth || !span_equal(name, open[--depth]))
			goto fault;
		continue;
	fault:
		(void)snprintf(fault, sizeof(fault), "at byte %zu: %.80s", at, page.data + at);
		return fault;
	}
	return depth ? "a tag is not closed" : NULL;
}
