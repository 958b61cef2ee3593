/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whether what a configuration names can serve the service, before anything is made. What the service's user can do only root can try;
 * for anybody else all is well in that respect.
 */

#include "daemon/config.h"

/*
 * Whether the service's user will be able to keep a directory of his own at path: it is his already, or can be made. `own` says that it is
 * the unit's own, which becomes his. 0; -EINVAL with *ret_why as an end of "PATH ..."; another -errno.
 */
int place_check_directory(const char *path, bool own, bool systemd, Why *ret_why);

/* Whether the path is one of the directories that the service has by default. */
bool place_is_own(const char *path);

/*
 * Whether the configuration can be put in force once its directories are there: everything that it reads, tried by the service's user. A password
 * file is only looked at: setup lets the user read it. Appends to ret_errors as config_check_paths() does,
 * only lines of the option group.key when these are given. 0; -EINVAL when there are errors; another -errno.
 */
int place_check_config(
	const Config *config, const char *group, const char *key, bool systemd, StrBuf *ret_errors);

/*
 * Whether the CSV's rows and the state that knows of them are both where the configuration has them, or neither is: `run` refuses a CSV with rows
 * of which it knows nothing. Appends to ret_errors. 0; -EINVAL; another -errno.
 */
int place_check_record(const Config *config, StrBuf *ret_errors);

/* Whether the service's user can read the file, if there is one. Appends to ret_errors. 0; -EINVAL; another -errno. */
int place_check_readable(const char *path, StrBuf *ret_errors);
