/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A log whose name leads over symbolic links to a file that has a date in its name or directory (cronolog, rsyslog and syslog-ng with
 * %$YEAR% and a link to today's file): what the links add tells where the files of other days are. Digits in it may be others, as
 * many, if there are 6 or more: mail.log -> mail-20261122.log, mail.log -> 2026/11/22/mail.log, today/mail.log -> 20261122/mail.log. But
 * not those of a host: mx02.log -> mx02-20261122.log, mail.log -> node07/2026/11/22.log.
 */

#include "source/moment.h"

/* Where path leads; the last name need not exist. *ret_real is heap memory. 0, -ENOENT when a directory is missing, -errno. */
int links_resolve(const char *path, char **ret_real);

typedef struct LinksCallbacks {
	/*
	 * dir/name is such a file, perhaps compressed (then name has one more suffix), of the date in digits, which is not later than that of the
	 * one that path leads to. 0 or -errno.
	 */
	int (*found)(void *userdata, const char *dir, const char *name, const char *digits);
	void *userdata;
} LinksCallbacks;

/*
 * Finds the files that path led to before, where it leads to real now; directories that are looked at are added to moment. Nothing is found
 * when no link or no date is in it. 0 or -errno.
 */
int links_find(const char *path, const char *real, Moment *moment, const LinksCallbacks *callbacks);

/*
 * Calls found for each directory entry that is a link on the way that path leads: whose change makes it lead elsewhere. What it returns
 * ends the search unless it is 0. 0 or that or -errno.
 */
int links_walk(const char *path, int (*found)(void *userdata, const char *dir, const char *name),
	void *userdata);
