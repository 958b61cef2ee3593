/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What this process has open, for where a library does not say what it has given up. */

#include "base/base.h"

/* Descriptors of files whose path holds part, removed ones too. 0 without /proc. */
size_t openfiles_count(const char *part);
