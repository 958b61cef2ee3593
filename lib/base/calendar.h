/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Civil time: the proleptic Gregorian calendar, and this host's time zone with a small cache, so
 * that a log line costs no call into the zone database. Instants are int64_t time_us: microseconds
 * since 1970-01-01T00:00:00Z.
 */

#include "base/base.h"

#define USEC_PER_SEC 1000000LL

typedef struct CivilTime {
	int year, month, day;     /* month 1-12, day 1-31 */
	int hour, minute, second; /* second may be 60 in a log line; it counts as 59 */
} CivilTime;

/* Days from 1970-01-01 to the date; any year. The date must be valid (calendar_date_valid). */
int64_t calendar_days(int year, int month, int day);

bool calendar_date_valid(int year, int month, int day);

/* "2026-11-22", as the CSV has it, at midnight. 0 or -EINVAL. */
int calendar_parse_date(Span text, CivilTime *ret_date);

/*
 * This host's zone as localtime(3) knows it (TZ, /etc/localtime; a change of either is seen when
 * the cache is next refilled). The cache is the offset of the quarter of an hour asked last, for
 * both directions; a quarter in which the offset changes is cached by the second. Start with {0}.
 */
typedef struct LocalZone {
	int64_t from_s, until_s; /* the instants for which offset_s holds */
	int64_t local_from_s;    /* the same for civil -> instant, as if civil time were UTC */
	int64_t local_until_s;
	int32_t offset_s; /* east of UTC */
	int32_t local_offset_s;
} LocalZone;

/* Seconds east of UTC that this host's zone has at the instant. */
int32_t local_zone_offset(LocalZone *zone, int64_t time_us);

/* The civil time of this host at the instant. */
void local_zone_civil(LocalZone *zone, int64_t time_us, CivilTime *ret_civil);

/*
 * The instant of a civil time of this host; of an hour that comes twice the first, of one that
 * does not exist (clocks went forward over it) the instant by the clock as it went before, which
 * is what mktime(3) mostly takes. 0, or -EINVAL when it is not a date and time.
 */
int local_zone_instant(LocalZone *zone, const CivilTime *civil, int64_t *ret_time_us);

#define CALENDAR_MINUTE_MAX 32
/* "2025-05-17 12:05", this host's time, as the CSV has it; NUL-terminated; returns the length. */
size_t calendar_format_minute(LocalZone *zone, int64_t time_us, char text[CALENDAR_MINUTE_MAX]);

#define CALENDAR_ISO_MAX 40
/* "2025-05-17T12:05:09+02:00", this host's time; NUL-terminated; returns the length. */
size_t calendar_format_iso(LocalZone *zone, int64_t time_us, char text[CALENDAR_ISO_MAX]);
