/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the rows need in a database, in the words of each dialect: the table, the ledger of the batches that are in (store/sql), the views
 * for the usual questions, whose names and columns are the same everywhere, and the indexes. What there is of it is told by versions in a
 * table of its own: each step from one to the next is done once, here or by hand, and does no harm when it is done again.
 *
 * The indexes are a step behind the rows: the first load of a big CSV takes a fraction of the time without them. Whoever drops one, or
 * makes others, is left alone.
 */

#include "store/sink.h"
#include "store/sql.h"

#define SQLSCHEMA_VERSION_SUFFIX "_schema"

/* The highest version that is known, and the one that rows can go into. */
#define SQLSCHEMA_VERSION 2
#define SQLSCHEMA_FOR_ROWS 1

/*
 * Appends all statements from nothing to the highest version: each ends with ";" and LF, and none holds that inside. They can be given to
 * the dialect's own client, and again. Check strbuf_error().
 */
void sqlschema_append(StrBuf *sb, const SqlTable *table);

enum { SQLSCHEMA_INCOMPLETE = 2 }; /* beside SINK_AWAY */

/*
 * Brings the database to the version that rows need (before they are sent), or to the highest (behind them); waits at most wait_ms for another
 * who does so. Where nothing is to be done, the right to read is enough. A column that the table lacks, as the mapping had left it out, is
 * added. An index that the database refuses is left out, and not asked for again. 0; SINK_AWAY; SQLSCHEMA_INCOMPLETE: but for an index; -EPROTONOSUPPORT: a newer program made it; -EEXIST: the name is another's; or what the sink says; with *ret_why.
 */
int sqlschema_prepare(Sink *sink, const SqlTable *table, unsigned wait_ms, Why *ret_why);
int sqlschema_complete(Sink *sink, const SqlTable *table, unsigned wait_ms, Why *ret_why);
