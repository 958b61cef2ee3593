/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/sql-mark.h"

#include "base/file.h"
#include "base/number.h"
#include "daemon/log.h"
#include "daemon/loop.h"

#include <inttypes.h>

#define READER "sql-export"

void sqlmark_done(SqlMark *mark)
{
	close_fd(&mark->lock_fd);
	free(mark->path);
	*mark = SQLMARK_INIT;
}

/* "next N\n". */
static int parse_payload(const StrBuf *payload, uint64_t *ret_next)
{
	Span text = {strbuf_text(payload), payload->len};

	if (!span_starts_with(text, "next ") || text.data[text.len - 1] != '\n')
		return -EBADMSG;
	text = (Span){text.data + 5, text.len - 6};
	return number_parse_u64(text, UINT64_MAX, ret_next) < 0 || !*ret_next ? -EBADMSG : 0;
}

static int load(SqlMark *mark)
{
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT;
	Bookmark bookmark;
	Why why = {""};
	int r = bookmark_load(mark->state_dir, READER, &bookmark, &payload, &why);

	mark->next = 1;
	if (r == BOOKMARK_NONE)
		return 0;
	if (!r && parse_payload(&payload, &mark->next) < 0) {
		r = -EBADMSG;
		why_set(&why, "a line of it can't be read");
	}
	if (r < 0) {
		log_error("%s: %s; nothing is exported until it is put right (without it all rows "
			  "are exported again, which the database takes for what it has)",
			mark->path, *why.text ? why.text : strerror(-r));
		return r;
	}
	mark->has_place = true;
	mark->place = bookmark.place;
	return 0;
}

static int fail(const char *path, int error)
{
	log_error("%s: %s", path, strerror(-error));
	return error;
}

int sqlmark_open(const char *state_dir, SqlMark *ret_mark)
{
	_cleanup_sqlmark_ SqlMark mark = SQLMARK_INIT;
	char holder[LOCK_HOLDER_MAX];
	int r;

	mark.state_dir = state_dir;
	mark.path = file_join_dup(state_dir, READER ".offset");
	if (!mark.path)
		return fail(state_dir, -ENOMEM);
	r = bookmark_lock(state_dir, READER, READER, &mark.lock_fd, holder);
	if (r < 0)
		return fail(state_dir, r);
	if (r == LOCK_HELD) {
		log_error("%s: another sql-export is at work (process %s)", state_dir,
			*holder ? holder : "unknown");
		return -EBUSY;
	}
	r = load(&mark);
	if (r < 0)
		return r;
	/* It may have got its name just before a power cut, and what follows from it would be done twice. */
	r = mark.has_place ? file_sync_parent(mark.path) : 0;
	if (r < 0)
		return fail(mark.path, r);
	*ret_mark = mark;
	mark = SQLMARK_INIT;
	return 0;
}

int sqlmark_move(SqlMark *mark, const CsvPlace *place, uint64_t next)
{
	const Bookmark bookmark = {.place = *place, .written_us = loop_wall_us()};
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT;
	int r;

	strbuf_appendf(&payload, "next %" PRIu64 "\n", next);
	r = strbuf_error(&payload);
	if (!r)
		r = bookmark_save(mark->state_dir, READER, &bookmark,
			(Span){strbuf_text(&payload), payload.len});
	if (r < 0)
		return fail(mark->path, r);
	mark->has_place = true;
	mark->place = *place;
	mark->next = next;
	return 0;
}
