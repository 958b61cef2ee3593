/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What systemd is told (sd_notify(3)); does nothing outside of a Type=notify service. */

#include "base/base.h"

void notify_ready(void);
void notify_stopping(void);

/*
 * The configuration is being read anew, until notify_ready(). It carries the time, as Type=notify-reload asks for. From notify_hangups() on
 * it is sent by the handler of SIGHUP itself: `systemctl reload` waits only when it has come before the process that sent the signal is
 * reaped, and this one may be busy. That call is for when the handler of SIGHUP is in its place, which is called as before. 0 or -errno.
 */
void notify_reloading(void);
int notify_hangups(void);

/* A sentence for `systemctl status`; hostile bytes must be escaped by the caller. */
void notify_status(const char *text);
/* Starting or stopping goes on for so long at most: who would give up before waits. */
void notify_extend(uint64_t ms);
void notify_watchdog(void);
/* How often the watchdog must be fed, halved as sd_watchdog_enabled(3) advises; 0: not asked for. */
uint64_t notify_watchdog_interval_ms(void);
