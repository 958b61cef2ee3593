/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/config-scan.h"

#include <ctype.h>
#include <inttypes.h>
#include <strings.h>

#include "base/number.h"
#include "base/utf8.h"

#define DEPTH_MAX 16
#define NAMES_MAX 1000

typedef struct Bracket {
	char open;
	unsigned line;
	Span name;      /* of a group */
	unsigned group; /* tells the names of one group from another's */
} Bracket;

typedef struct Name {
	Span name;
	unsigned line, group;
} Name;

/* What may come now. */
typedef enum Place {
	PLACE_NAME,   /* a name, or the end of the group */
	PLACE_ASSIGN, /* = or : */
	PLACE_VALUE,  /* a value; in a list also a comma, or its end */
} Place;

/* What of the value was there before. */
typedef enum Before {
	BEFORE_NOTHING, /* or a comma */
	BEFORE_TEXT,    /* "a" "b" is one text */
	BEFORE_VALUE,
} Before;

typedef struct Scanner {
	const char *p, *end;
	unsigned line;
	Place place;
	Before before;
	Bracket bracket[DEPTH_MAX]; /* [0] is the file */
	size_t depth;
	Name name[NAMES_MAX];
	size_t name_count;
	unsigned group_count, renamed;
	struct {
		bool active, broken;
		Span name;
		unsigned line;
		size_t depth;  /* of the bracket that it stands in */
		size_t out_at; /* where it starts in out */
	} setting;
	bool hopeless;
	bool (*is_group)(const char *name);
	ConfigMistakes *mistakes;
	StrBuf *out;
} Scanner;

static bool is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '*';
}

static bool is_name_part(char c)
{
	return isalnum((unsigned char)c) || c == '*' || c == '-' || c == '_';
}

static bool in_list(const Scanner *s)
{
	return s->setting.active && s->depth > s->setting.depth;
}

/* Takes the value out of the text; only the first mistake of a setting is told. */
static void break_setting(Scanner *s, unsigned line, const char *why, Span what)
{
	const Bracket *group = &s->bracket[s->setting.depth];

	if (s->setting.broken)
		return;
	s->setting.broken = true;
	config_mistakes_add(s->mistakes, line, "%.*s%s%.*s: %.*s%s", (int)group->name.len,
		group->name.data ? group->name.data : "", group->name.len ? "." : "",
		(int)s->setting.name.len, s->setting.name.data, (int)what.len,
		what.data ? what.data : "", why);
}

/* Takes the setting back out of the text, but for its line ends. */
static void cut_setting(Scanner *s)
{
	size_t newlines = 0;

	for (size_t i = s->setting.out_at; i < s->out->len; i++)
		newlines += s->out->data[i] == '\n';
	s->out->len = s->setting.out_at;
	while (newlines--)
		strbuf_append_char(s->out, '\n');
}

static void finish_setting(Scanner *s)
{
	if (s->setting.active && s->setting.broken) {
		cut_setting(s);
		strbuf_appendf(s->out, " *%u = 0;", ++s->renamed);
	}
	s->setting.active = false;
}

static void skip_line(Scanner *s)
{
	const char *newline = memchr(s->p, '\n', (size_t)(s->end - s->p));

	s->p = newline ? newline : s->end;
}

static void scan_comment(Scanner *s)
{
	unsigned line = s->line;

	if (*s->p == '#' || s->p[1] == '/') {
		skip_line(s);
		return;
	}
	for (s->p += 2; s->end - s->p >= 2; s->p++) {
		if (s->p[0] == '*' && s->p[1] == '/') {
			s->p += 2;
			strbuf_append_char(s->out, ' ');
			return;
		}
		if (*s->p == '\n') {
			s->line++;
			strbuf_append_char(s->out, '\n');
		}
	}
	config_mistakes_add(s->mistakes, line, "the comment that starts here has no end");
	s->p = s->end;
}

/* After a name something else than = or : came. */
static void need_assignment(Scanner *s)
{
	if (s->place != PLACE_ASSIGN)
		return;
	break_setting(s, s->line, "wants a = before its value", SPAN_MISSING);
	strbuf_append_char(s->out, '=');
	s->place = PLACE_VALUE;
}

static void check_value_missing(Scanner *s)
{
	if (!s->setting.active || s->place == PLACE_NAME || in_list(s))
		return;
	break_setting(s, s->setting.line, "has no value", SPAN_MISSING);
	s->place = PLACE_NAME;
}

/* Whether the value that comes belongs to a setting. */
static bool start_value(Scanner *s, Before kind)
{
	bool more = s->before == BEFORE_TEXT && kind == BEFORE_TEXT;

	need_assignment(s);
	if (!s->setting.active) {
		config_mistakes_add(s->mistakes, s->line, "a value without a name");
		return false;
	}
	if (s->before != BEFORE_NOTHING && !more)
		break_setting(s, s->line,
			in_list(s) ? "a comma is missing" : "has more than one value",
			SPAN_MISSING);
	else if (in_list(s) && kind != BEFORE_TEXT)
		break_setting(s, s->line, "a list holds only texts", SPAN_MISSING);
	s->before = kind;
	s->place = in_list(s) ? PLACE_VALUE : PLACE_NAME;
	return true;
}

static void scan_string(Scanner *s)
{
	bool ours = start_value(s, BEFORE_TEXT);
	const char *start = s->p;

	for (s->p++; s->p < s->end && *s->p != '"' && *s->p != '\n'; s->p++) {
		if (*s->p != '\\' || s->end - s->p < 2 || s->p[1] == '\n')
			continue;
		/* libconfig would end the string there. */
		if (ours && s->end - s->p >= 4 && !strncasecmp(s->p, "\\x00", 4))
			break_setting(
				s, s->line, "a byte of 0 can't stand in a text", SPAN_MISSING);
		s->p++;
	}
	if (s->p == s->end || *s->p == '\n') {
		if (ours)
			break_setting(s, s->line, "the closing quote is missing", SPAN_MISSING);
		return;
	}
	s->p++;
	if (ours)
		strbuf_append(s->out, start, (size_t)(s->p - start));
}

/* [-+]digits or 0xdigits, with L or LL or without. */
static bool read_integer(Span token, bool *ret_negative, uint64_t *ret_magnitude)
{
	char digits[40];
	size_t len;

	*ret_negative = *token.data == '-';
	if (*token.data == '-' || *token.data == '+')
		token = (Span){token.data + 1, token.len - 1};
	for (int i = 0; i < 2 && token.len && token.data[token.len - 1] == 'L'; i++)
		token.len--;
	if (token.len > 2 && !strncasecmp(token.data, "0x", 2)) {
		len = MIN(token.len, sizeof(digits) - 1);
		for (size_t i = 2; i < token.len; i++)
			if (!isxdigit((unsigned char)token.data[i]))
				return false;
		memcpy(digits, token.data, len);
		digits[len] = '\0';
		*ret_magnitude = strtoull(digits, NULL, 16); /* ULLONG_MAX when it is too large */
		return true;
	}
	switch (number_parse_u64(token, INT64_MAX, ret_magnitude)) {
	case 0: return true;
	case -ERANGE: *ret_magnitude = INT64_MAX; return true;
	default: return false;
	}
}

static bool is_float(Span token)
{
	char copy[40], *end;

	if (token.len >= sizeof(copy))
		return false;
	memcpy(copy, token.data, token.len);
	copy[token.len] = '\0';
	if (copy[strspn(copy, "+-.0123456789eE")])
		return false;
	(void)strtod(copy, &end);
	return !*end;
}

static void scan_number(Scanner *s)
{
	Span token = {s->p, 0};
	uint64_t magnitude;
	bool negative;

	while (s->p < s->end && (is_name_part(*s->p) || *s->p == '.' || *s->p == '+'))
		s->p++;
	token.len = (size_t)(s->p - token.data);
	if (!start_value(s, BEFORE_VALUE))
		return;
	if (read_integer(token, &negative, &magnitude))
		strbuf_appendf(s->out, "%s%" PRIu64 "L", negative ? "-" : "",
			MIN(magnitude, (uint64_t)INT64_MAX));
	else if (is_float(token))
		strbuf_append_span(s->out, token);
	else
		break_setting(s, s->line, " is no number; text stands in quotes", token);
}

static bool assignment_follows(const Scanner *s)
{
	const char *p = s->p;

	while (p < s->end && isspace((unsigned char)*p))
		p++;
	return p < s->end && (*p == '=' || *p == ':');
}

/* Writes the name, as NAME*N when its group has it already. */
static void append_name(Scanner *s, Span name, unsigned line)
{
	const Bracket *group = &s->bracket[s->depth];

	strbuf_append_span(s->out, name);
	for (size_t i = 0; i < s->name_count; i++) {
		if (s->name[i].group != group->group || !span_equal(s->name[i].name, name))
			continue;
		config_mistakes_add(s->mistakes, line, "%.*s%s%.*s: stands in line %u already",
			(int)group->name.len, group->name.data ? group->name.data : "",
			group->name.len ? "." : "", (int)name.len, name.data, s->name[i].line);
		strbuf_appendf(s->out, "*%u", ++s->renamed);
		return;
	}
	if (s->name_count == NAMES_MAX) {
		config_mistakes_add(s->mistakes, line, "more than %d settings", NAMES_MAX);
		s->hopeless = true;
		return;
	}
	s->name[s->name_count++] = (Name){name, line, group->group};
}

static bool is_bool(Span word)
{
	return (word.len == 4 && !strncasecmp(word.data, "true", 4)) ||
	       (word.len == 5 && !strncasecmp(word.data, "false", 5));
}

static void start_setting(Scanner *s, Span name)
{
	finish_setting(s);
	s->setting.active = true;
	s->setting.broken = false;
	s->setting.name = name;
	s->setting.line = s->line;
	s->setting.depth = s->depth;
	s->setting.out_at = s->out->len;
	strbuf_append_char(s->out, ' '); /* what was left out may have stood between two words */
	s->place = PLACE_ASSIGN;
	s->before = BEFORE_NOTHING;
	if (is_bool(name) || memchr(name.data, '*', name.len)) {
		break_setting(
			s, s->line, is_bool(name) ? "is no name" : "a name has no *", SPAN_MISSING);
		strbuf_appendf(s->out, "*%u", ++s->renamed);
	} else {
		append_name(s, name, s->line);
	}
}

static void scan_word(Scanner *s)
{
	Span word = {s->p, 0};

	while (s->p < s->end && is_name_part(*s->p))
		s->p++;
	word.len = (size_t)(s->p - word.data);
	if (!in_list(s) && assignment_follows(s))
		check_value_missing(s);
	if (s->place == PLACE_NAME) {
		start_setting(s, word);
		return;
	}
	(void)start_value(s, BEFORE_VALUE);
	if (is_bool(word))
		strbuf_append_span(s->out, word);
	else
		break_setting(s, s->line,
			" is no value: true, false, a number, or text in quotes are", word);
}

static void push_bracket(Scanner *s, char open, Span name)
{
	if (s->depth + 1 == DEPTH_MAX) {
		config_mistakes_add(s->mistakes, s->line, "too many brackets in each other");
		s->hopeless = true;
		return;
	}
	s->bracket[++s->depth] = (Bracket){open, s->line, name, ++s->group_count};
	strbuf_append_char(s->out, open);
	s->before = BEFORE_NOTHING;
}

static void drop_last_comma(Scanner *s)
{
	size_t at = s->out->len;

	while (at && isspace((unsigned char)s->out->data[at - 1]))
		at--;
	if (at && s->out->data[at - 1] == ',')
		s->out->data[at - 1] = ' ';
}

static void pop_bracket(Scanner *s)
{
	char open = s->bracket[s->depth--].open;

	s->before = BEFORE_VALUE;
	if (open != '{')
		drop_last_comma(s);
	strbuf_append_char(s->out, open == '{' ? '}' : open == '[' ? ']' : ')');
	s->place = in_list(s) ? PLACE_VALUE : PLACE_NAME;
}

/* A known group opens inside of another: the other's end was forgotten. */
static void close_forgotten_group(Scanner *s)
{
	Bracket group = s->bracket[s->depth];

	config_mistakes_add(s->mistakes, s->setting.line,
		"%.*s: stands inside of %.*s, whose } is missing (line %u)",
		(int)s->setting.name.len, s->setting.name.data, (int)group.name.len,
		group.name.data, group.line);
	cut_setting(s);
	pop_bracket(s);
	strbuf_append_char(s->out, ';');
	append_name(s, s->setting.name, s->setting.line);
	strbuf_append_string(s->out, ": ");
}

static void open_bracket(Scanner *s, char open)
{
	if (s->place == PLACE_NAME) {
		config_mistakes_add(s->mistakes, s->line, "%c has no name before it%s", open,
			open == '[' && !s->depth
				? "; this is not an INI file: a group is written paths: { ... }"
				: "");
		s->hopeless = true;
		return;
	}
	(void)start_value(s, BEFORE_VALUE);
	if (open != '{' || in_list(s)) {
		push_bracket(s, open, SPAN_MISSING);
		s->place = PLACE_VALUE;
		return;
	}
	if (s->depth == 1 && !s->setting.broken) {
		_cleanup_free_ char *name = span_dup(s->setting.name);

		if (name && s->is_group(name))
			close_forgotten_group(s);
	}
	push_bracket(s, open, s->setting.name);
	s->setting.active = false;
	s->place = PLACE_NAME;
}

static void close_bracket(Scanner *s, char close)
{
	char open = close == '}' ? '{' : close == ']' ? '[' : '(';

	check_value_missing(s);
	if (close == '}')
		while (s->depth && s->bracket[s->depth].open != '{') {
			break_setting(
				s, s->bracket[s->depth].line, "the list has no end", SPAN_MISSING);
			pop_bracket(s);
		}
	if (!s->depth || (s->bracket[s->depth].open == '{') != (close == '}')) {
		config_mistakes_add(s->mistakes, s->line, "%c closes nothing", close);
		return;
	}
	if (s->bracket[s->depth].open != open)
		config_mistakes_add(s->mistakes, s->line, "%c closes the %c of line %u", close,
			s->bracket[s->depth].open, s->bracket[s->depth].line);
	if (!in_list(s))
		finish_setting(s);
	pop_bracket(s);
}

/* libconfig needs a separator only between the texts of a list, and stumbles over one too many. */
static void scan_separator(Scanner *s)
{
	char c = *s->p++;

	if (!in_list(s)) {
		check_value_missing(s);
		finish_setting(s);
	} else if (c == ';' || s->before == BEFORE_NOTHING) {
		break_setting(s, s->line, c == ';' ? "the list has no end" : "a text is missing",
			SPAN_MISSING);
	} else {
		/* A comma before the end of the list is dropped there. */
		s->before = BEFORE_NOTHING;
		strbuf_append_char(s->out, ',');
	}
}

static size_t length_of_character(const Scanner *s)
{
	uint32_t cp;

	return MAX(utf8_decode(s->p, (size_t)(s->end - s->p), &cp), (size_t)1);
}

static void scan_token(Scanner *s)
{
	char c = *s->p;

	if (c == '#' || (c == '/' && s->end - s->p > 1 && (s->p[1] == '/' || s->p[1] == '*'))) {
		scan_comment(s);
	} else if (c == '"') {
		scan_string(s);
	} else if (is_name_start(c)) {
		scan_word(s);
	} else if (isdigit((unsigned char)c) || c == '+' || c == '-' || c == '.') {
		scan_number(s);
	} else if (c == '{' || c == '[' || c == '(') {
		s->p++;
		open_bracket(s, c);
	} else if (c == '}' || c == ']' || c == ')') {
		s->p++;
		close_bracket(s, c);
	} else if (c == ';' || c == ',') {
		scan_separator(s);
	} else if (c == '@') {
		config_mistakes_add(s->mistakes, s->line,
			"@include is not supported: the configuration is one file");
		skip_line(s);
	} else if (isspace((unsigned char)c) ||
		   ((c == '=' || c == ':') && s->place == PLACE_ASSIGN)) {
		if (!isspace((unsigned char)c))
			s->place = PLACE_VALUE;
		s->line += c == '\n';
		strbuf_append_char(s->out, c);
		s->p++;
	} else {
		config_mistakes_add(s->mistakes, s->line, "\"%.*s\" means nothing here",
			(int)length_of_character(s), s->p);
		s->p += length_of_character(s);
	}
}

static bool is_text(Scanner *s, Span text)
{
	unsigned line = 1;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		line += c == '\n';
		if ((c < ' ' && !strchr("\t\n\r\f", c)) || !c || c == 0x7f) {
			config_mistakes_add(s->mistakes, line,
				"byte 0x%02x is no text: this is no configuration file", c);
			return false;
		}
	}
	return true;
}

int config_scan(
	Span text, bool (*is_group)(const char *name), ConfigMistakes *mistakes, StrBuf *ret_text)
{
	_cleanup_free_ Scanner *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->is_group = is_group;
	s->mistakes = mistakes;
	s->out = ret_text;
	s->line = 1;
	if (!is_text(s, text))
		return CONFIG_SCAN_HOPELESS;
	if (span_starts_with(text, "\xef\xbb\xbf")) /* the byte order mark of some editors */
		text = (Span){text.data + 3, text.len - 3};
	s->p = text.data;
	s->end = text.data + text.len;
	while (s->p < s->end && !s->hopeless)
		scan_token(s);
	if (s->hopeless)
		return CONFIG_SCAN_HOPELESS;
	check_value_missing(s);
	while (s->depth) {
		config_mistakes_add(s->mistakes, s->bracket[s->depth].line, "%c has no end",
			s->bracket[s->depth].open);
		if (!in_list(s))
			finish_setting(s);
		pop_bracket(s);
	}
	finish_setting(s);
	return strbuf_error(s->out);
}
