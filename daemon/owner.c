/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/owner.h"

#include <fcntl.h>
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

typedef struct Identity {
	uid_t uid;
	gid_t gid, groups[GROUPS_MAX];
	int count;
} Identity;

/* The user with the entry; NULL: who has none, and is known by these numbers alone. 0 or -errno. */
static int identify(const struct passwd *user, uid_t uid, gid_t gid, Identity *ret_identity)
{
	_cleanup_free_ char *buffer = malloc(ENTRY_MAX);
	Identity *identity = ret_identity;

	if (!buffer)
		return -ENOMEM;
	identity->uid = user ? user->pw_uid : uid;
	identity->gid = user ? user->pw_gid : gid;
	identity->count = user ? GROUPS_MAX : 0;
	/* What does not fit is left out. */
	if (user &&
		getgrouplist(user->pw_name, identity->gid, identity->groups, &identity->count) < 0)
		identity->count = GROUPS_MAX;
	identity->count = add_log_groups(buffer, identity->groups, identity->count);
	return 0;
}

/* As identify(). */
static int identify_owner(const struct stat *st, Identity *ret_identity)
{
	_cleanup_free_ char *buffer = malloc(ENTRY_MAX);
	struct passwd user, *found = NULL;
	int r;

	if (!buffer)
		return -ENOMEM;
	r = getpwuid_r(st->st_uid, &user, buffer, ENTRY_MAX, &found);
	return r ? -r : identify(found, st->st_uid, st->st_gid, ret_identity);
}

static int become(const Identity *identity)
{
	if (setgroups((size_t)identity->count, identity->groups) < 0 || setgid(identity->gid) < 0 ||
		setuid(identity->uid) < 0)
		return -errno;
	return 0;
}

/* Whether we are root and the directory is another's. */
static bool is_anothers(const char *state_dir, struct stat *ret_st)
{
	return geteuid() == 0 && !stat(state_dir, ret_st) && ret_st->st_uid;
}

static int fail(const char *state_dir, const struct stat *st, int error, Why *ret_why)
{
	why_set(ret_why, "%s: can't go on as its owner, user %u: %s", state_dir,
		(unsigned)st->st_uid, strerror(-error));
	return error;
}

int owner_become(const char *state_dir, Why *ret_why)
{
	Identity identity = {.count = 0};
	struct stat st;
	int r;

	if (!is_anothers(state_dir, &st))
		return 0;
	r = identify_owner(&st, &identity);
	if (!r)
		r = become(&identity);
	return r < 0 ? fail(state_dir, &st, r, ret_why) : 0;
}

int owner_become_user(const char *name)
{
	_cleanup_free_ char *buffer = malloc(ENTRY_MAX);
	struct passwd user, *found = NULL;
	Identity identity = {.count = 0};
	int r;

	if (!buffer)
		return -ENOMEM;
	r = getpwnam_r(name, &user, buffer, ENTRY_MAX, &found);
	r = r ? -r : identify(found, OWNER_NOBODY, OWNER_NOBODY, &identity);
	return r ? r : become(&identity);
}

int seat_take(const char *state_dir, Seat *ret_seat, Why *ret_why)
{
	Identity identity = {.count = 0};
	struct stat st;
	int r;

	*ret_seat = (Seat){.uid = geteuid(), .gid = getegid()};
	if (!is_anothers(state_dir, &st))
		return 0;
	r = identify_owner(&st, &identity);
	if (!r && (setgroups((size_t)identity.count, identity.groups) < 0 ||
			  setegid(identity.gid) < 0 || seteuid(identity.uid) < 0))
		r = -errno;
	if (r < 0)
		return fail(state_dir, &st, r, ret_why);
	*ret_seat = (Seat){true, identity.uid, identity.gid};
	return 0;
}

static void act_as(const Seat *seat, uid_t uid)
{
	int saved = errno;

	/* To go on as somebody else than is meant would be worse than a run that was killed, which the next one can handle. */
	if (seat->switched && seteuid(uid) < 0)
		_exit(EXIT_FAILURE);
	errno = saved;
}

void seat_rise(const Seat *seat)
{
	act_as(seat, 0);
}

void seat_sit(const Seat *seat)
{
	act_as(seat, seat->uid);
}

int seat_openat(const Seat *seat, int dir, const char *name, int flags, mode_t mode)
{
	int fd;

	seat_rise(seat);
	fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		fd = -errno;
	seat_sit(seat);
	return fd;
}
