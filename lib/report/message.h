/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A report as a mail (RFC 5322, MIME): text and HTML as two forms of the same, in quoted-printable,
 * and one attachment in base64. All of it is ASCII in lines that end in CRLF, at most 76 bytes long
 * in the body, at most 998 in the header: no server has a reason to change it. The same Message
 * gives the same bytes. The boundaries hold a "=_", which neither encoding ever writes.
 */

#include "base/strbuf.h"

#define MESSAGE_NAME_MAX 255 /* bytes, of an attachment's name and of from_name */
#define MESSAGE_ID_MAX 255
#define MESSAGE_SUBJECT_MAX 1000

typedef struct Message {
	const char *from;      /* as address_check() wants it, like those in to */
	const char *from_name; /* any UTF-8; NULL: none */
	const char *const *to;
	size_t to_count;             /* 1 or more */
	Span subject;                /* any UTF-8, in one line */
	int64_t date_us;             /* written in this host's zone */
	const char *message_id;      /* "1-55.1795391999@mail.example.com", without <> */
	Span text, html;             /* UTF-8, lines end in LF */
	const char *attachment_name; /* any UTF-8; NULL: there is no attachment */
	const char *attachment_type; /* "text/csv; charset=utf-8", "application/gzip" */
	Span attachment;
} Message;

/*
 * Appends it. In the header's texts, control bytes, bidirectional overrides and what is not UTF-8
 * become U+FFFD; in text and html all bytes stay as they are. 0, -ENOMEM, -EFBIG (strbuf.h) or
 * -EINVAL: an address, message_id or attachment_type that could not stand there, or a text above
 * its limit.
 */
int message_append(const Message *message, StrBuf *sb);
