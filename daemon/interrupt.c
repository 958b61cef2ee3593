/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/interrupt.h"

#include <sys/signalfd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static void fill(sigset_t *set)
{
	(void)sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(set, signals[i]);
}

void interrupt_hold(sigset_t *ret_before)
{
	sigset_t held;

	fill(&held);
	(void)sigprocmask(SIG_BLOCK, &held, ret_before);
}

void interrupt_let_go(const sigset_t *before)
{
	(void)sigprocmask(SIG_SETMASK, before, NULL);
}

bool interrupt_is_pending(void)
{
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigismember(&pending, signals[i]) == 1)
			return true;
	return false;
}

int interrupt_open(void)
{
	sigset_t held;
	int fd;

	fill(&held);
	fd = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}
