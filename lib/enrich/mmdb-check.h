/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Checks that the bytes of an MMDB (MaxMind DB 2.0) are what the format says, before libmaxminddb
 * sees them: the releases that are around (1.7 and its neighbours) go down without end in nested
 * data, lose memory on odd metadata and compute sizes in 32 bits. What this lets pass is data
 * that every release reads safely and in bounded time.
 */

#include "base/base.h"

/* The format's mark before the metadata, which lies within the last 128 KiB of the file. */
#define MMDB_MARK "\xab\xcd\xefMaxMind.com"
#define MMDB_MARK_REACH ((size_t)128 * 1024)

/* Where the parts of a file lie. */
typedef struct MmdbFrame {
	uint32_t node_count;
	unsigned address_bits; /* 32 or 128 */
	const uint8_t *data;   /* the data section, without the metadata; borrowed */
	uint32_t data_size;
	uint64_t budget;  /* items that may still be looked at: a sound file has fewer than bytes */
	uint8_t *checked; /* a bit for each byte of data: a sound item starts here */
} MmdbFrame;

/* The mark in the file's last bytes, the last one if there are more; NULL: none. */
const uint8_t *mmdb_mark_find(const uint8_t *tail, size_t size);

/*
 * Checks metadata and sizes. 0; -EBADMSG with *ret_why; -ENOMEM. The frame borrows the file; end
 * it with mmdb_frame_done.
 */
int mmdb_frame_init(MmdbFrame *frame, const uint8_t *file, size_t size, Why *ret_why);
void mmdb_frame_done(MmdbFrame *frame);

/*
 * Checks the map at an offset of the data section and all that it holds or points to. True when
 * it is sound; asking again costs nothing.
 */
bool mmdb_check_map(MmdbFrame *frame, uint32_t offset);
