/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the writer owns: the locks, the checkpoint and the CSV, opened together so that they agree, and committed in
 * the one order that loses and doubles nothing: rows, fdatasync, then the checkpoint.
 */

#include "base/strbuf.h"
#include "daemon/config.h"
#include "state/checkpoint.h"

typedef struct Record Record;

/*
 * Opens it for `command` ("run"). former: the record before, which was closed, and whose lock is shared, so that nobody comes between;
 * NULL: there was none. On a first start the checkpoint is durable when this returns. 0; or an exit status
 * with what is wrong in ret_why: EXIT_FAILED, where trying again later may help, or EXIT_CONFIG, where somebody has to look.
 */
int record_open(const Config *config, const char *command, const Record *former,
	Record **ret_record, StrBuf *ret_why);
void record_free(Record *record);
DEFINE_CLEANUP(Record *, record_freep, record_free)

/* Closes all but the lock: for another record, whose former one it is. It can only be freed then. */
void record_close(Record *record);

/* What the next commit will write; positions and counters are the owner's to set. Borrowed. */
Checkpoint *record_checkpoint(Record *record);

/* When the checkpoint that was found had been written; 0 at a first start. */
int64_t record_found_us(const Record *record);

/* Rows are appended here; record_flush writes and empties it. Borrowed. */
StrBuf *record_output(Record *record);

/* 0 or -errno: the CSV ends where it ended, the rows are kept, try again unless record_in_doubt(). */
int record_flush(Record *record);

/*
 * Whether the CSV was renamed or removed: then a new one is made, with the rows that were not committed, and the old one is let go.
 * So that this happens when no rows come, too; a commit looks by itself. 0 or -errno, as record_commit().
 */
int record_look(Record *record);

/*
 * After a flush: makes rows, then positions durable. 0 or -errno: either the old checkpoint or the new one is there then, which
 * both fit the CSV; try again, unless record_in_doubt().
 */
int record_commit(Record *record, uint64_t rows, int64_t now_us);

/*
 * A commit failed at the CSV's fdatasync: the kernel may have dropped rows that were not durable though they can still be
 * read, and a further fdatasync would not tell. Or another program has cut the CSV or written to it; or a checkpoint that
 * names a new CSV may be on disk or not. Only a new record, which
 * starts at the checkpoint, is safe.
 */
bool record_in_doubt(const Record *record);

/* The path of the file that the last failed flush or commit was about. Borrowed. */
const char *record_failed_path(const Record *record);

/*
 * Reads the checkpoint of config without owning it, for a look that moves nothing. 0 (an empty one when there is none) or as
 * record_open().
 */
int record_peek(const Config *config, Checkpoint *ret_checkpoint, StrBuf *ret_why);
