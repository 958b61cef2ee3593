/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * How fast a log is read: the corpus written again and again into 200 MB (MLS_BENCH_MB), searched
 * from needle to needle and parsed; and the same bytes without a needle, which is what most of a
 * log is. Best of five passes.
 */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "corpus.h"
#include "parse/postfix.h"

#define PASSES 5

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void show(const char *what, double seconds, size_t bytes, size_t lines, size_t found)
{
	printf("%-44s %8.0f MB/s %8.2f M lines/s  %6.1f ns/line  %zu found\n", what,
		(double)bytes / seconds / 1e6, (double)lines / seconds / 1e6,
		seconds * 1e9 / (double)lines, found);
}

static size_t search(const char *data, size_t len)
{
	const char *end = data + len, *at = data;
	size_t found = 0;

	while ((at = postfix_find_candidate(at, (size_t)(end - at)))) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			break;
		found++;
	}
	return found;
}

/* What the reader of a log does: to the needle, to the line's ends, parse. */
static size_t search_and_parse(const char *data, size_t len)
{
	StampContext context = {.year = 2026};
	const char *end = data + len, *at = data;
	size_t found = 0;

	while ((at = postfix_find_candidate(at, (size_t)(end - at)))) {
		const char *start = memrchr(data, '\n', (size_t)(at - data));
		AuthEvent event;

		start = start ? start + 1 : data;
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			break;
		postfix_parse_line(&context, (Span){start, (size_t)(at - start)}, &event);
		found += event.kind != EVENT_OTHER;
	}
	return found;
}

static size_t parse_all(const char *data, size_t len)
{
	StampContext context = {.year = 2026};
	const char *end = data + len;
	size_t found = 0;

	while (data < end) {
		const char *newline = memchr(data, '\n', (size_t)(end - data));
		AuthEvent event;

		if (!newline)
			break;
		postfix_parse_line(&context, (Span){data, (size_t)(newline - data)}, &event);
		found += event.kind != EVENT_OTHER;
		data = newline + 1;
	}
	return found;
}

static void measure(const char *what, size_t (*run)(const char *, size_t), const char *data,
	size_t len, size_t lines)
{
	double best = 1e9;
	size_t found = 0;

	for (int i = 0; i < PASSES; i++) {
		double start = now();

		found = run(data, len);
		best = MIN(best, now() - start);
	}
	show(what, best, len, lines, found);
}

typedef enum Choice {
	ALL,
	WITHOUT_NEEDLE,
	LOGINS,
	LOGINS_ISO,
} Choice;

static bool chosen(const CorpusRow *row, Choice choice)
{
	bool iso = row->line.len > 10 && row->line.data[10] == 'T';

	if (strncmp(row->file, "postfix-", 8) != 0)
		return false;
	switch (choice) {
	case WITHOUT_NEEDLE: return !postfix_find_candidate(row->line.data, row->line.len);
	case LOGINS: return row->want.kind != EVENT_OTHER && !iso;
	case LOGINS_ISO: return row->want.kind != EVENT_OTHER && iso;
	default: return true;
	}
}

static size_t fill(const Corpus *corpus, Choice choice, char *data, size_t size, size_t *ret_lines)
{
	size_t len = 0, lines = 0;

	for (;;)
		for (size_t i = 0; i < corpus->count; i++) {
			const CorpusRow *row = &corpus->rows[i];

			if (!chosen(row, choice))
				continue;
			if (size - len < row->line.len + 1) {
				*ret_lines = lines;
				return len;
			}
			memcpy(data + len, row->line.data, row->line.len);
			len += row->line.len;
			data[len++] = '\n';
			lines++;
		}
}

int main(void)
{
	const char *text = getenv("MLS_BENCH_MB");
	size_t size = (text ? strtoul(text, NULL, 10) : 200) << 20, len, lines;
	_cleanup_free_ char *data = malloc(size);
	Corpus corpus;

	if (!data)
		return 1;
	corpus_load(&corpus);
	corpus_set_zone("Europe/Berlin");
	len = fill(&corpus, WITHOUT_NEEDLE, data, size, &lines);
	measure("search, no needle", search, data, len, lines);
	measure("search, no needle, in the cache (1 MB)", search, data, MIN(len, 1 << 20),
		lines * MIN(len, 1 << 20) / len);
	len = fill(&corpus, ALL, data, size, &lines);
	measure("search, real logs", search, data, len, lines);
	measure("search and parse, real logs", search_and_parse, data, len, lines);
	measure("parse every line, real logs", parse_all, data, len, lines);
	len = fill(&corpus, LOGINS, data, size, &lines);
	measure("parse, logins only, traditional stamps", parse_all, data, len, lines);
	len = fill(&corpus, LOGINS_ISO, data, size, &lines);
	measure("parse, logins only, RFC 3339 stamps", parse_all, data, len, lines);
	corpus_done(&corpus);
	return 0;
}
