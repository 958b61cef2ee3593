/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sqlbatch.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define STATEMENT_ROWS_MAX 500
#define WRITE_SIZE ((size_t)256 << 10) /* and of a statement, but for its last row */

struct SqlBatch {
	SqlHead head;
	CsvPlace last; /* of the last row */
	char *path, *temporary;
	int fd;          /* -1: there was no row */
	size_t head_len; /* what is left free for the head */
	uint64_t size_bytes;
	StrBuf text; /* not written yet */
	size_t statement_rows;
	Digest *digest;
	int error; /* 0 or -errno: what was added is not all there */
};

int sqlbatch_new(const char *dir, const char *name, const SqlTable *table, uint64_t sequence,
	const CsvPlace *from, SqlBatch **ret_batch)
{
	_cleanup_(sqlbatch_freep) SqlBatch *batch = calloc(1, sizeof(*batch));
	_cleanup_strbuf_ StrBuf hidden = STRBUF_INIT;
	int r;

	if (!batch)
		return -ENOMEM;
	batch->fd = -1;
	batch->head.table = *table;
	batch->head.sequence = sequence;
	memset(batch->head.hash, '0', DIGEST_TEXT_LEN);
	batch->head.range = (SqlRange){
		.instance = from->series, .from_csv = from->number, .from_offset = from->offset};
	strbuf_appendf(&hidden, ".%s.tmp", name);
	batch->path = file_join_dup(dir, name);
	batch->temporary = file_join_dup(dir, strbuf_text(&hidden));
	if (strbuf_error(&hidden) || !batch->path || !batch->temporary)
		return -ENOMEM;
	r = digest_new(&batch->digest);
	if (r < 0)
		return r;
	*ret_batch = TAKE(batch);
	return 0;
}

void sqlbatch_free(SqlBatch *batch)
{
	if (!batch)
		return;
	if (batch->fd >= 0) {
		(void)unlink(batch->temporary);
		(void)close(batch->fd);
	}
	digest_free(batch->digest);
	strbuf_done(&batch->text);
	free(batch->path);
	free(batch->temporary);
	free(batch);
}

bool sqlbatch_full(const SqlBatch *batch)
{
	return batch->head.rows >= SQLBATCH_ROWS_MAX || batch->size_bytes >= SQLBATCH_BYTES_MAX;
}

/* ---- the file ------------------------------------------------------------------------------- */

/* All that is in text goes to the file. */
static int flush(SqlBatch *batch)
{
	int r = strbuf_error(&batch->text);

	if (!r)
		r = file_write_full(batch->fd, strbuf_text(&batch->text), batch->text.len);
	batch->size_bytes += batch->text.len;
	strbuf_reset(&batch->text);
	return r;
}

static int flush_hashed(SqlBatch *batch)
{
	if (!strbuf_error(&batch->text))
		digest_add(batch->digest, strbuf_text(&batch->text), batch->text.len);
	return flush(batch);
}

static int begin_file(SqlBatch *batch)
{
	_cleanup_strbuf_ StrBuf head = STRBUF_INIT;

	sqlhead_append(&head, &batch->head);
	if (strbuf_error(&head))
		return strbuf_error(&head);
	batch->head_len = head.len;
	if (unlink(batch->temporary) < 0 && errno != ENOENT)
		return -errno;
	batch->fd =
		open(batch->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (batch->fd < 0 || fchmod(batch->fd, 0600) < 0 ||
		lseek(batch->fd, (off_t)batch->head_len, SEEK_SET) < 0)
		return -errno;
	sqlhead_append_begin(&batch->text, &batch->head.table);
	return 0;
}

/* The head, now that all of it is known, and what follows from it. */
static int end_file(SqlBatch *batch)
{
	int r;

	sqlhead_append_unhashed(&batch->text, &batch->head);
	if (strbuf_error(&batch->text))
		return strbuf_error(&batch->text);
	digest_add(batch->digest, batch->text.data, batch->text.len);
	digest_get_text(batch->digest, batch->head.hash);
	strbuf_reset(&batch->text);
	sqlhead_append_ledger(&batch->text, &batch->head);
	strbuf_append_string(&batch->text, SQLHEAD_COMMIT ";\n");
	r = flush(batch);
	if (r < 0)
		return r;
	sqlhead_append(&batch->text, &batch->head);
	if (!strbuf_error(&batch->text) && batch->text.len != batch->head_len)
		return -EOVERFLOW;
	if (lseek(batch->fd, 0, SEEK_SET) < 0)
		return -errno;
	r = flush(batch);
	if (!r && fsync(batch->fd) < 0)
		r = -errno;
	return r;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static bool is_before(const CsvPlace *a, const CsvPlace *b)
{
	return a->number < b->number || (a->number == b->number && a->offset < b->offset);
}

/* Whether it is the instance's, and behind all that was added. */
static bool follows(const SqlBatch *batch, const CsvPlace *place)
{
	const SqlRange *range = &batch->head.range;
	CsvPlace from = {range->instance, range->from_csv, range->from_offset};

	return place->series == range->instance && place->number <= INT64_MAX &&
	       place->offset <= INT64_MAX && !is_before(place, &from) &&
	       (!batch->head.rows || is_before(&batch->last, place));
}

static int end_statement(SqlBatch *batch)
{
	sql_append_insert_end(&batch->text, &batch->head.table);
	batch->statement_rows = 0;
	return batch->text.len >= WRITE_SIZE ? flush_hashed(batch) : 0;
}

static int add(SqlBatch *batch, const CsvPlace *place, const Row *row, Why *ret_why)
{
	size_t before;
	int r;

	if (!follows(batch, place))
		return -EINVAL;
	if (batch->fd < 0) {
		r = begin_file(batch);
		if (r < 0)
			return r;
	}
	before = batch->text.len;
	if (batch->statement_rows)
		strbuf_append_string(&batch->text, ",\n");
	else
		sql_append_insert(&batch->text, &batch->head.table);
	r = sql_append_row(&batch->text, &batch->head.table, place, row, ret_why);
	if (r) {
		if (r == SQL_NOT_TAKEN)
			strbuf_truncate(&batch->text, before);
		return r;
	}
	batch->last = *place;
	batch->head.rows++;
	batch->statement_rows++;
	return batch->statement_rows >= STATEMENT_ROWS_MAX || batch->text.len >= WRITE_SIZE
		       ? end_statement(batch)
		       : 0;
}

int sqlbatch_add(SqlBatch *batch, const CsvPlace *place, const Row *row, Why *ret_why)
{
	int r = batch->error ? batch->error : add(batch, place, row, ret_why);

	if (r < 0) {
		batch->error = r;
		why_set(ret_why, "%s: %s", batch->temporary, strerror(-r));
	}
	return r;
}

void sqlbatch_skip(SqlBatch *batch)
{
	batch->head.skipped++;
}

static int finish(SqlBatch *batch, const CsvPlace *to)
{
	int r = batch->error;

	if (r)
		return r;
	if (to->series != batch->last.series || to->number > INT64_MAX || to->offset > INT64_MAX ||
		!is_before(&batch->last, to))
		return -EINVAL;
	batch->head.range.to_csv = to->number;
	batch->head.range.to_offset = to->offset;
	if (batch->statement_rows)
		r = end_statement(batch);
	if (!r)
		r = flush_hashed(batch);
	if (!r)
		r = end_file(batch);
	if (!r && rename(batch->temporary, batch->path) < 0)
		r = -errno;
	if (r < 0)
		return r;
	close_fd(&batch->fd);
	batch->fd = -1;
	return file_sync_parent(batch->path);
}

int sqlbatch_finish(SqlBatch *batch, const CsvPlace *to, SqlHead *ret_head, Why *ret_why)
{
	int r;

	if (!batch->error && !batch->head.rows)
		return SQLBATCH_EMPTY;
	r = finish(batch, to);
	if (r < 0) {
		batch->error = r;
		why_set(ret_why, "%s: %s", batch->path, strerror(-r));
		return r;
	}
	*ret_head = batch->head;
	return 0;
}
