/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A report that waits to be sent: the finished message with all that sending it takes, in one file that is never changed; and what has
 * become of it so far, in a small file beside it that is replaced at each try. Both are framed as the other state files are.
 */

#include "state/bookmark.h"

#define LETTER_MESSAGE_MAX ((size_t)64 << 20)
#define LETTER_RECIPIENTS_MAX 1000
#define LETTER_REASON_MAX 500 /* bytes that are kept */

typedef struct Letter {
	int64_t created_us;
	bool has_start;
	Bookmark
		start; /* that it was composed behind, without its counters; unless it is the first */
	Bookmark end; /* that belongs to it */
	const char *from;
	const char *const *to;
	size_t to_count;
	Span message;      /* lines */
	const char **list; /* letter_load()'s: what `to` is, */
	StrBuf buffer;     /* and what all is borrowed from */
} Letter;

#define LETTER_INIT ((Letter){.buffer = STRBUF_INIT})

/* Frees what letter_load() has made. */
void letter_done(Letter *letter);
#define _cleanup_letter_ _cleanup_(letter_done)

/* Writes it durably, 0600. 0 or -errno (-EFBIG: the message is too long; -EINVAL: it can't be written so that it reads back). */
int letter_save(const char *path, const Letter *letter);

/* 0; -ENOENT; -EBADMSG when it is torn, foreign or of a newer version, or too large to be one; -errno; with *ret_why. */
int letter_load(const char *path, Letter *ret_letter, Why *ret_why);

typedef enum Receipt {
	RECEIPT_NONE,
	RECEIPT_ACCEPTED,
	RECEIPT_REFUSED,
} Receipt;

/* What has become of it. */
typedef struct Tries {
	int64_t created_us; /* of the letter */
	int64_t since_us; /* from when on it is reckoned for how long it is tried; 0: from the next time */
	uint64_t count;
	int64_t first_us, last_us;
	bool open;         /* the last one was begun, and no more is known of it */
	char *reason;      /* why it is still here; NULL: nothing is known */
	Receipt *receipts; /* of the recipients, in the letter's order */
	size_t receipt_count;
} Tries;

#define TRIES_INIT ((Tries){0})

void tries_done(Tries *tries);
#define _cleanup_tries_ _cleanup_(tries_done)

/* Those of a letter that was not tried yet. 0 or -ENOMEM. */
int tries_begin(const Letter *letter, Tries *ret_tries);

/* 0 or -ENOMEM. The bytes may come from outside. */
int tries_set_reason(Tries *tries, const char *reason);

/* Replaces the file durably. 0 or -errno: the old one stays. */
int tries_save(const char *path, const Tries *tries);

enum { TRIES_NONE = 1 };

/* 0; TRIES_NONE when there is no such file; -EBADMSG when it is torn, foreign or of a newer version; -errno; with *ret_why. */
int tries_load(const char *path, Tries *ret_tries, Why *ret_why);
