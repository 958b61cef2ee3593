/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How far sql-export has come: its bookmark (state/bookmark), whose payload is what else it must know to go on. Who has it has its lock, and so is
 * alone with the bookmark and the directory of the files (store/sqlspool). All that goes wrong is said here.
 */

#include "state/bookmark.h"

typedef struct SqlMarkState {
	CsvPlace place; /* the rows before it are in files */
	uint64_t
		next; /* the sequence of the next file, at least 1: all files before it are before the place */
	uint64_t
		instance; /* of the rows that come; the series, unless other rows had its keys already */
	CsvPlace last;      /* the line that was read last; number 0: not known */
	uint64_t last_hash; /* of that line, so that another one in its place is seen */
} SqlMarkState;

typedef struct SqlMark {
	int lock_fd;
	const char *state_dir; /* borrowed */
	char *path;
	bool has_place; /* false: of the state only `next` means something */
	SqlMarkState state;
} SqlMark;

#define SQLMARK_INIT ((SqlMark){.lock_fd = -1})

void sqlmark_done(SqlMark *mark);
#define _cleanup_sqlmark_ _cleanup_(sqlmark_done)

/* Takes the lock, and reads it; what it says is durable when this returns. 0 or -errno, said. */
int sqlmark_open(const char *state_dir, SqlMark *ret_mark);

/* Moves it, durably. 0 or -errno, said: it stays. */
int sqlmark_move(SqlMark *mark, const SqlMarkState *state);
