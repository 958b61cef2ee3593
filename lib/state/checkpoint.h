/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is durable: how far each log was read, how long the CSV was then, and the counters up to
 * there. One small file (state_dir/state.offset), replaced whole: versioned text with a checksum,
 * one "key value..." per line; log paths with control bytes as \xHH. The rows are made durable
 * first, then the checkpoint names them; so after a crash the CSV is cut back to the checkpoint's
 * length and the lines behind its positions are read again: nothing lost, nothing doubled.
 */

#include "state/trail.h"

#define CHECKPOINT_CURSOR_MAX 192 /* longer than any place in the journal */

/* Cumulative since the first start, at the committed place; a replay counts nothing twice. */
typedef struct Counters {
	uint64_t lines;
	uint64_t failures;
	uint64_t successes;
	uint64_t outages;
	uint64_t aborted;
	uint64_t skipped; /* lines that were too long and were cut before they were understood */
	uint64_t lost;    /* messages that the logging says it has dropped, of whatever kind */
} Counters;

void counters_add(Counters *counters, const Counters *more);

/* The sum of which one summand is taken away. */
Counters counters_without(const Counters *sum, const Counters *summand);

typedef struct LogState {
	char *path; /* as configured: the name that is followed; CHECKPOINT_JOURNAL is the journal */
	bool has_position; /* false: nothing was read yet, not even an empty file was there */
	FileMark position;
	Trail earlier; /* places before the position, in the same file */
	uint64_t
		length; /* of that file when it was last looked at; what lies behind the position was not read */
	bool has_finished;                  /* the file read to its end before the current one */
	FileMark finished;                  /* offset is its length */
	char cursor[CHECKPOINT_CURSOR_MAX]; /* the journal's position; "": none */
	int64_t stamp_us; /* time of the last event of it that is committed; 0: there was none */
	int64_t after_us; /* events up to this time are another source's, until there is a later one; 0: none */
	Counters counters;
} LogState;

/*
 * A CSV file that was the current one before, and that a reader may not have read to its end yet. What is to be read
 * of it begins at `begin` (0: behind the header) and ends at mark.offset.
 */
typedef struct CsvBefore {
	char *path; /* the name that it was written under; it has been renamed since, or is gone */
	uint64_t number;
	uint64_t begin;
	FileMark mark; /* offset is its final length */
	uint64_t lost; /* bytes that were committed behind that, and that are gone */
} CsvBefore;

#define CHECKPOINT_JOURNAL "journal"

/* Which kind of source is followed; decided once. */
typedef enum SourceKind {
	SOURCE_UNDECIDED = 0,
	SOURCE_FILE,
	SOURCE_JOURNAL,
} SourceKind;

typedef struct Checkpoint {
	int64_t written_us;
	char *csv_path;
	FileMark csv; /* offset is the committed length */
	uint64_t
		csv_series; /* all CSV files since a first start: their numbers belong together; drawn by chance; 0: not known */
	uint64_t csv_number; /* grows by one per CSV file, from 1 on */
	uint64_t
		csv_begin; /* where its rows begin that are ours (it may have been there before); 0: behind the header */
	size_t before_count;
	CsvBefore *before; /* by number, without gaps: the last is csv_number - 1 */
	uint64_t rows;
	SourceKind source;
	size_t log_count;
	LogState *logs;
} Checkpoint;

#define CHECKPOINT_INIT ((Checkpoint){.csv_number = 1})
#define CHECKPOINT_LOGS_MAX 4096
#define CHECKPOINT_BEFORE_MAX 4096

void checkpoint_done(Checkpoint *checkpoint);
#define _cleanup_checkpoint_ _cleanup_(checkpoint_done)

/* The entry of the log that is followed as path, NULL when there is none. */
LogState *checkpoint_find_log(Checkpoint *checkpoint, const char *path);

/* Adds an entry without position. 0, -ENOMEM, -EMFILE above CHECKPOINT_LOGS_MAX. */
int checkpoint_add_log(Checkpoint *checkpoint, const char *path, LogState **ret_log);

/*
 * The current CSV becomes the last of those before, with this mark, and the next number is the current one; csv and
 * csv_begin are the caller's to set. 0, -ENOMEM, -EMFILE above CHECKPOINT_BEFORE_MAX.
 */
int checkpoint_push_csv(Checkpoint *checkpoint, const FileMark *mark, uint64_t lost);

/* Forgets the first n of the CSV files before. */
void checkpoint_drop_csvs(Checkpoint *checkpoint, size_t n);

/* Takes over all that `from` says of CSV files; what `checkpoint` said of them ends up there. */
void checkpoint_swap_csvs(Checkpoint *checkpoint, Checkpoint *from);

/*
 * The log was read up to mark: the place where it was before becomes an earlier one, unless it is in another file; then what was
 * finished before that is not known.
 */
void checkpoint_move_log(LogState *log, const FileMark *mark);

enum { CHECKPOINT_NONE = 1 };

/*
 * 0; CHECKPOINT_NONE when there is no such file; -EBADMSG with *ret_why when it is torn, foreign
 * or of a newer version; -errno.
 */
int checkpoint_load(const char *path, Checkpoint *ret_checkpoint, Why *ret_why);

/* Replaces the file durably. What it names must be durable before. 0 or -errno: the old one stays. */
int checkpoint_save(const char *path, const Checkpoint *checkpoint);
