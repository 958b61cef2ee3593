/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/smtp-connection.h"

#include "base/library.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "report/patience.h"

/* CURLOPT_PROTOCOLS works with every libcurl, the one that replaces it does not. */
#define CURL_DISABLE_DEPRECATION
#include <arpa/inet.h>
#include <curl/curl.h>
#include <poll.h>
#include <stdarg.h>
#include <strings.h>

#define BUFFER_SIZE ((size_t)4096)      /* and the longest line */
#define ANSWER_MAX ((size_t)1024)       /* of one, kept for people */
#define ANSWERS_MAX ((size_t)64 * 1024) /* of all until we are let in */

#define API(name) __typeof__(&curl_##name) name

typedef struct Api {
	API(global_init);
	API(global_cleanup);
	API(easy_init);
	API(easy_cleanup);
	API(easy_reset);
	API(easy_setopt);
	API(easy_perform);
	API(easy_getinfo);
	API(easy_strerror);
	API(easy_send);
	API(easy_recv);
} Api;

struct SmtpConnection {
	Api api;
	const SmtpLogin *login; /* while it is opened */
	bool ready;             /* global_init was done */
	CURL *easy;
	curl_socket_t fd;
	/* while it is opened */
	char error[CURL_ERROR_SIZE];
	uint64_t started_ms, heard_ms;
	size_t heard_bytes;
	StrBuf answer; /* the last one, its lines joined by blanks */
	bool answer_ended;
	bool only_this_host; /* what is sent is not for other eyes and has no TLS */
	int failed;          /* what a callback ended it with; why has the words */
	Why why;
	/* the service extension */
	bool has_size;
	uint64_t size_max;
	/* what came and was not read */
	size_t start, end;
	char buffer[BUFFER_SIZE];
};

static int load(Api *api, Why *ret_why)
{
	const LibraryFunction functions[] = {
		{"curl_global_init", &api->global_init},
		{"curl_global_cleanup", &api->global_cleanup},
		{"curl_easy_init", &api->easy_init},
		{"curl_easy_cleanup", &api->easy_cleanup},
		{"curl_easy_reset", &api->easy_reset},
		{"curl_easy_setopt", &api->easy_setopt},
		{"curl_easy_perform", &api->easy_perform},
		{"curl_easy_getinfo", &api->easy_getinfo},
		{"curl_easy_strerror", &api->easy_strerror},
		{"curl_easy_send", &api->easy_send},
		{"curl_easy_recv", &api->easy_recv},
	};

	return library_load(&library_curl, functions, ARRAY_SIZE(functions), "SMTP needs", ret_why);
}

/* ---- what libcurl calls ---------------------------------------------------------------------- */

static int stop(SmtpConnection *connection, int error, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int stop(SmtpConnection *connection, int error, const char *fmt, ...)
{
	va_list ap;

	connection->failed = error;
	va_start(ap, fmt);
	(void)vsnprintf(connection->why.text, sizeof(connection->why.text), fmt, ap);
	va_end(ap);
	return error;
}

static void note_extension(SmtpConnection *connection, Span line)
{
	static const char size[] = "250-SIZE";

	if (line.len < strlen(size) || strncasecmp(line.data + 4, size + 4, 4) != 0)
		return;
	line.data += strlen(size);
	line.len -= strlen(size);
	if (line.len && *line.data != ' ')
		return;
	connection->has_size = true;
	if (!line.len || number_parse_u64((Span){line.data + 1, line.len - 1}, UINT64_MAX,
				 &connection->size_max))
		connection->size_max = 0;
}

/* Each line of each answer. */
static size_t on_line(char *data, size_t size, size_t count, void *userdata)
{
	SmtpConnection *connection = userdata;
	Span line = {data, size * count};

	connection->heard_ms = patience_now_ms();
	connection->heard_bytes += line.len;
	if (connection->heard_bytes > ANSWERS_MAX) {
		(void)stop(connection, -EMSGSIZE, "the server talks without end");
		return 0;
	}
	while (line.len && strchr("\r\n", line.data[line.len - 1]))
		line.len--;
	if (connection->answer_ended) {
		strbuf_reset(&connection->answer);
		/* EHLO after STARTTLS counts alone. */
		connection->has_size = false;
	}
	connection->answer_ended = line.len < 4 || line.data[3] != '-';
	if (span_starts_with(line, "250") && line.len > 4)
		note_extension(connection, line);
	if (connection->answer.len + line.len < ANSWER_MAX) {
		if (connection->answer.len)
			strbuf_append_char(&connection->answer, ' ');
		strbuf_append_span(&connection->answer, line);
	}
	return size * count;
}

static size_t on_data(char *data, size_t size, size_t count, void *userdata)
{
	(void)data, (void)userdata;
	return size * count;
}

static int on_progress(void *userdata, curl_off_t total, curl_off_t done, curl_off_t upload_total,
	curl_off_t upload_done)
{
	SmtpConnection *connection = userdata;
	const SmtpLogin *login = connection->login;
	uint64_t now = patience_now_ms();
	curl_off_t connected_us = 0;

	(void)total, (void)done, (void)upload_total, (void)upload_done;
	if (patience_interrupted())
		return stop(connection, -EINTR, "interrupted");
	if (now >= login->until_ms)
		return stop(connection, -ETIMEDOUT, "not done in time");
	(void)connection->api.easy_getinfo(
		connection->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
	if (!connected_us && now - connection->started_ms >= login->connect_ms)
		return stop(connection, -ETIMEDOUT, "no connection after %u s",
			login->connect_ms / 1000);
	if (now - connection->heard_ms >= login->answer_ms)
		return stop(connection, -ETIMEDOUT, "the server has said nothing for %u s",
			login->answer_ms / 1000);
	return 0;
}

static bool is_this_host(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, address, sizeof(v4));
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, address, sizeof(v6));
		return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
	}
	return false;
}

/* "localhost" is a name, too, and may be anybody's. */
static curl_socket_t on_socket(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	SmtpConnection *connection = userdata;

	(void)purpose;
	if (connection->only_this_host && !is_this_host(&address->addr)) {
		(void)stop(connection, -EACCES,
			"the name of the host leads to another one, for which a password needs TLS "
			"(smtp+starttls://)");
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- opening it ------------------------------------------------------------------------------ */

/* Whether a server that we can't be sure of, or none at all, will do. */
static bool is_lenient(const SmtpLogin *login)
{
	return login->url->tls == SMTP_TLS_OFFERED && (!login->user || login->url->this_host);
}

static int make_url(const SmtpUrl *url, StrBuf *sb)
{
	strbuf_appendf(sb, "%s://%.*s:%u", url->tls == SMTP_TLS_FROM_START ? "smtps" : "smtp",
		(int)url->host.len, url->host.data, (unsigned)url->port);
	if (url->name.data)
		strbuf_appendf(sb, "/%.*s", (int)url->name.len, url->name.data);
	return strbuf_error(sb);
}

/* Until the first option that is refused. */
static CURLcode set_options(SmtpConnection *connection, const char *url, bool without_tls)
{
	const SmtpLogin *login = connection->login;
	const char *ca_file = getenv("SSL_CERT_FILE"), *ca_directory = getenv("SSL_CERT_DIR");
	uint64_t now = patience_now_ms();
	long left_ms = (long)(login->until_ms - MIN(now, login->until_ms - 1));
	bool lenient = is_lenient(login);
	long tls = without_tls ? CURLUSESSL_NONE : lenient ? CURLUSESSL_TRY : CURLUSESSL_ALL;
	CURLcode r = CURLE_OK;

#define SET(option, value)                                                  \
	do {                                                                \
		if (r == CURLE_OK)                                          \
			r = connection->api.easy_setopt(                    \
				connection->easy, CURLOPT_##option, value); \
	} while (0)
	SET(ERRORBUFFER, connection->error);
	SET(NOSIGNAL, 1L);
	SET(PROTOCOLS, (long)(CURLPROTO_SMTP | CURLPROTO_SMTPS));
	SET(URL, url);
	/* The environment's all_proxy is not meant for mail. */
	SET(PROXY, "");
	SET(CONNECT_ONLY, 1L);
	SET(USE_SSL, tls);
	SET(SSL_VERIFYPEER, lenient ? 0L : 1L);
	SET(SSL_VERIFYHOST, lenient ? 0L : 2L);
	if (ca_file && *ca_file)
		SET(CAINFO, ca_file);
	if (ca_directory && *ca_directory)
		SET(CAPATH, ca_directory);
	if (login->user) {
		SET(USERNAME, login->user);
		SET(PASSWORD, login->password);
	}
	SET(OPENSOCKETFUNCTION, on_socket);
	SET(OPENSOCKETDATA, connection);
	SET(HEADERFUNCTION, on_line);
	SET(HEADERDATA, connection);
	SET(WRITEFUNCTION, on_data);
	SET(XFERINFOFUNCTION, on_progress);
	SET(XFERINFODATA, connection);
	SET(NOPROGRESS, 0L);
	/* on_progress() has its own times, which these stay behind; they hold where it is not called. */
	SET(CONNECTTIMEOUT_MS, left_ms);
	SET(TIMEOUT_MS, left_ms);
	SET(SERVER_RESPONSE_TIMEOUT, (long)(login->answer_ms / 1000 + 60));
#undef SET
#if LIBCURL_VERSION_NUM >= 0x075700
	/* So that nobody waits for a resolver's thread that waits for dead name servers; older ones don't know it. */
	(void)connection->api.easy_setopt(connection->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	return r;
}

static const char *words_of(const SmtpConnection *connection, CURLcode code)
{
	return *connection->error ? connection->error : connection->api.easy_strerror(code);
}

static void say(SmtpConnection *connection, CURLcode code)
{
	const char *answer = strbuf_text(&connection->answer);
	Why *why = &connection->why;
	long os_error = 0;

	(void)connection->api.easy_getinfo(connection->easy, CURLINFO_OS_ERRNO, &os_error);
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST: why_set(why, "the host is not found"); break;
	case CURLE_COULDNT_CONNECT:
		why_set(why, "no connection: %s",
			os_error ? strerror((int)os_error) : words_of(connection, code));
		break;
	case CURLE_OPERATION_TIMEDOUT: why_set(why, "not done in time"); break;
	case CURLE_PEER_FAILED_VERIFICATION:
		why_set(why, "the server's certificate is not trusted (%s)",
			words_of(connection, code));
		break;
	case CURLE_SSL_CACERT_BADFILE:
		why_set(why, "the list of certificate authorities can't be read (%s)",
			words_of(connection, code));
		break;
	case CURLE_SSL_CONNECT_ERROR:
		why_set(why, "no secure connection (%s)", words_of(connection, code));
		break;
	case CURLE_USE_SSL_FAILED:
		why_set(why, "the server does not do STARTTLS, which is demanded (it says: %s)",
			answer);
		break;
	case CURLE_LOGIN_DENIED:
		why_set(why, "the server does not let the user in (it says: %s)", answer);
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		why_set(why, "the server has closed the connection%s%s",
			*answer ? "; its last answer: " : "", answer);
		break;
	default:
		why_set(why, "%s%s", *answer ? "the server says: " : "",
			*answer ? answer : words_of(connection, code));
		break;
	}
}

/* 0 or -errno, with the words in connection->why. */
static int dial(SmtpConnection *connection, const char *url, bool without_tls)
{
	CURLcode code;

	connection->api.easy_reset(connection->easy);
	*connection->error = '\0';
	connection->failed = 0;
	connection->heard_bytes = 0;
	connection->has_size = false;
	connection->answer_ended = true;
	strbuf_reset(&connection->answer);
	connection->only_this_host = connection->login->user && is_lenient(connection->login);
	connection->started_ms = connection->heard_ms = patience_now_ms();
	code = set_options(connection, url, without_tls);
	if (code == CURLE_OK)
		code = connection->api.easy_perform(connection->easy);
	if (code == CURLE_OK)
		code = connection->api.easy_getinfo(
			connection->easy, CURLINFO_ACTIVESOCKET, &connection->fd);
	if (code == CURLE_OK)
		return 0;
	if (connection->failed)
		return connection->failed;
	say(connection, code);
	/* What has no words of the server's may work without TLS. */
	return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_USE_SSL_FAILED ? -EPROTO
									       : -EHOSTUNREACH;
}

int smtp_connection_open(const SmtpLogin *login, SmtpConnection **ret_connection, Why *ret_why)
{
	_cleanup_(smtp_connection_freep) SmtpConnection *connection =
		calloc(1, sizeof(*connection));
	_cleanup_strbuf_ StrBuf url = STRBUF_INIT;
	int r;

	if (!connection || make_url(login->url, &url) < 0) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	r = load(&connection->api, ret_why);
	if (r < 0)
		return r;
	connection->login = login;
	connection->ready = !connection->api.global_init(CURL_GLOBAL_DEFAULT);
	if (connection->ready)
		connection->easy = connection->api.easy_init();
	if (!connection->easy) {
		why_set(ret_why, "libcurl does not start");
		return -ENOMEM;
	}
	r = dial(connection, strbuf_text(&url), false);
	if (r == -EPROTO && is_lenient(login))
		r = dial(connection, strbuf_text(&url), true);
	connection->login = NULL;
	if (r < 0) {
		why_set(ret_why, "%s", connection->why.text);
		return r;
	}
	*ret_connection = TAKE(connection);
	return 0;
}

void smtp_connection_free(SmtpConnection *connection)
{
	if (!connection)
		return;
	if (connection->easy)
		connection->api.easy_cleanup(connection->easy);
	if (connection->ready)
		connection->api.global_cleanup();
	strbuf_done(&connection->answer);
	free(connection);
}

bool smtp_connection_size(const SmtpConnection *connection, uint64_t *ret_max_bytes)
{
	if (connection->has_size)
		*ret_max_bytes = connection->size_max;
	return connection->has_size;
}

/* ---- talking --------------------------------------------------------------------------------- */

int smtp_connection_send(SmtpConnection *connection, const char *data, size_t len,
	unsigned stall_ms, uint64_t until_ms)
{
	while (len) {
		size_t sent = 0;
		CURLcode code = connection->api.easy_send(connection->easy, data, len, &sent);
		int r;

		if (code != CURLE_OK && code != CURLE_AGAIN)
			return -ECONNRESET;
		data += sent;
		len -= sent;
		if (code == CURLE_OK && sent)
			continue;
		r = patience_poll(
			connection->fd, POLLOUT, MIN(patience_now_ms() + stall_ms, until_ms));
		if (r < 0)
			return r;
	}
	return 0;
}

static int fill(SmtpConnection *connection, uint64_t until_ms)
{
	size_t room, n = 0;
	CURLcode code;

	if (connection->start) {
		memmove(connection->buffer, connection->buffer + connection->start,
			connection->end - connection->start);
		connection->end -= connection->start;
		connection->start = 0;
	}
	room = sizeof(connection->buffer) - connection->end;
	if (!room)
		return -EMSGSIZE;
	/* TLS may hold bytes back that the socket no longer has: read first, wait then. */
	for (;;) {
		int r;

		code = connection->api.easy_recv(
			connection->easy, connection->buffer + connection->end, room, &n);
		if (code != CURLE_AGAIN)
			break;
		r = patience_poll(connection->fd, POLLIN, until_ms);
		if (r < 0)
			return r;
	}
	if (code != CURLE_OK || !n)
		return -ECONNRESET;
	connection->end += n;
	return 0;
}

int smtp_connection_read_line(SmtpConnection *connection, uint64_t until_ms, Span *ret_line)
{
	for (;;) {
		const char *from = connection->buffer + connection->start;
		size_t n = connection->end - connection->start;
		const char *newline = memchr(from, '\n', n);
		int r;

		if (newline) {
			Span line = {from, (size_t)(newline - from)};

			connection->start += line.len + 1;
			while (line.len && line.data[line.len - 1] == '\r')
				line.len--;
			*ret_line = line;
			return 0;
		}
		r = fill(connection, until_ms);
		if (r < 0)
			return r;
	}
}
