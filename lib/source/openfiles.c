/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/openfiles.h"

#include <dirent.h>
#include <limits.h>

size_t openfiles_count(const char *part)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[PATH_MAX];
	size_t count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		count += len > 0 && memmem(target, (size_t)len, part, strlen(part));
	}
	(void)closedir(dir);
	return count;
}
