/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whether the pipeline moves, for the watchdog: failures that wait for their names must become rows. A queue that is full and
 * stays full moves as long as rows come out of it. Start it with zero.
 */

#include "base/base.h"

/* Longer than the longest deadline of a lookup that may be configured: who waits so long is a bug, which the watchdog may end. */
#define PROGRESS_STUCK_MS 360000

typedef struct Progress {
	uint64_t rows;     /* that had been written when it was last looked at */
	uint64_t moved_ms; /* when it had moved, or had nothing to do */
} Progress;

/*
 * False when failures wait and no row was written for PROGRESS_STUCK_MS. rows counts what was written (it may start
 * again at any number); a pause whose reason was said counts as progress.
 */
bool progress_is_made(
	Progress *progress, size_t waiting, uint64_t rows, bool paused, uint64_t now_ms);
