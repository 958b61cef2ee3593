/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The CSV's form (RFC 4180 with LF, UTF-8, one physical line a row): values to bytes and back.
 * Everything that reads the CSV uses the reader here. The file itself, with its commits, is store/csvfile.
 *
 * A field that comes from outside gets a ' in front when its raw value starts with one of = + - @ ' or a tab
 * (spreadsheets would run it) or reads as the column's placeholder. In every field, control characters and
 * bytes that are not UTF-8 are written \xHH, and a \ before an x is written \x5c.
 */

#include "base/strbuf.h"
#include "store/columns.h"

/* The header line with its LF. */
Span csv_header(void);

/* The longest value that is written, in raw bytes; what a longer one has behind that is cut off. */
#define CSV_FIELD_MAX ((size_t)64 << 10)

/* The longest line that is read as a row, in bytes; longer than any that is written (\xHH is four bytes). */
#define CSV_ROW_MAX (COLUMN_COUNT * (4 * CSV_FIELD_MAX + 4))

/*
 * Appends the row as one line with its LF. A missing value becomes the column's placeholder, or an empty field in
 * a column without one (server); date and ip must be there. Check strbuf_error().
 */
void csv_append_row(StrBuf *sb, const Row *row);

/*
 * Appends what csv_append_row writes for the columns country_code, asn and aso, from the first to the last, without the LF.
 * Missing values are a missing Span and 0. CSV_PLACE_VERSION is another one when it writes something else for the same.
 */
void csv_append_place(StrBuf *sb, Span country_code, uint32_t asn, Span organisation);
#define CSV_PLACE_VERSION 1

/* As csv_append_row, with the text of csv_append_place in the place of the row's last three columns. */
void csv_append_row_with_place(StrBuf *sb, const Row *row, Span place);

enum { CSV_NOT_A_ROW = 1 };

/*
 * Reads one line (no LF; a CR at its end is ignored) as a row: undoes quotes and the leading ', turns placeholders
 * into SPAN_MISSING; the \xHH form stays (where raw bytes are wanted, utf8_append_unescaped undoes it), so every
 * field is UTF-8 text without control characters. Besides, the date is one ("2025-05-17 12:05"), the ip is an address or
 * "unknown", and the asn is missing or a 32-bit number.
 * The row's spans point into line or into *scratch (reset here). 0; CSV_NOT_A_ROW with *ret_why for a torn or foreign
 * line, and for the header; -ENOMEM.
 */
int csv_parse_row(Span line, StrBuf *scratch, Row *ret_row, Why *ret_why);
