/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the tests of the address databases share: files in memory, answers as text, repeatable
 * random numbers.
 */

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "base/file.h"
#include "enrich/geodb.h"
#include "store/csv.h"

enum { COUNTRY = GEO_COUNTRY, ASN = GEO_ASN };

static const GeoText geo_csv_text = {csv_append_place, CSV_PLACE_VERSION};

/* A file in memory, and a path to it that holds as long as the descriptor is open. */
__attribute__((unused)) static int memory_file(Span content, char path[64])
{
	int fd = memfd_create("database", MFD_CLOEXEC);

	if (fd < 0 || file_write_full(fd, content.data, content.len) < 0)
		abort();
	(void)snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* Opens content as a database of one kind; path is what the messages then name. */
__attribute__((unused)) static int open_database(
	Span content, int kind, GeoDb **ret_db, char path[64], Why *ret_why)
{
	_cleanup_close_ int fd = memory_file(content, path);
	GeoPaths paths = {{NULL}};

	paths.path[kind] = path;
	return geodb_build(&paths, &geo_csv_text, ret_db, ret_why);
}

/* "US64500 Organisation": what the address gets, without what is unknown. */
__attribute__((unused)) static void describe(const GeoDb *db, const char *address, StrBuf *sb)
{
	GeoRecord record;
	IpAddr addr;

	strbuf_reset(sb);
	if (ipaddr_parse(span_from_string(address), &addr) < 0)
		abort();
	geodb_lookup(db, &addr, &record);
	strbuf_append_string(sb, record.country_code);
	if (record.asn)
		strbuf_append_u64(sb, record.asn);
	if (record.organisation.data) {
		strbuf_append_char(sb, ' ');
		strbuf_append_span(sb, record.organisation);
	}
}

/* Whether all of "ADDRESS=ANSWER|ADDRESS=ANSWER..." are so; notes those that are not. */
__attribute__((unused)) static bool answers_are(const GeoDb *db, const char *expectation)
{
	_cleanup_strbuf_ StrBuf got = STRBUF_INIT;
	_cleanup_free_ char *copy = strdup(expectation);
	char *rest = copy, *query;
	bool right = true;

	while ((query = strsep(&rest, "|"))) {
		char *expected = strchr(query, '=');

		*expected++ = '\0';
		describe(db, query, &got);
		if (!strcmp(strbuf_text(&got), expected))
			continue;
		right = false;
		printf("# %s is '%s', not '%s'\n", query, strbuf_text(&got), expected);
	}
	return right;
}

static uint64_t random_state;

/* Starts the random numbers from MLS_SEED, and prints it. */
__attribute__((unused)) static void random_start(void)
{
	const char *seed = getenv("MLS_SEED");

	random_state = seed ? strtoull(seed, NULL, 10) : 20261122;
	printf("# seed %llu\n", (unsigned long long)random_state);
	random_state = random_state * 0x9e3779b97f4a7c15ULL + 1;
}

/* splitmix64: the same numbers on every machine. */
__attribute__((unused)) static uint64_t random_u64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

__attribute__((unused)) static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_u64() >> 32) * n >> 32);
}

/* The last field of a line, its quotes undone where it stands. */
__attribute__((unused)) static char *unquote(char *p)
{
	char *from = p, *to = p;

	if (*p != '"')
		return p;
	for (from++; *from; from++) {
		if (from[0] == '"' && from[1] != '"')
			break;
		from += *from == '"';
		*to++ = *from;
	}
	*to = '\0';
	return p;
}

__attribute__((unused)) static double cpu_seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/*
 * $MLS_TEST_DATA, or where test/fetch-data puts the files when nothing is said; heap memory;
 * NULL: they are not there.
 */
__attribute__((unused)) static char *test_data_directory(void)
{
	const char *data = getenv("MLS_TEST_DATA"), *tests = getenv("MLS_TEST_CACHE");
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	_cleanup_strbuf_ StrBuf path = STRBUF_INIT;
	_cleanup_free_ char *probe = NULL;

	if (data)
		strbuf_append_string(&path, data);
	else if (tests)
		strbuf_appendf(&path, "%s/data", tests);
	else if (cache)
		strbuf_appendf(&path, "%s/maillogsentinel-test/data", cache);
	else
		strbuf_appendf(&path, "%s/.cache/maillogsentinel-test/data", home ? home : "/root");
	probe = file_join_dup(strbuf_text(&path), "asn-ipv4.csv");
	return probe && !access(probe, R_OK) ? strbuf_take(&path) : NULL;
}
