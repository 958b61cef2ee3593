/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Removes files of sql-export that are of no more use: the database has them, as its ledger says of the file's own hash, and they are older than that. All
 * others stay.
 */

#include "daemon/config.h"

#define SQL_PRUNE_DAYS_MAX 36500

/*
 * Those that are older than that many days by their names; 0 is all. Prints how many, if there were any. The exit status: EXIT_DONE, or
 * EXIT_FAILED with a line on stderr.
 */
int sql_prune(const Config *config, unsigned days);
