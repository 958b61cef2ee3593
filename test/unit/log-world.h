/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A log as it lives on a mail server, by chance, and one who follows it: a writer whose files are rotated by name, date or link, copied and
 * truncated, compressed, cut and deleted; a tail that is read a bit, stopped and started at places that it saved. Each line has its
 * number, so that one that is lost, doubled or out of order shows.
 */

#include "random.h"
#include "source/tail.h"

#define WORLD_DIR "d"
#define WORLD_LOG WORLD_DIR "/mail.log"
#define SECOND_US INT64_C(1000000)

/* A place that was saved, and the line that has to come from there on. */
typedef struct Saved {
	LogState state;
	uint64_t next;
	int64_t time_us;
} Saved;

typedef struct World {
	Random *random;      /* borrowed, as all here */
	Moment *moment;      /* the tail's */
	StrBuf *history;     /* what was done, for the one who has to find out */
	void (*yield)(void); /* called between what the writer does; or NULL */

	int64_t now_us;
	unsigned date;
	bool dated;
	bool linked;    /* the log is a link to the file of the date */
	bool no_append; /* the writer goes on at its own offset when the file is truncated */

	int fd;           /* the writer's; -1: none */
	uint64_t written; /* lines: their numbers are 0 to written - 1 */
	bool half;        /* of line `written` the first bytes stand at the end */

	Tail *tail;
	bool alone;    /* the tail is in another process */
	uint64_t next; /* line that has to come */
	LogState
		state; /* as a daemon keeps it: position and finished are not always saved together */
	Saved saved[8];
	unsigned saved_count;
	/* After a power cut: lines from reread to kept - 1 may come again, then comes line resume. */
	bool cut;
	uint64_t reread, kept, resume;
	ino_t cut_inode;   /* the file: its lines are not in a row any more */
	bool loss_allowed; /* a file was truncated or deleted without a copy: that is said */
	unsigned warnings;
	const char *wrong;
	uint64_t wrong_line;
} World;

void world_say(World *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What went wrong first, and at which line, is kept. */
void world_fail(World *w, const char *what);

/* ---- the writer ---- */

void world_write(World *w, uint32_t count);

/* The writer closes its file; what it writes next goes to a new one. */
void world_hang_up(World *w);

/* The log becomes a link to the target. */
void world_link(World *w, const char *target);

/* One of all that can happen. */
void world_happen(World *w);

/* ---- the reader, unless it is alone ---- */

/* Follows the log from a saved place, or (NULL) from its start. */
void world_start(World *w, const Saved *from);

/* From one of the places that were saved. */
void world_restart(World *w);

/* Reads once, checks all lines that came, or some; true while there may be more. */
bool world_step(World *w, bool all);

void world_read_some(World *w);

/* Reads until all is read that can be. */
void world_drain(World *w);
