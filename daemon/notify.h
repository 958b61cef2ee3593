/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What systemd is told (sd_notify(3)); does nothing outside of a Type=notify service. */

#include "base/base.h"

void notify_ready(void);
void notify_stopping(void);
/* A sentence for `systemctl status`; hostile bytes must be escaped by the caller. */
void notify_status(const char *fmt, ...) PRINTF_LIKE(1, 2);
void notify_watchdog(void);
/* How often the watchdog must be fed, halved as sd_watchdog_enabled(3) advises; 0: not asked for. */
uint64_t notify_watchdog_interval_ms(void);
