/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/sql-export.h"

#include "base/digest.h"
#include "base/hash.h"
#include "daemon/command.h"
#include "daemon/interrupt.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/sql-mark.h"
#include "state/imported.h"
#include "store/csv.h"
#include "store/csvreader.h"
#include "store/sqlbatch.h"
#include "store/sqlreplay.h"
#include "store/sqlspool.h"

#include <inttypes.h>
#include <stdio.h>

#define NAMED_MAX 100   /* runs of lines that are named on stderr; of the others their number */
#define NAMED_LEN 200   /* bytes of such a line */
#define LOOK_EVERY 1024 /* lines until it is looked whether the run is to end */

/* Lines that stay behind, one after another. */
typedef struct Run {
	uint64_t count;
	uint64_t number, begin, end; /* where in the CSV */
	StrBuf first;                /* why, and the first of them */
} Run;

typedef struct Export {
	const Config *config;
	SqlTable table;
	SqlMark mark;
	SqlMarkState state; /* what the mark will be next */
	SqlSpool spool;
	CsvReader *reader;
	StrBuf scratch;
	uint64_t lines; /* that were read */
	Run run;
	uint64_t runs, not_named;
	bool incomplete; /* something did not get out, and was said */
} Export;

static void export_done(Export *export)
{
	sqlmark_done(&export->mark);
	sqlspool_done(&export->spool);
	csvreader_free(export->reader);
	strbuf_done(&export->scratch);
	strbuf_done(&export->run.first);
}

static int fail(const char *what, int error)
{
	log_error("%s: %s", what, strerror(-error));
	return error;
}

/* ---- where to begin --------------------------------------------------------------------------- */

/* Opens the CSV at the place, NULL for the oldest that is known. 0 or -errno, said. */
static int open_reader(Export *export, const CsvPlace *from)
{
	const char *state_dir = export->config->paths.state_dir;
	Why why = {""};
	int r;

	csvreader_free(TAKE(export->reader));
	r = csvreader_open(state_dir, from, &export->reader, &why);
	if (r == CSVREADER_NOTHING) {
		log_error("%s: holds no state.offset: nothing has been recorded yet", state_dir);
		return -ENOENT;
	}
	if (r == -ENOMEM)
		return fail(state_dir, r);
	if (r < 0) {
		log_error("%s", why.text);
		return r;
	}
	/* Rows of many hosts are told apart by it. */
	if (!csvreader_checkpoint(export->reader)->csv_series) {
		log_error("%s/state.offset: is of an older version; it is renewed when the service "
			  "starts",
			state_dir);
		return -EBADMSG;
	}
	return 0;
}

static bool is_before(const CsvPlace *a, const CsvPlace *b)
{
	return a->number != b->number ? a->number < b->number : a->offset < b->offset;
}

/* Which rows are in the file. 0; -EBADMSG: it is gone or damaged, and none is; another -errno, said. */
static int read_range(const Export *export, const SqlSpoolEntry *entry, SqlRange *ret_range)
{
	_cleanup_free_ char *path = sqlspool_path_dup(&export->spool, entry);
	_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
	Why why = {""};
	int r;

	if (!path)
		return fail(export->spool.dir, -ENOMEM);
	r = sqlreplay_open(path, &replay, &why);
	if (r == -EBADMSG || r == -ENOENT)
		return -EBADMSG;
	if (r < 0) {
		log_error("%s: %s", path, *why.text ? why.text : strerror(-r));
		return r;
	}
	*ret_range = sqlreplay_get_head(replay)->range;
	return 0;
}

/*
 * Moves the bookmark behind what is in files already: a crash may have come between the two, or the bookmark is older than it was, or is gone.
 * A file has all rows of its range; and what lies between it and the file of the sequence before was passed when it was written. 0 or
 * -errno, said.
 */
static int adopt(Export *export)
{
	SqlMarkState *state = &export->state;
	const SqlSpool *spool = &export->spool;
	uint64_t first = export->mark.state.next, expected = first;
	bool moved = false;

	for (size_t i = 0; i < spool->count; i++) {
		uint64_t sequence = spool->entries[i].sequence;
		CsvPlace from, to;
		SqlRange range;
		int r;

		if (sequence < first)
			continue;
		r = read_range(export, &spool->entries[i], &range);
		if (r < 0 && r != -EBADMSG)
			return r;
		if (r < 0 || range.instance != state->instance)
			continue;
		from = (CsvPlace){state->place.series, range.from_csv, range.from_offset};
		to = (CsvPlace){state->place.series, range.to_csv, range.to_offset};
		if (sequence != expected && is_before(&state->place, &from))
			continue;
		expected = sequence + 1;
		if (!is_before(&state->place, &to))
			continue;
		state->place = to;
		state->last.number = 0;
		moved = true;
	}
	return moved ? sqlmark_move(&export->mark, state) : 0;
}

/*
 * The sequence of the next file, which none had before: neither one that is there nor, where the bookmark is gone, one that was removed since
 * the database has it, for which another file of that number would be a clash. 0 or -errno, said.
 */
static int find_next(Export *export)
{
	const char *state_dir = export->config->paths.state_dir;
	const SqlSpool *spool = &export->spool;
	uint64_t last = spool->count ? spool->entries[spool->count - 1].sequence : 0;
	Imported imported = {.sequence = 0};
	Why why = {""};
	int r = imported_load(state_dir, &imported, &why);

	if (r == -EBADMSG) {
		log_warning("%s/sql-import.offset: %s", state_dir, why.text);
	} else if (r < 0) {
		log_error(
			"%s/sql-import.offset: %s", state_dir, *why.text ? why.text : strerror(-r));
		return r;
	}
	last = MAX(last, imported.sequence);
	export->state.next = MAX(export->mark.state.next, last + 1);
	return 0;
}

/*
 * Whether the CSV has, where the line stood that was exported last, another one: of an older checkpoint that was put back rows were written again,
 * and the keys of others may have become theirs. What is gone or not there again yet tells nothing. 0 or -errno, said.
 */
static int check_last(Export *export, bool *ret_differs)
{
	const SqlMarkState *state = &export->mark.state;
	Why why = {""};
	Span line;
	int r;

	*ret_differs = false;
	if (!export->mark.has_place || !state->last.number)
		return 0;
	r = open_reader(export, &state->last);
	if (r)
		return r;
	r = csvreader_next(export->reader, &line, &why);
	if (r < 0) {
		log_error("%s", why.text);
		return r;
	}
	*ret_differs = !r && digest_bytes(line.data, line.len) != state->last_hash;
	return 0;
}

static int refuse(const Export *export, const char *why)
{
	log_error("%s: %s; go on with --from-start (all rows that are there now) or --from-now "
		  "(those that come from now on)",
		export->mark.path, why);
	return -ESTALE;
}

/* Where the options say, of rows that are told apart from those that had their keys before. 0 or -errno, said. */
static int start_over(Export *export, const CsvPlace *place, bool is_fresh, bool differs)
{
	SqlMarkState *state = &export->state;
	HashKey key;
	int r = 0;

	if (is_fresh) {
		state->instance = place->series;
	} else if (differs) {
		r = hash_key_random(&key);
		if (r < 0)
			return fail(export->mark.path, r);
		state->instance = key.k0 ? key.k0 : 1;
	}
	state->place = *place;
	state->last.number = 0;
	return sqlmark_move(&export->mark, state);
}

/* Opens the CSV where it is to be read on. 0 or -errno, said. */
static int find_start(Export *export, SqlExportStart start)
{
	const SqlMark *mark = &export->mark;
	SqlMarkState *state = &export->state;
	CsvPlace oldest = {0}, newest;
	bool is_fresh, differs, is_ahead;
	int r = open_reader(export, NULL);

	if (r)
		return r;
	oldest = csvreader_place(export->reader);
	newest = (CsvPlace){oldest.series, csvreader_checkpoint(export->reader)->csv_number,
		csvreader_checkpoint(export->reader)->csv.offset};
	export->state = mark->state;
	r = find_next(export);
	if (!r)
		r = check_last(export, &differs);
	if (r)
		return r;
	is_fresh = !mark->has_place || mark->state.place.series != oldest.series;
	is_ahead = !is_fresh && is_before(&newest, &mark->state.place);
	if (start != SQL_EXPORT_CONTINUE) {
		r = start_over(export, start == SQL_EXPORT_FROM_NOW ? &newest : &oldest, is_fresh,
			differs || is_ahead);
	} else if (is_fresh && mark->has_place) {
		return refuse(export, "is of rows that were archived or removed since: the CSV was "
				      "started over");
	} else if (differs && !is_fresh) {
		return refuse(export, "the CSV has other rows than those that were exported: an "
				      "older state was put back");
	} else {
		if (is_fresh) {
			state->place = oldest;
			state->instance = oldest.series;
		}
		r = adopt(export);
	}
	/* In between it could be started over only by who has the lock. */
	return r ? r : open_reader(export, &state->place);
}

/* ---- rows ------------------------------------------------------------------------------------- */

/* The file as it was called when it was written. */
static const char *csv_path(const Export *export, uint64_t number)
{
	const Checkpoint *checkpoint = csvreader_checkpoint(export->reader);

	for (size_t i = 0; i < checkpoint->before_count; i++)
		if (checkpoint->before[i].number == number)
			return checkpoint->before[i].path;
	return checkpoint->csv_path;
}

/* Names the lines that stayed behind, if there were any. */
static void end_run(Export *export)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	Run *run = &export->run;

	if (!run->count)
		return;
	if (export->runs++ >= NAMED_MAX) {
		export->not_named += run->count;
	} else {
		strbuf_appendf(&text, "%s: of its files number %" PRIu64 ", ",
			csv_path(export, run->number), run->number);
		if (run->count == 1)
			strbuf_appendf(&text, "at byte %" PRIu64 ": is not exported: ", run->begin);
		else
			strbuf_appendf(&text,
				"bytes %" PRIu64 " to %" PRIu64 ": %" PRIu64
				" lines are not exported, the first: ",
				run->begin, run->end - 1, run->count);
		strbuf_append(&text, strbuf_text(&run->first), run->first.len);
		log_fields(LOG_LEVEL_ERROR, MESSAGE_NONE, NULL, 0,
			(Span){strbuf_text(&text), text.len});
	}
	run->count = 0;
}

/* A line that stays behind, from its first byte on, and with its LF. */
static void skip_line(Export *export, const CsvPlace *place, Span line, const char *why)
{
	Run *run = &export->run;

	export->incomplete = true;
	if (run->count && (run->number != place->number || run->end != place->offset))
		end_run(export);
	if (!run->count++) {
		run->number = place->number;
		run->begin = place->offset;
		strbuf_reset(&run->first);
		strbuf_appendf(&run->first, "%s: ", why);
		strbuf_append(&run->first, line.data, MIN(line.len, (size_t)NAMED_LEN));
		if (line.len > NAMED_LEN)
			strbuf_append_string(&run->first, "...");
	}
	run->end = csvreader_place(export->reader).offset;
}

/* The place of the line's first byte. Before it was read the reader may have been at the end of another file. */
static CsvPlace place_of(const Export *export, const CsvPlace *before, Span line)
{
	CsvPlace place = csvreader_place(export->reader);
	/* A piece of a line that is too long has no LF. */
	bool is_piece = place.number == before->number && place.offset == before->offset + line.len;

	place.offset -= line.len + !is_piece;
	return place;
}

/* 0 or -errno, said. */
static int add_line(Export *export, SqlBatch *batch, const CsvPlace *before, Span line)
{
	CsvPlace place = place_of(export, before, line), key = place;
	Why why = {""};
	Row row;
	int r;

	export->lines++;
	export->state.last = place;
	export->state.last_hash = digest_bytes(line.data, line.len);
	key.series = export->state.instance;
	r = csv_parse_row(line, &export->scratch, &row, &why);
	if (!r)
		r = sqlbatch_add(batch, &key, &row, &why);
	if (r < 0) {
		log_error("%s: %s", export->spool.dir, *why.text ? why.text : strerror(-r));
		return r;
	}
	if (!r)
		return 0;
	skip_line(export, &place, line, why.text);
	sqlbatch_skip(batch);
	return 0;
}

/*
 * Reads rows into the batch until it is full or rows are missing, of which none is in its range: *ret_to is where that ends. *ret_end says
 * that there are no more, that they can't be read, or that the process is to end. 0 or -errno, said: a row that was read is not in the batch.
 */
static int read_rows(Export *export, SqlBatch *batch, CsvPlace *ret_to, bool *ret_end)
{
	int r = 0, status = 0;

	while (!r && !status && !*ret_end && !sqlbatch_full(batch)) {
		CsvPlace before = csvreader_place(export->reader);
		Why why = {""};
		Span line;

		status = csvreader_next(export->reader, &line, &why);
		if (!status)
			r = add_line(export, batch, &before, line);
		if (status == CSVREADER_MISSING || status < 0) {
			end_run(export);
			log_error("%s", why.text);
			export->incomplete = true;
		}
		*ret_to = status == CSVREADER_MISSING ? before : csvreader_place(export->reader);
		*ret_end = status == CSVREADER_END || status < 0 ||
			   (export->lines % LOOK_EVERY == 0 && interrupt_is_pending());
	}
	end_run(export);
	return r;
}

/* 0 or -errno, said. */
static int finish_file(Export *export, SqlBatch *batch, const char *name)
{
	SqlMarkState *state = &export->state;
	CsvPlace to = state->place;
	Why why = {""};
	SqlHead head;
	int r;

	to.series = state->instance;
	r = sqlbatch_finish(batch, &to, &head, &why);
	if (r < 0) {
		log_error(
			"%s/%s: %s", export->spool.dir, name, *why.text ? why.text : strerror(-r));
		return r;
	}
	if (r == SQLBATCH_EMPTY)
		return export->mark.has_place &&
				       !is_before(&export->mark.state.place, &state->place)
			       ? 0
			       : sqlmark_move(&export->mark, state);
	state->next++;
	r = sqlmark_move(&export->mark, state);
	if (!r)
		(void)printf("%s/%s: %" PRIu64 " row%s\n", export->spool.dir, name, head.rows,
			head.rows == 1 ? "" : "s");
	return r;
}

/* One file, if there is a row. 0 or -errno, said. */
static int write_file(Export *export, bool *ret_end)
{
	SqlMarkState *state = &export->state;
	CsvPlace from = csvreader_place(export->reader);
	_cleanup_(sqlbatch_freep) SqlBatch *batch = NULL;
	char name[SQLSPOOL_NAME_MAX];
	int r = sqlspool_name(state->next, loop_wall_us(), name);

	from.series = state->instance;
	if (!r)
		r = sqlbatch_new(
			export->spool.dir, name, &export->table, state->next, &from, &batch);
	if (r < 0)
		return fail(export->spool.dir, r);
	r = read_rows(export, batch, &state->place, ret_end);
	return r ? r : finish_file(export, batch, name);
}

/* ---- a run ------------------------------------------------------------------------------------ */

/* 0 or -errno, said. */
static int write_files(Export *export, SqlExportStart start)
{
	const char *dir = export->config->database.sql_export_dir;
	bool end = false;
	int r = sqlmark_open(export->config->paths.state_dir, &export->mark);

	if (r)
		return r;
	r = sqlspool_open(dir, &export->spool);
	if (r < 0)
		return fail(dir, r);
	r = find_start(export, start);
	while (!r && !end)
		r = write_file(export, &end);
	if (export->not_named)
		log_error("lines of the CSV that are not exported: %" PRIu64 " more",
			export->not_named);
	return r;
}

int sql_export(const Config *config, SqlExportStart start)
{
	Export export = {.config = config,
		.mark = SQLMARK_INIT,
		.spool = SQLSPOOL_INIT,
		.scratch = STRBUF_INIT};
	Why why = {""};
	sigset_t before;
	bool ok;

	if (config_sql_table(config, &export.table, &why) < 0) {
		log_error("database.columns: %s", why.text);
		return EXIT_FAILED;
	}
	/* Whoever ends it waits until what is on disk says what was done. */
	interrupt_hold(&before);
	ok = !write_files(&export, start) && !export.incomplete;
	export_done(&export);
	interrupt_let_go(&before);
	return ok ? EXIT_DONE : EXIT_FAILED;
}
