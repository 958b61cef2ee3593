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
 * Opens it for `command` ("run"). On a first start the checkpoint is durable when this returns. 0; or an exit status
 * (EXIT_FAILED, EXIT_CONFIG): what was wrong has been logged.
 */
int record_open(const Config *config, const char *command, Record **ret_record);
void record_free(Record *record);
DEFINE_CLEANUP(Record *, record_freep, record_free)

/* What the next commit will write; positions and counters are the owner's to set. Borrowed. */
Checkpoint *record_checkpoint(Record *record);

/* When the checkpoint that was found had been written; 0 at a first start. */
int64_t record_found_us(const Record *record);

/* Rows are appended here; record_flush writes and empties it. Borrowed. */
StrBuf *record_output(Record *record);

/* 0 or -errno: the CSV ends where it ended, the rows are kept, try again. */
int record_flush(Record *record);

/* After a flush: makes rows, then positions durable. 0 or -errno; after a failure of the CSV's fdatasync only a new start is safe. */
int record_commit(Record *record, uint64_t rows, int64_t now_us);

/* The path of the file that the last failed flush or commit was about. Borrowed. */
const char *record_failed_path(const Record *record);

/*
 * Reads the checkpoint of config without owning it, for a look that moves nothing. 0 (an empty one when there is none) or an exit
 * status, logged.
 */
int record_peek(const Config *config, Checkpoint *ret_checkpoint);
