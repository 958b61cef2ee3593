/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/sql-mark.h"

#include "base/file.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "state/frame.h"

#include <inttypes.h>
#include <stdio.h>

#define READER "sql-export"

void sqlmark_done(SqlMark *mark)
{
	close_fd(&mark->lock_fd);
	free(mark->path);
	*mark = SQLMARK_INIT;
}

/* The checksum has told that this program wrote the numbers: none is out of range. NOLINTBEGIN(cert-err34-c) */
static int parse_line(const char *line, SqlMarkState *state)
{
	int end = 0;

	if (sscanf(line, "next %" SCNu64 "%n", &state->next, &end) == 1 && !line[end])
		return 0;
	if (sscanf(line, "instance %" SCNx64 "%n", &state->instance, &end) == 1 && !line[end])
		return 0;
	if (sscanf(line, "last number=%" SCNu64 " offset=%" SCNu64 " hash=%" SCNx64 "%n",
		    &state->last.number, &state->last.offset, &state->last_hash, &end) == 3 &&
		!line[end])
		return 0;
	return -EBADMSG;
}
/* NOLINTEND(cert-err34-c) */

static int parse_payload(StrBuf *payload, SqlMarkState *state)
{
	char *line = NULL;
	size_t at = 0;
	int r;

	state->next = 0;
	do {
		r = frame_line(payload, &at, &line);
		if (!r && line)
			r = parse_line(line, state);
	} while (!r && line);
	return r < 0 || !state->next || !state->instance ? -EBADMSG : 0;
}

static int load(SqlMark *mark)
{
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT;
	Bookmark bookmark;
	Why why = {""};
	int r = bookmark_load(mark->state_dir, READER, &bookmark, &payload, &why);

	mark->state = (SqlMarkState){.next = 1};
	if (r == BOOKMARK_NONE)
		return 0;
	if (!r && parse_payload(&payload, &mark->state) < 0) {
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
	mark->state.place = bookmark.place;
	mark->state.last.series = bookmark.place.series;
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

int sqlmark_move(SqlMark *mark, const SqlMarkState *state)
{
	const Bookmark bookmark = {.place = state->place, .written_us = loop_wall_us()};
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT;
	int r;

	strbuf_appendf(&payload, "next %" PRIu64 "\ninstance %016" PRIx64 "\n", state->next,
		state->instance);
	if (state->last.number)
		strbuf_appendf(&payload,
			"last number=%" PRIu64 " offset=%" PRIu64 " hash=%016" PRIx64 "\n",
			state->last.number, state->last.offset, state->last_hash);
	r = strbuf_error(&payload);
	if (!r)
		r = bookmark_save(mark->state_dir, READER, &bookmark,
			(Span){strbuf_text(&payload), payload.len});
	if (r < 0)
		return fail(mark->path, r);
	mark->has_place = true;
	mark->state = *state;
	return 0;
}
