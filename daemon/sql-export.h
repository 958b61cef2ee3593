/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Writes the committed rows of the CSV as files of SQL (store/sqlbatch), each row into one file, whatever fails and whenever the process is killed: under
 * the lock of the export's bookmark (daemon/sql-mark) a file is made durable, and then the bookmark is moved to the end of its rows. A file
 * that is there while the bookmark is not behind it was left by a crash between the two: the next run moves the bookmark first.
 *
 * What can't be exported, a line that is no row or rows that are gone, is named on stderr and passed.
 */

#include "daemon/config.h"

typedef enum SqlExportStart {
	SQL_EXPORT_CONTINUE,
	SQL_EXPORT_FROM_START, /* from the oldest row that is known */
	SQL_EXPORT_FROM_NOW,   /* behind the rows that there are: none is written */
} SqlExportStart;

/*
 * Writes what is new as files, and prints a line for each. The exit status: EXIT_DONE, or EXIT_FAILED when a row did not get out, with a
 * line on stderr.
 */
int sql_export(const Config *config, SqlExportStart start);
