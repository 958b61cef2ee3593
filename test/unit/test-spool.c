/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/spool.h"

#include "base/hash.h"
#include "scratch.h"
#include "tap.h"

#define MESSAGE "From: a@b\r\nSubject: x\r\n\r\nend\r\n.\r\nto y\r\npayload\nchecksum 0\n"

static const char *const recipients[] = {"root", "\"a b\"@example.org", "c@[IPv6:2001:db8::1]"};

static Letter sample(void)
{
	return (Letter){
		.created_us = 1700000000000003,
		.has_start = true,
		.start = {.place = {UINT64_MAX, 1, 48}, .written_us = 1700000000000001},
		.end = {.place = {UINT64_MAX, 2, UINT64_MAX},
			.written_us = 1700000000000002,
			.has_counters = true,
			.counters = {1, 2, 3, 4, 5, 6, 7}},
		.from = "mls@host.example",
		.to = recipients,
		.to_count = ARRAY_SIZE(recipients),
		.message = SPAN_LITERAL(MESSAGE),
	};
}

static bool same_place(const CsvPlace *a, const CsvPlace *b)
{
	return a->series == b->series && a->number == b->number && a->offset == b->offset;
}

static bool same_letter(const Letter *a, const Letter *b)
{
	bool same = a->created_us == b->created_us && a->has_start == b->has_start &&
		    same_place(&a->start.place, &b->start.place) &&
		    a->start.written_us == b->start.written_us &&
		    same_place(&a->end.place, &b->end.place) &&
		    a->end.written_us == b->end.written_us &&
		    a->end.has_counters == b->end.has_counters &&
		    !memcmp(&a->end.counters, &b->end.counters, sizeof(a->end.counters)) &&
		    !strcmp(a->from, b->from) && a->to_count == b->to_count &&
		    span_equal(a->message, b->message);

	for (size_t i = 0; same && i < a->to_count; i++)
		same = !strcmp(a->to[i], b->to[i]);
	return same;
}

/* ---- a letter ------------------------------------------------------------------------------- */

static void test_letter(void)
{
	_cleanup_letter_ Letter loaded = LETTER_INIT, first_loaded = LETTER_INIT;
	Letter letter = sample(), first = sample();
	struct stat st;
	Why why = {""};

	MUST(!letter_save("letter", &letter));
	tap_ok(!letter_load("letter", &loaded, &why) && same_letter(&letter, &loaded),
		"a letter comes back as it was");
	MUST(!stat("letter", &st));
	tap_ok((st.st_mode & 07777) == 0600 && access("letter.tmp", F_OK) < 0,
		"mode 0600 and nothing beside it");
	first.has_start = false;
	first.start = (Bookmark){.written_us = 0};
	first.end.has_counters = false;
	first.end.counters = (Counters){0};
	first.to_count = 1;
	MUST(!letter_save("first", &first));
	tap_ok(!letter_load("first", &first_loaded, &why) && same_letter(&first, &first_loaded),
		"one that is behind nothing, too");
	tap_ok(letter_load("none", &loaded, &why) == -ENOENT && *why.text, "none is -ENOENT");
}

static void test_unwritable(void)
{
	static const char *const breaking[] = {"a@b\nto c@d"};
	static const char *many[LETTER_RECIPIENTS_MAX + 1];
	_cleanup_free_ char *large = malloc(LETTER_MESSAGE_MAX + 1);
	Letter letter;
	int sum = 0;

	MUST(large);
	memset(large, '\n', LETTER_MESSAGE_MAX + 1);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = "root";
	letter = sample();
	letter.to = breaking;
	letter.to_count = 1;
	sum += letter_save("no", &letter) == -EINVAL;
	letter = sample();
	letter.to_count = 0;
	sum += letter_save("no", &letter) == -EINVAL;
	letter.to = many;
	letter.to_count = ARRAY_SIZE(many);
	sum += letter_save("no", &letter) == -EINVAL;
	letter = sample();
	letter.from = "a@b\r";
	sum += letter_save("no", &letter) == -EINVAL;
	letter.from = "";
	sum += letter_save("no", &letter) == -EINVAL;
	letter = sample();
	letter.message = SPAN_LITERAL("no line end");
	sum += letter_save("no", &letter) == -EINVAL;
	letter.message = SPAN_LITERAL("");
	sum += letter_save("no", &letter) == -EINVAL;
	letter.message = (Span){large, LETTER_MESSAGE_MAX + 1};
	sum += letter_save("no", &letter) == -EFBIG;
	tap_ok(sum == 8 && access("no", F_OK) < 0,
		"what would not read back is not written: line breaks, no or too many recipients, "
		"a message that is empty, without an end or too long");
	letter.message.len--;
	tap_ok(!letter_save("large", &letter), "the longest message is written");
	{
		_cleanup_letter_ Letter loaded = LETTER_INIT;

		tap_ok(!letter_load("large", &loaded, NULL) && same_letter(&letter, &loaded),
			"and read");
	}
	MUST(!unlink("large"));
}

static void test_damage(void)
{
	_cleanup_strbuf_ StrBuf file = scratch_read("letter");
	size_t taken = 0;

	for (size_t i = 0; i < file.len; i++) {
		_cleanup_letter_ Letter letter = LETTER_INIT;
		Why why = {""};

		for (int bit = 0; bit < 8; bit += 3) {
			file.data[i] ^= (char)(1 << bit);
			scratch_write("damaged", file.data, file.len);
			taken += letter_load("damaged", &letter, &why) != -EBADMSG || !*why.text;
			file.data[i] ^= (char)(1 << bit);
		}
		scratch_write("damaged", file.data, i);
		taken += letter_load("damaged", &letter, &why) != -EBADMSG || !*why.text;
	}
	tap_ok(!taken, "changed or cut anywhere, it is refused with a reason");
}

#define HEAD "maillogsentinel-letter 1\ncreated 5\n"
#define END "end\ncsv number=1 offset=2 series=3\npayload\nx\n"

static const struct {
	const char *what;
	const char *text;
	const char *why; /* NULL: it is taken */
} rows[] = {
	{"least", HEAD "from a\nto b\n" END, NULL},
	{"no recipient", HEAD "from a\n" END, "a line"},
	{"no sender", HEAD "to a\n" END, "a line"},
	{"two senders", HEAD "from a\nfrom a\nto b\n" END, "a line"},
	{"empty recipient", HEAD "from a\nto \n" END, "a line"},
	{"half a start", HEAD "start number=1 offset=2\nfrom a\nto b\n" END, "a line"},
	{"no end", HEAD "from a\nto b\n", "a line"},
	{"no place", HEAD "from a\nto b\nend\npayload\nx\n", "a line"},
	{"no message", HEAD "from a\nto b\nend\ncsv number=1 offset=2 series=3\n", "a line"},
	{"unknown", HEAD "from a\nto b\nx y\n" END, "a line"},
	{"no value", HEAD "from a\nto b\nx\n" END, "a line"},
	{"negative", "maillogsentinel-letter 1\ncreated -5\nfrom a\nto b\n" END, "a line"},
	{"newer", "maillogsentinel-letter 2\n?\n", "newer version"},
	{"another's", "maillogsentinel-tries 1\n?\n", "not a letter"},
};

static void write_sealed(const char *path, const char *text)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	strbuf_append_string(&sb, text);
	strbuf_appendf(
		&sb, "checksum %016" PRIx64 "\n", hash_bytes(HASH_KEY_FIXED, sb.data, sb.len));
	scratch_write(path, sb.data, sb.len);
}

static void test_text(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_letter_ Letter letter = LETTER_INIT;
		Why why = {""};
		int r;

		write_sealed("text", rows[i].text);
		r = letter_load("text", &letter, &why);
		if (!tap_ok(rows[i].why ? r == -EBADMSG && strstr(why.text, rows[i].why) : !r,
			    "letter: %s", rows[i].what))
			tap_note("%d %s", r, why.text);
	}
}

/* ---- its tries ------------------------------------------------------------------------------ */

static bool same_tries(const Tries *a, const Tries *b)
{
	return a->created_us == b->created_us && a->since_us == b->since_us &&
	       a->count == b->count && a->first_us == b->first_us && a->last_us == b->last_us &&
	       a->open == b->open && !a->reason == !b->reason &&
	       (!a->reason || !strcmp(a->reason, b->reason)) &&
	       a->receipt_count == b->receipt_count &&
	       !memcmp(a->receipts, b->receipts, a->receipt_count * sizeof(*a->receipts));
}

static void test_tries(void)
{
	_cleanup_tries_ Tries tries = TRIES_INIT, loaded = TRIES_INIT, again = TRIES_INIT;
	char longer[LETTER_REASON_MAX + 100];
	Letter letter = sample();
	Why why = {""};

	tap_ok(tries_load("tries", &loaded, &why) == TRIES_NONE, "no file: nothing is known");
	MUST(!tries_begin(&letter, &tries));
	tap_ok(tries.created_us == letter.created_us && tries.since_us == letter.created_us &&
			tries.receipt_count == 3 && !tries.receipts[2] && !tries.count,
		"a letter that was not tried");
	MUST(!tries_save("tries", &tries));
	tap_ok(!tries_load("tries", &loaded, &why) && same_tries(&tries, &loaded),
		"comes back as it was");
	tries.count = UINT64_MAX;
	tries.first_us = 1;
	tries.last_us = INT64_MAX;
	tries.open = true;
	tries.receipts[0] = RECEIPT_REFUSED;
	tries.receipts[1] = RECEIPT_ACCEPTED;
	MUST(!tries_set_reason(&tries, "550 no\nsuch \x1b[31m\xff user"));
	MUST(!tries_save("tries", &tries));
	tries_done(&loaded);
	tap_ok(!tries_load("tries", &loaded, &why) && same_tries(&tries, &loaded),
		"and with all that can be known, bytes from outside, too");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	MUST(!tries_set_reason(&tries, longer) && !tries_save("tries", &tries));
	tap_ok(!tries_load("tries", &again, &why) && strlen(again.reason) == LETTER_REASON_MAX,
		"a long reason is cut");
	write_sealed("tries", "maillogsentinel-tries 1\nreceipt maybe\n");
	tap_ok(tries_load("tries", &again, &why) == -EBADMSG, "an unknown receipt is refused");
	write_sealed("tries", "maillogsentinel-tries 1\nmore 1\n");
	tap_ok(tries_load("tries", &again, &why) == -EBADMSG, "an unknown line, too");
	scratch_text("tries", "torn");
	tap_ok(tries_load("tries", &again, &why) == -EBADMSG && *why.text, "and a torn file");
}

/* ---- the spool ------------------------------------------------------------------------------ */

/* "NAME NAME! ", failed ones with an exclamation mark. */
static StrBuf names(const Spool *spool)
{
	StrBuf sb = STRBUF_INIT;

	strbuf_append_string(&sb, "");
	for (size_t i = 0; i < spool->count; i++)
		strbuf_appendf(
			&sb, "%s%s ", spool->entries[i].name, spool->entries[i].failed ? "!" : "");
	return sb;
}

static void names_are(const char *expected, const char *what)
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;
	_cleanup_strbuf_ StrBuf found = STRBUF_INIT;

	MUST(!spool_read(".", &spool));
	found = names(&spool);
	if (!tap_ok(!strcmp(found.data, expected), "%s", what))
		tap_note("%s", found.data);
}

/* Adds one by rows up to the offset. */
static int add(uint64_t number, uint64_t offset)
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;
	Letter letter = sample();

	letter.start.place = (CsvPlace){7, 1, 48};
	letter.end.place = (CsvPlace){7, number, offset};
	MUST(!spool_open(".", &spool));
	return spool_add(&spool, &letter);
}

static void change(const char *name, int (*what)(const Spool *spool, SpoolEntry *entry))
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;

	MUST(!spool_open(".", &spool));
	for (size_t i = 0; i < spool.count; i++)
		if (!strcmp(spool.entries[i].name, name))
			MUST(!what(&spool, &spool.entries[i]));
}

static int remove_it(const Spool *spool, SpoolEntry *entry)
{
	return spool_remove(spool, entry);
}

static int try_it(const Spool *spool, SpoolEntry *entry)
{
	_cleanup_free_ char *path = spool_tries_path_dup(spool, entry);
	_cleanup_letter_ Letter letter = LETTER_INIT;
	_cleanup_tries_ Tries tries = TRIES_INIT;

	MUST(!spool_load(spool, entry, &letter, NULL) && !tries_begin(&letter, &tries));
	MUST(!tries_set_reason(&tries, entry->name));
	return tries_save(path, &tries);
}

#define A "000001-1.48-1.100"
#define B "000002-1.48-1.100"
#define C "000003-1.48-1.90"
#define D "000004-1.48-18446744073709551615.18446744073709551615"

static void test_order(void)
{
	struct stat st;

	names_are("", "without a directory it is empty");
	tap_ok(access("spool", F_OK) < 0, "and reading makes none");
	MUST(!add(1, 100));
	MUST(!stat("spool", &st));
	tap_ok((st.st_mode & 07777) == 0700, "the directory is for its owner alone");
	MUST(!add(1, 100) && !add(1, 90) && !add(UINT64_MAX, UINT64_MAX));
	names_are(A " " B " " C " " D " ",
		"in the order in which they were added, also with the same rows or fewer");
	change(B, remove_it);
	change(D, spool_fail);
	names_are(A " " C " " D "! ", "one is removed, one has failed");
	tap_ok(!access("spool/" D ".failed", F_OK) && access("spool/" D ".eml", F_OK) < 0,
		"which is another name");
	MUST(!add(1, 100));
	names_are(A " " C " " D "! 000005-1.48-1.100 ", "the next comes after the failed one, too");
	MUST(!rename("spool/" D ".failed", "spool/" D ".eml"));
	names_are(A " " C " " D " 000005-1.48-1.100 ", "it can be renamed back");
	scratch_run("rm spool/*");
	MUST(!add(1, 100));
	names_are(A " ", "when all is done it begins anew");
}

static void test_clean(void)
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;

	change(A, try_it);
	scratch_text("spool/" A ".state.tmp", "x");
	scratch_text("spool/" B ".eml.tmp", "x");
	scratch_text("spool/" B ".state", "x");
	scratch_text("spool/x.eml", "x");
	scratch_text("spool/000009-1.1-1.eml", "x");
	scratch_text("spool/000009-1.1-1.2.3.eml", "x");
	scratch_text("spool/000009--1.1-1.2.eml", "x");
	scratch_text("spool/99999999999999999999-1.1-1.2.eml", "x");
	scratch_text("spool/.eml", "x");
	MUST(!mkdir("spool/000009-1.1-1.2.eml", 0700));
	MUST(!symlink(A ".eml", "spool/000008-1.1-1.2.eml"));
	MUST(!mkdir("spool/000008-1.1-1.2.state", 0700));
	names_are(A " ", "what is not ours is not seen");
	MUST(!access("spool/" B ".state", F_OK));
	MUST(!spool_open(".", &spool));
	tap_ok(access("spool/" A ".state.tmp", F_OK) < 0 &&
			access("spool/" B ".eml.tmp", F_OK) < 0 &&
			access("spool/" B ".state", F_OK) < 0,
		"who changes something removes what a crash has left");
	tap_ok(!access("spool/" A ".state", F_OK) && !access("spool/x.eml", F_OK), "and no more");
	change(A, remove_it);
	tap_ok(access("spool/" A ".state", F_OK) < 0, "what is known of a letter goes with it");
	scratch_run("rm -r spool");
}

static void test_failures(void)
{
	_cleanup_spool_ Spool none = SPOOL_INIT, spool = SPOOL_INIT, other = SPOOL_INIT;
	SpoolFailures failures;

	MUST(!add(1, 100) && !add(1, 100) && !add(1, 90));
	MUST(!spool_read(".", &none));
	spool_failures(&none, &failures);
	tap_ok(!failures.count && !*failures.reason, "none has failed");
	change(A, try_it);
	change(B, try_it);
	change(A, spool_fail);
	change(B, spool_fail);
	MUST(!spool_read(".", &spool));
	spool_failures(&spool, &failures);
	tap_ok(failures.count == 2 && !strcmp(failures.name, B) && !strcmp(failures.reason, B) &&
			failures.created_us == sample().created_us,
		"two have, and why the last has");
	MUST(!unlink("spool/" B ".state"));
	MUST(!spool_read(".", &other));
	spool_failures(&other, &failures);
	tap_ok(failures.count == 2 && !strcmp(failures.name, B) && !*failures.reason &&
			!failures.created_us,
		"which may not be known");
	scratch_run("rm -r spool");
}

static void test_limits(void)
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;
	char path[64];

	MUST(!add(1, 100));
	for (int i = 2; i <= SPOOL_COUNT_MAX; i++) {
		(void)snprintf(path, sizeof(path), "spool/%06d-1.48-1.90.failed", i);
		scratch_text(path, "x");
	}
	tap_ok(add(1, 100) == SPOOL_FULL, "no more than so many letters");
	MUST(!unlink("spool/000500-1.48-1.90.failed"));
	tap_ok(!add(1, 100) && !access("spool/001001-1.48-1.100.eml", F_OK),
		"one that goes makes room");
	scratch_run("rm -r spool; mkdir spool; truncate -s 1073741700 spool/" A ".failed");
	tap_ok(!add(1, 100) && add(1, 100) == SPOOL_FULL, "nor so many bytes");
	scratch_run("rm -r spool; mkdir spool; touch spool/1000000000000-1.1-1.1.failed");
	names_are("", "a sequence number that is none of ours is not seen");
	scratch_run("mv spool/1000000000000-1.1-1.1.failed spool/999999999999-1.1-1.1.failed");
	tap_ok(add(1, 100) == SPOOL_FULL, "and none is made");
	scratch_run("rm -r spool; touch spool");
	tap_ok(spool_open(".", &spool) == -ENOTDIR, "a file in the place of the directory");
	MUST(!unlink("spool"));
}

int main(void)
{
	scratch_enter();
	test_letter();
	test_unwritable();
	test_damage();
	test_text();
	test_tries();
	test_order();
	test_clean();
	test_failures();
	test_limits();
	return tap_done();
}
