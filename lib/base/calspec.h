/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Times that come again and again, as systemd.time(7) writes them: "weekly", "Mon..Fri 06:00", "*:0/5", "*-*-01 03:00",
 * "Sat *-*~07/1", "2026-12-24 18:00 UTC". It agrees with `systemd-analyze calendar`, also where clocks change: a time that is passed over
 * does not come that day, and of an hour that comes twice the first counts. Not known are time zones other than the host's own and
 * UTC, fractions of seconds, and instants as @SECONDS: those are refused with a reason.
 */

#include "base/calendar.h"

#define CALSPEC_YEAR_MIN 1970
#define CALSPEC_YEAR_MAX 2199

/* What matches, as sets of bits: a second of a minute is bit 0 to 59, and so on. */
typedef struct CalSpec {
	uint64_t years[(CALSPEC_YEAR_MAX - CALSPEC_YEAR_MIN) / 64 + 1]; /* from CALSPEC_YEAR_MIN */
	uint64_t months, days, weekdays;                                /* Monday is bit 0 */
	uint64_t hours, minutes, seconds;
	bool from_end; /* days count from the last of the month, which is bit 1 */
	bool utc;
} CalSpec;

/* 0; -EINVAL with *ret_why, which may hold bytes of the text. */
int calspec_parse(Span text, CalSpec *ret_spec, Why *ret_why);

enum { CALSPEC_NEVER = 1 };

/* The first time after the instant: 0, or CALSPEC_NEVER when none comes until CALSPEC_YEAR_MAX. */
int calspec_next(const CalSpec *spec, LocalZone *zone, int64_t after_us, int64_t *ret_next_us);
