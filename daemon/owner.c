/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/owner.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#define GROUPS_MAX 128
#define ENTRY_MAX ((size_t)64 * 1024) /* of a user or a group */

const char *const owner_log_groups[OWNER_LOG_GROUPS] = {"adm", "systemd-journal"};

/* Adds the groups that may read logs. */
static int add_log_groups(char *buffer, gid_t *groups, int count)
{
	for (size_t i = 0; i < OWNER_LOG_GROUPS && count < GROUPS_MAX; i++) {
		struct group group, *found;

		if (!getgrnam_r(owner_log_groups[i], &group, buffer, ENTRY_MAX, &found) && found)
			groups[count++] = group.gr_gid;
	}
	return count;
}

/* The user with the entry; NULL: who has none, and is known by these numbers alone. 0 or -errno. */
static int become(const struct passwd *user, uid_t uid, gid_t gid)
{
	_cleanup_free_ char *buffer = malloc(ENTRY_MAX);
	gid_t groups[GROUPS_MAX];
	int count = 0;

	if (!buffer)
		return -ENOMEM;
	if (user) {
		uid = user->pw_uid;
		gid = user->pw_gid;
		count = GROUPS_MAX;
		/* What does not fit is left out. */
		if (getgrouplist(user->pw_name, gid, groups, &count) < 0)
			count = GROUPS_MAX;
	}
	count = add_log_groups(buffer, groups, count);
	if (setgroups((size_t)count, groups) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return -errno;
	return 0;
}

static int become_owner(const struct stat *st)
{
	_cleanup_free_ char *buffer = malloc(ENTRY_MAX);
	struct passwd user, *found = NULL;
	int r;

	if (!buffer)
		return -ENOMEM;
	r = getpwuid_r(st->st_uid, &user, buffer, ENTRY_MAX, &found);
	return r ? -r : become(found, st->st_uid, st->st_gid);
}

int owner_become(const char *state_dir, Why *ret_why)
{
	struct stat st;
	int r;

	if (geteuid() != 0 || stat(state_dir, &st) < 0 || !st.st_uid)
		return 0;
	r = become_owner(&st);
	if (r < 0)
		why_set(ret_why, "%s: can't go on as its owner, user %u: %s", state_dir,
			(unsigned)st.st_uid, strerror(-r));
	return r;
}

int owner_become_user(const char *name)
{
	_cleanup_free_ char *buffer = malloc(ENTRY_MAX);
	struct passwd user, *found = NULL;
	int r;

	if (!buffer)
		return -ENOMEM;
	r = getpwnam_r(name, &user, buffer, ENTRY_MAX, &found);
	return r ? -r : become(found, OWNER_NOBODY, OWNER_NOBODY);
}
