/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Steps that make, replace and remove directories and files. */

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "daemon/log.h"
#include "daemon/plan-step.h"

#define FILE_MAX ((size_t)1 << 20) /* that is compared with what it shall be */
#define BACKUPS_MAX 1000           /* of one day */

static int fail(Why *ret_why, const char *path, int r)
{
	why_set(ret_why, "%s: %s", path, strerror(-r));
	return r;
}

static void say_undo(const char *path)
{
	log_error("%s: can't be taken back: %s", path, strerror(errno));
}

/* ---- directories ---------------------------------------------------------------------------- */

typedef struct Directory {
	char *path, *user;
	mode_t mode;
	size_t made; /* that were made: the directory and those above it */
	bool adopted;
	uid_t uid; /* whose it was, when adopted */
	gid_t gid;
	mode_t mode_before;
} Directory;

static void directory_done(void *userdata)
{
	Directory *directory = userdata;

	free(directory->path);
	free(directory->user);
	free(directory);
}

static int open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * Makes the missing ones of path, from the top, and opens it. *ret_made counts them, also on failure. One above it may be somebody's who would have
 * others made, or given away, by putting a link in the place of what was just made: it goes by descriptors.
 */
static int make_directories(const char *path, mode_t mode, size_t *ret_made)
{
	_cleanup_free_ char *parent = file_parent_dup(path);
	_cleanup_close_ int above = -1, fd = -1;
	const char *name = strrchr(path, '/') + 1;

	if (!parent)
		return -ENOMEM;
	above = strcmp(parent, path) != 0 && access(parent, F_OK) < 0
			? make_directories(parent, 0755, ret_made)
			: open_directory(parent);
	if (above < 0)
		return above;
	if (mkdirat(above, name, 0700) < 0)
		return -errno;
	*ret_made += 1;
	fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, mode) < 0)
		return -errno;
	return take_fd(&fd);
}

/* Removes the lowest `made` of path, from the bottom. */
static void remove_directories(const char *path, size_t made)
{
	_cleanup_free_ char *left = strdup(path);

	for (; left && made; made--) {
		if (rmdir(left) < 0 && errno != ENOENT) {
			say_undo(left);
			return;
		}
		*strrchr(left, '/') = '\0';
	}
}

static void undo_directory(void *userdata)
{
	const Directory *directory = userdata;

	if (directory->adopted && (chown(directory->path, directory->uid, directory->gid) < 0 ||
					  chmod(directory->path, directory->mode_before) < 0))
		say_undo(directory->path);
	remove_directories(directory->path, directory->made);
}

static int apply_directory(void *userdata, Why *ret_why)
{
	Directory *directory = userdata;
	const struct passwd *user = getpwnam(directory->user);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!user)
		return fail(ret_why, directory->user, -ENOENT);
	if (directory->adopted)
		fd = open_directory(directory->path);
	else
		fd = make_directories(directory->path, directory->mode, &directory->made);
	r = MIN(fd, 0);
	if (!r && fstat(fd, &st) < 0)
		r = -errno;
	if (!r) {
		directory->uid = st.st_uid;
		directory->gid = st.st_gid;
		directory->mode_before = st.st_mode & 07777;
	}
	if (!r && fchown(fd, user->pw_uid, user->pw_gid) < 0)
		r = -errno;
	if (r < 0) {
		(void)fail(ret_why, directory->path, r);
		remove_directories(directory->path, directory->made);
	}
	return r;
}

int plan_add_directory(Plan *plan, const char *path, const char *user, mode_t mode, bool adopt)
{
	const struct passwd *owner = getpwnam(user);
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	Directory *directory;
	struct stat st;
	bool there = !stat(path, &st);

	if (there && (!adopt || (owner && st.st_uid == owner->pw_uid)))
		return 0;
	directory = calloc(1, sizeof(*directory));
	if (!directory)
		return -ENOMEM;
	directory->path = strdup(path);
	directory->user = strdup(user);
	directory->mode = mode;
	directory->adopted = there;
	strbuf_appendf(&text, there ? "give the directory %s to %s" : "make the directory %s of %s",
		path, user);
	if (!directory->path || !directory->user || strbuf_error(&text)) {
		directory_done(directory);
		return -ENOMEM;
	}
	return plan_take_step(plan, strbuf_take(&text), apply_directory, undo_directory,
		directory_done, directory);
}

/* ---- files ---------------------------------------------------------------------------------- */

typedef struct File {
	char *path;
	char *text; /* NULL: it is removed */
	size_t len;
	mode_t mode;
	char *before;     /* another name for the one before, NULL when there is none */
	bool keep_before; /* afterwards, too */
	bool applied;
	size_t made; /* directories */
} File;

static void file_done(void *userdata)
{
	File *file = userdata;

	/* There is no way back any more. */
	if (file->applied && file->before && !file->keep_before)
		(void)unlink(file->before);
	free(file->path);
	free(file->text);
	free(file->before);
	free(file);
}

static void undo_file(void *userdata)
{
	File *file = userdata;
	_cleanup_free_ char *parent = file_parent_dup(file->path);

	file->applied = false;
	if (file->before ? rename(file->before, file->path) < 0
			 : unlink(file->path) < 0 && errno != ENOENT)
		say_undo(file->path);
	if (parent)
		remove_directories(parent, file->made);
	(void)file_sync_parent(file->path);
}

/* The new one has the mode and the owner of the one before. */
static int replace(const File *file, bool has_before)
{
	mode_t mode = file->mode;
	struct stat st;
	int r;

	if (has_before && stat(file->before, &st) < 0)
		return -errno;
	if (has_before)
		mode = st.st_mode & 0777;
	r = file_replace(file->path, file->text, file->len, mode);
	if (!r && has_before && (st.st_uid != geteuid() || st.st_gid != getegid()) &&
		lchown(file->path, st.st_uid, st.st_gid) < 0) {
		r = -errno;
		(void)rename(file->before, file->path);
	}
	return r;
}

/* What was there stays under its second name until all is done: to take it back is one rename. */
static int apply_file(void *userdata, Why *ret_why)
{
	File *file = userdata;
	_cleanup_free_ char *parent = file_parent_dup(file->path);
	_cleanup_close_ int fd = -1;
	bool linked = false;
	int r = parent ? 0 : -ENOMEM;

	if (!r && access(parent, F_OK) < 0) {
		fd = make_directories(parent, 0755, &file->made);
		r = MIN(fd, 0);
	}
	if (!r && file->before) {
		linked = !link(file->path, file->before);
		r = linked ? 0 : -errno;
	}
	if (!r)
		r = file->text               ? replace(file, linked)
		    : unlink(file->path) < 0 ? -errno
					     : file_sync_parent(file->path);
	file->applied = !r;
	if (r < 0) {
		(void)fail(ret_why, file->path, r);
		if (linked)
			(void)unlink(file->before);
		if (parent)
			remove_directories(parent, file->made);
	}
	return r;
}

/* A name that is free: PATH.2026-11-23, or with a number behind it. 0 or -errno. */
static int name_before(File *file)
{
	time_t now = time(NULL);
	char day[16] = "";
	struct tm civil;

	if (localtime_r(&now, &civil))
		(void)strftime(day, sizeof(day), "%Y-%m-%d", &civil);
	for (unsigned i = 0; i < BACKUPS_MAX; i++) {
		_cleanup_strbuf_ StrBuf name = STRBUF_INIT;

		strbuf_appendf(&name, "%s.%s", file->path, day);
		if (i)
			strbuf_appendf(&name, ".%u", i);
		if (strbuf_error(&name))
			return strbuf_error(&name);
		if (access(strbuf_text(&name), F_OK) < 0 && errno == ENOENT) {
			file->before = strbuf_take(&name);
			return 0;
		}
	}
	return -EEXIST;
}

static bool holds(const char *path, Span text)
{
	_cleanup_strbuf_ StrBuf now = STRBUF_INIT;

	return !file_read(path, FILE_MAX, &now) &&
	       span_equal((Span){strbuf_text(&now), now.len}, text);
}

static int add(Plan *plan, File *file, bool there, const char **ret_backup)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int r = there ? name_before(file) : 0;

	file->keep_before = ret_backup != NULL;
	if (ret_backup)
		*ret_backup = file->before;
	strbuf_appendf(&text, "%s %s", file->text ? "write" : "remove", file->path);
	if (file->keep_before && there && !r)
		strbuf_appendf(&text, " (the one before becomes %s)", file->before);
	if (!r)
		r = strbuf_error(&text);
	if (r < 0) {
		file_done(file);
		return r;
	}
	return plan_take_step(plan, strbuf_take(&text), apply_file, undo_file, file_done, file);
}

static File *file_new(const char *path)
{
	File *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	/* A link to a file elsewhere stays one. */
	file->path = realpath(path, NULL);
	if (!file->path)
		file->path = strdup(path);
	if (!file->path) {
		free(file);
		return NULL;
	}
	return file;
}

int plan_add_file(Plan *plan, const char *path, Span text, mode_t mode, const char **ret_backup)
{
	File *file;

	if (holds(path, text))
		return 0;
	file = file_new(path);
	if (!file)
		return -ENOMEM;
	file->text = span_dup(text);
	file->len = text.len;
	file->mode = mode;
	if (!file->text) {
		file_done(file);
		return -ENOMEM;
	}
	return add(plan, file, !access(file->path, F_OK), ret_backup);
}

int plan_add_removal(Plan *plan, const char *path)
{
	File *file;

	if (access(path, F_OK) < 0)
		return 0;
	file = file_new(path);
	return file ? add(plan, file, true, NULL) : -ENOMEM;
}

/* ---- rights --------------------------------------------------------------------------------- */

typedef struct Right {
	char *path, *user;
	gid_t gid; /* before */
	mode_t mode;
} Right;

static void right_done(void *userdata)
{
	Right *right = userdata;

	free(right->path);
	free(right->user);
	free(right);
}

/* No link: its directory may be somebody's who would like to read another file. A descriptor, or -1 with errno. */
static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1))
		return fd;
	(void)close(fd);
	errno = EMLINK;
	return -1;
}

static void undo_right(void *userdata)
{
	const Right *right = userdata;
	_cleanup_close_ int fd = open_file(right->path);

	if (fd < 0 || fchown(fd, (uid_t)-1, right->gid) < 0 || fchmod(fd, right->mode) < 0)
		say_undo(right->path);
}

static int apply_right(void *userdata, Why *ret_why)
{
	const Right *right = userdata;
	const struct group *group = getgrnam(right->user);
	_cleanup_close_ int fd = open_file(right->path);

	if (!group)
		return fail(ret_why, right->user, -ENOENT);
	if (fd < 0)
		return fail(ret_why, right->path, -errno);
	if (fchown(fd, (uid_t)-1, group->gr_gid) < 0 || fchmod(fd, right->mode | S_IRGRP) < 0) {
		int r = fail(ret_why, right->path, -errno);

		undo_right(userdata);
		return r;
	}
	return 0;
}

int plan_add_group_right(Plan *plan, const char *path, const char *user)
{
	const struct passwd *owner = getpwnam(user);
	const struct group *group = getgrnam(user);
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	struct stat st;
	Right *right;

	if (stat(path, &st) < 0)
		return -errno;
	if ((owner && st.st_uid == owner->pw_uid && st.st_mode & S_IRUSR) ||
		(group && st.st_gid == group->gr_gid && st.st_mode & S_IRGRP))
		return 0;
	if (lstat(path, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	right = calloc(1, sizeof(*right));
	if (!right)
		return -ENOMEM;
	*right = (Right){strdup(path), strdup(user), st.st_gid, st.st_mode & 07777};
	strbuf_appendf(&text, "let the group %s read %s", user, path);
	if (!right->path || !right->user || strbuf_error(&text)) {
		right_done(right);
		return -ENOMEM;
	}
	return plan_take_step(plan, strbuf_take(&text), apply_right, undo_right, right_done, right);
}
