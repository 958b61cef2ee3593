/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Reads a file that store/sqlbatch wrote, one statement at a time, and gives out none before the whole file has been found to be as it was
 * written.
 */

#include "store/sqlhead.h"

/* The longest statement that is read, in bytes; longer than any that is written. */
#define SQLREPLAY_STATEMENT_MAX ((size_t)8 << 20)

/* The head alone, of which the hash says nothing yet. 0; -EBADMSG with *ret_why when it is no such file; -errno with *ret_why. */
int sqlreplay_head(const char *path, SqlHead *ret_head, Why *ret_why);

typedef struct SqlReplay SqlReplay;

/*
 * Opens and verifies the whole file: its hash, its number of rows, the statements around them. 0; -EBADMSG with *ret_why when it is not as
 * it was written; -errno with *ret_why.
 */
int sqlreplay_open(const char *path, SqlReplay **ret_replay, Why *ret_why);
void sqlreplay_free(SqlReplay *replay);
DEFINE_CLEANUP(SqlReplay *, sqlreplay_freep, sqlreplay_free)

/* Borrowed. */
const SqlHead *sqlreplay_get_head(const SqlReplay *replay);

enum { SQLREPLAY_END = 1 };

/*
 * The next statement, NUL-terminated, borrowed until the next call: settings, the begin of the transaction, the rows, and last the ledger's;
 * then SQLREPLAY_END, and it is the caller's to look for the ledger's row (sqlhead_append_question) and to commit. 0; SQLREPLAY_END;
 * -EBADMSG with *ret_why when the file was changed since it was opened: before the ledger's statement has been given; -errno with *ret_why.
 */
int sqlreplay_next(SqlReplay *replay, Span *ret_statement, Why *ret_why);

/* Goes back to the first statement. */
void sqlreplay_rewind(SqlReplay *replay);
