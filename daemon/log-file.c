/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/log-file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/strbuf.h"

/* No symbolic link: the directory may belong to the service's user, and root may run a command. */
static int open_append(const char *path)
{
	int fd = open(path,
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
		0600);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -ENOTSUP;
	if (r) {
		(void)close(fd);
		return r;
	}
	return fd;
}

int log_file_open(const char *path, uint64_t max_bytes, unsigned backup_count, LogFile *ret_file)
{
	LogFile file = {.path = strdup(path), .max_bytes = max_bytes, .backup_count = backup_count};

	if (!file.path)
		return -ENOMEM;
	file.fd = open_append(path);
	if (file.fd < 0) {
		free(file.path);
		return file.fd;
	}
	*ret_file = file;
	return 0;
}

void log_file_close(LogFile *file)
{
	close_fd(&file->fd);
	free(file->path);
	*file = LOG_FILE_NONE;
}

static int reopen(LogFile *file)
{
	close_fd(&file->fd);
	file->torn = false;
	file->fd = open_append(file->path);
	return MIN(file->fd, 0);
}

static int name_backup(const LogFile *file, unsigned number, StrBuf *name)
{
	strbuf_reset(name);
	strbuf_appendf(name, "%s.%u", file->path, number);
	return strbuf_error(name);
}

static int rotate(LogFile *file)
{
	_cleanup_strbuf_ StrBuf from = STRBUF_INIT, to = STRBUF_INIT;
	int r;

	if (!file->backup_count)
		return ftruncate(file->fd, 0) < 0 ? -errno : 0;
	for (unsigned n = file->backup_count; n; n--) {
		r = name_backup(file, n, &to);
		if (!r && n > 1)
			r = name_backup(file, n - 1, &from);
		if (r)
			return r;
		if (rename(n > 1 ? from.data : file->path, to.data) < 0 && errno != ENOENT)
			return -errno;
	}
	return reopen(file);
}

/* The file under the name, and how long it is. */
static int follow_name(LogFile *file, uint64_t *ret_size)
{
	struct stat named, opened;
	int r;

	if (file->fd < 0 || stat(file->path, &named) < 0 || fstat(file->fd, &opened) < 0 ||
		named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) {
		r = reopen(file);
		if (r)
			return r;
		if (fstat(file->fd, &opened) < 0)
			return -errno;
	}
	*ret_size = (uint64_t)opened.st_size;
	return 0;
}

int log_file_write(LogFile *file, Span line)
{
	uint64_t size = 0;
	size_t done = 0;
	int r;

	r = follow_name(file, &size);
	if (r)
		return r;
	if (size && size + line.len > file->max_bytes) {
		r = rotate(file);
		if (r)
			return r;
	}
	if (file->torn && write(file->fd, "\n", 1) != 1)
		return -errno;
	file->torn = false;
	while (done < line.len && !r) {
		ssize_t n = write(file->fd, line.data + done, line.len - done);

		if (n > 0)
			done += (size_t)n;
		else if (!n || errno != EINTR)
			r = n ? -errno : -EIO;
	}
	/* Not cut back: another process may have written behind it. The next line starts on its own. */
	file->torn = done && r;
	return r;
}
