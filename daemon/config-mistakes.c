/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/config-mistakes.h"

#include "base/utf8.h"

void config_mistakes_done(ConfigMistakes *mistakes)
{
	for (size_t i = 0; i < MIN(mistakes->count, (size_t)CONFIG_MISTAKES_MAX); i++)
		free(mistakes->mistake[i].text);
	*mistakes = (ConfigMistakes){0};
}

void config_mistakes_add(ConfigMistakes *mistakes, unsigned line, const char *fmt, ...)
{
	_cleanup_strbuf_ StrBuf raw = STRBUF_INIT, text = STRBUF_INIT;
	ConfigMistake *mistake;
	va_list ap;

	if (mistakes->count >= CONFIG_MISTAKES_MAX) {
		mistakes->count++;
		return;
	}
	va_start(ap, fmt);
	strbuf_vappendf(&raw, fmt, ap);
	va_end(ap);
	utf8_append_escaped(&text, (Span){strbuf_text(&raw), raw.len});
	mistake = &mistakes->mistake[mistakes->count];
	mistake->line = line;
	mistake->text = strbuf_error(&raw) ? NULL : strbuf_take(&text);
	if (!mistake->text)
		mistakes->error = -ENOMEM;
	else
		mistakes->count++;
}

void config_mistakes_write(ConfigMistakes *mistakes, const char *path, StrBuf *sb)
{
	size_t count = MIN(mistakes->count, (size_t)CONFIG_MISTAKES_MAX);

	/* Insertion sort: stable, and the list is short and almost sorted. */
	for (size_t i = 1; i < count; i++) {
		ConfigMistake mistake = mistakes->mistake[i];
		size_t j = i;

		for (; j && mistakes->mistake[j - 1].line > mistake.line; j--)
			mistakes->mistake[j] = mistakes->mistake[j - 1];
		mistakes->mistake[j] = mistake;
	}
	for (size_t i = 0; i < count; i++) {
		utf8_append_escaped(sb, span_from_string(path));
		if (mistakes->mistake[i].line)
			strbuf_appendf(sb, ":%u", mistakes->mistake[i].line);
		strbuf_appendf(sb, ": %s\n", mistakes->mistake[i].text);
	}
	if (mistakes->count > count) {
		utf8_append_escaped(sb, span_from_string(path));
		strbuf_appendf(sb, ": and %zu more\n", mistakes->count - count);
	}
}
