/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A file that somebody asked for on the command line, somewhere. It is there whole, or as it was: it is written without a name, or
 * under one of its own beside it where the file system can't, and then gets its name. It keeps the mode that it had; a new one gets
 * what the umask leaves. What is no regular file, such as a pipe, is written to as it is, and so is what is open already (/dev/stdout). No link is followed that somebody
 * else has left in a directory like /tmp: -EACCES.
 */

#include "base/strbuf.h"

typedef struct OutputFile OutputFile;

/* 0 or -errno. */
int output_open(const char *path, OutputFile **ret_output);

/* Where to write; borrowed. */
int output_fd(const OutputFile *output);

/* All is written: makes it durable and gives it its name. 0 or -errno. */
int output_finish(OutputFile *output);

/* What was not finished is gone. */
void output_free(OutputFile *output);
DEFINE_CLEANUP(OutputFile *, output_freep, output_free)

/* All of it at once. 0 or -errno. */
int output_write(const char *path, Span bytes);
