/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A connection to a mail server that is ready for MAIL FROM: greeting, EHLO, STARTTLS and AUTH are
 * done, by libcurl. What follows is plain lines, so that the caller knows of each answer what it
 * was for.
 */

#include "report/smtp-url.h"

typedef struct SmtpConnection SmtpConnection;

typedef struct SmtpLogin {
	const SmtpUrl *url;
	const char *user, *password; /* NULL: none */
	unsigned connect_ms;         /* until it is connected */
	unsigned answer_ms;          /* for an answer of the server */
	uint64_t until_ms;           /* for all together, as patience_now_ms() has it */
} SmtpLogin;

/*
 * 0; -ENOENT: no libcurl; -EINTR (report/patience.h); other -errno: nobody there, or nobody who
 * lets us in. *ret_why says why.
 */
int smtp_connection_open(const SmtpLogin *login, SmtpConnection **ret_connection, Why *ret_why);

/* Closes it, without a word to the server. */
void smtp_connection_free(SmtpConnection *connection);
DEFINE_CLEANUP(SmtpConnection *, smtp_connection_freep, smtp_connection_free)

/* Whether the server knows SIZE (RFC 1870); *ret_max_bytes is 0 when it names no limit. */
bool smtp_connection_size(const SmtpConnection *connection, uint64_t *ret_max_bytes);

/*
 * All of data; 0, -ETIMEDOUT when the server takes nothing for stall_ms or until_ms has come,
 * -EINTR, -ECONNRESET.
 */
int smtp_connection_send(SmtpConnection *connection, const char *data, size_t len,
	unsigned stall_ms, uint64_t until_ms);

/*
 * The next line, without its end, borrowed until the next call; 0, -ETIMEDOUT, -EINTR, -ECONNRESET,
 * -EMSGSIZE (it is too long).
 */
int smtp_connection_read_line(SmtpConnection *connection, uint64_t until_ms, Span *ret_line);
