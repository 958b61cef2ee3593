/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the service's user can do and what not, tried by a child process that is that user, with the groups that the service has. Where there
 * is no such user yet, by one who owns nothing. Only root can try.
 */

#include "base/strbuf.h"

/* Looks, and appends what is wrong, in words. 0, or -errno. */
typedef int TrialCheck(const void *subject, StrBuf *ret_text);

/*
 * Calls check in the child, and hands over what it appends and returns. Another -errno, with nothing appended, where there is no child.
 */
int trial_run(TrialCheck *check, const void *subject, StrBuf *ret_text);
