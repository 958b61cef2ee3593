/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The spellings of the Python version, its programs and its options: they do nothing any more but name the command that does it now. */

#include "base/base.h"

/* Whether the command line is one of those; then the command is named on stderr, and the exit status is EXIT_USAGE. */
bool old_names_answer(int argc, char *const argv[]);
