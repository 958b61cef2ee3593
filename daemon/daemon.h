/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Owns what lives as long as the process: configuration, loop, signals, resolver, databases; and the session (daemon/session.h)
 * that does the work with them. One start and stop order for the service (`run`) and for a single pass (`extract`).
 */

#include "daemon/config.h"

typedef struct DaemonOptions {
	bool follow;             /* `run`: go on until a signal; else stop when all is read */
	const char *config_path; /* of config_load(), for a reload */
	bool to_stdout;          /* rows go to stdout, nothing is moved */
	bool no_dns;
	int year; /* of stamps that have none; 0: guess */
	const char *const
		*files; /* read these ("-" is stdin) in place of the logs; NULL: the logs */
	size_t file_count;
} DaemonOptions;

/* Runs to the end. Returns the exit status; what was wrong has been logged. Takes the configuration. */
int daemon_main(Config *config_take, const DaemonOptions *options);
