/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/calspec.h"

#include "base/number.h"

#include <strings.h>

#define DAY_US (86400 * USEC_PER_SEC)
#define ALL(from, to) ((~0ULL << (from)) & (~0ULL >> (63 - (to))))
#define FIRST_DAY_FROM_END_MAX 28 /* which every month has */

typedef struct Field {
	const char *name;
	unsigned from, to;
} Field;

static const Field year_field = {"a year", CALSPEC_YEAR_MIN, CALSPEC_YEAR_MAX},
		   month_field = {"a month", 1, 12}, day_field = {"a day", 1, 31},
		   day_from_end_field = {"a day before the end", 1, FIRST_DAY_FROM_END_MAX},
		   hour_field = {"an hour", 0, 23}, minute_field = {"a minute", 0, 59},
		   second_field = {"a second", 0, 59};

/* ---- reading -------------------------------------------------------------------------------- */

/* What is to be read, and where what is wrong is told. */
typedef struct Text {
	const char *at, *end;
	Why *why;
} Text;

static char peek(const Text *text)
{
	return text->at < text->end ? *text->at : '\0';
}

static bool at_end(const Text *text)
{
	return text->at == text->end;
}

static bool take(Text *text, char c)
{
	if (at_end(text) || *text->at != c)
		return false;
	text->at++;
	return true;
}

static bool take_dots(Text *text)
{
	if (text->end - text->at < 2 || text->at[0] != '.' || text->at[1] != '.')
		return false;
	text->at += 2;
	return true;
}

static void skip_blanks(Text *text)
{
	while (take(text, ' '))
		;
}

static bool starts_with(const Text *text, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(text->end - text->at) >= len && !strncasecmp(text->at, word, len);
}

static int unexpected(const Text *text, const char *wanted)
{
	if (at_end(text))
		why_set(text->why, "ends where %s is wanted", wanted);
	else
		why_set(text->why, "wants %s at \"%.*s\"", wanted, (int)(text->end - text->at),
			text->at);
	return -EINVAL;
}

static int take_number(Text *text, const Field *field, uint64_t *ret_value)
{
	const char *start = text->at;
	uint64_t value;
	Span digits;

	while (peek(text) >= '0' && peek(text) <= '9')
		text->at++;
	digits = (Span){start, (size_t)(text->at - start)};
	if (!digits.len)
		return unexpected(text, field->name);
	if (number_parse_u64(digits, INT32_MAX, &value)) {
		why_set(text->why, "\"%.*s\" is too large", (int)digits.len, digits.data);
		return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

/* "26" is 2026. */
static uint64_t complete(const Field *field, uint64_t value)
{
	if (field != &year_field || value >= 100)
		return value;
	return value + (value < 70 ? 2000 : 1900);
}

static void set_bit(uint64_t *set, uint64_t bit)
{
	set[bit / 64] |= 1ULL << bit % 64;
}

/* "5", "5..10", "5/2" (to the end), "5..10/2": first, last, step as they are written. */
static int add_range(const Text *text, const Field *field, uint64_t first, uint64_t last,
	uint64_t step, bool has_last, uint64_t *set)
{
	bool to_end = field == &day_from_end_field && !has_last;

	if (first < field->from || first > field->to ||
		(has_last && (last < field->from || last > field->to))) {
		why_set(text->why, "%s is a number from %u to %u", field->name, field->from,
			field->to);
		return -EINVAL;
	}
	if (has_last && last < first) {
		why_set(text->why, "a range goes from the smaller to the larger number");
		return -EINVAL;
	}
	/* Before the end it goes on until the last day, which is 1. */
	if (to_end && step) {
		last = first;
		first = 1;
	} else if (!has_last) {
		last = step ? field->to : first;
	}
	if (step > last - first && last > first) {
		why_set(text->why, "a step of %llu is too large", (unsigned long long)step);
		return -EINVAL;
	}
	for (uint64_t i = 0; i <= last - first; i += MAX(step, 1ULL))
		set_bit(set,
			(to_end ? last - i : first + i) - (field == &year_field ? field->from : 0));
	return 0;
}

static int take_component(Text *text, const Field *field, uint64_t *set)
{
	uint64_t first = 0, last = 0, step = 0;
	bool has_last;
	int r = take_number(text, field, &first);

	if (r)
		return r;
	has_last = take_dots(text);
	if (has_last) {
		step = 1;
		r = take_number(text, field, &last);
	}
	if (!r && take(text, '/')) {
		r = take_number(text, field, &step);
		if (!r && !step) {
			why_set(text->why, "a step of 0 leads nowhere");
			return -EINVAL;
		}
	}
	if (r)
		return r;
	if (peek(text) == '.') {
		why_set(text->why, "fractions of seconds are not known");
		return -EINVAL;
	}
	if (!at_end(text) && !strchr(" ,-~:", peek(text)))
		return unexpected(text, "the next part");
	return add_range(
		text, field, complete(field, first), complete(field, last), step, has_last, set);
}

/* "*", or components with commas between them. The set is empty before. */
static int take_set(Text *text, const Field *field, uint64_t *set)
{
	unsigned from = field == &year_field ? 0 : field->from;
	int r;

	if (take(text, '*')) {
		/* All days are all days, from wherever they are counted. */
		for (unsigned bit = from;
			bit <= (field == &day_from_end_field ? 31 : field->to) - field->from + from;
			bit++)
			set_bit(set, bit);
		return 0;
	}
	do
		r = take_component(text, field, set);
	while (!r && take(text, ','));
	return r;
}

/* The day at the start, which is moved over; -1 when there is none. */
static int take_weekday(Text *text)
{
	static const char *const names[] = {
		"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

	for (int i = 0; i < (int)ARRAY_SIZE(names); i++) {
		char brief[] = {names[i][0], names[i][1], names[i][2], '\0'};

		if (starts_with(text, brief)) {
			text->at += strlen(starts_with(text, names[i]) ? names[i] : brief);
			return i;
		}
	}
	return -1;
}

/* Nothing, or "Mon..Wed,Fri" and the blanks behind it. */
static int take_weekdays(Text *text, uint64_t *set)
{
	bool first = true;

	*set = 0;
	do {
		int from = take_weekday(text), to = from;

		if (from < 0 && first) {
			*set = ALL(0, 6);
			return 0;
		}
		/* A comma may be the last. */
		if (from < 0 && (at_end(text) || peek(text) == ' '))
			break;
		/* The dash is how it was once written. */
		if (from >= 0 && (take_dots(text) || take(text, '-')))
			to = take_weekday(text);
		if (from < 0 || to < 0)
			return unexpected(text, "a day of the week");
		if (to < from) {
			why_set(text->why, "a range of weekdays goes on until Sunday at most");
			return -EINVAL;
		}
		*set |= ALL(from, to);
		first = false;
	} while (take(text, ','));
	if (!at_end(text) && peek(text) != ' ')
		return unexpected(text, "a blank behind the days of the week");
	skip_blanks(text);
	return 0;
}

/* A date is what has a dash or a tilde before the next blank. */
static bool is_date(const Text *text)
{
	for (const char *p = text->at; p < text->end && *p != ' '; p++)
		if (*p == '-' || *p == '~')
			return true;
	return false;
}

/* "2026-12-24", "12-24", either also with ~ before the day. */
static int take_date(Text *text, CalSpec *spec)
{
	const Field *last;
	unsigned dashes = 0;
	int r = 0;

	if (!is_date(text)) {
		spec->months = ALL(1, 12);
		spec->days = ALL(1, 31);
		memset(spec->years, 0xff, sizeof(spec->years));
		return 0;
	}
	for (const char *p = text->at; p < text->end && *p != ' '; p++)
		dashes += *p == '-' || *p == '~';
	if (dashes > 1)
		r = take_set(text, &year_field, spec->years);
	else
		memset(spec->years, 0xff, sizeof(spec->years));
	if (!r && dashes > 1 && !take(text, '-'))
		r = unexpected(text, "- and the month");
	if (!r)
		r = take_set(text, &month_field, &spec->months);
	if (r)
		return r;
	spec->from_end = take(text, '~');
	if (!spec->from_end && !take(text, '-'))
		return unexpected(text, "- and the day");
	last = spec->from_end ? &day_from_end_field : &day_field;
	r = take_set(text, last, &spec->days);
	if (!r && !at_end(text) && peek(text) != ' ')
		r = unexpected(text, "a blank behind the date");
	skip_blanks(text);
	return r;
}

static int take_time(Text *text, CalSpec *spec)
{
	int r;

	if (at_end(text)) {
		spec->hours = spec->minutes = spec->seconds = 1;
		return 0;
	}
	r = take_set(text, &hour_field, &spec->hours);
	if (r)
		return r;
	if (!take(text, ':'))
		return unexpected(text, ": and the minute");
	r = take_set(text, &minute_field, &spec->minutes);
	if (r)
		return r;
	if (at_end(text)) {
		spec->seconds = 1;
		return 0;
	}
	if (!take(text, ':'))
		return unexpected(text, "the end, UTC, or : and the second");
	r = take_set(text, &second_field, &spec->seconds);
	if (!r && !at_end(text))
		r = unexpected(text, "the end or UTC");
	return r;
}

static Span expand(Span text)
{
	static const struct {
		const char *name, *meaning;
	} names[] = {
		{"minutely", "*:*"},
		{"hourly", "*:0"},
		{"daily", "0:0"},
		{"weekly", "Mon 0:0"},
		{"monthly", "*-1"},
		{"quarterly", "1,4,7,10-1"},
		{"semiannually", "1,7-1"},
		{"semi-annually", "1,7-1"},
		{"biannually", "1,7-1"},
		{"bi-annually", "1,7-1"},
		{"yearly", "1-1"},
		{"annually", "1-1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (text.len == strlen(names[i].name) &&
			!strncasecmp(text.data, names[i].name, text.len))
			return span_from_string(names[i].meaning);
	return text;
}

/* Whether the last word is the name of a zone, or wants to be one. */
static bool ends_with_zone(const Text *text)
{
	Span rest = {text->at, (size_t)(text->end - text->at)};
	const char *blank = memrchr(rest.data, ' ', rest.len);

	return blank && blank + 1 < text->end && !strchr("*0123456789", blank[1]);
}

int calspec_parse(Span text, CalSpec *ret_spec, Why *ret_why)
{
	static const char utc[] = " UTC";
	size_t utc_len = sizeof(utc) - 1;
	CalSpec spec = {0};
	Text rest;
	int r;

	if (text.len && memchr(text.data, '\0', text.len)) {
		why_set(ret_why, "holds a NUL");
		return -EINVAL;
	}
	if (text.len >= utc_len && !strncasecmp(text.data + text.len - utc_len, utc, utc_len)) {
		spec.utc = true;
		text.len -= utc_len;
	}
	text = expand(text);
	rest = (Text){text.data, text.data + text.len, ret_why};
	if (!text.len)
		return unexpected(&rest, "a time");
	if (peek(&rest) == '@') {
		why_set(ret_why, "instants as @SECONDS are not known");
		return -EINVAL;
	}
	r = take_weekdays(&rest, &spec.weekdays);
	if (!r && ends_with_zone(&rest)) {
		why_set(ret_why, "time zones are not known, but for this host's own and UTC");
		return -EINVAL;
	}
	if (!r)
		r = take_date(&rest, &spec);
	if (!r)
		r = take_time(&rest, &spec);
	if (!r)
		*ret_spec = spec;
	return r;
}

/* ---- finding -------------------------------------------------------------------------------- */

/* The first in the set that is not below `from`, or -1. */
static int next_in(uint64_t set, int from)
{
	uint64_t rest = from < 0 || from > 63 ? 0 : set & (~0ULL << from);

	return rest ? __builtin_ctzll(rest) : -1;
}

static bool matches_day(const CalSpec *spec, const CivilTime *t)
{
	int days = 31, day = t->day;

	while (!calendar_date_valid(t->year, t->month, days))
		days--;
	if (day > days)
		return false;
	if (spec->from_end)
		day = days + 1 - day;
	/* the day 0 was a Thursday */
	return spec->days >> day & 1 &&
	       spec->weekdays >> (calendar_days(t->year, t->month, t->day) + 3) % 7 & 1;
}

static bool matches_year(const CalSpec *spec, int year)
{
	unsigned bit = (unsigned)(year - CALSPEC_YEAR_MIN);

	return spec->years[bit / 64] >> bit % 64 & 1;
}

/* The first time of the day that is not before the one in *t. */
static bool find_time(const CalSpec *spec, CivilTime *t)
{
	int hour = next_in(spec->hours, t->hour), minute = -1, second = -1;

	if (hour == t->hour) {
		minute = next_in(spec->minutes, t->minute);
		if (minute == t->minute)
			second = next_in(spec->seconds, t->second);
		if (minute >= 0 && second < 0 && minute == t->minute)
			minute = next_in(spec->minutes, t->minute + 1);
		if (minute < 0)
			hour = next_in(spec->hours, t->hour + 1);
	}
	if (hour < 0)
		return false;
	if (minute < 0)
		minute = next_in(spec->minutes, 0);
	if (second < 0)
		second = next_in(spec->seconds, 0);
	t->hour = hour;
	t->minute = minute;
	t->second = second;
	return true;
}

static void start_of_next_day(CivilTime *t)
{
	t->day++;
	if (t->day > 31) {
		t->day = 1;
		t->month++;
	}
	if (t->month > 12) {
		t->month = 1;
		t->year++;
	}
	t->hour = t->minute = t->second = 0;
}

/* The first match that is not before *t. */
static bool find_civil(const CalSpec *spec, CivilTime *t)
{
	while (t->year <= CALSPEC_YEAR_MAX) {
		if (!matches_year(spec, t->year)) {
			*t = (CivilTime){.year = t->year + 1, .month = 1, .day = 1};
			continue;
		}
		if (!(spec->months >> t->month & 1))
			t->day = 31; /* so that the next day is one of the next month */
		else if (matches_day(spec, t) && find_time(spec, t))
			return true;
		start_of_next_day(t);
	}
	return false;
}

/* The instant of *t, if there is one after `after_us`. */
static bool find_instant(
	LocalZone *zone, const CivilTime *t, int64_t after_us, int64_t *ret_instant_us)
{
	int64_t first_us, second_us;
	int32_t later_s;
	CivilTime back;

	if (local_zone_instant(zone, t, &first_us))
		return false;
	local_zone_civil(zone, first_us, &back);
	/* The clock goes forward over it. */
	if (back.minute != t->minute || back.hour != t->hour || back.day != t->day)
		return false;
	if (first_us > after_us) {
		*ret_instant_us = first_us;
		return true;
	}
	/* The clock went back, and `after_us` is behind that. No zone changes twice in two days. */
	later_s = local_zone_offset(zone, first_us + DAY_US);
	second_us = first_us + (local_zone_offset(zone, first_us) - later_s) * USEC_PER_SEC;
	if (second_us <= after_us || local_zone_offset(zone, second_us) != later_s)
		return false;
	*ret_instant_us = second_us;
	return true;
}

static void next_second(CivilTime *t)
{
	if (++t->second < 60)
		return;
	t->second = 0;
	if (++t->minute < 60)
		return;
	t->minute = 0;
	if (++t->hour < 24)
		return;
	start_of_next_day(t);
}

int calspec_next(const CalSpec *spec, LocalZone *zone, int64_t after_us, int64_t *ret_next_us)
{
	LocalZone utc = {.from_s = INT64_MIN,
		.until_s = INT64_MAX,
		.local_from_s = INT64_MIN,
		.local_until_s = INT64_MAX};
	CivilTime t;

	if (spec->utc)
		zone = &utc;
	local_zone_civil(zone, after_us, &t);
	if (t.year < CALSPEC_YEAR_MIN)
		t = (CivilTime){.year = CALSPEC_YEAR_MIN, .month = 1, .day = 1};
	else
		next_second(&t);
	while (find_civil(spec, &t)) {
		if (find_instant(zone, &t, after_us, ret_next_us))
			return 0;
		next_second(&t);
	}
	return CALSPEC_NEVER;
}
