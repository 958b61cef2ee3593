/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/archive-copy.h"

#include "base/compress.h"
#include "base/file.h"

#include <fcntl.h>

#define BLOCK_SIZE ((size_t)256 * 1024)
#define ATTEMPTS_MAX 3

static int fail(Why *why, const char *path, int error)
{
	why_set(why, "%s: %s", path, strerror(-error));
	return error;
}

static int set_owner(int fd, const struct stat *st)
{
	struct stat now;

	if (fstat(fd, &now) < 0)
		return -errno;
	if (now.st_uid == st->st_uid && now.st_gid == st->st_gid)
		return 0;
	if (!fchown(fd, st->st_uid, st->st_gid))
		return 0;
	/* Who is not root keeps what he can, as cp(1) does. */
	if (errno != EPERM || !geteuid())
		return -errno;
	return fchown(fd, (uid_t)-1, st->st_gid) < 0 && errno != EPERM ? -errno : 0;
}

int archive_copy_attributes(const Seat *seat, int fd, const struct stat *st)
{
	const struct timespec times[] = {st->st_atim, st->st_mtim};
	int r = 0;

	/* It is our own, where nobody else can reach it yet. No program is among what is archived, whatever somebody has put there. */
	seat_rise(seat);
	if (futimens(fd, times) < 0 ||
		fchmod(fd, st->st_mode & (S_ISDIR(st->st_mode) ? 07777 : 0777)) < 0)
		r = -errno;
	if (!r)
		r = set_owner(fd, st);
	seat_sit(seat);
	return !r && fsync(fd) < 0 ? -errno : r;
}

typedef struct Output {
	int fd;
	Packer *packer; /* NULL: as it is */
	StrBuf packed;
} Output;

static void output_done(Output *output)
{
	packer_free(output->packer);
	strbuf_done(&output->packed);
	close_fd(&output->fd);
}

static int flush(Output *output)
{
	int r = file_write_full(output->fd, strbuf_text(&output->packed), output->packed.len);

	strbuf_reset(&output->packed);
	return r;
}

static int put(Output *output, Span bytes)
{
	int r;

	if (!output->packer)
		return file_write_full(output->fd, bytes.data, bytes.len);
	r = packer_add(output->packer, bytes);
	return r ? r : flush(output);
}

static int put_end(Output *output)
{
	int r = output->packer ? packer_end(output->packer) : 0;

	return r ? r : flush(output);
}

/* NAME, or NAME.gz where it is packed; again: in the place of what was begun, since the file has changed. 0 or -errno. */
static int open_output(
	const ArchiveCopy *copy, Belonging *file, Span start, bool again, Output *ret_output)
{
	_cleanup_strbuf_ StrBuf name = STRBUF_INIT;
	_cleanup_(output_done) Output output = {.fd = -1, .packed = STRBUF_INIT};
	int r = 0;

	file->packed = copy->gzip && !reader_recognises(start);
	strbuf_appendf(&name, "%s%s", file->name, file->packed ? ".gz" : "");
	if (strbuf_error(&name))
		return strbuf_error(&name);
	/* Never otherwise: it would be another file's copy. */
	seat_rise(copy->seat);
	if (again && unlinkat(copy->fd, name.data, 0) < 0 && errno != ENOENT)
		r = -errno;
	seat_sit(copy->seat);
	if (r < 0)
		return r;
	output.fd = seat_openat(copy->seat, copy->fd, name.data, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (output.fd < 0)
		return output.fd;
	*ret_output = output;
	output = (Output){.fd = -1};
	if (!file->packed)
		return 0;
	r = packer_new(&ret_output->packed, &ret_output->packer);
	return r;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* 0; -ESTALE when it has changed; -EINTR; another -errno, with *why. */
static int copy_once(
	const ArchiveCopy *copy, Belonging *file, int from, char *block, bool again, Why *why)
{
	_cleanup_(output_done) Output output = {.fd = -1, .packed = STRBUF_INIT};
	struct stat before, after;
	off_t at = 0;
	ssize_t n;
	int r;

	if (fstat(from, &before) < 0)
		return fail(why, file->path, -errno);
	do {
		n = file_pread_full(from, block, BLOCK_SIZE, at);
		if (n < 0)
			return fail(why, file->path, (int)n);
		r = at ? 0 : open_output(copy, file, (Span){block, (size_t)n}, again, &output);
		if (!r)
			r = put(&output, (Span){block, (size_t)n});
		if (r)
			return fail(why, copy->where, r);
		at += n;
		if (!copy->progress(copy->userdata, (size_t)n))
			return -EINTR;
	} while (n == (ssize_t)BLOCK_SIZE);
	r = put_end(&output);
	if (r)
		return fail(why, copy->where, r);
	if (lstat(file->path, &after) < 0 || !is_same(&before, &after) || at != before.st_size) {
		why_set(why, "%s: changes while it is copied", file->path);
		return -ESTALE;
	}
	r = archive_copy_attributes(copy->seat, output.fd, &before);
	if (r)
		return fail(why, copy->where, r);
	file->inode = before.st_ino;
	file->size_bytes = (uint64_t)before.st_size;
	file->modified = before.st_mtim;
	return 0;
}

int archive_copy(const ArchiveCopy *copy, Belonging *file, Why *ret_why)
{
	_cleanup_free_ char *block = malloc(BLOCK_SIZE);
	int r = -ESTALE;

	for (int attempt = 0; attempt < ATTEMPTS_MAX && r == -ESTALE; attempt++) {
		_cleanup_close_ int from =
			open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);

		if (!block || from < 0)
			return fail(ret_why, file->path, block ? -errno : -ENOMEM);
		r = copy_once(copy, file, from, block, attempt > 0, ret_why);
	}
	return r;
}
