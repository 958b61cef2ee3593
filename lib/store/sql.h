/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * SQL in three dialects: names, values and the statements that write rows, so that each means the same whatever the session's settings
 * are. A row is known by its place in the CSV: (instance, csv, byte_offset), where the instance is the series of the CSV's files
 * (state/checkpoint) as 16 hexadecimal digits.
 */

#include "state/bookmark.h"
#include "store/columns.h"

typedef enum SqlDialect {
	SQL_SQLITE,
	SQL_POSTGRESQL,
	SQL_MYSQL, /* MariaDB, too */
} SqlDialect;
#define SQL_DIALECT_COUNT 3

/* "sqlite", "postgresql", "mysql". */
const char *sql_dialect_name(SqlDialect dialect);

/* 0 or -EINVAL. */
int sql_dialect_parse(Span name, SqlDialect *ret_dialect);

#define SQL_NAME_MAX 40

/* [a-z_][a-z0-9_]*, at most SQL_NAME_MAX bytes: what may be a table's or a column's name. */
bool sql_name_valid(Span name);

/* The key's columns, before those of the CSV. */
#define SQL_KEY_COUNT 3
extern const char *const sql_key_columns[SQL_KEY_COUNT];

/* What is added to the table's name. */
#define SQL_LEDGER_SUFFIX "_batches"

/* The ledger's columns that a file fills in; what else it has is the database's to fill. Its primary key is (instance, sequence). */
#define SQL_LEDGER_COUNT 9
extern const char *const sql_ledger_columns[SQL_LEDGER_COUNT];

/* What the table is called in a database, and its columns. */
typedef struct SqlTable {
	SqlDialect dialect;
	char name[SQL_NAME_MAX + 1];
	char columns[COLUMN_COUNT][SQL_NAME_MAX + 1]; /* "": left out */
} SqlTable;

/*
 * The columns have the CSV's names, but user, which is username: in PostgreSQL a bare user is the session's. 0, or -EINVAL for a name that
 * is none.
 */
int sql_table_init(SqlTable *table, SqlDialect dialect, const char *name);

/*
 * "CSVNAME=SQLNAME" renames a column, "CSVNAME=" leaves it out. 0, or -EINVAL with *ret_why: the CSV has no such column, it is none of the
 * names that may be.
 */
int sql_table_map(SqlTable *table, const char *mapping, Why *ret_why);

/* Whether no two columns have one name. 0, or -EINVAL with *ret_why. */
int sql_table_check(const SqlTable *table, Why *ret_why);

/* "name" or `name`, with the suffix in the quotes. */
void sql_append_name(StrBuf *sb, SqlDialect dialect, const char *name, const char *suffix);

/* A string of UTF-8 without control characters, NULL for a missing one. */
void sql_append_text(StrBuf *sb, SqlDialect dialect, Span value);

/* Rows from one place up to another, of one instance. */
typedef struct SqlRange {
	uint64_t instance;
	uint64_t from_csv, from_offset; /* the first byte */
	uint64_t to_csv, to_offset;     /* behind the last */
} SqlRange;

/* What stands before the rows of a statement, with its LF. */
void sql_append_insert(StrBuf *sb, const SqlTable *table);

enum { SQL_NOT_TAKEN = 1 };

/*
 * A row, "(...)" without a line end; place is that of its first byte. The row is one that csv_parse_row() gave. 0; SQL_NOT_TAKEN with
 * *ret_why: not every database takes such a value, nothing was appended; or what sb's error is.
 */
int sql_append_row(
	StrBuf *sb, const SqlTable *table, const CsvPlace *place, const Row *row, Why *ret_why);

/* What stands behind the rows: one that is there already stays as it is. With ";" and LF. */
void sql_append_insert_end(StrBuf *sb, const SqlTable *table);
