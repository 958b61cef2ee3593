/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fetch/download-disk.h"

#include "base/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define BLOCK_SIZE ((size_t)64 * 1024)

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Without the scheme, %HH undone. 0, -ENOMEM or -EINVAL. */
static int path_of(const char *url, char **ret_path)
{
	_cleanup_free_ char *path = strdup(url + sizeof("file://") - 1);
	char *to = path;

	if (!path)
		return -ENOMEM;
	for (const char *p = path; *p; p++) {
		int high, low;

		if (*p != '%') {
			*to++ = *p;
			continue;
		}
		high = digit_of(p[1]);
		low = high < 0 ? -1 : digit_of(p[2]);
		if (low < 0 || !(high | low))
			return -EINVAL;
		*to++ = (char)(high << 4 | low);
		p += 2;
	}
	*to = '\0';
	*ret_path = TAKE(path);
	return 0;
}

static int fail(Why *ret_why, int error, const char *what)
{
	why_set(ret_why, "%s", what);
	return error;
}

int download_too_large(const DownloadRequest *request, Why *ret_why)
{
	bool mib = request->size_max >= 1 << 20;

	why_set(ret_why, "is larger than %" PRIu64 " %s", request->size_max >> (mib ? 20 : 10),
		mib ? "MiB" : "KiB");
	return -EFBIG;
}

/* 0 or -errno with *ret_why. */
static int copy(const DownloadRequest *request, int fd, uint64_t total, uint64_t *ret_size_bytes,
	Why *ret_why)
{
	_cleanup_free_ char *block = malloc(BLOCK_SIZE);
	uint64_t done = 0;

	if (!block)
		return fail(ret_why, -ENOMEM, strerror(ENOMEM));
	for (;;) {
		ssize_t n = file_pread_full(fd, block, BLOCK_SIZE, (off_t)done);
		int r;

		if (n < 0)
			return fail(ret_why, (int)n, strerror((int)-n));
		if (!n)
			break;
		done += (uint64_t)n;
		if (done > request->size_max)
			return download_too_large(request, ret_why);
		r = file_write_full(request->fd, block, (size_t)n);
		if (r < 0) {
			why_set(ret_why, "writing it to the disk: %s", strerror(-r));
			return r;
		}
		if (request->progress && !request->progress(request->userdata, done, total))
			return fail(ret_why, -ECANCELED, "interrupted");
	}
	*ret_size_bytes = done;
	return 0;
}

int download_from_disk(const DownloadRequest *request, Download *ret_download, Why *ret_why)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	Download got = {.etag = ""};
	struct stat st;
	int r = path_of(request->url, &path);

	if (r < 0)
		return fail(ret_why, r,
			r == -EINVAL ? "holds a % without two digits behind it" : strerror(-r));
	/* A pipe would be waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(ret_why, -errno, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(ret_why, -EINVAL, "is not a regular file");
	got.modified_s = MAX(st.st_mtim.tv_sec, (time_t)0);
	r = copy(request, fd, (uint64_t)st.st_size, &got.size_bytes, ret_why);
	if (!r)
		*ret_download = got;
	return r;
}
