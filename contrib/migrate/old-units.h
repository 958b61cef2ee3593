/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The Python version's units of systemd, what still runs of it, and what else starts it. */

#include "daemon/legacy.h"
#include "daemon/plan.h"
#include "migrate/old-config.h"

/* When its timers run, or ran until they were put below dir. 0 or -ENOMEM. */
int old_units_times(const Legacy *legacy, const char *dir, OldTimes *ret_times);
void old_times_done(OldTimes *times);
#define _cleanup_old_times_ _cleanup_(old_times_done)

/*
 * Steps that stop and disable its units, wait until nothing of it runs, and move the units' files, with what was added to them, below dir. systemd says
 * whether that is this system's init. 0 or -errno.
 */
int old_units_add(const Legacy *legacy, const char *dir, bool systemd, Plan *plan);

/* Appends the places of crontabs that start it, "PATH: line N", a line each. 0 or -ENOMEM. */
int old_units_find_cron(StrBuf *sb);
