/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The program's own log: journald's native protocol when stderr is the journal's, else stderr as "maillogsentinel: text" (with
 * "warning: " or "debug: " before the text of those levels; an error says what failed and why, and needs no word for it),
 * and beside it the optional log_file, rotated by size. The only module with global state besides main. Text that came
 * from outside is escaped here: control bytes, what is not UTF-8, and what shows nothing by itself or turns the direction of writing
 * appear as \xHH, so a message can't forge a line, reach a terminal or look like another one. A message longer than LOG_MESSAGE_MAX is cut. With LOG_PRIORITIES_VARIABLE in the environment a line on stderr is "<N>text",
 * N being syslog(3)'s priority: so the service knows the levels of what its jobs say.
 *
 * In the journal a message has fields beside its text: MESSAGE_ID, which says of what kind it is (daemon/messages.h), and what the
 * caller gives. Their values are raw bytes, of which journald is told the length: no byte of one can begin another.
 *
 * Logging never fails and never stops the program: a stderr that nobody reads or a full disk loses messages, which are counted, and
 * the count is told when it works again. errno stays as it is.
 */

#include "base/base.h"
#include "daemon/messages.h"

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

#define LOG_FIELDS_MAX 20

typedef struct LogField {
	const char *name; /* "MLS_IP" */
	Span value;       /* a missing one is left out */
} LogField;

typedef struct LogOptions {
	LogLevel level;
	const char *file; /* NULL or "": none */
	uint64_t file_max_bytes;
	unsigned
		file_backup_count; /* file.1 is the youngest; 0: the file starts anew when it is full */
	bool events;               /* failed logins are told whatever the level */
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

/* The same, of a kind, with one field (NULL: none). */
void log_message_kind(LogLevel level, MessageKind kind, const char *field, const char *value,
	const char *fmt, ...) PRINTF_LIKE(5, 6);

/* The same with at most LOG_FIELDS_MAX fields, and a text that may hold any byte. */
void log_fields(
	LogLevel level, MessageKind kind, const LogField *fields, size_t field_count, Span text);

/* The level at which a failed login is told (MESSAGE_FAILED_LOGIN); LOG_LEVEL_COUNT: it is not. */
LogLevel log_events_level(void);

#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
