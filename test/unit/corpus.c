/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "corpus.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "base/number.h"
#include "base/utf8.h"

static _Noreturn void die(const char *file, unsigned number, const char *what)
{
	printf("Bail out! test/corpus/%s:%u: %s\n", file, number, what);
	exit(1);
}

static void *check_alloc(void *p)
{
	if (!p)
		die("", 0, "out of memory");
	return p;
}

static void keep(Corpus *corpus, char *block)
{
	corpus->blocks = check_alloc(
		reallocarray(corpus->blocks, corpus->block_count + 1, sizeof(*corpus->blocks)));
	corpus->blocks[corpus->block_count++] = check_alloc(block);
}

char *corpus_read_source(const char *name, size_t *ret_len)
{
	const char *root = getenv("MLS_SOURCE_ROOT");
	_cleanup_free_ char *path = check_alloc(file_join_dup(root ? root : ".", name));
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	if (file_read(path, 64 << 20, &sb))
		die(path, 0, "cannot be read (set MLS_SOURCE_ROOT)");
	*ret_len = sb.len;
	return check_alloc(strbuf_take(&sb));
}

void corpus_set_zone(const char *zone)
{
	if (setenv("TZ", zone, 1))
		die("", 0, "out of memory");
	tzset();
}

bool corpus_read_time(const char *text, int64_t *ret_time_us)
{
	struct tm tm = {0};
	int used = 0, us = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6)
		return false;
	text += used;
	if (*text == '.') {
		if (sscanf(text, ".%6d%n", &us, &used) != 1 || used != 7)
			return false;
		text += used;
	}
	if (strcmp(text, "Z") != 0)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*ret_time_us = (int64_t)timegm(&tm) * 1000000 + us;
	return true;
}

/* Undoes \xHH. */
static Span decode(Corpus *corpus, Span text)
{
	StrBuf sb = STRBUF_INIT;
	size_t len;

	utf8_append_unescaped(&sb, text);
	len = sb.len;
	keep(corpus, strbuf_take(&sb));
	return (Span){corpus->blocks[corpus->block_count - 1], len};
}

static bool take_prefix(Span *text, const char *prefix)
{
	if (!span_starts_with(*text, prefix))
		return false;
	text->data += strlen(prefix);
	text->len -= strlen(prefix);
	return true;
}

static Span take_until(Span *text, char c)
{
	const char *at = text->len ? memchr(text->data, c, text->len) : NULL;
	Span head = {text->data, at ? (size_t)(at - text->data) : text->len};

	text->data += head.len + (at != NULL);
	text->len -= head.len + (at != NULL);
	return head;
}

static void read_want(Corpus *corpus, CorpusRow *row, Span text)
{
	const struct {
		const char *key;
		Span *to;
	} spans[] = {
		{"server=", &row->want.server},
		{"service=", &row->want.service},
		{"ip=", &row->want_ip},
		{"client=", &row->want.client},
		{"method=", &row->want.method},
		{"reason=", &row->want.reason},
		{"user=", &row->want.user},
	};
	Span kind = take_until(&text, '\t');
	int k;

	row->has_want = true;
	row->want.count = 1;
	for (k = 0; k < EVENT_KIND_COUNT; k++)
		if (span_equal_string(kind, event_kind_name((EventKind)k)))
			break;
	if (k == EVENT_KIND_COUNT)
		die(row->file, row->number, "'want:' does not begin with a kind");
	row->want.kind = (EventKind)k;
	while (text.len) {
		Span field = take_until(&text, '\t');
		uint64_t count;
		size_t i;

		if (take_prefix(&field, "time=")) {
			Span value = decode(corpus, field);

			row->want.has_time = corpus_read_time(value.data, &row->want.time_us);
			if (!row->want.has_time)
				die(row->file, row->number, "that is no time");
			continue;
		}
		if (take_prefix(&field, "count=")) {
			if (number_parse_u64(field, EVENT_REPEAT_MAX, &count))
				die(row->file, row->number, "that is no count");
			row->want.count = (uint32_t)count;
			continue;
		}
		if (span_equal_string(field, "capped")) {
			row->want.repeat_capped = true;
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(spans); i++)
			if (take_prefix(&field, spans[i].key))
				break;
		if (i == ARRAY_SIZE(spans))
			die(row->file, row->number, "unknown field (is there a TAB missing?)");
		*spans[i].to = decode(corpus, field);
	}
	if ((row->want.kind != EVENT_OTHER) != (row->want_ip.data && row->want.client.data))
		die(row->file, row->number, "every kind but other has an ip and a client");
}

static void read_file(Corpus *corpus, const char *name)
{
	_cleanup_free_ char *path = check_alloc(file_join_dup("test/corpus", name));
	_cleanup_free_ char *text = NULL;
	const char *file, *zone = "UTC";
	int64_t reference_us = 0;
	unsigned number = 0;
	int year = 2026;
	Span rest;

	keep(corpus, strndup(name, strlen(name) - strlen(".txt")));
	file = corpus->blocks[corpus->block_count - 1];
	rest.data = text = corpus_read_source(path, &rest.len);
	while (rest.len) {
		Span line = take_until(&rest, '\n');
		CorpusRow *row = corpus->count ? &corpus->rows[corpus->count - 1] : NULL;
		uint64_t value;

		number++;
		if (!line.len || *line.data == '#')
			continue;
		if (take_prefix(&line, "zone: ")) {
			zone = decode(corpus, line).data;
		} else if (take_prefix(&line, "year: ")) {
			if (number_parse_u64(line, 9999, &value))
				die(name, number, "that is no year");
			year = (int)value;
			reference_us = 0;
		} else if (take_prefix(&line, "reference: ")) {
			if (!corpus_read_time(decode(corpus, line).data, &reference_us))
				die(name, number, "that is no time");
			year = 0;
		} else if (take_prefix(&line, "line: ")) {
			corpus->rows = check_alloc(reallocarray(
				corpus->rows, corpus->count + 1, sizeof(*corpus->rows)));
			corpus->rows[corpus->count++] = (CorpusRow){
				.file = file,
				.number = number,
				.zone = zone,
				.year = year,
				.reference_us = reference_us,
				.line = decode(corpus, line),
			};
		} else if (row && row->file == file && !row->has_want &&
			   take_prefix(&line, "want: ")) {
			read_want(corpus, row, line);
		} else {
			die(name, number,
				"this is neither line:, want:, zone:, year: nor reference:");
		}
	}
}

static int is_corpus_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".txt");
}

void corpus_load(Corpus *ret_corpus)
{
	const char *root = getenv("MLS_SOURCE_ROOT");
	_cleanup_free_ char *directory =
		check_alloc(file_join_dup(root ? root : ".", "test/corpus"));
	struct dirent **entries = NULL;
	Corpus corpus = {0};
	int n = scandir(directory, &entries, is_corpus_file, alphasort);

	if (n <= 0)
		die(directory, 0, "no files there (set MLS_SOURCE_ROOT)");
	for (int i = 0; i < n; i++) {
		read_file(&corpus, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	*ret_corpus = corpus;
}

void corpus_done(Corpus *corpus)
{
	for (size_t i = 0; i < corpus->block_count; i++)
		free(corpus->blocks[i]);
	free(corpus->blocks);
	free(corpus->rows);
	*corpus = (Corpus){0};
}

/* A blank at either end would get lost in an editor. */
static void append_field(StrBuf *sb, const char *key, Span value)
{
	bool blank_at_end = value.len > 1 && value.data[value.len - 1] == ' ';

	if (!value.data)
		return;
	strbuf_appendf(sb, "\t%s=", key);
	value.len -= blank_at_end;
	if (value.len && *value.data == ' ') {
		strbuf_append_string(sb, "\\x20");
		value.data++;
		value.len--;
	}
	utf8_append_escaped(sb, value);
	if (blank_at_end)
		strbuf_append_string(sb, "\\x20");
}

void corpus_append_want(StrBuf *sb, const AuthEvent *event)
{
	char ip[IP_TEXT_MAX];

	strbuf_append_string(sb, event_kind_name(event->kind));
	if (event->has_time) {
		time_t seconds = (time_t)(event->time_us / 1000000);
		char text[64];
		struct tm tm;

		if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%FT%T", &tm))
			strbuf_appendf(
				sb, "\ttime=%s.%06dZ", text, (int)(event->time_us % 1000000));
	}
	append_field(sb, "server", event->server);
	append_field(sb, "service", event->service);
	if (event->kind != EVENT_OTHER) {
		ipaddr_format(&event->ip, ip);
		append_field(sb, "ip", span_from_string(ip));
	}
	append_field(sb, "client", event->client);
	append_field(sb, "method", event->method);
	append_field(sb, "reason", event->reason);
	append_field(sb, "user", event->user);
	if (event->count != 1)
		strbuf_appendf(sb, "\tcount=%u", event->count);
	if (event->repeat_capped)
		strbuf_append_string(sb, "\tcapped");
}
