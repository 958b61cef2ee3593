/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/logs.h"

#include "daemon/log.h"
#include "source/watch.h"

#include <fcntl.h>

#define MOVING_MS 2000

typedef struct Log {
	Tail *tail;
	bool idle;
	bool held;
	int error; /* why it can't be read; said already */
	uint64_t
		moving_ms; /* since when its files are being renamed all the time; 0: they are not */
	int watch_error;   /* why it can't be watched; said already */
} Log;

struct Logs {
	Loop *loop;
	bool follow;
	LoopFunction changed;
	void *userdata;
	Watch *watch; /* NULL: the poll must do */
	Moment *moment;
	Log *logs;
	size_t count;
};

static void on_log_changed(void *userdata, size_t slot)
{
	Logs *logs = userdata;

	if (slot == WATCH_ALL)
		logs_wake(logs);
	else
		logs->logs[slot].idle = false;
}

static void on_watch(void *userdata, int fd, unsigned events)
{
	Logs *logs = userdata;
	int r = watch_dispatch(logs->watch, &(WatchCallbacks){on_log_changed, logs});

	if (r < 0)
		log_warning("inotify: %s", strerror(-r));
	logs->changed(logs->userdata);
}

int logs_new(Loop *loop, bool follow, LoopFunction changed, void *userdata, Logs **ret_logs)
{
	Logs *logs = calloc(1, sizeof(*logs));
	int r = 0;

	if (!logs)
		return -ENOMEM;
	*logs = (Logs){.loop = loop, .follow = follow, .changed = changed, .userdata = userdata};
	if (moment_new(&logs->moment) < 0) {
		logs_free(logs);
		return -ENOMEM;
	}
	if (follow)
		r = watch_new(&logs->watch);
	if (!r && follow)
		r = loop_watch(loop, watch_fd(logs->watch), LOOP_READ, on_watch, logs);
	if (r < 0)
		log_warning("inotify: %s; looking every %d s", strerror(-r), LOGS_POLL_MS / 1000);
	*ret_logs = logs;
	return 0;
}

void logs_free(Logs *logs)
{
	if (!logs)
		return;
	for (size_t i = 0; i < logs->count; i++)
		tail_free(logs->logs[i].tail);
	if (logs->watch)
		(void)loop_watch(logs->loop, watch_fd(logs->watch), 0, NULL, NULL);
	watch_free(logs->watch);
	moment_free(logs->moment);
	free(logs->logs);
	free(logs);
}

static void on_notice(void *userdata, bool warning, const char *text)
{
	log_message(warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "%s", text);
}

static int add_tail(Logs *logs, Tail *tail_take)
{
	Log *array = reallocarray(logs->logs, logs->count + 1, sizeof(*array));

	if (!array) {
		tail_free(tail_take);
		return -ENOMEM;
	}
	logs->logs = array;
	array[logs->count++] = (Log){.tail = tail_take};
	return 0;
}

int logs_add(Logs *logs, const char *path, const LogState *state, int64_t seen_us)
{
	TailCallbacks callbacks = {.notice = on_notice, .moment = logs->moment};
	Tail *tail;
	int r = tail_new(path, state, seen_us, &callbacks, &tail);

	return r < 0 ? r : add_tail(logs, tail);
}

int logs_add_file(Logs *logs, const char *name)
{
	bool is_stdin = !strcmp(name, "-");
	int r, fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			     : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	TailCallbacks callbacks = {.notice = on_notice, .moment = logs->moment};
	Tail *tail;

	if (fd < 0)
		return -errno;
	r = tail_new_single(fd, is_stdin ? "standard input" : name, &callbacks, &tail);
	return r < 0 ? r : add_tail(logs, tail);
}

size_t logs_count(const Logs *logs)
{
	return logs->count;
}

Tail *logs_tail(const Logs *logs, size_t index)
{
	return logs->logs[index].tail;
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

bool logs_all_idle(const Logs *logs)
{
	for (size_t i = 0; i < logs->count; i++)
		if (!logs_idle(logs, i))
			return false;
	return true;
}

int logs_waiting(const Logs *logs, const char **ret_path)
{
	for (size_t i = 0; i < logs->count; i++) {
		if (!logs->logs[i].error)
			continue;
		if (ret_path)
			*ret_path = tail_path(logs->logs[i].tail);
		return logs->logs[i].error;
	}
	return 0;
}

void logs_wake(Logs *logs)
{
	for (size_t i = 0; i < logs->count; i++)
		logs->logs[i].idle = false;
}

/* All was read: watches it, and looks once more if it was not watched before. */
static void watch_log(Logs *logs, size_t index)
{
	Log *log = &logs->logs[index];
	int r;

	if (!logs->follow || !logs->watch)
		return;
	r = watch_arm(logs->watch, index, tail_path(log->tail), tail_fd(log->tail));
	if (r < 0 && r != log->watch_error)
		log_warning("%s: can't be watched (%s), looking every %d s", tail_path(log->tail),
			strerror(-r), LOGS_POLL_MS / 1000);
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

int logs_fill(Logs *logs, size_t index)
{
	Log *log = &logs->logs[index];
	Why why = {""};
	int r;

	if (tail_chunk(log->tail).len)
		return 0;
	r = tail_fill(log->tail, loop_wall_us(), &why);
	if (is_moving(log, r))
		return 0;
	if (r >= 0 && log->error) {
		log_info("%s: can be read again", tail_path(log->tail));
		log->error = 0;
	}
	if (!r)
		return 0;
	log->idle = true;
	if (r < 0 && !logs->follow) {
		log_error("%s", why.text);
		return r;
	}
	if (r < 0 && r != log->error) {
		log_warning("%s; waiting until it can be read", why.text);
	}
	log->error = MIN(r, 0);
	/* What is missing may be a permission: that is an event too. */
	watch_log(logs, index);
	return 0;
}
