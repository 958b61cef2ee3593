/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/lock.h"

#include "base/file.h"

#include <fcntl.h>

int lock_file(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EAGAIN || errno == EACCES ? LOCK_HELD : -errno;
}

void lock_file_release(int fd)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

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
