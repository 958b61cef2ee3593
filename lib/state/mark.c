/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/mark.h"

#include "base/file.h"
#include "base/hash.h"

#include <sys/stat.h>

uint64_t mark_hash(const void *data, size_t len)
{
	return hash_bytes(HASH_KEY_FIXED, data, len);
}

int mark_from_fd(int fd, uint64_t offset, FileMark *ret_mark)
{
	unsigned char data[MARK_HEAD_MAX];
	FileMark mark = {.offset = offset};
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	mark.device = st.st_dev;
	mark.inode = st.st_ino;
	mark.written_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	mark.head_len = (uint32_t)MIN(offset, (uint64_t)MARK_HEAD_MAX);
	n = file_pread_full(fd, data, mark.head_len, 0);
	if (n < 0)
		return (int)n;
	if ((size_t)n < mark.head_len)
		return -ESPIPE;
	mark.head_hash = mark_hash(data, (size_t)n);
	mark.tail_len = (uint32_t)MIN(offset, (uint64_t)MARK_TAIL_MAX);
	n = file_pread_full(fd, data, mark.tail_len, (off_t)(offset - mark.tail_len));
	if (n < 0)
		return (int)n;
	if ((size_t)n < mark.tail_len)
		return -ESPIPE;
	mark.tail_hash = mark_hash(data, (size_t)n);
	*ret_mark = mark;
	return 0;
}

int mark_compare_fd(const FileMark *mark, int fd)
{
	unsigned char data[MARK_HEAD_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	n = file_pread_full(fd, data, mark->head_len, 0);
	if (n < 0)
		return (int)n;
	if ((size_t)n < mark->head_len || mark_hash(data, (size_t)n) != mark->head_hash)
		return MARK_OTHER;
	if ((uint64_t)st.st_size < mark->offset)
		return MARK_SHORT;
	n = file_pread_full(fd, data, mark->tail_len, (off_t)(mark->offset - mark->tail_len));
	if (n < 0)
		return (int)n;
	if ((size_t)n < mark->tail_len)
		return MARK_SHORT;
	return mark_hash(data, (size_t)n) == mark->tail_hash ? 0 : MARK_OTHER;
}

/* The last bytes that were read, at most MARK_TAIL_MAX. */
typedef struct Recent {
	char data[MARK_TAIL_MAX];
	size_t len;
} Recent;

static void recent_add(Recent *recent, const char *data, size_t len)
{
	size_t keep;

	if (len > sizeof(recent->data)) {
		data += len - sizeof(recent->data);
		len = sizeof(recent->data);
	}
	keep = MIN(recent->len, sizeof(recent->data) - len);
	memmove(recent->data, recent->data + recent->len - keep, keep);
	memcpy(recent->data + keep, data, len);
	recent->len = keep + len;
}

int mark_compare_reader(const FileMark *mark, Reader *reader, uint64_t *ret_length)
{
	char data[16384];
	Recent recent = {.len = 0};
	uint64_t at = 0;

	while (at < mark->offset) {
		/* The head is looked at as soon as it is whole: most files are other ones. */
		size_t want = at < mark->head_len ? mark->head_len - (size_t)at : sizeof(data);
		char *to = at < mark->head_len ? data + at : data;
		ssize_t n = reader_read(reader, to, (size_t)MIN(want, mark->offset - at));

		if (n == -EBADMSG)
			n = 0;
		if (n < 0)
			return (int)n;
		if (!n)
			break;
		recent_add(&recent, to, (size_t)n);
		at += (uint64_t)n;
		if (at == mark->head_len && mark_hash(data, (size_t)at) != mark->head_hash)
			return MARK_OTHER;
	}
	if (at < mark->head_len)
		return MARK_OTHER;
	*ret_length = at;
	if (at < mark->offset)
		return MARK_SHORT;
	return mark_hash(recent.data + recent.len - mark->tail_len, mark->tail_len) ==
			       mark->tail_hash
		       ? 0
		       : MARK_OTHER;
}
