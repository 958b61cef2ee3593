/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A preloaded library under which time runs FAST_CLOCK times as fast: the monotonic clocks, and every wait by poll, select
 * or sleep. So a test sees in a second what happens after minutes. The clock of the day, by which certificates are
 * judged and files dated, is left alone.
 */

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define NS_PER_S 1000000000LL

/* The next definition of a name: the real one. */
static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}
#define REAL(name) ((__typeof__(&name))real(#name))

static int64_t factor(void)
{
	static int64_t value;
	const char *text;

	if (!value) {
		text = getenv("FAST_CLOCK");
		value = text ? strtoll(text, NULL, 10) : 1;
	}
	return value;
}

static int64_t in_ns(const struct timespec *t)
{
	return t->tv_sec * NS_PER_S + t->tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int64_t began_ns;
	int r = (int)syscall(SYS_clock_gettime, clock, now);

	if (r < 0 || clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
		clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
		return r;
	if (!began_ns)
		began_ns = in_ns(now);
	*now = from_ns(began_ns + (in_ns(now) - began_ns) * factor());
	return 0;
}

/* A wait in ms; it does not become 0. */
static int shorter(int timeout_ms)
{
	return timeout_ms <= 0 ? timeout_ms : (int)((timeout_ms + factor() - 1) / factor());
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	return REAL(poll)(fds, count, shorter(timeout_ms));
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size);

EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size)
{
	return REAL(__poll_chk)(fds, count, shorter(timeout_ms), size);
}

EXPORT int select(
	int count, fd_set *reads, fd_set *writes, fd_set *exceptions, struct timeval *timeout)
{
	int64_t us = timeout ? (timeout->tv_sec * 1000000LL + timeout->tv_usec) / factor() : 0;
	struct timeval less = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};

	return REAL(select)(count, reads, writes, exceptions, timeout ? &less : NULL);
}

EXPORT int nanosleep(const struct timespec *wanted, struct timespec *rest)
{
	struct timespec less = from_ns(in_ns(wanted) / factor());

	return REAL(nanosleep)(&less, rest);
}

EXPORT int clock_nanosleep(
	clockid_t clock, int flags, const struct timespec *wanted, struct timespec *rest)
{
	struct timespec less = from_ns(in_ns(wanted) / factor());

	return REAL(clock_nanosleep)(clock, flags, flags & TIMER_ABSTIME ? wanted : &less, rest);
}

EXPORT int usleep(useconds_t us)
{
	return REAL(usleep)((useconds_t)(us / (useconds_t)factor()));
}
