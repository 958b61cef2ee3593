/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Keeps state_dir/status (state/status) up to date, the file of metrics.textfile (daemon/metrics-file), and what systemd shows of it
 * (daemon/sentence): at most once a second, and only when something of it has changed, so that an idle daemon writes nothing and is not
 * woken up for it.
 */

#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/warnings.h"
#include "state/status.h"

typedef struct StatusKeeper StatusKeeper;

/*
 * fill(userdata, status) says how things are: logs are the status's to free, all texts stay until the next call. warnings is borrowed. 0
 * or -ENOMEM.
 */
int status_keeper_new(Loop *loop, const Config *config, Warnings *warnings,
	void (*fill)(void *userdata, Status *status), void *userdata, StatusKeeper **ret_keeper);
void status_keeper_free(StatusKeeper *keeper);
DEFINE_CLEANUP(StatusKeeper *, status_keeper_freep, status_keeper_free)

/* Another metrics.textfile, perhaps. 0; or -ENOMEM, and nothing has changed. */
int status_keeper_reconfigure(StatusKeeper *keeper, const Config *config);

/* Something may have changed: writes it soon. */
void status_keeper_changed(StatusKeeper *keeper);

/* Writes it now, if anything has changed. */
void status_keeper_write(StatusKeeper *keeper);
