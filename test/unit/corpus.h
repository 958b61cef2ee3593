/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The corpus: lines of real and of invented logs with what must be read from them, in the files
 * test/corpus/NAME.txt (the format is in its README.md). The reader exits with a message
 * when a file is not as described there.
 */

#include "base/strbuf.h"
#include "parse/event.h"

typedef struct CorpusRow {
	const char *file; /* "postfix-cyrus-iso" */
	unsigned number;  /* the line of the file, for messages */
	const char *zone;
	int year; /* for StampContext */
	int64_t reference_us;
	Span line;
	bool has_want;
	AuthEvent want; /* ip is compared through want_ip */
	Span want_ip;   /* canonical text, "unknown"; missing: the line has none */
} CorpusRow;

typedef struct Corpus {
	CorpusRow *rows;
	size_t count;
	char **blocks; /* what the rows point to */
	size_t block_count;
} Corpus;

/* All files, in the order of their names. */
void corpus_load(Corpus *ret_corpus);
void corpus_done(Corpus *corpus);

/* Makes zone (TZ) this process' zone. */
void corpus_set_zone(const char *zone);

/* "2026-11-22T13:00:08.196752Z" to microseconds, by libc's calendar rather than ours. */
bool corpus_read_time(const char *text, int64_t *ret_time_us);

/* The event as a "want:" line has it. */
void corpus_append_want(StrBuf *sb, const AuthEvent *event);

/* The file's contents, which the caller frees; name is relative to the source tree. */
char *corpus_read_source(const char *name, size_t *ret_len);
