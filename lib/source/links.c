/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/links.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define LINKS_MAX 40 /* as the kernel follows */
#define PARTS_MAX 64
#define DIGITS_MIN 6
#define DIGITS_MAX 32

static const char *const compressed_suffixes[] = {"", ".gz", ".xz", ".zst"};

/* What a digit that may be another one is in the parts of a path where files of other days are looked for. */
#define ANY_DIGIT '\1'

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What the link at path says, seen from the directory of path. NULL and errno: EINVAL when it is no link. */
static char *read_link_dup(const char *path)
{
	_cleanup_free_ char *dir = NULL;
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = '\0';
	if (*target == '/')
		return strdup(target);
	dir = file_parent_dup(path);
	return dir ? file_join_dup(dir, target) : NULL;
}

int links_resolve(const char *path, char **ret_real)
{
	_cleanup_free_ char *at = strdup(path), *dir = NULL, *real_dir = NULL;
	const char *slash;

	if (!at)
		return -ENOMEM;
	for (int i = 0; i < LINKS_MAX; i++) {
		char *target = read_link_dup(at);

		if (!target && errno == ENOMEM)
			return -ENOMEM;
		if (!target)
			break;
		free(at);
		at = target;
	}
	dir = file_parent_dup(at);
	if (!dir)
		return -ENOMEM;
	real_dir = realpath(dir, NULL);
	if (!real_dir)
		return -errno;
	slash = strrchr(at, '/');
	*ret_real = file_join_dup(real_dir, slash ? slash + 1 : at);
	return *ret_real ? 0 : -ENOMEM;
}

/* ---- dates ---------------------------------------------------------------------------------- */

/* A path in its parts; "." and doubled slashes are none. */
typedef struct Parts {
	char *text;
	char *part[PARTS_MAX];
	size_t count;
} Parts;

static void parts_done(Parts *parts)
{
	free(parts->text);
}

/* 0, -ENOMEM, -ENAMETOOLONG. */
static int split(const char *path, Parts *ret_parts)
{
	char *rest, *part;

	*ret_parts = (Parts){.text = strdup(path)};
	rest = ret_parts->text;
	if (!rest)
		return -ENOMEM;
	while ((part = strsep(&rest, "/"))) {
		if (!*part || !strcmp(part, "."))
			continue;
		if (ret_parts->count == PARTS_MAX)
			return -ENAMETOOLONG;
		ret_parts->part[ret_parts->count++] = part;
	}
	return 0;
}

typedef struct Search {
	const Parts *real; /* digits of the date are ANY_DIGIT */
	char today[DIGITS_MAX + 1];
	Moment *moment;
	const LinksCallbacks *callbacks;
} Search;

static bool is_free(const char *part)
{
	return strchr(part, ANY_DIGIT);
}

/* The same text but for the digits of the date, up to len bytes of name. */
static bool same_shape(const char *name, size_t len, const char *part)
{
	if (strlen(part) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (part[i] == ANY_DIGIT ? !is_digit(name[i]) : name[i] != part[i])
			return false;
	return true;
}

/* Appends the digits of the date in name, which has the shape of part. False when there are too many. */
static bool add_digits(char digits[DIGITS_MAX + 1], const char *name, const char *part)
{
	size_t count = strlen(digits);

	for (size_t i = 0; part[i]; i++) {
		if (part[i] != ANY_DIGIT)
			continue;
		if (count == DIGITS_MAX)
			return false;
		digits[count++] = name[i];
	}
	digits[count] = '\0';
	return true;
}

static int search_in(const Search *search, const char *dir, size_t at, const char *digits);

/* The entry name of dir, which begins with what looks like the part. */
static int take_entry(
	const Search *search, const char *dir, size_t at, const char *name, const char *digits)
{
	_cleanup_free_ char *below = NULL;
	char more[DIGITS_MAX + 1];

	memcpy(more, digits, strlen(digits) + 1);
	if (!add_digits(more, name, search->real->part[at]))
		return 0;
	if (at + 1 == search->real->count)
		return strcmp(more, search->today) > 0
			       ? 0
			       : search->callbacks->found(
					 search->callbacks->userdata, dir, name, more);
	below = file_join_dup(dir, name);
	return below ? search_in(search, below, at + 1, more) : -ENOMEM;
}

static int read_entries(
	const Search *search, int fd, const char *dir, size_t at, const char *digits)
{
	const char *part = search->real->part[at];
	bool last = at + 1 == search->real->count;
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *stream = again < 0 ? NULL : fdopendir(again);

	if (!stream) {
		r = -errno;
		close_fd(&again);
		return r;
	}
	while (!r) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(stream);
		if (!entry) {
			r = -errno;
			break;
		}
		for (size_t i = 0; i < (last ? ARRAY_SIZE(compressed_suffixes) : 1) && !r; i++) {
			const char *suffix = compressed_suffixes[i];
			size_t len = strlen(entry->d_name), end = strlen(suffix);

			if (len < end || strcmp(entry->d_name + len - end, suffix) ||
				!same_shape(entry->d_name, len - end, part))
				continue;
			r = take_entry(search, dir, at, entry->d_name, digits);
		}
	}
	(void)closedir(stream);
	return r;
}

/* Looks in dir for what part `at` of the path can be. 0 or -errno. */
static int search_in(const Search *search, const char *dir, size_t at, const char *digits)
{
	const char *part = search->real->part[at];
	_cleanup_free_ char *prefix = strndup(part, strcspn(part, (char[]){ANY_DIGIT, '\0'}));
	int fd, r;

	if (!prefix)
		return -ENOMEM;
	if (!is_free(part) && at + 1 < search->real->count) {
		_cleanup_free_ char *below = file_join_dup(dir, part);

		return below ? search_in(search, below, at + 1, digits) : -ENOMEM;
	}
	r = moment_add(search->moment, dir, prefix, &fd);
	if (!r)
		r = read_entries(search, fd, dir, at, digits);
	/* A day without a log; a file that looks like one of the directories; one that is not ours to see. */
	return r == -ENOENT || r == -ENOTDIR || r == -EACCES ? 0 : r;
}

static bool is_word(char c, bool with_dots)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (with_dots && c == '.');
}

/*
 * Whether the digits part[at..at+len] belong to a name that path has too: that is a host's, whatever the day. with_dots: it may be
 * an address.
 */
static bool is_named(const char *path, const char *part, size_t at, size_t len, bool with_dots)
{
	size_t start = at, end = at + len;

	while (start && is_word(part[start - 1], with_dots))
		start--;
	while (is_word(part[end], with_dots))
		end++;
	/* Digits alone can be the same by chance. */
	if (end - start == len)
		return false;
	for (const char *hit = path; (hit = memmem(hit, strlen(hit), part + start, end - start));
		hit++)
		if ((hit == path || !is_word(hit[-1], false)) && !is_word(hit[end - start], false))
			return true;
	return false;
}

/* Digits that begin with a year; the others of the date follow them. */
static bool begins_date(const char *digits, size_t len)
{
	return len >= 6 || (len >= 4 && (!strncmp(digits, "19", 2) || !strncmp(digits, "20", 2) ||
						!strncmp(digits, "21", 2)));
}

/*
 * Frees the digits of the date in the parts of real that the links added, and notes them as today's. What stands before a
 * year, or has a name that path has, is the number of something, as is a single digit. How many there are; 0: too many, too.
 */
static size_t free_digits(Search *search, const char *path, size_t from, size_t to, bool with_year)
{
	size_t digits = 0;

	for (size_t i = from; i < to; i++) {
		char *part = search->real->part[i];

		for (size_t at = 0, n; part[at]; at += n ? n : 1) {
			n = strspn(part + at, "0123456789");
			if (n < 2 || is_named(path, part, at, n, false) ||
				is_named(path, part, at, n, true))
				continue;
			if (with_year && !digits && !begins_date(part + at, n))
				continue;
			if (n > DIGITS_MAX - digits)
				return 0;
			memcpy(search->today + digits, part + at, n);
			memset(part + at, ANY_DIGIT, n);
			digits += n;
		}
	}
	return digits;
}

/* Which parts the links added, and whether digits of them can be a date. */
static bool find_date(const char *path, const Parts *path_parts, Search *search)
{
	size_t before = 0, after = 0, digits;
	const Parts *real = search->real;
	size_t shorter = MIN(path_parts->count, real->count);

	while (before < shorter && !strcmp(path_parts->part[before], real->part[before]))
		before++;
	while (after < shorter - before && !strcmp(path_parts->part[path_parts->count - 1 - after],
						   real->part[real->count - 1 - after]))
		after++;
	digits = free_digits(search, path, before, real->count - after, true);
	/* One of two digits. */
	if (!digits)
		digits = free_digits(search, path, before, real->count - after, false);
	return digits >= DIGITS_MIN;
}

int links_find(const char *path, const char *real, Moment *moment, const LinksCallbacks *callbacks)
{
	_cleanup_(parts_done) Parts path_parts = {0}, real_parts = {0};
	_cleanup_free_ char *here = NULL, *absolute = NULL;
	Search search = {.real = &real_parts, .moment = moment, .callbacks = callbacks};
	int r;

	if (*path != '/') {
		here = realpath(".", NULL);
		absolute = here ? file_join_dup(here, path) : NULL;
		if (!absolute)
			return -ENOMEM;
	}
	r = split(absolute ? absolute : path, &path_parts);
	if (!r)
		r = split(real, &real_parts);
	if (r < 0)
		return r == -ENAMETOOLONG ? 0 : r;
	return find_date(absolute ? absolute : path, &path_parts, &search)
		       ? search_in(&search, "/", 0, "")
		       : 0;
}

/* ---- links ---------------------------------------------------------------------------------- */

/* The first link on the way of path: *ret_len bytes of path name it. False when there is none (any more). */
static bool find_link(const char *path, size_t *ret_len, char **ret_target)
{
	for (const char *end = path; *end;) {
		_cleanup_free_ char *upto = NULL;
		char *target;

		end += strspn(end, "/");
		end += strcspn(end, "/");
		upto = strndup(path, (size_t)(end - path));
		target = upto ? read_link_dup(upto) : NULL;
		if (target) {
			*ret_len = (size_t)(end - path);
			*ret_target = target;
			return true;
		}
	}
	return false;
}

int links_walk(const char *path, int (*found)(void *userdata, const char *dir, const char *name),
	void *userdata)
{
	_cleanup_free_ char *at = strdup(path);

	for (int i = 0; i < LINKS_MAX && at; i++) {
		_cleanup_free_ char *target = NULL, *link = NULL, *dir = NULL;
		const char *slash;
		size_t len;
		char *next;
		int r;

		if (!find_link(at, &len, &target))
			return 0;
		link = strndup(at, len);
		dir = link ? file_parent_dup(link) : NULL;
		if (!dir)
			return -ENOMEM;
		slash = strrchr(link, '/');
		r = found(userdata, dir, slash ? slash + 1 : link);
		if (r)
			return r;
		next = at[len] ? file_join_dup(target, at + len + 1) : strdup(target);
		free(at);
		at = next;
	}
	return at ? 0 : -ENOMEM;
}
