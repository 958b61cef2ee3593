/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/siblings.h"

#include "base/file.h"
#include "source/links.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define ATTEMPTS_MAX 20

static const char *const compressed_suffixes[] = {".gz", ".xz", ".zst"};

void siblings_done(SiblingList *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->files[i].path);
	free(list->files);
	*list = SIBLING_LIST_INIT;
}

/*
 * Reads what stands behind the log's name as number or date: ".1", ".2.gz", "-20261122",
 * ".20261122-125632.gz", "-2026-11-22", "-1795352407". False: not a sibling.
 */
static bool read_suffix(const char *suffix, Sibling *file)
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
		file->kind = SIBLING_NUMBERED;
		file->number = (uint32_t)strtoul(file->digits, NULL, 10);
		return true;
	}
	file->kind = SIBLING_DATED;
	return digits >= 6;
}

/* Digits that begin as year, month and perhaps day, or seconds of this century. */
static bool is_date(const char *digits)
{
	size_t len = strlen(digits);
	unsigned year, month, day;

	if (len == 10 && digits[0] == '1')
		return true;
	year = (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
	month = (unsigned)(digits[4] - '0') * 10 + (unsigned)(digits[5] - '0');
	day = len < 8 ? 1 : (unsigned)(digits[6] - '0') * 10 + (unsigned)(digits[7] - '0');
	return year >= 19 && year <= 21 && month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
	       len != 7;
}

SiblingSuffix siblings_read_suffix(const char *suffix)
{
	Sibling file;

	if (!read_suffix(suffix, &file))
		return SIBLING_SUFFIX_NONE;
	return file.kind == SIBLING_NUMBERED || is_date(file.digits) ? SIBLING_SUFFIX_PLAIN
								     : SIBLING_SUFFIX_ODD;
}

/* Numbers count down, dates up, the log is last. Of the same rotation the plain file comes first. */
static int compare_names(const void *left, const void *right)
{
	const Sibling *a = left, *b = right;
	int order = (int)a->kind - (int)b->kind;

	if (!order && a->kind == SIBLING_NUMBERED)
		order = (b->number > a->number) - (b->number < a->number);
	if (!order && a->kind == SIBLING_DATED)
		order = strcmp(a->digits, b->digits);
	if (!order)
		order = a->compressed - b->compressed;
	return order ? order : strcmp(a->path, b->path);
}

static bool is_listed(const SiblingList *list, const Sibling *file)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->files[i].device == file->device && list->files[i].inode == file->inode)
			return true;
	return false;
}

static int64_t microseconds(const struct statx_timestamp *time)
{
	return (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000;
}

/* What the file at path is, following links. 0 or -errno. */
static int read_inode(const char *path, Sibling *file, mode_t *ret_mode)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return -errno;
	file->device = makedev(st.stx_dev_major, st.stx_dev_minor);
	file->inode = st.stx_ino;
	file->written_us = microseconds(&st.stx_mtime);
	file->born_us = st.stx_mask & STATX_BTIME ? microseconds(&st.stx_btime) : 0;
	*ret_mode = st.stx_mode;
	return 0;
}

/* only_new: not a file that is listed with another name. */
static int add_file(
	SiblingList *list, const char *dir, const char *name, const Sibling *how, bool only_new)
{
	_cleanup_free_ char *path = file_join_dup(dir, name);
	Sibling *files, file = *how;
	mode_t mode = 0;
	int r;

	if (!path)
		return -ENOMEM;
	r = read_inode(path, &file, &mode);
	/* Gone since, or a link to nowhere: not there. */
	if (r < 0)
		return r == -ENOENT || r == -ELOOP ? 0 : r;
	if (!S_ISREG(mode)) {
		if (how->kind != SIBLING_LOG)
			return 0;
		return S_ISDIR(mode) ? -EISDIR : -EINVAL;
	}
	if (only_new && is_listed(list, &file))
		return 0;
	if (list->count >= SIBLINGS_MAX)
		return -E2BIG;
	files = reallocarray(list->files, list->count + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	list->files = files;
	file.path = TAKE(path);
	files[list->count++] = file;
	return 0;
}

/* Whether files[at] says nothing that the others do not: another name of a later file, or being made of a plain one. */
static bool is_twin(const SiblingList *list, size_t at)
{
	const Sibling *file = &list->files[at], *other;

	for (other = file + 1; other < list->files + list->count; other++)
		if (other->inode == file->inode && other->device == file->device)
			return true;
	for (other = file; file->compressed && other-- > list->files;) {
		if (other->kind != file->kind || strcmp(other->digits, file->digits))
			break;
		if (!other->compressed)
			return true;
	}
	return false;
}

/* From the end, so that what stands before a file and decides on it is still there. */
static void drop_twins(SiblingList *list)
{
	for (size_t at = list->count; at-- > 0;) {
		if (!is_twin(list, at))
			continue;
		free(list->files[at].path);
		list->count--;
		memmove(&list->files[at], &list->files[at + 1],
			(list->count - at) * sizeof(*list->files));
	}
}

/* Whether a was rotated before b: it was written last before b was. */
static bool is_before(const Sibling *a, const Sibling *b)
{
	if (a->written_us != b->written_us)
		return a->written_us < b->written_us;
	/* Two rotations within a tick of the kernel's clock: the file of the first is older than that. */
	return a->born_us <= b->born_us;
}

/* Numbers and dates say nothing of each other: time does. Each keep their own order. */
static int merge(SiblingList *list)
{
	const Sibling *numbered = list->files, *dated, *end = list->files + list->count;
	const Sibling *dated_start = numbered, *dated_end;
	Sibling *files, *to;

	while (dated_start < end && dated_start->kind == SIBLING_NUMBERED)
		dated_start++;
	dated_end = dated_start;
	while (dated_end < end && dated_end->kind == SIBLING_DATED)
		dated_end++;
	if (dated_start == numbered || dated_end == dated_start)
		return 0;
	files = to = reallocarray(NULL, list->count, sizeof(*files));
	if (!files)
		return -ENOMEM;
	for (dated = dated_start; numbered < dated_start || dated < dated_end;)
		*to++ = dated == dated_end || (numbered < dated_start && is_before(numbered, dated))
				? *numbered++
				: *dated++;
	while (dated < end)
		*to++ = *dated++;
	free(list->files);
	list->files = files;
	return 0;
}

static int sort(SiblingList *list)
{
	if (!list->count)
		return 0;
	qsort(list->files, list->count, sizeof(*list->files), compare_names);
	drop_twins(list);
	return merge(list);
}

/*
 * One reading of the directory. Names that are renamed meanwhile can be in it twice or not at all. with_log: the file called name
 * counts, too, as the log.
 */
static int read_directory(
	int fd, const char *dir, const char *name, bool with_log, SiblingList *list)
{
	size_t name_len = strlen(name);
	struct dirent *entry;
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *stream = again < 0 ? NULL : fdopendir(again);

	if (!stream) {
		r = -errno;
		close_fd(&again);
		return r == -ENOENT ? -ESTALE : r;
	}
	while (!r) {
		Sibling file = {.kind = SIBLING_LOG};

		errno = 0;
		entry = readdir(stream);
		if (!entry) {
			r = -errno;
			break;
		}
		if (strncmp(entry->d_name, name, name_len))
			continue;
		if (!entry->d_name[name_len] && !with_log)
			continue;
		if (entry->d_name[name_len] && !read_suffix(entry->d_name + name_len, &file))
			continue;
		r = add_file(list, dir, entry->d_name, &file, !with_log);
	}
	(void)closedir(stream);
	return r == -ENOENT ? -ESTALE : r;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What stands beside the path; a missing directory is empty. */
static int list_beside(const char *path, bool with_log, Moment *moment, SiblingList *list)
{
	_cleanup_free_ char *dir = file_parent_dup(path);
	int fd, r;

	if (!dir)
		return -ENOMEM;
	r = moment_add(moment, dir, base_name(path), &fd);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return read_directory(fd, dir, base_name(path), with_log, list);
}

static int on_found(void *userdata, const char *dir, const char *name, const char *digits)
{
	Sibling file = {.kind = SIBLING_DATED};
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(compressed_suffixes); i++) {
		size_t n = strlen(compressed_suffixes[i]);

		file.compressed |= len > n && !strcmp(name + len - n, compressed_suffixes[i]);
	}
	(void)snprintf(file.digits, sizeof(file.digits), "%s", digits);
	return add_file(userdata, dir, name, &file, true);
}

/* Where the path leads over links, there can be more. */
static int list_behind_links(const char *path, Moment *moment, SiblingList *list)
{
	_cleanup_free_ char *real = NULL;
	int r = links_resolve(path, &real);

	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR || r == -EACCES ? 0 : r;
	/* Files that were rotated under the name that a link leads to. */
	if (strcmp(base_name(path), base_name(real)))
		r = list_beside(real, false, moment, list);
	return r < 0 ? r : links_find(path, real, moment, &(LinksCallbacks){on_found, list});
}

static int list_once(const char *path, Moment *moment, SiblingList *ret_list)
{
	_cleanup_siblings_ SiblingList list = SIBLING_LIST_INIT;
	int r;

	moment_begin(moment);
	r = list_beside(path, true, moment, &list);
	if (!r)
		r = list_behind_links(path, moment, &list);
	if (!r)
		r = moment_check(moment);
	if (!r)
		r = sort(&list);
	if (r < 0)
		return r;
	*ret_list = list;
	list = SIBLING_LIST_INIT;
	return 0;
}

int siblings_list(const char *path, Moment *moment, SiblingList *ret_list)
{
	int r = -ESTALE;

	for (int i = 0; i < ATTEMPTS_MAX && r == -ESTALE; i++)
		r = list_once(path, moment, ret_list);
	return r;
}

/* ---- a file under any name ------------------------------------------------------------------ */

static int find_inode(const char *dir, uint64_t inode, SiblingList *list)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;
	int r = 0;

	if (!stream)
		return errno == ENOMEM ? -ENOMEM : 0;
	while (!r && !list->count && (entry = readdir(stream))) {
		Sibling file = {.kind = SIBLING_DATED};

		if (entry->d_ino == inode)
			r = add_file(list, dir, entry->d_name, &file, false);
	}
	(void)closedir(stream);
	return r;
}

int siblings_find(const char *path, uint64_t inode, SiblingList *ret_list)
{
	_cleanup_siblings_ SiblingList list = SIBLING_LIST_INIT;
	_cleanup_free_ char *dir = file_parent_dup(path), *real = NULL, *real_dir = NULL;
	int r = dir ? find_inode(dir, inode, &list) : -ENOMEM;

	if (!r && !list.count && !links_resolve(path, &real)) {
		real_dir = file_parent_dup(real);
		r = real_dir ? find_inode(real_dir, inode, &list) : -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret_list = list;
	list = SIBLING_LIST_INIT;
	return 0;
}

int siblings_insert(SiblingList *list, size_t at, SiblingList *from_take)
{
	Sibling *files = reallocarray(list->files, list->count + 1, sizeof(*files));

	if (!files)
		return -ENOMEM;
	list->files = files;
	memmove(&files[at + 1], &files[at], (list->count - at) * sizeof(*files));
	files[at] = from_take->files[0];
	list->count++;
	from_take->count = 0;
	return 0;
}
