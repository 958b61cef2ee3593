/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/record.h"

#include "base/file.h"
#include "base/hash.h"
#include "daemon/archive.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "state/bookmark.h"
#include "store/csv.h"
#include "store/csvfile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

/* Of the CSV files before, the newest are kept though no reader needs them: one may just begin, or come back from a backup. */
#define BEFORE_KEPT 8

struct Record {
	int lock_fd;
	char *checkpoint_path;
	Checkpoint checkpoint;
	int64_t found_us;
	CsvFile *csv;
	const char *failed_path;
	bool in_doubt;
	Why said; /* why the CSV can't be followed to a new one */
};

void record_free(Record *record)
{
	if (!record)
		return;
	csvfile_free(record->csv);
	checkpoint_done(&record->checkpoint);
	free(record->checkpoint_path);
	if (record->lock_fd >= 0)
		(void)close(record->lock_fd);
	free(record);
}

Checkpoint *record_checkpoint(Record *record)
{
	return &record->checkpoint;
}

int64_t record_found_us(const Record *record)
{
	return record->found_us;
}

StrBuf *record_output(Record *record)
{
	return csvfile_buffer(record->csv);
}

const char *record_failed_path(const Record *record)
{
	return record->failed_path;
}

bool record_in_doubt(const Record *record)
{
	return record->in_doubt;
}

static int fail(StrBuf *why, int exit_status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Says why. The exit status. */
static int fail(StrBuf *why, int exit_status, const char *fmt, ...)
{
	va_list ap;

	strbuf_reset(why);
	va_start(ap, fmt);
	strbuf_vappendf(why, fmt, ap);
	va_end(ap);
	return exit_status;
}

static int fail_errno(StrBuf *why, const char *path, int error)
{
	return fail(why, EXIT_FAILED, "%s: %s", path, strerror(-error));
}

static int check_directory(const char *path, StrBuf *why)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return fail_errno(why, path, -errno);
	return S_ISDIR(st.st_mode) ? 0 : fail(why, EXIT_FAILED, "%s: not a directory", path);
}

static int take_lock(Record *record, const Config *config, const char *command,
	const Record *former, StrBuf *why)
{
	_cleanup_free_ char *path = file_join_dup(config->paths.state_dir, "lock");
	char holder[LOCK_HOLDER_MAX];
	int r;

	if (!path)
		return fail_errno(why, config->paths.state_dir, -ENOMEM);
	if (former) {
		/* It is held as long as any of the two is open. */
		record->lock_fd = fcntl(former->lock_fd, F_DUPFD_CLOEXEC, 0);
		return record->lock_fd < 0 ? fail_errno(why, path, -errno) : 0;
	}
	r = lock_take(path, command, &record->lock_fd, holder);
	if (r == LOCK_HELD)
		return fail(why, EXIT_FAILED, "%s: another maillogsentinel is at work (process %s)",
			path, *holder ? holder : "unknown");
	return r < 0 ? fail_errno(why, path, r) : 0;
}

/* What a reset has begun to remove must not be taken for what is recorded. */
static int refuse_rest(const Config *config, StrBuf *why)
{
	_cleanup_free_ char *path = file_join_dup(config->paths.state_dir, ARCHIVE_PENDING);
	struct stat st;

	if (!path)
		return fail_errno(why, config->paths.state_dir, -ENOMEM);
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail_errno(why, path, -errno);
	return fail(why, EXIT_CONFIG,
		"%s: 'maillogsentinel reset' or 'purge' was interrupted; run it again, and it "
		"brings that to its end",
		path);
}

/* 0, an exit status, or -CHECKPOINT_NONE. */
static int load(const Config *config, char **ret_path, Checkpoint *ret_checkpoint, StrBuf *ret_why)
{
	_cleanup_free_ char *path = file_join_dup(config->paths.state_dir, "state.offset");
	Why why = {""};
	int r;

	if (!path)
		return fail_errno(ret_why, config->paths.state_dir, -ENOMEM);
	r = checkpoint_load(path, ret_checkpoint, &why);
	if (r == -EBADMSG)
		return fail(ret_why, EXIT_CONFIG,
			"%s: %s; 'maillogsentinel reset' archives it with the CSV, and all logs "
			"are "
			"read again",
			path, why.text);
	if (r < 0)
		return fail(ret_why, EXIT_FAILED, "%s: %s", path, why.text);
	*ret_path = TAKE(path);
	return r == CHECKPOINT_NONE ? -CHECKPOINT_NONE : 0;
}

static bool has_rows(const Checkpoint *checkpoint)
{
	return checkpoint->csv.offset > MAX(checkpoint->csv_begin, (uint64_t)csv_header().len);
}

static void say_start(CsvStart start, const char *path, uint64_t cut, const Checkpoint *checkpoint)
{
	/* Nothing is missing with a file that had no row. */
	if (!has_rows(checkpoint) && (start == CSV_SHORTER || start == CSV_DISAPPEARED))
		start = CSV_ROTATED;
	switch (start) {
	case CSV_CREATED:
	case CSV_CONTINUED: break;
	case CSV_ROTATED:
		log_message_kind(LOG_LEVEL_INFO, MESSAGE_CSV_ROTATED, "MLS_CSV", path,
			"%s: was rotated, going on with a new one", path);
		break;
	case CSV_SHORTER:
		log_message_kind(LOG_LEVEL_WARNING, MESSAGE_CSV_CHANGED, "MLS_CSV", path,
			"%s: is shorter than what was committed (%" PRIu64
			" bytes); rows are missing, going on at its end",
			path, checkpoint->csv.offset);
		break;
	case CSV_FOREIGN:
		log_message_kind(LOG_LEVEL_WARNING, MESSAGE_CSV_CHANGED, "MLS_CSV", path,
			"%s: is not the file that was written last; going on at its end", path);
		break;
	case CSV_DISAPPEARED:
		log_message_kind(LOG_LEVEL_WARNING, MESSAGE_CSV_CHANGED, "MLS_CSV", path,
			"%s: the file that was written last is gone, with %" PRIu64
			" bytes; going on with a new one",
			path, checkpoint->csv.offset);
		break;
	}
	if (cut)
		log_info("%s: cut %" PRIu64
			 " bytes that were not committed; their lines are read again",
			path, cut);
}

/*
 * A series that no other host has, nor this one before it was reset: rows are known by it where those of many hosts come together. A
 * clock would not do for hosts that start without one. 0 or -errno.
 */
static int draw_series(uint64_t *ret_series)
{
	HashKey key;
	int r = hash_key_random(&key);

	if (!r)
		*ret_series = key.k0 ? key.k0 : 1;
	return r;
}

/* The first number that a reader still needs, UINT64_MAX when none needs any. */
static uint64_t needed_number(const Checkpoint *checkpoint, const char *state_dir)
{
	uint64_t needed = UINT64_MAX;

	for (const char *const *reader = bookmark_readers; *reader; reader++) {
		Bookmark bookmark;
		Why why = {""};
		int r = bookmark_load(state_dir, *reader, &bookmark, NULL, &why);

		if (r == BOOKMARK_NONE)
			continue;
		if (r < 0)
			log_warning("%s/%s.offset: %s; all rotated CSVs are kept in mind",
				state_dir, *reader, why.text);
		if (r < 0 || bookmark.place.series != checkpoint->csv_series)
			return 0;
		needed = MIN(needed, bookmark.place.number);
	}
	return needed;
}

/* Forgets the files that all readers have passed, and makes room for one more. 0 or -ENOMEM. */
static int forget_csvs(const Record *record, Checkpoint *checkpoint)
{
	_cleanup_free_ char *state_dir = file_parent_dup(record->checkpoint_path);
	size_t n = 0;
	uint64_t needed;

	if (!state_dir)
		return -ENOMEM;
	if (checkpoint->before_count <= BEFORE_KEPT)
		return 0;
	needed = needed_number(checkpoint, state_dir);
	while (n < checkpoint->before_count - BEFORE_KEPT && checkpoint->before[n].number < needed)
		n++;
	if (!n && checkpoint->before_count >= CHECKPOINT_BEFORE_MAX) {
		log_warning("%s: more than %d rotated CSVs wait for a reader; number %" PRIu64
			    " is forgotten",
			checkpoint->csv_path, CHECKPOINT_BEFORE_MAX, checkpoint->before[0].number);
		n = 1;
	}
	checkpoint_drop_csvs(checkpoint, n);
	return 0;
}

/*
 * What was the current CSV becomes one of those before. One that is nothing but a header leaves its number to the next. Of one that became
 * shorter the rest is what there is to read; file goes on behind it. 0 or -errno.
 */
static int retire_csv(
	const Record *record, Checkpoint *checkpoint, CsvStart start, const FileMark *mark)
{
	const FileMark *last = start == CSV_SHORTER ? mark : &checkpoint->csv;
	int r;

	if (checkpoint->csv.offset <= csv_header().len)
		return 0;
	r = forget_csvs(record, checkpoint);
	if (r < 0)
		return r;
	return checkpoint_push_csv(checkpoint, last,
		checkpoint->csv.offset > last->offset ? checkpoint->csv.offset - last->offset : 0);
}

/*
 * From here on file, which was opened for checkpoint, is the committed one: nothing is written to it before the
 * checkpoint says so, durably. 0 or -errno.
 */
static int take_up(Record *record, Checkpoint *checkpoint, CsvFile *file, CsvStart start)
{
	_cleanup_free_ char *path = strdup(csvfile_path(file));
	FileMark mark = {0};
	int r;

	if (!path)
		return -ENOMEM;
	record->failed_path = csvfile_path(file);
	/* What another program left may lack its last newline. */
	r = csvfile_flush(file);
	if (!r)
		r = csvfile_sync(file);
	if (!r)
		r = csvfile_mark(file, &mark);
	if (!r && start != CSV_CREATED && start != CSV_CONTINUED)
		r = retire_csv(record, checkpoint, start, &mark);
	if (r >= 0 && !checkpoint->csv_series)
		r = draw_series(&checkpoint->csv_series);
	if (r < 0)
		return r;
	if (start != CSV_CONTINUED)
		checkpoint->csv_begin = mark.offset;
	checkpoint->csv = mark;
	free(checkpoint->csv_path);
	checkpoint->csv_path = TAKE(path);
	record->failed_path = record->checkpoint_path;
	return checkpoint_save(record->checkpoint_path, checkpoint);
}

static int open_csv(Record *record, const Config *config, bool first, StrBuf *ret_why)
{
	_cleanup_free_ char *path = config_csv_path_dup(config);
	Checkpoint *checkpoint = &record->checkpoint;
	bool elsewhere = checkpoint->csv_path && path && strcmp(checkpoint->csv_path, path), left;
	uint64_t cut = 0, cut_before = 0;
	CsvStart start;
	Why why = {""};
	int r = 0;

	if (!path)
		return fail_errno(ret_why, config->paths.working_dir, -ENOMEM);
	/* The configuration names another one now: what was not committed is cut where it was written. */
	if (elsewhere)
		r = csvfile_cut_back(checkpoint->csv_path, &checkpoint->csv, checkpoint->csv_begin,
			&cut_before, &why);
	left = r > 0;
	if (r >= 0)
		r = csvfile_open(path, first ? NULL : &checkpoint->csv, checkpoint->csv_begin,
			&record->csv, &start, &cut, &why);
	if (r == -EEXIST)
		return fail(ret_why, EXIT_CONFIG,
			"%s; to keep it, move it away and start again, or put back the %s that "
			"belongs to it",
			why.text, record->checkpoint_path);
	if (r == -EBADMSG)
		return fail(ret_why, EXIT_CONFIG,
			"%s; move it away, or name another one in paths.csv_filename", why.text);
	if (r < 0 && *why.text)
		return fail(ret_why, EXIT_FAILED, "%s", why.text);
	if (r < 0)
		return fail_errno(ret_why, path, r);
	if (left && (start == CSV_DISAPPEARED || start == CSV_FOREIGN)) {
		start = CSV_ROTATED;
		log_info("%s: is the CSV from now on, in the place of %s", path,
			checkpoint->csv_path);
	} else {
		say_start(start, path, cut + cut_before, checkpoint);
	}
	if (start == CSV_CONTINUED && !first && !elsewhere)
		return 0;
	if (first)
		checkpoint->written_us = loop_wall_us();
	r = take_up(record, checkpoint, record->csv, start);
	return r < 0 ? fail_errno(ret_why, record->failed_path, r) : 0;
}

void record_close(Record *record)
{
	csvfile_free(TAKE(record->csv));
}

int record_open(const Config *config, const char *command, const Record *former,
	Record **ret_record, StrBuf *ret_why)
{
	_cleanup_(record_freep) Record *record = calloc(1, sizeof(*record));
	int r;

	if (!record)
		return fail_errno(ret_why, config->paths.state_dir, -ENOMEM);
	record->lock_fd = -1;
	record->checkpoint = CHECKPOINT_INIT;
	r = check_directory(config->paths.state_dir, ret_why);
	if (!r)
		r = check_directory(config->paths.working_dir, ret_why);
	if (!r)
		r = take_lock(record, config, command, former, ret_why);
	if (!r)
		r = refuse_rest(config, ret_why);
	if (r)
		return r;
	r = load(config, &record->checkpoint_path, &record->checkpoint, ret_why);
	if (r > 0)
		return r;
	record->found_us = record->checkpoint.written_us;
	r = open_csv(record, config, r == -CHECKPOINT_NONE, ret_why);
	if (r)
		return r;
	*ret_record = TAKE(record);
	return 0;
}

/* A CSV that another program has changed: what of it is left, only a new start can tell. */
static int doubt(Record *record)
{
	if (!record->in_doubt)
		log_message_kind(LOG_LEVEL_WARNING, MESSAGE_CSV_CHANGED, "MLS_CSV",
			csvfile_path(record->csv),
			"%s: another program has cut it or written to it",
			csvfile_path(record->csv));
	record->in_doubt = true;
	return -ESTALE;
}

int record_flush(Record *record)
{
	int r;

	record->failed_path = csvfile_path(record->csv);
	r = csvfile_flush(record->csv);
	return r == -ESTALE ? doubt(record) : r;
}

/*
 * Goes on in a new CSV. What is durable is what the checkpoint on disk says: the one in memory may be ahead of the rows.
 * 0 or -errno: then the old file is open as before, and the call can be made again, unless record_in_doubt().
 */
static int move_on(Record *record)
{
	_cleanup_checkpoint_ Checkpoint durable = CHECKPOINT_INIT;
	_cleanup_(csvfile_freep) CsvFile *next = NULL;
	uint64_t cut = 0;
	CsvStart start;
	Why why = {""};
	int r;

	record->failed_path = record->checkpoint_path;
	r = checkpoint_load(record->checkpoint_path, &durable, &why);
	/* Somebody removed it: the next commit puts it back. */
	if (r == CHECKPOINT_NONE)
		return 0;
	/* A save may have failed behind its rename. */
	if (!r)
		r = file_sync_parent(record->checkpoint_path);
	if (r < 0)
		return r;
	record->failed_path = csvfile_path(record->csv);
	r = csvfile_open_next(
		record->csv, &durable.csv, durable.csv_begin, &next, &start, &cut, &why);
	if (r == -ESTALE)
		return doubt(record);
	if (r < 0 && strcmp(why.text, record->said.text))
		log_error("%s", why.text);
	record->said = why;
	if (r < 0)
		return r;
	/* It was opened for what is durable, so that is what is saved with it. */
	r = take_up(record, &durable, next, start);
	/* Whether the checkpoint names the old file or the new one now is not known: what is written to either may not be its. */
	record->in_doubt = r < 0;
	if (r < 0)
		return r;
	say_start(start, csvfile_path(next), cut, &record->checkpoint);
	checkpoint_swap_csvs(&record->checkpoint, &durable);
	csvfile_replace(record->csv, TAKE(next));
	return record_flush(record);
}

int record_look(Record *record)
{
	int r;

	record->failed_path = csvfile_path(record->csv);
	r = csvfile_check(record->csv);
	if (r == CSVFILE_CHANGED)
		return doubt(record);
	return r == CSVFILE_MOVED ? move_on(record) : r;
}

int record_commit(Record *record, uint64_t rows, int64_t now_us)
{
	Checkpoint *checkpoint = &record->checkpoint;
	FileMark mark;
	int r;

	/*
	 * All rows have been flushed: should it be renamed from here on, what is committed now stood in it before, and whoever
	 * copies or compresses it has that.
	 */
	r = record_look(record);
	if (r < 0)
		return r;
	record->failed_path = csvfile_path(record->csv);
	r = csvfile_sync(record->csv);
	if (r < 0) {
		record->in_doubt = true;
		return r;
	}
	r = csvfile_mark(record->csv, &mark);
	if (r == -ESPIPE)
		return doubt(record);
	if (r < 0)
		return r;
	checkpoint->csv = mark;
	checkpoint->rows = rows;
	checkpoint->written_us = now_us;
	record->failed_path = record->checkpoint_path;
	return checkpoint_save(record->checkpoint_path, checkpoint);
}

int record_peek(const Config *config, Checkpoint *ret_checkpoint, StrBuf *ret_why)
{
	_cleanup_free_ char *path = NULL;
	int r = load(config, &path, ret_checkpoint, ret_why);

	if (r == -CHECKPOINT_NONE)
		*ret_checkpoint = CHECKPOINT_INIT;
	return MAX(r, 0);
}
