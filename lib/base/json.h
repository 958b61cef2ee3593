/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* JSON as RFC 8259 has it, written into a StrBuf. */

#include "base/strbuf.h"

/*
 * Appends s as a JSON string, quotes included; null when s is missing. Bytes that are not UTF-8
 * are not text: they appear in the \xHH form of base/utf8 (so the JSON says "\\xff"). Control
 * characters are JSON's own \u00XX, DEL and C1 too (they would reach a terminal).
 */
void json_append_string(StrBuf *sb, Span s);
