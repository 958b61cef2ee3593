/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: packages=systemd-journal-remote */
/* The journal as a source, on real journal files. */
#include "source/journal.h"

#include "journal-maker.h"
#include "random.h"
#include "tap.h"

#include <poll.h>

static char notices[8192];

static void on_notice(void *userdata, bool warning, const char *text)
{
	size_t len = strlen(notices);

	(void)snprintf(notices + len, sizeof(notices) - len, "%s%s\n", warning ? "W " : "I ", text);
}

static const JournalCallbacks callbacks = {on_notice, NULL};

static bool small(void)
{
	return getenv("MLS_TEST_SMALL");
}

static Journal *open_at(const char *path, const char *cursor, int64_t after_us, bool follow)
{
	JournalOptions options = {
		.path = path, .cursor = cursor, .after_us = after_us, .follow = follow};
	Journal *journal;

	*notices = '\0';
	MUST(!journal_new(&options, &callbacks, &journal));
	return journal;
}

/* The number of the entry that maker_smtpd() made; 0 for any other. */
static unsigned number_of(const JournalEntry *entry)
{
	const char *at = entry->message.len ? memmem(entry->message.data, entry->message.len,
						      "sasl_username=u", 15)
					    : NULL;

	return at ? (unsigned)strtoul(at + 15, NULL, 10) : 0;
}

typedef struct Read {
	unsigned numbers[40000];
	size_t count;
	uint64_t lines, skipped;
	int error;
} Read;

static Read got;

/* Reads what is there, at most max of the numbered ones; returns how many. */
static size_t read_on(Journal *journal, size_t max)
{
	JournalEntry entry;
	Why why = {""};
	int r = 0;

	got.count = 0;
	got.lines = got.skipped = 0;
	while (!r) {
		r = journal_fill(journal, &why);
		while (journal_entry(journal, &entry)) {
			unsigned number = entry.tag.data ? number_of(&entry) : 0;

			if (number && got.count == max)
				return got.count;
			if (number)
				got.numbers[got.count++] = number;
			got.lines += entry.lines;
			got.skipped += entry.skipped;
			journal_consume(journal);
		}
	}
	got.error = r;
	if (r < 0)
		tap_note("%s", why.text);
	return got.count;
}

/* Whether exactly first to last were read, in order. */
static bool got_range(unsigned first, unsigned last)
{
	if (got.count != (first <= last ? last - first + 1 : 0)) {
		tap_note("%zu numbers", got.count);
		return false;
	}
	for (size_t i = 0; i < got.count; i++)
		if (got.numbers[i] != first + i) {
			tap_note("number %zu is %u", i, got.numbers[i]);
			return false;
		}
	return true;
}

static void write_range(
	const char *path, unsigned first, unsigned last, unsigned boot, double from_s)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	for (unsigned i = first; i <= last; i++)
		maker_smtpd(&sb, from_s + i / 100.0, boot, i);
	maker_write(path, &sb);
}

static void test_all(void)
{
	unsigned n = small() ? 300 : 20000;
	Journal *journal;

	MUST(!mkdir("all", 0755));
	write_range("all/a.journal", 1, n, 1, 0);
	journal = open_at("all", NULL, 0, false);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(1, n) && got.lines == n && !got.skipped, "all entries, once and in order");
	tap_ok(got.error == JOURNAL_IDLE, "then it is idle");
	tap_ok(!*notices, "nothing to say %s", notices);
	read_on(journal, SIZE_MAX);
	tap_ok(!got.count, "nothing twice");
	journal_free(journal);
}

static void test_resume(void)
{
	unsigned n = small() ? 10 : 300;
	char cursor[CURSOR_MAX] = "";
	unsigned wrong = 0;

	MUST(!mkdir("resume", 0755));
	write_range("resume/a.journal", 1, n, 1, 0);
	for (unsigned i = 1; i <= n + 1; i++) {
		Journal *journal = open_at("resume", cursor, 0, false);

		wrong += read_on(journal, 1) != (i <= n) || (i <= n && got.numbers[0] != i);
		wrong += *notices != '\0';
		cursor_copy(cursor, journal_cursor(journal));
		journal_free(journal);
	}
	tap_ok(!wrong, "stopped and started after every entry: the next one each time");
}

static void cursor_of(const char *path, unsigned number, char ret_cursor[CURSOR_MAX])
{
	Journal *journal = open_at(path, NULL, 0, false);

	read_on(journal, number);
	cursor_copy(ret_cursor, journal_cursor(journal));
	journal_free(journal);
}

static void test_vacuum(void)
{
	char cursor[CURSOR_MAX], entry_cursor[CURSOR_MAX];
	Journal *journal;

	MUST(!mkdir("vacuum", 0755));
	write_range("vacuum/a.journal", 1, 20, 1, 0);
	cursor_of("vacuum", 10, cursor);
	write_range("vacuum/b.journal", 21, 40, 1, 0);
	journal = open_at("vacuum", cursor, 0, false);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(11, 40) && !*notices, "goes on in the second file");
	journal_free(journal);

	MUST(!unlink("vacuum/a.journal"));
	journal = open_at("vacuum", cursor, 0, false);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(21, 40),
		"where the entry that was read last is gone, what comes after it");
	tap_ok(strstr(notices,
		       "W vacuum: the entry that was read last is gone; entries from between "),
		"says so: %s", notices);
	journal_free(journal);

	/* As journalctl --flush does: the same entries in another file, numbered anew. */
	write_range("vacuum/c.journal", 5, 20, 1, 0);
	journal = open_at("vacuum", cursor, 0, false);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(11, 40) && !*notices, "a copy of the entry is known for the same one%s",
		notices);
	cursor_copy(entry_cursor, journal_cursor(journal));
	journal_free(journal);
	tap_ok(strcmp(entry_cursor, cursor), "the place has moved");
}

static bool wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 10000) == 1;
}

static void test_follow(void)
{
	char cursor[CURSOR_MAX];
	Journal *journal;

	MUST(!mkdir("follow", 0755));
	write_range("follow/a.journal", 1, 5, 1, 0);
	journal = open_at("follow", NULL, 0, true);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(1, 5) && got.error == JOURNAL_IDLE, "follows");
	write_range("follow/a.journal", 6, 9, 1, 0);
	tap_ok(wait_readable(journal_fd(journal)), "an entry wakes it");
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(6, 9) && got.error == JOURNAL_IDLE, "entries that were appended");
	/* rotated as journald does */
	MUST(!rename("follow/a.journal", "follow/a@1.journal"));
	write_range("follow/a.journal", 10, 12, 1, 0);
	tap_ok(wait_readable(journal_fd(journal)), "a new file wakes it");
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(10, 12) && !*notices, "entries of the new file%s", notices);
	cursor_copy(cursor, journal_cursor(journal));

	/* Written, rotated and removed before it looks: what was open is read first. */
	write_range("follow/a.journal", 13, 15, 1, 0);
	MUST(!unlink("follow/a.journal"));
	write_range("follow/b.journal", 16, 17, 1, 0);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(13, 17) && !*notices, "what is removed before it is read is read%s",
		notices);
	journal_free(journal);

	journal = open_at("follow", cursor, 0, true);
	MUST(!unlink("follow/b.journal") && !unlink("follow/a@1.journal"));
	read_on(journal, SIZE_MAX);
	tap_ok(got.error == -ENOENT && journal_fd(journal) == -1, "no file at all is an error");
	write_range("follow/c.journal", 18, 19, 1, 0);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(18, 19) && strstr(notices, "is gone"), "which ends when there is one");
	journal_free(journal);
}

/* What the entries of one kind give. */
typedef struct Case {
	const char *name;
	const char *fields; /* without times; %-free */
	bool taken;
	const char *notice;
} Case;

#define FAILED                                                                       \
	"MESSAGE=warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x, " \
	"sasl_username=u7\n"
#define DROPPED                                                      \
	"MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e\nN_DROPPED=7\n" \
	"MESSAGE=Suppressed 7 messages from postfix@-.service\n"

static const Case cases[] = {
	{"the usual name", "SYSLOG_IDENTIFIER=postfix/smtpd\n" FAILED, true, NULL},
	{"submission", "SYSLOG_IDENTIFIER=postfix/submission/smtpd\n" FAILED, true, NULL},
	{"submissions", "SYSLOG_IDENTIFIER=postfix/submissions/smtpd\n" FAILED, true, NULL},
	{"smtps", "SYSLOG_IDENTIFIER=postfix/smtps/smtpd\n" FAILED, true, NULL},
	{"an instance, by facility",
		"SYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postfix-out/smtps/smtpd\n" FAILED, true,
		NULL},
	{"an instance, by slice",
		"_SYSTEMD_SLICE=system-postfix.slice\nSYSLOG_FACILITY=16\n"
		"SYSLOG_IDENTIFIER=in/smtpd\n" FAILED,
		true, NULL},
	{"an instance of which nothing else is known", "SYSLOG_IDENTIFIER=in/smtpd\n" FAILED, false,
		NULL},
	{"smtp is not smtpd", "SYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postfix/smtp\n" FAILED, false,
		NULL},
	{"a name that only ends so", "SYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=opensmtpd\n" FAILED,
		false, NULL},
	{"no name", "SYSLOG_FACILITY=2\n" FAILED, false, NULL},
	{"no message", "SYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postfix/smtpd\n", false, NULL},
	{"root's", "_UID=0\nSYSLOG_IDENTIFIER=postfix/smtpd\n" FAILED, true, NULL},
	{"a container's account", "_UID=100101\nSYSLOG_IDENTIFIER=postfix/smtpd\n" FAILED, true,
		NULL},
	{"a person's", "_UID=1000\nSYSLOG_IDENTIFIER=postfix/smtpd\n" FAILED, false,
		"that user 1000 wrote"},
	{"a person's session's",
		"_UID=60513\n_SYSTEMD_SLICE=user-60513.slice\nSYSLOG_IDENTIFIER=postfix/"
		"smtpd\n" FAILED,
		false, "that user 60513 wrote"},
	{"a person's cron job's",
		"_UID=1000\n_SYSTEMD_UNIT=cron.service\n_SYSTEMD_SLICE=system.slice\n"
		"SYSLOG_IDENTIFIER=postfix/smtpd\n" FAILED,
		false, "that user 1000 wrote"},
	{"Postfix's with a person's number",
		"_UID=1000\n_SYSTEMD_UNIT=postfix@-.service\nSYSLOG_IDENTIFIER=postfix/"
		"smtpd\n" FAILED,
		true, NULL},
	{"journald's", "_TRANSPORT=driver\nSYSLOG_IDENTIFIER=systemd-journald\n" DROPPED, true,
		NULL},
	{"journald's, made up", "_TRANSPORT=syslog\nSYSLOG_IDENTIFIER=systemd-journald\n" DROPPED,
		false, NULL},
};

static void test_cases(void)
{
	MUST(!mkdir("case", 0755));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		JournalEntry entry;
		Journal *journal;
		bool taken;
		Why why;

		/* Something else, so that there is a journal in any case. */
		maker_begin(&sb, 1, 1);
		strbuf_append_string(&sb, "SYSLOG_IDENTIFIER=cron\nMESSAGE=postfix/smtpd\n");
		maker_end(&sb);
		maker_begin(&sb, 2, 1);
		strbuf_append_string(&sb, cases[i].fields);
		maker_end(&sb);
		maker_write("case/a.journal", &sb);
		journal = open_at("case", NULL, 0, false);
		MUST(!journal_fill(journal, &why) || !journal_entry(journal, &entry));
		taken = journal_entry(journal, &entry) && entry.tag.data;
		tap_ok(taken == cases[i].taken && !!cases[i].notice == (*notices != '\0') &&
				(!cases[i].notice || strstr(notices, cases[i].notice)) &&
				(!taken || (entry.time_us == (int64_t)MAKER_START_US + 2000000 &&
						   entry.lines == 1 && !entry.server.data)),
			"%s%s%s", cases[i].name, *notices ? ": " : "", notices);
		journal_free(journal);
		MUST(!unlink("case/a.journal"));
	}
	MUST(!rmdir("case"));
}

/* Messages of any bytes and any size, compressible and not, among ordinary ones. */
static void test_messages(void)
{
	static const size_t sizes[] = {1, 511, 513, 65535, 65536, 65537, 300000, 1000000};
	Random random = random_seeded();
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char *bytes = malloc(2 * 1000000);
	JournalEntry entry;
	Journal *journal;
	size_t at = 0;
	Why why;
	int r;

	MUST(bytes);
	for (size_t i = 0; i < 1000000; i++) {
		bytes[i] = (char)random_below(&random, 256);
		bytes[1000000 + i] = (char)("SASL \n"[i % 6]);
	}
	for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		maker_begin(&sb, (double)i, 1);
		strbuf_append_string(&sb, "_HOSTNAME=mx1\nSYSLOG_IDENTIFIER=postfix/smtpd\n");
		maker_field(&sb, "BINARY", bytes, 1000);
		maker_field(&sb, "MESSAGE", bytes + (i % 2) * 1000000, sizes[i / 2]);
		maker_end(&sb);
	}
	MUST(!mkdir("messages", 0755));
	maker_write("messages/a.journal", &sb);
	journal = open_at("messages/a.journal", NULL, 0, false);
	do {
		r = journal_fill(journal, &why);
		for (; journal_entry(journal, &entry); at++) {
			size_t size = sizes[at / 2], len = MIN(size, JOURNAL_MESSAGE_MAX);

			tap_ok(entry.message.len == len && span_equal_string(entry.server, "mx1") &&
					entry.cut == (size > len) && entry.skipped == entry.cut &&
					!memcmp(entry.message.data, bytes + (at % 2) * 1000000,
						len),
				"a message of %zu %s bytes", size, at % 2 ? "like" : "random");
			journal_consume(journal);
		}
	} while (!r);
	tap_ok(at == 2 * ARRAY_SIZE(sizes) && r == JOURNAL_IDLE, "all of them, from one file");
	journal_free(journal);
	free(bytes);
}

static void test_boots(void)
{
	char cursor[CURSOR_MAX];
	Journal *journal;

	MUST(!mkdir("boots", 0755));
	write_range("boots/a.journal", 1, 10, 1, 5000);
	write_range("boots/a.journal", 11, 20, 2, 0);
	journal = open_at("boots", NULL, 0, false);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(1, 20), "the clock went back between two boots: the journal's order");
	journal_free(journal);
	for (unsigned i = 9; i <= 11; i++) {
		cursor_of("boots", i, cursor);
		journal = open_at("boots", cursor, 0, false);
		read_on(journal, SIZE_MAX);
		tap_ok(got_range(i + 1, 20) && !*notices, "goes on behind entry %u of them", i);
		journal_free(journal);
	}
}

static void test_after(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	int64_t t = (int64_t)MAKER_START_US;
	char cursor[CURSOR_MAX];
	Journal *journal;

	MUST(!mkdir("after", 0755));
	write_range("after/a.journal", 1, 200, 1, 0);
	journal = open_at("after", NULL, t + 500000, false);
	tap_ok(journal_after_us(journal) == t + 500000, "starts after a time");
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(51, 200), "and takes what is later");
	tap_ok(!journal_after_us(journal), "which is true then");
	journal_free(journal);

	journal = open_at("after", NULL, t + 1000000, false);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(200, 200), "a time of whole seconds stands for all of that second");
	journal_free(journal);

	journal = open_at("after", NULL, t + 9000000, false);
	read_on(journal, SIZE_MAX);
	tap_ok(!got.count && journal_after_us(journal) == t + 9000000, "all is earlier");
	cursor_copy(cursor, journal_cursor(journal));
	journal_free(journal);

	/* Sent before, received after. */
	maker_begin(&sb, 10, 1);
	strbuf_appendf(&sb,
		"SYSLOG_IDENTIFIER=postfix/smtpd\n_SOURCE_REALTIME_TIMESTAMP=%" PRId64 "\n",
		t + 8999000);
	strbuf_append_string(&sb, "MESSAGE=sasl_username=u201\n");
	maker_end(&sb);
	maker_write("after/a.journal", &sb);
	write_range("after/a.journal", 202, 203, 1, 9);
	journal = open_at("after", cursor, t + 9000001, false);
	read_on(journal, SIZE_MAX);
	tap_ok(got_range(202, 203), "what counts is when it was sent");
	journal_free(journal);
}

/* Bytes of a file are overwritten: what can be read is read once and in order, and what can't is said. */
static void test_damage(void)
{
	unsigned n = small() ? 500 : 5000, rounds = small() ? 3 : 40;
	Random random = random_seeded();
	unsigned wrong = 0, silent = 0, whole = 0, later = 0;

	MUST(!mkdir("damage", 0755));
	write_range("damage/b.journal", n + 1, n + 50, 1, 0);
	for (unsigned round = 0; round < rounds; round++) {
		_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
		unsigned damages = 1 + random_below(&random, 30);
		Journal *journal;

		if (round)
			MUST(!unlink("damage/a.journal"));
		write_range("damage/a.journal", 1, n, 1, 0);
		file = scratch_read("damage/a.journal");
		for (unsigned i = 0; i < damages; i++) {
			/* behind the header and the hash tables */
			size_t at =
				file.len / 5 + random_below(&random, (uint32_t)(file.len / 5 * 2));

			for (unsigned k = 0; k < 16; k++)
				file.data[at + k] = (char)random_below(&random, 256);
		}
		scratch_write("damage/a.journal", file.data, file.len);
		journal = open_at("damage", NULL, 0, false);
		read_on(journal, SIZE_MAX);
		for (size_t i = 1; i < got.count; i++)
			wrong += got.numbers[i] <= got.numbers[i - 1] && got.numbers[i] <= n + 50 &&
				 got.numbers[i - 1] <= n + 50;
		wrong += got.error != JOURNAL_IDLE;
		later += got.count >= 50 && got.numbers[got.count - 1] == n + 50;
		whole += got.count >= n + 50 - 2 * damages;
		/* bytes that are other bytes now, and single entries that libsystemd left out, nobody can see */
		silent += got.count < n + 50 - 2 * damages && !strstr(notices, "damaged");
		journal_free(journal);
	}
	tap_note("%u of %u files read but for a few entries", whole, rounds);
	tap_ok(whole * 3 >= rounds * 2, "damaged files are mostly read");
	tap_ok(!wrong, "damaged files: in order, nothing twice, to the end");
	tap_ok(!silent, "and says when more than single entries are missing");
	tap_ok(later == rounds, "and goes on with what comes later");
}

static void test_cursor(void)
{
#define C                                                                                      \
	"s=0123456789abcdef0123456789abcdef;i=4e20;b=00000000000000000000000000000001;m=13;t=" \
	"6608b02905d00;x=a9"
	static const struct {
		const char *text;
		int expected;
	} texts[] = {
		{C, 0},
		{"", -EINVAL},
		{"s=0;i=1;b=1;m=1;t=1", -EINVAL},
		{"s=0;i=1;b=1;m=1;t=1;x=", -EINVAL},
		{"i=1;s=0;b=1;m=1;t=1;x=1", -EINVAL},
		{"s=0;i=11111111111111111;b=1;m=1;t=1;x=1", -EINVAL},
		{"s=0;i=g;b=1;m=1;t=1;x=1", -EINVAL},
	};
	JournalOptions options = {.path = "all", .cursor = "nonsense"};
	Cursor a, b;
	Journal *journal;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		tap_ok(cursor_parse(texts[i].text, &a) == texts[i].expected, "cursor '%s'",
			texts[i].text);
	MUST(!cursor_parse(C, &a));
	tap_ok(a.number == 0x4e20 && a.monotonic_us == 0x13 && a.realtime_us == 0x6608b02905d00 &&
			a.hash == 0xa9,
		"its parts");
	b = a;
	tap_ok(cursor_same_entry(&a, &b) && !cursor_adjacent(&a, &b), "the same entry");
	b.number++;
	tap_ok(cursor_adjacent(&a, &b), "the next entry");
	b.file_set[0] = '1';
	tap_ok(cursor_same_entry(&a, &b) && !cursor_adjacent(&a, &b), "a copy of the entry");
	b.hash++;
	tap_ok(!cursor_same_entry(&a, &b), "another entry");
	tap_ok(journal_new(&options, &callbacks, &journal) == -EINVAL, "a cursor that is none");
}

static void test_none(void)
{
	static const char *const paths[] = {"nothing", "empty", "text"};

	MUST(!mkdir("empty", 0755) && !mkdir("text", 0755));
	scratch_text("text/a.journal", "no journal");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		Journal *journal = open_at(paths[i], NULL, 0, true);

		tap_ok(journal_probe(paths[i]) == -ENOENT, "%s: none there", paths[i]);
		read_on(journal, SIZE_MAX);
		tap_ok(got.error == -ENOENT && !got.count, "%s: nothing to read", paths[i]);
		journal_free(journal);
	}
}

int main(void)
{
	if (!maker_program()) {
		printf("1..0 # SKIP no systemd-journal-remote\n");
		return 0;
	}
	scratch_enter();
	test_all();
	test_resume();
	test_vacuum();
	test_follow();
	test_cases();
	test_messages();
	test_boots();
	test_after();
	test_damage();
	test_cursor();
	test_none();
	return tap_done();
}
