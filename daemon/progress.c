/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/progress.h"

bool progress_is_made(
	Progress *progress, size_t waiting, uint64_t rows, bool paused, uint64_t now_ms)
{
	if (!waiting || paused || rows != progress->rows)
		progress->moved_ms = now_ms;
	progress->rows = rows;
	return now_ms - progress->moved_ms < PROGRESS_STUCK_MS;
}
