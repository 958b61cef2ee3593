/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whether lines come of a log as they should (source.quiet_warning): any at all, and any of Postfix's smtpd, without which nobody can fail
 * to log in.
 */

#include "daemon/source.h"
#include "daemon/warnings.h"

typedef struct Silence {
	int64_t read_us;     /* when lines were last read; 0: not yet */
	int64_t since_us;    /* since when no line has come, as far as is known */
	int64_t no_smtpd_us; /* since when none of smtpd has come */
} Silence;

/* written_us: when the log was last written; 0: not known. */
void silence_init(Silence *silence, int64_t written_us, int64_t now_us);

/* source has lines, which were read now. */
void silence_end(Silence *silence, const Source *source, uint64_t limit_ms, int64_t now_us);

/*
 * Raises and clears the warnings of the log called name, whose silence may last as long as limit_ms (0: for ever). A log that is not there,
 * or not read, is awaited no line of.
 */
void silence_check(const Silence *silence, const char *name, bool awaited, uint64_t limit_ms,
	Warnings *warnings, int64_t now_us);
