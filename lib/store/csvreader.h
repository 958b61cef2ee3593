/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Reads the rows of the CSV that are committed and that a reader has not had yet: over rotated files, under whatever name they
 * are now and compressed or not, up to the committed end as it is when it is opened, never beyond it. It works
 * beside a service that commits, rotates and is killed. The rows that were read are done once the bookmark (state/bookmark) has been
 * moved to the place where they end.
 */

#include "state/bookmark.h"

typedef struct CsvReader CsvReader;

enum { CSVREADER_NOTHING = 1 };

/*
 * Reads from `from` on, NULL for the oldest that is known. What the checkpoint says is durable when this returns. 0;
 * CSVREADER_NOTHING when there is no checkpoint yet; -errno with *ret_why.
 */
int csvreader_open(
	const char *state_dir, const CsvPlace *from, CsvReader **ret_reader, Why *ret_why);
void csvreader_free(CsvReader *reader);
DEFINE_CLEANUP(CsvReader *, csvreader_freep, csvreader_free)

enum {
	CSVREADER_END = 1,     /* all has been read */
	CSVREADER_MISSING = 2, /* *ret_why says what is gone; the next call goes on behind it */
};

/* What was committed when it was opened; borrowed. */
const Checkpoint *csvreader_checkpoint(const CsvReader *reader);

/*
 * The next line without its LF, never a header, borrowed until the next call; csv_parse_row() tells whether it is a row (one that is
 * longer than CSV_ROW_MAX comes in pieces). 0; CSVREADER_END; CSVREADER_MISSING; -errno with *ret_why.
 */
int csvreader_next(CsvReader *reader, Span *ret_line, Why *ret_why);

/* The place behind all that was given, and behind what was said to be missing. */
CsvPlace csvreader_place(const CsvReader *reader);

/* How many bytes were said to be missing, as far as that is known. */
uint64_t csvreader_missing_bytes(const CsvReader *reader);
