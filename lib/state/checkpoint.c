/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/checkpoint.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/utf8.h"

#include <inttypes.h>

#define FORMAT_NAME "maillogsentinel-checkpoint"
#define FORMAT_VERSION 1
#define FILE_MAX ((size_t)16 << 20)
#define CHECKSUM_LINE_LEN (sizeof("checksum 0123456789abcdef\n") - 1)

void counters_add(Counters *counters, const Counters *more)
{
	counters->lines += more->lines;
	counters->failures += more->failures;
	counters->successes += more->successes;
	counters->outages += more->outages;
	counters->aborted += more->aborted;
	counters->skipped += more->skipped;
}

void checkpoint_done(Checkpoint *checkpoint)
{
	for (size_t i = 0; i < checkpoint->log_count; i++)
		free(checkpoint->logs[i].path);
	free(checkpoint->logs);
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
	logs = reallocarray(checkpoint->logs, checkpoint->log_count + 1, sizeof(*logs));
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

static void append_mark(StrBuf *sb, const char *key, const FileMark *mark)
{
	strbuf_appendf(sb,
		"%s offset=%" PRIu64 " head=%" PRIu32 ":%016" PRIx64 " tail=%" PRIu32 ":%016" PRIx64
		" file=%" PRIu64 ":%" PRIu64 "\n",
		key, mark->offset, mark->head_len, mark->head_hash, mark->tail_len, mark->tail_hash,
		mark->device, mark->inode);
}

static void append_path(StrBuf *sb, const char *key, const char *path)
{
	strbuf_appendf(sb, "%s ", key);
	utf8_append_escaped(sb, span_from_string(path));
	strbuf_append_char(sb, '\n');
}

int checkpoint_save(const char *path, const Checkpoint *checkpoint)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	strbuf_appendf(&sb, "%s %d\n", FORMAT_NAME, FORMAT_VERSION);
	strbuf_appendf(&sb, "written %" PRId64 "\n", checkpoint->written_us);
	append_path(&sb, "csv", checkpoint->csv_path);
	append_mark(&sb, "csv-mark", &checkpoint->csv);
	strbuf_appendf(&sb, "rows %" PRIu64 "\n", checkpoint->rows);
	for (size_t i = 0; i < checkpoint->log_count; i++) {
		const LogState *log = &checkpoint->logs[i];

		append_path(&sb, "log", log->path);
		if (log->has_position)
			append_mark(&sb, "position", &log->position);
		if (log->has_finished)
			append_mark(&sb, "finished", &log->finished);
		strbuf_appendf(&sb,
			"counters lines=%" PRIu64 " failures=%" PRIu64 " successes=%" PRIu64
			" outages=%" PRIu64 " aborted=%" PRIu64 " skipped=%" PRIu64 "\n",
			log->counters.lines, log->counters.failures, log->counters.successes,
			log->counters.outages, log->counters.aborted, log->counters.skipped);
	}
	strbuf_appendf(&sb, "checksum %016" PRIx64 "\n",
		hash_bytes(HASH_KEY_FIXED, sb.data, strbuf_error(&sb) ? 0 : sb.len));
	if (strbuf_error(&sb))
		return strbuf_error(&sb);
	return file_replace(path, sb.data, sb.len, 0600);
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
		    " file=%" SCNu64 ":%" SCNu64 "%n",
		    &mark.offset, &mark.head_len, &mark.head_hash, &mark.tail_len, &mark.tail_hash,
		    &mark.device, &mark.inode, &end) != 7 ||
		value[end])
		return false;
	if (mark.head_len > MARK_HEAD_MAX || mark.tail_len > MARK_TAIL_MAX ||
		mark.tail_len > mark.offset || mark.offset > INT64_MAX)
		return false;
	*ret_mark = mark;
	return true;
}

static bool read_counters(const char *value, Counters *ret_counters)
{
	Counters c;
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

static char *read_path_dup(const char *value)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	utf8_append_unescaped(&sb, span_from_string(value));
	return strbuf_take(&sb);
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
		return sscanf(value, "%" SCNd64 "%n", &cp->written_us, &end) == 1 && !value[end]
			       ? 0
			       : -EBADMSG;
	if (!strcmp(line, "rows"))
		return sscanf(value, "%" SCNu64 "%n", &cp->rows, &end) == 1 && !value[end]
			       ? 0
			       : -EBADMSG;
	if (!strcmp(line, "csv")) {
		free(cp->csv_path);
		cp->csv_path = read_path_dup(value);
		return cp->csv_path ? 0 : -ENOMEM;
	}
	if (!strcmp(line, "csv-mark"))
		return read_mark(value, &cp->csv) ? 0 : -EBADMSG;
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
	if (!strcmp(line, "finished"))
		return ((*log)->has_finished = read_mark(value, &(*log)->finished)) ? 0 : -EBADMSG;
	if (!strcmp(line, "counters"))
		return read_counters(value, &(*log)->counters) ? 0 : -EBADMSG;
	return -EBADMSG;
}

/* The first line and the checksum; cuts the checksum line off. 0 or -EBADMSG with *ret_why. */
static int check_frame(StrBuf *sb, Why *ret_why)
{
	uint64_t checksum;
	int version, end = 0;
	char *last;

	if (strncmp(strbuf_text(sb), FORMAT_NAME " ", sizeof(FORMAT_NAME))) {
		why_set(ret_why, "not a checkpoint of this program");
		return -EBADMSG;
	}
	if (sscanf(sb->data + sizeof(FORMAT_NAME), "%9d", &version) != 1) {
		why_set(ret_why, "its version can't be read");
		return -EBADMSG;
	}
	if (version > FORMAT_VERSION) {
		why_set(ret_why,
			"written by a newer version of this program (format %d, known is %d)",
			version, FORMAT_VERSION);
		return -EBADMSG;
	}
	last = sb->len > CHECKSUM_LINE_LEN ? sb->data + sb->len - CHECKSUM_LINE_LEN : NULL;
	if (!last || last[-1] != '\n' ||
		sscanf(last, "checksum %16" SCNx64 "\n%n", &checksum, &end) != 1 ||
		(size_t)end != CHECKSUM_LINE_LEN ||
		checksum != hash_bytes(HASH_KEY_FIXED, sb->data, (size_t)(last - sb->data))) {
		why_set(ret_why, "torn or changed: its checksum is wrong");
		return -EBADMSG;
	}
	*last = '\0';
	sb->len = (size_t)(last - sb->data);
	return 0;
}
/* NOLINTEND(cert-err34-c) */

int checkpoint_load(const char *path, Checkpoint *ret_checkpoint, Why *ret_why)
{
	_cleanup_checkpoint_ Checkpoint cp = CHECKPOINT_INIT;
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	LogState *log = NULL;
	char *line, *next;
	int r;

	r = file_read(path, FILE_MAX, &sb);
	if (r == -ENOENT)
		return CHECKPOINT_NONE;
	if (r < 0) {
		why_set(ret_why, "%s", strerror(-r));
		return r;
	}
	r = check_frame(&sb, ret_why);
	if (r < 0)
		return r;
	line = strchr(sb.data, '\n') + 1;
	for (; *line; line = next) {
		next = strchr(line, '\n');
		if (!next || memchr(line, '\0', (size_t)(next - line))) {
			r = -EBADMSG;
			break;
		}
		*next++ = '\0';
		r = read_line(&cp, &log, line);
		if (r < 0)
			break;
	}
	if (!r && (!cp.csv_path || line != sb.data + sb.len))
		r = -EBADMSG;
	if (r < 0) {
		why_set(ret_why, "%s", r == -EBADMSG ? "a line of it can't be read" : strerror(-r));
		return r;
	}
	*ret_checkpoint = cp;
	cp = CHECKPOINT_INIT;
	return 0;
}
