/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Steps of a plan (daemon/plan.h) that put files aside, below one directory by the paths that they had: DIR/etc/maillogsentinel.conf. Modes, owners and
 * times stay; the directories made for it are root's alone. Nothing is ever overwritten there: what has the name already gets
 * company, PATH.1. All return 0 or -errno.
 */

#include "daemon/plan.h"

/* The file, link or directory at path moves; no step where there is none. A directory only within its file system. */
int aside_add_move(Plan *plan, const char *dir, const char *path);

/* The file at path is there, too, from now on, so that a later step can replace or remove it; taken back, it is again as it was. */
int aside_add_keep(Plan *plan, const char *dir, const char *path);

/* What was kept is removed at its path. */
int aside_add_removal(Plan *plan, const char *path);

/* A symbolic link to target takes the place of what was kept at path. */
int aside_add_link(Plan *plan, const char *path, const char *target);

/* The path below dir that a step takes, heap memory; NULL when out of memory. */
char *aside_name_dup(const char *dir, const char *path);

/* Makes the directories above path, root's alone; *made grows by their number, also on failure. 0 or -errno. */
int aside_make_parents(const char *path, size_t *made);
