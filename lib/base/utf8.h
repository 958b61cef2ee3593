/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* UTF-8 as RFC 3629 defines it: no surrogates, nothing overlong, nothing above U+10FFFF. */

#include "base/strbuf.h"

/*
 * Decodes the character at p (len >= 1 bytes are readable). Returns its length (1 to 4) and the
 * code point, or 0 when the bytes there are not UTF-8.
 */
size_t utf8_decode(const char *p, size_t len, uint32_t *ret_code_point);

/* How many bytes from p are printable ASCII that no escape in this project touches: 0x20-0x7e but not '\\'. */
size_t utf8_plain_prefix(const char *p, size_t len);

/*
 * Appends s with every C0, DEL, C1 control and every byte that is not UTF-8 as \xHH, and a '\'
 * that stands before an 'x' as \x5c, so that it can be undone byte for byte. This is the one
 * escape for bytes from outside in places that show text: CSV fields, log lines, terminals.
 * U+2028, U+2029 and the bidirectional controls stay: they are valid text, not control bytes.
 */
void utf8_append_escaped(StrBuf *sb, Span s);

/* Undoes utf8_append_escaped; what does not read as \xHH (lower or upper case) stays. */
void utf8_append_unescaped(StrBuf *sb, Span s);
