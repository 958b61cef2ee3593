/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

int file_write_full(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			struct pollfd writable = {.fd = fd, .events = POLLOUT};

			if (errno == EINTR)
				continue;
			/* A pipe that somebody else made non-blocking: wait for its reader. */
			if (errno == EAGAIN && (poll(&writable, 1, -1) >= 0 || errno == EINTR))
				continue;
			return -errno;
		}
		if (!n)
			return -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t file_pread_full(int fd, void *data, size_t len, off_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)data + done, len - done, offset + (off_t)done);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int file_read_fd(int fd, size_t max, StrBuf *sb)
{
	size_t start = sb->len;

	for (;;) {
		char *to = strbuf_reserve(sb, 16384);
		ssize_t n;

		if (!to)
			return strbuf_error(sb);
		n = read(fd, to, 16384);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			break;
		sb->len += (size_t)n;
		sb->data[sb->len] = '\0';
		if (sb->len - start > max)
			return -EFBIG;
	}
	return 0;
}

int file_read(const char *path, size_t max, StrBuf *sb)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : file_read_fd(fd, max, sb);
}

char *file_parent_dup(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	if (slash == path)
		return strdup("/");
	return strndup(path, (size_t)(slash - path));
}

char *file_join_dup(const char *dir, const char *name)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	strbuf_append_string(&sb, dir);
	if (!sb.len || sb.data[sb.len - 1] != '/')
		strbuf_append_char(&sb, '/');
	strbuf_append_string(&sb, name);
	return strbuf_take(&sb);
}

int file_sync_parent(const char *path)
{
	_cleanup_free_ char *dir = file_parent_dup(path);
	_cleanup_close_ int fd = -1;

	if (!dir)
		return -ENOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *path, const void *data, size_t len, mode_t mode, bool sync)
{
	_cleanup_strbuf_ StrBuf temporary = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	int r;

	strbuf_appendf(&temporary, "%s.tmp", path);
	if (strbuf_error(&temporary))
		return strbuf_error(&temporary);
	/* One writer holds the lock of the directory, so a leftover is from a crash. */
	if (unlink(temporary.data) < 0 && errno != ENOENT)
		return -errno;
	fd = open(temporary.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = file_write_full(fd, data, len);
	if (!r && fchmod(fd, mode) < 0)
		r = -errno;
	if (!r && sync && fsync(fd) < 0)
		r = -errno;
	if (!r && rename(temporary.data, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary.data);
		return r;
	}
	return sync ? file_sync_parent(path) : 0;
}

int file_replace(const char *path, const void *data, size_t len, mode_t mode)
{
	return replace(path, data, len, mode, true);
}

int file_replace_unsynced(const char *path, const void *data, size_t len, mode_t mode)
{
	return replace(path, data, len, mode, false);
}

void file_raise_open_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = MAX(limit.rlim_cur, MIN(limit.rlim_max, (rlim_t)FILE_OPEN_MAX));
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int file_walk(const char *path, FileLook *look, void *userdata)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	do {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			r = -errno;
		else
			r = look(userdata, dirfd(dir), entry->d_name);
	} while (entry && !r);
	(void)closedir(dir);
	return r;
}
