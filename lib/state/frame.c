/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/frame.h"

#include "base/file.h"
#include "base/hash.h"

#include <fcntl.h>
#include <inttypes.h>

#define CHECKSUM_LINE_LEN (sizeof("checksum 0123456789abcdef\n") - 1)

void frame_begin(StrBuf *sb, const char *name, int version)
{
	strbuf_appendf(sb, "maillogsentinel-%s %d\n", name, version);
}

static void append_checksum(StrBuf *sb, const char *data, size_t len)
{
	strbuf_appendf(sb, "checksum %016" PRIx64 "\n", hash_bytes(HASH_KEY_FIXED, data, len));
}

int frame_end(StrBuf *sb)
{
	append_checksum(sb, sb->data, strbuf_error(sb) ? 0 : sb->len);
	if (strbuf_error(sb))
		return strbuf_error(sb);
	/* It could be written but never be read again. */
	return sb->len > FRAME_FILE_MAX ? -EFBIG : 0;
}

int frame_save(const char *path, StrBuf *sb)
{
	int r = frame_end(sb);

	return r < 0 ? r : file_replace(path, sb->data, sb->len, 0600);
}

/*
 * The first line and the checksum; *ret_len is what lies before the latter. 0, -ENOMEM, or -EBADMSG with *ret_why. The version comes
 * first: how a newer one is summed up is not known.
 */
static int check(const StrBuf *sb, const char *name, int version, size_t *ret_len, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf first = STRBUF_INIT, last = STRBUF_INIT;
	size_t len = sb->len > CHECKSUM_LINE_LEN ? sb->len - CHECKSUM_LINE_LEN : 0;
	uint64_t found = 0;

	strbuf_appendf(&first, "maillogsentinel-%s ", name);
	append_checksum(&last, sb->data, len);
	if (strbuf_error(&first) || strbuf_error(&last)) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	if (sb->data && span_starts_with((Span){sb->data, sb->len}, first.data))
		found = strtoull(sb->data + first.len, NULL, 10);
	if (!found) {
		why_set(ret_why, "not a %s of this program", name);
		return -EBADMSG;
	}
	if (found > (uint64_t)version) {
		why_set(ret_why,
			"written by a newer version of this program (format %" PRIu64
			", known is %d)",
			found, version);
		return -EBADMSG;
	}
	if (last.len != sb->len - len || memcmp(sb->data + len, last.data, last.len)) {
		why_set(ret_why, "torn or changed: its checksum is wrong");
		return -EBADMSG;
	}
	*ret_len = len;
	return 0;
}

int frame_read(int fd, const char *name, int version, StrBuf *ret_sb, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	size_t len;
	char *line;
	int r = file_read_fd(fd, FRAME_FILE_MAX, &sb);

	if (r < 0) {
		why_set(ret_why, "%s", strerror(-r));
		return r;
	}
	r = check(&sb, name, version, &len, ret_why);
	if (r < 0)
		return r;
	sb.len = len;
	sb.data[len] = '\0';
	len = 0;
	r = frame_line(&sb, &len, &line);
	if (r < 0) {
		why_set(ret_why, "a line of it can't be read");
		return r;
	}
	strbuf_consume(&sb, len);
	strbuf_done(ret_sb);
	*ret_sb = sb;
	sb = STRBUF_INIT;
	return 0;
}

int frame_load(const char *path, const char *name, int version, StrBuf *ret_sb, Why *ret_why)
{
	/* A FIFO that somebody put there is empty, not waited for: root reads what the service's user could have left. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0)
		return frame_read(fd, name, version, ret_sb, ret_why);
	if (errno == ENOENT)
		return FRAME_NONE;
	why_set(ret_why, "%s", strerror(errno));
	return -errno;
}

int frame_line(StrBuf *sb, size_t *at, char **ret_line)
{
	char *line = sb->data + *at, *end;

	if (*at >= sb->len) {
		*ret_line = NULL;
		return 0;
	}
	end = memchr(line, '\n', sb->len - *at);
	if (!end || memchr(line, '\0', (size_t)(end - line)))
		return -EBADMSG;
	*end = '\0';
	*at += (size_t)(end + 1 - line);
	*ret_line = line;
	return 0;
}
