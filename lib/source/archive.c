/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/archive.h"

#include "source/siblings.h"

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
		int r = match_file(file, from->mark, from->earlier, exact, &match);

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
		} else if (file->inode == from->mark->inode ||
			   (part.at < 0 && !from->finished && !match_head_is_empty(from->mark))) {
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

static int condition_of(const Match *match)
{
	if (match->kind == MARK_SHORT)
		return ARCHIVE_SHORT;
	return match->kind == MATCH_CHANGED ? ARCHIVE_CHANGED : 0;
}

/*
 * The marked file may have got a name that no rotation gives (mv mail.log mail.log.old; a link that leads elsewhere now): then it comes before
 * list->files[at]. A condition or -errno.
 */
static int find_renamed(const char *path, SiblingList *list, const ArchiveFrom *from, size_t at,
	Found *ret_found, Why *why)
{
	_cleanup_siblings_ SiblingList renamed = SIBLING_LIST_INIT;
	Found found = {.at = (ssize_t)at};
	int r = siblings_find(path, from->mark->inode, &renamed);

	if (!r && !renamed.count)
		return ARCHIVE_LOST;
	if (!r)
		r = match_file(&renamed.files[0], from->mark, from->earlier, true, &found.match);
	if (r < 0) {
		why_set(why, "%s: %s", renamed.count ? renamed.files[0].path : path, strerror(-r));
		return r;
	}
	if (found.match.kind == MARK_OTHER)
		return ARCHIVE_LOST;
	r = siblings_insert(list, at, &renamed);
	if (r < 0)
		return r;
	*ret_found = found;
	return condition_of(&found.match);
}

/* Sets *ret_at to the index in the list to go on at, *ret_found where the marked file is. A condition or -errno. */
static int choose(const char *path, SiblingList *list, const ArchiveFrom *from, size_t *ret_at,
	Found *ret_found, Why *why)
{
	Found found = {.at = -1};
	size_t at;
	bool exact;

	*ret_found = found;
	*ret_at = 0;
	if (from->after_open) {
		at = find_open(list, from);
		if (at < list->count) {
			*ret_at = at + 1;
			return 0;
		}
	}
	/* Nothing was read of any file. */
	if (!from->mark)
		return 0;
	/* To know a finished file its head will do, unless several have the same. */
	exact = !from->finished || match_head_is_empty(from->mark);
	found = find_marked(list, from, exact, why);
	if (found.matches > 1 && !exact)
		found = find_marked(list, from, true, why);
	/* Perhaps it is the one that can't be read: nothing is decided before it can. */
	if (found.at < 0 && found.error)
		return found.error;
	if (found.at >= 0) {
		*ret_found = found;
		*ret_at = (size_t)found.at;
		return condition_of(&found.match);
	}
	/* Behind the newest that is old: one that was touched later must not bring back all that follow it. */
	for (at = list->count; at > 0; at--)
		if (list->files[at - 1].kind != SIBLING_LOG &&
			list->files[at - 1].written_us <= from->seen_us)
			break;
	*ret_at = at;
	if (!from->after_open)
		return find_renamed(path, list, from, at, ret_found, why);
	return ARCHIVE_LOST;
}

/* A damaged stream is not empty: so it is opened, and reported. */
static bool stream_is_empty(const Sibling *file)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	char byte;

	return !match_open(file, &reader) && !reader_read(reader, &byte, 1);
}

/* Whether what stands before the place is what made the file match. It may have been cut and written since. 0 or -ESTALE. */
static int verify(const ArchivePlace *place, const FileMark *mark, const Match *match)
{
	if (mark->head_len <= place->before.head_len &&
		mark_hash(place->before.head, mark->head_len) != mark->head_hash)
		return -ESTALE;
	return !match->tail_len ||
			       match_before_is(&place->before, match->tail_len, match->tail_hash)
		       ? 0
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
	int r = match_open(file, &place->reader);

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
		place->offset = match->offset;
		r = match_seek(place->reader, place->offset, &place->before);
		return r > 0 ? -ESTALE : r < 0 ? r : verify(place, from->mark, match);
	}
	if (fstat(reader_fd(place->reader), &st) < 0)
		return -errno;
	place->offset = match ? match->offset : 0;
	file->length = (uint64_t)st.st_size;
	file->passed = place->at_end = file->length <= place->offset;
	r = match_read_before(reader_fd(place->reader), place->offset, &place->before);
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
		r = match_file(file, from->mark, from->earlier, true, &match);
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

/*
 * Whether files[at] is older than the open file. Where that has lost its name (it was compressed, or copied and removed), what was read
 * of it stands in another one; where it is nowhere, nothing is known. Or -errno.
 */
static int is_before_open(const SiblingList *list, const ArchiveFrom *from, size_t at)
{
	size_t open = find_open(list, from);
	int error = 0;

	if (open < list->count || !from->open_mark || !from->open_mark->offset)
		return open < list->count && at < open;
	for (size_t i = at; i < list->count; i++) {
		Match match;
		int r = match_file(&list->files[i], from->open_mark, NULL, true, &match);

		if (r < 0)
			error = r;
		else if (!match.kind)
			return i > at;
	}
	return error;
}

static int next_in(const char *path, SiblingList *list, const ArchiveFrom *from,
	ArchivePlace *ret_place, Why *why)
{
	ArchivePlace waiting = {0}, place;
	Found found;
	size_t at;
	int condition = choose(path, list, from, &at, &found, why), r = 0;

	if (condition < 0)
		return condition;
	for (; at < list->count; at++) {
		r = try_place(list, from, at, &found, &place, why);
		if (r < 0)
			break;
		if (!place.at_end || (place.live && (place.offset || !waiting.reader))) {
			archive_place_done(&waiting);
			r = check_passed(list, at, why);
			if (!r)
				r = is_before_open(list, from, at);
			if (r < 0) {
				archive_place_done(&place);
				return r;
			}
			place.before_open = r;
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
	case -E2BIG: return "has too many rotated files";
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
		r = next_in(path, &list, from, &place, ret_why);
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
