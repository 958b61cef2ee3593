/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/digest.h"
#include "base/library.h"
#include "base/strbuf.h"
#include "store/sink-driver.h"
#include "store/sink-gate.h"
#include "store/sink-server.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>

#define API(name) __typeof__(&(name)) name

typedef struct Api {
	API(PQclear);
	API(PQconnectPoll);
	API(PQconnectStartParams);
	API(PQconnectionNeedsPassword);
	API(PQconsumeInput);
	API(PQerrorMessage);
	API(PQfinish);
	API(PQflush);
	API(PQgetResult);
	API(PQgetisnull);
	API(PQgetvalue);
	API(PQisBusy);
	API(PQlibVersion);
	API(PQnfields);
	API(PQntuples);
	API(PQparameterStatus);
	API(PQresultErrorField);
	API(PQresultStatus);
	API(PQsendQuery);
	API(PQsetErrorVerbosity);
	API(PQsetNoticeReceiver);
	API(PQsetSingleRowMode);
	API(PQsetnonblocking);
	API(PQsocket);
	API(PQstatus);
} Api;

typedef struct Connection {
	Api api;
	PGconn *pg;
	unsigned timeout_ms;
	bool lost;
} Connection;

static int load(Api *api, Why *ret_why)
{
	static const Library library = {
		.name = "libpq",
		.packages = "package libpq5, on some systems libpq or postgresql-libs",
		.sonames = {"libpq.so.5"},
	};
#define FUNCTION(name)            \
	{                         \
#name, &api->name \
	}
	const LibraryFunction functions[] = {
		FUNCTION(PQclear),
		FUNCTION(PQconnectPoll),
		FUNCTION(PQconnectStartParams),
		FUNCTION(PQconnectionNeedsPassword),
		FUNCTION(PQconsumeInput),
		FUNCTION(PQerrorMessage),
		FUNCTION(PQfinish),
		FUNCTION(PQflush),
		FUNCTION(PQgetResult),
		FUNCTION(PQgetisnull),
		FUNCTION(PQgetvalue),
		FUNCTION(PQisBusy),
		FUNCTION(PQlibVersion),
		FUNCTION(PQnfields),
		FUNCTION(PQntuples),
		FUNCTION(PQparameterStatus),
		FUNCTION(PQresultErrorField),
		FUNCTION(PQresultStatus),
		FUNCTION(PQsendQuery),
		FUNCTION(PQsetErrorVerbosity),
		FUNCTION(PQsetNoticeReceiver),
		FUNCTION(PQsetSingleRowMode),
		FUNCTION(PQsetnonblocking),
		FUNCTION(PQsocket),
		FUNCTION(PQstatus),
	};
#undef FUNCTION

	return library_load(
		&library, functions, ARRAY_SIZE(functions), "PostgreSQL needs", ret_why);
}

static void disconnect(Connection *connection)
{
	if (connection->pg)
		connection->api.PQfinish(connection->pg);
	connection->pg = NULL;
}

static void pgsql_close(void *userdata)
{
	Connection *connection = userdata;

	disconnect(connection);
	free(connection);
}
DEFINE_CLEANUP(Connection *, connection_freep, pgsql_close)

/* ---- what went wrong --------------------------------------------------------------------------- */

/* What a SQLSTATE (its table is in PostgreSQL's manual, appendix A) is to the caller. */
static int judge(const char *sqlstate)
{
	static const struct {
		const char *start;
		int result;
	} table[] = {
		{"08", SINK_AWAY},    /* connection exception */
		{"25006", -EROFS},    /* read-only transaction: a standby, or told so */
		{"25P03", SINK_AWAY}, /* idle in a transaction for too long */
		{"28", -EACCES},      /* invalid authorization */
		{"3D000", -ENOENT},   /* no such database */
		{"40", SINK_AWAY},    /* rolled back: deadlock, serialization */
		{"42501", -EACCES},   /* insufficient privilege */
		{"53100", -ENOSPC},   /* disk full */
		{"53", SINK_AWAY},    /* other resources: memory, connections */
		{"55P03", SINK_AWAY}, /* lock not available */
		{"57", SINK_AWAY},    /* operator intervention: shutdown, starting up, cancelled */
		{"58", -EIO},         /* system error */
		{"F0", -EIO},         /* its configuration */
		{"XX", -EIO},         /* internal error, damaged data */
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strncmp(sqlstate, table[i].start, strlen(table[i].start)) == 0)
			return table[i].result;
	return -EBADMSG;
}

static int lost(Connection *connection, Why *ret_why)
{
	const char *message = connection->api.PQerrorMessage(connection->pg);

	connection->lost = true;
	why_set(ret_why, "the connection was lost (%.*s)",
		*message ? (int)strcspn(message, "\n") : 5, *message ? message : "ended");
	return SINK_AWAY;
}

static int out_of_time(Connection *connection, Why *ret_why)
{
	/* What it still does is ended by the server when it sees that nobody is there. */
	connection->lost = true;
	why_set(ret_why, "the server has said nothing for %u s", connection->timeout_ms / 1000);
	return SINK_AWAY;
}

/* An error of a statement, in the server's words. */
static int failed(Connection *connection, const PGresult *result, Why *ret_why)
{
	const Api *api = &connection->api;
	const char *sqlstate = api->PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = api->PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = api->PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = api->PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

	if (!sqlstate || !message)
		return lost(connection, ret_why);
	if (!detail)
		detail = hint;
	why_set(ret_why, "%s%s%s%s", message, detail ? " (" : "", detail ? detail : "",
		detail ? ")" : "");
	return judge(sqlstate);
}

/* The last ":  28P01: " of a message in the verbose form; SPAN_MISSING when it is libpq's own. */
static Span find_sqlstate(const char *message)
{
	Span found = SPAN_MISSING;

	for (const char *at = message; (at = strstr(at, ":  ")); at++)
		if (strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && at[8] == ':' &&
			at[9] == ' ')
			found = (Span){at + 3, 5};
	return found;
}

/* Of several attempts (with TLS, without; of each address) the last says most: one line of it, without its code. */
static void say_attempt(const char *message, Why *ret_why)
{
	const char *line = message;
	Span code;
	size_t len;

	for (const char *at = message; (at = strchr(at, '\n')); at++)
		if (strncmp(at + 1, "connection to ", strlen("connection to ")) == 0)
			line = at + 1;
	len = strcspn(line, "\n");
	code = find_sqlstate(line);
	if (code.data && code.data < line + len)
		why_set(ret_why, "%.*s%.*s", (int)(code.data - line - 1), line,
			(int)(line + len - code.data - 6), code.data + 6);
	else
		why_set(ret_why, "%.*s", (int)len, line);
}

/* What a connection is asked to be, once. */
typedef struct Attempt {
	const char *sslmode;
	const char *channel_binding, *require_auth; /* NULL: as libpq has it */
	bool gate;
	bool try_without_tls; /* set: it was TLS that failed, or the server does not let us in with it */
} Attempt;

/* libpq, or the gate, did not answer. */
static int kept_password(Why *ret_why)
{
	why_set(ret_why, "the server wants the password in clear text, which is given to one with "
			 "db_tls = \"verify\" or a db_socket alone");
	return -EACCES;
}

static int not_connected(
	Connection *connection, ConnStatusType stage, Attempt *attempt, Why *ret_why)
{
	const Api *api = &connection->api;
	const char *message = api->PQerrorMessage(connection->pg);
	Span sqlstate = find_sqlstate(message);

	say_attempt(message, ret_why);
	if (sqlstate.data) {
		/* invalid authorization, but not a wrong password: its rules may want it without TLS */
		attempt->try_without_tls = strncmp(sqlstate.data, "28000", 5) == 0;
		return judge(sqlstate.data);
	}
	if (attempt->require_auth && strstr(message, attempt->require_auth))
		return kept_password(ret_why);
	if (attempt->channel_binding && strstr(message, "hannel binding")) {
		why_set(ret_why,
			"libpq %d keeps the password from others over TLS by scram-sha-256 alone, "
			"which the server doesn't do; libpq 16, db_tls = \"verify\" or a db_socket "
			"can do without",
			api->PQlibVersion() / 10000);
		return -EACCES;
	}
	if (api->PQconnectionNeedsPassword(connection->pg))
		return -EACCES;
	/* In the middle of the greetings a server may end, too. */
	if (stage == CONNECTION_SSL_STARTUP && !strstr(message, "server closed the connection") &&
		!strstr(message, "onnection reset")) {
		attempt->try_without_tls = true;
		return -EACCES;
	}
	return SINK_AWAY;
}

/* ---- waiting ----------------------------------------------------------------------------------- */

enum { TIMED_OUT = 2 };

/* Until the socket has one of the events; 0, TIMED_OUT or -errno. */
static int wait_for(const Connection *connection, short events, uint64_t until_ms)
{
	struct pollfd fd = {.fd = connection->api.PQsocket(connection->pg), .events = events};
	int r;

	do {
		uint64_t now = sink_now_ms();

		if (now >= until_ms)
			return TIMED_OUT;
		r = poll(&fd, 1, (int)MIN(until_ms - now, (uint64_t)3600000));
	} while (!r || (r < 0 && errno == EINTR));
	return r < 0 ? -errno : 0;
}

/* Waits for the server's next words; 0 or SINK_AWAY. */
static int hear(Connection *connection, short events, unsigned wait_ms, Why *ret_why)
{
	int r = wait_for(connection, events, sink_now_ms() + wait_ms);

	if (r == TIMED_OUT)
		return out_of_time(connection, ret_why);
	/* Errors of the socket are libpq's to tell. */
	return connection->api.PQconsumeInput(connection->pg) ? 0 : lost(connection, ret_why);
}

/* ---- statements -------------------------------------------------------------------------------- */

typedef struct Answer {
	SinkRow *row; /* NULL: rows are of no interest */
	void *userdata;
	unsigned wait_ms;
	int result; /* the first that went wrong */
} Answer;

static int send_statement(
	Connection *connection, const char *statement, const Answer *answer, Why *ret_why)
{
	const Api *api = &connection->api;
	int r;

	if (connection->lost) {
		why_set(ret_why, "the connection was lost");
		return SINK_AWAY;
	}
	if (!api->PQsendQuery(connection->pg, statement))
		return lost(connection, ret_why);
	if (answer->row)
		(void)api->PQsetSingleRowMode(connection->pg);
	/* The server may have something to say before it has heard all. */
	while ((r = api->PQflush(connection->pg)) == 1) {
		r = hear(connection, POLLIN | POLLOUT, answer->wait_ms, ret_why);
		if (r)
			return r;
	}
	return r < 0 ? lost(connection, ret_why) : 0;
}

static int take_rows(const Api *api, const PGresult *result, Answer *answer)
{
	int count = api->PQnfields(result), rows = api->PQntuples(result), r = 0;
	_cleanup_free_ const char **values = calloc((size_t)count + 1, sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (int row = 0; row < rows && !r; row++) {
		for (int i = 0; i < count; i++)
			values[i] = api->PQgetisnull(result, row, i)
					    ? NULL
					    : api->PQgetvalue(result, row, i);
		r = answer->row(answer->userdata, values, (size_t)count);
	}
	return r;
}

static int take_result(Connection *connection, const PGresult *result, Answer *answer, Why *ret_why)
{
	switch (connection->api.PQresultStatus(result)) {
	case PGRES_EMPTY_QUERY:
	case PGRES_COMMAND_OK: return 0;
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
		return answer->row ? take_rows(&connection->api, result, answer) : 0;
	case PGRES_NONFATAL_ERROR:
	case PGRES_FATAL_ERROR: return failed(connection, result, ret_why);
	default:
		/* COPY, which would want more of us. */
		connection->lost = true;
		why_set(ret_why,
			"the server does not answer the statement but begins something else");
		return -EBADMSG;
	}
}

/* Sends the statement and takes all that comes. */
static int run(Connection *connection, const char *statement, Answer *answer, Why *ret_why)
{
	const Api *api = &connection->api;
	int r = send_statement(connection, statement, answer, ret_why);

	while (!r && !connection->lost) {
		PGresult *result;

		while (!r && api->PQisBusy(connection->pg))
			r = hear(connection, POLLIN, answer->wait_ms, ret_why);
		if (r)
			break;
		result = api->PQgetResult(connection->pg);
		if (!result)
			break;
		if (!answer->result)
			answer->result = take_result(connection, result, answer, ret_why);
		api->PQclear(result);
	}
	if (!r && api->PQstatus(connection->pg) == CONNECTION_BAD) {
		connection->lost = true;
		/* Its last words are in *ret_why where it had any. */
		r = answer->result ? 0 : lost(connection, ret_why);
		if (!r)
			r = SINK_AWAY;
	}
	return r ? r : answer->result;
}

static int pgsql_execute(void *userdata, const char *statement, Why *ret_why)
{
	Connection *connection = userdata;

	return run(connection, statement, &(Answer){.wait_ms = connection->timeout_ms}, ret_why);
}

static int pgsql_query(
	void *userdata, const char *statement, SinkRow *row, void *row_userdata, Why *ret_why)
{
	Connection *connection = userdata;
	Answer answer = {.row = row, .userdata = row_userdata, .wait_ms = connection->timeout_ms};

	return run(connection, statement, &answer, ret_why);
}

/* ---- connecting -------------------------------------------------------------------------------- */

static void no_notices(void *userdata, const PGresult *result)
{
	(void)userdata, (void)result;
}

/* Waits for what libpq wants; 0, TIMED_OUT or -errno. */
static int wait_behind(
	const Connection *connection, SinkGate *gate, short events, uint64_t until_ms)
{
	int fd = connection->api.PQsocket(connection->pg), r;

	if (!sinkgate_guards(gate, fd))
		return wait_for(connection, events, until_ms);
	r = sinkgate_wait(gate, fd, events, until_ms);
	return r == SINK_GATE_TIMED_OUT ? TIMED_OUT : r;
}

/* The server's first word is what libpq waits for next, or it was the one that lets us in. */
static int move_gate(const Connection *connection, SinkGate *gate)
{
	int fd = connection->api.PQsocket(connection->pg);

	if (sinkgate_guards(gate, fd))
		return sinkgate_open(gate, fd);
	if (connection->api.PQstatus(connection->pg) == CONNECTION_AWAITING_RESPONSE)
		return sinkgate_close(gate, fd);
	return 0;
}

static int follow_connection(Connection *connection, Attempt *attempt, Why *ret_why)
{
	const Api *api = &connection->api;
	_cleanup_(sinkgate_done) SinkGate gate = SINK_GATE_INIT;
	unsigned wait_ms = MIN(connection->timeout_ms, (unsigned)SINK_CONNECT_S * 1000);
	uint64_t until_ms = sink_now_ms() + wait_ms;
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	ConnStatusType stage = api->PQstatus(connection->pg);
	int r;

	/* With its code, which tells apart what the words of many languages say. */
	(void)api->PQsetErrorVerbosity(connection->pg, PQERRORS_VERBOSE);
	if (stage == CONNECTION_BAD)
		next = PGRES_POLLING_FAILED;
	while (next != PGRES_POLLING_OK) {
		if (next == PGRES_POLLING_FAILED)
			return not_connected(connection, stage, attempt, ret_why);
		r = wait_behind(connection, &gate, next == PGRES_POLLING_READING ? POLLIN : POLLOUT,
			until_ms);
		if (r == TIMED_OUT) {
			why_set(ret_why, "no connection after %u s", wait_ms / 1000);
			return SINK_AWAY;
		}
		if (r == -EACCES)
			return kept_password(ret_why);
		if (r < 0)
			return r;
		stage = api->PQstatus(connection->pg);
		next = api->PQconnectPoll(connection->pg);
		if (attempt->gate && next == PGRES_POLLING_READING)
			r = move_gate(connection, &gate);
		if (r < 0)
			return r;
	}
	(void)api->PQsetNoticeReceiver(connection->pg, no_notices, NULL);
	return api->PQsetnonblocking(connection->pg, 1) < 0 ? lost(connection, ret_why) : 0;
}

static int connect_once(Connection *connection, const SinkOptions *options, const char *password,
	Attempt *attempt, Why *ret_why)
{
	const char *host = sink_given(options->socket) ? options->socket : options->host;
	const char *trusted = NULL;
	char port[16] = "", idle[16], interval[16], count[16], unheard[16];
	int r = options->tls == SINK_TLS_VERIFY ? sink_trusted(options, &trusted, ret_why) : 0;

	if (r < 0)
		return r;
	if (options->port)
		(void)snprintf(port, sizeof(port), "%u", options->port);
	(void)snprintf(idle, sizeof(idle), "%d", SINK_KEEPALIVE_IDLE_S);
	(void)snprintf(interval, sizeof(interval), "%d", SINK_KEEPALIVE_INTERVAL_S);
	(void)snprintf(count, sizeof(count), "%d", SINK_KEEPALIVE_COUNT);
	(void)snprintf(unheard, sizeof(unheard), "%d", SINK_UNHEARD_S * 1000);

	/* An empty value is as none. */
	const char *const names[] = {"host", "port", "dbname", "user", "password", "sslmode",
		"sslrootcert", "channel_binding", "require_auth", "gssencmode", "client_encoding",
		"application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", NULL};
	const char *const values[] = {host, port, options->name, options->user, password,
		attempt->sslmode, trusted, attempt->channel_binding, attempt->require_auth,
		"disable", "UTF8", "maillogsentinel", idle, interval, count, unheard, NULL};

	disconnect(connection);
	connection->pg = connection->api.PQconnectStartParams(names, values, 0);
	if (!connection->pg)
		return -ENOMEM;
	return follow_connection(connection, attempt, ret_why);
}

/* A host that is a path is a socket's, too. */
static bool by_tcp(const SinkOptions *options)
{
	return !sink_given(options->socket) && sink_given(options->host) && *options->host != '/' &&
	       *options->host != '@';
}

/*
 * A server that is not verified may be anybody, and is not given the password as it is. libpq 16 can be told so. Before, it can be told to log in by
 * nothing but SCRAM that is bound to the TLS of this connection, which nobody in between can pass on; without TLS the gate sees what is asked for.
 */
static int start(Connection *connection, const SinkOptions *options, Why *ret_why)
{
	static const char *const tls[] = {
		[SINK_TLS_OFF] = "disable",
		[SINK_TLS_PREFER] = "prefer",
		[SINK_TLS_REQUIRE] = "require",
		[SINK_TLS_VERIFY] = "verify-full",
	};
	_cleanup_(sink_password_freep) char *password = NULL;
	Attempt attempt = {.sslmode = tls[options->tls]};
	int r = sink_password_dup(options, &password, ret_why);

	if (r < 0)
		return r;
	if (!password || options->tls == SINK_TLS_VERIFY || !by_tcp(options))
		return connect_once(connection, options, password, &attempt, ret_why);
	if (connection->api.PQlibVersion() >= 160000) {
		attempt.require_auth = "!password";
		return connect_once(connection, options, password, &attempt, ret_why);
	}
	if (options->tls != SINK_TLS_OFF) {
		attempt = (Attempt){.sslmode = "require", .channel_binding = "require"};
		r = connect_once(connection, options, password, &attempt, ret_why);
		if (!r || !attempt.try_without_tls || options->tls == SINK_TLS_REQUIRE)
			return r;
	}
	attempt = (Attempt){.sslmode = "disable", .gate = true};
	return connect_once(connection, options, password, &attempt, ret_why);
}

/* Text goes in as UTF-8, and all of it must come out again. */
static int check_encoding(const Connection *connection, const SinkOptions *options, Why *ret_why)
{
	const Api *api = &connection->api;
	const char *server = api->PQparameterStatus(connection->pg, "server_encoding");
	const char *client = api->PQparameterStatus(connection->pg, "client_encoding");

	if (server && strcmp(server, "UTF8") != 0) {
		why_set(ret_why,
			"the database %s holds text as %s; it must be made anew with ENCODING "
			"'UTF8'",
			options->name, server);
		return -EINVAL;
	}
	if (client && strcmp(client, "UTF8") != 0) {
		why_set(ret_why, "the server takes text as %s alone, not as UTF8", client);
		return -EINVAL;
	}
	return 0;
}

static unsigned lock_ms(const Connection *connection)
{
	return MIN(connection->timeout_ms, (unsigned)SINK_LOCK_S * 1000);
}

/*
 * A host that goes away in the middle of a transaction must not hold its locks for hours; an index may take longer than a question of the
 * administrator's other users. Servers that speak PostgreSQL's protocol may
 * lack a setting, or the table of them: it is no condition of ours.
 */
static int settle(Connection *connection, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf statement = STRBUF_INIT;
	Why why;
	int r;

	strbuf_appendf(&statement,
		"SELECT pg_catalog.set_config(s.name, v.value, false) FROM pg_catalog.pg_settings "
		"s JOIN ("
		"VALUES ('lock_timeout', '%ums'), ('statement_timeout', '0'), "
		"('idle_in_transaction_session_timeout', '%us'), "
		"('client_connection_check_interval', '5s'), ('tcp_keepalives_idle', '60'), "
		"('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '6')) v (name, value) "
		"ON v.name = s.name",
		lock_ms(connection), (unsigned)SINK_IDLE_S);
	if (strbuf_error(&statement))
		return strbuf_error(&statement);
	r = pgsql_execute(connection, strbuf_text(&statement), &why);
	if (r != SINK_AWAY || !connection->lost)
		return 0;
	why_set(ret_why, "%s", why.text);
	return r;
}

static int pgsql_open(const SinkOptions *options, void **ret_connection, Why *ret_why)
{
	_cleanup_(connection_freep) Connection *connection = calloc(1, sizeof(*connection));
	int r;

	if (!connection)
		return -ENOMEM;
	connection->timeout_ms = options->timeout_ms;
	r = load(&connection->api, ret_why);
	if (!r)
		r = start(connection, options, ret_why);
	if (!r)
		r = check_encoding(connection, options, ret_why);
	if (!r)
		r = settle(connection, ret_why);
	if (!r)
		*ret_connection = TAKE(connection);
	return r;
}

/* ---- locks ------------------------------------------------------------------------------------- */

static int executef(Connection *connection, unsigned wait_ms, Why *ret_why, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static int executef(Connection *connection, unsigned wait_ms, Why *ret_why, const char *fmt, ...)
{
	char statement[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(statement, sizeof(statement), fmt, ap);
	va_end(ap);
	return run(connection, statement, &(Answer){.wait_ms = wait_ms}, ret_why);
}

static int pgsql_lock(void *userdata, const char *name, unsigned wait_ms, Why *ret_why)
{
	Connection *connection = userdata;
	/* Such locks are the database's; the number is for all who lock there. */
	int64_t key = (int64_t)digest_bytes(name, strlen(name));
	Why why;
	int r, back;

	/* 0 would be for ever. */
	r = executef(connection, connection->timeout_ms, ret_why, "SET lock_timeout = '%ums'",
		MAX(wait_ms, 1U));
	if (r == SINK_AWAY)
		return r;
	r = executef(connection, wait_ms + connection->timeout_ms, &why,
		"SELECT pg_catalog.pg_advisory_lock(%" PRId64 ")", key);
	if (r && connection->lost) {
		why_set(ret_why, "%s", why.text);
		return r;
	}
	back = executef(connection, connection->timeout_ms, ret_why, "SET lock_timeout = '%ums'",
		lock_ms(connection));
	if (back == SINK_AWAY)
		return back;
	/* Some that speak PostgreSQL's protocol have no such locks; the tables' keys hold without them. */
	if (r == -EBADMSG)
		return 0;
	if (r == SINK_AWAY)
		why_set(ret_why, "another has had the lock on the database for %u s",
			wait_ms / 1000);
	else if (r)
		why_set(ret_why, "%s", why.text);
	return r;
}

static int pgsql_unlock(void *userdata, Why *ret_why)
{
	Connection *connection = userdata;

	return executef(connection, connection->timeout_ms, ret_why,
		"SELECT pg_catalog.pg_advisory_unlock_all()");
}

const SinkDriver sink_pgsql = {
	.open = pgsql_open,
	.close = pgsql_close,
	.execute = pgsql_execute,
	.query = pgsql_query,
	.lock = pgsql_lock,
	.unlock = pgsql_unlock,
};
