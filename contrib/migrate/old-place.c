/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "migrate/old-place.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "parse/header.h"
#include "source/siblings.h"

#define AROUND \
	((size_t)64 << 10) /* bytes before and behind the place that are looked at: whole lines */
#define CHUNK ((size_t)256 << 10)
/* Clocks of other hosts differ, and a line may come late. */
#define SLACK_US (120 * USEC_PER_SEC)

typedef struct Look {
	uint64_t offset;
	int64_t written_us;
	StrBuf head;          /* the first bytes */
	StrBuf before, after; /* the bytes around the place */
} Look;

void old_place_done(OldPlace *place)
{
	free(place->path);
	*place = OLD_PLACE_INIT;
}

static int append(StrBuf *sb, Reader *reader, size_t max, ssize_t *ret_n)
{
	char *to = strbuf_reserve(sb, max);
	ssize_t n;

	if (!to)
		return -ENOMEM;
	n = reader_read(reader, to, max);
	/* What is damaged ends there. */
	if (n == -EBADMSG)
		n = 0;
	if (n < 0)
		return (int)n;
	sb->len += (size_t)n;
	sb->data[sb->len] = '\0';
	*ret_n = n;
	return 0;
}

/* Reads up to the place and behind it; *ret_has says whether the file is that long. 0 or -errno. */
static int read_around(Look *look, Reader *reader, bool *ret_has)
{
	uint64_t at = 0;
	ssize_t n = 1;
	int r = 0;

	strbuf_reset(&look->head);
	strbuf_reset(&look->before);
	strbuf_reset(&look->after);
	while (at < look->offset && n && !r) {
		size_t len = look->before.len;

		if (!reader_compressed(reader) && at >= MARK_HEAD_MAX &&
			look->offset - at > AROUND) {
			at = look->offset - AROUND;
			strbuf_reset(&look->before);
			r = reader_skip(reader, at);
			continue;
		}
		r = append(&look->before, reader, (size_t)MIN(look->offset - at, CHUNK), &n);
		if (r)
			break;
		at += (uint64_t)n;
		if (look->head.len < MARK_HEAD_MAX)
			strbuf_append(&look->head, look->before.data + len,
				MIN((size_t)n, MARK_HEAD_MAX - look->head.len));
		if (look->before.len > 2 * CHUNK)
			strbuf_consume(&look->before, look->before.len - CHUNK);
	}
	*ret_has = !r && at == look->offset;
	for (n = 1; *ret_has && n && !r && look->after.len < AROUND;)
		r = append(&look->after, reader, AROUND - look->after.len, &n);
	return r ? r : strbuf_error(&look->head);
}

static bool read_stamp(StampContext *context, Span line, int64_t *ret_us)
{
	LineHeader header;

	if (header_parse(context, line, &header) || !header.has_time)
		return false;
	*ret_us = header.time_us;
	return true;
}

/* Whether the lines around the place have the stamps that they would have had. What has none says nothing. */
static bool has_right_stamps(const Look *look, int64_t reference_us)
{
	StampContext context = {.reference_us = reference_us};
	Span before = {look->before.data, look->before.len}, line;
	const char *end;
	int64_t us;

	if (look->after.len && before.len && before.data[before.len - 1] != '\n')
		return false;
	if (before.len && before.data[before.len - 1] == '\n')
		before.len--;
	if (before.len) {
		end = memrchr(before.data, '\n', before.len);
		line = end ? (Span){end + 1, (size_t)(before.data + before.len - end - 1)} : before;
		if (read_stamp(&context, line, &us) && us > look->written_us + SLACK_US)
			return false;
	}
	end = look->after.len ? memchr(look->after.data, '\n', look->after.len) : NULL;
	line = (Span){look->after.data, end ? (size_t)(end - look->after.data) : 0};
	return !end || !read_stamp(&context, line, &us) || us >= look->written_us - SLACK_US;
}

static void fill_mark(const Look *look, int fd, FileMark *mark)
{
	struct stat st;

	*mark = (FileMark){.offset = look->offset};
	if (!fstat(fd, &st)) {
		mark->device = st.st_dev;
		mark->inode = st.st_ino;
		mark->written_us = st.st_mtim.tv_sec * USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
	}
	mark->head_len = (uint32_t)look->head.len;
	mark->head_hash = mark_hash(strbuf_text(&look->head), look->head.len);
	mark->tail_len = (uint32_t)MIN(look->before.len, (size_t)MARK_TAIL_MAX);
	mark->tail_hash = mark_hash(
		strbuf_text(&look->before) + look->before.len - mark->tail_len, mark->tail_len);
}

/* 0; 1: it is not this file; -errno. */
static int look_at(Look *look, const char *path, OldPlace *ret_place)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), r;
	bool has = false;

	if (fd < 0)
		return -errno;
	r = reader_new(fd, &reader);
	if (!r)
		r = read_around(look, reader, &has);
	if (r)
		return r;
	if (!has || !has_right_stamps(look, reader_written_us(reader, look->written_us)))
		return 1;
	ret_place->path = strdup(path);
	if (!ret_place->path)
		return -ENOMEM;
	fill_mark(look, reader_fd(reader), &ret_place->mark);
	ret_place->length = look->offset + look->after.len;
	return 0;
}

int old_place_find(
	const char *path, uint64_t offset, int64_t written_us, OldPlace *ret_place, Why *ret_why)
{
	_cleanup_old_place_ OldPlace place = OLD_PLACE_INIT;
	_cleanup_(moment_freep) Moment *moment = NULL;
	_cleanup_siblings_ SiblingList list = SIBLING_LIST_INIT;
	Look look = {.offset = offset,
		.written_us = written_us,
		.head = STRBUF_INIT,
		.before = STRBUF_INIT,
		.after = STRBUF_INIT};
	int r = moment_new(&moment);

	if (!r)
		r = siblings_list(path, moment, &list);
	if (r == -ENOENT)
		r = 0;
	if (r)
		why_set(ret_why, "%s: %s", path, strerror(-r));
	/* The newest first: where it was rotated, the log itself is too short or too young. */
	for (size_t i = list.count; i > 0 && !r && !place.path; i--) {
		r = look_at(&look, list.files[i - 1].path, &place);
		if (r < 0)
			why_set(ret_why, "%s: %s", list.files[i - 1].path, strerror(-r));
		r = MIN(r, 0);
	}
	strbuf_done(&look.head);
	strbuf_done(&look.before);
	strbuf_done(&look.after);
	if (r)
		return r;
	*ret_place = place;
	place = OLD_PLACE_INIT;
	return 0;
}
