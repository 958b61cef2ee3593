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

/*
 * This host's zone as localtime(3) knows it (TZ, /etc/localtime). A cache of the offset for the quarter of an
 * hour asked last: no zone changes its offset at any other moment. Start with {0}.
 */
typedef struct LocalZone {
	bool valid;
	int64_t slot;     /* quarter of an hour since the epoch */
	int32_t offset_s; /* east of UTC */
	bool local_valid; /* the same for civil -> instant, by local hour */
	int64_t local_slot;
	int32_t local_offset_s;
} LocalZone;

/* Seconds east of UTC that this host's zone has at the instant. */
int32_t local_zone_offset(LocalZone *zone, int64_t time_us);

/* The civil time of this host at the instant. */
void local_zone_civil(LocalZone *zone, int64_t time_us, CivilTime *ret_civil);

/*
 * The instant of a civil time of this host; of an hour that comes twice the first, of one that
 * does not exist the instant that mktime(3) takes. 0, or -EINVAL when it is not a date and time.
 */
int local_zone_instant(LocalZone *zone, const CivilTime *civil, int64_t *ret_time_us);

#define CALENDAR_MINUTE_MAX 32
/* "2025-05-17 12:05", this host's time, as the CSV has it; NUL-terminated; returns the length. */
size_t calendar_format_minute(LocalZone *zone, int64_t time_us, char text[CALENDAR_MINUTE_MAX]);

#define CALENDAR_ISO_MAX 40
/* "2025-05-17T12:05:09+02:00", this host's time; NUL-terminated; returns the length. */
size_t calendar_format_iso(LocalZone *zone, int64_t time_us, char text[CALENDAR_ISO_MAX]);
