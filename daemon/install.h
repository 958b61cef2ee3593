/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A new file in place of an old one that is kept beside it, PATH.prev. */

#include "base/base.h"

/*
 * new_path, which is complete and durable and lies in the same directory, becomes path; what was there becomes PATH.prev. After a crash at
 * any point the old file or the new one is there, under its name. 0 or -errno: the old one stays (PATH.prev may be the same file).
 */
int install_file(const char *new_path, const char *path);
