/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: packages=xz-utils,zstd */
/*
 * The record against a model: rows are written and committed while the CSV is rotated in every way, the writer is killed at any
 * moment, and a reader reads what is committed. Rows are numbered, and the log is the next number: what the readers
 * committed must be all numbers, in order, each once.
 */
#include "daemon/record.h"

#include "daemon/log.h"
#include "random.h"
#include "scratch.h"
#include "store/csv.h"
#include "store/csvreader.h"
#include "tap.h"

#define PATH "out.csv"
#define FOREIGN 1000000u /* the number of a row that is not ours */

typedef struct Model {
	Random *random;
	Config config;
	Record *record;
	uint64_t written;   /* the next number that is written */
	uint64_t done;      /* the next number that a reader commits */
	unsigned rotations; /* names that were given to rotated files */
	unsigned reads, crashes;
	bool calm; /* rotated files are compressed only when the service has noticed */
	bool failed;
	char did[64]; /* for an explanation */
} Model;

static void wrong(Model *model, const char *what, uint64_t got, uint64_t expected)
{
	if (!model->failed)
		tap_note("after %s: %s: %" PRIu64 ", expected %" PRIu64, model->did, what, got,
			expected);
	model->failed = true;
}

static void open_record(Model *model)
{
	_cleanup_strbuf_ StrBuf why = STRBUF_INIT;

	if (record_open(&model->config, "test", NULL, &model->record, &why)) {
		tap_note("%s", strbuf_text(&why));
		MUST(false);
	}
	/* The log is read again from the committed place. */
	model->written = record_checkpoint(model->record)->rows;
}

static void crash(Model *model)
{
	uint64_t inode = record_checkpoint(model->record)->csv.inode;
	struct stat st;

	record_free(TAKE(model->record));
	model->crashes++;
	/* Part of a row that was on its way. */
	if (!random_below(model->random, 3) && !stat(PATH, &st) && st.st_ino == inode && st.st_size)
		scratch_append(PATH, "srv,\"2025-05-", 5 + random_below(model->random, 8));
	open_record(model);
}

/* As the session does: what is in doubt is opened again. */
static void check(Model *model, int r)
{
	if (!r)
		return;
	if (record_in_doubt(model->record))
		crash(model);
	else
		wrong(model, "a failure", (uint64_t)-r, 0);
}

static void write_rows(Model *model)
{
	for (uint32_t n = random_below(model->random, 30); n > 0; n--)
		strbuf_appendf(record_output(model->record),
			"%" PRIu64
			",\"2025-05-17 12:05\",192.0.2.1,%0*d,null,Errno 1,US,565,\"x\"\n",
			model->written++, (int)random_below(model->random, 200) + 1, 0);
	if (random_below(model->random, 3))
		check(model, record_flush(model->record));
}

static void commit(Model *model)
{
	int r = record_flush(model->record);

	if (!r)
		r = record_commit(model->record, model->written, (int64_t)model->written);
	check(model, r);
}

static const char *const rotate[] = {
	"mv out.csv out.csv.%u",
	"mv out.csv out.csv.%u; : >out.csv",
	"mv out.csv archive-%u",
	"mv out.csv out.csv.%u; chmod 400 out.csv.%u",
	"cp out.csv out.csv.%u; : >out.csv",
	"cp out.csv x%u; mv x%u out.csv",
	"mv out.csv out.csv.%u; cp foreign out.csv",
};

static const char *const compressors[] = {"gzip", "xz -0", "zstd -q --rm"};

static void rotate_csv(Model *model)
{
	uint32_t how = random_below(model->random, ARRAY_SIZE(rotate));
	unsigned n = model->rotations;

	if (access(PATH, F_OK))
		return;
	/* Who is not root can't cut such a file back, and says so. */
	if (geteuid() && strstr(rotate[how], "chmod"))
		how = 0;
	/* In a copy stands what was not committed, too. */
	if (!strncmp(rotate[how], "cp", 2))
		commit(model);
	model->rotations++;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	scratch_run(rotate[how], n, n);
#pragma GCC diagnostic pop
	if (model->calm && !model->failed)
		check(model, record_look(model->record));
}

static void compress(Model *model)
{
	unsigned n = random_below(model->random, model->rotations + 1);
	const char *with = compressors[random_below(model->random, ARRAY_SIZE(compressors))];

	scratch_run("for f in out.csv.%u archive-%u; do [ ! -f $f ] || %s -f $f; done", n, n, with);
}

/* Reads some or all of what is committed; sometimes it is killed before it has moved its bookmark. */
static void read_rows(Model *model)
{
	_cleanup_(csvreader_freep) CsvReader *reader = NULL;
	_cleanup_strbuf_ StrBuf scratch = STRBUF_INIT;
	uint64_t next = model->done;
	uint32_t most =
		random_below(model->random, 4) ? UINT32_MAX : random_below(model->random, 60);
	Bookmark bookmark = {.written_us = 0};
	Why why = {""};
	Span line;
	int r = bookmark_load(".", "report", &bookmark, NULL, &why);

	MUST(r >= 0);
	MUST(!csvreader_open(".", r ? NULL : &bookmark.place, &reader, &why));
	model->reads++;
	for (r = 0; !r && most > 0; most--) {
		Row row;

		r = csvreader_next(reader, &line, &why);
		if (!r && (csv_parse_row(line, &scratch, &row, NULL) ||
				  strtoull(row.field[COLUMN_SERVER].data, NULL, 10) != next))
			wrong(model, "a row", strtoull(line.data, NULL, 10), next);
		next++;
	}
	if (r == CSVREADER_MISSING || r < 0)
		tap_note("%s", why.text);
	if (r && r != CSVREADER_END)
		wrong(model, "reading", (uint64_t)r, CSVREADER_END);
	if (r)
		next--;
	if (!random_below(model->random, 4))
		return;
	bookmark.place = csvreader_place(reader);
	MUST(!bookmark_save(".", "report", &bookmark, SPAN_MISSING));
	model->done = next;
}

/* Every number stands in exactly one of all files. */
static void check_files(Model *model, uint64_t rows)
{
	_cleanup_strbuf_ StrBuf all = STRBUF_INIT;
	_cleanup_free_ unsigned char *seen = calloc(rows + 1, 1);
	uint64_t twice = 0, missing = 0;

	MUST(seen);
	scratch_run("for f in out.csv* archive-*; do case $f in *.gz) zcat $f;; *.xz) xzcat $f;; "
		    "*.zst) "
		    "zstdcat -q $f;; 'archive-*') ;; *) cat $f;; esac; done >all");
	all = scratch_read("all");
	for (const char *line = all.data; line && *line; line = strchr(line, '\n') + 1) {
		uint64_t n = strtoull(line, NULL, 10);

		if (strncmp(line, "server,", 7) && n < FOREIGN && (n >= rows || seen[n]++))
			twice++;
	}
	for (uint64_t n = 0; n < rows; n++)
		missing += !seen[n];
	if (twice || missing)
		wrong(model, "rows doubled, or else missing, in the files", twice, missing);
}

static void play(Random *random, bool calm)
{
	static const struct {
		const char *name;
		void (*function)(Model *);
		uint32_t weight;
	} moves[] = {{"write", write_rows, 40}, {"commit", commit, 20}, {"rotate", rotate_csv, 12},
		{"compress", compress, 5}, {"crash", crash, 8}, {"read", read_rows, 12}};
	_cleanup_strbuf_ StrBuf foreign = STRBUF_INIT;
	Model model = {.random = random, .calm = calm};
	uint64_t rows;

	scratch_empty();
	model.config.paths.working_dir = model.config.paths.state_dir = strdup(".");
	model.config.paths.csv_filename = strdup(PATH);
	MUST(model.config.paths.working_dir && model.config.paths.csv_filename);
	strbuf_append_span(&foreign, csv_header());
	strbuf_appendf(
		&foreign, "%u,\"2025-05-17 12:05\",192.0.2.1,u,null,OK,US,1,\"no end\"", FOREIGN);
	scratch_write("foreign", foreign.data, foreign.len);
	open_record(&model);
	for (int n = 0; n < 150 && !model.failed; n++) {
		uint32_t pick = random_below(random, 97);
		size_t i = 0;

		while (pick >= moves[i].weight)
			pick -= moves[i++].weight;
		(void)snprintf(model.did, sizeof(model.did), "step %d, %s", n, moves[i].name);
		moves[i].function(&model);
	}
	commit(&model);
	rows = record_checkpoint(model.record)->rows;
	while (!model.failed && model.done < rows)
		read_rows(&model);
	if (calm)
		check_files(&model, rows);
	tap_ok(!model.failed && model.done == rows,
		"%" PRIu64 " rows, %u rotations, %u crashes, %u reads%s", rows, model.rotations,
		model.crashes, model.reads, calm ? "; and in the files" : "");
	record_free(model.record);
	free(model.config.paths.working_dir);
	free(model.config.paths.csv_filename);
}

/* The configuration names another CSV at the next start: what was not committed is cut in the old one, and readers find both. */
static void test_elsewhere(Random *random)
{
	static const char *const dirs[] = {".", ".", "there", "there"};
	static const char *const names[] = {PATH, "other.csv", "other.csv", PATH};
	Model model = {.random = random};
	uint64_t rows;

	scratch_empty();
	MUST(!mkdir("there", 0700));
	model.config.paths.state_dir = strdup(".");
	MUST(model.config.paths.state_dir);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		free(model.config.paths.working_dir);
		free(model.config.paths.csv_filename);
		model.config.paths.working_dir = strdup(dirs[i]);
		model.config.paths.csv_filename = strdup(names[i]);
		MUST(model.config.paths.working_dir && model.config.paths.csv_filename);
		open_record(&model);
		write_rows(&model);
		commit(&model);
		write_rows(&model);
		MUST(!record_flush(model.record));
		record_free(TAKE(model.record));
	}
	open_record(&model);
	rows = record_checkpoint(model.record)->rows;
	record_free(model.record);
	while (!model.failed && model.done < rows)
		read_rows(&model);
	scratch_run(
		"mv there/out.csv out.csv.1; mv there/other.csv out.csv.2; mv other.csv out.csv.3");
	check_files(&model, rows);
	tap_ok(!model.failed && model.done == rows, "%" PRIu64 " rows in four places", rows);
	free(model.config.paths.working_dir);
	free(model.config.paths.state_dir);
	free(model.config.paths.csv_filename);
}

/* No two series of CSVs are one, whatever the clocks of their hosts say: all their bits are drawn. */
static void test_series(void)
{
	Model model = {.config = {.paths = {.state_dir = strdup("drawn"),
					  .working_dir = strdup("drawn"),
					  .csv_filename = strdup("out.csv")}}};
	uint64_t all = 0, none = 0, series = 0;

	for (int i = 0; i < 64; i++) {
		scratch_run("rm -rf drawn; mkdir drawn");
		open_record(&model);
		series = record_checkpoint(model.record)->csv_series;
		all |= series;
		none |= ~series;
		record_free(TAKE(model.record));
	}
	tap_ok(!~all && !~none, "series are drawn");
	open_record(&model);
	tap_ok(record_checkpoint(model.record)->csv_series == series, "once");
	record_free(model.record);
	free(model.config.paths.working_dir);
	free(model.config.paths.state_dir);
	free(model.config.paths.csv_filename);
}

int main(void)
{
	Random random = random_seeded();

	scratch_enter();
	/* What it says of rotations is not looked at. */
	MUST(!log_configure(&(LogOptions){.level = LOG_LEVEL_ERROR}));
	for (int i = 0; i < random_rounds(14) + 2; i++)
		play(&random, i & 1);
	test_elsewhere(&random);
	test_series();
	log_close();
	return tap_done();
}
