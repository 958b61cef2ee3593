/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/globs.h"

#include "base/ipaddr.h"
#include "base/strbuf.h"
#include "source/siblings.h"

#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <sys/stat.h>

typedef struct Finder {
	GlobList *list;
	const char *pattern;
	size_t size, place_size; /* of the arrays */
	int error;               /* -ENOMEM */
} Finder;

bool globs_is_pattern(const char *path)
{
	return strpbrk(path, "*?[");
}

bool globs_matches(const char *pattern, const char *path)
{
	return !fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD);
}

void globs_done(GlobList *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->logs[i].path);
	for (size_t i = 0; i < list->place_count; i++)
		free(list->places[i].path);
	free(list->logs);
	free(list->places);
	*list = GLOB_LIST_INIT;
}

static void *grow(Finder *finder, void *array, size_t count, size_t *size, size_t element)
{
	void *grown;

	if (count < *size)
		return array;
	grown = reallocarray(array, 2 * *size + 16, element);
	if (grown)
		*size = 2 * *size + 16;
	else
		finder->error = -ENOMEM;
	return grown;
}

static void add_place(Finder *finder, const char *path, bool directory)
{
	GlobList *list = finder->list;
	GlobPlace *places;
	char *copy;

	if (list->place_count >= GLOBS_LOGS_MAX)
		return;
	places =
		grow(finder, list->places, list->place_count, &finder->place_size, sizeof(*places));
	if (!places)
		return;
	list->places = places;
	copy = strdup(path);
	if (!copy)
		finder->error = -ENOMEM;
	else
		places[list->place_count++] = (GlobPlace){copy, directory};
}

static void add_log(Finder *finder, const char *path)
{
	GlobList *list = finder->list;
	GlobLog log = {.pattern = finder->pattern}, *logs;
	struct stat st;

	if (!stat(path, &st) && S_ISREG(st.st_mode)) {
		log.there = true;
		log.device = st.st_dev;
		log.inode = st.st_ino;
		log.is_link = !lstat(path, &st) && S_ISLNK(st.st_mode);
	}
	if (list->count >= GLOBS_LOGS_MAX) {
		list->too_many++;
		return;
	}
	logs = grow(finder, list->logs, list->count, &finder->size, sizeof(*logs));
	if (!logs)
		return;
	list->logs = logs;
	log.path = strdup(path);
	if (!log.path)
		finder->error = -ENOMEM;
	else
		logs[list->count++] = log;
}

static bool is_file(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode);
}

/*
 * Whether the file that matches is no log of its own but what rotation leaves of one that the pattern would name too, even if that is
 * not there at the moment. A host's address as a file's name ("192.0.2.1") only looks like that, and so does a
 * number that is no date ("vps-1234567"): it is not, unless its log is there.
 */
static bool is_rotated(const char *pattern, const char *path)
{
	static const char *const compressed[] = {
		".gz", ".xz", ".zst", ".bz2", ".lz4", ".lzma", ".Z"};
	const char *name = strrchr(path, '/') + 1;
	size_t len = strlen(path);
	char log[PATH_MAX];
	IpAddr addr;

	for (size_t i = 0; i < ARRAY_SIZE(compressed); i++)
		if (len > strlen(compressed[i]) &&
			!strcmp(path + len - strlen(compressed[i]), compressed[i]))
			return true;
	for (const char *at = name + 1; *name && *at; at++) {
		SiblingSuffix suffix = siblings_read_suffix(at);

		if (!suffix)
			continue;
		memcpy(log, path, (size_t)(at - path));
		log[at - path] = '\0';
		if (!globs_matches(pattern, log))
			continue;
		if (is_file(log) || (suffix == SIBLING_SUFFIX_PLAIN &&
					    ipaddr_parse(span_from_string(name), &addr) < 0))
			return true;
	}
	return false;
}

static void find_in(Finder *finder, char path[PATH_MAX], size_t len, const char *rest);

/* The pattern goes on behind the entry of the directory path[0..len]. */
static void find_entry(
	Finder *finder, char path[PATH_MAX], size_t len, const char *name, const char *rest)
{
	size_t name_len = strlen(name);

	if (len + 1 + name_len >= PATH_MAX)
		return;
	path[len] = '/';
	memcpy(path + len + 1, name, name_len + 1);
	find_in(finder, path, len + 1 + name_len, rest);
}

/* Looks at each entry of the directory path[0..len] that matches the component. */
static void find_entries(
	Finder *finder, char path[PATH_MAX], size_t len, const char *component, const char *rest)
{
	DIR *stream = opendir(len ? path : "/");
	struct dirent *entry;

	add_place(finder, len ? path : "/", true);
	if (!stream) {
		if (errno != ENOENT && errno != ENOTDIR && !*finder->list->why.text)
			why_set(&finder->list->why, "%s: %s", len ? path : "/", strerror(errno));
		return;
	}
	while (!finder->error && (entry = readdir(stream)))
		if (!fnmatch(component, entry->d_name, FNM_PERIOD))
			find_entry(finder, path, len, entry->d_name, rest);
	(void)closedir(stream);
}

/* path[0..len] exists or has no magic in it; rest, "" or "/...", is what of the pattern comes behind. */
static void find_in(Finder *finder, char path[PATH_MAX], size_t len, const char *rest)
{
	char component[NAME_MAX + 1];
	size_t n;

	path[len] = '\0';
	while (*rest) {
		rest += strspn(rest, "/");
		n = strcspn(rest, "/");
		if (n > NAME_MAX || len + 1 + n >= PATH_MAX)
			return;
		memcpy(component, rest, n);
		component[n] = '\0';
		rest += n;
		if (strpbrk(component, "*?[\\")) {
			find_entries(finder, path, len, component, rest);
			return;
		}
		path[len] = '/';
		memcpy(path + len + 1, component, n + 1);
		len += 1 + n;
	}
	if (!is_file(path))
		/* A directory or a FIFO where a log should be is none, and will not become one. */
		add_place(finder, path, false);
	else if (!is_rotated(finder->pattern, path))
		add_log(finder, path);
}

static int compare_paths(const void *left, const void *right)
{
	const GlobLog *a = left, *b = right;

	return strcmp(a->path, b->path);
}

/* Which of two names of one file stands for it: the greater. */
typedef struct Rank {
	GlobLog *log;
	unsigned rank;
	size_t at;
} Rank;

static int compare_files(const void *left, const void *right)
{
	const Rank *a = left, *b = right;

	if (a->log->device != b->log->device)
		return a->log->device < b->log->device ? -1 : 1;
	if (a->log->inode != b->log->inode)
		return a->log->inode < b->log->inode ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	return (a->at > b->at) - (a->at < b->at);
}

static int compare_names(const void *left, const void *right)
{
	const Rank *a = left, *b = right;
	int order = strcmp(a->log->path, b->log->path);

	if (!order)
		order = (b->rank > a->rank) - (b->rank < a->rank);
	return order ? order : (a->at > b->at) - (a->at < b->at);
}

static int compare_path(const void *path, const void *rank)
{
	return strcmp(path, ((const Rank *)rank)->log->path);
}

/* A rotated file of another log of the list is read with that. */
static void find_rotated(Rank *ranks, size_t count)
{
	char log[PATH_MAX];

	for (size_t i = 0; i < count; i++) {
		const char *path = ranks[i].log->path, *name = strrchr(path, '/');

		for (const char *at = name ? name + 2 : ""; name && name[1] && *at; at++) {
			const Rank *found;

			if (!siblings_read_suffix(at) || at - path >= PATH_MAX)
				continue;
			memcpy(log, path, (size_t)(at - path));
			log[at - path] = '\0';
			found = bsearch(log, ranks, count, sizeof(*ranks), compare_path);
			if (found) {
				ranks[i].log->twin_of = found->log->path;
				ranks[i].log->rotated = true;
				break;
			}
		}
	}
}

/*
 * Whether both names lead to one file now. They were looked at one after the other, and an inode that a rotation frees is soon
 * another log's.
 */
static bool is_one_file(const char *a, const char *b)
{
	struct stat first, other, again;

	return !stat(a, &first) && !stat(b, &other) && !stat(a, &again) &&
	       first.st_dev == other.st_dev && first.st_ino == other.st_ino &&
	       again.st_dev == first.st_dev && again.st_ino == first.st_ino;
}

static int find_twins(
	GlobList *list, bool (*is_known)(void *userdata, const char *path), void *userdata)
{
	_cleanup_free_ Rank *ranks = calloc(list->count + 1, sizeof(*ranks));

	if (!ranks)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		GlobLog *log = &list->logs[i];

		ranks[i] = (Rank){log,
			(is_known && is_known(userdata, log->path) ? 4u : 0u) +
				(log->pattern ? 0u : 2u) + (log->is_link ? 0u : 1u),
			i};
	}
	qsort(ranks, list->count, sizeof(*ranks), compare_names);
	find_rotated(ranks, list->count);
	for (size_t i = 1, first = 0; i < list->count; i++) {
		if (strcmp(ranks[i].log->path, ranks[first].log->path))
			first = i;
		else
			ranks[i].log->twin_of = ranks[first].log->path;
	}
	qsort(ranks, list->count, sizeof(*ranks), compare_files);
	for (size_t i = 0, first = SIZE_MAX; i < list->count; i++) {
		GlobLog *log = ranks[i].log;

		if (!log->there || log->twin_of)
			continue;
		if (first != SIZE_MAX && log->device == ranks[first].log->device &&
			log->inode == ranks[first].log->inode &&
			is_one_file(log->path, ranks[first].log->path))
			log->twin_of = ranks[first].log->path;
		else
			first = i;
	}
	return 0;
}

int globs_find(const char *const *names, bool (*is_known)(void *userdata, const char *path),
	void *userdata, GlobList *ret_list)
{
	_cleanup_globs_ GlobList list = GLOB_LIST_INIT;
	Finder finder = {.list = &list};
	char path[PATH_MAX] = "";
	size_t listed;
	int r;

	for (size_t i = 0; names[i]; i++)
		if (!globs_is_pattern(names[i]))
			add_log(&finder, names[i]);
	listed = list.count;
	for (size_t i = 0; names[i] && !finder.error; i++) {
		if (!globs_is_pattern(names[i]))
			continue;
		finder.pattern = names[i];
		find_in(&finder, path, 0, names[i]);
	}
	if (finder.error)
		return finder.error;
	if (list.count > listed)
		qsort(list.logs + listed, list.count - listed, sizeof(*list.logs), compare_paths);
	r = find_twins(&list, is_known, userdata);
	if (r < 0)
		return r;
	*ret_list = list;
	list = GLOB_LIST_INIT;
	return 0;
}
