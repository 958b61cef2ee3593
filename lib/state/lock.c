/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/lock.h"

#include "base/file.h"

#include <fcntl.h>

/*
 * A lock on an open file has no process that could be asked for. So its last byte is left to a lock of the old kind
 * (F_SETLK), which has: it guards nothing, and it does not matter that it goes when this process closes any descriptor of the file.
 */
#define GUARD_LEN (INT64_MAX - 1)

static const struct flock guard = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = GUARD_LEN};
static const struct flock signature = {
	.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = GUARD_LEN, .l_len = 1};

int lock_file(int fd)
{
	struct flock lock = guard, sign = signature;

	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return errno == EAGAIN || errno == EACCES ? LOCK_HELD : -errno;
	(void)fcntl(fd, F_SETLK, &sign);
	return 0;
}

pid_t lock_file_holder(int fd)
{
	struct flock sign = signature;

	return !fcntl(fd, F_GETLK, &sign) && sign.l_type != F_UNLCK && sign.l_pid > 0 ? sign.l_pid
										      : 0;
}

void lock_file_release(int fd)
{
	struct flock lock = guard, sign = signature;

	lock.l_type = sign.l_type = F_UNLCK;
	(void)fcntl(fd, F_SETLK, &sign);
	(void)fcntl(fd, F_OFD_SETLK, &lock);
}

int lock_take(const char *path, const char *command, int *ret_fd, char ret_holder[LOCK_HOLDER_MAX])
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char line[LOCK_HOLDER_MAX];
	int n, r;

	if (fd < 0)
		return -errno;
	r = lock_file(fd);
	if (r == LOCK_HELD) {
		ssize_t got = file_pread_full(fd, line, sizeof(line) - 1, 0);

		line[got > 0 ? got : 0] = '\0';
		line[strcspn(line, "\n")] = '\0';
		memcpy(ret_holder, line, sizeof(line));
	}
	if (r)
		return r;
	n = snprintf(line, sizeof(line), "%ld %.40s\n", (long)getpid(), command);
	if (n < 0)
		return -EINVAL;
	/* Over the old line, not after emptying the file: that needs no room on a disk that is full. */
	r = file_write_full(fd, line, (size_t)n);
	if (r < 0)
		return r;
	if (ftruncate(fd, n) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}
