/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The numbers of a report: rows of the CSV in, exact counts out. Memory grows with what is different in the rows, not with their
 * number or the length of names: of one longer than FACTS_NAME_MAX its ends and a keyed digest of 128 bits are kept.
 */

#include "report/facts.h"
#include "store/columns.h"

typedef struct ReportStats ReportStats;

/* 0 or -errno. */
int stats_new(ReportStats **ret_stats);
void stats_free(ReportStats *stats);
DEFINE_CLEANUP(ReportStats *, stats_freep, stats_free)

/* Counts a row that csv_parse_row() has made. 0 or -errno: then the numbers are no longer those of whole rows. */
int stats_add(ReportStats *stats, const Row *row);

/* Counts a line that is no row. */
void stats_skip(ReportStats *stats);

/* Fills what facts have from the rows; the texts are borrowed from stats until it counts on. 0 or -errno. */
int stats_report(ReportStats *stats, ReportFacts *facts);

/* How many rows have this date, by calendar_days(); in order, the newest STATS_DAYS_MAX at most. */
typedef struct StatsDay {
	int32_t day;
	uint64_t count;
} StatsDay;

#define STATS_DAYS_MAX 400

size_t stats_days(const ReportStats *stats, const StatsDay **ret_days);

/* From where attempts came, and on which days the first and the last of them. */
typedef struct StatsOrigin {
	Span ip, country, asn;
	int32_t first_day, last_day;
} StatsOrigin;

/* The i-th, in no order, one address maybe in several; false behind the last. */
bool stats_origin(const ReportStats *stats, uint32_t i, StatsOrigin *ret_origin);
