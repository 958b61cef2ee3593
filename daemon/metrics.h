/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the status says, as metrics in Prometheus' text format, for node_exporter's textfile collector. Their names are listed in the
 * manual and are an interface: dashboards and alerts have them.
 *
 * Counters are those that are on disk for certain, so that one never goes back at a restart, which would read as if all of it had
 * happened again. At most METRICS_LOGS_MAX logs and METRICS_KINDS_MAX kinds of warnings have series of their own.
 */

#include "state/status.h"

#define METRICS_LOGS_MAX 100
#define METRICS_KINDS_MAX 32

/* Appends them. Lags are looked up; what is not known is left out. */
void metrics_append(const Status *status, StrBuf *sb);
