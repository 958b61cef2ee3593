/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "migrate/old-record.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

#include "base/calendar.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/utf8.h"
#include "daemon/log.h"
#include "daemon/trial.h"
#include "migrate/aside.h"
#include "state/bookmark.h"
#include "store/csv.h"

#define HEAD_MAX 4096

void old_record_done(OldRecord *record)
{
	free(record->csv_path);
	free(record->state_path);
	free(record->old_csv_path);
	free(record->old_state_path);
	free(record->bad_path);
	old_rows_done(&record->rows);
	old_place_done(&record->place);
	*record = OLD_RECORD_INIT;
}

static int64_t now_us(void)
{
	return time(NULL) * USEC_PER_SEC;
}

/* ---- what there is -------------------------------------------------------------------------- */

/* A regular file, and no link: its directory is another user's. A descriptor or -errno. */
static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		return fd;
	(void)close(fd);
	return -EINVAL;
}

typedef enum Found {
	FOUND_NOTHING,
	FOUND_OLD,   /* that program's for certain */
	FOUND_OURS,  /* this version's, or likewise */
	FOUND_OTHER, /* something else */
} Found;

static int look_at_csv(const char *path, Found *ret_found, int64_t *ret_written_us)
{
	_cleanup_close_ int fd = open_file(path);
	char head[HEAD_MAX];
	struct stat st;
	ssize_t n;

	*ret_found = FOUND_NOTHING;
	*ret_written_us = INT64_MIN;
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return fd;
	n = file_pread_full(fd, head, sizeof(head), 0);
	if (n < 0 || fstat(fd, &st) < 0)
		return n < 0 ? (int)n : -errno;
	*ret_written_us = st.st_mtim.tv_sec * USEC_PER_SEC;
	if (old_rows_have_header((Span){head, (size_t)n}))
		*ret_found = FOUND_OLD;
	else if ((size_t)n >= csv_header().len &&
		 !memcmp(head, csv_header().data, csv_header().len))
		*ret_found = (size_t)n > csv_header().len ? FOUND_OURS : FOUND_NOTHING;
	else
		*ret_found = n ? FOUND_OTHER : FOUND_NOTHING;
	return 0;
}

/* It is a number, perhaps between blanks. */
static int look_at_state(OldRecord *record, const char *path, Found *ret_found)
{
	_cleanup_close_ int fd = open_file(path);
	char head[64];
	struct stat st;
	ssize_t n;
	Span text;

	*ret_found = FOUND_NOTHING;
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return fd;
	n = file_pread_full(fd, head, sizeof(head), 0);
	if (n < 0 || fstat(fd, &st) < 0)
		return n < 0 ? (int)n : -errno;
	text = (Span){head, (size_t)n};
	while (text.len && isspace((unsigned char)text.data[text.len - 1]))
		text.len--;
	*ret_found = FOUND_OURS;
	if (!text.len || (size_t)n == sizeof(head) ||
		number_parse_u64(text, UINT64_MAX, &record->offset))
		return 0;
	*ret_found = FOUND_OLD;
	record->written_us = st.st_mtim.tv_sec * USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
	return 0;
}

/* The CSV that was written last, of the two names that it may have: one that it was told, and the one that it took all the same. */
static int find_csv(const OldConfig *old, OldRecord *record, Found *ret_found)
{
	_cleanup_free_ char *other = file_join_dup(old->working_dir, "maillogsentinel.csv");
	int64_t written_us, other_us;
	Found found;
	int r;

	record->old_csv_path = file_join_dup(old->working_dir, old->csv_filename);
	if (!record->old_csv_path || !other)
		return -ENOMEM;
	r = look_at_csv(record->old_csv_path, ret_found, &written_us);
	if (!r)
		r = look_at_csv(other, &found, &other_us);
	if (r)
		return r;
	if (found == FOUND_OLD && (*ret_found != FOUND_OLD || other_us > written_us)) {
		free(record->old_csv_path);
		record->old_csv_path = TAKE(other);
		*ret_found = found;
	}
	return 0;
}

int old_record_find(const OldConfig *old, const Config *config, bool certain, OldRecord *ret_record,
	Why *ret_why)
{
	_cleanup_old_record_ OldRecord record = OLD_RECORD_INIT;
	Found csv = FOUND_NOTHING, state = FOUND_NOTHING, ours = FOUND_NOTHING;
	OldRecord unused = OLD_RECORD_INIT;
	int r;

	record.config = config;
	record.journal = old->journal;
	record.csv_path = config_csv_path_dup(config);
	record.state_path = file_join_dup(config->paths.state_dir, "state.offset");
	record.old_state_path = file_join_dup(old->state_dir, "state.offset");
	if (!record.csv_path || !record.state_path || !record.old_state_path) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	r = find_csv(old, &record, &csv);
	if (r)
		why_set(ret_why, "%s: %s", record.old_csv_path, strerror(-r));
	if (!r) {
		r = look_at_state(&record, record.old_state_path, &state);
		if (r)
			why_set(ret_why, "%s: %s", record.old_state_path, strerror(-r));
	}
	if (!r) {
		r = look_at_state(&unused, record.state_path, &ours);
		if (r)
			why_set(ret_why, "%s: %s", record.state_path, strerror(-r));
	}
	if (r)
		return r;
	record.wanted = ours != FOUND_OURS &&
			(state == FOUND_OLD || csv == FOUND_OLD || (certain && csv == FOUND_OURS));
	if (csv == FOUND_OLD && ours == FOUND_OURS &&
		!strcmp(record.csv_path, record.old_csv_path)) {
		why_set(ret_why,
			"%s is of the Python version, and %s of this one: move away the one that "
			"shall not count",
			record.csv_path, record.state_path);
		return -EEXIST;
	}
	record.odd_csv = csv == FOUND_OTHER && !strcmp(record.csv_path, record.old_csv_path);
	if (csv != FOUND_OLD && (csv != FOUND_OURS || !record.wanted))
		free(TAKE(record.old_csv_path));
	if (state != FOUND_OLD)
		free(TAKE(record.old_state_path));
	*ret_record = record;
	record = OLD_RECORD_INIT;
	return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* In the files of the log; the journal has no bytes. */
static int find_place(OldRecord *record, Why *ret_why)
{
	Found state = FOUND_NOTHING;
	int r = 0;

	old_place_done(&record->place);
	/* An extraction that was waited for has moved it. */
	if (record->old_state_path)
		r = look_at_state(record, record->old_state_path, &state);
	if (r) {
		why_set(ret_why, "%s: %s", record->old_state_path, strerror(-r));
		return r;
	}
	if (record->journal || state != FOUND_OLD || !record->offset)
		return 0;
	return old_place_find(record->config->paths.mail_log[0], record->offset, record->written_us,
		&record->place, ret_why);
}

int old_record_read(OldRecord *record, Why *ret_why)
{
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (!record->wanted)
		return 0;
	if (record->old_csv_path) {
		fd = open_file(record->old_csv_path);
		r = MIN(fd, 0);
	}
	old_rows_done(&record->rows);
	if (!r)
		r = old_rows_convert(fd, -1, -1, now_us(), &record->rows);
	if (r)
		why_set(ret_why, "%s: %s", record->old_csv_path ? record->old_csv_path : "rows",
			strerror(-r));
	return r ? r : find_place(record, ret_why);
}

void old_record_describe(const OldRecord *record, StrBuf *sb)
{
	const OldRows *rows = &record->rows;
	const char *log = record->journal ? "the journal" : record->config->paths.mail_log[0];

	if (!record->wanted)
		return;
	if (record->old_csv_path) {
		strbuf_appendf(sb, "%s: %" PRIu64 " rows are taken over\n", record->old_csv_path,
			rows->rows);
		if (rows->redated)
			strbuf_appendf(sb,
				"%s: %" PRIu64
				" of them are dated later than it was written, and get the last "
				"year that can be\n",
				record->old_csv_path, rows->redated);
		if (rows->bad)
			strbuf_appendf(sb,
				"%s: %" PRIu64
				" lines are no rows, and are kept aside, the first of them:\n%s",
				record->old_csv_path, rows->bad, strbuf_text(&rows->named));
	}
	if (record->odd_csv)
		strbuf_appendf(sb,
			"%s: its first line is not that of a CSV of the Python version; it is put "
			"aside, and no row of it is taken over\n",
			record->csv_path);
	if (record->place.path)
		strbuf_appendf(sb, "%s: reading goes on at byte %" PRIu64 "\n", record->place.path,
			record->place.mark.offset);
	else if (rows->last_us)
		strbuf_appendf(sb,
			"%s: its place is not known, so it is read from the start; failed logins "
			"up "
			"to %s, when the CSV ends, do not count again\n",
			log, rows->last);
	else
		strbuf_appendf(sb, "%s: is read from the start\n", log);
}

/* ---- writing, as the service's user ----------------------------------------------------------- */

typedef struct Writing {
	OldRecord *record;
	int csv, bad; /* open files, -1: none */
	int64_t now_us;
} Writing;

static int fail(StrBuf *text, const char *path, int r)
{
	if (r < 0)
		strbuf_appendf(text, "%s: %s", path, strerror(-r));
	return r;
}

/* The new CSV, complete, under its name. 0 or -errno. */
static int write_csv(const Writing *writing, FileMark *ret_mark, StrBuf *text)
{
	OldRecord *record = writing->record;
	_cleanup_strbuf_ StrBuf path = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	int r;

	strbuf_appendf(&path, "%s.new", record->csv_path);
	if (strbuf_error(&path))
		return strbuf_error(&path);
	(void)unlink(strbuf_text(&path));
	fd = open(strbuf_text(&path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return fail(text, strbuf_text(&path), -errno);
	r = fchmod(fd, 0640) < 0 ? -errno : 0;
	old_rows_done(&record->rows);
	if (!r)
		r = old_rows_convert(
			writing->csv, fd, writing->bad, writing->now_us, &record->rows);
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (!r)
		r = mark_from_fd(fd, record->rows.length, ret_mark);
	if (!r && rename(strbuf_text(&path), record->csv_path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(strbuf_text(&path));
	else
		r = file_sync_parent(record->csv_path);
	return fail(text, record->csv_path, r);
}

static int add_log(const OldRecord *record, Checkpoint *checkpoint)
{
	const char *path = record->journal ? CHECKPOINT_JOURNAL : record->config->paths.mail_log[0];
	LogState *log;
	int r = checkpoint_add_log(checkpoint, path, &log);

	if (r < 0)
		return r;
	checkpoint->source = record->journal ? SOURCE_JOURNAL : SOURCE_FILE;
	if (record->place.path) {
		checkpoint_move_log(log, &record->place.mark);
		log->has_position = true;
		log->length = record->place.length;
	} else {
		log->after_us = record->rows.last_us;
	}
	return 0;
}

/* From the beginning of this day on. */
static int save_bookmark(const Writing *writing, uint64_t series)
{
	const OldRecord *record = writing->record;
	LocalZone zone = {0};
	CivilTime civil;
	Bookmark bookmark = {.place = {series, 1, record->rows.today}};

	local_zone_civil(&zone, writing->now_us, &civil);
	civil.hour = civil.minute = civil.second = 0;
	if (local_zone_instant(&zone, &civil, &bookmark.written_us) < 0)
		bookmark.written_us = writing->now_us;
	return bookmark_save(record->config->paths.state_dir, "report", &bookmark, SPAN_MISSING);
}

static int write_state(const Writing *writing, const FileMark *mark, StrBuf *text)
{
	const OldRecord *record = writing->record;
	_cleanup_checkpoint_ Checkpoint checkpoint = CHECKPOINT_INIT;
	HashKey key;
	int r = hash_key_random(&key);

	checkpoint.csv_path = strdup(record->csv_path);
	if (!checkpoint.csv_path)
		return -ENOMEM;
	checkpoint.written_us = writing->now_us;
	checkpoint.csv = *mark;
	checkpoint.csv_series = key.k0 ? key.k0 : 1;
	checkpoint.rows = record->rows.rows;
	if (!r)
		r = add_log(record, &checkpoint);
	/* The checkpoint last: it makes the record whole. */
	if (!r)
		r = save_bookmark(writing, checkpoint.csv_series);
	if (!r)
		r = checkpoint_save(record->state_path, &checkpoint);
	return fail(text, record->state_path, r);
}

static int write_record(const void *subject, StrBuf *ret_text)
{
	const Writing *writing = subject;
	_cleanup_free_ char *path = file_join_dup(writing->record->config->paths.state_dir, "lock");
	_cleanup_close_ int lock = -1;
	char holder[LOCK_HOLDER_MAX];
	FileMark mark;
	int r = path ? lock_take(path, "migrate", &lock, holder) : -ENOMEM;

	if (r == LOCK_HELD) {
		strbuf_appendf(ret_text, "%s: another maillogsentinel is at work (process %s)",
			path, holder);
		return -EBUSY;
	}
	if (r < 0)
		return path ? fail(ret_text, path, r) : r;
	r = write_csv(writing, &mark, ret_text);
	return r ? r : write_state(writing, &mark, ret_text);
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* What it has made; those that it replaced were kept, and come back. */
static void undo(void *userdata)
{
	const OldRecord *record = userdata;
	_cleanup_free_ char *bookmark =
		file_join_dup(record->config->paths.state_dir, "report.offset");
	const char *paths[] = {record->state_path, bookmark, record->csv_path, record->bad_path};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (paths[i] && unlink(paths[i]) < 0 && errno != ENOENT)
			log_error("%s: can't be taken back: %s", paths[i], strerror(errno));
}

static int open_bad(OldRecord *record)
{
	size_t made = 0; /* none: beside it lies the CSV that they are of */
	int r = aside_make_parents(record->bad_path, &made), fd;

	if (r < 0)
		return r;
	(void)unlink(record->bad_path);
	fd = open(record->bad_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int apply(void *userdata, Why *ret_why)
{
	OldRecord *record = userdata;
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	_cleanup_close_ int csv = -1, bad = -1;
	Writing writing;
	int r = old_record_read(record, ret_why);

	if (r < 0)
		return r;
	if (record->old_csv_path) {
		csv = open_file(record->old_csv_path);
		r = MIN(csv, 0);
	}
	if (!r && record->rows.bad) {
		bad = open_bad(record);
		r = MIN(bad, 0);
	}
	writing = (Writing){record, csv, bad, now_us()};
	if (!r)
		r = trial_run(write_record, &writing, &text);
	if (!r && bad >= 0 && fsync(bad) < 0)
		r = -errno;
	if (!r && bad >= 0)
		r = file_sync_parent(record->bad_path);
	if (r < 0) {
		why_set(ret_why, "%s", text.len ? text.data : strerror(-r));
		undo(userdata);
	}
	return r;
}

static int add_keep(const char *path, const char *dir, Plan *plan)
{
	return path ? aside_add_keep(plan, dir, path) : 0;
}

/* Where it was, if that is not where this version has its own. */
static int add_removal(const char *old, const char *ours, Plan *plan)
{
	return old && strcmp(old, ours) != 0 ? aside_add_removal(plan, old) : 0;
}

int old_record_add(OldRecord *record, const char *dir, Plan *plan)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, name = STRBUF_INIT;
	int r;

	if (!record->wanted) {
		/* Somebody was stopped between the record and this. */
		r = record->old_csv_path && strcmp(record->old_csv_path, record->csv_path) != 0
			    ? aside_add_move(plan, dir, record->old_csv_path)
			    : 0;
		if (!r && record->old_state_path)
			r = aside_add_move(plan, dir, record->old_state_path);
		return r;
	}
	strbuf_appendf(&name, "%s.not-taken",
		record->old_csv_path ? record->old_csv_path : record->csv_path);
	record->bad_path = strbuf_error(&name) ? NULL : aside_name_dup(dir, strbuf_text(&name));
	if (!record->bad_path)
		return -ENOMEM;
	r = add_keep(record->old_csv_path, dir, plan);
	if (!r)
		r = add_keep(record->old_state_path, dir, plan);
	if (!r && (!record->old_csv_path || strcmp(record->old_csv_path, record->csv_path) != 0))
		r = add_keep(record->csv_path, dir, plan);
	strbuf_append_string(&text, "write ");
	strbuf_append_string(&text, record->csv_path);
	strbuf_append_string(&text, " and ");
	strbuf_append_string(&text, record->state_path);
	strbuf_append_string(&text, " anew, of what they held");
	if (!r)
		r = strbuf_error(&text);
	if (!r)
		r = plan_add_step(plan, strbuf_text(&text), apply, undo, record);
	if (!r)
		r = add_removal(record->old_csv_path, record->csv_path, plan);
	if (!r)
		r = add_removal(record->old_state_path, record->state_path, plan);
	return r;
}
