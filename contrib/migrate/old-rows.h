/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The Python version's CSV as this one's: semicolons or commas between the fields, dd/mm/YYYY HH:MM or this version's stamps, the columns
 * that it has or those five that an older one had.
 */

#include "base/strbuf.h"

#define OLD_ROWS_NAMED 20 /* of the lines that are no rows */

typedef struct OldRows {
	uint64_t rows;
	uint64_t bad; /* lines that are none, nor empty */
	uint64_t
		redated; /* rows dated later than the file was written: that program took the year in which it read the line */
	StrBuf named;    /* "line N: why", a line each; bytes from outside are escaped */
	uint64_t length; /* of the new CSV */
	uint64_t today;  /* where in it the rows of today begin; its length without any */
	int64_t last_us; /* of the last row: the end of its minute; 0: there is none */
	char last[32];   /* its stamp, "2026-11-23 10:05" */
} OldRows;

#define OLD_ROWS_INIT ((OldRows){.named = STRBUF_INIT})

void old_rows_done(OldRows *rows);
#define _cleanup_old_rows_ _cleanup_(old_rows_done)

/* Whether the text is the beginning of such a CSV. One with commas and without CRs looks as this version's own: it is none. */
bool old_rows_have_header(Span head);

/*
 * Reads fd (-1: nothing) from its position on and writes the new CSV to to, and the lines that are no rows, as they are, to bad (-1: not
 * at all). 0 or -errno.
 */
int old_rows_convert(int fd, int to, int bad, int64_t now_us, OldRows *ret_rows);
