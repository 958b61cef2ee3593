/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The directory of the files of SQL (store/sqlbatch): SEQUENCE-YYYYMMDDTHHMMSSZ.sql, so that names sort by the sequence. Who changes
 * anything holds the lock of the export's bookmark; looking needs none. What has another name is left alone.
 */

#include "base/strbuf.h"

#define SQLSPOOL_SEQUENCE_MAX 9999999999 /* ten digits */
#define SQLSPOOL_NAME_LEN 31
#define SQLSPOOL_NAME_MAX (SQLSPOOL_NAME_LEN + 1)

typedef struct SqlSpoolEntry {
	char name[SQLSPOOL_NAME_MAX];
	uint64_t sequence;
	int64_t written_us; /* by the name */
	uint64_t size_bytes;
} SqlSpoolEntry;

typedef struct SqlSpool {
	char *dir;
	SqlSpoolEntry *entries; /* in order */
	size_t count;
} SqlSpool;

#define SQLSPOOL_INIT ((SqlSpool){.dir = NULL})

void sqlspool_done(SqlSpool *spool);
#define _cleanup_sqlspool_ _cleanup_(sqlspool_done)

/* What is there, whoever is at work on it; without a directory it is empty. 0 or -errno. */
int sqlspool_read(const char *dir, SqlSpool *ret_spool);

/* The same to change it: makes the directory (0700; its parent is there), and removes what a crash has left. 0 or -errno. */
int sqlspool_open(const char *dir, SqlSpool *ret_spool);

/* The name of a file. 0, or -ERANGE for a sequence or a time that has none. */
int sqlspool_name(uint64_t sequence, int64_t now_us, char ret_name[SQLSPOOL_NAME_MAX]);

/* dir/name, heap memory; NULL without memory. */
char *sqlspool_path_dup(const SqlSpool *spool, const SqlSpoolEntry *entry);

/* Removes the file; sqlspool_sync() makes it durable. The entries stay as they are. 0 or -errno. */
int sqlspool_remove(const SqlSpool *spool, const SqlSpoolEntry *entry);
int sqlspool_sync(const SqlSpool *spool);
