/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The encodings of MIME (RFC 2045 and 2047), each as a whole piece of a message. All write ASCII in
 * lines of at most 76 bytes, CRLF between them.
 */

#include "base/strbuf.h"

#define MIME_LINE_MAX 76

/*
 * Quoted-printable of a text whose lines end in LF. A "." and a "From " where a line of the output
 * begins are encoded, too, for those who take them for an end or a start; "=_" is never written.
 */
void mime_append_quoted_printable(StrBuf *sb, Span text);

/* Base64, with CRLF behind the last line. */
void mime_append_base64(StrBuf *sb, Span bytes);

/*
 * A header's text behind what stands in its line so far (column bytes): plain ASCII as it is, else
 * as encoded words; folded. What can't be shown safely (control characters, bidirectional
 * overrides, what is not UTF-8) becomes U+FFFD. as_phrase: in front of an address, so plain text is
 * quoted.
 */
void mime_append_header_text(StrBuf *sb, size_t column, Span text, bool as_phrase);

/*
 * A parameter with a text of any kind as value (RFC 2231), in lines of its own: ";\r\n NAME=...".
 */
void mime_append_parameter(StrBuf *sb, const char *name, Span value);
