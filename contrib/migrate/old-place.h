/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Where the Python version's offset is: it named a byte of the log, but not which file was the log then. The file is known by its stamps: the
 * line before the place is not younger than the offset, the line behind it not older. That is the log, or one of its rotated siblings.
 */

#include "state/checkpoint.h"

typedef struct OldPlace {
	char *path; /* NULL: no file has the place */
	FileMark mark;
	uint64_t length; /* of what the file holds, as far as that is known */
} OldPlace;

#define OLD_PLACE_INIT ((OldPlace){.path = NULL})

void old_place_done(OldPlace *place);
#define _cleanup_old_place_ _cleanup_(old_place_done)

/*
 * The place of the offset, which was written at written_us, in the log at path or in what was rotated away. 0, with or without a path; -errno with
 * *ret_why.
 */
int old_place_find(
	const char *path, uint64_t offset, int64_t written_us, OldPlace *ret_place, Why *ret_why);
