/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/owner.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#define GROUPS_MAX 128
#define ENTRY_MAX ((size_t)64 * 1024) /* of a user or a group */

/* What the service gets besides its user's own. */
static const char *const log_groups[] = {"adm", "systemd-journal"};

/* Adds the groups that may read logs. */
static int add_log_groups(char *buffer, gid_t *groups, int count)
{
	for (size_t i = 0; i < ARRAY_SIZE(log_groups) && count < GROUPS_MAX; i++) {
		struct group group, *found;

		if (!getgrnam_r(log_groups[i], &group, buffer, ENTRY_MAX, &found) && found)
			groups[count++] = group.gr_gid;
	}
	return count;
}

/* 0 or -errno. */
static int become(const struct stat *st)
{
	_cleanup_free_ char *buffer = malloc(ENTRY_MAX);
	struct passwd user, *found = NULL;
	gid_t groups[GROUPS_MAX], gid = st->st_gid;
	int count = 0, r;

	if (!buffer)
		return -ENOMEM;
	r = getpwuid_r(st->st_uid, &user, buffer, ENTRY_MAX, &found);
	if (r)
		return -r;
	/* Of a user without an entry only the number is known. */
	if (found) {
		gid = user.pw_gid;
		count = GROUPS_MAX;
		/* What does not fit is left out. */
		if (getgrouplist(user.pw_name, gid, groups, &count) < 0)
			count = GROUPS_MAX;
	}
	count = add_log_groups(buffer, groups, count);
	if (setgroups((size_t)count, groups) < 0 || setgid(gid) < 0 || setuid(st->st_uid) < 0)
		return -errno;
	return 0;
}

int owner_become(const char *state_dir, Why *ret_why)
{
	struct stat st;
	int r;

	if (geteuid() != 0 || stat(state_dir, &st) < 0 || !st.st_uid)
		return 0;
	r = become(&st);
	if (r < 0)
		why_set(ret_why, "%s: can't go on as its owner, user %u: %s", state_dir,
			(unsigned)st.st_uid, strerror(-r));
	return r;
}
