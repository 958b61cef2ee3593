/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The CSV's form (RFC 4180 with LF, UTF-8, one physical line a row): values to bytes and back.
 * Everything that reads the CSV uses the reader here. The file itself, with its commits, is store/csvfile.
 */

#include "base/strbuf.h"
#include "store/columns.h"

/* The header line with its LF. */
Span csv_header(void);

/* Appends the row as one line with its LF. Check strbuf_error(). */
void csv_append_row(StrBuf *sb, const Row *row);

#define CSV_ROW_MAX ((size_t)1 << 20) /* longest line that is read as a row, in bytes */

enum { CSV_NOT_A_ROW = 1 };

/*
 * Reads one line (no LF) as a row: undoes quotes and the leading ', turns placeholders into
 * SPAN_MISSING; the \xHH form stays (where raw bytes are wanted, utf8_append_unescaped undoes it).
 * The row's spans point into line or into *scratch (reset here). 0; CSV_NOT_A_ROW with *ret_why for a torn or foreign
 * line; -ENOMEM.
 */
int csv_parse_row(Span line, StrBuf *scratch, Row *ret_row, Why *ret_why);
