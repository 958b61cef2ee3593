/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/links.h"

#include "scratch.h"
#include "tap.h"

static Moment *moment;

static void make_link(const char *target, const char *link)
{
	MUST(!symlink(target, link));
}

static void make_world(void)
{
	scratch_empty();
	MUST(!mkdir("d", 0755) && !mkdir("e", 0755) && !mkdir("e/20261122", 0755) &&
		!mkdir("e/20261121", 0755) && !mkdir("e/20261120", 0755) &&
		!mkdir("e/disk1", 0755) && !mkdir("e/disk2", 0755));
	scratch_text("d/plain", "");
	scratch_text("e/mail-20261122.log", "");
	scratch_text("e/mail-20261121.log", "");
	scratch_text("e/mail-20261120.log.gz", "");
	scratch_text("e/mail-20261123.log", "");
	scratch_text("e/mail-2026-11-2.log", "");
	scratch_text("e/20261122/log", "");
	scratch_text("e/20261120/log.xz", "");
	scratch_text("e/mx01-20261121.log", "");
	scratch_text("e/mx02-20261121.log", "");
	scratch_text("e/mx02-20261122.log", "");
	scratch_text("e/20261121-mx01.log", "");
	scratch_text("e/20261121-mx02.log", "");
	scratch_text("e/20261122-mx02.log", "");
	MUST(!mkdir("e/node06", 0755) && !mkdir("e/node07", 0755));
	scratch_text("e/node06/log-2026-11-21", "");
	scratch_text("e/node07/log-2026-11-21", "");
	scratch_text("e/node07/log-2026-11-22", "");
	scratch_text("e/192.0.2.10-26-11-22", "");
	scratch_text("e/192.0.2.10-26-11-21", "");
	scratch_text("e/192.0.2.09-26-11-21", "");
	scratch_text("e/disk1/log", "");
	scratch_text("e/disk2/log", "");
	make_link("plain", "d/one");
	make_link("one", "d/two");
	make_link("nowhere", "d/lost");
	make_link("missing/nowhere", "d/lost-directory");
	make_link("loop", "d/loop");
	make_link("../e/mail-20261122.log", "d/dated");
	make_link("../e/mx02-20261122.log", "d/mx02.log");
	make_link("../e/20261122-mx02.log", "d/log.mx02");
	make_link("../e/node07/log-2026-11-22", "d/node");
	make_link("../e/192.0.2.10-26-11-22", "d/192.0.2.10");
	make_link("../e", "d/e");
	make_link("e/20261122", "today");
	make_link("../e/disk1/log", "d/disk");
}

/* The path below the test's directory, or how it failed. */
static StrBuf resolved(const char *path)
{
	_cleanup_free_ char *real = NULL, *root = realpath(".", NULL);
	StrBuf sb = STRBUF_INIT;
	int r = links_resolve(path, &real);

	MUST(root);
	if (r < 0)
		strbuf_append_string(&sb, strerrorname_np(-r));
	else
		strbuf_append_string(
			&sb, !strncmp(real, root, strlen(root)) ? real + strlen(root) : real);
	return sb;
}

static int on_found(void *userdata, const char *dir, const char *name, const char *digits)
{
	StrBuf *sb = userdata;

	(void)dir;
	strbuf_appendf(sb, "%s=%s ", name, digits);
	return 0;
}

static int on_link(void *userdata, const char *dir, const char *name)
{
	StrBuf *sb = userdata;

	strbuf_appendf(sb, "%s/%s ", dir, name);
	return 0;
}

static int compare_words(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* A directory has no order. */
static void sort_words(StrBuf *sb)
{
	_cleanup_free_ char *copy = strdup(strbuf_text(sb));
	char *words[64], *rest = copy, *word;
	size_t count = 0;

	MUST(copy);
	while ((word = strsep(&rest, " ")))
		if (*word && count < ARRAY_SIZE(words))
			words[count++] = word;
	if (count)
		qsort(words, count, sizeof(*words), compare_words);
	strbuf_reset(sb);
	for (size_t i = 0; i < count; i++)
		strbuf_appendf(sb, "%s ", words[i]);
}

static const struct {
	const char *path;
	const char *real;
	const char *found;
	const char *links;
} rows[] = {
	{"d/plain", "/d/plain", "", ""},
	{"d//./plain", "/d/plain", "", ""},
	{"d/missing", "/d/missing", "", ""},
	{"missing/log", "ENOENT", "", ""},
	{"d/plain/log", "/d/plain/log", "", ""},
	{"d/one", "/d/plain", "", "d/one "},
	{"d/two", "/d/plain", "", "d/two d/one "},
	{"d/lost", "/d/nowhere", "", "d/lost "},
	{"d/lost-directory", "ENOENT", "", "d/lost-directory "},
	{"d/dated", "/e/mail-20261122.log",
		"mail-20261120.log.gz=20261120 mail-20261121.log=20261121 "
		"mail-20261122.log=20261122 ",
		"d/dated "},
	{"d/mx02.log", "/e/mx02-20261122.log",
		"mx02-20261121.log=20261121 mx02-20261122.log=20261122 ", "d/mx02.log "},
	{"d/log.mx02", "/e/20261122-mx02.log",
		"20261121-mx02.log=20261121 20261122-mx02.log=20261122 ", "d/log.mx02 "},
	{"d/node", "/e/node07/log-2026-11-22", "log-2026-11-21=20261121 log-2026-11-22=20261122 ",
		"d/node "},
	{"d/192.0.2.10", "/e/192.0.2.10-26-11-22",
		"192.0.2.10-26-11-21=261121 192.0.2.10-26-11-22=261122 ", "d/192.0.2.10 "},
	{"d/e/mail-20261122.log", "/e/mail-20261122.log", "", "d/e "},
	{"today/log", "/e/20261122/log", "log.xz=20261120 log=20261122 ", "./today "},
	{"d/disk", "/e/disk1/log", "", "d/disk "},
	{"e/20261122/log", "/e/20261122/log", "", ""},
};

static void test_rows(void)
{
	make_world();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_strbuf_ StrBuf real = resolved(rows[i].path), found = STRBUF_INIT,
					links = STRBUF_INIT;
		_cleanup_free_ char *path = NULL;

		tap_ok(!strcmp(strbuf_text(&real), rows[i].real), "%s leads to %s (%s)",
			rows[i].path, rows[i].real, strbuf_text(&real));
		MUST(!links_walk(rows[i].path, on_link, &links));
		tap_ok(!strcmp(strbuf_text(&links), rows[i].links), "over '%s' ('%s')",
			rows[i].links, strbuf_text(&links));
		moment_begin(moment);
		if (!links_resolve(rows[i].path, &path))
			MUST(!links_find(
				rows[i].path, path, moment, &(LinksCallbacks){on_found, &found}));
		sort_words(&found);
		if (!tap_ok(!strcmp(strbuf_text(&found), rows[i].found), "and other days are '%s'",
			    rows[i].found))
			tap_note("%s", strbuf_text(&found));
	}
	{
		_cleanup_strbuf_ StrBuf real = resolved("d/loop"), links = STRBUF_INIT;

		tap_ok(!links_walk("d/loop", on_link, &links) && real.len, "a loop has an end");
	}
}

static int on_link_stop(void *userdata, const char *dir, const char *name)
{
	(void)dir;
	(void)name;
	++*(int *)userdata;
	return 7;
}

static int on_found_stop(void *userdata, const char *dir, const char *name, const char *digits)
{
	(void)digits;
	return -(on_link_stop(userdata, dir, name));
}

static void test_stop(void)
{
	_cleanup_free_ char *real = NULL;
	int count = 0;

	tap_ok(links_walk("d/two", on_link_stop, &count) == 7 && count == 1,
		"who is called ends the walk");
	MUST(!links_resolve("d/dated", &real));
	count = 0;
	moment_begin(moment);
	tap_ok(links_find("d/dated", real, moment, &(LinksCallbacks){on_found_stop, &count}) ==
				-7 &&
			count == 1,
		"and the search");
}

int main(void)
{
	scratch_enter();
	MUST(!moment_new(&moment));
	test_rows();
	test_stop();
	moment_free(moment);
	return tap_done();
}
