/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "anonymize/anonymizer.h"

#include "anonymize/scan.h"
#include "anonymize/slots.h"
#include "parse/header.h"

#define SERVER_MAX 255
#define TAG_DIGITS_MAX 5

struct Anonymizer {
	AnonymizerOptions options;
	StandIns standins;
	Vocabulary *vocabulary;
	StampContext stamps;
	uint64_t cut_count;
	/* The server that logged the last line, which mostly logs the next, too. */
	char server[SERVER_MAX];
	size_t server_len;
	StrBuf server_standin;
};

int anonymizer_new(const AnonymizerOptions *options, Anonymizer **ret_anonymizer)
{
	_cleanup_(anonymizer_freep) Anonymizer *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->options = *options;
	standins_init(&a->standins, options->key);
	a->standins.keep_prefixes = options->keep_prefixes;
	a->standins.keep = options->keep;
	a->standins.userdata = options->userdata;
	/* Which instant a stamp means is nobody's question here: any year does that has all days. */
	a->stamps.year = 2000;
	r = vocabulary_new(&a->vocabulary);
	if (r < 0)
		return r;
	*ret_anonymizer = TAKE(a);
	return 0;
}

void anonymizer_free(Anonymizer *a)
{
	if (!a)
		return;
	strbuf_done(&a->server_standin);
	vocabulary_free(a->vocabulary);
	free(a);
}

uint64_t anonymizer_cut_count(const Anonymizer *a)
{
	return a->cut_count;
}

/* What stands in the line between from and to. */
static Span between(const char *from, const char *to)
{
	return (Span){from, (size_t)(to - from)};
}

static void append_scanned(Anonymizer *a, Span text, unsigned digits_max, StrBuf *sb)
{
	const Scanner scanner = {a->vocabulary, &a->standins};
	const ScanRequest request = {.text = text, .strict = true, .digits_max = digits_max};

	scan_text(&scanner, &request, sb);
}

/* ---- the header -------------------------------------------------------------------------------- */

static void append_server(Anonymizer *a, Span server, StrBuf *sb)
{
	if (!server.len || server.len > SERVER_MAX) {
		standin_append(&a->standins, STANDIN_HOST, server, sb);
		return;
	}
	if (server.len != a->server_len || memcmp(server.data, a->server, server.len)) {
		strbuf_reset(&a->server_standin);
		standin_append(&a->standins, STANDIN_HOST, server, &a->server_standin);
		if (strbuf_error(&a->server_standin)) {
			sb->error = strbuf_error(&a->server_standin);
			a->server_len = 0;
			return;
		}
		memcpy(a->server, server.data, server.len);
		a->server_len = server.len;
	}
	strbuf_append(sb, a->server_standin.data, a->server_standin.len);
}

static bool is_known_part(const Anonymizer *a, const char *p, size_t len)
{
	size_t digits = 0;

	while (digits < len && p[digits] >= '0' && p[digits] <= '9')
		digits++;
	return (digits == len && len <= TAG_DIGITS_MAX) ||
	       vocabulary_find(a->vocabulary, p, len)->flags & (WORD_PROGRAM | WORD_PATH);
}

/* "postfix", "postfix-out": all parts are names of programs. */
static bool is_known_name(const Anonymizer *a, Span name)
{
	const char *p = name.data, *end = name.data + name.len;

	if (is_known_part(a, p, name.len))
		return true;
	while (p < end) {
		const char *joint = memchr(p, '-', (size_t)(end - p));
		size_t len = (size_t)((joint ? joint : end) - p);

		if (!is_known_part(a, p, len))
			return false;
		p += len + 1;
	}
	return true;
}

/* "postfix/submission/smtpd": program by program. Returns the flags of the last one. */
static unsigned append_tag(const Anonymizer *a, Span tag, StrBuf *sb)
{
	const char *p = tag.data, *end = tag.data + tag.len;
	unsigned flags = 0;

	while (p < end) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		Span name = between(p, slash ? slash : end);

		flags = 0;
		if (is_known_name(a, name)) {
			flags = vocabulary_find(a->vocabulary, name.data, name.len)->flags;
			strbuf_append_span(sb, name);
		} else {
			standin_append(&a->standins, STANDIN_PROGRAM, name, sb);
		}
		p += name.len;
		if (p < end) {
			strbuf_append_char(sb, '/');
			p++;
		}
	}
	return flags;
}

static bool is_one_of(Span word, const char *const names[])
{
	while (*names && !span_equal_string(word, *names))
		names++;
	return *names;
}

/* "mail.warn", "<mail.warn>": parse/ takes a word for one by its level, or by its signs. */
static void append_priority(Anonymizer *a, Span word, StrBuf *sb)
{
	static const char *const facilities[] = {"kern", "user", "mail", "daemon", "auth", "syslog",
		"lpr", "news", "uucp", "cron", "authpriv", "ftp", "security", "local0", "local1",
		"local2", "local3", "local4", "local5", "local6", "local7", NULL};
	static const char *const levels[] = {"emerg", "panic", "alert", "crit", "err", "error",
		"warning", "warn", "notice", "info", "debug", NULL};
	bool is_open = *word.data == '<', is_closed = is_open && word.data[word.len - 1] == '>';
	const char *end = word.data + word.len - is_closed;
	const char *dot = memchr(word.data, '.', word.len);
	Span facility, level;

	if (!dot || dot >= end) {
		append_scanned(a, word, TAG_DIGITS_MAX, sb);
		return;
	}
	facility = between(word.data + is_open, dot);
	level = between(dot + 1, end);
	if (is_open)
		strbuf_append_char(sb, '<');
	if (is_one_of(facility, facilities))
		strbuf_append_span(sb, facility);
	else
		standin_append(&a->standins, STANDIN_TEXT, facility, sb);
	strbuf_append_char(sb, '.');
	if (is_one_of(level, levels))
		strbuf_append_span(sb, level);
	else
		standin_append(&a->standins, STANDIN_TEXT, level, sb);
	if (is_closed)
		strbuf_append_char(sb, '>');
}

/* The stamp holds digits and signs, a "T", a "Z" and a month; behind it blanks, or a priority. */
static void append_stamp(Anonymizer *a, Span text, StrBuf *sb)
{
	const char *p = text.data, *end = text.data + text.len, *last;

	while (p < end && end[-1] == ' ')
		end--;
	last = memrchr(p, ' ', (size_t)(end - p));
	last = last ? last + 1 : end;
	/* "<22>1 2026-..." begins with a number, a priority of FreeBSD stands behind the stamp */
	if (last > p && last < end && *last == '<') {
		strbuf_append_span(sb, between(p, last));
		append_priority(a, between(last, end), sb);
		p = end;
	}
	strbuf_append_span(sb, between(p, text.data + text.len));
}

/* Between the server and the tag: blanks, and busybox' priority. */
static void append_priorities(Anonymizer *a, Span text, StrBuf *sb)
{
	const char *p = text.data, *end = text.data + text.len;

	while (p < end) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));
		Span word = between(p, blank ? blank : end);

		if (word.len)
			append_priority(a, word, sb);
		p += word.len;
		if (p < end) {
			strbuf_append_char(sb, ' ');
			p++;
		}
	}
}

/* ---- the line ---------------------------------------------------------------------------------- */

static void append_message(Anonymizer *a, Span tag, Span message, unsigned program, StrBuf *sb)
{
	const Scanner scanner = {a->vocabulary, &a->standins};
	Slots slots;
	ScanRequest request = {
		.text = message,
		.slots = slots.slot,
		.strict = !(program & (WORD_POSTFIX | WORD_MAIL)),
		.has_queue_ids = program & WORD_POSTFIX,
		.digits_max = TAG_DIGITS_MAX,
	};
	size_t before = sb->len;

	slots_init(&slots);
	if (program & WORD_POSTFIX)
		slots_find_postfix(&slots, a->vocabulary, tag, message);
	if (a->options.find && slots_add_found(&slots, &a->options, message) < 0) {
		standin_append(&a->standins, STANDIN_TEXT, message, sb);
		return;
	}
	request.slot_count = slots.count;
	scan_text(&scanner, &request, sb);
	if (slots.has_needle && !strbuf_error(sb))
		slots_check(&slots, tag, sb->data + before, sb->len - before);
}

static void append_line(Anonymizer *a, Span line, StrBuf *sb)
{
	const char *end = line.data + line.len, *at, *next;
	unsigned program = 0;
	LineHeader header;

	if (header_parse(&a->stamps, line, &header)) {
		append_message(a, SPAN_MISSING, line, 0, sb);
		return;
	}
	next = header.server.data ? header.server.data
	       : header.tag.data  ? header.tag.data
				  : header.message.data;
	append_stamp(a, between(line.data, next), sb);
	at = next;
	if (header.server.data) {
		append_server(a, header.server, sb);
		at += header.server.len;
		next = header.tag.data ? header.tag.data : header.message.data;
		append_priorities(a, between(at, next), sb);
		at = next;
	}
	if (header.tag.data) {
		program = append_tag(a, header.tag, sb);
		at += header.tag.len;
	}
	append_scanned(a, between(at, header.message.data), 10, sb);
	append_message(a, header.tag, between(header.message.data, end), program, sb);
}

void anonymizer_line(Anonymizer *a, Span line, StrBuf *sb)
{
	bool has_cr;

	if (line.len > ANONYMIZER_LINE_MAX) {
		line.len = ANONYMIZER_LINE_MAX;
		a->cut_count++;
	}
	has_cr = line.len && line.data[line.len - 1] == '\r';
	line.len -= has_cr;
	append_line(a, line, sb);
	if (has_cr)
		strbuf_append_char(sb, '\r');
}
