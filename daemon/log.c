/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/log.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>

#include "build-config.h"

#if HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

#include "base/calendar.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "daemon/log-file.h"
#include "report/display.h"

#define PROGRAM "maillogsentinel"
#define STDERR_WAIT_MS 100
#define TEXT_SIZE ((size_t)4 * LOG_MESSAGE_MAX) /* escaped: \xHH for each byte */
#define LINE_SIZE ((size_t)LOG_MESSAGE_MAX + 200)

static const struct {
	const char *name;
	const char *prefix; /* on stderr */
	int priority;       /* syslog(3)'s */
} levels[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_DEBUG] = {"DEBUG", "debug: ", LOG_DEBUG},
	[LOG_LEVEL_INFO] = {"INFO", "", LOG_INFO},
	[LOG_LEVEL_WARNING] = {"WARNING", "warning: ", LOG_WARNING},
	[LOG_LEVEL_ERROR] = {"ERROR", "", LOG_ERR},
};

static struct {
	LogLevel level;
	bool events;
	LogFile file;
	uint64_t file_lost, stderr_lost; /* messages, since it worked last */
	LocalZone zone;
	StrBuf text, line; /* made by log_configure(), so that no message needs memory */
} self = {.level = LOG_LEVEL_INFO, .file = LOG_FILE_NONE};

/* On its way: the text is escaped. */
typedef struct Message {
	LogLevel level;
	MessageKind kind;
	const LogField *fields;
	size_t field_count;
	const char *text;
} Message;

int log_level_from_name(const char *name, LogLevel *ret_level)
{
	for (size_t i = 0; i < LOG_LEVEL_COUNT; i++)
		if (!strcasecmp(name, levels[i].name)) {
			*ret_level = (LogLevel)i;
			return 0;
		}
	return -EINVAL;
}

const char *log_level_name(LogLevel level)
{
	return levels[level].name;
}

int log_configure(const LogOptions *options)
{
	LogFile file = LOG_FILE_NONE;
	int r;

	/* Without memory now there may be some later. */
	strbuf_reset(&self.text);
	(void)strbuf_reserve(&self.text, TEXT_SIZE);
	strbuf_reset(&self.line);
	(void)strbuf_reserve(&self.line, LINE_SIZE);
	if (options->file && *options->file) {
		r = log_file_open(
			options->file, options->file_max_bytes, options->file_backup_count, &file);
		if (r)
			return r;
	}
	log_file_close(&self.file);
	self.file = file;
	self.file_lost = 0;
	self.level = options->level;
	self.events = options->events;
	return 0;
}

void log_close(void)
{
	log_file_close(&self.file);
	strbuf_done(&self.text);
	strbuf_done(&self.line);
	self.file_lost = self.stderr_lost = 0;
	self.level = LOG_LEVEL_INFO;
	self.events = false;
}

/* systemd.exec(5): JOURNAL_STREAM names device and inode of the stream; stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	char *end;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	device = strtoull(stream, &end, 10);
	if (end == stream || *end != ':')
		return false;
	stream = end + 1;
	inode = strtoull(stream, &end, 10);
	return end != stream && !*end && device == st.st_dev && inode == st.st_ino;
}

#if HAVE_SYSTEMD
static bool send_to_journal(const Message *message)
{
	/* MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, MESSAGE_ID */
	struct iovec fields[4 + LOG_FIELDS_MAX];
	size_t n = 0, at = 0;

	strbuf_reset(&self.line);
	strbuf_appendf(&self.line, "MESSAGE=%s", message->text);
	fields[n++].iov_len = self.line.len;
	strbuf_appendf(&self.line, "PRIORITY=%d", levels[message->level].priority);
	fields[n++].iov_len = self.line.len;
	strbuf_append_string(&self.line, "SYSLOG_IDENTIFIER=" PROGRAM);
	fields[n++].iov_len = self.line.len;
	if (message->kind != MESSAGE_NONE) {
		strbuf_appendf(&self.line, "MESSAGE_ID=%s", message_id(message->kind));
		fields[n++].iov_len = self.line.len;
	}
	for (size_t i = 0; i < message->field_count; i++) {
		if (!message->fields[i].value.data)
			continue;
		strbuf_appendf(&self.line, "%s=", message->fields[i].name);
		strbuf_append_span(&self.line, message->fields[i].value);
		fields[n++].iov_len = self.line.len;
	}
	if (strbuf_error(&self.line))
		return false;
	/* Only now it is known where they are; what stands in iov_len is where each ends. */
	for (size_t i = 0; i < n; i++) {
		size_t end = fields[i].iov_len;

		fields[i] = (struct iovec){self.line.data + at, end - at};
		at = end;
	}
	return sd_journal_sendv(fields, (int)n) >= 0;
}
#else
static bool send_to_journal(const Message *message)
{
	return false;
}
#endif

/*
 * A write to a pipe without a reader raises SIGPIPE, which would kill a program that lost only its log. It is kept
 * from this thread for the length of the write, and taken when the write was what raised it.
 */
static ssize_t write_without_sigpipe(const void *data, size_t len)
{
	static const struct timespec at_once;
	sigset_t pipe_set, pending, before;
	bool was_pending;
	ssize_t n;
	int saved;

	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	sigemptyset(&pending);
	(void)sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE) == 1;
	(void)pthread_sigmask(SIG_BLOCK, &pipe_set, &before);
	do
		n = write(STDERR_FILENO, data, len);
	while (n < 0 && errno == EINTR);
	saved = errno;
	if (n < 0 && saved == EPIPE && !was_pending)
		while (sigtimedwait(&pipe_set, NULL, &at_once) < 0 && errno == EINTR)
			;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return n;
}

/* Whether it is written. A reader that is only slow gets time once, one that has stopped does not stop the program. */
static bool write_stderr_line(LogLevel level, const char *text)
{
	struct pollfd stderr_poll = {.fd = STDERR_FILENO, .events = POLLOUT};

	strbuf_reset(&self.line);
	if (getenv(LOG_PRIORITIES_VARIABLE))
		strbuf_appendf(&self.line, "<%d>%s\n", levels[level].priority, text);
	else
		strbuf_appendf(&self.line, PROGRAM ": %s%s\n", levels[level].prefix, text);
	if (strbuf_error(&self.line))
		return false;
	if (poll(&stderr_poll, 1, self.stderr_lost ? 0 : STDERR_WAIT_MS) != 1)
		return false;
	return write_without_sigpipe(self.line.data, self.line.len) == (ssize_t)self.line.len;
}

static void to_stderr(LogLevel level, const char *text)
{
	if (self.stderr_lost) {
		char note[80];

		(void)snprintf(note, sizeof(note), "%" PRIu64 " message%s before this one got lost",
			self.stderr_lost, self.stderr_lost == 1 ? "" : "s");
		if (!write_stderr_line(LOG_LEVEL_WARNING, note)) {
			self.stderr_lost++;
			return;
		}
		self.stderr_lost = 0;
	}
	if (!write_stderr_line(level, text))
		self.stderr_lost++;
}

static void to_journal_or_stderr(const Message *message)
{
	if (!stderr_is_journal() || !send_to_journal(message))
		to_stderr(message->level, message->text);
}

static int write_file_line(LogLevel level, const char *text)
{
	char stamp[CALENDAR_ISO_MAX];
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -errno;
	(void)calendar_format_iso(
		&self.zone, now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000, stamp);
	strbuf_reset(&self.line);
	strbuf_appendf(&self.line, "%s %s %s\n", stamp, levels[level].name, text);
	if (strbuf_error(&self.line))
		return strbuf_error(&self.line);
	return log_file_write(&self.file, (Span){self.line.data, self.line.len});
}

static void to_file(LogLevel level, const char *text)
{
	_cleanup_strbuf_ StrBuf note = STRBUF_INIT;
	int r = write_file_line(level, text);

	if (r && self.file_lost++)
		return;
	if (!r && !self.file_lost)
		return;
	utf8_append_escaped(&note, span_from_string(self.file.path));
	if (r) {
		strbuf_appendf(&note, ": %s; each further message tries again", strerror(-r));
		to_journal_or_stderr(&(Message){LOG_LEVEL_ERROR, .text = strbuf_text(&note)});
		return;
	}
	strbuf_appendf(&note, ": can be written again; it lacks %" PRIu64 " message%s",
		self.file_lost, self.file_lost == 1 ? "" : "s");
	self.file_lost = 0;
	to_journal_or_stderr(&(Message){LOG_LEVEL_WARNING, .text = strbuf_text(&note)});
	(void)write_file_line(LOG_LEVEL_WARNING, strbuf_text(&note));
}

/* Escaped and cut; what is cut ends with "...". */
static bool escape_text(Span raw)
{
	static const char dots[] = "...";
	size_t len = MIN(raw.len, LOG_MESSAGE_MAX), keep;

	strbuf_reset(&self.text);
	display_append_escaped(&self.text, (Span){raw.data, len});
	if (strbuf_error(&self.text))
		return false;
	if (raw.len <= len && self.text.len <= LOG_MESSAGE_MAX)
		return true;
	keep = MIN(self.text.len, LOG_MESSAGE_MAX - (sizeof(dots) - 1));
	while (keep && (self.text.data[keep] & 0xc0) == 0x80)
		keep--;
	self.text.len = keep;
	strbuf_append_string(&self.text, dots);
	return !strbuf_error(&self.text);
}

LogLevel log_events_level(void)
{
	if (self.events)
		return LOG_LEVEL_INFO;
	return self.level == LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : LOG_LEVEL_COUNT;
}

void log_fields(
	LogLevel level, MessageKind kind, const LogField *fields, size_t field_count, Span text)
{
	Message message = {level, kind, fields, MIN(field_count, LOG_FIELDS_MAX)};
	int saved = errno;

	if (level < self.level && (kind != MESSAGE_FAILED_LOGIN || !self.events))
		return;
	if (escape_text(text)) {
		message.text = strbuf_text(&self.text);
		to_journal_or_stderr(&message);
		if (self.file.path)
			to_file(level, message.text);
	} else {
		self.stderr_lost++;
	}
	errno = saved;
}

static void PRINTF_LIKE(4, 0)
	format(LogLevel level, MessageKind kind, const LogField *field, const char *fmt, va_list ap)
{
	char raw[LOG_MESSAGE_MAX + 2]; /* one more than is taken, which tells that it is cut */
	int n;

	if (level < self.level)
		return;
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	if (n < 0)
		self.stderr_lost++;
	else
		log_fields(level, kind, field, field ? 1 : 0,
			(Span){raw, MIN((size_t)n, sizeof(raw) - 1)});
}

void log_message(LogLevel level, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	format(level, MESSAGE_NONE, NULL, fmt, ap);
	va_end(ap);
	errno = saved;
}

void log_message_kind(LogLevel level, MessageKind kind, const char *field, const char *value,
	const char *fmt, ...)
{
	const LogField only = {field, span_from_string(value)};
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	format(level, kind, field ? &only : NULL, fmt, ap);
	va_end(ap);
	errno = saved;
}
