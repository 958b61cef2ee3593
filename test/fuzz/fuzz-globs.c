/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Patterns of logs: the first line is one, the others are names of files in its directory. What is found is what glob(3)
 * finds but for what rotation left; nothing comes twice.
 */

#include "fuzz.h"

#include <glob.h>

#include "../unit/scratch.h"
#include "source/globs.h"
#include "source/siblings.h"

#define NAMES_MAX 16

static bool is_name(Span line)
{
	return line.len && line.len <= 100 && !memchr(line.data, '/', line.len) &&
	       !memchr(line.data, '\0', line.len) && !span_equal_string(line, ".") &&
	       !span_equal_string(line, "..");
}

/* The next line as a path in the directory, if it is a name; heap memory. */
static char *take_path(Span *rest)
{
	const char *newline = memchr(rest->data, '\n', rest->len);
	Span line = {rest->data, newline ? (size_t)(newline - rest->data) : rest->len};
	StrBuf path = STRBUF_INIT;

	rest->data += line.len + !!newline;
	rest->len -= line.len + !!newline;
	if (!is_name(line))
		return NULL;
	strbuf_appendf(&path, "%s/%.*s", scratch_root, (int)line.len, line.data);
	return strbuf_take(&path);
}

static bool may_be_rotated(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	static const char *const compressed[] = {
		".gz", ".xz", ".zst", ".bz2", ".lz4", ".lzma", ".Z"};

	for (size_t i = 0; i < ARRAY_SIZE(compressed); i++) {
		const char *dot = strrchr(name, '.');

		if (dot && !strcmp(dot, compressed[i]))
			return true;
	}
	for (const char *at = name + 1; *at; at++)
		if (siblings_read_suffix(at))
			return true;
	return false;
}

static const GlobLog *find(const GlobList *list, const char *path)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->logs[i].path, path))
			return &list->logs[i];
	return NULL;
}

static void check_list(const GlobList *list, const char *pattern)
{
	glob_t found = {0};
	int r = glob(pattern, 0, NULL, &found);

	HOLDS(!r || r == GLOB_NOMATCH);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		struct stat st;

		if (!stat(path, &st) && S_ISREG(st.st_mode)) /* "." and ".." are there too */
			HOLDS(find(list, path) || may_be_rotated(path));
	}
	for (size_t i = 0; i < list->count; i++) {
		const GlobLog *log = &list->logs[i];
		bool also = false;

		for (size_t j = 0; j < found.gl_pathc && !also; j++)
			also = !strcmp(log->path, found.gl_pathv[j]);
		HOLDS(also && log->there && !log->is_link);
		HOLDS(globs_matches(pattern, log->path));
		HOLDS(!log->twin_of || (log->rotated && may_be_rotated(log->path)));
		HOLDS(!i || strcmp(log[-1].path, log->path) < 0);
	}
	globfree(&found);
}

FUZZ_TARGET(globs)
{
	Span rest = fuzz_rest(&(FuzzInput){data, size});
	_cleanup_globs_ GlobList list = GLOB_LIST_INIT;
	const char *names[2] = {0};
	char *pattern;

	if (!*scratch_root)
		scratch_enter();
	pattern = take_path(&rest);
	if (!pattern || !globs_is_pattern(strrchr(pattern, '/'))) {
		free(pattern);
		return 0;
	}
	for (int i = 0; i < NAMES_MAX && rest.len; i++) {
		char *path = take_path(&rest);

		if (path)
			scratch_append(path, "x", 1);
		free(path);
	}
	names[0] = pattern;
	HOLDS(!globs_find(names, NULL, NULL, &list));
	check_list(&list, pattern);
	free(pattern);
	scratch_empty();
	return 0;
}
