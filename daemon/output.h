/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A file that somebody asked for on the command line, somewhere. */

#include "base/base.h"

/*
 * The file is there whole, or as it was: it is written under a name of its own beside it, and then gets its name. It keeps the mode
 * that it had; a new one gets what the umask leaves. What is no regular file, such as a pipe, is written to as it is. No link is
 * followed that somebody else has left in a directory like /tmp: -EACCES. 0 or -errno.
 */
int output_write(const char *path, Span bytes);
