/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Brings the files of SQL (store/sqlspool) into the database, in their order: each whole, in one transaction with its row in the ledger there, which
 * says which files are in. So a file is in once, whenever an import is killed, however many there are at once, and whoever else has replayed it; and
 * a database that was brought back from a backup gets again what it lacks.
 *
 * It stops at the first file that does not get in: those before it are in, those behind it wait.
 */

#include "daemon/config.h"

/* The exit status: EXIT_DONE when all files are in, else EXIT_FAILED, with a line on stderr. A line on stdout for each file that got in. */
int sql_import(const Config *config);
