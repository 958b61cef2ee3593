/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/checkpoint.h"

#include "base/utf8.h"
#include "state/frame.h"

#include <inttypes.h>

#define FORMAT_NAME "checkpoint"
#define FORMAT_VERSION 1

static const char *const source_names[] = {
	[SOURCE_FILE] = "file",
	[SOURCE_JOURNAL] = "journal",
};

void counters_add(Counters *counters, const Counters *more)
{
	counters->lines += more->lines;
	counters->failures += more->failures;
	counters->successes += more->successes;
	counters->outages += more->outages;
	counters->aborted += more->aborted;
	counters->skipped += more->skipped;
	counters->lost += more->lost;
}

Counters counters_without(const Counters *sum, const Counters *summand)
{
	return (Counters){
		.lines = sum->lines - summand->lines,
		.failures = sum->failures - summand->failures,
		.successes = sum->successes - summand->successes,
		.outages = sum->outages - summand->outages,
		.aborted = sum->aborted - summand->aborted,
		.skipped = sum->skipped - summand->skipped,
		.lost = sum->lost - summand->lost,
	};
}

void checkpoint_done(Checkpoint *checkpoint)
{
	for (size_t i = 0; i < checkpoint->log_count; i++)
		free(checkpoint->logs[i].path);
	free(checkpoint->logs);
	checkpoint_drop_csvs(checkpoint, checkpoint->before_count);
	free(checkpoint->before);
	free(checkpoint->csv_path);
	*checkpoint = CHECKPOINT_INIT;
}

LogState *checkpoint_find_log(Checkpoint *checkpoint, const char *path)
{
	for (size_t i = 0; i < checkpoint->log_count; i++)
		if (!strcmp(checkpoint->logs[i].path, path))
			return &checkpoint->logs[i];
	return NULL;
}

int checkpoint_add_log(Checkpoint *checkpoint, const char *path, LogState **ret_log)
{
	LogState *logs;
	char *copy;

	if (checkpoint->log_count >= CHECKPOINT_LOGS_MAX)
		return -EMFILE;
	logs = array_grow(checkpoint->logs, checkpoint->log_count, sizeof(*logs));
	if (!logs)
		return -ENOMEM;
	checkpoint->logs = logs;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	logs[checkpoint->log_count] = (LogState){.path = copy};
	*ret_log = &logs[checkpoint->log_count++];
	return 0;
}

/* A place for one more CSV before, and NULL when there is no memory. */
static CsvBefore *add_before(Checkpoint *checkpoint, const char *path)
{
	CsvBefore *before;
	char *copy;

	before = reallocarray(checkpoint->before, checkpoint->before_count + 1, sizeof(*before));
	if (!before)
		return NULL;
	checkpoint->before = before;
	copy = strdup(path);
	if (!copy)
		return NULL;
	before[checkpoint->before_count] = (CsvBefore){.path = copy};
	return &before[checkpoint->before_count++];
}

int checkpoint_push_csv(Checkpoint *checkpoint, const FileMark *mark, uint64_t lost)
{
	CsvBefore *before;

	if (checkpoint->before_count >= CHECKPOINT_BEFORE_MAX)
		return -EMFILE;
	before = add_before(checkpoint, checkpoint->csv_path);
	if (!before)
		return -ENOMEM;
	before->number = checkpoint->csv_number++;
	before->begin = checkpoint->csv_begin;
	before->mark = *mark;
	before->lost = lost;
	return 0;
}

void checkpoint_drop_csvs(Checkpoint *checkpoint, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(checkpoint->before[i].path);
	if (!n)
		return;
	checkpoint->before_count -= n;
	memmove(checkpoint->before, checkpoint->before + n,
		checkpoint->before_count * sizeof(*checkpoint->before));
}

#define SWAP(a, b)                              \
	do {                                    \
		__typeof__(a) swap_first = (a); \
		(a) = (b);                      \
		(b) = swap_first;               \
	} while (0)

void checkpoint_swap_csvs(Checkpoint *checkpoint, Checkpoint *from)
{
	SWAP(checkpoint->csv_path, from->csv_path);
	SWAP(checkpoint->csv, from->csv);
	SWAP(checkpoint->csv_series, from->csv_series);
	SWAP(checkpoint->csv_number, from->csv_number);
	SWAP(checkpoint->csv_begin, from->csv_begin);
	SWAP(checkpoint->before_count, from->before_count);
	SWAP(checkpoint->before, from->before);
}

/* Marks hold at most the first bytes: of two that grow, the shorter can't be compared. */
static bool same_file(const FileMark *a, const FileMark *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       (a->head_len != b->head_len || a->head_hash == b->head_hash);
}

void checkpoint_move_log(LogState *log, const FileMark *mark)
{
	if (log->has_position && same_file(&log->position, mark) &&
		log->position.offset <= mark->offset) {
		if (log->position.offset < mark->offset)
			trail_add(&log->earlier, &log->position);
	} else {
		log->earlier.count = 0;
		log->length = 0;
		/* More than one file may have been finished since. */
		log->has_finished = false;
	}
	log->has_position = true;
	log->position = *mark;
	log->length = MAX(log->length, mark->offset);
}

static void append_trail(StrBuf *sb, const Trail *trail)
{
	if (!trail->count)
		return;
	strbuf_append_string(sb, "earlier");
	for (uint32_t i = 0; i < trail->count; i++)
		strbuf_appendf(sb, " %" PRIu64 ":%" PRIu32 ":%016" PRIx64, trail->places[i].offset,
			trail->places[i].len, trail->places[i].hash);
	strbuf_append_char(sb, '\n');
}

static void append_mark(StrBuf *sb, const char *key, const FileMark *mark)
{
	strbuf_appendf(sb,
		"%s offset=%" PRIu64 " head=%" PRIu32 ":%016" PRIx64 " tail=%" PRIu32 ":%016" PRIx64
		" file=%" PRIu64 ":%" PRIu64 " written=%" PRId64 "\n",
		key, mark->offset, mark->head_len, mark->head_hash, mark->tail_len, mark->tail_hash,
		mark->device, mark->inode, mark->written_us);
}

static void append_path(StrBuf *sb, const char *key, const char *path)
{
	strbuf_appendf(sb, "%s ", key);
	utf8_append_escaped(sb, span_from_string(path));
	strbuf_append_char(sb, '\n');
}

static void append_csvs(StrBuf *sb, const Checkpoint *checkpoint)
{
	append_path(sb, "csv", checkpoint->csv_path);
	append_mark(sb, "csv-mark", &checkpoint->csv);
	strbuf_appendf(sb, "csv-file number=%" PRIu64 " begin=%" PRIu64 " series=%016" PRIx64 "\n",
		checkpoint->csv_number, checkpoint->csv_begin, checkpoint->csv_series);
	for (size_t i = 0; i < checkpoint->before_count; i++) {
		const CsvBefore *before = &checkpoint->before[i];

		append_path(sb, "before", before->path);
		append_mark(sb, "before-mark", &before->mark);
		strbuf_appendf(sb, "before-file begin=%" PRIu64 " lost=%" PRIu64 "\n",
			before->begin, before->lost);
	}
}

int checkpoint_save(const char *path, const Checkpoint *checkpoint)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	frame_begin(&sb, FORMAT_NAME, FORMAT_VERSION);
	strbuf_appendf(&sb, "written %" PRId64 "\n", checkpoint->written_us);
	append_csvs(&sb, checkpoint);
	strbuf_appendf(&sb, "rows %" PRIu64 "\n", checkpoint->rows);
	if (checkpoint->source != SOURCE_UNDECIDED)
		strbuf_appendf(&sb, "source %s\n", source_names[checkpoint->source]);
	for (size_t i = 0; i < checkpoint->log_count; i++) {
		const LogState *log = &checkpoint->logs[i];

		append_path(&sb, "log", log->path);
		if (log->has_position)
			append_mark(&sb, "position", &log->position);
		if (log->has_position)
			append_trail(&sb, &log->earlier);
		if (log->has_position && log->length > log->position.offset)
			strbuf_appendf(&sb, "length %" PRIu64 "\n", log->length);
		if (log->has_finished)
			append_mark(&sb, "finished", &log->finished);
		if (*log->cursor)
			strbuf_appendf(&sb, "cursor %s\n", log->cursor);
		if (log->stamp_us)
			strbuf_appendf(&sb, "stamp %" PRId64 "\n", log->stamp_us);
		if (log->after_us)
			strbuf_appendf(&sb, "after %" PRId64 "\n", log->after_us);
		strbuf_appendf(&sb,
			"counters lines=%" PRIu64 " failures=%" PRIu64 " successes=%" PRIu64
			" outages=%" PRIu64 " aborted=%" PRIu64 " skipped=%" PRIu64 "\n",
			log->counters.lines, log->counters.failures, log->counters.successes,
			log->counters.outages, log->counters.aborted, log->counters.skipped);
		if (log->counters.lost)
			strbuf_appendf(&sb, "lost %" PRIu64 "\n", log->counters.lost);
	}
	return frame_save(path, &sb);
}

/*
 * sscanf can't say that a number is out of range. None is: its width keeps it small, or the checksum has told that this
 * program wrote it. NOLINTBEGIN(cert-err34-c)
 */
static bool read_mark(const char *value, FileMark *ret_mark)
{
	FileMark mark;
	int end = 0;

	if (sscanf(value,
		    "offset=%" SCNu64 " head=%" SCNu32 ":%" SCNx64 " tail=%" SCNu32 ":%" SCNx64
		    " file=%" SCNu64 ":%" SCNu64 " written=%" SCNd64 "%n",
		    &mark.offset, &mark.head_len, &mark.head_hash, &mark.tail_len, &mark.tail_hash,
		    &mark.device, &mark.inode, &mark.written_us, &end) != 8 ||
		value[end])
		return false;
	if (mark.head_len > MARK_HEAD_MAX || mark.tail_len > MARK_TAIL_MAX ||
		mark.head_len > mark.offset || mark.tail_len > mark.offset ||
		mark.offset > INT64_MAX)
		return false;
	*ret_mark = mark;
	return true;
}

static bool read_trail(const char *value, Trail *ret_trail)
{
	Trail trail = {0};

	while (*value) {
		TrailPlace place;
		int end = 0;

		if (trail.count == TRAIL_MAX ||
			sscanf(value, "%" SCNu64 ":%" SCNu32 ":%" SCNx64 "%n", &place.offset,
				&place.len, &place.hash, &end) != 3 ||
			(value[end] && value[end] != ' '))
			return false;
		if (!place.len || place.len > MARK_TAIL_MAX || place.len > place.offset ||
			place.offset > INT64_MAX ||
			(trail.count && place.offset <= trail.places[trail.count - 1].offset))
			return false;
		trail.places[trail.count++] = place;
		value += end + (value[end] == ' ');
	}
	*ret_trail = trail;
	return true;
}

static bool read_counters(const char *value, Counters *ret_counters)
{
	Counters c = {0};
	int end = 0;

	if (sscanf(value,
		    "lines=%" SCNu64 " failures=%" SCNu64 " successes=%" SCNu64 " outages=%" SCNu64
		    " aborted=%" SCNu64 " skipped=%" SCNu64 "%n",
		    &c.lines, &c.failures, &c.successes, &c.outages, &c.aborted, &c.skipped,
		    &end) != 6 ||
		value[end])
		return false;
	*ret_counters = c;
	return true;
}

static bool read_time(const char *value, int64_t *ret_us)
{
	int end = 0;

	return sscanf(value, "%" SCNd64 "%n", ret_us, &end) == 1 && !value[end];
}

static bool read_lost(const char *value, uint64_t *ret_lost)
{
	int end = 0;

	return sscanf(value, "%" SCNu64 "%n", ret_lost, &end) == 1 && !value[end];
}

static bool read_source(const char *value, SourceKind *ret_source)
{
	for (size_t i = SOURCE_FILE; i < ARRAY_SIZE(source_names); i++)
		if (!strcmp(value, source_names[i])) {
			*ret_source = (SourceKind)i;
			return true;
		}
	return false;
}

static bool read_cursor(const char *value, char ret_cursor[CHECKPOINT_CURSOR_MAX])
{
	if (!*value || strlen(value) >= CHECKPOINT_CURSOR_MAX)
		return false;
	memcpy(ret_cursor, value, strlen(value) + 1);
	return true;
}

static char *read_path_dup(const char *value)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	utf8_append_unescaped(&sb, span_from_string(value));
	return strbuf_take(&sb);
}

/* A line about a CSV before; the first one of it adds it. 0, -EBADMSG, -ENOMEM; their numbers come last, in number_befores. */
static int read_before(Checkpoint *cp, const char *key, const char *value)
{
	CsvBefore *last = cp->before_count ? &cp->before[cp->before_count - 1] : NULL;
	int end = 0;

	if (!*key) {
		_cleanup_free_ char *path = read_path_dup(value);

		if (cp->before_count >= CHECKPOINT_BEFORE_MAX)
			return -EBADMSG;
		return path && add_before(cp, path) ? 0 : -ENOMEM;
	}
	if (!last)
		return -EBADMSG;
	if (!strcmp(key, "-mark"))
		return read_mark(value, &last->mark) ? 0 : -EBADMSG;
	if (!strcmp(key, "-file"))
		return sscanf(value, "begin=%" SCNu64 " lost=%" SCNu64 "%n", &last->begin,
			       &last->lost, &end) == 2 &&
				       !value[end]
			       ? 0
			       : -EBADMSG;
	return -EBADMSG;
}

/* They have no gaps, so their numbers follow from the current one's. */
static int number_befores(Checkpoint *cp)
{
	if (cp->csv_number <= cp->before_count)
		return -EBADMSG;
	for (size_t i = 0; i < cp->before_count; i++)
		cp->before[i].number = cp->csv_number - cp->before_count + i;
	return 0;
}

/* One "key value" line. 0, -EBADMSG, -ENOMEM. *log is the entry that the last "log" line opened. */
static int read_line(Checkpoint *cp, LogState **log, char *line)
{
	char *value = strchr(line, ' ');
	int end = 0;

	if (!value)
		return -EBADMSG;
	*value++ = '\0';
	if (!strcmp(line, "written"))
		return read_time(value, &cp->written_us) ? 0 : -EBADMSG;
	if (!strcmp(line, "rows"))
		return sscanf(value, "%" SCNu64 "%n", &cp->rows, &end) == 1 && !value[end]
			       ? 0
			       : -EBADMSG;
	if (!strcmp(line, "csv")) {
		free(cp->csv_path);
		cp->csv_path = read_path_dup(value);
		return cp->csv_path ? 0 : -ENOMEM;
	}
	if (!strcmp(line, "source"))
		return read_source(value, &cp->source) ? 0 : -EBADMSG;
	if (!strcmp(line, "csv-mark"))
		return read_mark(value, &cp->csv) ? 0 : -EBADMSG;
	if (!strcmp(line, "csv-file"))
		return sscanf(value, "number=%" SCNu64 " begin=%" SCNu64 " series=%" SCNx64 "%n",
			       &cp->csv_number, &cp->csv_begin, &cp->csv_series, &end) == 3 &&
				       !value[end]
			       ? 0
			       : -EBADMSG;
	if (!strncmp(line, "before", 6))
		return read_before(cp, line + 6, value);
	if (!strcmp(line, "log")) {
		_cleanup_free_ char *path = read_path_dup(value);

		if (!path)
			return -ENOMEM;
		return checkpoint_add_log(cp, path, log);
	}
	if (!*log)
		return -EBADMSG;
	if (!strcmp(line, "position"))
		return ((*log)->has_position = read_mark(value, &(*log)->position)) ? 0 : -EBADMSG;
	if (!strcmp(line, "earlier"))
		return read_trail(value, &(*log)->earlier) ? 0 : -EBADMSG;
	if (!strcmp(line, "length"))
		return sscanf(value, "%" SCNu64 "%n", &(*log)->length, &end) == 1 && !value[end]
			       ? 0
			       : -EBADMSG;
	if (!strcmp(line, "finished"))
		return ((*log)->has_finished = read_mark(value, &(*log)->finished)) ? 0 : -EBADMSG;
	if (!strcmp(line, "cursor"))
		return read_cursor(value, (*log)->cursor) ? 0 : -EBADMSG;
	if (!strcmp(line, "lost"))
		return read_lost(value, &(*log)->counters.lost) ? 0 : -EBADMSG;
	if (!strcmp(line, "stamp"))
		return read_time(value, &(*log)->stamp_us) ? 0 : -EBADMSG;
	if (!strcmp(line, "after"))
		return read_time(value, &(*log)->after_us) ? 0 : -EBADMSG;
	if (!strcmp(line, "counters"))
		return read_counters(value, &(*log)->counters) ? 0 : -EBADMSG;
	return -EBADMSG;
}
/* NOLINTEND(cert-err34-c) */

int checkpoint_load(const char *path, Checkpoint *ret_checkpoint, Why *ret_why)
{
	_cleanup_checkpoint_ Checkpoint cp = CHECKPOINT_INIT;
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	LogState *log = NULL;
	char *line = NULL;
	size_t at = 0;
	int r = frame_load(path, FORMAT_NAME, FORMAT_VERSION, &sb, ret_why);

	if (r)
		return r == FRAME_NONE ? CHECKPOINT_NONE : r;
	do {
		r = frame_line(&sb, &at, &line);
		if (!r && line)
			r = read_line(&cp, &log, line);
	} while (!r && line);
	if (!r)
		r = cp.csv_path ? number_befores(&cp) : -EBADMSG;
	if (r < 0) {
		why_set(ret_why, "%s", r == -EBADMSG ? "a line of it can't be read" : strerror(-r));
		return r;
	}
	*ret_checkpoint = cp;
	cp = CHECKPOINT_INIT;
	return 0;
}
