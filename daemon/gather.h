/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Gathers all that a report says: the rows that are committed and that no sent report has had yet, or those of a day, and what is to
 * be known beside them (counters, earlier days, warnings), with the rows as a file to go with it. It only reads, and works beside
 * a service that writes. Nothing has been reported until somebody saves where it ends, with its payload (state/bookmark).
 *
 * It takes as much memory as the rows differ from each other (report/stats), and report.max_attachment.
 */

#include "daemon/config.h"
#include "report/facts.h"
#include "state/bookmark.h"

typedef struct Gather Gather;

typedef struct GatherOptions {
	const char *date; /* "2026-11-22": the rows of this day alone; NULL: all that are new */
	/*
	 * Up to here, for the payload alone; nothing where that is before the bookmark or in another series, and then the payload is as it was.
	 * NULL: as far as they are committed.
	 */
	const CsvPlace *until;
	bool with_attachment;
	int64_t now_us;
} GatherOptions;

enum { GATHER_NOTHING = 1 };

/*
 * config is borrowed for as long as it lives. 0; GATHER_NOTHING when nothing was ever recorded, as there is no checkpoint;
 * -errno with *ret_why (-EBADMSG: the bookmark is damaged).
 */
int gather_new(
	const Config *config, const GatherOptions *options, Gather **ret_gather, Why *ret_why);
void gather_free(Gather *gather);
DEFINE_CLEANUP(Gather *, gather_freep, gather_free)

const ReportFacts *gather_facts(const Gather *gather);

/* Its file name and MIME type, and its bytes; false: there is none. */
bool gather_attachment(
	const Gather *gather, const char **ret_name, const char **ret_type, Span *ret_bytes);

/* The bookmark that it began at; NULL: there was none yet. */
const Bookmark *gather_start(const Gather *gather);

/* What is to be saved when it was reported; not with a date. */
const Bookmark *gather_end(const Gather *gather);

/* Appends the lines that are to be saved with it; not with a date. Check strbuf_error(). */
void gather_payload(const Gather *gather, StrBuf *sb);
