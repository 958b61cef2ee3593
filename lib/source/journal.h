/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Follows the systemd journal (this system's, or the files of a directory) and hands out what Postfix's smtpd wrote to it, in the
 * journal's order. It only reads when it is told to (journal_fill) and never waits: whoever owns it watches journal_fd() and
 * asks again. The place is libsystemd's cursor of the last entry that is done. Files may be rotated and
 * removed meanwhile: what is open is read to its end before libsystemd is told to look for changes.
 */

#include "base/base.h"
#include "source/cursor.h"

#define JOURNAL_MESSAGE_MAX ((size_t)65536) /* longer messages are cut */

typedef struct Journal Journal;

typedef struct JournalCallbacks {
	/* Something happened that people should know: entries are gone, or can't be read (a warning). */
	void (*notice)(void *userdata, bool warning, const char *text);
	void *userdata;
} JournalCallbacks;

typedef struct JournalOptions {
	const char
		*path; /* a directory of journal files, or one file; NULL: the system's journal */
	const char *cursor; /* go on behind this entry; NULL or "": from the oldest one */
	int64_t after_us;   /* without a cursor: entries up to this time are passed over; 0: none */
	bool follow;        /* journal_fd() is wanted */
} JournalOptions;

/* Opens nothing yet. 0, -ENOMEM, -EINVAL (the cursor is none). Strings are copied. */
int journal_new(
	const JournalOptions *options, const JournalCallbacks *callbacks, Journal **ret_journal);
void journal_free(Journal *journal);
DEFINE_CLEANUP(Journal *, journal_freep, journal_free)

/* What to call it in messages. */
const char *journal_name(const Journal *journal);

/*
 * Whether there is a journal that this process may read. path as above. 0; -ENOENT: there is none; -EACCES; -EOPNOTSUPP: built
 * without libsystemd; another -errno.
 */
int journal_probe(const char *path);

enum {
	JOURNAL_IDLE = 1, /* all that is there was read; ask again when journal_fd() is readable */
};

/*
 * Reads more. Not while journal_entry() has one. 0: there may be entries now, and there may be more to
 * read; JOURNAL_IDLE; -errno with *ret_why naming the journal: ask again later, nothing is lost.
 */
int journal_fill(Journal *journal, Why *ret_why);

typedef struct JournalEntry {
	int64_t time_us;  /* when journald received it */
	Span server;      /* _HOSTNAME; missing when there is none */
	Span tag;         /* SYSLOG_IDENTIFIER; missing: there are only the numbers below */
	Span message;     /* any bytes, newlines and NULs too */
	bool cut;         /* message is its first JOURNAL_MESSAGE_MAX bytes */
	uint32_t lines;   /* mail entries since the one before, this one included */
	uint32_t skipped; /* of them that could not be read, or were cut */
} JournalEntry;

/* The next one, borrowed until journal_consume(); false when there is none. */
bool journal_entry(const Journal *journal, JournalEntry *ret_entry);
void journal_consume(Journal *journal);

/* The place behind the next one, borrowed as above. */
const char *journal_entry_cursor(const Journal *journal);

/* The place behind what was consumed; "" when nothing was. */
const char *journal_cursor(const Journal *journal);

/* What is passed over at the start still is: up to this time. 0 as soon as a later entry was consumed. */
int64_t journal_after_us(const Journal *journal);

/*
 * Readable when there may be more to read; -1 when the journal is not open. After JOURNAL_IDLE, until the next
 * journal_fill(), which may close it and does not take away what makes it readable: watch it only between the two.
 */
int journal_fd(const Journal *journal);
