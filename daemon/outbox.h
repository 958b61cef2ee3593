/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The one way in which a report leaves, so that each row is in one report and each report is sent once, whatever fails and whenever the process is
 * killed: under the lock of the report's bookmark the finished message is made durable in the spool (report/spool), then the
 * bookmark is moved to the end of its rows, and only then it is sent (daemon/courier). A message that is in the spool while the bookmark is not behind
 * its rows was left by a crash between the two: the next run moves the bookmark first.
 */

#include "daemon/config.h"

/*
 * Composes the report of what is new, unless only what is spooled is wanted, and sends all that is spooled. The exit status: EXIT_DONE
 * when nothing waits and nothing was refused, else EXIT_FAILED, with a line on stderr.
 */
int outbox_send(const Config *config, bool only_spooled);

/* Composes the report of a day and sends it at once; nothing is moved or kept. Likewise; all must have accepted it. */
int outbox_send_day(const Config *config, const char *date);
