/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Where reading goes on, for one who keeps two places: archive_next() (source/archive), and what to make of a file that is gone. */

#include "source/archive.h"

/*
 * As archive_next(), not deceived by a directory that was not there for a moment. finished (or NULL) is asked where the file of `from` is
 * gone: the one that was finished before it may be there, even under the log's name (a power cut that took back a rotation), and what was
 * read of it is known. The place is after that one then, with ARCHIVE_LOST.
 */
int find_place(const char *path, const ArchiveFrom *from, const ArchiveFrom *finished,
	ArchivePlace *ret_place, Why *ret_why);

/* False: the directory that the path is in is missing, so nothing is known of what is in it: a file system may be mounted later. */
bool find_has_directory(const char *path);
