/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The checkpoint: the input as the file, and as what stands between a first line and a checksum that are right. What is
 * refused is refused in words; what is loaded is the same after it was saved.
 */

#include "fuzz.h"

#include <inttypes.h>

#include "../unit/scratch.h"
#include "base/hash.h"
#include "state/checkpoint.h"

static void check_refusal(int r, const Why *why)
{
	HOLDS(r == -EBADMSG && why->text[0]);
}

static void check_mark(const FileMark *mark)
{
	HOLDS(mark->head_len <= MARK_HEAD_MAX && mark->head_len <= mark->offset);
	HOLDS(mark->tail_len <= MARK_TAIL_MAX && mark->tail_len <= mark->offset);
	HOLDS(mark->offset <= INT64_MAX);
}

static bool same_mark(bool has, const FileMark *a, bool also, const FileMark *b)
{
	return has == also && (!has || !memcmp(a, b, sizeof(*a)));
}

/* Places of a log without a position say nothing. */
static void check_trails(const LogState *a, const LogState *b)
{
	if (!a->has_position)
		return;
	HOLDS(a->earlier.count == b->earlier.count && a->earlier.count <= TRAIL_MAX);
	for (uint32_t i = 0; i < a->earlier.count; i++) {
		const TrailPlace *x = &a->earlier.places[i], *y = &b->earlier.places[i];

		HOLDS(x->offset == y->offset && x->len == y->len && x->hash == y->hash);
		HOLDS(x->len >= 1 && x->len <= MARK_TAIL_MAX && x->len <= x->offset);
		HOLDS(!i || x->offset > x[-1].offset);
	}
}

static void check_same(const Checkpoint *a, const Checkpoint *b)
{
	HOLDS(a->written_us == b->written_us && a->rows == b->rows && a->source == b->source);
	HOLDS(!strcmp(a->csv_path, b->csv_path) && !memcmp(&a->csv, &b->csv, sizeof(a->csv)));
	HOLDS(a->log_count == b->log_count && a->log_count <= CHECKPOINT_LOGS_MAX);
	check_mark(&a->csv);
	HOLDS(a->csv_series == b->csv_series && a->csv_begin == b->csv_begin);
	HOLDS(a->csv_number == b->csv_number && a->before_count == b->before_count);
	HOLDS(a->csv_number > a->before_count && a->before_count <= CHECKPOINT_BEFORE_MAX);
	for (size_t i = 0; i < a->before_count; i++) {
		const CsvBefore *x = &a->before[i], *y = &b->before[i];

		HOLDS(!strcmp(x->path, y->path) && x->begin == y->begin && x->lost == y->lost);
		HOLDS(x->number == y->number && x->number == a->csv_number - a->before_count + i);
		HOLDS(!memcmp(&x->mark, &y->mark, sizeof(x->mark)));
		check_mark(&x->mark);
	}
	for (size_t i = 0; i < a->log_count; i++) {
		const LogState *x = &a->logs[i], *y = &b->logs[i];

		HOLDS(!strcmp(x->path, y->path));
		HOLDS(same_mark(x->has_position, &x->position, y->has_position, &y->position));
		HOLDS(same_mark(x->has_finished, &x->finished, y->has_finished, &y->finished));
		HOLDS(!memcmp(&x->counters, &y->counters, sizeof(x->counters)));
		HOLDS(!strcmp(x->cursor, y->cursor) && x->stamp_us == y->stamp_us);
		HOLDS(x->after_us == y->after_us);
		check_trails(x, y);
		check_mark(&x->position);
		check_mark(&x->finished);
	}
}

static void save_and_check(const Checkpoint *checkpoint)
{
	_cleanup_strbuf_ StrBuf first = STRBUF_INIT;
	_cleanup_checkpoint_ Checkpoint back = CHECKPOINT_INIT;
	Why why = {0};

	if (!*scratch_root)
		scratch_enter();
	HOLDS(!checkpoint_save("state", checkpoint));
	HOLDS(!checkpoint_load("state", &back, &why));
	check_same(checkpoint, &back);
	first = scratch_read("state");
	HOLDS(!checkpoint_save("state", &back));
	HOLDS(scratch_holds("state", first.data, first.len));
}

FUZZ_TARGET(checkpoint)
{
	_cleanup_checkpoint_ Checkpoint plain = CHECKPOINT_INIT, framed = CHECKPOINT_INIT;
	static StrBuf text;
	Why why = {0};
	int r;

	r = checkpoint_load(fuzz_memory_file(data, size), &plain, &why);
	if (r)
		check_refusal(r, &why);
	else
		save_and_check(&plain);

	strbuf_reset(&text);
	strbuf_append_string(&text, "maillogsentinel-checkpoint 1\n");
	strbuf_append_span(&text, fuzz_rest(&(FuzzInput){data, size}));
	strbuf_appendf(&text, "checksum %016" PRIx64 "\n",
		hash_bytes(HASH_KEY_FIXED, text.data, text.len));
	why.text[0] = '\0';
	r = checkpoint_load(fuzz_memory_file(text.data, text.len), &framed, &why);
	if (r)
		check_refusal(r, &why);
	else
		save_and_check(&framed);
	return 0;
}
