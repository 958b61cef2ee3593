/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/output.h"

#include "base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static int write_through(const char *path, Span bytes)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : file_write_full(fd, bytes.data, bytes.len);
}

static mode_t mode_of_new(void)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return 0666 & ~mask;
}

/* Puts the bytes into the new file and gives it its name. 0 or -errno. */
static int fill(int fd, const char *temporary, const char *path, mode_t mode, Span bytes)
{
	int r = file_write_full(fd, bytes.data, bytes.len);

	if (!r && fchmod(fd, mode) < 0)
		r = -errno;
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (!r && rename(temporary, path) < 0)
		r = -errno;
	return r;
}

/* A link that somebody else has left in a directory like /tmp: open(2) mostly follows none (proc(5), protected_symlinks). */
static bool is_planted(const char *path)
{
	_cleanup_free_ char *parent = file_parent_dup(path);
	struct stat link, directory;

	if (lstat(path, &link) < 0 || !S_ISLNK(link.st_mode) || link.st_uid == geteuid())
		return false;
	/* What is not known is not followed. */
	if (!parent || stat(parent, &directory) < 0)
		return true;
	return directory.st_mode & S_ISVTX && directory.st_mode & S_IWOTH &&
	       link.st_uid != directory.st_uid;
}

int output_write(const char *path, Span bytes)
{
	/* Behind a symbolic link, it is the file that is replaced. */
	_cleanup_free_ char *real = realpath(path, NULL);
	_cleanup_strbuf_ StrBuf temporary = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	const char *target = real ? real : path;
	struct stat st;
	int r;

	if (!real && errno != ENOENT)
		return -errno;
	if (is_planted(path))
		return -EACCES;
	if (stat(target, &st) < 0)
		st.st_mode = S_IFREG | mode_of_new();
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return write_through(path, bytes);
	strbuf_appendf(&temporary, "%s.XXXXXX", target);
	if (strbuf_error(&temporary))
		return strbuf_error(&temporary);
	fd = mkostemp(temporary.data, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fill(fd, temporary.data, target, st.st_mode & 07777, bytes);
	if (r < 0)
		(void)unlink(temporary.data);
	return r;
}
