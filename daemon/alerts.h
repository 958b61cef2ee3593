/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The warnings of a report: what was found while it was gathered, and what the service's status says, or that there is no
 * service any more.
 */

#include "daemon/config.h"
#include "state/status.h"

/* Start it with {0}. */
typedef struct Alerts {
	StatusWarning *list;
	size_t count;
	char **texts; /* what the list is borrowed from: two for each */
	int error;    /* sticky: -ENOMEM */
} Alerts;

void alerts_done(Alerts *alerts);
#define _cleanup_alerts_ _cleanup_(alerts_done)

/* Adds one at the end. */
void alerts_add(Alerts *alerts, int64_t since_us, const char *key, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* What the service was when it was looked at. */
typedef struct ServiceState {
	bool running;
	int64_t heard_us; /* until when it is known to have read all; 0: not known */
} ServiceState;

/*
 * Adds the warnings of the status file; first that a service that ran does not run any more, unless the checkpoint is newer (then somebody
 * calls extract), or that nothing was read for a day. Without one that runs, databases that are old, as their image says. A status file that
 * can't be read is a warning, too.
 */
void alerts_add_service(Alerts *alerts, const Config *config, int64_t checkpoint_us, int64_t now_us,
	ServiceState *ret_state);
