/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Reads the CSV as the report and the SQL export do, in a process of its own: what is new goes to a file in DIR that is called after the place
 * where it begins, so that a batch that is done again replaces itself; then the bookmark moves. What is missing goes to stderr.
 *
 * read-rows STATE_DIR DIR [ROUNDS]: as often as that, 0 is until it is killed
 */

#include "base/file.h"
#include "store/csv.h"
#include "store/csvreader.h"

#include <inttypes.h>
#include <stdio.h>

#define READER "report"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "read-rows: %s: %s\n", what, why);
	exit(1);
}

/* The user of each row, one a line; a line that is no row as it is. */
static void read_batch(CsvReader *reader, StrBuf *ret_users)
{
	_cleanup_strbuf_ StrBuf scratch = STRBUF_INIT;
	Why why = {""};
	int r;

	do {
		Span line;
		Row row;

		r = csvreader_next(reader, &line, &why);
		if (r == CSVREADER_MISSING)
			fprintf(stderr, "missing: %s\n", why.text);
		if (r < 0)
			die("reading", why.text);
		if (r)
			continue;
		if (!csv_parse_row(line, &scratch, &row, NULL))
			line = row.field[COLUMN_USER];
		else
			strbuf_append_string(ret_users, "not a row: ");
		strbuf_append_span(ret_users, line);
		strbuf_append_char(ret_users, '\n');
	} while (r != CSVREADER_END);
}

/* Whether there was something. */
static bool do_batch(const char *state_dir, const char *dir)
{
	_cleanup_(csvreader_freep) CsvReader *reader = NULL;
	_cleanup_strbuf_ StrBuf users = STRBUF_INIT;
	Bookmark bookmark = {.written_us = 0};
	char path[4096];
	Why why = {""};
	int r = bookmark_load(state_dir, READER, &bookmark, NULL, &why);

	if (r < 0)
		die("bookmark", why.text);
	(void)snprintf(path, sizeof(path), "%s/%08" PRIu64 "-%012" PRIu64, dir,
		bookmark.place.number, bookmark.place.offset);
	r = csvreader_open(state_dir, r ? NULL : &bookmark.place, &reader, &why);
	if (r < 0)
		die("open", why.text);
	if (r)
		return false;
	read_batch(reader, &users);
	if (!users.len)
		return false;
	if (file_replace(path, users.data, users.len, 0600) < 0)
		die(path, "can't be written");
	bookmark.place = csvreader_place(reader);
	if (bookmark_save(state_dir, READER, &bookmark, SPAN_MISSING) < 0)
		die("bookmark", "can't be written");
	return true;
}

int main(int argc, char **argv)
{
	char holder[LOCK_HOLDER_MAX];
	unsigned long rounds;
	int lock;

	if (argc < 3) {
		fprintf(stderr, "usage: read-rows STATE_DIR DIR [ROUNDS]\n");
		return 2;
	}
	rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	if (bookmark_lock(argv[1], READER, "read-rows", &lock, holder))
		die("lock", "is held");
	for (unsigned long i = 0; !rounds || i < rounds; i++)
		if (!do_batch(argv[1], argv[2]))
			(void)usleep(1000);
	return 0;
}
