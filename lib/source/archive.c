/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/archive.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static const char *const compressed_suffixes[] = {".gz", ".xz", ".zst"};

void archive_list_done(ArchiveList *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->files[i].path);
	free(list->files);
	*list = ARCHIVE_LIST_INIT;
}

void archive_place_done(ArchivePlace *place)
{
	reader_free(place->reader);
	free(place->path);
	place->reader = NULL;
	place->path = NULL;
}

/*
 * Reads what stands behind the log's name as number or date: ".1", ".2.gz", "-20261122",
 * ".20261122-125632.gz", "-2026-11-22", "-1795352407". False: not a sibling.
 */
static bool read_suffix(const char *suffix, ArchiveFile *file)
{
	size_t len = strlen(suffix), digits = 0;

	file->compressed = false;
	for (size_t i = 0; i < ARRAY_SIZE(compressed_suffixes); i++) {
		size_t n = strlen(compressed_suffixes[i]);

		if (len > n && !strcmp(suffix + len - n, compressed_suffixes[i])) {
			file->compressed = true;
			len -= n;
			break;
		}
	}
	if (len < 2 || !strchr(".-_", suffix[0]))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (suffix[i] >= '0' && suffix[i] <= '9') {
			if (digits + 1 >= sizeof(file->digits))
				return false;
			file->digits[digits++] = suffix[i];
		} else if (!strchr("-_.T:Z", suffix[i]) || i == 1) {
			return false;
		}
	}
	file->digits[digits] = '\0';
	if (suffix[0] == '.' && digits == len - 1 && digits <= 5) {
		file->kind = 'n';
		file->number = strtoul(file->digits, NULL, 10);
		return true;
	}
	file->kind = 'd';
	return digits >= 6;
}

static int compare_names(const void *left, const void *right)
{
	const ArchiveFile *a = left, *b = right;
	int order = 0;

	if (a->kind == 'l' || b->kind == 'l')
		return (a->kind == 'l') - (b->kind == 'l');
	if (a->kind == 'n')
		order = (b->number > a->number) - (b->number < a->number);
	else
		order = strcmp(a->digits, b->digits);
	/* The same rotation twice: the plain one is whole, the other is being made of it. */
	return order ? order : a->compressed - b->compressed;
}

static int compare_times(const void *left, const void *right)
{
	const ArchiveFile *a = left, *b = right;

	if (a->kind == 'l' || b->kind == 'l')
		return (a->kind == 'l') - (b->kind == 'l');
	if (a->written_us != b->written_us)
		return a->written_us < b->written_us ? -1 : 1;
	return strcmp(a->path, b->path);
}

static int add_file(ArchiveList *list, const char *dir, const char *name, const ArchiveFile *how)
{
	_cleanup_free_ char *path = file_join_dup(dir, name);
	ArchiveFile *files;
	struct stat st;

	if (!path)
		return -ENOMEM;
	/* Gone since, or nothing that holds lines: not a sibling. */
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (list->count >= ARCHIVE_FILES_MAX)
		return -EMFILE;
	files = reallocarray(list->files, list->count + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	list->files = files;
	files[list->count] = *how;
	files[list->count].path = TAKE(path);
	files[list->count].device = st.st_dev;
	files[list->count].inode = st.st_ino;
	files[list->count].written_us =
		(int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	list->count++;
	return 0;
}

/* Drops PATH.1.gz where PATH.1 is: it is being made of it. */
static void drop_unfinished(ArchiveList *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		ArchiveFile *file = &list->files[i], *last = kept ? &list->files[kept - 1] : NULL;

		if (last && file->compressed && !last->compressed && last->kind == file->kind &&
			file->kind != 'l' && !strcmp(last->digits, file->digits)) {
			free(file->path);
			continue;
		}
		list->files[kept++] = *file;
	}
	list->count = kept;
}

int archive_list(const char *path, ArchiveList *ret_list)
{
	_cleanup_archive_list_ ArchiveList list = ARCHIVE_LIST_INIT;
	_cleanup_free_ char *dir = file_parent_dup(path);
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t name_len = strlen(name);
	bool numbered = false, dated = false;
	struct dirent *entry;
	DIR *stream;
	int r = 0;

	if (!dir)
		return -ENOMEM;
	stream = opendir(dir);
	if (!stream && errno != ENOENT)
		return -errno;
	while (stream && !r) {
		ArchiveFile file = {.kind = 'l'};

		errno = 0;
		entry = readdir(stream);
		if (!entry) {
			r = -errno;
			break;
		}
		if (strncmp(entry->d_name, name, name_len))
			continue;
		if (entry->d_name[name_len] && !read_suffix(entry->d_name + name_len, &file))
			continue;
		numbered |= file.kind == 'n';
		dated |= file.kind == 'd';
		r = add_file(&list, dir, entry->d_name, &file);
	}
	if (stream)
		(void)closedir(stream);
	if (r < 0)
		return r;
	if (list.count)
		qsort(list.files, list.count, sizeof(*list.files),
			numbered && dated ? compare_times : compare_names);
	drop_unfinished(&list);
	*ret_list = list;
	list = ARCHIVE_LIST_INIT;
	return 0;
}

/* Opens it for reading; a FIFO put there must not block. */
static int open_file(const ArchiveFile *file, Reader **ret_reader)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
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
 * 0 the marked file, MARK_SHORT, MARK_OTHER, -errno. A compressed file does not grow: one that was
 * read to its end is recognised by its head alone, without decoding all of it.
 */
static int compare_file(const ArchiveFile *file, const FileMark *mark, bool finished)
{
	_cleanup_(reader_freep) Reader *reader = NULL, *again = NULL;
	ArchivePlace place;
	int r = open_file(file, &reader);

	if (r < 0)
		return r;
	if (!reader_compressed(reader))
		return mark_compare_fd(mark, reader_fd(reader));
	r = compare_head(reader, mark);
	if (r || finished)
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

/*
 * The marked file among the listed: its index, or -1. Sets *ret_short when it has become shorter,
 * *ret_error to the reason why one could not be looked at.
 */
static ssize_t find_marked(
	const ArchiveList *list, const ArchiveFrom *from, bool *ret_short, int *ret_error, Why *why)
{
	const FileMark *mark = from->mark;
	ssize_t found = -1, shorter = -1;

	*ret_short = false;
	*ret_error = 0;
	for (size_t i = list->count; i-- > 0;) {
		const ArchiveFile *file = &list->files[i];
		bool same = file->device == mark->device && file->inode == mark->inode;
		int r = compare_file(file, mark, from->finished);

		if (r < 0 && !*ret_error) {
			*ret_error = r == -ENOENT ? -ESTALE : r;
			why_set(why, "%s: %s", file->path, strerror(-r));
		}
		if (r == 0 && (found < 0 || same))
			found = (ssize_t)i;
		if (r == 0 && same)
			break;
		/* Only the file itself can have become shorter; a copy can be incomplete. */
		if (r == MARK_SHORT && same)
			shorter = (ssize_t)i;
	}
	if (found < 0 && shorter >= 0) {
		*ret_short = true;
		return shorter;
	}
	return found;
}

/* Whether a compressed file holds anything at all; one that is damaged at once does, so that it is reported. */
static bool stream_is_empty(const ArchiveFile *file)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	char byte;

	return !open_file(file, &reader) && !reader_read(reader, &byte, 1);
}

/*
 * Opens the file at the mark (NULL: at its start). 0; ARCHIVE_NOTHING when it is a sibling, which
 * does not grow, and at its end; -errno.
 */
static int open_place(const ArchiveFile *file, const FileMark *mark, bool shorter, bool finished,
	ArchivePlace *place)
{
	bool sibling = file->kind != 'l';
	struct stat st;
	ssize_t n;
	int fd, r = open_file(file, &place->reader);

	if (r < 0)
		return r;
	fd = reader_fd(place->reader);
	place->live = !sibling;
	place->device = file->device;
	place->inode = file->inode;
	if (reader_compressed(place->reader)) {
		if (!mark)
			return sibling && stream_is_empty(file) ? ARCHIVE_NOTHING : 0;
		if (finished)
			return ARCHIVE_NOTHING;
		r = seek_stream(place->reader, mark->offset, place);
		return r > 0 ? -ESTALE : r;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	if (mark)
		place->offset = shorter ? (uint64_t)st.st_size : mark->offset;
	if (sibling && (uint64_t)st.st_size <= place->offset)
		return ARCHIVE_NOTHING;
	place->head_len = (size_t)MIN(place->offset, (uint64_t)MARK_HEAD_MAX);
	n = file_pread_full(fd, place->head, place->head_len, 0);
	if (n < 0 || (size_t)n < place->head_len)
		return n < 0 ? (int)n : -ESTALE;
	place->history_len = (size_t)MIN(place->offset, (uint64_t)MARK_TAIL_MAX);
	n = file_pread_full(fd, place->history, place->history_len,
		(off_t)(place->offset - place->history_len));
	if (n < 0 || (size_t)n < place->history_len)
		return n < 0 ? (int)n : -ESTALE;
	return reader_skip(place->reader, place->offset);
}

/* Index in the list to go on at; adds to *condition; lets *mark be NULL where a file is to be read from its start. */
static int choose(const ArchiveList *list, const ArchiveFrom *from, const FileMark **mark,
	bool *shorter, int *condition, size_t *ret_at, Why *why)
{
	ssize_t found;
	size_t at;
	int error;

	*mark = NULL;
	*shorter = false;
	if (from->has_open) {
		for (at = 0; at < list->count; at++) {
			if (list->files[at].device == from->open_device &&
				list->files[at].inode == from->open_inode) {
				*ret_at = at + 1;
				return 0;
			}
		}
	}
	if (!from->mark && !from->has_open) {
		*ret_at = 0;
		return 0;
	}
	if (from->mark) {
		found = find_marked(list, from, shorter, &error, why);
		if (found >= 0) {
			*mark = from->mark;
			*condition |= *shorter ? ARCHIVE_SHORT : 0;
			*ret_at = (size_t)found;
			return 0;
		}
		/* Perhaps it is the one that can't be read: nothing is decided before it can. */
		if (error < 0)
			return error;
	}
	*condition |= ARCHIVE_LOST;
	for (at = 0; at < list->count; at++)
		if (list->files[at].kind == 'l' || list->files[at].written_us > from->seen_us)
			break;
	*ret_at = at;
	return 0;
}

static int next_in(const ArchiveList *list, const ArchiveFrom *from, ArchivePlace *place, Why *why)
{
	const FileMark *mark;
	int condition = 0, r;
	bool shorter;
	size_t at;

	r = choose(list, from, &mark, &shorter, &condition, &at, why);
	if (r < 0)
		return r;
	for (; at < list->count; at++, mark = NULL) {
		const ArchiveFile *file = &list->files[at];

		*place = (ArchivePlace){0};
		r = open_place(file, mark, shorter, from->finished, place);
		if (!r) {
			place->path = strdup(file->path);
			if (place->path)
				return condition;
			r = -ENOMEM;
		}
		archive_place_done(place);
		if (r == ARCHIVE_NOTHING)
			continue;
		why_set(why, "%s: %s", file->path, strerror(-r));
		return r;
	}
	return condition | ARCHIVE_NOTHING;
}

int archive_next(const char *path, const ArchiveFrom *from, ArchivePlace *ret_place, Why *ret_why)
{
	int r = -ESTALE;

	/* A rotation may run while the names are looked at: then look again. */
	for (int attempt = 0; attempt < 5 && r == -ESTALE; attempt++) {
		_cleanup_archive_list_ ArchiveList list = ARCHIVE_LIST_INIT;

		r = archive_list(path, &list);
		if (r < 0) {
			why_set(ret_why, "%s: %s", path, strerror(-r));
			return r;
		}
		r = next_in(&list, from, ret_place, ret_why);
	}
	return r;
}
