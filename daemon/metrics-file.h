/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The file that metrics.textfile names: daemon/metrics of the status, replaced in one step when something of it has changed. While
 * nothing changes its time of modification is renewed METRICS_FILE_BEAT_MS apart at most, when somebody looks anyway: so a file
 * that is old belongs to a service that is gone. What is wrong with it is a warning for as long as it is.
 */

#include "daemon/warnings.h"

#define METRICS_FILE_BEAT_MS 25000 /* a tick of 30 s does it */

typedef struct MetricsFile MetricsFile;

/* warnings is borrowed. path: "" is none. 0 or -ENOMEM. */
int metrics_file_new(const char *path, Warnings *warnings, MetricsFile **ret_file);
/* The file stays, with what was last written. */
void metrics_file_free(MetricsFile *file);
DEFINE_CLEANUP(MetricsFile *, metrics_file_freep, metrics_file_free)

/* Another path: the file that was written is removed. 0; or -ENOMEM, and nothing has changed. */
int metrics_file_set_path(MetricsFile *file, const char *path);

/* Writes it, if there is something new. Whether the warning has changed, which status shows. */
bool metrics_file_write(MetricsFile *file, const Status *status, uint64_t now_ms);
