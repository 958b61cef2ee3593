/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/archive.h"

#include "base/file.h"
#include "source/siblings.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define ATTEMPTS_MAX 5

void archive_place_done(ArchivePlace *place)
{
	reader_free(place->reader);
	free(place->path);
	place->reader = NULL;
	place->path = NULL;
}

/* Opens it for reading; a FIFO put there must not block. */
static int open_file(const Sibling *file, Reader **ret_reader)
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
static void keep_history(ArchivePlace *place, const char *data, size_t n)
{
	size_t keep;

	if (n >= MARK_TAIL_MAX) {
		memcpy(place->history, data + n - MARK_TAIL_MAX, MARK_TAIL_MAX);
		place->history_len = MARK_TAIL_MAX;
		return;
	}
	keep = MIN(place->history_len, (size_t)MARK_TAIL_MAX - n);
	memmove(place->history, place->history + place->history_len - keep, keep);
	memcpy(place->history + keep, data, n);
	place->history_len = keep + n;
}

/* Decodes a compressed file from its start up to offset. 0, MARK_SHORT when it ends before, -errno. */
static int seek_stream(Reader *reader, uint64_t offset, ArchivePlace *place)
{
	char data[16384];
	uint64_t at = 0;

	place->head_len = place->history_len = 0;
	while (at < offset) {
		ssize_t n =
			reader_read(reader, data, (size_t)MIN(offset - at, (uint64_t)sizeof(data)));

		if (n < 0)
			return n == -EBADMSG ? MARK_SHORT : (int)n;
		if (!n)
			return MARK_SHORT;
		if (place->head_len < MARK_HEAD_MAX) {
			size_t more = MIN((size_t)n, (size_t)MARK_HEAD_MAX - place->head_len);

			memcpy(place->head + place->head_len, data, more);
			place->head_len += more;
		}
		keep_history(place, data, (size_t)n);
		at += (uint64_t)n;
	}
	place->offset = offset;
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

/*
 * 0 the marked file or a copy of it, MARK_SHORT, MARK_OTHER, -errno. A compressed file is decoded up to the
 * place only when exact; else its head decides.
 */
static int compare_file(const Sibling *file, const FileMark *mark, bool exact)
{
	_cleanup_(reader_freep) Reader *reader = NULL, *again = NULL;
	ArchivePlace place;
	int r = open_file(file, &reader);

	if (r < 0)
		return r;
	if (!reader_compressed(reader))
		return mark_compare_fd(mark, reader_fd(reader));
	r = compare_head(reader, mark);
	if (r || !exact)
		return r;
	r = open_file(file, &again);
	if (!r)
		r = seek_stream(again, mark->offset, &place);
	if (r)
		return r;
	return place.history_len >= mark->tail_len &&
			       mark_hash(place.history + place.history_len - mark->tail_len,
				       mark->tail_len) == mark->tail_hash
		       ? 0
		       : MARK_OTHER;
}

typedef struct Found {
	ssize_t at; /* the marked file in the list, -1: it is not there */
	bool shorter;
	size_t matches;
	int error; /* why a file could not be looked at, or 0 */
} Found;

/* Of several matches the one with the mark's inode, else the newest. */
static Found find_marked(const SiblingList *list, const FileMark *mark, bool exact, Why *why)
{
	Found found = {.at = -1};
	ssize_t shorter = -1;

	for (size_t i = list->count; i-- > 0;) {
		const Sibling *file = &list->files[i];
		int r = compare_file(file, mark, exact);

		if (r < 0 && !found.error) {
			found.error = r;
			why_set(why, "%s: %s", file->path, strerror(-r));
		}
		if (!r && (!found.matches || file->inode == mark->inode))
			found.at = (ssize_t)i;
		found.matches += !r;
		/* Only the file itself can have become shorter; a copy can be incomplete. */
		if (r == MARK_SHORT && file->inode == mark->inode)
			shorter = (ssize_t)i;
	}
	if (found.at < 0 && shorter >= 0) {
		found.at = shorter;
		found.shorter = true;
	}
	return found;
}

/* A writer without O_APPEND leaves NULs at the start of all files that it goes on with after a truncation. */
static bool head_is_empty(const FileMark *mark)
{
	static const char nuls[MARK_HEAD_MAX];

	return mark_hash(nuls, mark->head_len) == mark->head_hash;
}

/* The index of the open file, or the list's length. */
static size_t find_open(const SiblingList *list, const ArchiveFrom *from)
{
	size_t at = 0;

	while (at < list->count &&
		(!from->has_open || list->files[at].device != from->open_device ||
			list->files[at].inode != from->open_inode))
		at++;
	return at;
}

/* Sets *ret_at to the index in the list to go on at, *ret_found where the marked file is. A condition or -errno. */
static int choose(const SiblingList *list, const ArchiveFrom *from, size_t *ret_at,
	Found *ret_found, Why *why)
{
	Found found = {.at = -1};
	size_t at;

	*ret_found = found;
	*ret_at = 0;
	if (from->after_open) {
		at = find_open(list, from);
		if (at < list->count) {
			*ret_at = at + 1;
			return 0;
		}
	}
	if (!from->mark && !from->after_open)
		return 0;
	if (from->mark) {
		/* To know a finished file its head will do, unless several have the same. */
		bool exact = !from->finished || head_is_empty(from->mark);

		found = find_marked(list, from->mark, exact, why);
		if (found.matches > 1 && !exact)
			found = find_marked(list, from->mark, true, why);
		/* Perhaps it is the one that can't be read: nothing is decided before it can. */
		if (found.at < 0 && found.error)
			return found.error;
	}
	if (found.at >= 0) {
		*ret_found = found;
		*ret_at = (size_t)found.at;
		return found.shorter ? ARCHIVE_SHORT : 0;
	}
	/* Behind the newest that is old: one that was touched later must not bring back all that follow it. */
	for (at = list->count; at > 0; at--)
		if (list->files[at - 1].kind != SIBLING_LOG &&
			list->files[at - 1].written_us <= from->seen_us)
			break;
	*ret_at = at;
	return ARCHIVE_LOST;
}

static int read_before(int fd, ArchivePlace *place)
{
	ssize_t n;

	place->head_len = (size_t)MIN(place->offset, (uint64_t)MARK_HEAD_MAX);
	n = file_pread_full(fd, place->head, place->head_len, 0);
	if (n < 0 || (size_t)n < place->head_len)
		return n < 0 ? (int)n : -ESTALE;
	place->history_len = (size_t)MIN(place->offset, (uint64_t)MARK_TAIL_MAX);
	n = file_pread_full(fd, place->history, place->history_len,
		(off_t)(place->offset - place->history_len));
	if (n < 0 || (size_t)n < place->history_len)
		return n < 0 ? (int)n : -ESTALE;
	return 0;
}

/*
 * Whether the bytes read before the place are the marked ones: since the file was compared it can have been
 * truncated and have grown again. Of one that has become shorter only the start is known.
 */
static bool is_marked(const ArchivePlace *place, const FileMark *mark, bool shorter)
{
	if (place->head_len >= mark->head_len &&
		mark_hash(place->head, mark->head_len) != mark->head_hash)
		return false;
	return shorter || (place->history_len >= mark->tail_len &&
				  mark_hash(place->history + place->history_len - mark->tail_len,
					  mark->tail_len) == mark->tail_hash);
}

/* A damaged stream is not empty: so it is opened, and reported. */
static bool stream_is_empty(const Sibling *file)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	char byte;

	return !open_file(file, &reader) && !reader_read(reader, &byte, 1);
}

/*
 * Opens the file at the mark (NULL: at its start; one that has become shorter: at its end). Where a
 * compressed file was finished, its content is left alone. 0 or -errno.
 */
static int open_place(
	const Sibling *file, const FileMark *mark, bool shorter, bool finished, ArchivePlace *place)
{
	struct stat st;
	int r = open_file(file, &place->reader);

	if (r < 0)
		return r;
	place->live = file->kind == SIBLING_LOG;
	place->device = file->device;
	place->inode = file->inode;
	place->path = strdup(file->path);
	if (!place->path)
		return -ENOMEM;
	if (reader_compressed(place->reader)) {
		place->at_end = mark ? finished : stream_is_empty(file);
		if (!mark || finished)
			return 0;
		r = seek_stream(place->reader, mark->offset, place);
		return r > 0 ? -ESTALE : r;
	}
	if (fstat(reader_fd(place->reader), &st) < 0)
		return -errno;
	if (mark)
		place->offset = shorter ? (uint64_t)st.st_size : mark->offset;
	place->at_end = (uint64_t)st.st_size <= place->offset;
	r = read_before(reader_fd(place->reader), place);
	if (!r && mark && !is_marked(place, mark, shorter))
		r = -ESTALE;
	return r < 0 ? r : reader_skip(place->reader, place->offset);
}

/* Opens list->files[at], where it goes on. 0 or -errno. */
static int try_place(const SiblingList *list, const ArchiveFrom *from, size_t at,
	const Found *found, ArchivePlace *place, Why *why)
{
	const Sibling *file = &list->files[at];
	bool marked = found->at == (ssize_t)at;
	int r = marked || !from->mark ? 0 : compare_file(file, from->mark, true);

	*place = (ArchivePlace){0};
	if (r >= 0)
		r = open_place(file, marked || (from->mark && !r) ? from->mark : NULL,
			marked && found->shorter, from->finished, place);
	if (r < 0) {
		archive_place_done(place);
		why_set(why, "%s: %s", file->path, strerror(-r));
	} else if (marked && found->shorter) {
		why_set(why,
			"%s: is shorter than what was read of it (%" PRIu64 " of %" PRIu64
			" bytes), going on at its end",
			file->path, place->offset, from->mark->offset);
	}
	return r;
}

static int next_in(
	const SiblingList *list, const ArchiveFrom *from, ArchivePlace *ret_place, Why *why)
{
	ArchivePlace waiting = {0}, place;
	Found found;
	size_t at;
	int condition = choose(list, from, &at, &found, why), r = 0;
	size_t open = find_open(list, from);

	if (condition < 0)
		return condition;
	for (; at < list->count; at++) {
		r = try_place(list, from, at, &found, &place, why);
		if (r < 0)
			break;
		place.before_open = open < list->count && at < open;
		if (!place.at_end || (place.live && (place.offset || !waiting.reader))) {
			archive_place_done(&waiting);
			*ret_place = place;
			return condition;
		}
		if (place.live || from->after_open || reader_compressed(place.reader) ||
			waiting.reader)
			archive_place_done(&place);
		else
			waiting = place;
	}
	if (r < 0) {
		archive_place_done(&waiting);
		return r;
	}
	if (!waiting.reader)
		return condition | ARCHIVE_NOTHING;
	*ret_place = waiting;
	return condition;
}

static const char *list_error(int error)
{
	switch (error) {
	case -EMFILE: return "has too many rotated files";
	case -ESTALE: return "is being rotated";
	case -EINVAL: return "not a regular file";
	default: return strerror(-error);
	}
}

int archive_next(const char *path, const ArchiveFrom *from, ArchivePlace *ret_place, Why *ret_why)
{
	ArchivePlace place;
	int r = -ESTALE, still;

	/* What was listed can be renamed before it is opened: then look again. */
	for (int attempt = 0; attempt < ATTEMPTS_MAX && r == -ESTALE; attempt++) {
		_cleanup_siblings_ SiblingList list = SIBLING_LIST_INIT;

		r = siblings_list(path, from->moment, &list);
		if (r < 0) {
			why_set(ret_why, "%s: %s", path, list_error(r));
			return r;
		}
		r = next_in(&list, from, &place, ret_why);
		if (r < 0)
			continue;
		/* A copy that appeared meanwhile may be the marked file, and the log be cut already. */
		still = moment_check(from->moment);
		if (still < 0) {
			if (!(r & ARCHIVE_NOTHING))
				archive_place_done(&place);
			r = still;
		}
	}
	if (r >= 0 && !(r & ARCHIVE_NOTHING))
		*ret_place = place;
	if (r == -ESTALE)
		why_set(ret_why, "%s: %s", path, list_error(r));
	return r;
}
