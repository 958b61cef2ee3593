/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/match.h"

#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

/* A FIFO put there must not block. */
int match_open(const Sibling *file, Reader **ret_reader)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	/* Names move while a rotation runs: this is not the file that was listed. */
	if (fstat(fd, &st) < 0 || st.st_dev != file->device || st.st_ino != file->inode) {
		(void)close(fd);
		return -ESTALE;
	}
	return reader_new(fd, ret_reader);
}

/* Reads exactly len bytes unless the stream ends before. The number read or -errno. */
static ssize_t read_upto(Reader *reader, char *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = reader_read(reader, data + done, len - done);

		if (n < 0)
			return n;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Appends n bytes to the last MARK_TAIL_MAX bytes that are kept. */
static void keep_history(Before *before, const char *data, size_t n)
{
	size_t keep;

	if (n >= MARK_TAIL_MAX) {
		memcpy(before->history, data + n - MARK_TAIL_MAX, MARK_TAIL_MAX);
		before->history_len = MARK_TAIL_MAX;
		return;
	}
	keep = MIN(before->history_len, (size_t)MARK_TAIL_MAX - n);
	memmove(before->history, before->history + before->history_len - keep, keep);
	memcpy(before->history + keep, data, n);
	before->history_len = keep + n;
}

int match_seek(Reader *reader, uint64_t offset, Before *before)
{
	char data[16384];
	uint64_t at = 0;

	before->head_len = before->history_len = 0;
	while (at < offset) {
		ssize_t n =
			reader_read(reader, data, (size_t)MIN(offset - at, (uint64_t)sizeof(data)));

		if (n < 0)
			return n == -EBADMSG ? MARK_SHORT : (int)n;
		if (!n)
			return MARK_SHORT;
		if (before->head_len < MARK_HEAD_MAX) {
			size_t more = MIN((size_t)n, (size_t)MARK_HEAD_MAX - before->head_len);

			memcpy(before->head + before->head_len, data, more);
			before->head_len += more;
		}
		keep_history(before, data, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

static int compare_head(Reader *reader, const FileMark *mark)
{
	char head[MARK_HEAD_MAX];
	ssize_t n = read_upto(reader, head, mark->head_len);

	if (n < 0)
		return n == -EBADMSG ? MARK_OTHER : (int)n;
	return (size_t)n == mark->head_len && mark_hash(head, (size_t)n) == mark->head_hash
		       ? 0
		       : MARK_OTHER;
}

/* A writer without O_APPEND leaves NULs at the start of all files that it goes on with after a truncation. */
bool match_head_is_empty(const FileMark *mark)
{
	static const char nuls[MARK_HEAD_MAX];

	return mark_hash(nuls, mark->head_len) == mark->head_hash;
}

static void match_place(Match *match, int kind, const TrailPlace *place)
{
	match->kind = kind;
	match->offset = match->sure = place->offset;
	match->tail_len = place->len;
	match->tail_hash = place->hash;
}

/* The first bytes are the same, and nothing else is known: the place behind the last whole line of them, if there is one. */
static int match_head(int fd, const FileMark *mark, Match *match)
{
	char head[MARK_HEAD_MAX];
	ssize_t n = file_pread_full(fd, head, mark->head_len, 0);
	const char *newline;
	TrailPlace place;

	if (n < 0)
		return (int)n;
	newline = (size_t)n == mark->head_len ? memrchr(head, '\n', (size_t)n) : NULL;
	if (!newline || mark_hash(head, (size_t)n) != mark->head_hash)
		return 0;
	place.offset = (uint64_t)(newline - head) + 1;
	place.len = (uint32_t)MIN(place.offset, (uint64_t)MARK_TAIL_MAX);
	place.hash = mark_hash(head + place.offset - place.len, place.len);
	match_place(match, MATCH_CHANGED, &place);
	return 0;
}

/* A plain file that has lost its end or has other bytes before the mark. 0 or -errno. */
static int match_part(int fd, const FileMark *mark, const Trail *earlier, int kind, Match *match)
{
	static const Trail none;
	const Trail *trail = earlier ? earlier : &none;
	struct stat st;
	uint32_t at = 0;
	bool newer;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	match->length = (uint64_t)st.st_size;
	r = trail_match_fd(trail, fd, match->length, &at, &newer);
	if (r < 0)
		return r;
	/* Too short for its first bytes to be compared; a place within it proves as much. */
	if (kind == MARK_OTHER && !r && match->length < mark->offset)
		kind = MARK_SHORT;
	if (kind == MARK_SHORT && !newer) {
		match->kind = MARK_SHORT;
		match->offset = match->length;
		match->sure = r ? mark->head_len : trail->places[at].offset;
		match->tail_len = 0;
		return 0;
	}
	if (r)
		return match_head(fd, mark, match);
	match_place(match, MATCH_CHANGED, &trail->places[at]);
	return 0;
}

static int match_plain(int fd, const FileMark *mark, const Trail *earlier, Match *match)
{
	int r = mark_compare_fd(mark, fd);

	if (r < 0)
		return r;
	if (r == MARK_SHORT || (r == MARK_OTHER && !match_head_is_empty(mark))) {
		r = match_part(fd, mark, earlier, r, match);
		return r;
	}
	match->kind = r;
	return 0;
}

bool match_before_is(const Before *before, uint32_t len, uint64_t hash)
{
	return before->history_len >= len &&
	       mark_hash(before->history + before->history_len - len, len) == hash;
}

/* A compressed file whose first bytes are those of the marked one: decodes it up to the mark, or the places before. 0 or -errno. */
static int match_stream(
	const Sibling *file, const FileMark *mark, const Trail *earlier, Match *match)
{
	uint32_t left = earlier ? earlier->count : 0;
	TrailPlace place = {mark->offset, mark->tail_hash, mark->tail_len};

	for (;;) {
		_cleanup_(reader_freep) Reader *reader = NULL;
		Before reached;
		int r = match_open(file, &reader);

		if (!r)
			r = match_seek(reader, place.offset, &reached);
		if (r < 0)
			return r;
		if (!r && match_before_is(&reached, place.len, place.hash)) {
			if (place.offset < mark->offset)
				match_place(match, MATCH_CHANGED, &place);
			else
				match->kind = 0;
			return 0;
		}
		if (!left)
			return 0;
		place = earlier->places[--left];
	}
}

int match_file(const Sibling *file, const FileMark *mark, const Trail *earlier, bool exact,
	Match *ret_match)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	int r = match_open(file, &reader);

	if (r < 0)
		return r;
	*ret_match = (Match){.kind = MARK_OTHER,
		.offset = mark->offset,
		.tail_len = mark->tail_len,
		.tail_hash = mark->tail_hash};
	if (!reader_compressed(reader))
		return match_plain(reader_fd(reader), mark, earlier, ret_match);
	r = compare_head(reader, mark);
	if (r)
		return MIN(r, 0);
	if (exact)
		return match_stream(file, mark, earlier, ret_match);
	ret_match->kind = 0;
	return 0;
}

int match_read_before(int fd, uint64_t offset, Before *before)
{
	ssize_t n;

	before->head_len = (size_t)MIN(offset, (uint64_t)MARK_HEAD_MAX);
	n = file_pread_full(fd, before->head, before->head_len, 0);
	if (n < 0 || (size_t)n < before->head_len)
		return n < 0 ? (int)n : -ESTALE;
	before->history_len = (size_t)MIN(offset, (uint64_t)MARK_TAIL_MAX);
	n = file_pread_full(
		fd, before->history, before->history_len, (off_t)(offset - before->history_len));
	if (n < 0 || (size_t)n < before->history_len)
		return n < 0 ? (int)n : -ESTALE;
	return 0;
}
