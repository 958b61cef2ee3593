/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Writes Postfix's lines into a log as syslog daemons do, torn anywhere and line by line or many at once, and into the ledger
 * the rows that must come of them: "server,date,ip,user" of each, in order. Counts what it wrote as the
 * checkpoint does.
 */

#include "base/strbuf.h"
#include "ledger.h"
#include "state/checkpoint.h"

#include <stdio.h>

typedef struct Writer {
	Random random;
	int fd; /* -1: no log is open */
	FILE *ledger;
	StrBuf text;
	Counters written;
	int64_t time_us;
	bool traditional; /* stamps of this file */
	uint32_t lines_per_s;
	uint64_t started_ms;
} Writer;

void writer_init(Writer *writer, const char *ledger_path, uint64_t seed, uint32_t lines_per_s);
void writer_done(Writer *writer);

/* Goes on in the file path, which is made with the mode when it is not there. */
void writer_open(Writer *writer, const char *path, bool append, mode_t mode);

/* Whether it goes on at the end of the file, or where it was when that is truncated. */
void writer_set_append(Writer *writer, bool append);

/* Up to n lines, and a random number of them. */
void writer_write(Writer *writer, uint32_t n);

/* One failed login: what came before it is committed with its row, within a second. */
void writer_write_failure(Writer *writer);

/* Waits until no more was written than may have been by now. */
void writer_pace(Writer *writer);
