/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Reports that could not be sent and are kept (report/spool): what people are told of them, in `status` and in the next report. */

#include "daemon/warnings.h"

#define FAILURES_KEY "report-failed"

/*
 * Appends it as a sentence, nothing when there are none; bytes from outside are not escaped. *ret_since_us is when the last of them was made, 0
 * when that is not known. Check strbuf_error(). 0 or -errno: it can't be known.
 */
int failures_append(const char *state_dir, StrBuf *sb, int64_t *ret_since_us);

/* Raises or ends the warning. */
void failures_look(const char *state_dir, Warnings *warnings);
