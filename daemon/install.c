/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/install.h"

#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

/* A second name for the old file; that name then takes the place of the one before. 0 or -errno. */
static int keep(const char *path, const char *link_path, const char *previous)
{
	if (unlink(link_path) < 0 && errno != ENOENT)
		return -errno;
	if (link(path, link_path) < 0)
		return -errno;
	if (rename(link_path, previous) < 0) {
		int r = -errno;

		(void)unlink(link_path);
		return r;
	}
	/* rename(2) leaves two names of one file alone: a crash came in between last time. */
	(void)unlink(link_path);
	return 0;
}

int install_file(const char *new_path, const char *path)
{
	_cleanup_strbuf_ StrBuf previous = STRBUF_INIT, link_path = STRBUF_INIT;
	bool swapped = false;
	struct stat st;
	int r;

	if (!lstat(path, &st) && S_ISDIR(st.st_mode))
		return -EISDIR;
	strbuf_appendf(&previous, "%s.prev", path);
	strbuf_appendf(&link_path, "%s.prev.new", path);
	if (strbuf_error(&previous) || strbuf_error(&link_path))
		return -ENOMEM;
	r = keep(path, strbuf_text(&link_path), strbuf_text(&previous));
	/* The kernel does not let everybody link to a file of another user (fs.protected_hardlinks), nor do all file systems. */
	if (r == -EPERM || r == -EOPNOTSUPP || r == -EMLINK) {
		swapped = !renameat2(AT_FDCWD, new_path, AT_FDCWD, path, RENAME_EXCHANGE);
		r = swapped ? 0 : -errno;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	if (rename(new_path, swapped ? strbuf_text(&previous) : path) < 0)
		return -errno;
	return file_sync_parent(path);
}
