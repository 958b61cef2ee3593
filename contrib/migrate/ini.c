/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "migrate/ini.h"

#include <ctype.h>
#include <strings.h>

void ini_done(Ini *ini)
{
	for (size_t i = 0; i < ini->count; i++) {
		free(ini->entries[i].section);
		free(ini->entries[i].key);
		free(ini->entries[i].value);
	}
	free(ini->entries);
	*ini = INI_INIT;
}

static Span trim(Span s)
{
	while (s.len && isspace((unsigned char)s.data[s.len - 1]))
		s.len--;
	while (s.len && isspace((unsigned char)*s.data)) {
		s.data++;
		s.len--;
	}
	return s;
}

const IniEntry *ini_find(const Ini *ini, const char *section, const char *key)
{
	for (size_t i = ini->count; i > 0; i--)
		if (!strcasecmp(ini->entries[i - 1].section, section) &&
			!strcmp(ini->entries[i - 1].key, key))
			return &ini->entries[i - 1];
	return NULL;
}

/* Lower case, as keys are; heap memory. */
static char *key_dup(Span name)
{
	char *key = span_dup(name);

	for (char *p = key; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return key;
}

static int add(Ini *ini, const char *section, Span key, Span value, unsigned line)
{
	IniEntry *entries = array_grow(ini->entries, ini->count, sizeof(*entries)), *entry;

	if (!entries)
		return -ENOMEM;
	ini->entries = entries;
	entry = &entries[ini->count++];
	*entry = (IniEntry){strdup(section), key_dup(key), span_dup(value), line};
	return entry->section && entry->key && entry->value ? 0 : -ENOMEM;
}

/* The value goes on: a line end, then what the line holds. 0 or -ENOMEM. */
static int go_on(IniEntry *entry, Span more)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char *value;

	strbuf_appendf(&sb, "%s%s", entry->value, *entry->value ? "\n" : "");
	strbuf_append_span(&sb, more);
	value = strbuf_take(&sb);
	if (!value)
		return -ENOMEM;
	free(entry->value);
	entry->value = value;
	return 0;
}

#define DEPTH_MAX 10 /* as there */

/* "%(name)s", what that names in turn, and "%%". 0 or -ENOMEM. */
static int append_expanded(
	const Ini *ini, const char *section, const char *value, int depth, StrBuf *sb)
{
	const char *end;
	int r = 0;

	for (const char *p = value; *p && !r; p++) {
		_cleanup_free_ char *name = NULL;
		const IniEntry *other;

		if (*p != '%') {
			strbuf_append_char(sb, *p);
			continue;
		}
		end = p[1] == '(' ? strstr(p, ")s") : NULL;
		if (!end) {
			strbuf_append_char(sb, '%');
			p += p[1] == '%';
			continue;
		}
		name = key_dup((Span){p + 2, (size_t)(end - p - 2)});
		if (!name)
			return -ENOMEM;
		other = ini_find(ini, section, name);
		if (!other)
			other = ini_find(ini, "DEFAULT", name);
		if (other && depth < DEPTH_MAX)
			r = append_expanded(ini, section, other->value, depth + 1, sb);
		else
			strbuf_append(sb, p, (size_t)(end + 2 - p));
		p = end + 1;
	}
	return r ? r : strbuf_error(sb);
}

/* All values, out of how they stand in the file. 0 or -ENOMEM. */
static int expand(Ini *ini)
{
	char **values = calloc(ini->count + 1, sizeof(*values));
	int r = values ? 0 : -ENOMEM;

	for (size_t i = 0; i < ini->count && !r; i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

		strbuf_append_string(&sb, "");
		r = append_expanded(ini, ini->entries[i].section, ini->entries[i].value, 0, &sb);
		values[i] = r ? NULL : strbuf_take(&sb);
		if (!r && !values[i])
			r = -ENOMEM;
	}
	for (size_t i = 0; i < ini->count && values; i++) {
		if (!r) {
			free(ini->entries[i].value);
			ini->entries[i].value = TAKE(values[i]);
		}
		free(values[i]);
	}
	free(values);
	return r;
}

typedef struct Parser {
	Ini *ini;
	char *section;
	bool in_value; /* of the last entry, which may go on */
	size_t indent; /* of its line */
	unsigned line;
} Parser;

/* 0; -EINVAL: it is nothing that can be understood; -ENOMEM. */
static int parse_line(Parser *parser, Span line)
{
	Span text = trim(line), key, value;
	size_t indent = text.len ? (size_t)(text.data - line.data) : 0;
	const char *at;

	if (!text.len || *text.data == '#' || *text.data == ';')
		return 0;
	if (parser->in_value && indent > parser->indent)
		return go_on(&parser->ini->entries[parser->ini->count - 1], text);
	parser->in_value = false;
	if (*text.data == '[') {
		at = memrchr(text.data, ']', text.len);
		if (!at)
			return -EINVAL;
		free(parser->section);
		parser->section = span_dup((Span){text.data + 1, (size_t)(at - text.data - 1)});
		return parser->section ? 0 : -ENOMEM;
	}
	at = text.data;
	while (at < text.data + text.len && *at != '=' && *at != ':')
		at++;
	if (at == text.data + text.len || at == text.data || !parser->section)
		return -EINVAL;
	key = trim((Span){text.data, (size_t)(at - text.data)});
	value = trim((Span){at + 1, (size_t)(text.data + text.len - at - 1)});
	parser->in_value = true;
	parser->indent = indent;
	return add(parser->ini, parser->section, key, value, parser->line);
}

int ini_parse(Span text, Ini *ret_ini, StrBuf *notes)
{
	_cleanup_ini_ Ini ini = INI_INIT;
	Parser parser = {.ini = &ini};
	const char *p = text.data, *end = p + text.len;
	int r = 0;

	if (span_starts_with(text, "\xef\xbb\xbf"))
		p += 3;
	while (p < end && !r) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		Span line = {p, (size_t)((stop ? stop : end) - p)};

		parser.line++;
		r = parse_line(&parser, line);
		if (r == -EINVAL) {
			strbuf_appendf(
				notes, "line %u: neither a section nor a value\n", parser.line);
			r = strbuf_error(notes);
		}
		p = stop ? stop + 1 : end;
	}
	free(parser.section);
	if (!r)
		r = expand(&ini);
	if (r)
		return r;
	*ret_ini = ini;
	ini = INI_INIT;
	return 0;
}
