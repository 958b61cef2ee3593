/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The downloader against a server on loopback that does what servers do; addresses and checksum files by table. */

#include "fetch/download.h"
#include "fetch/sha256.h"
#include "fetch/url.h"
#include "scratch.h"
#include "tap.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static unsigned port;
static pid_t server;

/* ---- the server ------------------------------------------------------------------------------ */

static bool gone(int fd, int wait_ms)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN | POLLRDHUP};
	char byte;

	return poll(&readable, 1, wait_ms) > 0 && recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void say(int fd, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(int fd, const char *fmt, ...)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vappendf(&sb, fmt, ap);
	va_end(ap);
	(void)file_write_full(fd, strbuf_text(&sb), sb.len);
}

static void answer(int fd, const char *path, bool has_etag)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
	char chunk[1024];

	if (!strcmp(path, "/etag") && has_etag) {
		say(fd, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
	} else if (!strcmp(path, "/etag")) {
		say(fd,
			"%sETag: \"abc\"\r\nLast-Modified: Sat, 21 Nov 2026 23:30:00 GMT\r\n"
			"Content-Length: 5\r\n\r\nhello",
			ok);
	} else if (!strcmp(path, "/etag-hostile")) {
		say(fd, "%sETag: \"a\x1b[2J\"\r\nContent-Length: 5\r\n\r\nhello", ok);
	} else if (!strcmp(path, "/304")) {
		say(fd, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
	} else if (!strcmp(path, "/chunked")) {
		say(fd, "%sTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", ok);
	} else if (!strcmp(path, "/gzip")) {
		say(fd, "%sContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", ok);
	} else if (!strcmp(path, "/cut")) {
		say(fd, "%sContent-Length: 10\r\n\r\nhello", ok);
	} else if (!strcmp(path, "/cut-chunked")) {
		say(fd, "%sTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ok);
	} else if (!strcmp(path, "/large")) {
		say(fd, "%sContent-Length: 123456789\r\n\r\nhello", ok);
		(void)gone(fd, 10000);
	} else if (!strcmp(path, "/endless")) {
		memset(chunk, 'x', sizeof(chunk));
		say(fd, "%sTransfer-Encoding: chunked\r\n\r\n", ok);
		while (!gone(fd, 0)) {
			say(fd, "400\r\n");
			(void)file_write_full(fd, chunk, sizeof(chunk));
			say(fd, "\r\n");
		}
	} else if (!strcmp(path, "/redirect-endless")) {
		memset(chunk, 'x', sizeof(chunk));
		say(fd, "HTTP/1.1 302 Found\r\nLocation: /etag\r\nConnection: close\r\n\r\n");
		while (!gone(fd, 0))
			(void)file_write_full(fd, chunk, sizeof(chunk));
	} else if (!strcmp(path, "/headers")) {
		say(fd, "HTTP/1.1 200 OK\r\n");
		while (!gone(fd, 0))
			say(fd, "X-Header: %0900d\r\n", 1);
	} else if (!strcmp(path, "/stall")) {
		say(fd, "%sContent-Length: 10\r\n\r\nhello", ok);
		(void)gone(fd, 10000);
	} else if (!strcmp(path, "/trickle")) {
		say(fd, "%sContent-Length: 100000\r\n\r\n", ok);
		while (!gone(fd, 20))
			say(fd, "x");
	} else if (!strcmp(path, "/silent")) {
		(void)gone(fd, 10000);
	} else if (!strcmp(path, "/nothing")) {
	} else if (!strcmp(path, "/to-etag")) {
		say(fd, "HTTP/1.1 302 Found\r\nLocation: /etag\r\nContent-Length: 4\r\nETag: "
			"\"no\"\r\n"
			"Connection: close\r\n\r\nhere");
	} else if (!strcmp(path, "/loop")) {
		say(fd, "HTTP/1.1 301 Moved\r\nLocation: /loop\r\nContent-Length: 0\r\n"
			"Connection: close\r\n\r\n");
	} else if (!strcmp(path, "/nowhere")) {
		say(fd, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	} else if (!strncmp(path, "/to/", 4)) {
		say(fd,
			"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n"
			"Connection: close\r\n\r\n",
			path + 4);
	} else if (!strncmp(path, "/status/", 8)) {
		say(fd,
			"HTTP/1.1 %s \x1b[31mred\r\nContent-Length: 5\r\nConnection: "
			"close\r\n\r\nhello",
			path + 8);
	} else {
		say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	}
}

static void serve(int fd)
{
	char request[4096], path[256] = "";
	size_t len = 0;

	while (len < sizeof(request) - 1) {
		ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);

		if (n <= 0)
			return;
		len += (size_t)n;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n"))
			break;
	}
	if (sscanf(request, "GET %255s ", path) != 1)
		return;
	if (!strcmp(path, "/agent"))
		say(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s", request);
	else
		answer(fd, path, strstr(request, "If-None-Match: \"abc\"\r\n"));
}

static void start_server(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0);
	MUST(!bind(fd, (struct sockaddr *)&address, sizeof(address)) && !listen(fd, 16));
	MUST(!getsockname(fd, (struct sockaddr *)&address, &len));
	port = ntohs(address.sin_port);
	server = fork();
	MUST(server >= 0);
	if (server) {
		(void)close(fd);
		return;
	}
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0)
			continue;
		serve(client);
		(void)close(client);
	}
}

/* ---- downloads ------------------------------------------------------------------------------- */

typedef struct Case {
	const char *path; /* or a whole address */
	int result;
	const char *body; /* or a part of the reason */
	const char *etag;
	unsigned stall_ms, total_ms;
} Case;

static const Case cases[] = {
	{"/etag", 0, "hello", .etag = "\"other\""},
	{"/etag", DOWNLOAD_UNCHANGED, "", .etag = "\"abc\""},
	{"/304", -EIO, "HTTP 304"},
	{"/chunked", 0, "hello"},
	{"/gzip", 0, "hello"},
	{"/etag-hostile", 0, "hello"},
	{"/to-etag", 0, "hello"},
	{"/to//chunked", 0, "hello"},
	{"/to/ftp://127.0.0.1/x", -EIO, "redirects to ftp://127.0.0.1/x, which does not begin"},
	{"/to/file:///etc/passwd", -EIO, "redirects to file:///etc/passwd, which is not https"},
	{"/to/http://u@127.0.0.1/", -EIO, "holds a user name"},
	{"/loop", -EIO, "redirects more than 5 times"},
	{"/redirect-endless", -EFBIG, "answers without end"},
	{"/nowhere", -EIO, "HTTP 302"},
	{"/status/404", -EIO, "HTTP 404 (not found)"},
	{"/status/418", -EIO, "HTTP 418"},
	{"/status/503", -EIO, "HTTP 503 (not available now)"},
	{"/status/201", -EIO, "HTTP 201"},
	{"/status/206", -EIO, "HTTP 206"},
	{"/cut", -EIO, "broke off after 5 bytes"},
	{"/cut-chunked", -EIO, "broke off after 5 bytes"},
	{"/nothing", -EIO, "no answer"},
	{"/large", -EFBIG, "is larger than 1 MiB"},
	{"/endless", -EFBIG, "is larger than 1 MiB"},
	{"/headers", -EFBIG, "answers without end"},
	{"/stall", -ETIMEDOUT, "stalled (5 bytes", .stall_ms = 700},
	{"/trickle", -ETIMEDOUT, "stalled (", .stall_ms = 700},
	{"/silent", -ETIMEDOUT, "stalled (0 bytes", .stall_ms = 700},
	{"/trickle", -ETIMEDOUT, "not done after 1 s", .total_ms = 1000},
	{"/stall", -ETIMEDOUT, "not done after 1 s", .total_ms = 1000},
	{"http://127.0.0.1:1/", -EIO, "no connection: Connection refused"},
	{"file:///dev/null/x", -ENOTDIR, "Not a directory"},
	{"file:///dev/zero", -EINVAL, "not a regular file"},
	{"file:///fifo", -ENOENT, "No such file"},
	{"file:///%2", -EINVAL, "a % without two digits"},
	{"file:///%00", -EINVAL, "a % without two digits"},
};

static int fetch(Downloader *downloader, const Case *row, int fd, Download *ret_got, Why *ret_why)
{
	char url[300];
	DownloadRequest request = {
		.url = url,
		.etag = row->etag,
		.fd = fd,
		.size_max = 1 << 20,
		.connect_ms = 5000,
		.stall_ms = row->stall_ms ? row->stall_ms : 5000,
		.total_ms = row->total_ms ? row->total_ms : 8000,
	};

	if (*row->path == '/')
		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, row->path);
	else
		(void)snprintf(url, sizeof(url), "%s", row->path);
	return downloader_fetch(downloader, &request, ret_got, ret_why);
}

static void test_downloads(Downloader *downloader)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = open("got", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;
		_cleanup_strbuf_ StrBuf body = STRBUF_INIT;
		Download got = {0};
		Why why = {""};
		bool right;

		MUST(fd >= 0);
		r = fetch(downloader, &cases[i], fd, &got, &why);
		(void)close(fd);
		body = scratch_read("got");
		right = r == cases[i].result;
		if (r < 0)
			right &= strstr(why.text, cases[i].body) != NULL;
		else
			right &= !strcmp(strbuf_text(&body), cases[i].body) &&
				 got.size_bytes == body.len;
		if (!tap_ok(right, "%s is %d: %s", cases[i].path, cases[i].result, cases[i].body))
			tap_note("got %d, %zu bytes: %s", r, body.len, why.text);
	}
}

static bool refuse(void *userdata, uint64_t done, uint64_t total)
{
	return false;
}

static void test_details(Downloader *downloader)
{
	int fd = open("got", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), full, r;
	_cleanup_strbuf_ StrBuf body = STRBUF_INIT;
	char url[300];
	DownloadRequest request = {
		.url = url,
		.fd = fd,
		.size_max = 100,
		.connect_ms = 5000,
		.stall_ms = 5000,
		.total_ms = 8000,
	};
	Download got;
	Why why = {""};

	MUST(fd >= 0);
	tap_ok(!fetch(downloader, &(Case){"/etag"}, fd, &got, &why) &&
			!strcmp(got.etag, "\"abc\"") && got.modified_s == 1795303800,
		"etag and time of the file are those that the server says");
	tap_ok(!fetch(downloader, &(Case){"/to-etag"}, fd, &got, &why) &&
			!strcmp(got.etag, "\"abc\""),
		"and not those of a redirect");
	tap_ok(!fetch(downloader, &(Case){"/etag-hostile"}, fd, &got, &why) && !*got.etag &&
			!got.modified_s,
		"an etag with control bytes is none");
	MUST(!ftruncate(fd, 0) && !lseek(fd, 0, SEEK_SET));
	r = fetch(downloader, &(Case){"/agent"}, fd, &got, &why);
	body = scratch_read("got");
	tap_ok(!r && strstr(body.data, "\r\nUser-Agent: MailLogSentinel/") &&
			!strcasestr(body.data, "accept-encoding"),
		"the program says who asks, and asks for no encoding");
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	MUST(full >= 0);
	r = fetch(downloader, &(Case){"/chunked"}, full, &got, &why);
	tap_ok(r == -ENOSPC && strstr(why.text, "No space left"), "a full disk is said");
	(void)close(full);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/stall", port);
	request.progress = refuse;
	tap_ok(downloader_fetch(downloader, &request, &got, &why) == -ECANCELED,
		"who asks may end it");
	request.progress = NULL;
	(void)snprintf(url, sizeof(url), "file://%.200s/te%%78t", scratch_root);
	scratch_text("text", "hello");
	MUST(!ftruncate(fd, 0) && !lseek(fd, 0, SEEK_SET));
	r = downloader_fetch(downloader, &request, &got, &why);
	tap_ok(!r && scratch_holds("got", "hello", 5) && got.modified_s > 1700000000,
		"a file is fetched from the disk");
	(void)close(fd);
}

/* ---- addresses, checksums -------------------------------------------------------------------- */

static void test_urls(void)
{
	static const struct {
		const char *url, *name; /* NULL: refused */
	} rows[] = {
		{"https://example.org/a/b.mmdb", "b.mmdb"},
		{"HTTPS://example.org/a/b.csv?x=/y#z", "b.csv"},
		{"http://[::1]:8080/", ""},
		{"http://127.0.0.1:1/x", "x"},
		{"https://example.org", "example.org"},
		{"file:///x", "x"},
		{"file://host/x", NULL},
		{"file:///", NULL},
		{"ftp://example.org/x", NULL},
		{"/etc/passwd", NULL},
		{"", NULL},
		{"https://", NULL},
		{"https:///x", NULL},
		{"https://:80/x", NULL},
		{"https://h:/x", NULL},
		{"https://h:0/x", NULL},
		{"https://h:65536/x", NULL},
		{"https://[::1/x", NULL},
		{"https://[::1]x/", NULL},
		{"https://u:p@h/x", NULL},
		{"https://h/a b", NULL},
		{"https://h/\n", NULL},
		{"https://h/\x1b[2J", NULL},
		{"https://h/\xc3\xa9", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		UrlScheme scheme;
		Why why = {""};
		int r = url_check(rows[i].url, &scheme, &why);

		tap_ok(rows[i].name
				? !r && span_equal_string(url_file_name(rows[i].url), rows[i].name)
				: r == -EINVAL && *why.text,
			"row %zu of the addresses is %s", i, rows[i].name ? "right" : "refused");
	}
}

#define SUM_A "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define SUM_B "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7"

static void test_checksums(void)
{
	static const struct {
		const char *text, *sum; /* NULL: refused */
	} rows[] = {
		{SUM_A "  x.mmdb\n", SUM_A},
		{SUM_A " *x.mmdb\n", SUM_A},
		{SUM_A, SUM_A},
		{SUM_A "\r\n\r\n", SUM_A},
		{SUM_A "  other\n", SUM_A},
		{SUM_B "  other\n" SUM_A "  ./dist/x.mmdb\n", SUM_A},
		{SUM_B "  other\n" SUM_A "  yx.mmdb\n", NULL},
		{"2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824  x.mmdb", SUM_A},
		{"", NULL},
		{"\n", NULL},
		{"<html>", NULL},
		{"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b982", NULL},
		{SUM_A "0  x.mmdb\n", NULL},
		{"g" SUM_A, NULL},
	};
	char sum[SHA256_TEXT_SIZE];
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Why why = {""};
		int r = sha256_find(
			span_from_string(rows[i].text), SPAN_LITERAL("x.mmdb"), sum, &why);

		tap_ok(rows[i].sum ? !r && !strcmp(sum, rows[i].sum) : r == -EBADMSG && *why.text,
			"row %zu of the checksum files is %s", i,
			rows[i].sum ? "found" : "refused");
	}
	scratch_text("text", "hello");
	fd = open("text", O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	tap_ok(!sha256_of_file(fd, sum) && !strcmp(sum, SUM_A), "SHA-256 of a file");
	(void)close(fd);
}

int main(void)
{
	static const char *const unwanted[] = {"http_proxy", "https_proxy", "all_proxy",
		"HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"};
	Downloader *downloader = NULL;

	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(unwanted); i++)
		(void)unsetenv(unwanted[i]);
	scratch_enter();
	test_urls();
	test_checksums();
	start_server();
	if (tap_ok(!downloader_new(&downloader), "a downloader")) {
		test_downloads(downloader);
		test_details(downloader);
	}
	downloader_free(downloader);
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	return tap_done();
}
