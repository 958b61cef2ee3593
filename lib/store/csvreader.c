/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/csvreader.h"

#include "base/file.h"
#include "state/checkpoint.h"
#include "store/csv.h"
#include "store/csvfind.h"

#include <inttypes.h>
#include <sys/stat.h>

#define CHUNK_SIZE ((size_t)65536)
#define FIND_ATTEMPTS 20 /* names move, and compressors need their time between two of them */
#define FIND_PAUSE_NS 10000000
#define REOPEN_MAX 5

struct CsvReader {
	Checkpoint checkpoint;
	CsvPlace place;
	size_t part;   /* which of the CSV files: those before, then the current one */
	bool settled;  /* the place is one that the checkpoint knows */
	bool ahead;    /* the place is behind the committed end: nothing is read */
	Reader *file;  /* NULL: the part is not open */
	uint64_t left; /* bytes that are still to be read from file */
	bool whole;    /* file was whole when it was opened */
	int reopened;  /* how often the part was cut while it was read */
	StrBuf window; /* what was read, */
	size_t at;     /* and how much of it was given: the place is there */
	uint64_t missing_bytes;
};

/* One CSV file: what is to be read of it. */
typedef struct Part {
	const char *path;
	const FileMark *mark;
	uint64_t number, begin, end;
	uint64_t lost_end; /* where it ended when more of it was there */
} Part;

static Part part_at(const CsvReader *reader, size_t i)
{
	const Checkpoint *cp = &reader->checkpoint;
	const CsvBefore *before = i < cp->before_count ? &cp->before[i] : NULL;
	const FileMark *mark = before ? &before->mark : &cp->csv;

	return (Part){
		.path = before ? before->path : cp->csv_path,
		.mark = mark,
		.number = before ? before->number : cp->csv_number,
		.begin = MAX(before ? before->begin : cp->csv_begin, (uint64_t)csv_header().len),
		.end = mark->offset,
		.lost_end = mark->offset + (before ? before->lost : 0),
	};
}

void csvreader_free(CsvReader *reader)
{
	if (!reader)
		return;
	checkpoint_done(&reader->checkpoint);
	reader_free(reader->file);
	strbuf_done(&reader->window);
	free(reader);
}

CsvPlace csvreader_place(const CsvReader *reader)
{
	return reader->place;
}

const Checkpoint *csvreader_checkpoint(const CsvReader *reader)
{
	return &reader->checkpoint;
}

uint64_t csvreader_missing_bytes(const CsvReader *reader)
{
	return reader->missing_bytes;
}

int csvreader_open(
	const char *state_dir, const CsvPlace *from, CsvReader **ret_reader, Why *ret_why)
{
	_cleanup_(csvreader_freep) CsvReader *reader = calloc(1, sizeof(*reader));
	_cleanup_free_ char *path = file_join_dup(state_dir, "state.offset");
	Why why = {""};
	int r;

	if (!reader || !path) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	reader->checkpoint = CHECKPOINT_INIT;
	r = checkpoint_load(path, &reader->checkpoint, &why);
	if (r == CHECKPOINT_NONE)
		return CSVREADER_NOTHING;
	/*
	 * It may have been renamed to its name a moment ago. Were power lost before that is durable, what is read now could
	 * be cut back and be written again with other bytes.
	 */
	if (!r)
		r = file_sync_parent(path);
	if (r < 0) {
		why_set(ret_why, "%s: %s", path, *why.text ? why.text : strerror(-r));
		return r;
	}
	reader->place =
		from ? *from
		     : (CsvPlace){reader->checkpoint.csv_series, part_at(reader, 0).number, 0};
	*ret_reader = TAKE(reader);
	return 0;
}

/* ---- where to begin ------------------------------------------------------------------------- */

/* Finds the part that the place is in. 0; CSVREADER_MISSING: it is in none, *ret_why says how it goes on. */
static int settle(CsvReader *reader, Why *ret_why)
{
	const Checkpoint *cp = &reader->checkpoint;
	uint64_t first = part_at(reader, 0).number, number = reader->place.number;
	CsvPlace oldest = {cp->csv_series, first, 0};

	reader->settled = true;
	if (reader->place.series && reader->place.series != cp->csv_series) {
		reader->place = oldest;
		why_set(ret_why, "%s: was started over; all of it is read", cp->csv_path);
		return CSVREADER_MISSING;
	}
	reader->place.series = cp->csv_series;
	if (number < first) {
		reader->place = oldest;
		why_set(ret_why,
			"%s: of its rotated files the numbers %" PRIu64 " to %" PRIu64
			" are not known any more",
			cp->csv_path, number, first - 1);
		return CSVREADER_MISSING;
	}
	if (number > cp->csv_number ||
		(number == cp->csv_number && reader->place.offset > cp->csv.offset)) {
		reader->ahead = true;
		why_set(ret_why,
			"%s: less of it is committed than was read before (an older checkpoint was "
			"put back)",
			cp->csv_path);
		return CSVREADER_MISSING;
	}
	reader->part = (size_t)(number - first);
	return 0;
}

/* ---- one file ------------------------------------------------------------------------------- */

/* Reads on to the place. 0, -errno; what ends before is left so. */
static int skip_to_place(CsvReader *reader)
{
	uint64_t left = reader->place.offset;
	char data[16384];

	if (!reader_compressed(reader->file))
		return reader_skip(reader->file, left);
	while (left) {
		ssize_t n =
			reader_read(reader->file, data, (size_t)MIN(left, (uint64_t)sizeof(data)));

		if (n == -EBADMSG || !n)
			break;
		if (n < 0)
			return (int)n;
		left -= (uint64_t)n;
	}
	return 0;
}

/* 0 or -errno. */
static int check_directory(const char *path)
{
	_cleanup_free_ char *dir = file_parent_dup(path);
	struct stat st;

	if (!dir)
		return -ENOMEM;
	return stat(dir, &st) < 0 ? -errno : 0;
}

/* Finds and opens the part, at the place, as much of it as there is. 0 (nothing open when it is gone) or -errno. */
static int open_part(CsvReader *reader, const Part *part, Why *ret_why)
{
	const struct timespec pause = {0, FIND_PAUSE_NS};
	_cleanup_csvfound_ CsvFound found = CSV_FOUND_INIT;
	int r = CSVFIND_GONE;

	for (int attempt = 0; attempt < FIND_ATTEMPTS && r > 0; attempt++) {
		if (attempt)
			(void)nanosleep(&pause, NULL);
		csvfound_done(&found);
		r = csvfind(part->path, part->mark, &found);
	}
	if (!r || (r == CSVFIND_SHORT && found.length > reader->place.offset)) {
		reader->file = TAKE(found.reader);
		reader->whole = !r;
		reader->left = found.length - reader->place.offset;
		r = skip_to_place(reader);
	} else if (r > 0) {
		/* A file system that is not mounted will be: only where its directory is there the current one is gone. */
		r = part->mark == &reader->checkpoint.csv ? check_directory(part->path) : 0;
	}
	if (r < 0)
		why_set(ret_why, "%s: %s", part->path, strerror(-r));
	return r;
}

static void close_part(CsvReader *reader)
{
	reader_free(TAKE(reader->file));
	strbuf_reset(&reader->window);
	reader->at = 0;
}

/* Reads more into the window. 0, 1 at the end of what can be read, -errno. */
static int fill(CsvReader *reader)
{
	size_t want = (size_t)MIN(reader->left, (uint64_t)CHUNK_SIZE);
	char *to;
	ssize_t n;

	strbuf_consume(&reader->window, reader->at);
	reader->at = 0;
	if (!want)
		return 1;
	to = strbuf_reserve(&reader->window, want);
	if (!to)
		return strbuf_error(&reader->window);
	n = reader_read(reader->file, to, want);
	if (n == -EBADMSG || !n)
		return 1;
	if (n < 0)
		return (int)n;
	reader->window.len += (size_t)n;
	reader->left -= (uint64_t)n;
	return 0;
}

/* The next whole line of the open part. 0, 1 when there is none, -errno. */
static int take_line(CsvReader *reader, Span *ret_line)
{
	size_t searched = 0;

	for (;;) {
		const char *line = strbuf_text(&reader->window) + reader->at;
		size_t len = reader->window.len - reader->at;
		const char *end =
			len > searched ? memchr(line + searched, '\n', len - searched) : NULL;
		int r;

		if (end || len > CSV_ROW_MAX) {
			*ret_line = (Span){line, end ? (size_t)(end - line) : len};
			len = ret_line->len + (end ? 1 : 0);
			reader->at += len;
			reader->place.offset += len;
			return 0;
		}
		searched = len;
		r = fill(reader);
		if (r)
			return r;
	}
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* The part has been read as far as it is there: goes on to the next. Whether something of it is missing. */
static bool leave_part(CsvReader *reader, const Part *part, Why *ret_why)
{
	uint64_t missing =
		part->lost_end > reader->place.offset ? part->lost_end - reader->place.offset : 0;

	close_part(reader);
	reader->reopened = 0;
	if (reader->part++ < reader->checkpoint.before_count)
		reader->place = (CsvPlace){reader->place.series, part->number + 1, 0};
	else
		reader->place.offset = part->end;
	if (!missing)
		return false;
	reader->missing_bytes += missing;
	why_set(ret_why,
		"%s: number %" PRIu64 " of its files is gone or shorter than it was; %" PRIu64
		" bytes of rows are missing",
		part->path, part->number, missing);
	return true;
}

int csvreader_next(CsvReader *reader, Span *ret_line, Why *ret_why)
{
	int r = reader->settled ? 0 : settle(reader, ret_why);

	if (r || reader->ahead)
		return r ? r : CSVREADER_END;
	while (reader->part <= reader->checkpoint.before_count) {
		Part part = part_at(reader, reader->part);

		reader->place.offset = MAX(reader->place.offset, part.begin);
		if (!reader->file && reader->place.offset < part.end) {
			r = open_part(reader, &part, ret_why);
			if (r < 0)
				return r;
		}
		r = reader->file ? take_line(reader, ret_line) : 1;
		if (r < 0)
			why_set(ret_why, "%s: %s", part.path, strerror(-r));
		if (r <= 0)
			return r;
		/* It was cut while it was read: there may be a copy. */
		if (reader->file && reader->whole && reader->place.offset < part.end &&
			reader->reopened++ < REOPEN_MAX) {
			close_part(reader);
			continue;
		}
		if (leave_part(reader, &part, ret_why))
			return CSVREADER_MISSING;
	}
	return CSVREADER_END;
}
