/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One log as the pipeline reads it, whatever it is made of: the files of a log (source/tail) or the journal (source/journal). What it
 * says about logins comes out one event at a time, and the place behind an event is a piece of bytes that nobody else looks into.
 */

#include "parse/event.h"
#include "source/journal.h"
#include "source/tail.h"
#include "state/checkpoint.h"

typedef struct Source Source;

/*
 * The log that is followed as path, from where state says (tail_new()). Events up to its after_us are passed over, until there is a later
 * one. year: of stamps that have none; 0: guess. 0 or -ENOMEM.
 */
int source_new_log(const char *path, const LogState *state, int64_t seen_us, int year,
	const TailCallbacks *callbacks, Source **ret_source);

/* tail_resume() of a log's source that has read nothing yet, and the one of the same log before it. */
bool source_resume(Source *source, const Source *former, int64_t now_us);

/* The journal. As journal_new(). */
int source_new_journal(
	const JournalOptions *options, const JournalCallbacks *callbacks, Source **ret_source);

/* One file ("-" is stdin) that is read to its end; it may be a journal's, or a directory of them. 0 or -errno. */
int source_new_file(
	const char *name, int year, const TailCallbacks *callbacks, Source **ret_source);

void source_free(Source *source);
DEFINE_CLEANUP(Source *, source_freep, source_free)

/* What to call it: the log's path. Borrowed. */
const char *source_name(const Source *source);

/* The tail it was made of; NULL: it is the journal. Borrowed. */
Tail *source_tail(const Source *source);

/* Neither the log nor a rotated sibling of it is there, or no journal. */
bool source_is_missing(const Source *source);

/* A descriptor that tells of changes by itself; -1: there is none, the files must be watched. As journal_fd(). */
int source_fd(const Source *source);

enum { SOURCE_IDLE = 1 };

/* Reads more, when source_has_lines() says no. 0, SOURCE_IDLE, -errno with *ret_why naming it: ask again later. */
int source_fill(Source *source, int64_t now_us, Why *ret_why);

/* Something that was read waits to be taken. */
bool source_has_lines(const Source *source);

/* Whether anything of it is smtpd's, at a glance. */
bool source_has_smtpd(const Source *source);

typedef struct SourceEvent {
	AuthEvent
		event; /* kind EVENT_OTHER: there are only the numbers; spans are borrowed until source_advance() */
	uint64_t lines;   /* since the event before, its own line included */
	uint64_t skipped; /* of them that were cut, or could not be read */
	uint64_t lost;    /* messages that the logging says, in place of an event, it has dropped */
	size_t end;
} SourceEvent;

/* The next event of what was read; false when there is none. Stays the same one until source_advance(). */
bool source_next(Source *source, int64_t now_us, SourceEvent *ret_event);
void source_advance(Source *source, const SourceEvent *event);

#define SOURCE_PLACE_MAX MAX((size_t)CURSOR_MAX, sizeof(FileMark))

/* The place behind the event of source_next(). Its length. */
size_t source_place(Source *source, const SourceEvent *event, char ret_place[SOURCE_PLACE_MAX]);

/* Sets the position of state to the place, which stands behind an event that was a row. */
void source_save_place(Source *source, const char *place, LogState *state);

/* Sets the position of state to behind all that was taken. */
void source_save(Source *source, LogState *state);

/* The place in the journal behind all that was taken, "" when nothing was; NULL: it is a log. Borrowed. */
const char *source_cursor(const Source *source);
