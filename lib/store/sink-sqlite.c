/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/library.h"
#include "store/sink-driver.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#define VALUES_MAX 32 /* of a row; more than a table has columns */

#define API(name) __typeof__(&sqlite3_##name) name

typedef struct Api {
	API(open_v2);
	API(close_v2);
	API(busy_timeout);
	API(get_autocommit);
	API(extended_errcode);
	API(errmsg);
	API(system_errno);
	API(prepare_v2);
	API(step);
	API(reset);
	API(finalize);
	API(clear_bindings);
	API(bind_null);
	API(bind_int64);
	API(bind_text);
	API(column_count);
	API(column_text);
} Api;

typedef struct Connection {
	Api api;
	sqlite3 *db;
	bool is_new; /* it has no log ahead of it yet */
	/* the last INSERT of many rows, with a ? for each value of one row */
	sqlite3_stmt *insert;
	size_t insert_values;
	StrBuf insert_text;
	StrBuf scratch;
} Connection;

static int load(Api *api, Why *ret_why)
{
	static const Library library = {
		.name = "the library of SQLite",
		.packages = "package libsqlite3-0, on some systems sqlite-libs or sqlite",
		.sonames = {"libsqlite3.so.0"},
	};
	const LibraryFunction functions[] = {
		{"sqlite3_open_v2", &api->open_v2},
		{"sqlite3_close_v2", &api->close_v2},
		{"sqlite3_busy_timeout", &api->busy_timeout},
		{"sqlite3_get_autocommit", &api->get_autocommit},
		{"sqlite3_extended_errcode", &api->extended_errcode},
		{"sqlite3_errmsg", &api->errmsg},
		{"sqlite3_system_errno", &api->system_errno},
		{"sqlite3_prepare_v2", &api->prepare_v2},
		{"sqlite3_step", &api->step},
		{"sqlite3_reset", &api->reset},
		{"sqlite3_finalize", &api->finalize},
		{"sqlite3_clear_bindings", &api->clear_bindings},
		{"sqlite3_bind_null", &api->bind_null},
		{"sqlite3_bind_int64", &api->bind_int64},
		{"sqlite3_bind_text", &api->bind_text},
		{"sqlite3_column_count", &api->column_count},
		{"sqlite3_column_text", &api->column_text},
	};

	return library_load(
		&library, functions, ARRAY_SIZE(functions), "db_type sqlite needs", ret_why);
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* What the last call has met, as the header of sink has it. */
static int fail(const Connection *connection, Why *ret_why)
{
	const Api *api = &connection->api;
	int code = api->extended_errcode(connection->db);
	int reason = api->system_errno(connection->db);
	int error = 0;

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED: why_set(ret_why, "another program has it locked"); return SINK_AWAY;
	case SQLITE_NOMEM: error = -ENOMEM; break;
	case SQLITE_FULL: error = -ENOSPC; break;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY: error = -EACCES; break;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN: error = reason ? -reason : -EIO; break;
	default: break;
	}
	why_set(ret_why, "%s",
		error && error != -EACCES ? strerror(-error) : api->errmsg(connection->db));
	return error ? error : -EBADMSG;
}

static int fail_system(int error, Why *ret_why)
{
	why_set(ret_why, "%s", strerror(-error));
	return error;
}

/* ---- statements ------------------------------------------------------------------------------ */

/* One statement, and nothing behind it; NULL for one that holds nothing but a comment. 0, or as fail(). */
static int prepare(
	const Connection *connection, const char *text, sqlite3_stmt **ret_statement, Why *ret_why)
{
	sqlite3_stmt *statement = NULL;
	const char *rest = "";

	if (connection->api.prepare_v2(connection->db, text, -1, &statement, &rest) != SQLITE_OK)
		return fail(connection, ret_why);
	if (rest[strspn(rest, " \t\r\n;")]) {
		(void)connection->api.finalize(statement);
		why_set(ret_why, "more than one statement");
		return -EINVAL;
	}
	*ret_statement = statement;
	return 0;
}

static int run(Connection *connection, const char *text, SinkRow *row, void *userdata, Why *ret_why)
{
	const Api *api = &connection->api;
	const char *values[VALUES_MAX];
	sqlite3_stmt *statement = NULL;
	int r = prepare(connection, text, &statement, ret_why);
	size_t count;
	int step;

	if (r || !statement)
		return r;
	count = (size_t)api->column_count(statement);
	if (row && count > VALUES_MAX) {
		why_set(ret_why, "an answer of %zu columns", count);
		r = -E2BIG;
	}
	while (!r && (step = api->step(statement)) != SQLITE_DONE) {
		if (step != SQLITE_ROW) {
			r = fail(connection, ret_why);
			break;
		}
		for (size_t i = 0; row && i < count; i++)
			values[i] = (const char *)api->column_text(statement, (int)i);
		if (row)
			r = row(userdata, values, count);
		if (r)
			(void)fail_system(r, ret_why);
	}
	(void)api->finalize(statement);
	return r;
}

/* ---- many rows ------------------------------------------------------------------------------- */

/*
 * An INSERT of many rows is given to SQLite as one of one row, prepared once, a row at a time: to parse all of it takes SQLite twice the time of
 * what else there is to do. The rows are lines "(value,...)", of NULL, whole numbers and strings in quotes, between the line that ends
 * in VALUES and the last line. The first row that holds anything else and all behind it are left to SQLite.
 */
typedef struct ManyRows {
	Span head; /* the first line */
	const char *at;
	const char *tail; /* from the line end of the last row on */
} ManyRows;

typedef struct Value {
	enum { VALUE_NULL, VALUE_NUMBER, VALUE_TEXT, VALUE_QUOTED } kind;
	int64_t number;
	Span text; /* what stands between the quotes; of VALUE_QUOTED it holds two quotes for one */
} Value;

#define HEAD_END ") VALUES\n"

static bool split(const char *text, ManyRows *ret_many)
{
	const char *line_end = strchr(text, '\n');
	const char *tail = text + strlen(text);
	size_t len = line_end ? (size_t)(line_end + 1 - text) : 0;

	if (len < strlen(HEAD_END) || strncmp(text, "INSERT INTO ", 12) != 0 || text[len] != '(' ||
		memcmp(text + len - strlen(HEAD_END), HEAD_END, strlen(HEAD_END)) != 0)
		return false;
	while (tail > line_end && !(*tail == '\n' && tail[1] && tail[-1] == ')'))
		tail--;
	*ret_many = (ManyRows){{text, len}, text + len, tail};
	return tail > line_end;
}

/* Where it ends; NULL when it is none of those. */
static const char *parse_value(const char *at, Value *ret_value)
{
	const char *start = at;
	bool negative = *at == '-';

	if (*at == '\'') {
		ret_value->kind = VALUE_TEXT;
		start++;
		while ((at = strchr(at + 1, '\'')) && at[1] == '\'') {
			ret_value->kind = VALUE_QUOTED;
			at++;
		}
		if (!at)
			return NULL;
		ret_value->text = (Span){start, (size_t)(at - start)};
		return at + 1;
	}
	if (!strncmp(at, "NULL", 4)) {
		ret_value->kind = VALUE_NULL;
		return at + 4;
	}
	ret_value->kind = VALUE_NUMBER;
	ret_value->number = 0;
	for (at += negative; *at >= '0' && *at <= '9'; at++) {
		if (at - start > 18)
			return NULL;
		ret_value->number = ret_value->number * 10 + (*at - '0');
	}
	if (negative)
		ret_value->number = -ret_value->number;
	return at > start + negative ? at : NULL;
}

/* The next row; their number, or 0 when it is none of those. */
static size_t parse_row(ManyRows *many, Value values[VALUES_MAX])
{
	const char *at = many->at;
	size_t count = 0;

	if (*at != '(')
		return 0;
	do {
		if (count == VALUES_MAX)
			return 0;
		at = parse_value(at + 1, &values[count++]);
	} while (at && *at == ',');
	if (!at || *at++ != ')')
		return 0;
	if (at < many->tail && at[0] == ',' && at[1] == '\n')
		at += 2;
	else if (at != many->tail)
		return 0;
	many->at = at;
	return count;
}

static int bind(Connection *connection, int at, const Value *value)
{
	const Api *api = &connection->api;
	StrBuf *sb = &connection->scratch;

	switch (value->kind) {
	case VALUE_NULL: return api->bind_null(connection->insert, at);
	case VALUE_NUMBER: return api->bind_int64(connection->insert, at, value->number);
	case VALUE_TEXT:
		return api->bind_text(connection->insert, at, value->text.data,
			(int)value->text.len, SQLITE_STATIC);
	case VALUE_QUOTED: break;
	}
	strbuf_reset(sb);
	for (size_t i = 0; i < value->text.len; i++) {
		strbuf_append_char(sb, value->text.data[i]);
		i += value->text.data[i] == '\'';
	}
	if (strbuf_error(sb))
		return SQLITE_NOMEM;
	return api->bind_text(connection->insert, at, sb->data, (int)sb->len, SQLITE_TRANSIENT);
}

/* Prepares the INSERT of one row, if it is not the one of before. 0, or as fail(). */
static int prepare_insert(Connection *connection, const ManyRows *many, size_t count, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int r;

	strbuf_append_span(&text, many->head);
	for (size_t i = 0; i < count; i++)
		strbuf_append_string(&text, i ? ",?" : "(?");
	strbuf_append_char(&text, ')');
	strbuf_append_string(&text, many->tail);
	r = strbuf_error(&text);
	if (r)
		return fail_system(r, ret_why);
	if (connection->insert &&
		!strcmp(strbuf_text(&text), strbuf_text(&connection->insert_text)))
		return 0;
	(void)connection->api.finalize(connection->insert);
	connection->insert = NULL;
	strbuf_done(&connection->insert_text);
	r = prepare(connection, text.data, &connection->insert, ret_why);
	if (!r) {
		connection->insert_text = text;
		text = STRBUF_INIT;
	}
	return r;
}

/* Executes it row by row, and leaves *many where it had to end: behind the last row when it has done all. 0, or as fail(). */
static int insert_rows(Connection *connection, ManyRows *many, Why *ret_why)
{
	const Api *api = &connection->api;
	Value values[VALUES_MAX];
	size_t count = 0, n;
	int r = 0;

	while (!r && many->at < many->tail) {
		ManyRows next = *many;

		n = parse_row(&next, values);
		if (!n || (count && n != count))
			break;
		if (!count)
			r = prepare_insert(connection, many, n, ret_why);
		count = n;
		for (size_t i = 0; !r && i < n; i++)
			if (bind(connection, (int)i + 1, &values[i]) != SQLITE_OK)
				r = fail(connection, ret_why);
		if (!r && api->step(connection->insert) != SQLITE_DONE)
			r = fail(connection, ret_why);
		if (connection->insert)
			(void)api->reset(connection->insert);
		*many = next;
	}
	if (connection->insert)
		(void)api->clear_bindings(connection->insert);
	return r;
}

/* ---- the driver ------------------------------------------------------------------------------ */

static int execute(void *userdata, const char *statement, Why *ret_why)
{
	Connection *connection = userdata;
	_cleanup_strbuf_ StrBuf rest = STRBUF_INIT;
	ManyRows many;
	int r;

	/* By itself it would be as many transactions. */
	if (connection->api.get_autocommit(connection->db) || !split(statement, &many))
		return run(connection, statement, NULL, NULL, ret_why);
	r = insert_rows(connection, &many, ret_why);
	if (r || many.at == many.tail)
		return r;
	strbuf_append_span(&rest, many.head);
	strbuf_append_string(&rest, many.at);
	r = strbuf_error(&rest);
	return r ? fail_system(r, ret_why) : run(connection, rest.data, NULL, NULL, ret_why);
}

static int query(
	void *userdata, const char *statement, SinkRow *row, void *row_userdata, Why *ret_why)
{
	return run(userdata, statement, row, row_userdata, ret_why);
}

/* A transaction that begins with BEGIN IMMEDIATE is alone, which is all that is asked for. */
static int lock(void *userdata, const char *name, unsigned wait_ms, Why *ret_why)
{
	return 0;
}

static int unlock(void *userdata, Why *ret_why)
{
	return 0;
}

/*
 * With a log ahead of it (WAL), whoever reads does not wait for whoever writes. It is not there on every file system; then the answer is another mode,
 * which will do.
 */
#define LOG_AHEAD "PRAGMA journal_mode = wal"

static void close_connection(void *userdata)
{
	Connection *connection = userdata;

	if (connection->db) {
		(void)connection->api.finalize(connection->insert);
		/* Else it gets it when it is opened the next time. */
		if (connection->is_new && connection->api.get_autocommit(connection->db))
			(void)run(connection, LOG_AHEAD, NULL, NULL, NULL);
		(void)connection->api.close_v2(connection->db);
	}
	strbuf_done(&connection->insert_text);
	strbuf_done(&connection->scratch);
	free(connection);
}
DEFINE_CLEANUP(Connection *, connection_freep, close_connection)

/*
 * Makes the file, so that it has the mode of the CSV, whose rows it holds; SQLite gives it to what it writes beside it. It
 * also tells an errno, where SQLite knows only that it can't be opened.
 */
static int touch(const char *path, bool *ret_is_new, Why *ret_why)
{
	_cleanup_close_ int fd =
		open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_system(-errno, ret_why);
	if (!S_ISREG(st.st_mode)) {
		why_set(ret_why, "is not a regular file");
		return -EINVAL;
	}
	*ret_is_new = !st.st_size;
	return 0;
}

static int open_file(const SinkOptions *options, void **ret_connection, Why *ret_why)
{
	/*
	 * What is committed is to be on the disk. Big pages cost less for an index, which is sorted in the memory of the cache: in more than the
	 * processor has near by, it takes half as long again. A thread beside ours sorts one half while the other is read.
	 */
	static const char *const settings[] = {
		"PRAGMA page_size = 8192",
		"PRAGMA synchronous = full",
		"PRAGMA cache_size = -2000",
		"PRAGMA threads = 1",
		"PRAGMA trusted_schema = off",
	};
	_cleanup_(connection_freep) Connection *connection = calloc(1, sizeof(*connection));
	int r;

	if (!connection)
		return fail_system(-ENOMEM, ret_why);
	r = load(&connection->api, ret_why);
	if (!r)
		r = touch(options->path, &connection->is_new, ret_why);
	if (r)
		return r;
	if (connection->api.open_v2(options->path, &connection->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return connection->db ? fail(connection, ret_why) : fail_system(-ENOMEM, ret_why);
	(void)connection->api.busy_timeout(connection->db, (int)options->timeout_ms);
	for (size_t i = 0; !r && i < ARRAY_SIZE(settings); i++)
		r = run(connection, settings[i], NULL, NULL, ret_why);
	/* Nobody reads what was made just now, and without the log the first rows, which may be all of years, take two thirds of the time. */
	if (!r && !connection->is_new) {
		r = run(connection, LOG_AHEAD, NULL, NULL, ret_why);
		/* Where another has just made it and writes, who comes later changes that. */
		if (r == SINK_AWAY)
			r = 0;
	}
	if (!r)
		*ret_connection = TAKE(connection);
	return r;
}

const SinkDriver sink_sqlite = {
	.open = open_file,
	.close = close_connection,
	.execute = execute,
	.query = query,
	.lock = lock,
	.unlock = unlock,
};
