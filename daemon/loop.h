/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The event loop: the only place that knows libev. Descriptors, timers, signals and processes call back with
 * the owner's userdata; everything happens in one thread.
 */

#include "base/base.h"

typedef struct Loop Loop;
typedef struct LoopTimer LoopTimer;
typedef struct LoopChild LoopChild;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void (*LoopFdFunction)(void *userdata, int fd, unsigned events);
typedef void (*LoopFunction)(void *userdata);
typedef void (*LoopSignalFunction)(void *userdata, int signal);
typedef void (*LoopChildFunction)(void *userdata, int status);

/* The default loop; one per process. 0 or -ENOMEM. */
int loop_new(Loop **ret_loop);
void loop_free(Loop *loop);
DEFINE_CLEANUP(Loop *, loop_freep, loop_free)

/* Runs until loop_stop(). */
void loop_run(Loop *loop);
void loop_stop(Loop *loop);

/* Watches fd for events (0: no longer). 0 or -ENOMEM. A descriptor has one watcher. */
int loop_watch(Loop *loop, int fd, unsigned events, LoopFdFunction function, void *userdata);

/* Calls back when the signal arrives, from the loop, not from the handler; it is no longer blocked. 0 or -ENOMEM. */
int loop_signal(Loop *loop, int signal, LoopSignalFunction function, void *userdata);

/* A timer that is not set. 0 or -ENOMEM. */
int loop_timer_new(Loop *loop, LoopFunction function, void *userdata, LoopTimer **ret_timer);
void loop_timer_free(LoopTimer *timer);
DEFINE_CLEANUP(LoopTimer *, loop_timer_freep, loop_timer_free)

/* Once, in delay_ms from now; 0: in the next round of the loop; negative: never. Replaces what was set. */
void loop_timer_set(LoopTimer *timer, int64_t delay_ms);
bool loop_timer_is_set(LoopTimer *timer);

/*
 * Calls back with the wait status when the process has ended, which it is told later: what can fail is done before there is one. The
 * loop reaps every child of this process, so a process that nobody watches has no status. 0 or -ENOMEM.
 */
int loop_child_new(Loop *loop, LoopChildFunction function, void *userdata, LoopChild **ret_child);
void loop_child_free(LoopChild *child);
DEFINE_CLEANUP(LoopChild *, loop_child_freep, loop_child_free)

/* The process that was just started: the loop has not run since. */
void loop_child_watch(LoopChild *child, pid_t pid);

/* CLOCK_MONOTONIC, fresh. */
uint64_t loop_now_ms(void);
/* CLOCK_REALTIME, fresh. */
int64_t loop_wall_us(void);
