/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/calendar.h"

#include <time.h>

#include "tap.h"

static void set_zone(const char *tz)
{
	if (setenv("TZ", tz, 1))
		abort();
	tzset();
}

static const struct {
	int year, month, day;
	bool valid;
	int64_t days;
} dates[] = {
	{1970, 1, 1, true, 0},
	{1969, 12, 31, true, -1},
	{2000, 2, 29, true, 11016},
	{2000, 3, 1, true, 11017},
	{2026, 11, 22, true, 20779},
	{1, 1, 1, true, -719162},
	{0, 2, 29, true, -719469},
	{9999, 12, 31, true, 2932896},
	{2024, 2, 29, true, 19782},
	{2023, 2, 29, false, 0},
	{1900, 2, 29, false, 0},
	{2100, 2, 29, false, 0},
	{2026, 4, 31, false, 0},
	{2026, 1, 32, false, 0},
	{2026, 1, 0, false, 0},
	{2026, 0, 1, false, 0},
	{2026, 13, 1, false, 0},
	{2026, -1, 1, false, 0},
	{2026, 1, -1, false, 0},
};

/* Civil time to instant; every instant was taken from `date -d` of coreutils or from the zone's rules. */
static const struct {
	const char *tz;
	CivilTime civil;
	int64_t seconds;
	const char *text; /* what the instant formats as; NULL: not a date and time */
} instants[] = {
	{"UTC", {2026, 11, 22, 12, 50, 29}, 1795351829, "2026-11-22T12:50:29+00:00"},
	{"UTC", {1969, 12, 31, 23, 59, 59}, -1, "1969-12-31T23:59:59+00:00"},
	{"UTC", {2016, 12, 31, 23, 59, 60}, 1483228799, "2016-12-31T23:59:59+00:00"},
	{"UTC", {2026, 11, 22, 24, 0, 0}, 0, NULL},
	{"UTC", {2026, 11, 22, 0, 60, 0}, 0, NULL},
	{"UTC", {2026, 11, 22, 0, 0, 61}, 0, NULL},
	{"UTC", {2026, 11, 22, -1, 0, 0}, 0, NULL},
	{"UTC", {2026, 11, 22, 0, -1, 0}, 0, NULL},
	{"UTC", {2026, 11, 22, 0, 0, -1}, 0, NULL},
	{"UTC", {2025, 2, 29, 0, 0, 0}, 0, NULL},
	{"UTC", {2000000000, 1, 1, 0, 0, 0}, 0, NULL},
	{"Europe/Berlin", {2026, 7, 1, 12, 0, 0}, 1782900000, "2026-07-01T12:00:00+02:00"},
	{"Europe/Berlin", {2026, 1, 1, 0, 0, 0}, 1767222000, "2026-01-01T00:00:00+01:00"},
	/* clocks go from 02:00 to 03:00 at 01:00Z */
	{"Europe/Berlin", {2026, 3, 29, 1, 59, 59}, 1774745999, "2026-03-29T01:59:59+01:00"},
	{"Europe/Berlin", {2026, 3, 29, 2, 0, 0}, 1774746000, "2026-03-29T03:00:00+02:00"},
	{"Europe/Berlin", {2026, 3, 29, 2, 30, 0}, 1774747800, "2026-03-29T03:30:00+02:00"},
	{"Europe/Berlin", {2026, 3, 29, 3, 0, 0}, 1774746000, "2026-03-29T03:00:00+02:00"},
	/* and from 03:00 back to 02:00 at 01:00Z */
	{"Europe/Berlin", {2026, 10, 25, 2, 0, 0}, 1792886400, "2026-10-25T02:00:00+02:00"},
	{"Europe/Berlin", {2026, 10, 25, 2, 59, 59}, 1792889999, "2026-10-25T02:59:59+02:00"},
	{"Europe/Berlin", {2026, 10, 25, 3, 0, 0}, 1792893600, "2026-10-25T03:00:00+01:00"},
	/* half an hour only: 02:00 to 02:30 on 2026-10-04, 02:00 back to 01:30 on 2026-04-05 */
	{"Australia/Lord_Howe", {2026, 10, 4, 1, 59, 0}, 1791041340, "2026-10-04T01:59:00+10:30"},
	{"Australia/Lord_Howe", {2026, 10, 4, 2, 29, 0}, 1791043140, "2026-10-04T02:59:00+11:00"},
	{"Australia/Lord_Howe", {2026, 10, 4, 2, 30, 0}, 1791041400, "2026-10-04T02:30:00+11:00"},
	{"Australia/Lord_Howe", {2026, 4, 5, 1, 45, 0}, 1775313900, "2026-04-05T01:45:00+11:00"},
	{"Australia/Lord_Howe", {2026, 4, 5, 2, 0, 0}, 1775316600, "2026-04-05T02:00:00+10:30"},
	/* 00:01 local: not at a quarter of an hour; both sides of it in one quarter */
	{"America/St_Johns", {2010, 3, 14, 0, 0, 59}, 1268537459, "2010-03-14T00:00:59-03:30"},
	{"America/St_Johns", {2010, 3, 14, 1, 1, 0}, 1268537460, "2010-03-14T01:01:00-02:30"},
	{"America/St_Johns", {2010, 11, 6, 23, 0, 59}, 1289093459, "2010-11-06T23:00:59-02:30"},
	{"America/St_Johns", {2010, 11, 6, 23, 1, 0}, 1289093460, "2010-11-06T23:01:00-02:30"},
	{"America/St_Johns", {2010, 11, 7, 0, 0, 59}, 1289097059, "2010-11-07T00:00:59-02:30"},
	{"America/St_Johns", {2010, 11, 7, 0, 1, 0}, 1289100660, "2010-11-07T00:01:00-03:30"},
	/* 30 December 2011 never was */
	{"Pacific/Apia", {2011, 12, 29, 23, 59, 59}, 1325239199, "2011-12-29T23:59:59-10:00"},
	{"Pacific/Apia", {2011, 12, 30, 12, 0, 0}, 1325282400, "2011-12-31T12:00:00+14:00"},
	{"Pacific/Apia", {2011, 12, 31, 0, 0, 0}, 1325239200, "2011-12-31T00:00:00+14:00"},
	{"Asia/Kathmandu", {2026, 5, 5, 5, 45, 0}, 1777939200, "2026-05-05T05:45:00+05:45"},
	{"America/Los_Angeles", {2026, 5, 5, 5, 45, 0}, 1777985100, "2026-05-05T05:45:00-07:00"},
	{"<-00>-0:15", {1970, 1, 1, 0, 0, 0}, -900, "1970-01-01T00:00:00+00:15"},
	{"<-00>0:15", {1970, 1, 1, 0, 0, 0}, 900, "1970-01-01T00:00:00-00:15"},
};

static void test_instants(void)
{
	LocalZone zone = {0};
	const char *tz = "";

	for (size_t i = 0; i < ARRAY_SIZE(instants); i++) {
		const CivilTime *c = &instants[i].civil;
		char text[CALENDAR_ISO_MAX] = "";
		int64_t time_us = 42;
		int r;

		if (strcmp(tz, instants[i].tz)) {
			tz = instants[i].tz;
			set_zone(tz);
			zone = (LocalZone){0};
		}
		r = local_zone_instant(&zone, c, &time_us);
		if (!instants[i].text) {
			tap_ok(r == -EINVAL && time_us == 42, "row %zu is no date and time", i);
			continue;
		}
		if (!r)
			calendar_format_iso(&zone, time_us, text);
		if (!tap_ok(!r && time_us == instants[i].seconds * USEC_PER_SEC &&
				    !strcmp(text, instants[i].text),
			    "%04d-%02d-%02d %02d:%02d:%02d in %s", c->year, c->month, c->day,
			    c->hour, c->minute, c->second, tz))
			tap_note("got %" PRId64 " us, '%s'", time_us, text);
	}
}

/* The cache against localtime_r itself: every 7 minutes and 13 seconds through three years. */
static void test_against_libc(const char *tz, int64_t from_s, int64_t until_s)
{
	LocalZone zone = {0};
	int64_t wrong = 0, not_back = 0, step = getenv("MLS_TEST_SMALL") ? 17321 : 433;

	set_zone(tz);
	for (int64_t s = from_s; s < until_s; s += step) {
		time_t t = (time_t)s;
		CivilTime civil;
		struct tm tm;
		int64_t back_us = 0;
		int32_t offset_s;

		if (!localtime_r(&t, &tm))
			abort();
		offset_s = local_zone_offset(&zone, s * USEC_PER_SEC + 999999);
		local_zone_civil(&zone, s * USEC_PER_SEC, &civil);
		wrong += offset_s != tm.tm_gmtoff || civil.year != tm.tm_year + 1900 ||
			 civil.month != tm.tm_mon + 1 || civil.day != tm.tm_mday ||
			 civil.hour != tm.tm_hour || civil.minute != tm.tm_min ||
			 civil.second != tm.tm_sec;
		/* an instant comes back as itself, or as the first of an hour that comes twice */
		if (local_zone_instant(&zone, &civil, &back_us) ||
			(back_us != s * USEC_PER_SEC &&
				(back_us > s * USEC_PER_SEC ||
					back_us < (s - 7200) * USEC_PER_SEC)))
			not_back++;
	}
	tap_ok(!wrong, "%s: civil times are those of localtime_r", tz);
	tap_ok(!not_back, "%s: civil times lead back", tz);
}

static const struct {
	int64_t time_us;
	const char *minute, *iso;
} extremes[] = {
	{0, "1970-01-01 00:00", "1970-01-01T00:00:00+00:00"},
	{-1, "1969-12-31 23:59", "1969-12-31T23:59:59+00:00"},
	{1747483500999999, "2025-05-17 12:05", "2025-05-17T12:05:00+00:00"},
	{951825600000000, "2000-02-29 12:00", "2000-02-29T12:00:00+00:00"},
	{951868800000000, "2000-03-01 00:00", "2000-03-01T00:00:00+00:00"},
	{253402300799999999, "9999-12-31 23:59", "9999-12-31T23:59:59+00:00"},
	{253402300800000000, "10000-01-01 00:00", "10000-01-01T00:00:00+00:00"},
	{INT64_MAX, "294247-01-10 04:00", "294247-01-10T04:00:54+00:00"},
	{INT64_MIN, "-290308-12-21 19:59", "-290308-12-21T19:59:05+00:00"},
	{-62167219200000001, "-0001-12-31 23:59", "-0001-12-31T23:59:59+00:00"},
};

static void test_parse_date(void)
{
	static const struct {
		const char *text;
		int year, month, day; /* 0: it is none */
	} texts[] = {
		{"2026-11-22", 2026, 11, 22},
		{"0001-01-01", 1, 1, 1},
		{"9999-12-31", 9999, 12, 31},
		{"2024-02-29", 2024, 2, 29},
		{.text = "2026-02-29"},
		{.text = "2026-13-01"},
		{.text = "2026-00-01"},
		{.text = "2026-1-22"},
		{.text = "2026-11-2"},
		{.text = "2026-11-222"},
		{.text = "2026/11/22"},
		{.text = "2026-11-22 "},
		{.text = " 026-11-22"},
		{.text = "-026-11-22"},
		{.text = "2026-+1-22"},
		{.text = "yesterday!"},
		{.text = ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CivilTime date = {.hour = 5};
		int r = calendar_parse_date(span_from_string(texts[i].text), &date);

		tap_ok(texts[i].year
				? !r && date.year == texts[i].year &&
					  date.month == texts[i].month &&
					  date.day == texts[i].day && !date.hour && !date.minute
				: r == -EINVAL && date.hour == 5,
			"date \"%s\"", texts[i].text);
	}
}

int main(void)
{
	LocalZone zone = {0};

	for (size_t i = 0; i < ARRAY_SIZE(dates); i++) {
		bool valid = calendar_date_valid(dates[i].year, dates[i].month, dates[i].day);

		tap_ok(valid == dates[i].valid &&
				(!valid || calendar_days(dates[i].year, dates[i].month,
						   dates[i].day) == dates[i].days),
			"%d-%d-%d", dates[i].year, dates[i].month, dates[i].day);
	}

	test_parse_date();
	set_zone("UTC");
	for (size_t i = 0; i < ARRAY_SIZE(extremes); i++) {
		char minute[CALENDAR_MINUTE_MAX], iso[CALENDAR_ISO_MAX];
		size_t minute_len = calendar_format_minute(&zone, extremes[i].time_us, minute);
		size_t iso_len = calendar_format_iso(&zone, extremes[i].time_us, iso);

		if (!tap_ok(!strcmp(minute, extremes[i].minute) && minute_len == strlen(minute) &&
				    !strcmp(iso, extremes[i].iso) && iso_len == strlen(iso),
			    "%" PRId64 " us is %s", extremes[i].time_us, extremes[i].iso))
			tap_note("got '%s' '%s'", minute, iso);
	}

	test_instants();
	test_against_libc("Europe/Berlin", 1735689600, 1830297600);
	test_against_libc("Australia/Lord_Howe", 1735689600, 1830297600);
	test_against_libc("America/St_Johns", 1199145600, 1293840000);
	test_against_libc("Pacific/Apia", 1293840000, 1356998400);

	set_zone("Europe/Berlin");
	zone = (LocalZone){0};
	local_zone_offset(&zone, 1795351829000000);
	if (setenv("TZ", "Asia/Tokyo", 1))
		abort();
	tap_ok(local_zone_offset(&zone, 1795351829000000 + 3600000000) == 9 * 3600,
		"a new zone is seen when the cache is refilled");
	return tap_done();
}
