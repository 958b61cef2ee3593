/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What all forms of a report say in the same words. */

#include "base/calendar.h"
#include "base/strbuf.h"
#include "report/facts.h"

/* "today", "on 2025-05-17", "since 2025-05-16 23:59", "since the last report", "since the first start". */
void wording_append_window(StrBuf *sb, const ReportFacts *facts, LocalZone *zone);

/*
 * A change against an earlier day: "+12 %", "-3 %", "24 times as many", ">1000 times as many", "about the same". False: there is nothing to say, since the report
 * is not of about a day, or there was nothing then, or (before < 0) that is not known.
 */
typedef struct WordingChange {
	int direction; /* 1: more than then, -1: less, 0: about the same */
	char text[40];
} WordingChange;

bool wording_change(
	const ReportFacts *facts, LocalZone *zone, double before, WordingChange *ret_change);

/* The nearest count, of what is not negative; 10^18 is the most. */
uint64_t wording_round(double value);

/* What a status of reverse DNS means; NULL: it is none of this program's. */
const char *wording_rdns(Span status);

/* "512 bytes", "2417664 bytes (2.3 MiB)" */
void wording_append_size(StrBuf *sb, uint64_t size_bytes);

#define WORDING_SHARE_MAX 16
/* "33 %", "<1 %", ">99 %" of the report's attempts; NUL-terminated. */
void wording_share(const ReportFacts *facts, uint64_t count, char text[WORDING_SHARE_MAX]);

/* The hour with the most attempts, the first of several. */
size_t wording_busiest_hour(const ReportFacts *facts);
