/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/archive.h"

#include "pack.h"
#include "random.h"
#include "tap.h"

/*
 * A world of files is made from a text: "NAME=CONTENT@TIME ..." where CONTENT is a letter (a content of its own, some
 * 6000 bytes), a letter and a number (only its first bytes), or "-" (empty). A name that ends with .gz, .xz, .zst is
 * compressed. The time is in seconds.
 */
#define CONTENT_SIZE 6000u

static Random randomness;
static Moment *moment;
static char contents[26][CONTENT_SIZE];

static void make_contents(void)
{
	for (size_t c = 0; c < 26; c++) {
		size_t at = 0;

		while (at < CONTENT_SIZE) {
			char line[128];
			int n = snprintf(line, sizeof(line), "Nov 22 12:00:00 mx1 %c%zu: %*s\n",
				(char)('a' + c), at, (int)random_below(&randomness, 80), "");

			memcpy(contents[c] + at, line, MIN((size_t)n, CONTENT_SIZE - at));
			at += (size_t)n;
		}
	}
	/* x, y and z are one for as long as a head is, then they differ. */
	memcpy(contents['y' - 'a'], contents['x' - 'a'], MARK_HEAD_MAX + 100);
	memcpy(contents['z' - 'a'], contents['x' - 'a'], MARK_HEAD_MAX + 100);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* 0 for a name that is not of a compressed file. */
static bool is_packed(const char *name)
{
	return ends_with(name, ".gz") || ends_with(name, ".xz") || ends_with(name, ".zst");
}

/* False when the build can't read that format. */
static bool pack_as(const char *name, StrBuf *sb, const char *data, size_t len)
{
	if (ends_with(name, ".gz")) {
		pack_gzip(sb, data, len, 0);
		return true;
	}
#if HAVE_LZMA
	if (ends_with(name, ".xz")) {
		pack_xz(sb, data, len);
		return true;
	}
#endif
#if HAVE_ZSTD
	if (ends_with(name, ".zst")) {
		pack_zstd(sb, data, len);
		return true;
	}
#endif
	return false;
}

static void make_file(const char *name, const char *content, long time_s)
{
	const struct timespec times[2] = {{time_s, 0}, {time_s, 0}};
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	size_t len = content[1] ? strtoul(content + 1, NULL, 10) : CONTENT_SIZE;
	const char *data = content[0] == '-' ? "" : contents[content[0] - 'a'];

	len = content[0] == '-' ? 0 : len;
	if (is_packed(name)) {
		MUST(pack_as(name, &sb, data, len));
		scratch_write(name, sb.data, sb.len);
	} else {
		scratch_write(name, data, len);
	}
	MUST(!utimensat(AT_FDCWD, name, times, 0));
}

static void make_world(const char *text)
{
	char *copy = strdup(text), *rest = copy, *word;

	MUST(copy);
	scratch_empty();
	while (*text && (word = strsep(&rest, " "))) {
		char *content = strchr(word, '='), *at;

		MUST(content);
		*content++ = '\0';
		at = strchr(content, '@');
		if (at)
			*at++ = '\0';
		make_file(word, content, at ? strtol(at, NULL, 10) : 1000);
	}
	free(copy);
}

/* The mark of "a500": the place 500 in the content a, of a file that is not there any more. */
static FileMark mark_of(const char *text)
{
	const char *data = contents[text[0] - 'a'];
	uint64_t offset = strtoul(text + 1, NULL, 10);
	FileMark mark = {.offset = offset, .inode = 1, .device = 1};

	mark.head_len = (uint32_t)MIN(offset, (uint64_t)MARK_HEAD_MAX);
	mark.tail_len = (uint32_t)MIN(offset, (uint64_t)MARK_TAIL_MAX);
	mark.head_hash = mark_hash(data, mark.head_len);
	mark.tail_hash = mark_hash(data + offset - mark.tail_len, mark.tail_len);
	return mark;
}

/* "LOST SHORT mail.log.1@500 live end", or "NOTHING", or "EACCES: why". */
static StrBuf next_text(const ArchiveFrom *from)
{
	ArchivePlace place;
	StrBuf sb = STRBUF_INIT;
	Why why = {""};
	int r = archive_next("./mail.log", from, &place, &why);

	if (r < 0) {
		strbuf_appendf(&sb, "%s: %s", strerrorname_np(-r), why.text);
		return sb;
	}
	strbuf_appendf(&sb, "%s%s%s", r & ARCHIVE_LOST ? "LOST " : "",
		r & ARCHIVE_SHORT ? "SHORT " : "", r & ARCHIVE_CHANGED ? "CHANGED " : "");
	if (r & ARCHIVE_NOTHING) {
		strbuf_append_string(&sb, "NOTHING");
		return sb;
	}
	strbuf_appendf(&sb, "%s@%" PRIu64 "%s%s", place.path + 2, place.offset,
		place.live ? " live" : "", place.at_end ? " end" : "");
	archive_place_done(&place);
	return sb;
}

static const struct {
	const char *name;
	const char *world;
	const char *
		from; /* a mark as mark_of() makes it; "" for none; "f " before it: finished; "FILE" of it: its inode */
	const char *inode_of;
	int64_t seen_s;
	const char *expected;
} rows[] = {
	/* a first start */
	{"nothing there", "", "", NULL, 0, "NOTHING"},
	{"only a log", "mail.log=a", "", NULL, 0, "mail.log@0 live"},
	{"only an empty log", "mail.log=-", "", NULL, 0, "mail.log@0 live end"},
	{"the oldest", "mail.log=a mail.log.1=b mail.log.2.gz=c", "", NULL, 0, "mail.log.2.gz@0"},
	{"the oldest by date", "mail.log=a mail.log-20261122=b mail.log-20261121.gz=c", "", NULL, 0,
		"mail.log-20261121.gz@0"},
	{"empty siblings are passed over",
		"mail.log=a mail.log.1=b mail.log.2=- mail.log.3.gz=- mail.log.4=-", "", NULL, 0,
		"mail.log.1@0"},
	{"no log yet", "mail.log.1=a", "", NULL, 0, "mail.log.1@0"},
	{"an empty log: the sibling may still be written", "mail.log=- mail.log.1=- mail.log.2=-",
		"", NULL, 0, "mail.log.2@0 end"},
	{"an empty log, the sibling compressed", "mail.log=- mail.log.1.gz=-", "", NULL, 0,
		"mail.log@0 live end"},
	{"both .1 and .1.gz", "mail.log=a mail.log.1=b mail.log.1.gz=b3000", "", NULL, 0,
		"mail.log.1@0"},

	/* in the middle of a file */
	{"in the log", "mail.log=a mail.log.1=b", "a500", NULL, 0, "mail.log@500 live"},
	{"at the log's end", "mail.log=a mail.log.1=b", "a6000", NULL, 0, "mail.log@6000 live end"},
	{"in a sibling", "mail.log=a mail.log.1=b mail.log.2=c", "b500", NULL, 0, "mail.log.1@500"},
	{"in one that was compressed", "mail.log=a mail.log.1=b mail.log.2.gz=c", "c5999", NULL, 0,
		"mail.log.2.gz@5999"},
	{"at the end of one that was compressed", "mail.log=a mail.log.1=b mail.log.2.gz=c",
		"c6000", NULL, 0, "mail.log.2.gz@6000"},
	{"at a sibling's end", "mail.log=a mail.log.1=b mail.log.2=c", "c6000", NULL, 0,
		"mail.log.1@0"},
	{"at the newest sibling's end", "mail.log=a mail.log.1=b", "b6000", NULL, 0,
		"mail.log@0 live"},
	{"at the newest sibling's end, the log is empty", "mail.log=- mail.log.1=b mail.log.2=c",
		"b6000", NULL, 0, "mail.log.1@6000 end"},
	{"at the newest sibling's end, no log", "mail.log.1=b mail.log.2=c", "b6000", NULL, 0,
		"mail.log.1@6000 end"},
	{"the same, and an empty one between", "mail.log=- mail.log.1=- mail.log.2=c", "c6000",
		NULL, 0, "mail.log.2@6000 end"},
	{"the log was rotated once", "mail.log=a mail.log.1=b mail.log.2=c", "b500", NULL, 0,
		"mail.log.1@500"},
	{"the log was copied and truncated", "mail.log=a100 mail.log.1=b", "b500", "mail.log", 0,
		"mail.log.1@500"},
	{"the copy is compressed already", "mail.log=a100 mail.log.1.gz=b", "b500", "mail.log", 0,
		"mail.log.1.gz@500"},
	{"the log is being copied", "mail.log=a mail.log.1=a3000", "a500", "mail.log", 0,
		"mail.log@500 live"},
	{"the log is being copied, it is on another device now", "mail.log=a mail.log.1=a3000",
		"a500", NULL, 0, "mail.log@500 live"},
	{"of two copies the one with the inode", "mail.log=a mail.log.1=b mail.log.2=b", "b500",
		"mail.log.2", 0, "mail.log.2@500"},
	{"of two copies the newest", "mail.log=a mail.log.1=b mail.log.2=b", "b500", NULL, 0,
		"mail.log.1@500"},
	{"its inode was used again", "mail.log=a mail.log.1.gz=b mail.log.2=c", "b500", "mail.log",
		0, "mail.log.1.gz@500"},
	{"one head, other bytes before the place", "mail.log=x mail.log.1=y mail.log.2=z", "y5000",
		NULL, 0, "mail.log.1@5000"},
	{"the same, compressed", "mail.log=x mail.log.1.gz=y mail.log.2.gz=z", "z5000", NULL, 0,
		"mail.log.2.gz@5000"},
	{"one byte was read", "mail.log=a", "a1", NULL, 0, "mail.log@1 live"},

	/* after a finished file */
	{"after a sibling", "mail.log=a mail.log.1=b mail.log.2=c", "f c6000", NULL, 0,
		"mail.log.1@0"},
	{"after one that was compressed", "mail.log=a mail.log.1=b mail.log.2.gz=c", "f c6000",
		NULL, 0, "mail.log.1@0"},
	{"after one that has grown", "mail.log=a mail.log.1=b mail.log.2=c", "f c5000", NULL, 0,
		"mail.log.2@5000"},
	{"after the newest, the log is empty", "mail.log=- mail.log.1=b", "f b6000", NULL, 0,
		"mail.log.1@6000 end"},
	{"after the newest, compressed, the log is empty", "mail.log=- mail.log.1.gz=b", "f b6000",
		NULL, 0, "mail.log@0 live end"},
	{"compressed files with one head", "mail.log=a mail.log.1.gz=x mail.log.2.gz=y", "f y6000",
		NULL, 0, "mail.log.1.gz@0"},
	{"and a copy of it behind it", "mail.log=a mail.log.1.gz=b mail.log.1.xz=b mail.log.2=c",
		"f c6000", NULL, 0, "mail.log.1.gz@0"},
	{"two copies of it", "mail.log=a mail.log.1.gz=b mail.log.1.xz=b mail.log.2=c", "f b6000",
		NULL, 0, "mail.log@0 live"},

	/* it is gone */
	{"gone, nothing is newer", "mail.log.1=b@500 mail.log.2=c@400", "a500", NULL, 500,
		"LOST NOTHING"},
	{"gone, the log goes on", "mail.log=b@2000 mail.log.1=c@1000 mail.log.2=d@900", "a500",
		NULL, 1500, "LOST mail.log@0 live"},
	{"gone, an old log", "mail.log=b@100 mail.log.1=c@90", "a500", NULL, 1500,
		"LOST mail.log@0 live"},
	{"gone, siblings are newer", "mail.log=b@2000 mail.log.1=c@1800 mail.log.2=d@1700", "a500",
		NULL, 1700, "LOST mail.log.1@0"},
	{"gone, an old sibling was touched", "mail.log=b@2000 mail.log.1=c@1600 mail.log.2=d@1900",
		"a500", NULL, 1700, "LOST mail.log@0 live"},
	{"a finished one is gone", "mail.log=b@2000 mail.log.1=c@1800 mail.log.2=d@1700", "f a500",
		NULL, 1699, "LOST mail.log.2@0"},
	{"its name has other content and its inode", "mail.log=b", "a500", "mail.log", 1700,
		"LOST mail.log@0 live"},
	{"gone, the log is empty", "mail.log=-@2000 mail.log.1=c@1800", "a500", NULL, 1900,
		"LOST mail.log@0 live end"},

	/* it has become shorter */
	{"shorter", "mail.log=a5000", "a6000", "mail.log", 0, "SHORT mail.log@5000 live end"},
	{"shorter, on another device", "mail.log=a5000 mail.log.1=b", "a6000", "mail.log", 0,
		"SHORT mail.log@5000 live end"},
	{"shorter, and another inode", "mail.log=a5000@1500", "a6000", NULL, 1000,
		"SHORT mail.log@5000 live end"},
	{"a finished one is shorter, with another inode", "mail.log=a5000@1500", "f a6000", NULL,
		1000, "LOST mail.log@0 live"},
	{"a finished one is shorter", "mail.log=b mail.log.1=a5000", "f a6000", "mail.log.1", 0,
		"SHORT mail.log@0 live"},
	{"shorter than what is compared", "mail.log=a3000@1500", "a6000", "mail.log", 1000,
		"LOST mail.log@0 live"},
	{"a finished one has changed", "mail.log=b mail.log.1=x", "f y6000", "mail.log.1", 0,
		"mail.log@0 live"},
	{"a finished one has changed, and another inode", "mail.log=b@900 mail.log.1=x@900",
		"f y6000", NULL, 1000, "LOST mail.log@0 live"},
	{"a sibling is shorter", "mail.log=b mail.log.1=a5000", "a6000", "mail.log.1", 0,
		"SHORT mail.log@0 live"},
	{"a shorter one and a whole copy", "mail.log=a5000 mail.log.1=a", "a6000", "mail.log", 0,
		"mail.log@0 live"},
};

static void test_rows(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool finished = !strncmp(rows[i].from, "f ", 2);
		const char *mark_text = rows[i].from + (finished ? 2 : 0);
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
		ArchiveFrom from = {.moment = moment,
			.finished = finished,
			.seen_us = rows[i].seen_s * 1000000};
		FileMark mark;
		struct stat st;

		make_world(rows[i].world);
		if (*mark_text) {
			mark = mark_of(mark_text);
			from.mark = &mark;
			if (rows[i].inode_of) {
				MUST(!stat(rows[i].inode_of, &st));
				mark.inode = st.st_ino;
			}
		}
		text = next_text(&from);
		if (!tap_ok(!strcmp(text.data, rows[i].expected), "%s", rows[i].name))
			tap_note("got %s, not %s", text.data, rows[i].expected);
	}
}

/* While the file that was read is still open: only what is newer than it. */
static const struct {
	const char *name;
	const char *world;
	const char *open; /* the name that the open file has now; NULL: none */
	const char *mark;
	int64_t seen_s;
	const char *expected;
} open_rows[] = {
	{"a newer sibling", "mail.log=a mail.log.1=b mail.log.2=c", "mail.log.2", "c6000", 0,
		"mail.log.1@0"},
	{"the log", "mail.log=a mail.log.1=b", "mail.log.1", "b6000", 0, "mail.log@0 live"},
	{"the log is empty", "mail.log=- mail.log.1=b", "mail.log.1", "b6000", 0,
		"mail.log@0 live end"},
	{"the log is empty, and an empty one between", "mail.log=- mail.log.1=- mail.log.2=c",
		"mail.log.2", "c6000", 0, "mail.log@0 live end"},
	{"no log", "mail.log.1=b", "mail.log.1", "b6000", 0, "NOTHING"},
	{"it is the newest", "mail.log=b", "mail.log", "b6000", 0, "NOTHING"},
	{"never itself, though there is more to read", "mail.log.1=b", "mail.log.1", "b500", 0,
		"NOTHING"},
	{"it was compressed", "mail.log=a mail.log.1.gz=b mail.log.2.gz=c", NULL, "b6000", 0,
		"mail.log@0 live"},
	{"it was compressed, no log", "mail.log.1.gz=b mail.log.2.gz=c", NULL, "b6000", 0,
		"NOTHING"},
	{"it was deleted", "mail.log=a@2000 mail.log.1=b@1000", NULL, "c6000", 1500,
		"LOST mail.log@0 live"},
	{"it was deleted, siblings are newer",
		"mail.log=a@2000 mail.log.1=b@1600 mail.log.2=d@1400", NULL, "c6000", 1500,
		"LOST mail.log.1@0"},
	{"it was empty and deleted, nothing was read before it",
		"mail.log=a@2000 mail.log.1=b@1600 mail.log.2=d@1400", NULL, NULL, 1500,
		"mail.log.2@0"},
	{"it was renamed to a name of no sibling", "mail.log=a@2000 mail.log.1=b@1400",
		"mail.log.old", "c6000", 1500, "LOST mail.log@0 live"},
	{"the log is what it was copied from", "mail.log=b mail.log.1=b3000", "mail.log.1", "b3000",
		0, "mail.log@3000 live"},
	{"the log is a whole copy of it", "mail.log=b mail.log.1=b", "mail.log.1", "b6000", 0,
		"mail.log@6000 live end"},
	{"a sibling is a whole copy of it", "mail.log=a mail.log.1=b mail.log.2=b", "mail.log.2",
		"b6000", 0, "mail.log@0 live"},
	{"a compressed sibling is a whole copy of it", "mail.log=a mail.log.1.xz=b mail.log.2=b",
		"mail.log.2", "b6000", 0, "mail.log@0 live"},
	{"the log has the same head and other lines", "mail.log=x mail.log.1=y", "mail.log.1",
		"y6000", 0, "mail.log@0 live"},
};

static void test_open_rows(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(open_rows); i++) {
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
		ArchiveFrom from = {.moment = moment,
			.finished = true,
			.has_open = true,
			.after_open = true,
			.open_inode = 1,
			.seen_us = open_rows[i].seen_s * 1000000};
		FileMark mark;
		struct stat st;

		make_world(open_rows[i].world);
		if (open_rows[i].open && !stat(open_rows[i].open, &st)) {
			from.open_device = st.st_dev;
			from.open_inode = st.st_ino;
		}
		if (open_rows[i].mark) {
			mark = mark_of(open_rows[i].mark);
			from.mark = &mark;
		}
		text = next_text(&from);
		if (!tap_ok(!strcmp(text.data, open_rows[i].expected), "while it is open: %s",
			    open_rows[i].name))
			tap_note("got %s, not %s", text.data, open_rows[i].expected);
	}
}

/* From every place of every file, in every form, the place is found, and what stands before it is right. */
static void test_every_place(void)
{
	static const char *const names[] = {
		"mail.log",
		"mail.log.1",
		"mail.log.2.gz",
#if HAVE_LZMA
		"mail.log.3.xz",
#endif
#if HAVE_ZSTD
		"mail.log.4.zst",
#endif
	};

	scratch_empty();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		make_file(names[i], (const char[]){(char)('a' + i), '\0'}, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool ok = true;

		/* Nearer to the start they are all the same. */
		for (unsigned offset = 25; offset < CONTENT_SIZE && ok; offset += 1 + offset / 40) {
			char text[32], rest[CONTENT_SIZE];
			const char *data = contents[i];
			ArchivePlace place = {0};
			FileMark mark;
			size_t got = 0;
			ssize_t n;

			(void)snprintf(text, sizeof(text), "%c%u", (char)('a' + i), offset);
			mark = mark_of(text);
			ok = !archive_next("mail.log",
				     &(ArchiveFrom){.moment = moment, .mark = &mark}, &place,
				     NULL) &&
			     ends_with(place.path, names[i]) && place.offset == offset &&
			     place.before.head_len == mark.head_len &&
			     !memcmp(place.before.head, data, place.before.head_len) &&
			     place.before.history_len == mark.tail_len &&
			     !memcmp(place.before.history, data + offset - mark.tail_len,
				     mark.tail_len) &&
			     place.live == !i;
			while (ok && got < sizeof(rest) &&
				(n = reader_read(place.reader, rest + got, sizeof(rest) - got)) > 0)
				got += (size_t)n;
			ok = ok && got == CONTENT_SIZE - offset &&
			     !memcmp(rest, data + offset, got);
			archive_place_done(&place);
		}
		tap_ok(ok, "from many places in %s", names[i]);
	}
}

static void expect(const char *expected, const char *mark_text, const char *what)
{
	FileMark mark = mark_of(*mark_text ? mark_text : "a1");
	_cleanup_strbuf_ StrBuf text =
		next_text(&(ArchiveFrom){.moment = moment, .mark = *mark_text ? &mark : NULL});

	if (!tap_ok(strstr(text.data, expected) == text.data, "%s", what))
		tap_note("got %s", text.data);
}

/* Runs as somebody who may not read everything. */
static void test_unreadable(void)
{
	make_world("mail.log=a mail.log.1=b mail.log.2=c");
	MUST(!chmod("mail.log.2", 0) && !chmod(scratch_root, 0755));
	scratch_be_nobody("mail.log.1");
	expect("EACCES: ./mail.log.2: ", "", "a first start waits for an unreadable sibling");
	expect("mail.log.1@500", "b500", "a file that is found does not");
	expect("EACCES: ./mail.log.2: ", "d500", "one that is not found may be the unreadable one");
	scratch_come_back();
	MUST(!chmod("mail.log.2", 0644) && !chmod(scratch_root, 0300));
	scratch_be_nobody(scratch_root);
	expect("EACCES: ./mail.log: ", "", "a directory that can't be listed");
	MUST(!chmod(scratch_root, 0600));
	expect("EACCES: ./mail.log: ", "", "a directory that can't be entered");
	MUST(!chmod(scratch_root, 0700));
	scratch_come_back();
	scratch_empty();
	MUST(!mkdir("mail.log", 0700));
	expect("EISDIR: ./mail.log: ", "", "a directory in the log's place");
}

static void test_damaged(void)
{
	_cleanup_strbuf_ StrBuf gz = STRBUF_INIT;

	make_world("mail.log=a mail.log.1.gz=b mail.log.2.gz=c");
	gz = scratch_read("mail.log.2.gz");
	scratch_write("mail.log.2.gz", gz.data, 15);
	expect("mail.log.2.gz@0", "", "a damaged sibling is opened: it is to be reported");
	expect("mail.log.1.gz@500", "b500", "it hinders no other");
	expect("LOST ", "c500", "it is not recognised");
	scratch_write("mail.log.2.gz", gz.data, gz.len - 200);
	expect("mail.log.2.gz@500", "c500", "one that is cut later is");
	expect("LOST ", "c5999", "but not at a place behind the cut");
	scratch_write("mail.log.2.gz", gz.data, 0);
	expect("mail.log.1.gz@0", "", "an empty file with a name of a compressed one");
}

int main(void)
{
	randomness = random_seeded();
	scratch_enter();
	MUST(!moment_new(&moment));
	make_contents();
	test_rows();
	test_open_rows();
	test_every_place();
	test_unreadable();
	test_damaged();
	moment_free(moment);
	return tap_done();
}
