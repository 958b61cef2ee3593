/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/password.h"

#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

static int fail(Why *ret_why, int error, const char *why)
{
	why_set(ret_why, "%s", why);
	return error;
}

/* A descriptor of the file, or -errno. */
static int open_file(const char *path, Why *ret_why)
{
	/* A pipe would be waited for. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		return fail(ret_why, r, strerror(-r));
	}
	if (!S_ISREG(st.st_mode))
		return fail(ret_why, -EINVAL, "is not a regular file");
	if (st.st_mode & S_IRWXO)
		return fail(ret_why, -EACCES,
			"can be read by everybody on this host (chmod o= would change that)");
	if (st.st_size > (off_t)PASSWORD_MAX)
		return fail(ret_why, -EFBIG, "is longer than a password");
	return take_fd(&fd);
}

int password_check_file(const char *path, Why *ret_why)
{
	_cleanup_close_ int fd = open_file(path, ret_why);

	return MIN(fd, 0);
}

int password_read(const char *path, char ret_password[PASSWORD_MAX + 1], Why *ret_why)
{
	_cleanup_close_ int fd = open_file(path, ret_why);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = file_pread_full(fd, ret_password, PASSWORD_MAX, 0);
	if (n < 0)
		return fail(ret_why, (int)n, strerror((int)-n));
	ret_password[n] = '\0';
	ret_password[strcspn(ret_password, "\r\n")] = '\0';
	return *ret_password ? 0 : fail(ret_why, -EINVAL, "holds no password in its first line");
}
