/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What reverse DNS has done, over restarts. A resolver counts from zero; what was counted before stands in the status file that the
 * daemon finds at its start. When that is gone, the counting begins anew, which its instant tells.
 */

#include "enrich/rdns.h"
#include "state/status.h"

typedef struct DnsCounts {
	int64_t since_us;
	StatusDnsCounts before; /* by earlier processes */
} DnsCounts;

/* Goes on from what the status of the process before says; call it before that is replaced. */
void dns_counts_begin(DnsCounts *counts, const char *state_dir, int64_t now_us);

/* Says in status what has been done, with rdns (NULL: nothing) by this process. */
void dns_counts_status(const DnsCounts *counts, const Rdns *rdns, bool enabled, Status *status);
