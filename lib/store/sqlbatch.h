/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Writes rows as one file of SQL, complete or absent, that the database's own client reads as it is: comments that say what it is
 * (store/sqlhead), settings, and one transaction of INSERTs of many rows, a row a line, the last of which puts the file into the ledger.
 * A line that ends in ";" ends a statement, and no other does.
 *
 * A file holds at most SQLBATCH_ROWS_MAX rows and little more than SQLBATCH_BYTES_MAX bytes; in memory is about one statement.
 */

#include "store/sqlhead.h"

#define SQLBATCH_ROWS_MAX 50000
#define SQLBATCH_BYTES_MAX ((uint64_t)16 << 20)

typedef struct SqlBatch SqlBatch;

/*
 * Begins the file `name` in `dir`, which is made with the first row; until it is finished it is dir/.NAME.tmp. The range of its rows begins
 * at `from`; from->series is the instance. 0 or -errno.
 */
int sqlbatch_new(const char *dir, const char *name, const SqlTable *table, uint64_t sequence,
	const CsvPlace *from, SqlBatch **ret_batch);

/* A file that is not finished is removed. */
void sqlbatch_free(SqlBatch *batch);
DEFINE_CLEANUP(SqlBatch *, sqlbatch_freep, sqlbatch_free)

/* Whether it takes no more rows. */
bool sqlbatch_full(const SqlBatch *batch);

/*
 * Adds a row that csv_parse_row() gave and whose first byte is at place; places only grow. 0; SQL_NOT_TAKEN with *ret_why: sqlbatch_skip()
 * it; -errno with *ret_why: the file can't be finished.
 */
int sqlbatch_add(SqlBatch *batch, const CsvPlace *place, const Row *row, Why *ret_why);

/* A line of the range that is not in the file. */
void sqlbatch_skip(SqlBatch *batch);

enum { SQLBATCH_EMPTY = 1 };

/*
 * The range ends at `to`, behind the last row and what was skipped. The file is durable under its name when this returns 0, with its head;
 * SQLBATCH_EMPTY: without a row there is none; -errno with *ret_why.
 */
int sqlbatch_finish(SqlBatch *batch, const CsvPlace *to, SqlHead *ret_head, Why *ret_why);
