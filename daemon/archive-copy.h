/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A file into a folder of an archive, with its mode, its owner and its times. */

#include "daemon/belongings.h"
#include "daemon/owner.h"

typedef struct ArchiveCopy {
	const Seat *seat;
	int fd;            /* of the folder */
	const char *where; /* for messages */
	bool gzip; /* what is not compressed yet becomes NAME.gz, a name that no other file has */
	/* Bytes that were read; false: to be ended. */
	bool (*progress)(void *userdata, size_t bytes);
	void *userdata;
} ArchiveCopy;

/*
 * Copies it durably and notes in it what it was when that was done. One that changes meanwhile is copied again. 0; -EINTR when it was to be
 * ended; -errno with *ret_why.
 */
int archive_copy(const ArchiveCopy *copy, Belonging *file, Why *ret_why);

/* Mode, owner (where we may) and times of st for what is open as fd, then makes it durable. 0 or -errno. */
int archive_copy_attributes(const Seat *seat, int fd, const struct stat *st);
