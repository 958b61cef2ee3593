/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The first pass over a configuration file. libconfig stops at the first mistake, lets integers wrap around, ends a string
 * at \x00 and takes an unclosed comment for the end of the file; so this pass reports what it would hide or stop at, and
 * writes a text without it:
 *
 * - a whole number is written with L, cut to 64 bits, so that a range check sees that it is too large;
 * - a name that its group holds already becomes NAME*N (a * in a name of the file itself is a mistake);
 * - a setting whose value can't be read becomes *N = 0;
 * - @include is refused: the daemon hands its configuration to its jobs, and compares it at a reload, as one file.
 *
 * Lines stay where they are. What is left for libconfig to find is the order of things.
 */

#include "daemon/config-mistakes.h"

enum { CONFIG_SCAN_HOPELESS = 1 };

/*
 * is_group: whether a group of that name is there at the top. 0; CONFIG_SCAN_HOPELESS when parsing on would only confuse (mistakes says why);
 * -ENOMEM.
 */
int config_scan(
	Span text, bool (*is_group)(const char *name), ConfigMistakes *mistakes, StrBuf *ret_text);
