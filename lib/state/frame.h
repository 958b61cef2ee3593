/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the small state files have in common: a first line "NAME VERSION", lines of text, and a last line with a checksum; replaced
 * whole and durably, readable for their owner alone.
 */

#include "base/strbuf.h"

#define FRAME_FILE_MAX \
	((size_t)80 << 20) /* a letter with its head (report/letter), the largest of them */

/* The first line. */
void frame_begin(StrBuf *sb, const char *name, int version);

/* Adds the last line, for who writes the file by itself. 0 or -errno (of sb, too; -EFBIG above FRAME_FILE_MAX). */
int frame_end(StrBuf *sb);

/* Adds the last line and replaces path. 0 or -errno (of sb, too; -EFBIG above FRAME_FILE_MAX): the old one stays. */
int frame_save(const char *path, StrBuf *sb);

enum { FRAME_NONE = 1 };

/*
 * The lines between, in ret_sb. 0; FRAME_NONE when there is no such file; -EBADMSG with *ret_why when it is torn, foreign or of a
 * newer version; -errno with *ret_why.
 */
int frame_load(const char *path, const char *name, int version, StrBuf *ret_sb, Why *ret_why);

/* The same of an open file. 0; -EBADMSG; -errno; with *ret_why. */
int frame_read(int fd, const char *name, int version, StrBuf *ret_sb, Why *ret_why);

/* Ends the next line of a loaded file with a NUL and returns it; NULL at the end. A line with a NUL in it or without an end is -EBADMSG. */
int frame_line(StrBuf *sb, size_t *at, char **ret_line);
