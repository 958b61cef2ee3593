/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a file of SQL says of itself (store/sqlbatch): the comments that it begins with, and its statements that hold no rows. All of it
 * follows from a SqlHead, so a reader that has taken the values from the comments compares the rest byte by byte.
 */

#include "base/digest.h"
#include "store/sql.h"

typedef struct SqlHead {
	SqlTable table;
	uint64_t sequence; /* from 1 on, of the instance */
	uint64_t rows;
	uint64_t skipped; /* lines of the range that are no rows of the file */
	SqlRange range;
	char hash[DIGEST_TEXT_LEN + 1]; /* of everything else in the file; always of that length */
} SqlHead;

/* The longest that it can be, in bytes. */
#define SQLHEAD_MAX ((size_t)2048)

/* The comments. As long for every sequence, range, number of rows and hash; so it can be written when the rows are. */
void sqlhead_append(StrBuf *sb, const SqlHead *head);

/* The same without the hash, which is what the hash is of. */
void sqlhead_append_unhashed(StrBuf *sb, const SqlHead *head);

/*
 * Reads what sqlhead_append() wrote, from the start of text, which may be longer. 0, with how long it is; -EBADMSG with *ret_why for anything
 * else and for a newer version.
 */
int sqlhead_parse(Span text, SqlHead *ret_head, size_t *ret_len, Why *ret_why);

/* The statements before the rows: settings, and the begin of the transaction. */
void sqlhead_append_begin(StrBuf *sb, const SqlTable *table);

/*
 * The statement that writes the file into the ledger: nothing when it is there already, nothing when not all of the range's rows are in
 * the table, and an error when there is another file of that sequence.
 */
void sqlhead_append_ledger(StrBuf *sb, const SqlHead *head);

/* The end of the transaction. */
#define SQLHEAD_COMMIT "COMMIT"

/* Asks for the hash that the ledger has of the file's instance and sequence: no row when it has none. Without ";". */
void sqlhead_append_question(StrBuf *sb, const SqlHead *head);
