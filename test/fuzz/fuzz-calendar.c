/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Times: the first byte chooses a zone, then come an instant, a date with a time, and when a log was written. Ours against
 * the C library's; and what is written can be read back, by the parser of log lines as well.
 */

#include "fuzz.h"

#include "parse/header.h"

static const char *const zones[] = {"UTC", "Europe/Berlin", "America/St_Johns",
	"Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Africa/Monrovia",
	"Africa/Casablanca", "Europe/Dublin", "America/New_York", "CCC-14:59:59",
	"AAA12BBB,J60/-167,300/167", "Antarctica/Troll", "Pacific/Kwajalein"};

static bool same_civil(const CivilTime *civil, const struct tm *tm)
{
	return civil->year == tm->tm_year + 1900 && civil->month == tm->tm_mon + 1 &&
	       civil->day == tm->tm_mday && civil->hour == tm->tm_hour &&
	       civil->minute == tm->tm_min && civil->second == tm->tm_sec;
}

static bool has_text_form(const CivilTime *civil)
{
	return civil->year >= 0 && civil->year <= 9999;
}

/* The line's stamp must be the instant; a zone with seconds in its offset can't be written. */
static void check_stamp(LocalZone *zone, int64_t time_us)
{
	StampContext context = {0};
	char stamp[CALENDAR_ISO_MAX], line[CALENDAR_ISO_MAX + 16];
	LineHeader header;

	HOLDS(calendar_format_iso(zone, time_us, stamp) == strlen(stamp));
	if (local_zone_offset(zone, time_us) % 60)
		return;
	(void)snprintf(line, sizeof(line), "%s mx1 t: m", stamp);
	HOLDS(!header_parse(&context, span_from_string(line), &header));
	HOLDS(header.has_time && header.time_us == time_us);
}

static void check_instant(int64_t time_us)
{
	LocalZone zone = {0};
	time_t t = (time_t)(time_us / USEC_PER_SEC);
	char text[CALENDAR_MINUTE_MAX];
	CivilTime civil;
	struct tm tm;
	int64_t back_us;

	HOLDS(localtime_r(&t, &tm));
	local_zone_civil(&zone, time_us, &civil);
	HOLDS(same_civil(&civil, &tm));
	HOLDS(local_zone_offset(&zone, time_us) == (int32_t)tm.tm_gmtoff);
	HOLDS(calendar_date_valid(civil.year, civil.month, civil.day));
	HOLDS(calendar_format_minute(&zone, time_us, text) == strlen(text));
	/* It is, so it is found; of two that are written alike the first. */
	HOLDS(!local_zone_instant(&zone, &civil, &back_us));
	HOLDS(back_us <= time_us && time_us - back_us <= 86400 * USEC_PER_SEC);
	t = (time_t)(back_us / USEC_PER_SEC);
	HOLDS(localtime_r(&t, &tm) && same_civil(&civil, &tm));
	if (has_text_form(&civil) && civil.year > 0 && civil.year < 9999)
		check_stamp(&zone, time_us);
}

static void check_civil(const CivilTime *civil)
{
	LocalZone warm = {0}, fresh = {0};
	int64_t time_us, again_us;
	struct tm tm = {.tm_year = civil->year - 1900,
		.tm_mon = civil->month - 1,
		.tm_mday = civil->day,
		.tm_hour = civil->hour,
		.tm_min = civil->minute,
		.tm_sec = MIN(civil->second, 59)};
	CivilTime back;
	time_t utc;

	if (local_zone_instant(&warm, civil, &time_us))
		return;
	HOLDS(calendar_date_valid(civil->year, civil->month, civil->day));
	HOLDS(civil->hour < 24 && civil->minute < 60 && civil->second <= 60);
	utc = timegm(&tm);
	HOLDS(llabs((long long)utc - time_us / USEC_PER_SEC) <= 86400);
	HOLDS(calendar_days(civil->year, civil->month, civil->day) * 86400 + civil->hour * 3600 +
			civil->minute * 60 + MIN(civil->second, 59) ==
		utc);
	/* A clock that went forward leaves out at most a day. */
	local_zone_civil(&fresh, time_us, &back);
	HOLDS(!local_zone_instant(&fresh, &back, &again_us) && again_us <= time_us);
	HOLDS(!local_zone_instant(&warm, civil, &again_us) && again_us == time_us);
}

/* A stamp without year means the instant when the log was written at most a year later. */
static void check_year_guess(int64_t time_us, int64_t later_us)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	StampContext context = {.reference_us = time_us + later_us % (360 * 86400 * USEC_PER_SEC)};
	LocalZone zone = {0};
	LineHeader header;
	CivilTime civil;
	int64_t expected_us;
	char line[64];

	local_zone_civil(&zone, time_us, &civil);
	HOLDS(!local_zone_instant(&zone, &civil, &expected_us));
	(void)snprintf(line, sizeof(line), "%.3s %2d %02d:%02d:%02d mx1 t: m",
		months + (civil.month - 1) * 3, civil.day, civil.hour, civil.minute, civil.second);
	for (int i = 0; i < 2; i++) { /* then from its cache */
		HOLDS(!header_parse(&context, span_from_string(line), &header));
		HOLDS(header.has_time && header.time_us == expected_us);
	}
}

FUZZ_TARGET(calendar)
{
	FuzzInput input = {data, size};
	CivilTime civil;
	int64_t time_us, later_us;

	fuzz_set_zone(zones[fuzz_take(&input, 1) % ARRAY_SIZE(zones)]);
	/* 40 bits with a sign: 17,000 years to either side */
	time_us = ((int64_t)(fuzz_take(&input, 5) << 24) >> 24) * USEC_PER_SEC;
	later_us = (int64_t)fuzz_take(&input, 4) * USEC_PER_SEC;
	civil.year = (int16_t)fuzz_take(&input, 2);
	civil.month = (int)fuzz_take(&input, 1);
	civil.day = (int)fuzz_take(&input, 1);
	civil.hour = (int)fuzz_take(&input, 1);
	civil.minute = (int)fuzz_take(&input, 1);
	civil.second = (int)fuzz_take(&input, 1);
	check_instant(time_us);
	check_civil(&civil);
	if (time_us > 0)
		check_year_guess(time_us, later_us);
	return 0;
}
