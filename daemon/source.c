/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/source.h"

#include "parse/lost.h"
#include "parse/postfix.h"

#include <fcntl.h>
#include <sys/stat.h>

struct Source {
	Tail *tail; /* NULL: it is the journal */
	Journal *journal;
	bool failed; /* the journal could not be read the last time */
	StampContext stamps;
	int64_t after_us;
};

int source_new_log(const char *path, const LogState *state, int64_t seen_us, int year,
	const TailCallbacks *callbacks, Source **ret_source)
{
	_cleanup_(source_freep) Source *source = calloc(1, sizeof(*source));
	int r = source ? tail_new(path, state, seen_us, callbacks, &source->tail) : -ENOMEM;

	if (r < 0)
		return r;
	source->after_us = state->after_us;
	source->stamps.year = year;
	*ret_source = TAKE(source);
	return 0;
}

bool source_resume(Source *source, const Source *former, int64_t now_us)
{
	return source->tail && former->tail && tail_resume(source->tail, former->tail, now_us);
}

int source_new_journal(
	const JournalOptions *options, const JournalCallbacks *callbacks, Source **ret_source)
{
	_cleanup_(source_freep) Source *source = calloc(1, sizeof(*source));
	int r = source ? journal_new(options, callbacks, &source->journal) : -ENOMEM;

	if (r < 0)
		return r;
	*ret_source = TAKE(source);
	return 0;
}

/* Whether the file begins as a journal's does, or is a directory, which can only be one of journals. */
static bool is_journal(int fd)
{
	static const char magic[8] = "LPKSHHRH";
	char start[sizeof(magic)];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	return S_ISDIR(st.st_mode) ||
	       (S_ISREG(st.st_mode) && pread(fd, start, sizeof(start), 0) == sizeof(start) &&
		       !memcmp(start, magic, sizeof(magic)));
}

int source_new_file(const char *name, int year, const TailCallbacks *callbacks, Source **ret_source)
{
	_cleanup_(source_freep) Source *source = NULL;
	bool is_stdin = !strcmp(name, "-");
	_cleanup_close_ int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					  : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	JournalOptions journal = {.path = name};
	JournalCallbacks journal_callbacks = {callbacks->notice, callbacks->userdata};
	int r;

	if (fd < 0)
		return -errno;
	if (!is_stdin && is_journal(fd))
		return source_new_journal(&journal, &journal_callbacks, ret_source);
	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	r = tail_new_single(
		take_fd(&fd), is_stdin ? "standard input" : name, callbacks, &source->tail);
	if (r < 0)
		return r;
	source->stamps.year = year;
	*ret_source = TAKE(source);
	return 0;
}

void source_free(Source *source)
{
	if (!source)
		return;
	tail_free(source->tail);
	journal_free(source->journal);
	free(source);
}

const char *source_name(const Source *source)
{
	return source->tail ? tail_path(source->tail) : journal_name(source->journal);
}

Tail *source_tail(const Source *source)
{
	return source->tail;
}

bool source_is_missing(const Source *source)
{
	return source->tail ? tail_fd(source->tail) < 0 : source->failed;
}

int source_fd(const Source *source)
{
	return source->tail ? -1 : journal_fd(source->journal);
}

int source_fill(Source *source, int64_t now_us, Why *ret_why)
{
	int r;

	if (source->tail) {
		r = tail_fill(source->tail, now_us, ret_why);
		return r == TAIL_IDLE ? SOURCE_IDLE : r;
	}
	r = journal_fill(source->journal, ret_why);
	source->failed = r < 0;
	return r == JOURNAL_IDLE ? SOURCE_IDLE : r;
}

bool source_has_lines(const Source *source)
{
	JournalEntry entry;

	return source->tail ? tail_chunk(source->tail).len > 0
			    : journal_entry(source->journal, &entry);
}

bool source_has_smtpd(const Source *source)
{
	JournalEntry entry;
	Span chunk;

	/* Of the journal only smtpd's come with a tag, and the first one of what was read is one if there is any. */
	if (!source->tail)
		return journal_entry(source->journal, &entry) && entry.tag.data;
	chunk = tail_chunk(source->tail);
	return chunk.len && memmem(chunk.data, chunk.len, "smtpd", 5);
}

static uint64_t count_lines(const char *data, size_t len)
{
	uint64_t lines = 0;

	/* In pieces that a byte counter can't overflow, so that the compiler counts 16 at a time. */
	while (len) {
		size_t n = MIN(len, (size_t)255);
		uint8_t some = 0;

		for (size_t i = 0; i < n; i++)
			some = (uint8_t)(some + (data[i] == '\n'));
		lines += some;
		data += n;
		len -= n;
	}
	return lines;
}

/* The line without what rsyslog, editors and torn writes put around it. */
static Span trim_line(const char *start, const char *end)
{
	/* A writer without O_APPEND leaves NULs at the start of a file that was truncated. */
	while (start < end && !*start)
		start++;
	if (end > start && end[-1] == '\r')
		end--;
	return (Span){start, (size_t)(end - start)};
}

static uint64_t lost_of_line(Source *source, Span line)
{
	LineHeader header;

	return header_parse(&source->stamps, line, &header)
		       ? 0
		       : lost_parse(header.tag, header.message);
}

/* Reading a log goes from one line that may say something to the next; the ones between are only counted. */
static bool next_in_chunk(Source *source, int64_t now_us, SourceEvent *found)
{
	Span chunk = tail_chunk(source->tail), line;
	bool cut = tail_chunk_is_cut(source->tail);
	const char *needle, *start, *line_end, *end = chunk.data + chunk.len;

	if (!chunk.len)
		return false;
	needle = postfix_find_candidate(chunk.data, chunk.len);
	if (!needle) {
		*found = (SourceEvent){.lines = count_lines(chunk.data, chunk.len),
			.skipped = cut,
			.end = chunk.len};
		return true;
	}
	start = memrchr(chunk.data, '\n', (size_t)(needle - chunk.data));
	start = start ? start + 1 : chunk.data;
	line_end = memchr(needle, '\n', (size_t)(end - needle));
	line = trim_line(start, line_end);
	if (line.len > LINES_LINE_MAX) {
		line.len = LINES_LINE_MAX;
		cut = true;
	}
	found->lines = count_lines(chunk.data, (size_t)(start - chunk.data)) + 1;
	found->skipped = cut;
	found->end = (size_t)(line_end + 1 - chunk.data);
	source->stamps.reference_us = tail_written_us(source->tail, now_us);
	postfix_parse_line(&source->stamps, line, &found->event);
	found->lost =
		span_starts_with(found->event.service, "rsyslogd") ? lost_of_line(source, line) : 0;
	if (source->after_us && found->event.has_time && found->event.time_us <= source->after_us)
		found->event.kind = EVENT_OTHER;
	return true;
}

static bool next_in_journal(Source *source, SourceEvent *found)
{
	JournalEntry entry;

	if (!journal_entry(source->journal, &entry))
		return false;
	*found = (SourceEvent){.lines = entry.lines, .skipped = entry.skipped};
	if (!entry.tag.data)
		return true;
	found->lost = lost_parse(entry.tag, entry.message);
	postfix_parse_message(entry.tag, entry.message, &found->event);
	found->event.has_time = true;
	found->event.time_us = entry.time_us;
	found->event.server = entry.server;
	found->event.service = entry.tag;
	return true;
}

bool source_next(Source *source, int64_t now_us, SourceEvent *ret_event)
{
	return source->tail ? next_in_chunk(source, now_us, ret_event)
			    : next_in_journal(source, ret_event);
}

void source_advance(Source *source, const SourceEvent *event)
{
	if (!source->tail) {
		journal_consume(source->journal);
		return;
	}
	/* In a log the later one stands behind: nothing after it is another source's. */
	if (event->event.kind != EVENT_OTHER && event->event.has_time)
		source->after_us = 0;
	tail_consume(source->tail, event->end);
}

size_t source_place(Source *source, const SourceEvent *event, char ret_place[SOURCE_PLACE_MAX])
{
	const char *cursor;
	FileMark mark;

	if (source->tail) {
		tail_mark(source->tail, event->end, &mark);
		memcpy(ret_place, &mark, sizeof(mark));
		return sizeof(mark);
	}
	cursor = journal_entry_cursor(source->journal);
	cursor_copy(ret_place, cursor);
	return strlen(cursor) + 1;
}

void source_save_place(Source *source, const char *place, LogState *state)
{
	FileMark mark;

	/* A row is later than that, and so is what follows it. */
	state->after_us = 0;
	if (source->tail) {
		memcpy(&mark, place, sizeof(mark));
		checkpoint_move_log(state, &mark);
		tail_save_file(source->tail, state);
		return;
	}
	cursor_copy(state->cursor, place);
}

void source_save(Source *source, LogState *state)
{
	if (source->tail) {
		state->after_us = source->after_us;
		tail_save(source->tail, state);
		return;
	}
	state->after_us = journal_after_us(source->journal);
	cursor_copy(state->cursor, journal_cursor(source->journal));
}

const char *source_cursor(const Source *source)
{
	return source->tail ? NULL : journal_cursor(source->journal);
}
