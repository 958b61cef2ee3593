/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/wording.h"

#include <inttypes.h>
#include <stdio.h>

#define HOUR_US (3600 * USEC_PER_SEC)
#define DATE_LEN 10

/* Whether the time is on the report's date. */
static bool is_on_date(const ReportFacts *facts, LocalZone *zone, int64_t time_us)
{
	char text[CALENDAR_MINUTE_MAX];

	return calendar_format_minute(zone, time_us, text) >= DATE_LEN &&
	       !memcmp(text, facts->date, DATE_LEN);
}

void wording_append_window(StrBuf *sb, const ReportFacts *facts, LocalZone *zone)
{
	char text[CALENDAR_MINUTE_MAX];

	if (facts->whole_day && is_on_date(facts, zone, facts->now_us)) {
		strbuf_append_string(sb, "today");
	} else if (facts->whole_day) {
		strbuf_appendf(sb, "on %s", facts->date);
	} else if (facts->from_us > facts->now_us) {
		/* The clock was set back meanwhile. */
		strbuf_append_string(sb, "since the last report");
	} else if (facts->from_us) {
		(void)calendar_format_minute(zone, facts->from_us, text);
		strbuf_appendf(sb, "since %s", text);
	} else {
		strbuf_append_string(sb, "since the first start");
	}
}

/* A day that is not over can't be set against one that is. */
static bool is_about_a_day(const ReportFacts *facts, LocalZone *zone)
{
	int64_t from_us = facts->from_us, length_us;
	CivilTime civil;

	if (facts->whole_day) {
		if (!is_on_date(facts, zone, facts->until_us))
			return true;
		local_zone_civil(zone, facts->until_us, &civil);
		return civil.hour >= 20;
	}
	length_us = facts->until_us - from_us;
	return from_us && length_us >= 20 * HOUR_US && length_us <= 28 * HOUR_US;
}

uint64_t wording_round(double value)
{
	return value < 1e18 ? (uint64_t)(value + 0.5) : (uint64_t)1000000000000000000;
}

bool wording_change(
	const ReportFacts *facts, LocalZone *zone, double before, WordingChange *ret_change)
{
	double total = (double)facts->total, percent;
	WordingChange change = {0};

	if (!(before > 0) || !is_about_a_day(facts, zone))
		return false;
	percent = (total - before) / before * 100;
	change.direction = percent >= 0.5 ? 1 : percent <= -0.5 ? -1 : 0;
	if (!change.direction)
		(void)snprintf(change.text, sizeof(change.text), "about the same");
	else if (percent >= 99900)
		(void)snprintf(change.text, sizeof(change.text), ">1000 times as many");
	else if (percent >= 900)
		(void)snprintf(
			change.text, sizeof(change.text), "%.0f times as many", total / before);
	else
		(void)snprintf(change.text, sizeof(change.text), "%c%d %%", percent > 0 ? '+' : '-',
			(int)wording_round(percent > 0 ? percent : -percent));
	*ret_change = change;
	return true;
}

const char *wording_rdns(Span status)
{
	static const struct {
		const char *status, *meaning;
	} meanings[] = {
		{"Errno 1", "no such name"},
		{"Errno 2", "the name server failed or refused"},
		{"Errno 4", "no PTR record"},
		{"Timeout", "no answer in time"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (span_equal_string(status, meanings[i].status))
			return meanings[i].meaning;
	return NULL;
}

void wording_append_size(StrBuf *sb, uint64_t size_bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double size = (double)size_bytes / 1024;
	size_t i = 0;

	strbuf_appendf(sb, "%" PRIu64 " bytes", size_bytes);
	if (size_bytes < 1024)
		return;
	for (; size >= 1023.95 && i + 1 < ARRAY_SIZE(units); i++)
		size /= 1024;
	strbuf_appendf(sb, " (%.1f %s)", size, units[i]);
}

void wording_share(const ReportFacts *facts, uint64_t count, char text[WORDING_SHARE_MAX])
{
	double share = (double)MIN(count, facts->total) / (double)MAX(facts->total, (uint64_t)1);
	unsigned percent = (unsigned)wording_round(share * 100);

	if (percent == 100 && count < facts->total)
		(void)snprintf(text, WORDING_SHARE_MAX, ">99 %%");
	else if (percent)
		(void)snprintf(text, WORDING_SHARE_MAX, "%u %%", percent);
	else
		(void)snprintf(text, WORDING_SHARE_MAX, "<1 %%");
}

size_t wording_busiest_hour(const ReportFacts *facts)
{
	size_t hour = 0;

	for (size_t i = 1; i < ARRAY_SIZE(facts->hours); i++)
		if (facts->hours[i] > facts->hours[hour])
			hour = i;
	return hour;
}
