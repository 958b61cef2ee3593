/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/markup.h"

#include "report/display.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	const char *name, *light, *dark;
} looks[] = {
	[LOOK_PAGE] = {"page", "background:#eceff4", "background:#0b0f15"},
	[LOOK_CARD] = {"card", "background:#ffffff", "background:#151b23"},
	[LOOK_BAND] = {"band", "background:#17233c;color:#ffffff",
		"background:#1c2a45;color:#ffffff"},
	[LOOK_FAINT] = {"faint", "color:#a9b8d4", "color:#a9b8d4"},
	[LOOK_TEXT] = {"text", "color:#131a26", "color:#e8edf4"},
	[LOOK_MUTED] = {"muted", "color:#5d6879", "color:#95a1b3"},
	[LOOK_WORSE] = {"worse", "color:#c0261c", "color:#ff8a80"},
	[LOOK_BETTER] = {"better", "color:#18794e", "color:#5fd39a"},
	[LOOK_BAR] = {"bar", "background:#7f9cf0", "background:#4a68c8"},
	[LOOK_TOP] = {"top", "background:#3557d6", "background:#7d9bff"},
	[LOOK_TRACK] = {"track", "background:#edf0f6", "background:#222b38"},
	[LOOK_TILE] = {"tile", "background:#f5f7fa;color:#131a26",
		"background:#1c2430;color:#e8edf4"},
	[LOOK_RULE] = {"rule", "border-color:#dfe4ec", "border-color:#2a3443"},
	[LOOK_WARNING] = {"warning", "background:#fff4e0;border-color:#e8890c;color:#5c3a00",
		"background:#33260f;border-color:#e8890c;color:#ffdfab"},
	[LOOK_FINE] = {"fine", "background:#e9f7ef;border-color:#2a9d66;color:#14563a",
		"background:#10291e;border-color:#2a9d66;color:#a4e8c6"},
};

void markup_open(StrBuf *sb, const char *tag, Look look, const char *style)
{
	strbuf_appendf(sb, "<%s class=\"%s\" style=\"%s%s%s\">", tag, looks[look].name,
		looks[look].light, *style ? ";" : "", style);
}

static const char *escape_of(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	}
	return NULL;
}

static void append(StrBuf *sb, Span text, size_t columns, bool breaks)
{
	_cleanup_strbuf_ StrBuf shown = STRBUF_INIT;

	(void)display_append(&shown, text, columns);
	for (size_t i = 0; i < shown.len; i++) {
		const char *escape = escape_of(shown.data[i]);

		if (escape)
			strbuf_append_string(sb, escape);
		else
			strbuf_append_char(sb, shown.data[i]);
		if (breaks && strchr(".:/@", shown.data[i]))
			strbuf_append_string(sb, "<wbr>");
	}
	if (!sb->error)
		sb->error = strbuf_error(&shown);
}

void markup_append_value(StrBuf *sb, Span text, size_t columns)
{
	append(sb, text, columns, false);
}

void markup_append_text(StrBuf *sb, Span text, size_t columns)
{
	append(sb, text, columns, true);
}

void markup_append_number(StrBuf *sb, uint64_t value)
{
	char text[24];
	size_t len = (size_t)snprintf(text, sizeof(text), "%" PRIu64, value);

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			strbuf_append_char(sb, ',');
		strbuf_append_char(sb, text[i]);
	}
}

#define BAR_STYLE "padding:0;font:1px/5px a"

void markup_append_bar(StrBuf *sb, Look look, double part)
{
	/* What there is can be seen. */
	double percent = part > 0 ? MAX(part, 0.005) * 100 : 0;
	char style[128];

	strbuf_append_string(sb, "<table role=\"none\" style=\"width:100%;table-layout:fixed;"
				 "border-collapse:collapse\"><tr>");
	if (percent > 0) {
		(void)snprintf(
			style, sizeof(style), BAR_STYLE ";width:%.1f%%;border-radius:3px", percent);
		markup_open(sb, "td", look, style);
		strbuf_append_string(sb, "&nbsp;</td>");
	}
	if (percent < 99.95) {
		markup_open(sb, "td", LOOK_TRACK, BAR_STYLE);
		strbuf_append_string(sb, "&nbsp;</td>");
	}
	strbuf_append_string(sb, "</tr></table>");
}

void markup_append_sheet(StrBuf *sb)
{
	strbuf_append_string(sb,
		":root{color-scheme:light dark;supported-color-schemes:light dark}\n"
		"@media (max-width:700px){"
		".pad,.band{padding-left:18px!important;padding-right:18px!important}"
		".half{max-width:100%!important;padding-left:0!important;"
		"padding-right:0!important}"
		".around{padding:0!important}"
		".round{border-radius:0!important}}\n"
		"@media (prefers-color-scheme:dark){");
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		const char *rest = looks[i].dark;

		strbuf_appendf(sb, ".%s{", looks[i].name);
		while (*rest) {
			size_t len = strcspn(rest, ";");

			strbuf_append(sb, rest, len);
			strbuf_append_string(sb, "!important");
			rest += len;
			if (*rest)
				strbuf_append_char(sb, *rest++);
		}
		strbuf_append_char(sb, '}');
	}
	strbuf_append_string(sb, "}\n");
}
