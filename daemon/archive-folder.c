/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/archive-folder.h"

#include "base/file.h"
#include "base/number.h"
#include "daemon/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PART ".part"
#define DEPTH_MAX 2
#define NUMBER_MAX 100
#define ENTRY_MAX ((size_t)64 * 1024) /* of a user */
#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

void archive_folder_done(ArchiveFolder *folder)
{
	close_fd(&folder->fd);
	close_fd(&folder->parent_fd);
	free(folder->directory);
	folder->directory = NULL;
}

static int fail(Why *why, const char *path, int error)
{
	why_set(why, "%s: %s", path, strerror(-error));
	return error;
}

/* ---- where ------------------------------------------------------------------------------------ */

/* The user who has become root by sudo; else who we are. */
static uid_t invoking_user(void)
{
	const char *sudo = getenv("SUDO_UID");
	uint64_t uid;

	if (getuid() || !sudo || number_parse_u64(span_from_string(sudo), UINT32_MAX - 1, &uid))
		return getuid();
	return (uid_t)uid;
}

/* His home, heap memory. 0 or -errno. */
static int find_home(char **ret_home, gid_t *ret_gid)
{
	_cleanup_free_ char *buffer = malloc(ENTRY_MAX);
	const char *home = getenv("HOME");
	struct passwd user, *found = NULL;
	uid_t uid = invoking_user();

	if (!buffer)
		return -ENOMEM;
	*ret_gid = getgid();
	if (!getpwuid_r(uid, &user, buffer, ENTRY_MAX, &found) && found) {
		*ret_gid = found->pw_gid;
		if (uid != getuid() || !home || *home != '/')
			home = found->pw_dir;
	}
	if (!home || *home != '/')
		return -ENOENT;
	*ret_home = strdup(home);
	return *ret_home ? 0 : -ENOMEM;
}

/* A name that is free: NAME, or with a number behind it where the same second has another. 0 or -errno. */
static int choose_name(ArchiveFolder *folder, const char *name)
{
	(void)snprintf(folder->name, sizeof(folder->name), "%.40s", name);
	for (unsigned n = 2; n <= NUMBER_MAX; n++) {
		if (faccessat(folder->parent_fd, folder->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
			(void)snprintf(
				folder->part, sizeof(folder->part), "%.50s" PART, folder->name);
			return errno == ENOENT ? 0 : -errno;
		}
		(void)snprintf(folder->name, sizeof(folder->name), "%.40s-%u", name, n);
	}
	return -EEXIST;
}

static int open_directory(ArchiveFolder *folder, const char *directory, const char *name, Why *why)
{
	int r = 0;

	seat_rise(folder->seat);
	folder->directory = realpath(directory, NULL);
	if (folder->directory)
		folder->parent_fd = open(folder->directory, OPEN_DIRECTORY);
	if (folder->parent_fd < 0)
		r = -errno;
	else
		r = choose_name(folder, name);
	seat_sit(folder->seat);
	return r < 0 ? fail(why, directory, r) : 0;
}

int archive_folder_choose(
	ArchiveFolder *folder, const char *directory, const char *name, Why *ret_why)
{
	_cleanup_free_ char *home = NULL;
	int r = 0;

	folder->uid = getuid();
	folder->gid = getgid();
	if (!directory) {
		folder->uid = invoking_user();
		r = find_home(&home, &folder->gid);
	}
	if (r < 0) {
		why_set(ret_why, "there is no home for the archive: %s; say where with --to DIR",
			strerror(-r));
		return r;
	}
	return open_directory(folder, directory ? directory : home, name, ret_why);
}

int archive_folder_open_file(const Seat *seat, const char *folder, const char *name)
{
	_cleanup_close_ int dir = -1;
	struct stat st;
	int fd = -1, r = 0;

	seat_rise(seat);
	dir = open(folder, OPEN_DIRECTORY | O_NOFOLLOW);
	if (dir >= 0)
		fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		r = -errno;
	seat_sit(seat);
	if (!r && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		(void)close(fd);
		r = -EBADMSG;
	}
	return r < 0 ? r : fd;
}

/* ---- removing --------------------------------------------------------------------------------- */

/* All that is in the open directory, which is taken. 0 or -errno: the first that happened. */
static int empty(int fd_take, int depth)
{
	DIR *dir = fdopendir(fd_take);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		(void)close(fd_take);
		return r;
	}
	while ((errno = 0, entry = readdir(dir))) {
		int fd, e = 0;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			e = -errno;
		if ((e == -EISDIR || e == -EPERM) && depth < DEPTH_MAX) {
			fd = openat(dirfd(dir), entry->d_name, OPEN_DIRECTORY | O_NOFOLLOW);
			e = fd < 0 ? -errno : empty(fd, depth + 1);
			if (!e && unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0)
				e = -errno;
		}
		r = r ? r : e;
	}
	if (errno)
		r = r ? r : -errno;
	(void)closedir(dir);
	return r;
}

/* Our folder, which is open as fd, and has that name in the directory. 0 or -errno. */
static int remove_tree(const ArchiveFolder *folder, const char *name, int fd)
{
	int again, r;

	seat_rise(folder->seat);
	again = openat(fd, ".", OPEN_DIRECTORY);
	r = again < 0 ? -errno : empty(again, 0);
	if (!r && unlinkat(folder->parent_fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	seat_sit(folder->seat);
	return r;
}

void archive_folder_remove(ArchiveFolder *folder)
{
	const char *name = folder->is_published ? folder->name : folder->part;
	int r = remove_tree(folder, name, folder->fd);

	if (r < 0)
		log_warning("%s/%s: can't be removed: %s", folder->directory, name, strerror(-r));
}

/* ---- making ----------------------------------------------------------------------------------- */

static bool is_part(const char *name)
{
	size_t len = strlen(name), end = strlen(PART);

	return !strncmp(name, ARCHIVE_FOLDER_PREFIX, strlen(ARCHIVE_FOLDER_PREFIX)) && len > end &&
	       !strcmp(name + len - end, PART);
}

/* Who fills it: root, for others, so that the service's user can't put anything in the place of what is there. */
static uid_t filler(const ArchiveFolder *folder)
{
	return folder->seat->switched ? 0 : folder->seat->uid;
}

/* One that nobody has locked was left by a run that was killed. It must be of who fills such a one. */
static void remove_leftover(const ArchiveFolder *folder, const char *name)
{
	_cleanup_close_ int fd =
		seat_openat(folder->seat, folder->parent_fd, name, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0 ||
		(st.st_uid != filler(folder) && st.st_uid != folder->uid) ||
		flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	r = remove_tree(folder, name, fd);
	if (r < 0)
		log_warning("%s/%s: was left by a run that was killed, and can't be removed: %s",
			folder->directory, name, strerror(-r));
}

static void remove_leftovers(const ArchiveFolder *folder)
{
	const struct dirent *entry;
	DIR *dir = NULL;
	int fd;

	seat_rise(folder->seat);
	fd = openat(folder->parent_fd, ".", OPEN_DIRECTORY);
	seat_sit(folder->seat);
	if (fd >= 0)
		dir = fdopendir(fd);
	if (!dir) {
		close_fd(&fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (is_part(entry->d_name))
			remove_leftover(folder, entry->d_name);
	(void)closedir(dir);
}

int archive_folder_make(ArchiveFolder *folder, Why *ret_why)
{
	int r = 0;

	remove_leftovers(folder);
	seat_rise(folder->seat);
	if (mkdirat(folder->parent_fd, folder->part, 0700) < 0)
		r = -errno;
	if (!r) {
		folder->fd = openat(folder->parent_fd, folder->part, OPEN_DIRECTORY | O_NOFOLLOW);
		if (folder->fd < 0 || fchmod(folder->fd, 0700) < 0 ||
			fchown(folder->fd, filler(folder), getgid()) < 0)
			r = -errno;
		if (r < 0)
			(void)unlinkat(folder->parent_fd, folder->part, AT_REMOVEDIR);
	}
	seat_sit(folder->seat);
	/* For who looks for leftovers; not every file system has it. */
	if (!r)
		(void)flock(folder->fd, LOCK_EX | LOCK_NB);
	return r < 0 ? fail(ret_why, folder->directory, r) : 0;
}

/* Nothing that has the name is replaced, be it empty. */
static int rename_part(const ArchiveFolder *folder)
{
	if (!renameat2(folder->parent_fd, folder->part, folder->parent_fd, folder->name,
		    RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* Not every file system knows how. */
	if (!faccessat(folder->parent_fd, folder->name, F_OK, AT_SYMLINK_NOFOLLOW))
		return -EEXIST;
	return renameat(folder->parent_fd, folder->part, folder->parent_fd, folder->name) < 0
		       ? -errno
		       : 0;
}

int archive_folder_publish(ArchiveFolder *folder, Why *ret_why)
{
	int r = 0;

	seat_rise(folder->seat);
	if ((folder->seat->switched || folder->uid != folder->seat->uid) &&
		fchown(folder->fd, folder->uid, folder->gid) < 0)
		r = -errno;
	if (!r && fsync(folder->fd) < 0)
		r = -errno;
	if (!r)
		r = rename_part(folder);
	folder->is_published = !r;
	if (!r && fsync(folder->parent_fd) < 0)
		r = -errno;
	seat_sit(folder->seat);
	return r < 0 ? fail(ret_why, folder->directory, r) : 0;
}
