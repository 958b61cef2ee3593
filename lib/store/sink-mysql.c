/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Before ours: its macros name functions that we have banned. */
#include <mysql.h>

#include "base/digest.h"
#include "base/library.h"
#include "base/strbuf.h"
#include "store/sink-driver.h"
#include "store/sink-server.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>

#define API(name) __typeof__(&(name)) name

typedef struct Api {
	API(mysql_close);
	API(mysql_errno);
	API(mysql_error);
	API(mysql_fetch_row);
	API(mysql_field_count);
	API(mysql_free_result);
	API(mysql_get_socket);
	API(mysql_get_ssl_cipher);
	API(mysql_init);
	API(mysql_num_fields);
	API(mysql_options);
	API(mysql_real_connect);
	API(mysql_real_query);
	API(mysql_server_end);
	API(mysql_use_result);
} Api;

#define PACKET_MAX ((unsigned long)1 << 30) /* the protocol's own */

typedef struct Connection {
	Api api;
	bool loaded;
	MYSQL *mysql;
	unsigned timeout_ms;
	uint64_t packet_max; /* bytes of a statement that the server takes */
	uint64_t database;   /* which of the server's it is, for locks, which are the server's */
	char lock[64];       /* "" while it holds none */
} Connection;

static int load(Api *api, Why *ret_why)
{
	static const Library library = {
		.name = "libmariadb",
		.packages = "package libmariadb3, on some systems mariadb-connector-c",
		.sonames = {"libmariadb.so.3"},
	};
#define FUNCTION(name)            \
	{                         \
#name, &api->name \
	}
	const LibraryFunction functions[] = {
		FUNCTION(mysql_close),
		FUNCTION(mysql_errno),
		FUNCTION(mysql_error),
		FUNCTION(mysql_fetch_row),
		FUNCTION(mysql_field_count),
		FUNCTION(mysql_free_result),
		FUNCTION(mysql_get_socket),
		FUNCTION(mysql_get_ssl_cipher),
		FUNCTION(mysql_init),
		FUNCTION(mysql_num_fields),
		FUNCTION(mysql_options),
		FUNCTION(mysql_real_connect),
		FUNCTION(mysql_real_query),
		FUNCTION(mysql_server_end),
		FUNCTION(mysql_use_result),
	};
#undef FUNCTION

	return library_load(
		&library, functions, ARRAY_SIZE(functions), "MariaDB and MySQL need", ret_why);
}

static void disconnect(Connection *connection)
{
	if (connection->mysql)
		connection->api.mysql_close(connection->mysql);
	connection->mysql = NULL;
}

static void mysql_sink_close(void *userdata)
{
	Connection *connection = userdata;

	disconnect(connection);
	if (connection->loaded)
		connection->api.mysql_server_end();
	free(connection);
}
DEFINE_CLEANUP(Connection *, connection_freep, mysql_sink_close)

/* ---- what went wrong --------------------------------------------------------------------------- */

/* The client library's numbers are in errmsg.h, the servers' in the manuals of MariaDB and MySQL. */
enum {
	CLIENT_FIRST = 2000,
	CLIENT_NO_MEMORY = 2008,
	CLIENT_PACKET_TOO_LARGE = 2020,
	CLIENT_TLS = 2026,
	CLIENT_AUTH_PLUGIN = 2059,
	CLIENT_AUTH_PLUGIN_ERROR = 2061,
	CLIENT_LAST = 2999,
	CLIENT_AUTH_NOT_ALLOWED = 5010,
	SERVER_PACKET_TOO_LARGE = 1153,
};

static int judge_server(unsigned number)
{
	switch (number) {
	case 1040: /* too many connections */
	case 1047: /* a node of a cluster that is not ready */
	case 1053: /* server shutdown */
	case 1077:
	case 1079:
	case 1080: /* likewise */
	case 1152:
	case 1158:
	case 1159:
	case 1160:
	case 1161:
	case 1184: /* the network */
	case 1203:
	case 1226: /* too many connections of this user */
	case 1205: /* lock wait timeout */
	case 1213: /* deadlock */
	case 1317: /* query interrupted */
	case 1927: /* connection killed */
	case 1969:
	case 3024: /* statement timeout, MariaDB's and MySQL's */
	case 3058: /* deadlock of GET_LOCK() */
	case 4031: /* idle for too long */ return SINK_AWAY;
	case 1044:
	case 1045:
	case 1698: /* access denied */
	case 1129:
	case 1130: /* this host is not allowed */
	case 1142:
	case 1143:
	case 1227:
	case 1251: /* an authentication that we don't know */
	case 1370:
	case 1396:
	case 1820:
	case 1862: /* the password has expired */
	case 3118:
	case 4151: /* the account is locked */
	case 3159: /* only with TLS */ return -EACCES;
	case 1049: return -ENOENT; /* no such database */
	case 1021:
	case 1114: return -ENOSPC; /* disk or table full */
	case 1037:
	case 1038:
	case 1041: return -ENOMEM;
	case 1290:
	case 1792:
	case 1836: return -EROFS;
	case SERVER_PACKET_TOO_LARGE: return -EMSGSIZE;
	case 1004:
	case 1005:
	case 1016:
	case 1023:
	case 1026:
	case 1030:
	case 1034:
	case 1105:
	case 1194: return -EIO; /* files and tables of its own */
	default: return -EBADMSG;
	}
}

static int judge(unsigned number, const char *message)
{
	if (number < CLIENT_FIRST || number > CLIENT_LAST)
		/* What storage engines say of it has several numbers. */
		return strstr(message, strerror(ENOSPC)) ? -ENOSPC : judge_server(number);
	switch (number) {
	case CLIENT_NO_MEMORY: return -ENOMEM;
	case CLIENT_PACKET_TOO_LARGE: return -EMSGSIZE;
	case CLIENT_TLS:
	case CLIENT_AUTH_PLUGIN:
	case CLIENT_AUTH_PLUGIN_ERROR: return -EACCES;
	default: return SINK_AWAY;
	}
}

static int failed(const Connection *connection, Why *ret_why)
{
	unsigned number = connection->api.mysql_errno(connection->mysql);
	const char *message = connection->api.mysql_error(connection->mysql);
	const char *end = message + strlen(message), *open = strrchr(message, '(');
	char *after;
	unsigned long code = open ? strtoul(open + 1, &after, 10) : 0;
	bool numbered;

	if (number == CLIENT_AUTH_NOT_ALLOWED) {
		why_set(ret_why,
			"the server wants a login that may hand out the password, which is done "
			"with db_tls = \"verify\" or a db_socket alone");
		return -EACCES;
	}
	numbered = number >= CLIENT_FIRST && number <= CLIENT_LAST && code && code < 200 &&
		   after + 1 == end && *after == ')';
	/* "Can't connect to server on 'db.example.com' (111)", or (115), of a refusal too, which says nothing */
	if (numbered && code == EINPROGRESS)
		why_set(ret_why, "%.*s", (int)(open - message - 1), message);
	else if (numbered)
		why_set(ret_why, "%.*s(%s)", (int)(open - message), message, strerror((int)code));
	else
		why_set(ret_why, "%s", message);
	return judge(number, message);
}

/* ---- statements -------------------------------------------------------------------------------- */

static int take_rows(
	const Connection *connection, MYSQL_RES *result, SinkRow *row, void *userdata, Why *ret_why)
{
	const Api *api = &connection->api;
	unsigned count = api->mysql_num_fields(result);
	MYSQL_ROW values;
	int r = 0;

	while (!r && (values = api->mysql_fetch_row(result)))
		if (row)
			r = row(userdata, (const char *const *)values, count);
	if (!r && api->mysql_errno(connection->mysql))
		r = failed(connection, ret_why);
	return r;
}

static int run(const Connection *connection, const char *statement, SinkRow *row, void *userdata,
	Why *ret_why)
{
	const Api *api = &connection->api;
	size_t len = strlen(statement);
	MYSQL_RES *result;
	int r;

	/* The server would answer by breaking the connection off. */
	if (len >= connection->packet_max) {
		why_set(ret_why,
			"a statement has %zu bytes, and the server takes %" PRIu64
			" (its max_allowed_packet)",
			len, connection->packet_max);
		return -EMSGSIZE;
	}
	if (api->mysql_real_query(connection->mysql, statement, (unsigned long)len))
		return failed(connection, ret_why);
	result = api->mysql_use_result(connection->mysql);
	if (!result)
		return api->mysql_errno(connection->mysql) ? failed(connection, ret_why) : 0;
	r = take_rows(connection, result, row, userdata, ret_why);
	/* Rows that were not fetched are read and dropped. */
	api->mysql_free_result(result);
	return r;
}

static int mysql_sink_execute(void *userdata, const char *statement, Why *ret_why)
{
	return run(userdata, statement, NULL, NULL, ret_why);
}

static int mysql_sink_query(
	void *userdata, const char *statement, SinkRow *row, void *row_userdata, Why *ret_why)
{
	return run(userdata, statement, row, row_userdata, ret_why);
}

/* ---- connecting -------------------------------------------------------------------------------- */

/* NULL: by its socket. The library would take a host of that name else, "localhost" apart. */
static const char *server_host(const SinkOptions *options)
{
	return sink_given(options->socket) ? NULL : sink_given(options->host);
}

static unsigned seconds(unsigned ms)
{
	return MAX((ms + 999) / 1000, 1U);
}

/*
 * How TLS is asked for. Without its verification the library takes a server without TLS, too: connect_once() looks behind it. Newer ones verify
 * by default.
 */
static int set_tls(
	const Connection *connection, SinkTls tls, const SinkOptions *options, Why *ret_why)
{
	const Api *api = &connection->api;
	my_bool enforce = tls != SINK_TLS_OFF, verify = tls == SINK_TLS_VERIFY;
	const char *trusted = NULL;
	int r = verify ? sink_trusted(options, &trusted, ret_why) : 0;

	if (r < 0)
		return r;
	if (api->mysql_options(connection->mysql, MYSQL_OPT_SSL_ENFORCE, &enforce) ||
		api->mysql_options(connection->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify) ||
		(trusted && api->mysql_options(connection->mysql, MYSQL_OPT_SSL_CA, trusted)))
		return -ENOMEM;
	return 0;
}

static int set_options(const Connection *connection, const SinkOptions *options)
{
	const Api *api = &connection->api;
	unsigned wait_s = seconds(options->timeout_ms);
	unsigned connect_s = MIN(wait_s, (unsigned)SINK_CONNECT_S);
	unsigned protocol = server_host(options) ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
	unsigned no_files = 0;
	unsigned long packet_max = PACKET_MAX;
	my_bool no = 0;
	const struct {
		enum mysql_option option;
		const void *value;
	} all[] = {
		{MYSQL_OPT_CONNECT_TIMEOUT, &connect_s},
		{MYSQL_OPT_READ_TIMEOUT, &wait_s},
		{MYSQL_OPT_WRITE_TIMEOUT, &wait_s},
		{MYSQL_OPT_PROTOCOL, &protocol},
		{MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_max},
		{MYSQL_SET_CHARSET_NAME, "utf8mb4"},
		/* A server may ask for any file of ours else. */
		{MYSQL_OPT_LOCAL_INFILE, &no_files},
		/* A transaction can't go on in another connection. */
		{MYSQL_OPT_RECONNECT, &no},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (api->mysql_options(connection->mysql, all[i].option, all[i].value))
			return -ENOMEM;
	return 0;
}

/*
 * A server that is not verified may be anybody, and is not given the password as it is. These are the ways to log in that only prove to know it; the
 * others give it in clear text (mysql_clear_password, dialog), over TLS or under a key that the server may choose (sha256_password,
 * caching_sha2_password), or as good as that (mysql_old_password). The option's number is that of newer headers than one may have.
 */
static int keep_password(const Connection *connection, Why *ret_why)
{
	const enum mysql_option restricted_auth = (enum mysql_option)7026;

	if (!connection->api.mysql_options(connection->mysql, restricted_auth,
		    "mysql_native_password,client_ed25519,parsec"))
		return 0;
	why_set(ret_why, "this libmariadb can't keep the password from a server that is not "
			 "verified; one of 3.3 can, db_tls = \"verify\" or a db_socket does "
			 "without");
	return -EACCES;
}

/* The library has no option for it. A socket of this host knows of no TCP, and needs none of it. */
static void watch_host(const Connection *connection)
{
	const struct {
		int level, name, value;
	} all[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, SINK_KEEPALIVE_IDLE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, SINK_KEEPALIVE_INTERVAL_S},
		{IPPROTO_TCP, TCP_KEEPCNT, SINK_KEEPALIVE_COUNT},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, SINK_UNHEARD_S * 1000},
	};
	int fd = connection->api.mysql_get_socket(connection->mysql);

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		(void)setsockopt(
			fd, all[i].level, all[i].name, &all[i].value, sizeof(all[i].value));
}

/* The library would take the name of who logged in at the terminal, whose process it may not be. */
static const char *user_name(const SinkOptions *options)
{
	const struct passwd *user;

	if (sink_given(options->user))
		return options->user;
	user = getpwuid(geteuid());
	return user ? user->pw_name : NULL;
}

/* 0, or as sink_open(); *ret_tls_failed: it was TLS. */
static int connect_once(Connection *connection, SinkTls tls, const SinkOptions *options,
	const char *password, bool *ret_tls_failed, Why *ret_why)
{
	const Api *api = &connection->api;
	int r;

	*ret_tls_failed = false;
	connection->mysql = api->mysql_init(NULL);
	if (!connection->mysql)
		return -ENOMEM;
	r = set_options(connection, options);
	if (!r)
		r = set_tls(connection, tls, options, ret_why);
	if (!r && password && server_host(options) && tls != SINK_TLS_VERIFY)
		r = keep_password(connection, ret_why);
	if (r < 0)
		return r;
	if (!api->mysql_real_connect(connection->mysql, server_host(options), user_name(options),
		    password, options->name, options->port, sink_given(options->socket), 0)) {
		*ret_tls_failed = api->mysql_errno(connection->mysql) == CLIENT_TLS;
		return failed(connection, ret_why);
	}
	if ((tls == SINK_TLS_REQUIRE || tls == SINK_TLS_VERIFY) &&
		!api->mysql_get_ssl_cipher(connection->mysql)) {
		why_set(ret_why, "the server does not do TLS, which is demanded");
		return -EACCES;
	}
	return 0;
}

static int start(Connection *connection, const SinkOptions *options, Why *ret_why)
{
	_cleanup_(sink_password_freep) char *password = NULL;
	SinkTls tls = options->tls;
	bool tls_failed;
	int r = sink_password_dup(options, &password, ret_why);

	if (r < 0)
		return r;
	/* Nobody is in between, and no certificate is in a socket's name. */
	if (tls != SINK_TLS_OFF && !server_host(options))
		tls = SINK_TLS_PREFER;
	r = connect_once(connection, tls, options, password, &tls_failed, ret_why);
	if (r && tls == SINK_TLS_PREFER && tls_failed) {
		disconnect(connection);
		r = connect_once(connection, SINK_TLS_OFF, options, password, &tls_failed, ret_why);
	}
	return r;
}

static int take_answer(void *userdata, const char *const *values, size_t count)
{
	Connection *connection = userdata;

	if (count != 3 || !values[0] || !values[1] || !values[2])
		return -EBADMSG;
	connection->packet_max = strtoull(values[1], NULL, 10);
	connection->database = digest_bytes(values[2], strlen(values[2]));
	return strcmp(values[0], "utf8mb4") == 0 ? 0 : -EINVAL;
}

/*
 * Text goes in as UTF-8, errors are errors, answers are whole, an index takes its time, no other engine steps in for InnoDB; and a host
 * that goes away in the middle of a transaction must not hold its locks for hours.
 */
static int settle(Connection *connection, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf statement = STRBUF_INIT;
	unsigned wait_s = MIN(seconds(connection->timeout_ms), (unsigned)SINK_LOCK_S);
	int r;

	strbuf_appendf(&statement,
		"SET NAMES utf8mb4, SESSION autocommit = 1, "
		"SESSION sql_select_limit = 18446744073709551615, "
		"/*M! SESSION max_statement_time = 0, */ SESSION wait_timeout = %u, "
		"SESSION innodb_lock_wait_timeout = %u, SESSION lock_wait_timeout = %u, "
		"SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
		(unsigned)SINK_IDLE_S, wait_s, wait_s);
	if (strbuf_error(&statement))
		return strbuf_error(&statement);
	r = run(connection, strbuf_text(&statement), NULL, NULL, ret_why);
	if (r)
		return r;
	r = run(connection, "SELECT @@character_set_client, @@max_allowed_packet, DATABASE()",
		take_answer, connection, ret_why);
	if (r == -EINVAL)
		why_set(ret_why, "the server does not take text as utf8mb4");
	return r;
}

static int mysql_sink_open(const SinkOptions *options, void **ret_connection, Why *ret_why)
{
	_cleanup_(connection_freep) Connection *connection = calloc(1, sizeof(*connection));
	int r;

	if (!connection)
		return -ENOMEM;
	connection->timeout_ms = options->timeout_ms;
	connection->packet_max = PACKET_MAX;
	r = load(&connection->api, ret_why);
	if (r < 0)
		return r;
	connection->loaded = true;
	r = start(connection, options, ret_why);
	if (!r) {
		watch_host(connection);
		r = settle(connection, ret_why);
	}
	if (!r)
		*ret_connection = TAKE(connection);
	return r;
}

/* ---- locks ------------------------------------------------------------------------------------- */

static int take_flag(void *userdata, const char *const *values, size_t count)
{
	bool *flag = userdata;

	*flag = count == 1 && values[0] && strcmp(values[0], "1") == 0;
	return 0;
}

static int mysql_sink_lock(void *userdata, const char *name, unsigned wait_ms, Why *ret_why)
{
	Connection *connection = userdata;
	uint64_t until_ms = sink_now_ms() + wait_ms, now;
	bool got = false;
	char lock[64], statement[128];
	int r;

	/* Names are the server's, of 64 characters at most. */
	(void)snprintf(lock, sizeof(lock), "maillogsentinel.%016" PRIx64 "%016" PRIx64,
		connection->database, digest_bytes(name, strlen(name)));
	do {
		/* An answer must come before the connection's own time is over. */
		unsigned slice_s = MAX(connection->timeout_ms / 2000, 1U);

		now = sink_now_ms();
		slice_s = MIN(slice_s, (unsigned)((until_ms - MIN(now, until_ms) + 999) / 1000));
		(void)snprintf(
			statement, sizeof(statement), "SELECT GET_LOCK('%s', %u)", lock, slice_s);
		r = run(connection, statement, take_flag, &got, ret_why);
	} while (!r && !got && sink_now_ms() < until_ms);
	if (r)
		return r;
	if (!got) {
		why_set(ret_why, "another has had the lock on the database for %u s",
			wait_ms / 1000);
		return SINK_AWAY;
	}
	memcpy(connection->lock, lock, sizeof(connection->lock));
	return 0;
}

static int mysql_sink_unlock(void *userdata, Why *ret_why)
{
	Connection *connection = userdata;
	char statement[128];

	if (!*connection->lock)
		return 0;
	(void)snprintf(statement, sizeof(statement), "DO RELEASE_LOCK('%s')", connection->lock);
	*connection->lock = '\0';
	return run(connection, statement, NULL, NULL, ret_why);
}

const SinkDriver sink_mysql = {
	.open = mysql_sink_open,
	.close = mysql_sink_close,
	.execute = mysql_sink_execute,
	.query = mysql_sink_query,
	.lock = mysql_sink_lock,
	.unlock = mysql_sink_unlock,
};
