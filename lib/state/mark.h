/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A place in a file, and what makes the file the same file: equal first bytes and equal bytes
 * before the place. Device and inode only help to choose between equals: st_dev changes at reboot
 * on LVM, btrfs and NFS, and inodes are used again.
 */

#include "base/compress.h"

#define MARK_HEAD_MAX \
	4096              /* bytes of the file's start that are compared; fewer while it is short */
#define MARK_TAIL_MAX 256 /* bytes before the place that are compared */

typedef struct FileMark {
	uint64_t device, inode;
	uint64_t offset;    /* the place: everything before it is done (in uncompressed bytes) */
	uint64_t head_hash; /* of the first head_len bytes, which lie before offset */
	uint64_t tail_hash; /* of the tail_len bytes before offset */
	uint32_t head_len;
	uint32_t tail_len;
	int64_t written_us; /* when the file had last been written then (st_mtim); 0: not known */
} FileMark;

/* The hash that marks use, for whoever makes one of bytes in memory. */
uint64_t mark_hash(const void *data, size_t len);

/* The mark of the place offset in the open file. 0, -ESPIPE when the file ends before it, -errno. */
int mark_from_fd(int fd, uint64_t offset, FileMark *ret_mark);

enum {
	MARK_SHORT = 1, /* the first bytes are the same, but the file ends before the place */
	MARK_OTHER = 2, /* it is another file, or other bytes stand before the place */
};

/*
 * Whether the open plain file is the one that was marked. 0, MARK_SHORT, MARK_OTHER, -errno. A mark at
 * the start of a file fits every file.
 */
int mark_compare_fd(const FileMark *mark, int fd);

/*
 * The same for content that is read from its start, as it must be where it is compressed. Besides, with 0 or MARK_SHORT, how
 * many bytes up to the mark there are (what is damaged ends there).
 */
int mark_compare_reader(const FileMark *mark, Reader *reader, uint64_t *ret_length);
