/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A file that goes with a report, made from what comes in pieces: as it is up to ATTACHMENT_PLAIN_MAX, above that packed with gzip,
 * and nothing at all above a limit. That is what it takes of memory.
 */

#include "base/compress.h"

#define ATTACHMENT_PLAIN_MAX ((size_t)1 << 20)

/* Start it with .limit_bytes alone. */
typedef struct Attachment {
	size_t limit_bytes;
	StrBuf bytes;
	Packer *packer; /* NULL: they are as they came */
	bool packed;
	bool too_large; /* there is none */
} Attachment;

void attachment_done(Attachment *attachment);

/* 0 or -errno. */
int attachment_add(Attachment *attachment, Span bytes);

/* All has been added. 0 or -errno. */
int attachment_end(Attachment *attachment);

/*
 * The name of the file for a CSV of this name, heap memory; NULL without memory. With a day, whose rows it has, it is
 * "maillogsentinel-2026-11-22.csv", so that those of many days can be kept side by side.
 */
char *attachment_name_dup(const Attachment *attachment, const char *csv_name, const char *day);
