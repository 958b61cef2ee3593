/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who may write the state: the owner of its directory, which is the user of the service. A command that root runs goes on as that user, so
 * that it leaves nothing behind that the service can't read or replace, and so that nothing which that user may have put there is
 * followed with root's rights.
 */

#include "base/base.h"

#include <sys/stat.h>

#define OWNER_SERVICE "maillogsentinel" /* the user of the service, and the name of its group */
#define OWNER_NOBODY 65534u             /* who owns nothing, where the kernel says so */

/* The groups that may read logs, which the service gets besides its user's own. */
#define OWNER_LOG_GROUPS 2
extern const char *const owner_log_groups[OWNER_LOG_GROUPS];

/*
 * For root, and when the directory is another user's: the process becomes that user, for good, with the user's groups and those that may
 * read logs (adm, systemd-journal), where they exist. Nothing for other users, and nothing when there is no such
 * directory. 0 or -errno with *ret_why.
 */
int owner_become(const char *state_dir, Why *ret_why);

/*
 * For root: the process becomes the user of that name, with the groups as above; where there is no such user, one who owns nothing. 0 or
 * -errno.
 */
int owner_become_user(const char *name);

/*
 * For a command of root's that keeps what it saves where root alone may write: it acts as the owner of state_dir, and as root only in between,
 * so that nothing which the owner may have put there is followed with root's rights.
 */
typedef struct Seat {
	bool switched; /* the two are different users, and we are root */
	uid_t uid;     /* who we act as */
	gid_t gid;
} Seat;

/* From here on as the owner, as owner_become() says. 0 or -errno with *ret_why. */
int seat_take(const char *state_dir, Seat *ret_seat, Why *ret_why);

/* As root for a while, and as the owner again. There is no way on where that fails: the program ends. */
void seat_rise(const Seat *seat);
void seat_sit(const Seat *seat);

/* openat(2) as root, with O_CLOEXEC and O_NOFOLLOW. A descriptor or -errno. */
int seat_openat(const Seat *seat, int dir, const char *name, int flags, mode_t mode);
