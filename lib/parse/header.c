/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parse/header.h"

#define DAY_US (86400 * USEC_PER_SEC)
#define LEAP_YEARS_APART 8 /* 1896 and 1904 */

static void skip(Span *rest, size_t n)
{
	rest->data += n;
	rest->len -= n;
}

static void skip_blanks(Span *rest)
{
	while (rest->len && *rest->data == ' ')
		skip(rest, 1);
}

/* What stands before the next blank or the end. */
static Span next_word(Span rest)
{
	const char *blank = rest.len ? memchr(rest.data, ' ', rest.len) : NULL;

	return (Span){rest.data, blank ? (size_t)(blank - rest.data) : rest.len};
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* -1 when there are no two digits at p. */
static int two_digits(const char *p)
{
	return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + (p[1] - '0') : -1;
}

/* "12:50:29" with or without a fraction, whose digits below the microsecond are dropped. */
static bool take_clock(Span *rest, CivilTime *civil, int *ret_us)
{
	static const int places[] = {100000, 10000, 1000, 100, 10, 1};
	const char *p = rest->data;
	int us = 0;
	size_t i;

	if (rest->len < 8 || p[2] != ':' || p[5] != ':')
		return false;
	civil->hour = two_digits(p);
	civil->minute = two_digits(p + 3);
	civil->second = two_digits(p + 6);
	if (civil->hour < 0 || civil->minute < 0 || civil->second < 0)
		return false;
	skip(rest, 8);
	if (rest->len >= 2 && rest->data[0] == '.' && is_digit(rest->data[1])) {
		skip(rest, 1);
		for (i = 0; i < rest->len && is_digit(rest->data[i]); i++)
			if (i < ARRAY_SIZE(places))
				us += (rest->data[i] - '0') * places[i];
		skip(rest, i);
	}
	*ret_us = us;
	return true;
}

static bool clock_valid(const CivilTime *civil)
{
	return civil->hour < 24 && civil->minute < 60 && civil->second <= 60;
}

/* "Z", "+02:00", "+0200", "+02", or nothing at all, which is local time. */
static bool take_offset(Span *rest, bool *ret_local, int *ret_minutes)
{
	const char *p = rest->data;
	int hours, minutes = 0;
	size_t n = 3;

	if (!rest->len || *p == ' ') {
		*ret_local = true;
		return true;
	}
	*ret_local = false;
	if (*p == 'Z' || *p == 'z') {
		skip(rest, 1);
		*ret_minutes = 0;
		return true;
	}
	if ((*p != '+' && *p != '-') || rest->len < 3)
		return false;
	hours = two_digits(p + 1);
	if (hours < 0)
		return false;
	if (rest->len > n && p[n] == ':')
		n++;
	if (rest->len >= n + 2 && two_digits(p + n) >= 0) {
		minutes = two_digits(p + n);
		n += 2;
	} else if (n > 3) {
		return false;
	}
	skip(rest, n);
	*ret_minutes = *p == '-' ? -(hours * 60 + minutes) : hours * 60 + minutes;
	return true;
}

static void set_local_time(
	StampContext *context, const CivilTime *civil, int us, LineHeader *header)
{
	int64_t time_us;

	if (local_zone_instant(&context->zone, civil, &time_us))
		return;
	header->has_time = true;
	header->time_us = time_us + us;
}

/* "2026-11-22T12:50:29.574614+00:00", for which RFC 3339 also allows "t", "z" and a blank. */
static bool take_iso_stamp(StampContext *context, Span *rest, LineHeader *header)
{
	const char *p = rest->data;
	int century, us = 0, offset_minutes = 0;
	bool local = false;
	CivilTime civil;

	if (rest->len < 19 || p[4] != '-' || p[7] != '-' ||
		(p[10] != 'T' && p[10] != 't' && p[10] != ' '))
		return false;
	century = two_digits(p);
	civil.year = two_digits(p + 2);
	civil.month = two_digits(p + 5);
	civil.day = two_digits(p + 8);
	if (century < 0 || civil.year < 0 || civil.month < 0 || civil.day < 0)
		return false;
	civil.year += century * 100;
	skip(rest, 11);
	if (!take_clock(rest, &civil, &us) || !take_offset(rest, &local, &offset_minutes) ||
		(rest->len && *rest->data != ' '))
		return false;
	/* Another zone might write the first and the last year as one that is not of four digits. */
	if (!civil.year || civil.year == 9999 ||
		!calendar_date_valid(civil.year, civil.month, civil.day) || !clock_valid(&civil) ||
		offset_minutes <= -24 * 60 || offset_minutes >= 24 * 60)
		return true;
	if (local) {
		set_local_time(context, &civil, us, header);
		return true;
	}
	header->has_time = true;
	header->time_us =
		(calendar_days(civil.year, civil.month, civil.day) * 86400 + civil.hour * 3600 +
			(civil.minute - offset_minutes) * 60 + MIN(civil.second, 59)) *
			USEC_PER_SEC +
		us;
	return true;
}

#define MONTH(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

/* syslog's months are English, whatever the locale. 0 when it is none. */
static int month_from_text(const char *p)
{
	switch (MONTH((unsigned char)p[0], (unsigned char)p[1], (unsigned char)p[2])) {
	case MONTH('J', 'a', 'n'): return 1;
	case MONTH('F', 'e', 'b'): return 2;
	case MONTH('M', 'a', 'r'): return 3;
	case MONTH('A', 'p', 'r'): return 4;
	case MONTH('M', 'a', 'y'): return 5;
	case MONTH('J', 'u', 'n'): return 6;
	case MONTH('J', 'u', 'l'): return 7;
	case MONTH('A', 'u', 'g'): return 8;
	case MONTH('S', 'e', 'p'): return 9;
	case MONTH('O', 'c', 't'): return 10;
	case MONTH('N', 'o', 'v'): return 11;
	case MONTH('D', 'e', 'c'): return 12;
	default: return 0;
	}
}

/* The instant of a civil time whose year is not known. */
static bool find_year(StampContext *context, CivilTime civil, int64_t *ret_time_us)
{
	int64_t limit_us = context->reference_us + DAY_US;
	CivilTime limit;

	if (context->year) {
		civil.year = context->year;
		return !local_zone_instant(&context->zone, &civil, ret_time_us);
	}
	local_zone_civil(&context->zone, limit_us, &limit);
	for (int back = 0; back <= LEAP_YEARS_APART; back++) {
		int64_t time_us;

		civil.year = limit.year - back;
		if (local_zone_instant(&context->zone, &civil, &time_us) || time_us > limit_us)
			continue;
		*ret_time_us = time_us;
		return true;
	}
	return false;
}

/*
 * The same with the last minute cached. A minute in which the year changes (the limit of
 * find_year lies within it) or in which the clocks do is not.
 */
static bool find_year_cached(StampContext *context, CivilTime civil, int64_t *ret_time_us)
{
	uint32_t key = (uint32_t)(((civil.month * 100 + civil.day) * 100 + civil.hour) * 100 +
				  civil.minute);
	int second = MIN(civil.second, 59);
	int64_t first_us, last_us;

	if (key == context->minute.key && context->minute.year == context->year &&
		context->minute.reference_us == context->reference_us) {
		*ret_time_us = context->minute.time_us + second * USEC_PER_SEC;
		return true;
	}
	if (!find_year(context, civil, ret_time_us))
		return false;
	civil.second = 0;
	if (!find_year(context, civil, &first_us))
		return true;
	civil.second = 59;
	if (!find_year(context, civil, &last_us) || last_us - first_us != 59 * USEC_PER_SEC)
		return true;
	context->minute.key = key;
	context->minute.year = context->year;
	context->minute.reference_us = context->reference_us;
	context->minute.time_us = first_us;
	return true;
}

/* "Nov  2 12:55:02", "Nov 02 12:55:02", and with the fraction of journalctl's short-precise. */
static bool take_traditional_stamp(StampContext *context, Span *rest, LineHeader *header)
{
	CivilTime civil = {0};
	int64_t time_us;
	int us = 0;

	if (rest->len < 14 || rest->data[3] != ' ')
		return false;
	civil.month = month_from_text(rest->data);
	if (!civil.month)
		return false;
	skip(rest, 4);
	skip_blanks(rest);
	for (int i = 0; i < 2 && rest->len && is_digit(*rest->data); i++) {
		civil.day = civil.day * 10 + (*rest->data - '0');
		skip(rest, 1);
	}
	if (!rest->len || *rest->data != ' ')
		return false;
	skip_blanks(rest);
	if (!take_clock(rest, &civil, &us) || (rest->len && *rest->data != ' '))
		return false;
	if (clock_valid(&civil) && find_year_cached(context, civil, &time_us)) {
		header->has_time = true;
		header->time_us = time_us + us;
	}
	return true;
}

/* "mail.warn" as busybox writes it between host and tag, "<mail.warn>" as FreeBSD's syslogd -v before the host. */
static bool is_priority(Span word)
{
	static const char *const levels[] = {"emerg", "panic", "alert", "crit", "err", "error",
		"warning", "warn", "notice", "info", "debug"};
	const char *dot;
	Span level;

	if (word.len > 2 && word.data[0] == '<' && word.data[word.len - 1] == '>')
		return true;
	dot = word.len ? memchr(word.data, '.', word.len) : NULL;
	if (!dot || dot == word.data)
		return false;
	level = (Span){dot + 1, (size_t)(word.data + word.len - dot) - 1};
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (span_equal_string(level, levels[i]))
			return true;
	return false;
}

/* "postfix/smtpd[290]: ", where the pid and even the colon may be missing. */
static void take_tag(Span *rest, LineHeader *header)
{
	size_t n = 0;

	while (n < rest->len && rest->data[n] != '[' && rest->data[n] != ':' &&
		rest->data[n] != ' ')
		n++;
	if (n)
		header->tag = (Span){rest->data, n};
	skip(rest, n);
	if (rest->len && *rest->data == '[') {
		const char *bracket = memchr(rest->data, ']', rest->len);

		skip(rest, bracket ? (size_t)(bracket - rest->data) + 1 : rest->len);
	}
	if (rest->len && *rest->data == ':')
		skip(rest, 1);
}

/* Solaris and illumos: "[ID 197553 mail.warning] " before the message. */
static void skip_message_id(Span *rest)
{
	const char *bracket;

	if (!span_starts_with(*rest, "[ID "))
		return;
	bracket = memchr(rest->data, ']', rest->len);
	if (!bracket)
		return;
	skip(rest, (size_t)(bracket - rest->data) + 1);
	skip_blanks(rest);
}

/* What follows the stamp of the forms without a version: host, tag, message. */
static void take_names(Span rest, LineHeader *header)
{
	Span word;

	skip_blanks(&rest);
	word = next_word(rest);
	if (word.len && *word.data == '<' && is_priority(word)) {
		skip(&rest, word.len);
		skip_blanks(&rest);
		word = next_word(rest);
	}
	/* busybox' syslogd -S and some containers write no host; a host's name ends in no colon */
	if (word.len && word.data[word.len - 1] != ':') {
		header->server = word;
		skip(&rest, word.len);
		skip_blanks(&rest);
		word = next_word(rest);
		if (is_priority(word)) {
			skip(&rest, word.len);
			skip_blanks(&rest);
		}
	}
	take_tag(&rest, header);
	skip_blanks(&rest);
	skip_message_id(&rest);
	header->message = rest;
}

/* RFC 5424 section 6.3: "-", or [id name="value" ...] once or more, with \" \\ \] in values. */
static void skip_structured_data(Span *rest)
{
	if (rest->len && *rest->data == '-') {
		skip(rest, 1);
		return;
	}
	while (rest->len && *rest->data == '[') {
		bool quoted = false;

		for (skip(rest, 1); rest->len; skip(rest, 1)) {
			if (quoted && *rest->data == '\\' && rest->len > 1)
				skip(rest, 1);
			else if (*rest->data == '"')
				quoted = !quoted;
			else if (!quoted && *rest->data == ']')
				break;
		}
		if (rest->len)
			skip(rest, 1);
	}
}

/* A field of RFC 5424; its nil value "-" is a missing one. */
static Span take_field(Span *rest)
{
	Span word;

	skip_blanks(rest);
	word = next_word(*rest);
	skip(rest, word.len);
	return !word.len || span_equal_string(word, "-") ? SPAN_MISSING : word;
}

/* "1 2026-11-22T12:50:29Z mx1 postfix/smtpd 290 - - warning: ..." */
static bool take_rfc5424(StampContext *context, Span rest, LineHeader *header)
{
	Span tag;

	skip(&rest, 2);
	if (rest.len && *rest.data == '-' && (rest.len == 1 || rest.data[1] == ' '))
		skip(&rest, 1);
	else if (!take_iso_stamp(context, &rest, header))
		return false;
	header->server = take_field(&rest);
	tag = take_field(&rest);
	if (tag.data)
		take_tag(&tag, header);
	(void)take_field(&rest); /* process id */
	(void)take_field(&rest); /* message id */
	skip_blanks(&rest);
	skip_structured_data(&rest);
	skip_blanks(&rest);
	if (span_starts_with(rest, "\xef\xbb\xbf"))
		skip(&rest, 3);
	skip_blanks(&rest); /* rsyslog's %msg% begins with one */
	header->message = rest;
	return true;
}

static void skip_pri(Span *line)
{
	size_t n = 1;

	if (!line->len || *line->data != '<')
		return;
	while (n < line->len && n < 4 && is_digit(line->data[n]))
		n++;
	if (n > 1 && n < line->len && line->data[n] == '>')
		skip(line, n + 1);
}

int header_parse(StampContext *context, Span line, LineHeader *ret_header)
{
	LineHeader header = {0};

	skip_pri(&line);
	if (line.len < 2)
		return HEADER_UNKNOWN;
	if (line.data[0] == '1' && line.data[1] == ' ') {
		if (!take_rfc5424(context, line, &header))
			return HEADER_UNKNOWN;
		*ret_header = header;
		return 0;
	}
	if (is_digit(line.data[0]) ? !take_iso_stamp(context, &line, &header)
				   : !take_traditional_stamp(context, &line, &header))
		return HEADER_UNKNOWN;
	take_names(line, &header);
	*ret_header = header;
	return 0;
}
