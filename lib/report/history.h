/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What earlier reports had: how many rows each day, and which addresses, networks (by ASN, else /24 or /48) and countries were
 * seen last on which day, so that a report can say what is different and what is new. It is saved in one file with the place that it
 * has read to (state/bookmark), so each row is in it once. Days are those of the rows' own date, counted as calendar_days() does.
 *
 * It forgets what is older than it is asked for, and beyond HISTORY_ADDRESSES_MAX and HISTORY_NETWORKS_MAX all that was last seen on the
 * oldest days; then it says to go back fewer days. Where the clock was set back it begins anew to know which days are whole.
 */

#include "report/facts.h"
#include "report/stats.h"

#define HISTORY_DAYS 30 /* what was not seen for longer is new */
#define HISTORY_ADDRESSES_MAX ((size_t)300000)
#define HISTORY_NETWORKS_MAX ((size_t)100000) /* and countries */

typedef struct History History;

/* An empty one. 0 or -ENOMEM. */
int history_new(History **ret_history);
void history_free(History *history);
DEFINE_CLEANUP(History *, history_freep, history_free)

/* Reads what history_append() wrote into an empty one; an empty text is an empty history. 0; -EBADMSG with *ret_why; -ENOMEM. */
int history_load(History *history, Span text, Why *ret_why);

/* Appends it as lines of text, 16 MB at most; nothing when it is empty. */
void history_append(const History *history, StrBuf *sb);

/*
 * Fills what facts (NULL: nobody asks) have from comparing stats with earlier days, for a report whose last day is `day`; then adds
 * stats. The texts are borrowed until the next call. 0 or -ENOMEM: it has not changed.
 */
int history_add(History *history, const ReportStats *stats, int32_t day, ReportFacts *facts);
