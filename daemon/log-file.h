/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A log file that is rotated by size: file -> file.1 -> file.2 ... Several processes may write to one: each line is one append,
 * and each writer notices when another has rotated (or someone has removed) the file, and opens the new one.
 */

#include "base/base.h"

typedef struct LogFile {
	char *path; /* NULL: none */
	uint64_t max_bytes;
	unsigned backup_count;
	int fd;    /* -1: could not be opened again since */
	bool torn; /* the last line was not written to its end */
} LogFile;

#define LOG_FILE_NONE ((LogFile){.fd = -1})

/* Opens path for appending, mode 0600. 0; -ENOTSUP when it is no regular file; -errno. */
int log_file_open(const char *path, uint64_t max_bytes, unsigned backup_count, LogFile *ret_file);
void log_file_close(LogFile *file);

/* Appends the line (with its newline), after rotating when it would grow over max_bytes. 0, or -errno when it is not written. */
int log_file_write(LogFile *file, Span line);
