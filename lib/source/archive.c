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

/* A writer without O_APPEND leaves NULs at the start of all files that it goes on with after a truncation. */
static bool head_is_empty(const FileMark *mark)
{
	static const char nuls[MARK_HEAD_MAX];

	return mark_hash(nuls, mark->head_len) == mark->head_hash;
}

/* How a file compares with the marked one. */
typedef struct Match {
	int kind; /* 0: the marked file or a copy of it; MARK_SHORT; MATCH_CHANGED; MARK_OTHER */
	uint64_t offset; /* where it goes on */
	uint64_t sure;   /* up to here it surely has the bytes that were read */
	uint64_t length; /* of a plain file, for MARK_SHORT and MATCH_CHANGED */
	/* What stands before offset then. */
	uint32_t tail_len;
	uint64_t tail_hash;
} Match;

enum { MATCH_CHANGED = 3 };

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

static int match_plain(int fd, const ArchiveFrom *from, Match *match)
{
	const FileMark *mark = from->mark;
	int r = mark_compare_fd(mark, fd);

	if (r < 0)
		return r;
	if (r == MARK_SHORT || (r == MARK_OTHER && !head_is_empty(mark))) {
		r = match_part(fd, mark, from->earlier, r, match);
		return r;
	}
	match->kind = r;
	return 0;
}

static bool history_is(const ArchivePlace *place, uint32_t len, uint64_t hash)
{
	return place->history_len >= len &&
	       mark_hash(place->history + place->history_len - len, len) == hash;
}

/* A compressed file whose first bytes are those of the marked one: decodes it up to the mark, or the places before. 0 or -errno. */
static int match_stream(const Sibling *file, const ArchiveFrom *from, Match *match)
{
	const FileMark *mark = from->mark;
	uint32_t left = from->earlier ? from->earlier->count : 0;
	TrailPlace place = {mark->offset, mark->tail_hash, mark->tail_len};

	for (;;) {
		_cleanup_(reader_freep) Reader *reader = NULL;
		ArchivePlace reached;
		int r = open_file(file, &reader);

		if (!r)
			r = seek_stream(reader, place.offset, &reached);
		if (r < 0)
			return r;
		if (!r && history_is(&reached, place.len, place.hash)) {
			if (place.offset < mark->offset)
				match_place(match, MATCH_CHANGED, &place);
			else
				match->kind = 0;
			return 0;
		}
		if (!left)
			return 0;
		place = from->earlier->places[--left];
	}
}

/* A compressed file is decoded up to the mark only when exact; else its head decides. 0 or -errno. */
static int match_file(const Sibling *file, const ArchiveFrom *from, bool exact, Match *ret_match)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	int r = open_file(file, &reader);

	if (r < 0)
		return r;
	*ret_match = (Match){.kind = MARK_OTHER,
		.offset = from->mark->offset,
		.tail_len = from->mark->tail_len,
		.tail_hash = from->mark->tail_hash};
	if (!reader_compressed(reader))
		return match_plain(reader_fd(reader), from, ret_match);
	r = compare_head(reader, from->mark);
	if (r)
		return MIN(r, 0);
	if (exact)
		return match_stream(file, from, ret_match);
	ret_match->kind = 0;
	return 0;
}

typedef struct Found {
	ssize_t at; /* the marked file in the list, -1: it is not there */
	Match match;
	size_t matches;
	int error; /* why a file could not be looked at, or 0 */
} Found;

/*
 * Of several matches the one with the mark's inode, else the newest. Only where none is whole, one that is a part of the marked
 * file or has changed.
 */
static Found find_marked(const SiblingList *list, const ArchiveFrom *from, bool exact, Why *why)
{
	Found found = {.at = -1}, part = {.at = -1};

	/* The newest first: what is copied and then cut is seen whole in one of the two. */
	for (size_t i = list->count; i-- > 0;) {
		const Sibling *file = &list->files[i];
		Match match;
		int r = match_file(file, from, exact, &match);

		if (r < 0 && !found.error) {
			found.error = r;
			why_set(why, "%s: %s", file->path, strerror(-r));
		}
		if (r < 0 || match.kind == MARK_OTHER)
			continue;
		if (!match.kind) {
			if (!found.matches || file->inode == from->mark->inode) {
				found.at = (ssize_t)i;
				found.match = match;
			}
			found.matches++;
		} else if (file->inode == from->mark->inode || (part.at < 0 && !from->finished)) {
			part.at = (ssize_t)i;
			part.match = match;
		}
	}
	if (found.at < 0 && !found.error) {
		found.at = part.at;
		found.match = part.match;
		/* All of it was read, so what is in it now was. */
		if (from->finished && part.match.kind == MATCH_CHANGED)
			found.match = (Match){.offset = MIN(part.match.length, from->mark->offset)};
	}
	return found;
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

		found = find_marked(list, from, exact, why);
		if (found.matches > 1 && !exact)
			found = find_marked(list, from, true, why);
		/* Perhaps it is the one that can't be read: nothing is decided before it can. */
		if (found.at < 0 && found.error)
			return found.error;
	}
	if (found.at >= 0) {
		*ret_found = found;
		*ret_at = (size_t)found.at;
		if (found.match.kind == MARK_SHORT)
			return ARCHIVE_SHORT;
		return found.match.kind == MATCH_CHANGED ? ARCHIVE_CHANGED : 0;
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

/* A damaged stream is not empty: so it is opened, and reported. */
static bool stream_is_empty(const Sibling *file)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	char byte;

	return !open_file(file, &reader) && !reader_read(reader, &byte, 1);
}

/* Whether what stands before the place is what made the file match. It may have been cut and written since. 0 or -ESTALE. */
static int verify(const ArchivePlace *place, const FileMark *mark, const Match *match)
{
	if (mark->head_len <= place->head_len &&
		mark_hash(place->head, mark->head_len) != mark->head_hash)
		return -ESTALE;
	return !match->tail_len || history_is(place, match->tail_len, match->tail_hash) ? 0
											: -ESTALE;
}

/*
 * Opens the file where the match goes on (NULL: at its start). Where a compressed file was finished, its content is left
 * alone. 0 or -errno.
 */
static int open_place(
	Sibling *file, const ArchiveFrom *from, const Match *match, ArchivePlace *place)
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
		place->at_end = match ? from->finished : stream_is_empty(file);
		if (!match || from->finished)
			return 0;
		r = seek_stream(place->reader, match->offset, place);
		return r > 0 ? -ESTALE : r < 0 ? r : verify(place, from->mark, match);
	}
	if (fstat(reader_fd(place->reader), &st) < 0)
		return -errno;
	place->offset = match ? match->offset : 0;
	file->length = (uint64_t)st.st_size;
	file->passed = place->at_end = file->length <= place->offset;
	r = read_before(reader_fd(place->reader), place);
	if (!r && match && !from->finished)
		r = verify(place, from->mark, match);
	return r < 0 ? r : reader_skip(place->reader, place->offset);
}

static void explain(const Sibling *file, const FileMark *mark, const Match *match, Why *why)
{
	uint64_t end = MIN(match->length, mark->offset);

	if (match->kind == MARK_SHORT)
		why_set(why,
			"%s: is shorter than what was read of it (%" PRIu64 " of %" PRIu64
			" bytes), going on at its end; what may be new in bytes %" PRIu64
			" to %" PRIu64 " is skipped",
			file->path, match->length, mark->offset, match->sure, match->length);
	else
		why_set(why,
			"%s: other bytes stand before byte %" PRIu64
			", up to which it was read; going on at byte %" PRIu64 ", bytes %" PRIu64
			" to %" PRIu64 " may be read twice",
			file->path, mark->offset, match->offset, match->offset, end);
}

/* Opens list->files[at], where it goes on. 0 or -errno. */
static int try_place(const SiblingList *list, const ArchiveFrom *from, size_t at,
	const Found *found, ArchivePlace *place, Why *why)
{
	Sibling *file = &list->files[at];
	bool marked = found->at == (ssize_t)at;
	Match match = found->match;
	int r = 0;

	*place = (ArchivePlace){0};
	if (!marked && from->mark) {
		r = match_file(file, from, true, &match);
		marked = !r && !match.kind;
	}
	if (!r)
		r = open_place(file, from, marked ? &match : NULL, place);
	if (r < 0) {
		archive_place_done(place);
		why_set(why, "%s: %s", file->path, strerror(-r));
	} else if (marked && match.kind) {
		explain(file, from->mark, &match, why);
	}
	return r;
}

/* What was passed over had nothing to be read then; a writer can have gone on with it before it wrote what comes after it. */
static int check_passed(const SiblingList *list, size_t end, Why *why)
{
	for (size_t i = 0; i < end; i++) {
		const Sibling *file = &list->files[i];
		struct stat st;

		if (!file->passed)
			continue;
		if (stat(file->path, &st) < 0 || st.st_ino != file->inode ||
			st.st_dev != file->device || (uint64_t)st.st_size > file->length) {
			why_set(why, "%s: is being rotated", file->path);
			return -ESTALE;
		}
	}
	return 0;
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
			r = check_passed(list, at, why);
			if (r < 0) {
				archive_place_done(&place);
				return r;
			}
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
