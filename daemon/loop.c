/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/loop.h"

#include "daemon/command.h"
#include "daemon/log.h"

#include <ev.h>
#include <sys/wait.h>

typedef struct FdWatcher {
	ev_io io; /* first: libev hands it back */
	struct FdWatcher *next;
	Loop *loop;
	LoopFdFunction function;
	void *userdata;
} FdWatcher;

typedef struct SignalWatcher {
	ev_signal signal;
	struct SignalWatcher *next;
	LoopSignalFunction function;
	void *userdata;
} SignalWatcher;

struct Loop {
	struct ev_loop *ev;
	FdWatcher *fds; /* inactive ones are used again */
	SignalWatcher *signals;
};

struct LoopTimer {
	ev_timer timer;
	Loop *loop;
	LoopFunction function;
	void *userdata;
};

struct LoopChild {
	ev_child child;
	Loop *loop;
	LoopChildFunction function;
	void *userdata;
};

/*
 * libev aborts when there is no memory, which looks like a crash. An end at any moment loses nothing, so it is at
 * least one that says why.
 */
static void *allocate(void *pointer, long size)
{
	void *memory;

	if (size <= 0) {
		free(pointer);
		return NULL;
	}
	memory = realloc(pointer, (size_t)size);
	if (!memory) {
		log_error("event loop: %s", strerror(ENOMEM));
		_exit(EXIT_FAILED);
	}
	return memory;
}

int loop_new(Loop **ret_loop)
{
	Loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	ev_set_allocator(allocate);
	loop->ev = ev_default_loop(EVFLAG_NOENV);
	if (!loop->ev) {
		free(loop);
		return -ENOMEM;
	}
	*ret_loop = loop;
	return 0;
}

void loop_free(Loop *loop)
{
	if (!loop)
		return;
	while (loop->fds) {
		FdWatcher *next = loop->fds->next;

		ev_io_stop(loop->ev, &loop->fds->io);
		free(loop->fds);
		loop->fds = next;
	}
	while (loop->signals) {
		SignalWatcher *next = loop->signals->next;

		ev_signal_stop(loop->ev, &loop->signals->signal);
		free(loop->signals);
		loop->signals = next;
	}
	ev_loop_destroy(loop->ev);
	free(loop);
}

void loop_run(Loop *loop)
{
	ev_run(loop->ev, 0);
}

void loop_stop(Loop *loop)
{
	ev_break(loop->ev, EVBREAK_ALL);
}

static void on_fd(struct ev_loop *ev, ev_io *io, int events)
{
	FdWatcher *watcher = (FdWatcher *)io;

	watcher->function(watcher->userdata, io->fd,
		(events & EV_READ ? LOOP_READ : 0u) | (events & EV_WRITE ? LOOP_WRITE : 0u));
}

int loop_watch(Loop *loop, int fd, unsigned events, LoopFdFunction function, void *userdata)
{
	int wanted = (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
	FdWatcher *watcher, *unused = NULL;

	for (watcher = loop->fds; watcher; watcher = watcher->next) {
		if (ev_is_active(&watcher->io) && watcher->io.fd == fd)
			break;
		if (!ev_is_active(&watcher->io))
			unused = watcher;
	}
	if (watcher) {
		ev_io_stop(loop->ev, &watcher->io);
	} else if (!wanted) {
		return 0;
	} else if (unused) {
		watcher = unused;
	} else {
		watcher = calloc(1, sizeof(*watcher));
		if (!watcher)
			return -ENOMEM;
		ev_init(&watcher->io, on_fd);
		watcher->loop = loop;
		watcher->next = loop->fds;
		loop->fds = watcher;
	}
	if (!wanted)
		return 0;
	watcher->function = function;
	watcher->userdata = userdata;
	ev_io_set(&watcher->io, fd, wanted);
	ev_io_start(loop->ev, &watcher->io);
	return 0;
}

static void on_signal(struct ev_loop *ev, ev_signal *signal, int events)
{
	SignalWatcher *watcher = (SignalWatcher *)signal;

	watcher->function(watcher->userdata, signal->signum);
}

int loop_signal(Loop *loop, int signal, LoopSignalFunction function, void *userdata)
{
	SignalWatcher *watcher = calloc(1, sizeof(*watcher));
	sigset_t set;

	if (!watcher)
		return -ENOMEM;
	watcher->function = function;
	watcher->userdata = userdata;
	watcher->next = loop->signals;
	loop->signals = watcher;
	ev_signal_init(&watcher->signal, on_signal, signal);
	ev_signal_start(loop->ev, &watcher->signal);
	sigemptyset(&set);
	sigaddset(&set, signal);
	return sigprocmask(SIG_UNBLOCK, &set, NULL) < 0 ? -errno : 0;
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int events)
{
	LoopTimer *own = (LoopTimer *)timer;

	own->function(own->userdata);
}

int loop_timer_new(Loop *loop, LoopFunction function, void *userdata, LoopTimer **ret_timer)
{
	LoopTimer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	timer->loop = loop;
	timer->function = function;
	timer->userdata = userdata;
	ev_init(&timer->timer, on_timer);
	*ret_timer = timer;
	return 0;
}

void loop_timer_free(LoopTimer *timer)
{
	if (!timer)
		return;
	ev_timer_stop(timer->loop->ev, &timer->timer);
	free(timer);
}

void loop_timer_set(LoopTimer *timer, int64_t delay_ms)
{
	ev_timer_stop(timer->loop->ev, &timer->timer);
	if (delay_ms < 0)
		return;
	/* libev counts from the time it has cached for this round, which may be long ago. */
	ev_now_update(timer->loop->ev);
	ev_timer_set(&timer->timer, (double)delay_ms / 1000.0, 0.0);
	ev_timer_start(timer->loop->ev, &timer->timer);
}

bool loop_timer_is_set(LoopTimer *timer)
{
	return ev_is_active(&timer->timer);
}

static void on_child(struct ev_loop *ev, ev_child *child, int events)
{
	LoopChild *own = (LoopChild *)child;

	/* It also comes when a tracer stops the process. */
	if (!WIFEXITED(child->rstatus) && !WIFSIGNALED(child->rstatus))
		return;
	ev_child_stop(ev, child);
	own->function(own->userdata, child->rstatus);
}

int loop_child_new(Loop *loop, LoopChildFunction function, void *userdata, LoopChild **ret_child)
{
	LoopChild *child = calloc(1, sizeof(*child));

	if (!child)
		return -ENOMEM;
	child->loop = loop;
	child->function = function;
	child->userdata = userdata;
	ev_init(&child->child, on_child);
	*ret_child = child;
	return 0;
}

void loop_child_free(LoopChild *child)
{
	if (!child)
		return;
	ev_child_stop(child->loop->ev, &child->child);
	free(child);
}

void loop_child_watch(LoopChild *child, pid_t pid)
{
	ev_child_set(&child->child, pid, 0);
	ev_child_start(child->loop->ev, &child->child);
}

uint64_t loop_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int64_t loop_wall_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
