/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A file that holds a password in its first line, and that not everybody on this host may read. */

#include "base/base.h"

#define PASSWORD_MAX ((size_t)1024) /* bytes, of the file */

/* Whether it is one that can be read, without reading it. 0 or -errno with *ret_why, without the path. */
int password_check_file(const char *path, Why *ret_why);

/* The first line; likewise. The caller wipes it. */
int password_read(const char *path, char ret_password[PASSWORD_MAX + 1], Why *ret_why);
