/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sqlreplay.h"

#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#define READ_SIZE ((size_t)256 << 10)

struct SqlReplay {
	int fd;
	SqlHead head;
	size_t head_len;
	StrBuf unhashed; /* the head, as the hash takes it */
	StrBuf ledger;   /* the ledger's statement, */
	StrBuf end;      /* and the file from there on */
	uint64_t body_end;
	Digest *digest;
	/* where it is */
	uint64_t offset;
	StrBuf window;
	size_t at;
	uint64_t rows;
	bool ended;
};

/* ---- opening -------------------------------------------------------------------------------- */

static int open_file(const char *path, int *ret_fd, uint64_t *ret_size, Why *ret_why)
{
	/* Whatever else has that name, nobody waits for it. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int r = -errno;

		why_set(ret_why, "%s", strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode)) {
		why_set(ret_why, "not a regular file");
		return -EBADMSG;
	}
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int read_head(int fd, SqlHead *ret_head, size_t *ret_len, Why *ret_why)
{
	char text[SQLHEAD_MAX];
	ssize_t n = file_pread_full(fd, text, sizeof(text), 0);

	if (n < 0) {
		why_set(ret_why, "%s", strerror((int)-n));
		return (int)n;
	}
	return sqlhead_parse((Span){text, (size_t)n}, ret_head, ret_len, ret_why);
}

int sqlreplay_head(const char *path, SqlHead *ret_head, Why *ret_why)
{
	_cleanup_close_ int fd = -1;
	uint64_t size;
	size_t len;
	int r = open_file(path, &fd, &size, ret_why);

	return r < 0 ? r : read_head(fd, ret_head, &len, ret_why);
}

/* What the file ends with follows from its head. */
static int prepare(SqlReplay *replay, uint64_t size, Why *ret_why)
{
	sqlhead_append_unhashed(&replay->unhashed, &replay->head);
	sqlhead_append_ledger(&replay->ledger, &replay->head);
	strbuf_append_span(&replay->end, (Span){strbuf_text(&replay->ledger), replay->ledger.len});
	strbuf_append_string(&replay->end, SQLHEAD_COMMIT ";\n");
	if (strbuf_error(&replay->unhashed) || strbuf_error(&replay->ledger) ||
		strbuf_error(&replay->end) || !strbuf_reserve(&replay->window, READ_SIZE)) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	/* As statements are given: without ";". */
	strbuf_truncate(&replay->ledger, replay->ledger.len - 2);
	if (size < replay->head_len + replay->end.len) {
		why_set(ret_why, "it is cut short");
		return -EBADMSG;
	}
	replay->body_end = size - replay->end.len;
	return digest_new(&replay->digest);
}

int sqlreplay_open(const char *path, SqlReplay **ret_replay, Why *ret_why)
{
	_cleanup_(sqlreplay_freep) SqlReplay *replay = calloc(1, sizeof(*replay));
	uint64_t size = 0;
	Span statement;
	int r;

	if (!replay) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	replay->fd = -1;
	r = open_file(path, &replay->fd, &size, ret_why);
	if (!r)
		r = read_head(replay->fd, &replay->head, &replay->head_len, ret_why);
	if (!r)
		r = prepare(replay, size, ret_why);
	if (r < 0)
		return r;
	sqlreplay_rewind(replay);
	do
		r = sqlreplay_next(replay, &statement, ret_why);
	while (!r);
	if (r < 0)
		return r;
	sqlreplay_rewind(replay);
	*ret_replay = TAKE(replay);
	return 0;
}

void sqlreplay_free(SqlReplay *replay)
{
	if (!replay)
		return;
	close_fd(&replay->fd);
	strbuf_done(&replay->unhashed);
	strbuf_done(&replay->ledger);
	strbuf_done(&replay->end);
	strbuf_done(&replay->window);
	digest_free(replay->digest);
	free(replay);
}

const SqlHead *sqlreplay_get_head(const SqlReplay *replay)
{
	return &replay->head;
}

void sqlreplay_rewind(SqlReplay *replay)
{
	digest_reset(replay->digest);
	strbuf_reset(&replay->window);
	replay->offset = replay->head_len;
	replay->at = 0;
	replay->rows = 0;
	replay->ended = false;
}

/* ---- statements ----------------------------------------------------------------------------- */

/* More of what stands before the ledger's statement. 0, 1 when that was all, -errno with *ret_why. */
static int fill(SqlReplay *replay, Why *ret_why)
{
	size_t want = (size_t)MIN(replay->body_end - replay->offset, (uint64_t)READ_SIZE);
	char *to;
	ssize_t n;

	if (!want)
		return 1;
	strbuf_consume(&replay->window, replay->at);
	replay->at = 0;
	to = strbuf_reserve(&replay->window, want);
	n = to ? file_pread_full(replay->fd, to, want, (off_t)replay->offset)
	       : strbuf_error(&replay->window);
	if (n < 0) {
		why_set(ret_why, "%s", strerror((int)-n));
		return (int)n;
	}
	if ((size_t)n < want) {
		why_set(ret_why, "it became shorter while it was read");
		return -EBADMSG;
	}
	digest_add(replay->digest, to, want);
	replay->window.len += want;
	replay->window.data[replay->window.len] = '\0';
	replay->offset += want;
	return 0;
}

/* The next statement of the window up to the line end behind its ";". 0, 1 when there is none, -errno with *ret_why. */
static int take_statement(SqlReplay *replay, Span *ret_statement, Why *ret_why)
{
	size_t line = 0; /* where the line begins that comes next */

	for (;;) {
		char *start = replay->window.data + replay->at;
		size_t len = replay->window.len - replay->at;
		const char *end = len > line ? memchr(start + line, '\n', len - line) : NULL;
		int r;

		if (!end && len > SQLREPLAY_STATEMENT_MAX) {
			why_set(ret_why, "a statement is longer than %zu bytes",
				SQLREPLAY_STATEMENT_MAX);
			return -EBADMSG;
		}
		if (!end) {
			r = fill(replay, ret_why);
			if (r < 0 || (r && !len))
				return r;
			if (r) {
				why_set(ret_why, "its last statement does not end");
				return -EBADMSG;
			}
			continue;
		}
		replay->rows += start[line] == '(';
		line = (size_t)(end + 1 - start);
		if (end == start || end[-1] != ';')
			continue;
		start[line - 2] = '\0';
		replay->at += line;
		*ret_statement = (Span){start, line - 2};
		return 0;
	}
}

/* Whether all was as it was written. */
static int check_end(SqlReplay *replay, Why *ret_why)
{
	char hash[DIGEST_TEXT_LEN + 1];

	/* The window is empty. */
	digest_add(replay->digest, replay->unhashed.data, replay->unhashed.len);
	digest_get_text(replay->digest, hash);
	if (strcmp(hash, replay->head.hash) != 0) {
		why_set(ret_why, "it is not as it was written: its hash is %s, not %s", hash,
			replay->head.hash);
		return -EBADMSG;
	}
	if (replay->rows != replay->head.rows) {
		why_set(ret_why, "it has %llu rows, not %llu", (unsigned long long)replay->rows,
			(unsigned long long)replay->head.rows);
		return -EBADMSG;
	}
	return 0;
}

/* The bytes behind the rows. */
static int check_tail(SqlReplay *replay, Why *ret_why)
{
	_cleanup_free_ char *tail = malloc(replay->end.len + 1);
	ssize_t n = tail ? file_pread_full(
				   replay->fd, tail, replay->end.len + 1, (off_t)replay->body_end)
			 : -ENOMEM;

	if (n < 0) {
		why_set(ret_why, "%s", strerror((int)-n));
		return (int)n;
	}
	if ((size_t)n != replay->end.len || memcmp(tail, replay->end.data, (size_t)n) != 0) {
		why_set(ret_why, "its end is not as it was written");
		return -EBADMSG;
	}
	return 0;
}

int sqlreplay_next(SqlReplay *replay, Span *ret_statement, Why *ret_why)
{
	int r;

	if (replay->ended)
		return SQLREPLAY_END;
	r = take_statement(replay, ret_statement, ret_why);
	if (r <= 0)
		return r;
	r = check_end(replay, ret_why);
	if (!r)
		r = check_tail(replay, ret_why);
	if (r < 0)
		return r;
	replay->ended = true;
	*ret_statement = (Span){replay->ledger.data, replay->ledger.len};
	return 0;
}
