/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Owns everything that works while logs are read: configuration, loop, sources, pipeline, resolver, databases, record. One start and stop
 * order for the service (`run`) and for a single pass (`extract`).
 */

#include "daemon/config.h"

typedef struct DaemonOptions {
	bool follow;    /* `run`: go on until a signal; else stop when all is read */
	bool to_stdout; /* rows go to stdout, nothing is moved */
	bool no_dns;
	int year; /* of stamps that have none; 0: guess */
	const char *const
		*files; /* read these ("-" is stdin) in place of the logs; NULL: the logs */
	size_t file_count;
} DaemonOptions;

/* Runs to the end. Returns the exit status; what was wrong has been logged. Takes the configuration. */
int daemon_main(Config *config_take, const DaemonOptions *options);
