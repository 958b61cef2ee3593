/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/record.h"

#include "base/file.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "state/lock.h"
#include "store/csvfile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

struct Record {
	int lock_fd;
	char *checkpoint_path;
	Checkpoint checkpoint;
	int64_t found_us;
	CsvFile *csv;
	const char *failed_path;
	bool in_doubt;
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

static int take_lock(Record *record, const Config *config, const char *command, StrBuf *why)
{
	_cleanup_free_ char *path = file_join_dup(config->paths.state_dir, "lock");
	char holder[LOCK_HOLDER_MAX];
	int r;

	if (!path)
		return fail_errno(why, config->paths.state_dir, -ENOMEM);
	r = lock_take(path, command, &record->lock_fd, holder);
	if (r == LOCK_HELD)
		return fail(why, EXIT_FAILED, "%s: another maillogsentinel is at work (process %s)",
			path, *holder ? holder : "unknown");
	return r < 0 ? fail_errno(why, path, r) : 0;
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
			"%s: %s; to start over and read all logs again, move this file and the CSV "
			"away, both",
			path, why.text);
	if (r < 0)
		return fail(ret_why, EXIT_FAILED, "%s: %s", path, why.text);
	*ret_path = TAKE(path);
	return r == CHECKPOINT_NONE ? -CHECKPOINT_NONE : 0;
}

static void say_start(CsvStart start, const char *path, uint64_t cut, const Checkpoint *checkpoint)
{
	switch (start) {
	case CSV_CREATED:
	case CSV_CONTINUED: break;
	case CSV_ROTATED: log_info("%s: was rotated, going on with a new one", path); break;
	case CSV_SHORTER:
		log_warning("%s: is shorter than what was committed (%" PRIu64
			    " bytes); rows are missing, going on at its end",
			path, checkpoint->csv.offset);
		break;
	case CSV_FOREIGN:
		log_warning("%s: is not the file that was written last; going on at its end", path);
		break;
	case CSV_DISAPPEARED:
		log_warning("%s: the file that was written last is gone, going on with a new one",
			path);
		break;
	}
	if (cut)
		log_info("%s: cut %" PRIu64
			 " bytes that were not committed; their lines are read again",
			path, cut);
}

static int open_csv(Record *record, const Config *config, bool first, StrBuf *ret_why)
{
	_cleanup_free_ char *path = config_csv_path_dup(config);
	Checkpoint *checkpoint = &record->checkpoint;
	uint64_t cut = 0;
	CsvStart start;
	Why why = {""};
	int r;

	if (!path)
		return fail_errno(ret_why, config->paths.working_dir, -ENOMEM);
	r = csvfile_open(path, first ? NULL : &checkpoint->csv, &record->csv, &start, &cut, &why);
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
	say_start(start, path, cut, checkpoint);
	free(checkpoint->csv_path);
	checkpoint->csv_path = TAKE(path);
	/* From here on this file is the committed one: a crash must find it again. */
	if (start == CSV_CONTINUED && !first)
		return 0;
	r = record_flush(record);
	if (!r)
		r = record_commit(record, checkpoint->rows, loop_wall_us());
	return r < 0 ? fail_errno(ret_why, record->failed_path, r) : 0;
}

int record_open(const Config *config, const char *command, Record **ret_record, StrBuf *ret_why)
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
		r = take_lock(record, config, command, ret_why);
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

int record_flush(Record *record)
{
	record->failed_path = csvfile_path(record->csv);
	return csvfile_flush(record->csv);
}

int record_commit(Record *record, uint64_t rows, int64_t now_us)
{
	Checkpoint *checkpoint = &record->checkpoint;
	FileMark mark;
	int r;

	record->failed_path = csvfile_path(record->csv);
	r = csvfile_sync(record->csv);
	if (r < 0) {
		record->in_doubt = true;
		return r;
	}
	r = csvfile_mark(record->csv, &mark);
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
