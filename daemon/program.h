/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Other programs that are run and waited for. They share our terminal; signals that we hold are held for them too, unless told otherwise. */

#include "base/base.h"

#include <signal.h>

typedef struct ProgramOptions {
	bool quiet;           /* its output and its errors go nowhere */
	const sigset_t *mask; /* its signals; NULL: ours */
} ProgramOptions;

/*
 * Runs argv[0], looked for in the directories where a system has its programs, to its end. Its exit status (128 and the signal's number when one
 * has ended it), or -errno (-ENOENT: there is none).
 */
int program_run(const char *const argv[], const ProgramOptions *options);

/* The path of the program that runs this, heap memory. 0 or -errno. */
int program_path_dup(char **ret_path);
