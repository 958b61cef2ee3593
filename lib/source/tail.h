/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Follows one log over all that happens to its files: reads what is left of rotated siblings, then the log itself,
 * drains a file that was renamed away before it goes on with the new one, notices truncation. It only reads when it is told
 * to (tail_fill) and never waits: whoever owns it watches the files (source/watch) and asks again.
 */

#include "source/lines.h"
#include "source/moment.h"
#include "state/checkpoint.h"

typedef struct Tail Tail;

typedef struct TailCallbacks {
	/* Something happened that people should know: a rotation (not a warning), lost or damaged bytes (a warning). */
	void (*notice)(void *userdata, bool warning, const char *text);
	void *userdata;
	Moment *moment; /* borrowed, one for many tails; NULL: each has its own */
	/*
	 * Whether another log than path is read from this file, or NULL: what a link made path lead to then is not read, and nothing behind
	 * what was read is looked for.
	 */
	bool (*is_anothers)(void *userdata, const char *path, uint64_t device, uint64_t inode);
} TailCallbacks;

/*
 * Follows path from where state (of the last checkpoint, borrowed only for the call) says it was read to; NULL is a first
 * start, with the oldest sibling. seen_us is when that checkpoint was written. Opens nothing yet. 0 or -ENOMEM.
 */
int tail_new(const char *path, const LogState *state, int64_t seen_us,
	const TailCallbacks *callbacks, Tail **ret_tail);

/* Whether the place is one in the file that is open now, and not in one that was left. */
bool tail_holds(const Tail *tail, const FileMark *mark);

/*
 * For a tail that has read nothing yet: goes on at its place in the file that the one before it has open, if it is there. That file may
 * have been removed, or moved to where nobody looks, and its writer not have noticed. Whether it does.
 */
bool tail_resume(Tail *tail, const Tail *former, int64_t now_us);

/*
 * Reads one file (fd_take, taken over also on failure; plain or compressed, a pipe too) called name to its end, whose last
 * line may lack its newline, and is TAIL_IDLE then. 0, -ENOMEM, or the -errno of reader_new().
 */
int tail_new_single(int fd_take, const char *name, const TailCallbacks *callbacks, Tail **ret_tail);

void tail_free(Tail *tail);
DEFINE_CLEANUP(Tail *, tail_freep, tail_free)

/* The name that is followed. */
const char *tail_path(const Tail *tail);

enum {
	TAIL_IDLE = 1, /* all that is there was read; ask again when a file has changed */
};

/*
 * Reads more. Not while tail_chunk() holds lines that are not consumed. 0: there may be whole lines now, and there may be
 * more to read; TAIL_IDLE; -errno with *ret_why naming the path: ask again later, nothing is lost.
 */
int tail_fill(Tail *tail, int64_t now_us, Why *ret_why);

/* Whole lines to be looked at; consume them from the front. See source/lines. */
Span tail_chunk(const Tail *tail);
bool tail_chunk_is_cut(const Tail *tail);
void tail_consume(Tail *tail, size_t n);

/* The place n bytes into the chunk. */
void tail_mark(Tail *tail, size_t n, FileMark *ret_mark);

/* Sets position and finished of state to where the chunk begins; path and counters stay. */
void tail_save(Tail *tail, LogState *state);

/*
 * What is known of the file of state's position, to which state was moved by a mark of this tail, and of the one before, if it still
 * is the open one.
 */
void tail_save_file(const Tail *tail, LogState *state);

/* When the file that is being read was last written: what stamps without a year refer to. */
int64_t tail_written_us(const Tail *tail, int64_t now_us);

/* The open descriptor of the log, to be watched; -1 when none is open. Borrowed. */
int tail_fd(const Tail *tail);

/*
 * Closes the log's file, if all lines that were read are consumed and the log is not just being rotated; the next tail_fill() opens
 * it again where it was, as after a restart. For the owner of more logs than files may be open. Whether it is closed now.
 */
bool tail_close(Tail *tail, int64_t now_us);

/* Gives the memory back that is not needed between two reads. Not while the chunk holds lines. */
void tail_release(Tail *tail);

/* Bytes of the open file that were not read yet; 0 where that can't be known. */
uint64_t tail_lag(const Tail *tail);
