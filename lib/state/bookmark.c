/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/bookmark.h"

#include "state/frame.h"

#include <inttypes.h>

#define FORMAT_NAME "bookmark"
#define FORMAT_VERSION 2 /* 1 had neither counters nor a payload */

const char *const bookmark_readers[] = {"report", "sql-export", NULL};

/* state_dir/READER.what, heap memory; NULL when out of memory. */
static char *path_dup(const char *state_dir, const char *reader, const char *what)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	strbuf_appendf(&sb, "%s/%s.%s", state_dir, reader, what);
	return strbuf_take(&sb);
}

int bookmark_lock(const char *state_dir, const char *reader, const char *command, int *ret_fd,
	char ret_holder[LOCK_HOLDER_MAX])
{
	_cleanup_free_ char *path = path_dup(state_dir, reader, "lock");

	return path ? lock_take(path, command, ret_fd, ret_holder) : -ENOMEM;
}

void bookmark_append(StrBuf *sb, const Bookmark *bookmark, Span payload)
{
	const Counters *c = &bookmark->counters;

	strbuf_appendf(sb, "written %" PRId64 "\n", bookmark->written_us);
	strbuf_appendf(sb, "csv number=%" PRIu64 " offset=%" PRIu64 " series=%016" PRIx64 "\n",
		bookmark->place.number, bookmark->place.offset, bookmark->place.series);
	if (bookmark->has_counters)
		strbuf_appendf(sb,
			"counters lines=%" PRIu64 " failures=%" PRIu64 " successes=%" PRIu64
			" outages=%" PRIu64 " aborted=%" PRIu64 " skipped=%" PRIu64 " lost=%" PRIu64
			"\n",
			c->lines, c->failures, c->successes, c->outages, c->aborted, c->skipped,
			c->lost);
	if (payload.len) {
		strbuf_append_string(sb, "payload\n");
		strbuf_append_span(sb, payload);
	}
}

int bookmark_save(const char *state_dir, const char *reader, const Bookmark *bookmark, Span payload)
{
	_cleanup_free_ char *path = path_dup(state_dir, reader, "offset");
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	if (!path)
		return -ENOMEM;
	if (payload.len && payload.data[payload.len - 1] != '\n')
		return -EINVAL;
	frame_begin(&sb, FORMAT_NAME, FORMAT_VERSION);
	bookmark_append(&sb, bookmark, payload);
	return frame_save(path, &sb);
}

/* The checksum has told that this program wrote the numbers: none is out of range. NOLINTBEGIN(cert-err34-c) */
static int read_line(const char *line, Bookmark *bookmark, bool *ret_has_place)
{
	CsvPlace *place = &bookmark->place;
	Counters *c = &bookmark->counters;
	int end = 0;

	if (sscanf(line, "written %" SCNd64 "%n", &bookmark->written_us, &end) == 1 && !line[end])
		return 0;
	if (sscanf(line,
		    "counters lines=%" SCNu64 " failures=%" SCNu64 " successes=%" SCNu64
		    " outages=%" SCNu64 " aborted=%" SCNu64 " skipped=%" SCNu64 " lost=%" SCNu64
		    "%n",
		    &c->lines, &c->failures, &c->successes, &c->outages, &c->aborted, &c->skipped,
		    &c->lost, &end) == 7 &&
		!line[end]) {
		bookmark->has_counters = true;
		return 0;
	}
	if (sscanf(line, "csv number=%" SCNu64 " offset=%" SCNu64 " series=%" SCNx64 "%n",
		    &place->number, &place->offset, &place->series, &end) != 3 ||
		line[end] || !place->number)
		return -EBADMSG;
	*ret_has_place = true;
	return 0;
}
/* NOLINTEND(cert-err34-c) */

int bookmark_parse(StrBuf *lines, Bookmark *ret_bookmark, Span *ret_payload)
{
	Bookmark bookmark = {.written_us = 0};
	Span payload = SPAN_LITERAL("");
	bool has_place = false;
	char *line = NULL;
	size_t at = 0;
	int r;

	do {
		r = frame_line(lines, &at, &line);
		if (!r && line && !strcmp(line, "payload")) {
			payload = (Span){lines->data + at, lines->len - at};
			break;
		}
		if (!r && line)
			r = read_line(line, &bookmark, &has_place);
	} while (!r && line);
	if (r < 0 || !has_place)
		return -EBADMSG;
	if (payload.len && payload.data[payload.len - 1] != '\n')
		return -EBADMSG;
	*ret_bookmark = bookmark;
	*ret_payload = payload;
	return 0;
}

int bookmark_load(const char *state_dir, const char *reader, Bookmark *ret_bookmark,
	StrBuf *ret_payload, Why *ret_why)
{
	_cleanup_free_ char *path = path_dup(state_dir, reader, "offset");
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	Span payload;
	int r = path ? frame_load(path, FORMAT_NAME, FORMAT_VERSION, &sb, ret_why) : -ENOMEM;

	if (r)
		return r == FRAME_NONE ? BOOKMARK_NONE : r;
	r = bookmark_parse(&sb, ret_bookmark, &payload);
	if (r < 0) {
		why_set(ret_why, "a line of it can't be read");
		return r;
	}
	if (!ret_payload)
		return 0;
	strbuf_consume(&sb, sb.len - payload.len);
	strbuf_done(ret_payload);
	*ret_payload = sb;
	sb = STRBUF_INIT;
	return 0;
}
