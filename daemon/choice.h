/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which source is followed, the log's files or the journal. source.type = "auto" decides once, and the checkpoint keeps the
 * decision; a type that was changed in the configuration goes on behind the last event that was recorded from the old one.
 */

#include "daemon/config.h"
#include "state/checkpoint.h"

typedef struct Choice {
	SourceKind source; /* SOURCE_UNDECIDED: nothing is there yet */
	int64_t after_us; /* where a log starts that the checkpoint did not know: LogState.after_us */
} Choice;

/*
 * Decides, says in the program's log what is new about it, and sets it in the checkpoint. 0; or an exit status with what is
 * wrong in ret_why.
 */
int choice_make(const Config *config, Checkpoint *checkpoint, Choice *ret_choice, StrBuf *ret_why);

/* The directory of source.journal_directory; NULL: the system's journal. Borrowed. */
const char *choice_journal(const Config *config);
