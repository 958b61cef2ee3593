/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The files that the program has made as the configuration says, for who archives them and starts over: which they are, where each goes in
 * an archive, and in which order they are removed. That order is such that whatever is left of them, nothing is recorded or
 * reported twice by a service that finds it: the checkpoint goes first, and a CSV with rows and without a checkpoint is
 * refused; the CSV goes last.
 */

#include "daemon/config.h"

#include <sys/stat.h>

typedef enum BelongingStage {
	STAGE_CHECKPOINT,
	STAGE_REST,
	STAGE_ROTATED, /* CSVs of before */
	STAGE_CSV,
	STAGE_COUNT,
} BelongingStage;

typedef struct Belonging {
	char *path;
	char *name;    /* in its folder */
	size_t folder; /* index */
	BelongingStage stage;
	bool stays;  /* it is archived, and not removed */
	bool packed; /* the archive has it as NAME.gz */
	/* What tells that it is the file that was archived: */
	uint64_t inode, size_bytes;
	struct timespec modified;
} Belonging;

/* A folder of the archive: what comes from one directory. */
typedef struct BelongingFolder {
	char *name, *source;
	bool leaves; /* the directory goes when nothing is left in it */
} BelongingFolder;

typedef struct Belongings {
	Belonging *files; /* by stage */
	size_t count;
	BelongingFolder *folders;
	size_t folder_count;
	uint64_t size_bytes;
	StrBuf notes; /* what somebody should know before: a line each */
} Belongings;

#define BELONGINGS_INIT ((Belongings){.notes = STRBUF_INIT})

void belongings_done(Belongings *list);
#define _cleanup_belongings_ _cleanup_(belongings_done)

/*
 * Looks for them under all locks; everything: also databases, files of SQL and what the service says of itself. Leftovers of a crash in the spools
 * are removed. 0 or -errno with *ret_why.
 */
int belongings_find(const Config *config, bool everything, Belongings *ret_list, Why *ret_why);

/* Whether it has the program's own log, to which others may write at any time. */
bool belongings_is_log(const BelongingFolder *folder);

/* Appends it as lines of text, without the notes. */
void belongings_append(const Belongings *list, StrBuf *sb);

/* Reads such lines, from *at on (state/frame). 0, -EBADMSG or -ENOMEM. */
int belongings_parse(StrBuf *lines, size_t *at, Belongings *ret_list);
