/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/globs.h"

#include "base/strbuf.h"
#include "scratch.h"
#include "tap.h"

/* Names in the scratch directory become paths. */
static char *path_dup(const char *name)
{
	return file_join_dup(scratch_root, name);
}

static char **paths_of(const char *names)
{
	char **paths = calloc(64, sizeof(*paths)), *copy = strdup(names), *rest = copy, *name;
	size_t count = 0;

	MUST(paths && copy);
	while (*copy && (name = strsep(&rest, " "))) {
		paths[count] = path_dup(name);
		MUST(paths[count++] && count < 64);
	}
	free(copy);
	return paths;
}

static void free_paths(char **paths)
{
	for (char **path = paths; *path; path++)
		free(*path);
	free(paths);
}

/* "DIR/": a directory; "NAME>TARGET": a symbolic link; "NAME=OTHER": a hard link; else a file. */
static void make(const char *what)
{
	char *copy = strdup(what), *at;

	MUST(copy);
	for (at = strchr(copy, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		MUST(!mkdir(copy, 0755) || errno == EEXIST);
		*at = '/';
	}
	at = strpbrk(copy, ">=");
	if (at) {
		bool hard = *at == '=';

		*at++ = '\0';
		MUST(hard ? !link(at, copy) : !symlink(at, copy));
	} else if (copy[strlen(copy) - 1] != '/') {
		scratch_text(copy, "x\n");
	}
	free(copy);
}

static const char *known;

static bool is_known(void *userdata, const char *path)
{
	const char *slash = strrchr(path, '/');

	return known && !strcmp(slash + 1, known);
}

static const char *name_of(const char *path)
{
	size_t len = strlen(scratch_root);

	return !strncmp(path, scratch_root, len) && path[len] == '/' ? path + len + 1 : path;
}

/* "a b?c=a d<d.1": a and b, b is not there; c is the same file as a; d.1 is a rotated one of d. */
static StrBuf text_of(const GlobList *list)
{
	StrBuf sb = STRBUF_INIT;

	for (size_t i = 0; i < list->count; i++) {
		const GlobLog *log = &list->logs[i];

		strbuf_appendf(
			&sb, "%s%s%s", i ? " " : "", name_of(log->path), log->there ? "" : "?");
		if (log->twin_of)
			strbuf_appendf(
				&sb, "%s%s", log->rotated ? "<" : "=", name_of(log->twin_of));
	}
	return sb;
}

static int compare_strings(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* "d/ d/e/mail.log", in order. */
static StrBuf places_of(const GlobList *list)
{
	StrBuf sb = STRBUF_INIT;
	char **names = calloc(list->place_count + 1, sizeof(*names));

	MUST(names);
	for (size_t i = 0; i < list->place_count; i++)
		MUST(asprintf(&names[i], "%s%s", name_of(list->places[i].path),
			     list->places[i].directory ? "/" : "") > 0);
	qsort(names, list->place_count, sizeof(*names), compare_strings);
	for (size_t i = 0; i < list->place_count; i++)
		strbuf_appendf(&sb, "%s%s", i ? " " : "", names[i]);
	free_paths(names);
	return sb;
}

static const struct {
	const char *what;
	const char *made;
	const char *names;
	const char *logs;
	const char *places;
	const char *known;
} rows[] = {
	{"a path", "mail.log", "mail.log", "mail.log", ""},
	{"a path that is not there", "", "mail.log", "mail.log?", ""},
	{"two that are not there", "", "a b", "a? b?", ""},
	{"paths in their order", "b a", "b a c", "b a c?", ""},
	{"a log host", "r/mx1/mail.log r/mx2/mail.log r/mx3/ r/file r/mx2/other.log",
		"r/*/mail.log", "r/mx1/mail.log r/mx2/mail.log",
		"r/ r/file/mail.log r/mx3/mail.log"},
	{"a log host without a log", "r/", "r/*/mail.log", "", "r/"},
	{"not even a directory", "", "r/*/mail.log", "", "r/"},
	{"a path behind the pattern", "r/a/log/ r/b/log/mail.log", "r/*/log/mail.log",
		"r/b/log/mail.log", "r/ r/a/log/mail.log"},
	{"patterns in two components", "r/a/x.log r/a/y.log r/b/x.log r/c/", "r/*/*.log",
		"r/a/x.log r/a/y.log r/b/x.log", "r/ r/a/ r/b/ r/c/"},
	{"classes and question marks", "a1 a2 a3 b1", "a[13] b?", "a1 a3 b1", "/ /"},
	{"a name with a bracket", "a[1] a1", "a\\[1]", "a[1]", "/"},
	{"hidden files are not meant", ".mail.log mail.log .d/mail.log", "*log */mail.log",
		"mail.log", "/ / mail.log/mail.log"},
	{"but can be", ".mail.log", ".*log", ".mail.log", "/"},
	{"a directory is no log", "mail.log/ mail.logs", "mail.*", "mail.logs", "/ mail.log"},

	{"rotated files", "mail.log mail.log.1 mail.log.2.gz mail.log-20261122 mail.log-1795352407",
		"mail.log*", "mail.log", "/"},
	{"of a log that is not there now", "mail.log.1 mail.log-20261122 mail.log.20261122-125632",
		"mail.log*", "", "/"},
	{"compressed by others", "mail.log mail.log.1.bz2 mail.log.Z mail.log-old.lz4 mail.gz",
		"mail*", "mail.log", "/"},
	{"a number in a name", "mail.1.log mail.2.log mail.2.log.1", "mail*",
		"mail.1.log mail.2.log", "/"},
	{"a pattern that names only rotated files", "mail.log-20261121 mail.log-20261122",
		"mail.log-*", "mail.log-20261121 mail.log-20261122", "/"},
	{"addresses as names", "r/192.0.2.1 r/192.0.2.2 r/192.0.2.2.1 r/192.0.2.2-20261122", "r/*",
		"r/192.0.2.1 r/192.0.2.2", "r/"},
	{"a number that is no date", "vps-1234567 vps-20261122", "*", "vps-1234567", "/"},
	{"but is a rotated file where its log is", "vps vps-1234567", "*", "vps", "/"},
	{"a listed path is a log", "mail.log.1", "mail.log.1", "mail.log.1", ""},
	{"unless it is read with another", "mail.log mail.log.1", "mail.log mail.log.1",
		"mail.log mail.log.1<mail.log", ""},
	{"also when that is found", "mail.log mail.log.1", "mail.log.1 mail.l??",
		"mail.log.1<mail.log mail.log", "/"},
	{"and of two patterns", "mail.log mail.log-7654321", "mail.l?? mail.log-*",
		"mail.log mail.log-7654321<mail.log", "/ /"},

	{"listed and found", "a.log b.log", "b.log *.log", "b.log a.log b.log=b.log", "/"},
	{"found twice", "a.log", "*.log a*", "a.log a.log=a.log", "/ /"},
	{"a link to another", "x.log a.log>x.log", "*.log", "a.log=x.log x.log", "/"},
	{"a link that is listed", "x.log a.log>x.log", "a.log *.log",
		"a.log a.log=a.log x.log=a.log", "/"},
	{"a link that is known", "x.log a.log>x.log", "*.log", "a.log x.log=a.log", "/", "a.log"},
	{"two links to one elsewhere", "d/file b.log>d/file a.log>d/file", "*.log",
		"a.log b.log=a.log", "/"},
	{"two names of one file", "b.log a.log=b.log", "*.log", "a.log b.log=a.log", "/"},
	{"of which one is known", "b.log a.log=b.log", "*.log", "a.log=b.log b.log", "/", "b.log"},
	{"a link to nowhere", "a.log>nowhere", "*.log", "", "/ a.log"},
	{"a directory by two names", "d/mail.log e>d", "*/mail.log",
		"d/mail.log e/mail.log=d/mail.log", "/"},
};

static void test_rows(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_globs_ GlobList list = GLOB_LIST_INIT;
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT, places = STRBUF_INIT;
		char *copy = strdup(rows[i].made), *rest = copy, *name;
		char **names = paths_of(rows[i].names);
		int r;

		MUST(copy);
		scratch_empty();
		while (*copy && (name = strsep(&rest, " ")))
			make(name);
		free(copy);
		known = rows[i].known;
		r = globs_find((const char *const *)names, is_known, NULL, &list);
		text = text_of(&list);
		places = places_of(&list);
		/* The scratch directory itself is "/". */
		for (char *at = places.data; at && (at = strstr(at, scratch_root));)
			memmove(at, at + strlen(scratch_root),
				strlen(at + strlen(scratch_root)) + 1);
		if (!tap_ok(!r && !strcmp(strbuf_text(&text), rows[i].logs), "%s", rows[i].what))
			tap_note("%d: %s", r, strbuf_text(&text));
		if (!tap_ok(!strcmp(strbuf_text(&places), rows[i].places), "and where to look"))
			tap_note("%s", strbuf_text(&places));
		free_paths(names);
	}
}

static void test_forbidden(void)
{
	_cleanup_globs_ GlobList list = GLOB_LIST_INIT;
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	char **names = paths_of("r/*/*.log");
	char expected[sizeof(scratch_root) + 64];
	int r;

	scratch_empty();
	make("r/a/x.log");
	make("r/b/x.log");
	MUST(!chmod("r/a", 0));
	scratch_be_nobody(scratch_root);
	r = globs_find((const char *const *)names, NULL, NULL, &list);
	scratch_come_back();
	/* Only root empties what may not be read. */
	MUST(!chmod("r/a", 0700));
	text = text_of(&list);
	(void)snprintf(expected, sizeof(expected), "%s/r/a: Permission denied", scratch_root);
	tap_ok(!r && !strcmp(strbuf_text(&text), "r/b/x.log"),
		"a directory that may not be read hides no other");
	if (!tap_ok(!strcmp(list.why.text, expected), "and is named"))
		tap_note("%s", list.why.text);
	free_paths(names);
}

static void test_many(void)
{
	_cleanup_globs_ GlobList list = GLOB_LIST_INIT;
	char **names = paths_of("*.log");
	char name[32];

	scratch_empty();
	for (int i = 0; i < GLOBS_LOGS_MAX + 3; i++) {
		int fd;

		(void)snprintf(name, sizeof(name), "%d.log", i);
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		MUST(fd >= 0);
		(void)close(fd);
	}
	tap_ok(!globs_find((const char *const *)names, NULL, NULL, &list) &&
			list.count == GLOBS_LOGS_MAX && list.too_many == 3,
		"more than can be followed are counted");
	free_paths(names);
}

static void test_matches(void)
{
	tap_ok(globs_is_pattern("/a/*") && globs_is_pattern("/a?") && globs_is_pattern("/[ab]") &&
			!globs_is_pattern("/a/b.log"),
		"what a pattern is");
	tap_ok(globs_matches("/a/*.log", "/a/b.log") && !globs_matches("/a/*.log", "/a/b/c.log") &&
			!globs_matches("/a/*", "/a/.b"),
		"what it matches");
}

int main(void)
{
	scratch_enter();
	test_rows();
	test_forbidden();
	test_many();
	test_matches();
	return tap_done();
}
