/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The program's own log: journald's native protocol when stderr is the journal's, else stderr as "maillogsentinel: text" (with
 * "warning: " or "debug: " before the text of those levels; an error says what failed and why, and needs no word for it),
 * and beside it the optional log_file, rotated by size. The only module with global state besides main. Text that came
 * from outside is escaped here: control bytes and what is not UTF-8 appear as \xHH, so a message can't forge a line or reach
 * a terminal. A message longer than LOG_MESSAGE_MAX is cut. With LOG_PRIORITIES_VARIABLE in the environment a line on stderr is "<N>text",
 * N being syslog(3)'s priority: so the service knows the levels of what its jobs say.
 *
 * Logging never fails and never stops the program: a stderr that nobody reads or a full disk loses messages, which are counted, and
 * the count is told when it works again. errno stays as it is.
 */

#include "base/base.h"

typedef enum LogLevel {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_COUNT,
} LogLevel;

/* A line on stderr is one write of at most PIPE_BUF bytes, so that a pipe takes it whole or not at all. */
#define LOG_MESSAGE_MAX 4000

#define LOG_PRIORITIES_VARIABLE "MAILLOGSENTINEL_LOG_PRIORITIES"

typedef struct LogOptions {
	LogLevel level;
	const char *file; /* NULL or "": none */
	uint64_t file_max_bytes;
	unsigned
		file_backup_count; /* file.1 is the youngest; 0: the file starts anew when it is full */
} LogOptions;

/* "DEBUG", "INFO", "WARNING", "ERROR" (case does not matter). 0 or -EINVAL. */
int log_level_from_name(const char *name, LogLevel *ret_level);
const char *log_level_name(LogLevel level);

/*
 * Before it is called, everything from INFO up goes to stderr. On failure (the log file can't be opened, or is no
 * regular file: -ENOTSUP) what was in force stays. 0 or -errno.
 */
int log_configure(const LogOptions *options);

/* Back to how it was before log_configure. */
void log_close(void);

void log_message(LogLevel level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
