/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a report says, in a plain struct that all its forms are written from. Whoever fills it owns what it points to.
 *
 * Texts that come from rows are as the CSV has them: UTF-8 without control characters, other bytes as \xHH (a literal backslash
 * before an x as \x5c), so no writer undoes or repeats that; markup and bidirectional controls are in them as they came.
 * Names longer than FACTS_NAME_MAX have lost their middle to a "…". A missing value is SPAN_MISSING ("N/A").
 */

#include "state/status.h"

#define FACTS_TOP 10
#define FACTS_RDNS_MAX 8
#define FACTS_COUNTRY_CODES_MAX 16
#define FACTS_NAME_MAX ((size_t)256) /* bytes */

typedef struct ReportCount {
	Span key;
	uint64_t count;
} ReportCount;

typedef struct ReportTarget {
	Span user, ip, host, country; /* an unknown ip is "unknown" */
	uint64_t count;
} ReportTarget;

/* Lists have the largest count first, equal ones bytewise by what they name (missing before all else). */
typedef struct ReportFacts {
	/* ---- about the report, from who composes it ---- */
	const char *version;
	const char *server;
	const char *mode; /* how logs are read: "file /var/log/mail.log", "journal" */
	int64_t now_us;
	int64_t from_us; /* the window: 0 is since the first start */
	int64_t until_us;
	bool whole_day; /* --date, or the window is this day so far: */
	char date[11];  /* "2025-05-17" */

	/* ---- from the rows (report/stats) ---- */
	uint64_t total;
	uint64_t distinct_addresses; /* without "unknown" */
	uint64_t distinct_users;     /* without missing ones */
	ReportTarget targets[FACTS_TOP];
	size_t target_count;
	ReportCount users[FACTS_TOP];
	size_t user_count;
	ReportCount countries[FACTS_TOP]; /* "CN" */
	size_t country_count;
	ReportCount asns[FACTS_TOP]; /* "9808" */
	Span asn_names[FACTS_TOP];   /* the organisation of each, in its newest row */
	size_t asn_count;
	ReportCount organisations[FACTS_TOP];
	size_t organisation_count;
	uint64_t hours[24]; /* by the rows' own date */
	uint64_t rdns_failures;
	ReportCount rdns
		[FACTS_RDNS_MAX]; /* by status: "Errno 1", "Timeout"; writers say what it means */
	size_t rdns_count;
	uint64_t skipped_rows; /* foreign or torn */

	/* ---- against earlier days (report/history) ---- */
	int64_t day_before; /* rows of the day before the day of until_us; -1: not known */
	double week_mean;   /* of the week_days days before that day; -1: not known */
	unsigned week_days; /* 7, fewer when it is not known for so long */
	bool history_known; /* whether it is known at all what was seen before; else nothing is new */
	unsigned history_days; /* for how many days before the window, 30 at most */
	uint64_t new_addresses, new_networks,
		new_countries;                           /* for the first time in so many days */
	Span new_country_codes[FACTS_COUNTRY_CODES_MAX]; /* of new_countries the first, bytewise */

	/* ---- since the last report, from the counters ---- */
	bool counters_known; /* else a writer leaves them out */
	uint64_t successes, outages, aborted;

	/* ---- what comes with it, from who composes it ---- */
	uint64_t csv_bytes, csv_rows;
	const char *csv_path;
	const char *attachment;        /* its file name; NULL: none, */
	const char *attachment_note;   /* and why; NULL: because none is wanted */
	const StatusWarning *warnings; /* first in every form */
	size_t warning_count;
} ReportFacts;
