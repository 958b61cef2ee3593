/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/checkpoint.h"

#include "base/hash.h"
#include "random.h"
#include "scratch.h"
#include "state/frame.h"
#include "tap.h"

#define PATH "state.offset"
#define FIRST_LINE "maillogsentinel-checkpoint 1\n"

/* What a path may be made of: everything but NUL. */
static const char *const paths[] = {
	"/var/log/mail.log",
	"mail.log",
	"/var/log/with blank/ two  .log ",
	" ",
	"",
	"/line\nfeed\r\n",
	"/tab\tand\x7f\x01\x1b[31m",
	"/caf\xc3\xa9/\xe6\x97\xa5\xe6\x9c\xac.log",
	"/latin1 \xe9\xff\xfe/\x80",
	"/c1 \xc2\x85\xc2\x9b",
	"/back\\slash\\x41\\\\x0a\\",
	"checksum 0123456789abcdef",
	"counters lines=1",
};

static FileMark random_mark(Random *random)
{
	FileMark mark = {
		.device = random_next(random),
		.inode = random_next(random),
		.offset = random_next(random) >> (1 + random_below(random, 63)),
		.head_hash = random_next(random),
		.tail_hash = random_next(random) >> random_below(random, 64),
		.written_us = (int64_t)random_next(random),
	};

	mark.head_len = (uint32_t)MIN(mark.offset, (uint64_t)MARK_HEAD_MAX);
	mark.tail_len = (uint32_t)MIN(mark.offset, (uint64_t)MARK_TAIL_MAX);
	return mark;
}

static bool same_mark(const FileMark *a, const FileMark *b)
{
	return a->device == b->device && a->inode == b->inode && a->offset == b->offset &&
	       a->head_hash == b->head_hash && a->head_len == b->head_len &&
	       a->tail_hash == b->tail_hash && a->tail_len == b->tail_len &&
	       a->written_us == b->written_us;
}

static Counters random_counters(Random *random)
{
	return (Counters){random_next(random), random_next(random), random_next(random) >> 60,
		random_next(random), 0, UINT64_MAX,
		random_next(random) >> random_below(random, 64)};
}

static Trail random_trail(Random *random)
{
	Trail trail = {.count = random_below(random, TRAIL_MAX + 1)};
	uint64_t offset = 0;

	for (uint32_t i = 0; i < trail.count; i++) {
		TrailPlace *place = &trail.places[i];

		offset += 1 + random_below(random, 1 << 30);
		place->offset = offset;
		place->len =
			1 + random_below(random, (uint32_t)MIN(offset, (uint64_t)MARK_TAIL_MAX));
		place->hash = random_next(random);
	}
	return trail;
}

/* What lies behind the position is only worth a line where there is something. */
static bool same_trail(const LogState *x, const LogState *y)
{
	if (x->earlier.count != y->earlier.count ||
		(x->length > x->position.offset ? x->length : 0) != y->length)
		return false;
	for (uint32_t i = 0; i < x->earlier.count; i++)
		if (x->earlier.places[i].offset != y->earlier.places[i].offset ||
			x->earlier.places[i].len != y->earlier.places[i].len ||
			x->earlier.places[i].hash != y->earlier.places[i].hash)
			return false;
	return true;
}

static void make(Checkpoint *cp, Random *random, size_t logs)
{
	*cp = CHECKPOINT_INIT;
	cp->written_us = (int64_t)random_next(random);
	cp->csv_path = strdup(paths[random_below(random, ARRAY_SIZE(paths))]);
	MUST(cp->csv_path);
	cp->csv = random_mark(random);
	cp->csv_series = random_next(random);
	cp->csv_number = 1 + random_next(random) % 1000;
	cp->csv_begin = random_next(random);
	for (size_t i = 0; i < logs; i++) {
		FileMark mark = random_mark(random);

		MUST(!checkpoint_push_csv(cp, &mark, random_below(random, 2)));
		cp->csv_begin = random_next(random) >> random_below(random, 64);
		if (random_below(random, 3))
			continue;
		free(cp->csv_path);
		cp->csv_path = strdup(paths[random_below(random, ARRAY_SIZE(paths))]);
		MUST(cp->csv_path);
	}
	cp->rows = random_next(random);
	cp->source = (SourceKind)random_below(random, 3);
	for (size_t i = 0; i < logs; i++) {
		_cleanup_strbuf_ StrBuf path = STRBUF_INIT;
		LogState *log;

		strbuf_append_string(&path, paths[i % ARRAY_SIZE(paths)]);
		if (i >= ARRAY_SIZE(paths))
			strbuf_appendf(&path, "%zu", i);
		MUST(!checkpoint_add_log(cp, strbuf_text(&path), &log));
		log->has_position = random_below(random, 3);
		log->has_finished = random_below(random, 2);
		if (log->has_position) {
			log->position = random_mark(random);
			log->earlier = random_trail(random);
			log->length = log->position.offset + random_below(random, 2);
		}
		if (log->has_finished)
			log->finished = random_mark(random);
		if (random_below(random, 2))
			(void)snprintf(log->cursor, sizeof(log->cursor), "s=%0*" PRIx64,
				(int)random_below(random, 189), random_next(random));
		if (random_below(random, 2))
			log->stamp_us = (int64_t)random_next(random);
		if (random_below(random, 2))
			log->after_us = (int64_t)random_next(random);
		log->counters = random_counters(random);
	}
}

static bool same(const Checkpoint *a, const Checkpoint *b)
{
	if (a->written_us != b->written_us || strcmp(a->csv_path, b->csv_path) ||
		!same_mark(&a->csv, &b->csv) || a->rows != b->rows || a->log_count != b->log_count)
		return false;
	if (a->csv_series != b->csv_series || a->csv_number != b->csv_number ||
		a->csv_begin != b->csv_begin || a->before_count != b->before_count)
		return false;
	for (size_t i = 0; i < a->before_count; i++) {
		const CsvBefore *x = &a->before[i], *y = &b->before[i];

		if (strcmp(x->path, y->path) || x->number != y->number || x->begin != y->begin ||
			x->lost != y->lost || !same_mark(&x->mark, &y->mark))
			return false;
	}
	for (size_t i = 0; i < a->log_count; i++) {
		const LogState *x = &a->logs[i], *y = &b->logs[i];

		if (strcmp(x->path, y->path) || strcmp(x->cursor, y->cursor) ||
			x->stamp_us != y->stamp_us || x->after_us != y->after_us ||
			x->has_position != y->has_position || x->has_finished != y->has_finished ||
			(x->has_position && !same_mark(&x->position, &y->position)) ||
			(x->has_finished && !same_mark(&x->finished, &y->finished)) ||
			(x->has_position && !same_trail(x, y)) ||
			memcmp(&x->counters, &y->counters, sizeof(x->counters)))
			return false;
	}
	return true;
}

static void test_round_trip(Random *random)
{
	static const size_t counts[] = {0, 1, 2, ARRAY_SIZE(paths), 100, CHECKPOINT_LOGS_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		_cleanup_checkpoint_ Checkpoint saved, loaded = CHECKPOINT_INIT;
		bool found = true;
		struct stat st;
		LogState *log;
		Why why = {""};
		int r;

		make(&saved, random, counts[i]);
		MUST(!checkpoint_save(PATH, &saved));
		r = checkpoint_load(PATH, &loaded, &why);
		if (!tap_ok(!r && same(&saved, &loaded), "%zu logs come back as they were",
			    counts[i]))
			tap_note("%d %s", r, why.text);
		for (size_t n = 0; n < loaded.log_count; n += 1 + n / 20)
			found = found &&
				checkpoint_find_log(&loaded, saved.logs[n].path) == &loaded.logs[n];
		tap_ok(found && !checkpoint_find_log(&loaded, "/not/there"),
			"%zu logs are found by path", counts[i]);
		MUST(!stat(PATH, &st));
		tap_ok((st.st_mode & 07777) == 0600 && access(PATH ".tmp", F_OK) < 0,
			"mode 0600 and nothing beside it");
		if (counts[i] == CHECKPOINT_LOGS_MAX)
			tap_ok(checkpoint_add_log(&loaded, "/one/more", &log) == -EMFILE,
				"and no log more than that");
	}
}

/* Loads these bytes as a checkpoint. */
static int load_bytes(const char *data, size_t len, Why *ret_why)
{
	_cleanup_checkpoint_ Checkpoint cp = CHECKPOINT_INIT;

	scratch_write("other", data, len);
	*ret_why = (Why){""};
	return checkpoint_load("other", &cp, ret_why);
}

static void test_damage(Random *random)
{
	_cleanup_checkpoint_ Checkpoint saved;
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	size_t taken = 0, silent = 0;
	Why why;

	make(&saved, random, 3);
	MUST(!checkpoint_save(PATH, &saved));
	file = scratch_read(PATH);
	MUST(!load_bytes(file.data, file.len, &why));
	for (size_t i = 0; i < file.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			file.data[i] ^= (char)(1 << bit);
			taken += load_bytes(file.data, file.len, &why) != -EBADMSG;
			silent += !*why.text;
			file.data[i] ^= (char)(1 << bit);
		}
	}
	tap_ok(!taken && !silent, "each changed bit of %zu bytes is refused with a reason",
		file.len);
	for (size_t len = 0; len < file.len; len++) {
		taken += load_bytes(file.data, len, &why) != -EBADMSG;
		silent += !*why.text;
	}
	tap_ok(!taken && !silent, "cut anywhere it is refused with a reason");
	for (int i = 0; i < 200; i++) {
		size_t from = random_below(random, (uint32_t)file.len);
		_cleanup_strbuf_ StrBuf other = STRBUF_INIT;

		strbuf_append(&other, file.data, file.len);
		memset(other.data + from, 0, other.len - from);
		taken += load_bytes(other.data, other.len, &why) != -EBADMSG;
		strbuf_append(&other, file.data, file.len);
		taken += load_bytes(other.data, other.len, &why) != -EBADMSG;
	}
	tap_ok(!taken, "with NULs at its end or bytes behind it it is refused");
}

/* Files with a right checksum that say what this program never writes. They are refused, or taken; they never crash. */
static const struct {
	const char *name;
	Span text;
	const char *why; /* NULL: it is taken */
} rows[] = {
	{"empty", SPAN_LITERAL(""), "not a checkpoint"},
	{"foreign", SPAN_LITERAL("[state]\noffset=1\n"), "not a checkpoint"},
	{"no version", SPAN_LITERAL("maillogsentinel-checkpoint \n"), "not a checkpoint"},
	{"version 0", SPAN_LITERAL("maillogsentinel-checkpoint 0\ncsv x\n"), "not a checkpoint"},
	{"version 2", SPAN_LITERAL("maillogsentinel-checkpoint 2\ncsv x\n"), "newer version"},
	{"a version that overflows",
		SPAN_LITERAL("maillogsentinel-checkpoint 99999999999999999999999\ncsv x\n"),
		"newer version"},
	{"negative version", SPAN_LITERAL("maillogsentinel-checkpoint -1\ncsv x\n"), "newer"},
	{"least", SPAN_LITERAL(FIRST_LINE "csv x\n"), NULL},
	{"no CSV", SPAN_LITERAL(FIRST_LINE "rows 1\n"), "a line of it"},
	{"only the first line", SPAN_LITERAL(FIRST_LINE), "a line of it"},
	{"no end of line", SPAN_LITERAL(FIRST_LINE "csv x\nrows 1"), "a line of it"},
	{"first line without end", SPAN_LITERAL("maillogsentinel-checkpoint 1"), "a line of it"},
	{"a NUL in the first line", SPAN_LITERAL("maillogsentinel-checkpoint 1\0\ncsv x\n"),
		"a line of it"},
	{"a NUL at a line's start", SPAN_LITERAL(FIRST_LINE "csv x\n\0rows 1\n"), "a line of it"},
	{"a NUL in a line", SPAN_LITERAL(FIRST_LINE "csv x\nrows 1\0\n"), "a line of it"},
	{"empty line", SPAN_LITERAL(FIRST_LINE "csv x\n\n"), "a line of it"},
	{"unknown key", SPAN_LITERAL(FIRST_LINE "csv x\nlength 5\n"), "a line of it"},
	{"key without value", SPAN_LITERAL(FIRST_LINE "csv x\nrows\n"), "a line of it"},
	{"rows that are none", SPAN_LITERAL(FIRST_LINE "csv x\nrows many\n"), "a line of it"},
	{"more than rows", SPAN_LITERAL(FIRST_LINE "csv x\nrows 1 2\n"), "a line of it"},
	{"CSV twice", SPAN_LITERAL(FIRST_LINE "csv x\ncsv y\n"), NULL},
	{"a source that is none", SPAN_LITERAL(FIRST_LINE "csv x\nsource none\n"), "a line of it"},
	{"an empty cursor", SPAN_LITERAL(FIRST_LINE "csv x\nlog y\ncursor \n"), "a line of it"},
	{"a cursor without a log", SPAN_LITERAL(FIRST_LINE "csv x\ncursor s=1\n"), "a line of it"},
	{"a time that is none", SPAN_LITERAL(FIRST_LINE "csv x\nlog y\nstamp soon\n"),
		"a line of it"},
	{"a loss that is none", SPAN_LITERAL(FIRST_LINE "csv x\nlog y\nlost many\n"),
		"a line of it"},
	{"half a time", SPAN_LITERAL(FIRST_LINE "csv x\nlog y\nafter 1x\n"), "a line of it"},
	{"position without a log",
		SPAN_LITERAL(FIRST_LINE "csv x\n"
					"position offset=1 head=1:0 tail=1:0 file=1:1 written=0\n"),
		"a line of it"},
	{"a mark",
		SPAN_LITERAL(FIRST_LINE "csv x\nlog y\n"
					"position offset=9 head=9:ff tail=9:ff file=1:1 "
					"written=-5\n"),
		NULL},
	{"a head longer than its file",
		SPAN_LITERAL(FIRST_LINE "csv x\nlog y\n"
					"position offset=8 head=9:0 tail=8:0 file=1:1 written=0\n"),
		"a line of it"},
	{"a tail longer than its file",
		SPAN_LITERAL(FIRST_LINE "csv x\nlog y\n"
					"position offset=8 head=8:0 tail=9:0 file=1:1 written=0\n"),
		"a line of it"},
	{"a head that no buffer holds",
		SPAN_LITERAL(FIRST_LINE "csv x\nlog y\nposition offset=9999 head=4097:0 tail=8:0 "
					"file=1:1 written=0\n"),
		"a line of it"},
	{"a tail that no buffer holds",
		SPAN_LITERAL(FIRST_LINE "csv x\nlog y\nposition offset=9999 head=8:0 tail=257:0 "
					"file=1:1 written=0\n"),
		"a line of it"},
	{"a negative head",
		SPAN_LITERAL(FIRST_LINE "csv x\nlog y\nposition offset=9999 head=-1:0 tail=8:0 "
					"file=1:1 written=0\n"),
		"a line of it"},
	{"an offset that no file has",
		SPAN_LITERAL(
			FIRST_LINE "csv x\nlog y\nposition offset=9223372036854775808 head=8:0 "
				   "tail=8:0 file=1:1 written=0\n"),
		"a line of it"},
	{"the CSV's offset that no file has",
		SPAN_LITERAL(FIRST_LINE "csv x\ncsv-mark offset=-1 head=8:0 tail=8:0 file=1:1 "
					"written=0\n"),
		"a line of it"},
	{"half a mark", SPAN_LITERAL(FIRST_LINE "csv x\nlog y\nfinished offset=9 head=9:\n"),
		"a line of it"},
	{"half the counters", SPAN_LITERAL(FIRST_LINE "csv x\nlog y\ncounters lines=1\n"),
		"a line of it"},
	{"a CSV before that is the first",
		SPAN_LITERAL(FIRST_LINE "csv x\ncsv-file number=1 begin=0 series=f\nbefore y\n"),
		"a line of it"},
	{"a CSV before the second",
		SPAN_LITERAL(FIRST_LINE "csv x\ncsv-file number=2 begin=0 series=f\nbefore y\n"),
		NULL},
	{"a CSV without number",
		SPAN_LITERAL(FIRST_LINE "csv x\ncsv-file number=0 begin=0 series=f\n"),
		"a line of it"},
	{"half a CSV", SPAN_LITERAL(FIRST_LINE "csv x\ncsv-file number=5 begin=\n"),
		"a line of it"},
	{"a mark of no CSV before",
		SPAN_LITERAL(FIRST_LINE "csv x\nbefore-mark offset=9 head=9:ff tail=9:ff file=1:1 "
					"written=-5\n"),
		"a line of it"},
	{"what is not known of a CSV before",
		SPAN_LITERAL(FIRST_LINE "csv x\ncsv-file number=2 begin=0 series=f\nbefore y\n"
					"before-name z\n"),
		"a line of it"},
	{"a NUL in a path", SPAN_LITERAL(FIRST_LINE "csv x\nlog a\\x00b\n"), NULL},
};

static void test_hostile(void)
{
	Why why;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		int r;

		strbuf_append_span(&sb, rows[i].text);
		strbuf_appendf(&sb, "checksum %016" PRIx64 "\n",
			hash_bytes(HASH_KEY_FIXED, rows[i].text.data, rows[i].text.len));
		r = load_bytes(sb.data, sb.len, &why);
		if (!tap_ok(rows[i].why ? r == -EBADMSG && strstr(why.text, rows[i].why) : !r, "%s",
			    rows[i].name))
			tap_note("%d %s", r, why.text);
	}
}

static void test_random_text(Random *random)
{
	static const char *const words[] = {"csv ", "x", "log ", "\n", "\n", "position ",
		"offset=", "head=", "tail=", ":", "file=", " ", "1", "99999999999999999999", "-1",
		"written=", "counters ", "lines=", "csv-mark ", "finished ", "cursor ", "stamp ",
		"after ", "source ", "rows ", "\\x0a"};
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	size_t strange = 0;
	Why why;

	for (int i = 0; i < 3000; i++) {
		strbuf_reset(&sb);
		strbuf_append_string(&sb, FIRST_LINE);
		for (uint32_t n = random_below(random, 40); n > 0; n--)
			strbuf_append_string(&sb, words[random_below(random, ARRAY_SIZE(words))]);
		strbuf_appendf(&sb, "checksum %016" PRIx64 "\n",
			hash_bytes(HASH_KEY_FIXED, sb.data, sb.len));
		if (load_bytes(sb.data, sb.len, &why) && !*why.text)
			strange++;
	}
	tap_ok(!strange,
		"3000 random texts with a right checksum are taken or refused with a reason");
}

static void test_files(Random *random)
{
	_cleanup_checkpoint_ Checkpoint saved, loaded = CHECKPOINT_INIT;
	_cleanup_strbuf_ StrBuf huge = STRBUF_INIT;
	char line[4096];
	Why why = {""};

	make(&saved, random, 1);
	tap_ok(checkpoint_load("nothing", &loaded, &why) == CHECKPOINT_NONE, "no file is none");
	tap_ok(checkpoint_load(".", &loaded, &why) == -EISDIR && *why.text,
		"a directory is an error");
	tap_ok(checkpoint_save("no/where", &saved) == -ENOENT, "no directory to save it in");
	memset(line, '9', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	strbuf_append_string(&huge, FIRST_LINE);
	while (huge.len <= FRAME_FILE_MAX)
		strbuf_append(&huge, line, sizeof(line));
	tap_ok(load_bytes(huge.data, huge.len, &why) == -EFBIG && *why.text,
		"a file that is far too large is not read");
	MUST(!checkpoint_save(PATH, &saved));
	scratch_text(PATH ".tmp", "left by a crash");
	saved.rows++;
	MUST(!checkpoint_save(PATH, &saved));
	tap_ok(!checkpoint_load(PATH, &loaded, &why) && same(&saved, &loaded) &&
			access(PATH ".tmp", F_OK) < 0,
		"what a crash left beside it does no harm");
	checkpoint_done(&loaded);
	MUST(!mkdir(PATH ".tmp", 0700));
	saved.rows++;
	tap_ok(checkpoint_save(PATH, &saved) < 0 && !checkpoint_load(PATH, &loaded, &why) &&
			loaded.rows == saved.rows - 1,
		"when it can't be saved the old one stays");
}

static void test_csvs(Random *random)
{
	_cleanup_checkpoint_ Checkpoint cp = CHECKPOINT_INIT, other = CHECKPOINT_INIT;
	FileMark mark = random_mark(random);
	bool ok = true;

	cp.csv_path = strdup("a");
	other.csv_path = strdup("b");
	MUST(cp.csv_path && other.csv_path);
	for (uint64_t n = 1; n <= 5; n++) {
		cp.csv_begin = n * 10;
		MUST(!checkpoint_push_csv(&cp, &mark, n));
	}
	checkpoint_drop_csvs(&cp, 0);
	checkpoint_drop_csvs(&cp, 2);
	for (size_t i = 0; i < cp.before_count; i++)
		ok = ok && cp.before[i].number == i + 3 && cp.before[i].begin == (i + 3) * 10 &&
		     cp.before[i].lost == i + 3 && !strcmp(cp.before[i].path, "a");
	tap_ok(ok && cp.before_count == 3 && cp.csv_number == 6, "the oldest CSVs are forgotten");
	cp.rows = 7;
	checkpoint_swap_csvs(&other, &cp);
	tap_ok(other.before_count == 3 && other.csv_number == 6 && !strcmp(other.csv_path, "a") &&
			!other.rows && !cp.before_count && cp.csv_number == 1 && cp.rows == 7,
		"what is said of CSVs is handed over");
	while (other.before_count < CHECKPOINT_BEFORE_MAX)
		MUST(!checkpoint_push_csv(&other, &mark, 0));
	tap_ok(checkpoint_push_csv(&other, &mark, 0) == -EMFILE && other.csv_number == 4099,
		"no CSV more than %d before", CHECKPOINT_BEFORE_MAX);
}

static void test_counters(void)
{
	Counters sum = {1, 2, 3, 4, 5, 6};

	counters_add(&sum, &(Counters){10, 20, 30, 40, 50, 60});
	tap_ok(!memcmp(&sum, &(Counters){11, 22, 33, 44, 55, 66}, sizeof(sum)), "counters add up");
}

int main(void)
{
	Random random = random_seeded();

	scratch_enter();
	test_round_trip(&random);
	test_damage(&random);
	test_hostile();
	test_random_text(&random);
	test_files(&random);
	test_csvs(&random);
	test_counters();
	return tap_done();
}
