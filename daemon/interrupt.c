/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/interrupt.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

void interrupt_hold(sigset_t *ret_before)
{
	sigset_t held;

	(void)sigemptyset(&held);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(&held, signals[i]);
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
