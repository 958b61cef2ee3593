/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/bookmark.h"

#include "base/hash.h"
#include "random.h"
#include "scratch.h"
#include "tap.h"

#define PAYLOAD "a line\n\ncsv number=7 offset=7 series=7\npayload\nchecksum 0\n"

static bool same(const Bookmark *a, const Bookmark *b)
{
	return a->written_us == b->written_us && a->place.series == b->place.series &&
	       a->place.number == b->place.number && a->place.offset == b->place.offset &&
	       a->has_counters == b->has_counters &&
	       !memcmp(&a->counters, &b->counters, sizeof(a->counters));
}

static void test_round_trip(Random *random)
{
	bool ok = true;
	struct stat st;

	for (int i = 0; i < 20; i++) {
		_cleanup_strbuf_ StrBuf loaded_payload = STRBUF_INIT;
		Span text = i % 3 ? SPAN_LITERAL(PAYLOAD) : SPAN_LITERAL("");
		Bookmark saved = {
			.place = {random_next(random), 1 + random_next(random) / 2,
				random_next(random) >> random_below(random, 64)},
			.written_us = (int64_t)random_next(random),
		};
		Bookmark loaded = {.written_us = 0};
		Why why = {""};

		saved.has_counters = i % 2;
		if (saved.has_counters)
			saved.counters = (Counters){random_next(random), random_next(random),
				random_next(random), random_next(random), random_next(random),
				random_next(random), random_next(random)};
		strbuf_append_string(&loaded_payload, "of an earlier one");
		MUST(!bookmark_save(".", "report", &saved, text));
		ok = ok &&
		     !bookmark_load(".", "report", &loaded, i % 5 ? &loaded_payload : NULL, &why) &&
		     same(&saved, &loaded) &&
		     (i % 5 == 0 || span_equal(text, (Span){strbuf_text(&loaded_payload),
							     loaded_payload.len}));
	}
	tap_ok(ok, "20 bookmarks come back as they were");
	MUST(!stat("report.offset", &st));
	tap_ok((st.st_mode & 07777) == 0600 && access("report.offset.tmp", F_OK) < 0,
		"mode 0600 and nothing beside it");
	tap_ok(bookmark_save(".", "report", &(Bookmark){.place = {0, 1, 0}},
		       SPAN_LITERAL("no line")) == -EINVAL,
		"a payload that is not lines is refused");
}

static void test_lines(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	Bookmark saved = {.place = {1, 2, 3}, .has_counters = true, .counters = {.aborted = 7}};
	Bookmark loaded;
	Span rest;

	bookmark_append(&sb, &saved, SPAN_LITERAL(PAYLOAD));
	tap_ok(!bookmark_parse(&sb, &loaded, &rest) && same(&saved, &loaded) &&
			span_equal(rest, SPAN_LITERAL(PAYLOAD)),
		"its lines, without a file, come back as they were");
}

static void test_damage(void)
{
	_cleanup_strbuf_ StrBuf file = scratch_read("report.offset");
	size_t taken = 0;
	Bookmark mark;
	Why why;

	for (size_t i = 0; i < file.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			file.data[i] ^= (char)(1 << bit);
			scratch_write("other.offset", file.data, file.len);
			why = (Why){""};
			taken += bookmark_load(".", "other", &mark, NULL, &why) != -EBADMSG ||
				 !*why.text;
			file.data[i] ^= (char)(1 << bit);
		}
		scratch_write("other.offset", file.data, i);
		why = (Why){""};
		taken += bookmark_load(".", "other", &mark, NULL, &why) != -EBADMSG || !*why.text;
	}
	tap_ok(!taken, "each changed bit, and cut anywhere, it is refused with a reason");
}

static const struct {
	const char *what;
	const char *text;
	const char *why; /* NULL: it is taken */
} rows[] = {
	{"least", "maillogsentinel-bookmark 1\ncsv number=1 offset=0 series=0\n", NULL},
	{"no place", "maillogsentinel-bookmark 1\nwritten 5\n", "a line"},
	{"nothing", "maillogsentinel-bookmark 1\n", "a line"},
	{"another's", "maillogsentinel-checkpoint 1\ncsv x\n", "not a bookmark"},
	{"newer", "maillogsentinel-bookmark 3\n?\n", "newer version"},
	{"payload", "maillogsentinel-bookmark 2\ncsv number=1 offset=0 series=0\npayload\nx\n",
		NULL},
	{"payload before the place",
		"maillogsentinel-bookmark 2\npayload\ncsv number=1 offset=0 series=0\n", "a line"},
	{"half the counters",
		"maillogsentinel-bookmark 2\ncsv number=1 offset=0 series=0\ncounters lines=1\n",
		"a line"},
	{"no number", "maillogsentinel-bookmark 1\ncsv number=0 offset=0 series=0\n", "a line"},
	{"half a place", "maillogsentinel-bookmark 1\ncsv number=1 offset=\n", "a line"},
	{"more behind", "maillogsentinel-bookmark 1\ncsv number=1 offset=0 series=0 x\n", "a line"},
	{"unknown", "maillogsentinel-bookmark 1\ncsv number=1 offset=0 series=0\nx\n", "a line"},
};

static void test_text(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		Bookmark mark;
		Why why = {""};
		int r;

		strbuf_append_string(&sb, rows[i].text);
		strbuf_appendf(&sb, "checksum %016" PRIx64 "\n",
			hash_bytes(HASH_KEY_FIXED, sb.data, sb.len));
		scratch_write("other.offset", sb.data, sb.len);
		r = bookmark_load(".", "other", &mark, NULL, &why);
		if (!tap_ok(rows[i].why ? r == -EBADMSG && strstr(why.text, rows[i].why) : !r, "%s",
			    rows[i].what))
			tap_note("%d %s", r, why.text);
	}
}

static void test_lock(void)
{
	char holder[LOCK_HOLDER_MAX], expected[LOCK_HOLDER_MAX];
	int fd = -1, second = -1, other = -1;

	MUST(!bookmark_lock(".", "report", "report", &fd, holder));
	(void)snprintf(expected, sizeof(expected), "%ld report", (long)getpid());
	tap_ok(bookmark_lock(".", "report", "report", &second, holder) == LOCK_HELD &&
			!strcmp(holder, expected),
		"a second one is told who has it");
	tap_ok(!bookmark_lock(".", "sql-export", "sql-export", &other, holder),
		"each reader has a lock of its own");
	(void)close(fd);
	(void)close(other);
}

int main(void)
{
	Random random = random_seeded();
	Bookmark mark;
	Why why = {""};

	scratch_enter();
	tap_ok(bookmark_load(".", "report", &mark, NULL, &why) == BOOKMARK_NONE, "no file is none");
	tap_ok(bookmark_save("no", "where", &(Bookmark){.place = {0, 1, 0}}, SPAN_MISSING) ==
			-ENOENT,
		"no directory to save it in");
	MUST(!mkdir("dir.offset", 0700));
	tap_ok(bookmark_load(".", "dir", &mark, NULL, &why) == -EISDIR && *why.text,
		"a directory is an error");
	test_lines();
	test_round_trip(&random);
	test_damage();
	test_text();
	test_lock();
	return tap_done();
}
