/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The folder of an archive: made under another name, so that what has its name is whole. */

#include "daemon/owner.h"

#define ARCHIVE_FOLDER_PREFIX "maillogsentinel-backup-"
#define ARCHIVE_FOLDER_NAME_MAX 64

typedef struct ArchiveFolder {
	const Seat *seat;
	char *directory;   /* where it is made, without links */
	int parent_fd, fd; /* root's, until it is given its owner */
	uid_t uid;         /* whose it is in the end */
	gid_t gid;
	char name[ARCHIVE_FOLDER_NAME_MAX], part[ARCHIVE_FOLDER_NAME_MAX];
	bool is_published;
} ArchiveFolder;

#define ARCHIVE_FOLDER_INIT(seat_) ((ArchiveFolder){.seat = (seat_), .parent_fd = -1, .fd = -1})

void archive_folder_done(ArchiveFolder *folder);

/*
 * Opens the directory (NULL: the home of whoever runs the command, also through sudo) for a folder of that name; where there is one already it
 * gets a number behind it. 0 or -errno with *ret_why.
 */
int archive_folder_choose(
	ArchiveFolder *folder, const char *directory, const char *name, Why *ret_why);

/* Makes it as NAME.part, and removes what was killed while it filled such a one. 0 or -errno with *ret_why. */
int archive_folder_make(ArchiveFolder *folder, Why *ret_why);

/* It is full: it becomes durable, gets its name and its owner. 0 or -errno with *ret_why. */
int archive_folder_publish(ArchiveFolder *folder, Why *ret_why);

/* Removes it with all that is in it. What can't be removed is said in the log. */
void archive_folder_remove(ArchiveFolder *folder);

/* Opens a file in such a folder, which may be where root alone can look. A descriptor or -errno. */
int archive_folder_open_file(const Seat *seat, const char *folder, const char *name);
