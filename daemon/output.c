/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/output.h"

#include "base/file.h"
#include "base/number.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

struct OutputFile {
	char *target; /* behind a symbolic link, it is the file that is replaced; NULL: written through */
	StrBuf temporary; /* the name that it has until then; empty: none */
	mode_t mode;
	int fd;
};

static mode_t mode_of_new(void)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return 0666 & ~mask;
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

static int open_nameless(OutputFile *output)
{
	_cleanup_free_ char *parent = file_parent_dup(output->target);

	if (!parent)
		return -ENOMEM;
	output->fd = open(parent, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	return output->fd < 0 ? -errno : 0;
}

static int open_beside(OutputFile *output)
{
	strbuf_appendf(&output->temporary, "%s.XXXXXX", output->target);
	if (strbuf_error(&output->temporary))
		return strbuf_error(&output->temporary);
	output->fd = mkostemp(output->temporary.data, O_CLOEXEC);
	if (output->fd < 0) {
		strbuf_reset(&output->temporary);
		return -errno;
	}
	return 0;
}

/*
 * What is open already under such a name goes on where it stands: the file behind it is whoever's opened it, who may have written to it, and may go
 * on to. A descriptor or -errno; *ret_is says whether it is such a name.
 */
static int open_descriptor(const char *path, bool *ret_is)
{
	static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
	static const char *const directories[] = {"/dev/fd/", "/proc/self/fd/"};
	uint64_t number = UINT64_MAX;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(path, names[i]))
			number = i;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		Span name = span_from_string(path);
		size_t len = strlen(directories[i]);

		if (span_starts_with(name, directories[i]))
			(void)number_parse_u64(
				(Span){name.data + len, name.len - len}, INT32_MAX, &number);
	}
	*ret_is = number != UINT64_MAX;
	if (!*ret_is)
		return -ENOENT;
	fd = fcntl((int)number, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

int output_open(const char *path, OutputFile **ret_output)
{
	_cleanup_(output_freep) OutputFile *output = calloc(1, sizeof(*output));
	struct stat st;
	bool is_open;
	int r;

	if (!output)
		return -ENOMEM;
	output->fd = open_descriptor(path, &is_open);
	if (is_open) {
		r = MIN(output->fd, 0);
		if (!r)
			*ret_output = TAKE(output);
		return r;
	}
	output->fd = -1;
	output->target = realpath(path, NULL);
	if (!output->target && errno != ENOENT)
		return -errno;
	if (is_planted(path))
		return -EACCES;
	if (!output->target)
		output->target = strdup(path);
	if (!output->target)
		return -ENOMEM;
	if (stat(output->target, &st) < 0)
		st.st_mode = S_IFREG | mode_of_new();
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	output->mode = st.st_mode & 07777;
	if (!S_ISREG(st.st_mode)) {
		output->fd = open(output->target, O_WRONLY | O_NOCTTY | O_CLOEXEC);
		r = output->fd < 0 ? -errno : 0;
		free(output->target);
		output->target = NULL;
	} else {
		/* Whoever kills the program leaves nothing behind. */
		r = open_nameless(output);
		if (r == -EOPNOTSUPP || r == -EISDIR || r == -EINVAL)
			r = open_beside(output);
	}
	if (!r)
		*ret_output = TAKE(output);
	return r;
}

int output_fd(const OutputFile *output)
{
	return output->fd;
}

/* Gives a file without a name one, beside the target. */
static int link_beside(OutputFile *output)
{
	char self[64];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", output->fd);
	for (unsigned i = 0;; i++) {
		strbuf_reset(&output->temporary);
		strbuf_appendf(
			&output->temporary, "%s.%jd.%u", output->target, (intmax_t)getpid(), i);
		if (strbuf_error(&output->temporary))
			return strbuf_error(&output->temporary);
		if (linkat(AT_FDCWD, self, AT_FDCWD, output->temporary.data, AT_SYMLINK_FOLLOW) >=
			0)
			return 0;
		if (errno != EEXIST || i == 100) {
			int r = -errno;

			strbuf_reset(&output->temporary);
			return r;
		}
	}
}

int output_finish(OutputFile *output)
{
	int r = 0;

	if (!output->target)
		return 0;
	if (fchmod(output->fd, output->mode) < 0 || fsync(output->fd) < 0)
		return -errno;
	if (!output->temporary.len)
		r = link_beside(output);
	if (r < 0)
		return r;
	if (rename(output->temporary.data, output->target) < 0)
		return -errno;
	strbuf_reset(&output->temporary);
	return file_sync_parent(output->target);
}

void output_free(OutputFile *output)
{
	if (!output)
		return;
	if (output->temporary.len)
		(void)unlink(output->temporary.data);
	strbuf_done(&output->temporary);
	free(output->target);
	if (output->fd >= 0)
		(void)close(output->fd);
	free(output);
}

int output_write(const char *path, Span bytes)
{
	_cleanup_(output_freep) OutputFile *output = NULL;
	int r = output_open(path, &output);

	if (r || !output)
		return r;
	r = file_write_full(output->fd, bytes.data, bytes.len);
	return r ? r : output_finish(output);
}
