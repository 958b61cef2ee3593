/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A folder with copies of what the program has on disk, and the removal of what was copied: whole, or nothing has changed.
 *
 * The folder is filled under another name (.part), made durable, and renamed. Then state_dir gets a link that leads to it
 * (ARCHIVE_PENDING): from there on the removal is to be brought to its end, by whoever comes next if need be, for the folder holds the
 * list of what is to go. The link needs no room on a disk that is full. Until then a crash leaves nothing but a folder too many.
 *
 * What is in the directories of the service's user is read and removed with his rights; the folder is in a directory of whoever runs the
 * command (daemon/owner.h). Files keep their modes, owners and times.
 */

#include "daemon/belongings.h"
#include "daemon/owner.h"

#define ARCHIVE_PENDING "archive.pending"
#define ARCHIVE_CONTENTS "CONTENTS"

typedef struct Archive Archive;

typedef struct ArchiveOptions {
	const Seat *seat; /* we sit in it */
	const char *state_dir;
	const char *command;   /* "reset" */
	const char *directory; /* where the folder is made; NULL: at home */
	bool gzip;             /* what is not compressed yet is packed */
	int64_t now_us;
} ArchiveOptions;

/*
 * Opens the directory and chooses the folder's name; nothing is made yet. All in options is borrowed as long as the archive lives, and what is said is
 * said by the caller. 0 or -errno with *ret_why.
 */
int archive_new(const ArchiveOptions *options, Archive **ret_archive, Why *ret_why);
void archive_free(Archive *archive);
DEFINE_CLEANUP(Archive *, archive_freep, archive_free)

/* The folder that is made, or was found; borrowed. */
const char *archive_path(const Archive *archive);

/* Whether the path is the directory that the folder is made in, or above it. */
bool archive_is_below(const Archive *archive, const char *path);

/*
 * Copies the files, makes the folder durable and gives it its name, and leaves the link in state_dir. `packed` of the files is set. 0;
 * -EINTR when a signal is pending; -errno with *ret_why: nothing has changed and no folder is left.
 */
int archive_make(Archive *archive, Belongings *list, Why *ret_why);

enum {
	ARCHIVE_NONE = 1, /* no removal has begun */
	ARCHIVE_CHANGED =
		2, /* files that have changed since they were archived are left, and were named in the log */
};

/* What was begun and not finished, by which command (heap memory). 0, ARCHIVE_NONE, or -errno with *ret_why. */
int archive_find(const ArchiveOptions *options, Archive **ret_archive, Belongings *ret_list,
	char **ret_command, Why *ret_why);

/*
 * Removes the files, then the link. 0; ARCHIVE_CHANGED; -errno with *ret_why: *ret_begun says whether any is gone. If none is, all can be
 * taken back; else a further call goes on.
 */
int archive_remove(const Archive *archive, const Belongings *list, bool *ret_begun, Why *ret_why);

/* Takes back what archive_make() has done. 0 or -errno with *ret_why. */
int archive_take_back(Archive *archive, Why *ret_why);
