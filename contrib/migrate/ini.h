/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * INI files as Python's configparser reads them: [sections] whose case matters, keys whose case does not, "=" or ":" between key and
 * value, comments in lines of their own, values that go on in lines that are indented further, %(name)s for another value of the section.
 */

#include "base/strbuf.h"

typedef struct IniEntry {
	char *section, *key,
		*value; /* the key in lower case, the value without blanks at its ends */
	unsigned line;
} IniEntry;

typedef struct Ini {
	IniEntry *entries; /* of a key that comes twice the last one counts */
	size_t count;
} Ini;

#define INI_INIT ((Ini){NULL, 0})

/* Appends "line N: why" to notes for what is neither a section nor a value. 0 or -ENOMEM. */
int ini_parse(Span text, Ini *ret_ini, StrBuf *notes);
void ini_done(Ini *ini);
#define _cleanup_ini_ _cleanup_(ini_done)

/* NULL where there is none; the case of the section does not matter here. */
const IniEntry *ini_find(const Ini *ini, const char *section, const char *key);
