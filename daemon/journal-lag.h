/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How far behind the journal's end a service is that reads it: by looking behind the place that its status names. */

#include "state/status.h"

#define JOURNAL_LAG_MAX 10000 /* entries that are counted */

/*
 * Mail entries of the journal that were not read yet; JOURNAL_LAG_MAX stands for that or more. False where that can't be known:
 * it is a file, nothing was read of it, or the journal may not be read.
 */
bool journal_lag(const StatusLog *log, uint64_t *ret_entries);
