/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Sends what waits in the spool, in its order. A letter goes to each of its recipients once: it is noted before each try and after it what came of it, and
 * one that all have accepted is removed at once. Only where the server's answer was lost, or the process was killed before it was noted, a
 * letter is sent again, as the same message.
 *
 * What is not taken now is tried again by a later run, what has been tried for COURIER_KEEP_DAYS or was refused has failed. When nobody can be
 * talked to, the rest waits.
 */

#include "daemon/config.h"
#include "report/spool.h"

#define COURIER_KEEP_DAYS 5

/*
 * Sends those of the first `count` entries that have not failed, under the lock of the spool. Prints a line for what was sent, logs one line for all that
 * was not. True when nothing waits and nothing was refused.
 */
bool courier_send(const Config *config, Spool *spool, size_t count);

/*
 * Sends a message to all recipients that are configured, once; it is not kept. Prints or logs a line. True when all have accepted it.
 */
bool courier_send_now(const Config *config, const char *from, Span message);
