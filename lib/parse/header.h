/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The header of a syslog line in every form that servers write: RFC 3339 (rsyslog), traditional
 * (RFC 3164, also postlogd's zero-padded day, also busybox' facility.level), RFC 5424. Each may
 * have a <PRI> before it.
 */

#include "base/calendar.h"

/*
 * How to read stamps that lack the year: `year` when not 0, else the newest year that does not
 * put the line more than a day after reference_us (the time the file was last written). One
 * per source: it also holds the caches that make reading a stamp cheap. Start with {0}, then set;
 * both may be changed between two lines.
 */
typedef struct StampContext {
	int64_t reference_us;
	int year;
	LocalZone zone;
	struct {
		uint32_t key; /* month, day, hour and minute in one; 0: nothing cached */
		int year;     /* the two settings above that it was computed with */
		int64_t reference_us;
		int64_t time_us; /* of second 0 */
	} minute;
} StampContext;

/*
 * has_time is false where the stamp names no instant: RFC 5424's "-", a date that does not exist
 * (30 February, 29 February when `year` is no leap year), the years 0 and 9999. A stamp with an
 * offset is an instant, one without is this host's local time. The spans are borrowed from the line.
 */
typedef struct LineHeader {
	bool has_time;
	int64_t time_us;
	Span server;  /* missing when the line has none */
	Span tag;     /* without [pid] and colon; missing when the line has none */
	Span message; /* what follows "tag[pid]: "; empty when the line ends before it */
} LineHeader;

enum { HEADER_UNKNOWN = 1 };

/* 0; or HEADER_UNKNOWN when the line starts with none of the known forms. The line has no newline. */
int header_parse(StampContext *context, Span line, LineHeader *ret_header);
