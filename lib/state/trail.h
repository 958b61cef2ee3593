/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Places in a file that reading passed on its way to a mark, to know how much of the file is still the same when the bytes before
 * the mark are not (a power cut took its end, and perhaps it has grown again since). At most TRAIL_MAX: the first one
 * is kept, and the nearer to the mark the closer they stand, so that whatever was lost, what has to be read again is little
 * beside it.
 */

#include "state/mark.h"

#define TRAIL_MAX 16

typedef struct TrailPlace {
	uint64_t offset;
	uint64_t hash; /* of the len bytes before it */
	uint32_t len;  /* 1 to MARK_TAIL_MAX */
} TrailPlace;

typedef struct Trail {
	uint32_t count;
	TrailPlace places[TRAIL_MAX]; /* by offset */
} Trail;

/* The mark was passed; places behind it are forgotten. Places closer than MARK_TAIL_MAX to the last count as that one. */
void trail_add(Trail *trail, const FileMark *mark);

/* Forgets the places behind offset. */
void trail_cut(Trail *trail, uint64_t offset);

/*
 * How far the open plain file, size bytes long, is the one of the trail: the newest place that still has its bytes
 * before it. *ret_at is its index; *ret_newer says that of the newer ones at least one lies within the file and has other bytes
 * before it. 0, MARK_OTHER when there is none (*ret_newer is set), -errno.
 */
int trail_match_fd(const Trail *trail, int fd, uint64_t size, uint32_t *ret_at, bool *ret_newer);
