/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/notify.h"

#include "build-config.h"

#if !HAVE_SYSTEMD

/* Built without libsystemd: nobody is told. */

void notify_ready(void)
{
}

void notify_stopping(void)
{
}

void notify_reloading(void)
{
}

int notify_hangups(void)
{
	return 0;
}

void notify_status(const char *text)
{
}

void notify_extend(uint64_t ms)
{
}

void notify_watchdog(void)
{
}

uint64_t notify_watchdog_interval_ms(void)
{
	return 0;
}

#endif
