/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parse/header.h"

#include <time.h>

#include "random.h"
#include "tap.h"

/* What the corpus does not show: where the message begins. The corpus has the forms of the stamps. */
static const struct {
	const char *line;
	const char *server, *tag, *message; /* NULL: missing */
} rows[] = {
	{"Nov 22 12:55:02 mx1 postfix/smtpd[1]: hello", "mx1", "postfix/smtpd", "hello"},
	{"Nov 22 12:55:02 mx1 postfix/smtpd[1]:hello", "mx1", "postfix/smtpd", "hello"},
	{"Nov 22 12:55:02 mx1 postfix/smtpd[1]:   hello ", "mx1", "postfix/smtpd", "hello "},
	{"Nov 22 12:55:02 mx1 postfix/smtpd[1] hello", "mx1", "postfix/smtpd", "hello"},
	{"Nov 22 12:55:02 mx1 postfix/smtpd: hello", "mx1", "postfix/smtpd", "hello"},
	{"Nov 22 12:55:02 mx1 postfix/smtpd: [x]: hello", "mx1", "postfix/smtpd", "[x]: hello"},
	{"Nov 22 12:55:02 mx1 postfix/smtpd hello: x", "mx1", "postfix/smtpd", "hello: x"},
	{"Nov 22 12:55:02 mx1 postfix/smtpd[1]: a: b: c", "mx1", "postfix/smtpd", "a: b: c"},
	{"Nov 22 12:55:02 mx1 postfix/smtpd[1]: ", "mx1", "postfix/smtpd", ""},
	{"Nov 22 12:55:02 mx1 postfix/smtpd[1]", "mx1", "postfix/smtpd", ""},
	{"Nov 22 12:55:02 mx1 postfix/smtpd[1", "mx1", "postfix/smtpd", ""},
	{"Nov 22 12:55:02 mx1 postfix/smtpd[", "mx1", "postfix/smtpd", ""},
	{"Nov 22 12:55:02 mx1 [1]: hello", "mx1", NULL, "hello"},
	{"Nov 22 12:55:02 mx1 : hello", "mx1", NULL, "hello"},
	{"Nov 22 12:55:02  mx1  postfix/smtpd[1]: hello", "mx1", "postfix/smtpd", "hello"},
	{"Nov 22 12:55:02 mx1 kernel: [12.5] hello", "mx1", "kernel", "[12.5] hello"},
	{"Nov 22 12:55:02 mx1 mail.info", "mx1", NULL, ""},
	{"Nov 22 12:55:02 mx1 mail.info x: y", "mx1", "x", "y"},
	{"Nov 22 12:55:02 mx1 .info x: y", "mx1", ".info", "x: y"},
	{"Nov 22 12:55:02 mx1 mail.informative x: y", "mx1", "mail.informative", "x: y"},
	{"Nov 22 12:55:02 mx1 x[1]: [ID 1 mail.info] y", "mx1", "x", "y"},
	{"Nov 22 12:55:02 mx1 x[1]: [ID 1 mail.info", "mx1", "x", "[ID 1 mail.info"},
	{"Nov 22 12:55:02 mx1 x[1]: [IDENT] y", "mx1", "x", "[IDENT] y"},
	{"Nov 22 12:55:02 <22> mx1 x: y", "mx1", "x", "y"},
	{"Nov 22 12:55:02 <22 y: z", "<22", "y", "z"},
	{"Nov 22 12:55:02 <> x: y", "<>", "x", "y"},
	{"Nov 22 12:55:02 x: y", NULL, "x", "y"},
	{"Nov 22 12:55:02", NULL, NULL, ""},
	{"2026-11-22T12:50:29Z", NULL, NULL, ""},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 - - y", "mx1", "x", "y"},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 - -", "mx1", "x", ""},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 -", "mx1", "x", ""},
	{"<22>1 2026-11-22T12:50:29Z mx1 x:y[1] 1 - - z", "mx1", "x", "z"},
	{"<22>1 2026-11-22T12:50:29Z - - - - - z", NULL, NULL, "z"},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 - [a b=\"]\\\"]\"] z", "mx1", "x", "z"},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 - [a][b] z", "mx1", "x", "z"},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 - [a b=\"] z", "mx1", "x", ""},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 - [a \\", "mx1", "x", ""},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 - [a \"\\", "mx1", "x", ""},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 - - \xef\xbb\xbfz", "mx1", "x", "z"},
	{"<22>1 2026-11-22T12:50:29Z mx1 x 1 - - \xef\xbbz", "mx1", "x", "\xef\xbbz"},
};

static void test_rows(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		StampContext context = {.year = 2026};
		LineHeader header = {0};
		int r = header_parse(&context, span_from_string(rows[i].line), &header);

		if (!tap_ok(!r && header.has_time &&
				    span_equal_string(header.server, rows[i].server) &&
				    span_equal_string(header.tag, rows[i].tag) &&
				    span_equal_string(header.message, rows[i].message),
			    "%s", rows[i].line))
			tap_note("%d '%.*s' '%.*s' '%.*s'", r, (int)header.server.len,
				header.server.data, (int)header.tag.len, header.tag.data,
				(int)header.message.len, header.message.data);
	}
}

static void set_zone(const char *tz)
{
	if (setenv("TZ", tz, 1))
		abort();
	tzset();
}

static bool same_time(const LineHeader *a, const LineHeader *b)
{
	return a->has_time == b->has_time && (!a->has_time || a->time_us == b->time_us);
}

/* One context for all lines, whatever changes between them, against a new one for each. */
static void test_caches(Random *random)
{
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	StampContext kept = {0};
	char line[64] = "";
	size_t wrong = 0;

	set_zone("Australia/Lord_Howe");
	for (int i = random_rounds(100000); i > 0; i--) {
		StampContext fresh = {0};
		LineHeader a = {0}, b = {0};

		if (random_below(random, 8) == 0)
			kept.year =
				random_below(random, 2) ? 2000 + (int)random_below(random, 40) : 0;
		if (random_below(random, 8) == 0)
			kept.reference_us = 946684800000000 +
					    (int64_t)random_below(random, 1262304000) * 1000000;
		if (random_below(random, 8) == 0)
			snprintf(line, sizeof(line), "2026-%02u-%02uT%02u:%02u:%02u mx1 x: y",
				random_below(random, 14), random_below(random, 35),
				random_below(random, 25), random_below(random, 61),
				random_below(random, 62));
		else if (random_below(random, 4) || !*line)
			snprintf(line, sizeof(line), "%s %2u %02u:%02u:%02u mx1 x: y",
				months[random_below(random, 3)], random_below(random, 36),
				random_below(random, 4), random_below(random, 2),
				random_below(random, 62));
		fresh.year = kept.year;
		fresh.reference_us = kept.reference_us;
		if (header_parse(&kept, span_from_string(line), &a) ||
			header_parse(&fresh, span_from_string(line), &b) || !same_time(&a, &b)) {
			if (wrong++ < 3)
				tap_note("year %d reference %" PRId64 ": %s", fresh.year,
					fresh.reference_us, line);
		}
	}
	tap_ok(!wrong, "what is cached is what would be read");
}

/* The last second that a line may lie ahead is in the middle of a minute, which has two years then. */
static void test_minute_of_the_limit(void)
{
	static const struct {
		const char *line;
		int64_t seconds;
	} stamps[] = {
		{"Jan  3 10:00:30 mx1 x: y", 1798970430},
		{"Jan  3 10:00:31 mx1 x: y", 1798970431 - 365 * 86400},
		{"Jan  3 10:00:00 mx1 x: y", 1798970400},
		{"Jan  3 10:00:59 mx1 x: y", 1798970459 - 365 * 86400},
	};
	StampContext context = {.reference_us = 1798884030000000};
	size_t wrong = 0;

	set_zone("UTC");
	for (size_t i = 0; i < ARRAY_SIZE(stamps); i++) {
		LineHeader header = {0};

		wrong += header_parse(&context, span_from_string(stamps[i].line), &header) ||
			 header.time_us != stamps[i].seconds * 1000000;
	}
	tap_ok(!wrong, "a minute in which the year changes is not cached");
}

/* The rule itself by trying every year with libc's calendar. */
static void test_years(Random *random)
{
	size_t wrong = 0;

	set_zone("UTC");
	for (int i = random_rounds(50000); i > 0; i--) {
		int64_t reference_s = (int64_t)random_below(random, 4000000000);
		/* mostly close to the limit */
		time_t stamp =
			(time_t)(reference_s + 86400 -
				 (random_below(random, 2)
						 ? (int64_t)random_below(random, 200000) - 100000
						 : (int64_t)random_below(random, 40000000)));
		StampContext context = {.reference_us = reference_s * 1000000};
		int64_t want_us = INT64_MIN;
		LineHeader header = {0};
		char line[64];
		struct tm tm;

		if (!gmtime_r(&stamp, &tm) || !strftime(line, sizeof(line), "%b %e %H:%M:%S", &tm))
			abort();
		for (int year = 1940; year < 2110; year++) {
			struct tm try = {.tm_year = year - 1900,
				.tm_mon = tm.tm_mon,
				.tm_mday = tm.tm_mday,
				.tm_hour = tm.tm_hour,
				.tm_min = tm.tm_min,
				.tm_sec = tm.tm_sec};
			int64_t time_us = (int64_t)timegm(&try) * 1000000;

			if (try.tm_mday == tm.tm_mday && time_us <= (reference_s + 86400) * 1000000)
				want_us = time_us;
		}
		if (header_parse(&context, span_from_string(line), &header) || !header.has_time ||
			header.time_us != want_us) {
			if (wrong++ < 3)
				tap_note("reference %" PRId64 ": %s", reference_s, line);
		}
	}
	tap_ok(!wrong, "the year is the newest that is not more than a day ahead");
}

int main(void)
{
	Random random = random_seeded();

	test_rows();
	test_caches(&random);
	test_minute_of_the_limit();
	test_years(&random);
	return tap_done();
}
