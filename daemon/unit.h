/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The service's unit of systemd: the one that a package or `meson install` brings (packaging/systemd/) is in this program too, for where
 * none is installed.
 */

#include "daemon/config.h"

#define UNIT_NAME "maillogsentinel.service"
#define UNIT_PATH "/etc/systemd/system/" UNIT_NAME
#define UNIT_DROP_IN_PATH UNIT_PATH ".d/paths.conf"
#define UNIT_JOBS_DROP_IN_PATH \
	"/etc/systemd/system/maillogsentinel-.service.d/paths.conf" /* of the timers' */

/* Whether systemd is this system's init. */
bool unit_is_possible(void);

/* Whether a unit is installed where packages put them. */
bool unit_is_packaged(void);

/* Whether the text is of a file that this program has written, and not a person. */
bool unit_is_ours(Span text);

/* Appends the unit that runs the program at path. */
void unit_append(const char *program, StrBuf *sb);

/*
 * Appends the drop-in that lets the service write where the configuration wants it to, outside of the directories that are its own; nothing
 * where that is not needed. 0; -EINVAL with *ret_why where a path can't be named in a unit; -ENOMEM.
 */
int unit_append_drop_in(const Config *config, StrBuf *sb, Why *ret_why);

/*
 * Whether the service can't see the path, since it is hidden from it: a person's directory, or a temporary one. The reason as an end of "PATH ...",
 * or NULL.
 */
const char *unit_hides(const char *path);
