/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/logs.h"

#include "daemon/log.h"
#include "daemon/silence.h"
#include "source/mount.h"
#include "source/watch.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define LOST_KEPT_US ((int64_t)24 * 3600 * 1000000)
/* Written that long ago, and nobody was told: then there are no events. */
#define EVENT_LATE_US ((int64_t)2 * 1000000)
#define EVENTS_MISSED_MAX 2

#define MOVING_MS 2000
#define REFUSED_MS 2000

#define OPEN_RESERVE 128
#define OPEN_MAX_UNKNOWN 512
/* Fewer buffers than that may stay as large as they are. */
#define BUFFERS_KEPT 8

typedef struct Log {
	Source *source;
	Tail *tail; /* the source's; NULL: it is the journal */
	int own_fd; /* of the source, that tells of its changes and is in the loop now; -1: none */
	bool idle;
	bool held;
	bool closed; /* for another one's sake, when it was so: */
	struct stat closed_st;
	bool starved;        /* no file may be opened, until one that is open is at its end */
	int error;           /* why it can't be read */
	uint64_t refused_ms; /* since when it may not be read, after it could be; 0: it may */
	uint64_t
		moving_ms; /* since when its files are being renamed all the time; 0: they are not */
	int watch_error;   /* why it can't be watched */
	const char *silent_fs; /* its file system, where that tells nothing of what others write */
	bool fs_known;
	unsigned missed; /* checks in a row at which there was more to read and no event had come */
	bool missing;    /* at the last check */
	Silence silence;
} Log;

struct Logs {
	Loop *loop;
	LogsOptions options;
	Watch *watch; /* NULL: the poll must do */
	Moment *moment;
	Log *logs;
	size_t count;
	size_t open, open_max; /* files that are, or may be */
	size_t hand;           /* where to look for one that can be closed */
	bool starving;         /* some log is starved */
};

/* By an event. */
static void wake_log(Logs *logs, size_t index)
{
	Log *log = &logs->logs[index];
	char key[WARNINGS_KEY_MAX];

	log->idle = false;
	if (log->missed >= EVENTS_MISSED_MAX)
		warnings_clear(logs->options.warnings,
			warnings_key(key, "events", source_name(log->source)), "%s: events come",
			source_name(log->source));
	log->missed = 0;
}

static void on_log_changed(void *userdata, size_t slot)
{
	Logs *logs = userdata;

	if (slot == WATCH_ALL)
		logs_wake(logs);
	else
		wake_log(logs, slot);
}

static void warn_of_watch(Logs *logs, int error)
{
	warnings_raise(logs->options.warnings, LOG_LEVEL_WARNING, "inotify", loop_wall_us(),
		"inotify: %s; looking every %d s where a log can't be watched", strerror(-error),
		LOGS_POLL_SOON_MS / 1000);
}

static void on_watch(void *userdata, int fd, unsigned events)
{
	Logs *logs = userdata;
	int r = watch_dispatch(logs->watch, &(WatchCallbacks){on_log_changed, logs});

	if (r < 0)
		log_warning("inotify: %s", strerror(-r));
	logs->options.changed(logs->options.userdata);
}

/* As many as this process may have, but for those that it needs for all else. */
static size_t find_open_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return OPEN_MAX_UNKNOWN;
	return (size_t)(limit.rlim_cur - MIN(limit.rlim_cur / 2, (rlim_t)OPEN_RESERVE));
}

int logs_new(Loop *loop, const LogsOptions *options, Logs **ret_logs)
{
	Logs *logs = calloc(1, sizeof(*logs));
	int r = 0;

	if (!logs)
		return -ENOMEM;
	*logs = (Logs){.loop = loop, .options = *options, .open_max = find_open_max()};
	if (moment_new(&logs->moment) < 0) {
		logs_free(logs);
		return -ENOMEM;
	}
	if (options->follow)
		r = watch_new(&logs->watch);
	if (!r && options->follow)
		r = loop_watch(loop, watch_fd(logs->watch), LOOP_READ, on_watch, logs);
	if (r < 0)
		warn_of_watch(logs, r);
	*ret_logs = logs;
	return 0;
}

/* Its own descriptor is no longer watched: it stays readable until all is read, and may be closed then. */
static void unwatch_own(Logs *logs, Log *log)
{
	if (log->own_fd >= 0)
		(void)loop_watch(logs->loop, log->own_fd, 0, NULL, NULL);
	log->own_fd = -1;
}

void logs_free(Logs *logs)
{
	char key[WARNINGS_KEY_MAX];

	if (!logs)
		return;
	for (size_t i = 0; i < logs->count; i++) {
		/* What only this object would clear; it is told anew where it lasts. */
		warnings_clear(logs->options.warnings,
			warnings_key(key, "unreadable", logs_name(logs, i)), NULL);
		warnings_clear(logs->options.warnings,
			warnings_key(key, "events", logs_name(logs, i)), NULL);
		unwatch_own(logs, &logs->logs[i]);
		source_free(logs->logs[i].source);
	}
	if (logs->watch)
		(void)loop_watch(logs->loop, watch_fd(logs->watch), 0, NULL, NULL);
	watch_free(logs->watch);
	moment_free(logs->moment);
	free(logs->logs);
	free(logs);
}

static void on_notice(void *userdata, bool warning, const char *text)
{
	Logs *logs = userdata;
	char key[128];

	if (!warning || !logs->options.follow) {
		/* All that is told and is no warning is that it was rotated. */
		log_message_kind(warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
			warning ? MESSAGE_WARNING_LOST : MESSAGE_LOG_ROTATED, NULL, NULL, "%s",
			text);
		return;
	}
	(void)snprintf(key, sizeof(key), "lost:%s", text);
	warnings_raise(logs->options.warnings, LOG_LEVEL_WARNING, key, loop_wall_us(), "%s", text);
}

/* Until it is held, or its link leads elsewhere. */
static bool is_anothers(void *userdata, const char *path, uint64_t device, uint64_t inode)
{
	const Logs *logs = userdata;

	for (size_t i = 0; i < logs->count; i++) {
		const Log *log = &logs->logs[i];
		struct stat st = log->closed_st;
		int fd = log->tail ? tail_fd(log->tail) : -1;

		if (log->held || (fd < 0 && !log->closed) || (fd >= 0 && fstat(fd, &st) < 0))
			continue;
		if (st.st_dev == device && st.st_ino == inode && strcmp(tail_path(log->tail), path))
			return true;
	}
	return false;
}

/* What was known of the same log before, and the file that was open. */
static void resume(Logs *logs, Log *log)
{
	const Logs *former = logs->options.former;
	const char *name = source_name(log->source);

	for (size_t i = 0; former && i < former->count; i++) {
		const Log *before = &former->logs[i];

		if (strcmp(source_name(before->source), name) != 0)
			continue;
		log->silence = before->silence;
		if (logs->open < logs->open_max && !before->held &&
			source_resume(log->source, before->source, loop_wall_us()))
			logs->open++;
		return;
	}
}

static int add_source(Logs *logs, Source *source_take, int64_t written_us)
{
	Log *array = array_grow(logs->logs, logs->count, sizeof(*array));

	if (!array) {
		source_free(source_take);
		return -ENOMEM;
	}
	logs->logs = array;
	array[logs->count++] = (Log){
		.source = source_take,
		.tail = source_tail(source_take),
		.own_fd = -1,
		.missing = true, /* so that it is said at the first check */
	};
	silence_init(&array[logs->count - 1].silence, written_us, loop_wall_us());
	resume(logs, &array[logs->count - 1]);
	return 0;
}

void logs_forget_former(Logs *logs)
{
	logs->options.former = NULL;
}

int logs_add(Logs *logs, const char *path, const LogState *state, int64_t seen_us, int year)
{
	TailCallbacks callbacks = {on_notice, logs, logs->moment, is_anothers};
	Source *source = NULL;
	int r = source_new_log(path, state, seen_us, year, &callbacks, &source);

	return r < 0 ? r
		     : add_source(
			       logs, source, state->has_position ? state->position.written_us : 0);
}

void logs_take_back(Logs *logs)
{
	source_free(logs->logs[--logs->count].source);
}

int logs_add_journal(Logs *logs, const char *path, const LogState *state)
{
	JournalOptions options = {.path = path,
		.cursor = state->cursor,
		.after_us = state->after_us,
		.follow = logs->options.follow};
	JournalCallbacks callbacks = {on_notice, logs};
	Source *source = NULL;
	int r = source_new_journal(&options, &callbacks, &source);

	return r < 0 ? r : add_source(logs, source, 0);
}

int logs_add_file(Logs *logs, const char *name, int year)
{
	TailCallbacks callbacks = {.notice = on_notice, .userdata = logs, .moment = logs->moment};
	Source *source = NULL;
	int r = source_new_file(name, year, &callbacks, &source);

	return r < 0 ? r : add_source(logs, source, 0);
}

size_t logs_count(const Logs *logs)
{
	return logs->count;
}

Source *logs_source(const Logs *logs, size_t index)
{
	return logs->logs[index].source;
}

const char *logs_name(const Logs *logs, size_t index)
{
	return source_name(logs->logs[index].source);
}

bool logs_idle(const Logs *logs, size_t index)
{
	return logs->logs[index].idle || logs->logs[index].held;
}

void logs_hold(Logs *logs, size_t index, bool hold)
{
	logs->logs[index].held = hold;
	logs->logs[index].idle = false;
}

bool logs_held(const Logs *logs, size_t index)
{
	return logs->logs[index].held;
}

bool logs_missing(const Logs *logs, size_t index)
{
	const Log *log = &logs->logs[index];

	return source_is_missing(log->source) && !log->held && !log->closed;
}

void logs_rest(Logs *logs, size_t index)
{
	Tail *tail = logs->logs[index].tail;

	if (tail && logs->count > BUFFERS_KEPT && !tail_chunk(tail).len)
		tail_release(tail);
}

bool logs_all_idle(const Logs *logs)
{
	for (size_t i = 0; i < logs->count; i++)
		if (!logs_idle(logs, i))
			return false;
	return true;
}

/* To open what was closed only to find that nothing has happened would close others. */
static bool is_unchanged(const Log *log)
{
	struct stat st;

	return log->closed && !stat(source_name(log->source), &st) &&
	       st.st_ino == log->closed_st.st_ino && st.st_size == log->closed_st.st_size &&
	       st.st_mtim.tv_sec == log->closed_st.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == log->closed_st.st_mtim.tv_nsec;
}

void logs_wake(Logs *logs)
{
	for (size_t i = 0; i < logs->count; i++)
		logs->logs[i].idle = is_unchanged(&logs->logs[i]);
}

int64_t logs_read_us(const Logs *logs, size_t index)
{
	return logs->logs[index].silence.read_us;
}

/* ---- what lasts ----------------------------------------------------------------------------- */

/* A rotation takes a moment: what is missing at two checks is. */
static void check_there(Logs *logs, Log *log, int64_t now_us)
{
	const char *path = source_name(log->source);
	struct stat st;
	bool missing = log->tail && stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR);
	char key[WARNINGS_KEY_MAX];

	if (missing && log->missing)
		warnings_raise(logs->options.warnings, LOG_LEVEL_WARNING,
			warnings_key(key, "missing", path), now_us,
			"%s: is not there, waiting for it", path);
	else if (!missing)
		warnings_clear(logs->options.warnings, warnings_key(key, "missing", path),
			"%s: is there now", path);
	log->missing = missing;
}

/* A network's or FUSE's file system may tell nobody of what others write. */
static void check_events(Logs *logs, Log *log, int64_t now_us)
{
	const char *path = source_name(log->source);
	char key[WARNINGS_KEY_MAX];

	/* It stays so until an event comes. */
	if (log->missed >= EVENTS_MISSED_MAX)
		return;
	if (!logs->watch || !log->tail || log->watch_error || !log->idle || log->error ||
		!tail_lag(log->tail) ||
		now_us - tail_written_us(log->tail, now_us) < EVENT_LATE_US) {
		log->missed = 0;
		return;
	}
	if (++log->missed == EVENTS_MISSED_MAX)
		warnings_raise(logs->options.warnings, LOG_LEVEL_WARNING,
			warnings_key(key, "events", path), now_us,
			"%s: is written without an event, looking every %d s", path,
			LOGS_POLL_SOON_MS / 1000);
}

void logs_check(Logs *logs, int64_t now_us)
{
	size_t starved = 0;
	int watch_error = 0;

	for (size_t i = 0; i < logs->count; i++) {
		Log *log = &logs->logs[i];

		check_there(logs, log, now_us);
		check_events(logs, log, now_us);
		silence_check(&log->silence, logs_name(logs, i), !log->missing && !log->held,
			logs->options.quiet_warning_ms, logs->options.warnings, now_us);
		watch_error = watch_error ? watch_error : log->watch_error;
		starved += log->starved;
	}
	if (watch_error)
		warn_of_watch(logs, watch_error);
	else if (logs->watch)
		warnings_clear(logs->options.warnings, "inotify", "inotify: works again");
	if (starved)
		warnings_raise(logs->options.warnings, LOG_LEVEL_WARNING, "open-files", now_us,
			"only %zu logs can be open at once, and none of them is at its end; others "
			"wait",
			logs->open_max);
	else
		warnings_clear(logs->options.warnings, "open-files", "all logs are read again");
	warnings_forget(logs->options.warnings, "lost:", now_us - LOST_KEPT_US);
}

/* ---- reading -------------------------------------------------------------------------------- */

/*
 * Another file may be opened, after an idle log's was closed if need be. What happened to that since it was read is
 * seen by comparing: so the time of its file is noted before it is closed.
 */
static bool make_room(Logs *logs)
{
	if (logs->open < logs->open_max)
		return true;
	for (size_t i = 0; i < logs->count && !logs->starving; i++) {
		Log *log = &logs->logs[(logs->hand + i) % logs->count];
		struct stat st;
		int fd = log->tail ? tail_fd(log->tail) : -1;

		if (!log->idle || fd < 0 || fstat(fd, &st) < 0 || tail_lag(log->tail) ||
			!tail_close(log->tail, loop_wall_us()))
			continue;
		log->closed = true;
		log->closed_st = st;
		logs->open--;
		logs->hand = (logs->hand + i + 1) % logs->count;
		return true;
	}
	return false;
}

/* A log is at its end: if others wait for its file, they may try. */
static void end_starving(Logs *logs)
{
	for (size_t i = 0; i < logs->count && logs->starving; i++) {
		if (logs->logs[i].starved)
			logs->logs[i].idle = false;
		logs->logs[i].starved = false;
	}
	logs->starving = false;
}

/* source_fill(), within the limit of open files. */
static int fill_source(Logs *logs, Log *log, Why *why)
{
	bool was_open = log->tail && tail_fd(log->tail) >= 0;
	int r;

	if (!log->tail)
		return source_fill(log->source, loop_wall_us(), why);
	if (!was_open && !make_room(logs)) {
		log->starved = logs->starving = true;
		return SOURCE_IDLE;
	}
	log->closed = false;
	r = source_fill(log->source, loop_wall_us(), why);
	logs->open += tail_fd(log->tail) >= 0;
	logs->open -= was_open;
	return r;
}

static void on_own_fd(void *userdata, int fd, unsigned events)
{
	Logs *logs = userdata;

	for (size_t i = 0; i < logs->count; i++)
		if (logs->logs[i].own_fd == fd) {
			unwatch_own(logs, &logs->logs[i]);
			wake_log(logs, i);
		}
	logs->options.changed(logs->options.userdata);
}

static void watch_own(Logs *logs, Log *log)
{
	log->watch_error =
		loop_watch(logs->loop, source_fd(log->source), LOOP_READ, on_own_fd, logs);
	if (log->watch_error < 0)
		warn_of_watch(logs, log->watch_error);
	else
		log->own_fd = source_fd(log->source);
}

/* Where others can write past this kernel, events may come, but can't be relied on. */
static void check_fs(Logs *logs, Log *log)
{
	char key[WARNINGS_KEY_MAX];

	if (log->fs_known || tail_fd(log->tail) < 0)
		return;
	log->fs_known = true;
	log->silent_fs = mount_silent_name(tail_fd(log->tail));
	if (log->silent_fs)
		warnings_raise(logs->options.warnings, LOG_LEVEL_INFO,
			warnings_key(key, "file-system", source_name(log->source)), loop_wall_us(),
			"%s: is on %s, which does not tell what others write; looking every %d s",
			source_name(log->source), log->silent_fs, LOGS_POLL_SOON_MS / 1000);
}

unsigned logs_poll_ms(const Logs *logs)
{
	for (size_t i = 0; i < logs->count && logs->options.follow; i++) {
		const Log *log = &logs->logs[i];

		if (log->tail && (!logs->watch || log->watch_error || log->silent_fs ||
					 log->missed >= EVENTS_MISSED_MAX ||
					 (log->refused_ms && !log->error)))
			return LOGS_POLL_SOON_MS;
	}
	return LOGS_POLL_MS;
}

/* All was read: watches it, and looks once more if it was not watched before. */
static void watch_log(Logs *logs, size_t index)
{
	Log *log = &logs->logs[index];
	int r;

	if (logs->options.follow && source_fd(log->source) >= 0)
		watch_own(logs, log);
	if (!logs->options.follow || !logs->watch || !log->tail)
		return;
	check_fs(logs, log);
	r = watch_arm(logs->watch, index, tail_path(log->tail), tail_fd(log->tail));
	if (r < 0)
		warn_of_watch(logs, r);
	log->watch_error = MIN(r, 0);
	log->idle = r != WATCH_NEW;
}

/* A rotation takes a moment: so it looks again at once, for a while, before that is a reason to wait. */
static bool is_moving(Log *log, int result)
{
	if (result != -ESTALE) {
		log->moving_ms = 0;
		return false;
	}
	if (!log->moving_ms)
		log->moving_ms = loop_now_ms();
	return loop_now_ms() - log->moving_ms < MOVING_MS;
}

/* A new log belongs to root until whoever rotates has given it away: a moment like that is not worth a word. */
static bool is_refused_for_now(Log *log, int error)
{
	if (error != -EACCES || !log->silence.read_us || log->error) {
		log->refused_ms = 0;
		return false;
	}
	if (!log->refused_ms)
		log->refused_ms = loop_now_ms();
	return loop_now_ms() - log->refused_ms < REFUSED_MS;
}

int logs_fill(Logs *logs, size_t index)
{
	Log *log = &logs->logs[index];
	Why why = {""};
	char key[WARNINGS_KEY_MAX];
	int r;

	if (source_has_lines(log->source))
		return 0;
	unwatch_own(logs, log);
	r = fill_source(logs, log, &why);
	if (is_moving(log, r))
		return 0;
	if (r >= 0 && log->error) {
		warnings_clear(logs->options.warnings,
			warnings_key(key, "unreadable", source_name(log->source)),
			"%s: can be read again", source_name(log->source));
		log->error = 0;
	}
	if (!r) {
		log->refused_ms = 0;
		if (source_has_lines(log->source))
			silence_end(&log->silence, log->source, logs->options.quiet_warning_ms,
				loop_wall_us());
		return 0;
	}
	log->idle = true;
	if (r < 0 && !logs->options.follow) {
		log_error("%s", why.text);
		return r;
	}
	if (!is_refused_for_now(log, r)) {
		if (r < 0)
			warnings_raise(logs->options.warnings, LOG_LEVEL_WARNING,
				warnings_key(key, "unreadable", source_name(log->source)),
				loop_wall_us(), "%s; waiting until it can be read", why.text);
		log->error = MIN(r, 0);
	}
	if (log->starved)
		return 0;
	/* What is missing may be a permission: that is an event too. */
	watch_log(logs, index);
	if (log->idle)
		end_starving(logs);
	return 0;
}
