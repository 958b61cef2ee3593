/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/calendar.h"

#include "base/number.h"

#include <time.h>

#define DAY_S 86400
#define SLOT_S 900 /* today's zones change their offset at quarters of an hour, if at all */

/*
 * Both conversions count in 400-year eras that start on 1 March, so that the leap day is the last
 * day of a year (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
 */
#define ERA_YEARS 400
#define ERA_DAYS 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

bool calendar_date_valid(int year, int month, int day)
{
	static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month < 1 || month > 12 || day < 1)
		return false;
	return day <= lengths[month - 1] + (month == 2 && is_leap(year));
}

int calendar_parse_date(Span text, CivilTime *ret_date)
{
	uint64_t year, month, day;

	if (text.len != 10 || text.data[4] != '-' || text.data[7] != '-' ||
		number_parse_u64((Span){text.data, 4}, 9999, &year) ||
		number_parse_u64((Span){text.data + 5, 2}, 12, &month) ||
		number_parse_u64((Span){text.data + 8, 2}, 31, &day) ||
		!calendar_date_valid((int)year, (int)month, (int)day))
		return -EINVAL;
	*ret_date = (CivilTime){.year = (int)year, .month = (int)month, .day = (int)day};
	return 0;
}

int64_t calendar_days(int year, int month, int day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = floor_div(y, ERA_YEARS);
	int64_t year_of_era = y - era * ERA_YEARS;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * ERA_DAYS + day_of_era - DAYS_TO_1970;
}

static void civil_from_seconds(int64_t seconds, CivilTime *ret_civil)
{
	int64_t days = floor_div(seconds, DAY_S);
	int rest = (int)(seconds - days * DAY_S);
	int64_t z = days + DAYS_TO_1970;
	int64_t era = floor_div(z, ERA_DAYS);
	int day_of_era = (int)(z - era * ERA_DAYS);
	int year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int from_march = (5 * day_of_year + 2) / 153;
	int month = from_march + (from_march < 10 ? 3 : -9);

	*ret_civil = (CivilTime){
		.year = (int)(year_of_era + era * ERA_YEARS) + (month <= 2),
		.month = month,
		.day = day_of_year - (153 * from_march + 2) / 5 + 1,
		.hour = rest / 3600,
		.minute = rest / 60 % 60,
		.second = rest % 60,
	};
}

/* An instant too far away for localtime_r (its year does not fit an int) is read as UTC. */
static int32_t system_offset(int64_t time_s)
{
	time_t t = (time_t)time_s;
	struct tm tm;

	return localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

int32_t local_zone_offset(LocalZone *zone, int64_t time_us)
{
	int64_t time_s = floor_div(time_us, USEC_PER_SEC);

	if (UNLIKELY(time_s < zone->from_s || time_s >= zone->until_s)) {
		int64_t from_s = floor_div(time_s, SLOT_S) * SLOT_S;

		/* localtime_r alone would never notice a new /etc/localtime */
		tzset();
		zone->offset_s = system_offset(time_s);
		if (system_offset(from_s) == system_offset(from_s + SLOT_S - 1)) {
			zone->from_s = from_s;
			zone->until_s = from_s + SLOT_S;
		} else {
			zone->from_s = time_s;
			zone->until_s = time_s + 1;
		}
	}
	return zone->offset_s;
}

void local_zone_civil(LocalZone *zone, int64_t time_us, CivilTime *ret_civil)
{
	int32_t offset_s = local_zone_offset(zone, time_us);

	civil_from_seconds(floor_div(time_us, USEC_PER_SEC) + offset_s, ret_civil);
}

/*
 * No mktime: what it takes for an hour that comes twice depends on what it was asked before. No
 * offset is larger than a day and no zone changes twice in two days, so the offset is one of two.
 */
static int32_t local_offset(int64_t local_s)
{
	int32_t before = system_offset(local_s - DAY_S), after = system_offset(local_s + DAY_S);
	int32_t larger = MAX(before, after), smaller = MIN(before, after);

	if (system_offset(local_s - larger) == larger)
		return larger;
	if (system_offset(local_s - smaller) == smaller)
		return smaller;
	return before;
}

int local_zone_instant(LocalZone *zone, const CivilTime *civil, int64_t *ret_time_us)
{
	int64_t local_s, time_us;

	if (!calendar_date_valid(civil->year, civil->month, civil->day) || civil->hour < 0 ||
		civil->hour > 23 || civil->minute < 0 || civil->minute > 59 || civil->second < 0 ||
		civil->second > 60)
		return -EINVAL;
	local_s = calendar_days(civil->year, civil->month, civil->day) * DAY_S +
		  civil->hour * 3600 + civil->minute * 60 + MIN(civil->second, 59);
	if (UNLIKELY(local_s < zone->local_from_s || local_s >= zone->local_until_s)) {
		int64_t from_s = floor_div(local_s, SLOT_S) * SLOT_S;

		tzset();
		zone->local_offset_s = local_offset(local_s);
		if (local_offset(from_s) == local_offset(from_s + SLOT_S - 1)) {
			zone->local_from_s = from_s;
			zone->local_until_s = from_s + SLOT_S;
		} else {
			zone->local_from_s = local_s;
			zone->local_until_s = local_s + 1;
		}
	}
	if (__builtin_mul_overflow(local_s - zone->local_offset_s, USEC_PER_SEC, &time_us))
		return -EINVAL;
	*ret_time_us = time_us;
	return 0;
}

static char *put_two(char *to, int value)
{
	*to++ = (char)('0' + value / 10);
	*to++ = (char)('0' + value % 10);
	return to;
}

static char *put_date_and_minute(char *to, const CivilTime *civil, char separator)
{
	int year = civil->year;

	if (year < 0) {
		*to++ = '-';
		year = -year;
	}
	if (year > 999999) /* an int64_t of microseconds ends in the year 294247 */
		year = 999999;
	if (year > 99999)
		*to++ = (char)('0' + year / 100000);
	if (year > 9999)
		*to++ = (char)('0' + year / 10000 % 10);
	to = put_two(to, year / 100 % 100);
	to = put_two(to, year % 100);
	*to++ = '-';
	to = put_two(to, civil->month);
	*to++ = '-';
	to = put_two(to, civil->day);
	*to++ = separator;
	to = put_two(to, civil->hour);
	*to++ = ':';
	return put_two(to, civil->minute);
}

size_t calendar_format_minute(LocalZone *zone, int64_t time_us, char text[CALENDAR_MINUTE_MAX])
{
	CivilTime civil;
	char *to;

	local_zone_civil(zone, time_us, &civil);
	to = put_date_and_minute(text, &civil, ' ');
	*to = '\0';
	return (size_t)(to - text);
}

size_t calendar_format_iso(LocalZone *zone, int64_t time_us, char text[CALENDAR_ISO_MAX])
{
	int offset_minutes = local_zone_offset(zone, time_us) / 60;
	CivilTime civil;
	char *to;

	local_zone_civil(zone, time_us, &civil);
	to = put_date_and_minute(text, &civil, 'T');
	*to++ = ':';
	to = put_two(to, civil.second);
	*to++ = offset_minutes < 0 ? '-' : '+';
	if (offset_minutes < 0)
		offset_minutes = -offset_minutes;
	to = put_two(to, offset_minutes / 60);
	*to++ = ':';
	to = put_two(to, offset_minutes % 60);
	*to = '\0';
	return (size_t)(to - text);
}
