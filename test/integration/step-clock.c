/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A preloaded library under which a test says what time it is. The file STEP_CLOCK holds one line, "WALL MONOTONIC WALL MONOTONIC",
 * in seconds (twice, so that one that is being written is seen as such): how far the clock of the day and the monotonic clocks are
 * ahead of the real ones. Who waits by epoll, poll, select or sleep wakes up when the file says that the time has passed.
 * So a test lets hours go by at a stroke, and moves the clock of the day alone as who sets it does.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define SLICE_MS 5
#define LINE_MAX_BYTES 256

/* The next definition of a name: the real one. */
static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}
#define REAL(name) ((__typeof__(&name))real(#name))

/* Looks at the file anew, since it changes while we run. In seconds. */
static void look(long long *ret_wall, long long *ret_monotonic)
{
	static const volatile char *line;
	char copy[LINE_MAX_BYTES];
	long long again[2];
	char *end;

	if (!line) {
		const char *path = getenv("STEP_CLOCK");
		int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;

		if (fd < 0)
			abort();
		line = mmap(NULL, LINE_MAX_BYTES, PROT_READ, MAP_SHARED, fd, 0);
		if (line == MAP_FAILED)
			abort();
		(void)syscall(SYS_close, fd);
	}
	do {
		for (size_t i = 0; i < sizeof(copy) - 1; i++)
			copy[i] = line[i];
		copy[sizeof(copy) - 1] = '\0';
		*ret_wall = strtoll(copy, &end, 10);
		*ret_monotonic = strtoll(end, &end, 10);
		again[0] = strtoll(end, &end, 10);
		again[1] = strtoll(end, &end, 10);
	} while (*end != '\n' || again[0] != *ret_wall || again[1] != *ret_monotonic);
}

static int64_t in_ns(const struct timespec *t)
{
	return t->tv_sec * NS_PER_S + t->tv_nsec;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
	int r = (int)syscall(SYS_clock_gettime, clock, now), saved = errno;
	long long wall, monotonic;

	if (r < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
		return r;
	look(&wall, &monotonic);
	errno = saved;
	now->tv_sec += clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? wall : monotonic;
	return 0;
}

EXPORT time_t time(time_t *ret)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}

EXPORT int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
	return 0;
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return in_ns(&now);
}

/* How long to wait at a time, in ms, until the deadline (-1: none); 0 when it has passed. */
static int slice_ms(int64_t deadline_ns)
{
	int64_t left_ns = deadline_ns < 0 ? INT64_MAX : deadline_ns - now_ns();

	if (left_ns <= 0)
		return 0;
	return left_ns > SLICE_MS * NS_PER_MS ? SLICE_MS : (int)(left_ns / NS_PER_MS) + 1;
}

static int64_t deadline_ns(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : now_ns() + timeout_ms * NS_PER_MS;
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	int64_t end_ns = deadline_ns(timeout_ms);

	for (;;) {
		int wait_ms = timeout_ms == 0 ? 0 : slice_ms(end_ns);
		int r = REAL(epoll_wait)(fd, events, max, wait_ms);

		if (r != 0 || wait_ms == 0)
			return r;
	}
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int64_t end_ns = deadline_ns(timeout_ms);

	for (;;) {
		int wait_ms = timeout_ms == 0 ? 0 : slice_ms(end_ns);
		int r = REAL(poll)(fds, count, wait_ms);

		if (r != 0 || wait_ms == 0)
			return r;
	}
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size);

EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size)
{
	(void)size;
	return poll(fds, count, timeout_ms);
}

EXPORT int ppoll(
	struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	int64_t end_ns = timeout ? now_ns() + in_ns(timeout) : -1;

	for (;;) {
		int wait_ms = timeout && in_ns(timeout) == 0 ? 0 : slice_ms(end_ns);
		struct timespec slice = {.tv_nsec = wait_ms * NS_PER_MS};
		int r = REAL(ppoll)(fds, count, &slice, mask);

		if (r != 0 || wait_ms == 0)
			return r;
	}
}

EXPORT int select(
	int count, fd_set *reads, fd_set *writes, fd_set *exceptions, struct timeval *timeout)
{
	fd_set none, *all[] = {reads ? reads : &none, writes ? writes : &none,
			     exceptions ? exceptions : &none};
	int64_t end_ns =
		timeout ? now_ns() + timeout->tv_sec * NS_PER_S + timeout->tv_usec * 1000 : -1;

	FD_ZERO(&none);
	for (;;) {
		fd_set sets[] = {*all[0], *all[1], *all[2]};
		int wait_ms =
			timeout && !timeout->tv_sec && !timeout->tv_usec ? 0 : slice_ms(end_ns);
		struct timeval slice = {.tv_usec = wait_ms * 1000};
		int r = REAL(select)(count, reads, writes, exceptions, &slice);

		if (r != 0 || wait_ms == 0)
			return r;
		for (size_t i = 0; i < 3; i++)
			if (all[i] != &none)
				*all[i] = sets[i];
	}
}

EXPORT int clock_nanosleep(
	clockid_t clock, int flags, const struct timespec *wanted, struct timespec *rest)
{
	struct timespec now;
	int64_t end_ns;

	(void)clock_gettime(clock, &now);
	end_ns = in_ns(wanted) + (flags & TIMER_ABSTIME ? 0 : in_ns(&now));
	while (in_ns(&now) < end_ns) {
		struct timespec slice = {.tv_nsec = SLICE_MS * NS_PER_MS};

		if (in_ns(&slice) > end_ns - in_ns(&now))
			slice.tv_nsec = (long)(end_ns - in_ns(&now));
		if (syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &slice, NULL) < 0) {
			if (rest && !(flags & TIMER_ABSTIME))
				*rest = (struct timespec){0};
			return errno;
		}
		(void)clock_gettime(clock, &now);
	}
	return 0;
}

EXPORT int nanosleep(const struct timespec *wanted, struct timespec *rest)
{
	int r = clock_nanosleep(CLOCK_MONOTONIC, 0, wanted, rest);

	if (r == 0)
		return 0;
	errno = r;
	return -1;
}

EXPORT int usleep(useconds_t us)
{
	struct timespec wanted = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	return nanosleep(&wanted, NULL);
}
