/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whether a file of a log is the one that a mark is of: the same first bytes, and the same before the mark; plain or compressed. If
 * it is not whole any more, how much of it is.
 */

#include "base/compress.h"
#include "source/siblings.h"
#include "state/trail.h"

/* What stands before a place in a file: what reading needs to know to go on there. */
typedef struct Before {
	char head[MARK_HEAD_MAX]; /* the file's first bytes, as far as they lie before the place */
	size_t head_len;
	char history[MARK_TAIL_MAX]; /* the bytes before the place */
	size_t history_len;
} Before;

/* Opens what was listed. 0, -ESTALE when another file has its name now, -errno. */
int match_open(const Sibling *file, Reader **ret_reader);

/* Of an open plain file. 0, -ESTALE when it ends before the offset, -errno. */
int match_read_before(int fd, uint64_t offset, Before *ret_before);

/* Decodes a compressed file from its start up to offset. 0, MARK_SHORT when it ends before, -errno. */
int match_seek(Reader *reader, uint64_t offset, Before *ret_before);

/* The last len bytes of it have that hash. */
bool match_before_is(const Before *before, uint32_t len, uint64_t hash);

/* A writer without O_APPEND leaves NULs at the start of all files that it goes on with after a truncation: they prove nothing. */
bool match_head_is_empty(const FileMark *mark);

enum { MATCH_CHANGED = 3 };

typedef struct Match {
	/*
	 * 0: the marked file or a copy of it. MARK_SHORT: it has lost its end. MATCH_CHANGED: other bytes stand before the
	 * mark, it is the same only up to offset. MARK_OTHER: another file.
	 */
	int kind;
	uint64_t offset; /* where it goes on */
	uint64_t sure;   /* MARK_SHORT: up to here it surely has the bytes that were read */
	uint64_t length; /* of the file, for MARK_SHORT and MATCH_CHANGED */
	/* What stands before offset; nothing for MARK_SHORT. */
	uint32_t tail_len;
	uint64_t tail_hash;
} Match;

/*
 * Compares; earlier (NULL: none are known) are places before the mark. A compressed file is decoded up to the mark only when exact; else its head
 * decides. 0 or -errno.
 */
int match_file(const Sibling *file, const FileMark *mark, const Trail *earlier, bool exact,
	Match *ret_match);
