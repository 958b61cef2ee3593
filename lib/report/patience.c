/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/patience.h"

#include <poll.h>
#include <signal.h>

/* A signal that is blocked wakes nobody. */
#define SLICE_MS 200

uint64_t patience_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool patience_interrupted(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigismember(&pending, signals[i]) == 1)
			return true;
	return false;
}

int patience_poll(int fd, short events, uint64_t until_ms)
{
	for (;;) {
		struct pollfd poller = {.fd = fd, .events = events};
		uint64_t now = patience_now_ms();
		int r;

		if (patience_interrupted())
			return -EINTR;
		r = poll(&poller, 1, (int)MIN(until_ms - MIN(now, until_ms), (uint64_t)SLICE_MS));
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (patience_now_ms() >= until_ms)
			return -ETIMEDOUT;
	}
}
