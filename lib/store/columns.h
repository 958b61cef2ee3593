/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The one table of the record's columns: it drives the CSV header and rows, the fields of messages in the journal, and later SQL
 * columns and JSON keys.
 */

#include "base/base.h"

typedef enum Column {
	COLUMN_SERVER,
	COLUMN_DATE,
	COLUMN_IP,
	COLUMN_USER,
	COLUMN_HOSTNAME,
	COLUMN_RDNS_STATUS,
	COLUMN_COUNTRY_CODE,
	COLUMN_ASN,
	COLUMN_ASO,
	COLUMN_COUNT,
} Column;

typedef struct ColumnInfo {
	const char *name;          /* "reverse_dns_status" */
	const char *journal_field; /* "MLS_REVERSE_DNS_STATUS" */
	const char *sql_name;      /* unless the configuration renames it */
	const char
		*placeholder; /* what stands for a missing value, NULL when it is never missing */
	bool always_quoted;
	bool from_outside; /* escaped against spreadsheets, terminals and placeholders */
} ColumnInfo;

extern const ColumnInfo columns[COLUMN_COUNT];

/* One record: a value per column, borrowed; SPAN_MISSING where there is none. */
typedef struct Row {
	Span field[COLUMN_COUNT];
} Row;
