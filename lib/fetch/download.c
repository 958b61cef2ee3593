/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fetch/download.h"

#include "base/file.h"
#include "base/library.h"
#include "base/strbuf.h"
#include "build-config.h"
#include "fetch/download-disk.h"
#include "fetch/url.h"

/* CURLOPT_PROTOCOLS works with every libcurl, the one that replaces it does not. */
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <strings.h>

#define USER_AGENT "MailLogSentinel/" MLS_VERSION " (+https://github.com/monozoide/MailLogSentinel)"
#define HEADERS_MAX ((size_t)256 * 1024) /* bytes, of one answer */

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
	API(slist_append);
	API(slist_free_all);
} Api;

struct Downloader {
	Api api;
	bool ready; /* global_init was done */
	CURL *easy;
};

/* One request and its redirects. */
typedef struct Transfer {
	const Api *api;
	CURL *easy;
	const DownloadRequest *request;
	char error[CURL_ERROR_SIZE];
	Download got;
	size_t header_bytes; /* and those of a body that is not the file */
	uint64_t deadline_ms;
	uint64_t window_ms, window_bytes; /* of this hop: where its speed is measured from */
	int failed;                       /* what a callback ended it with; why has the words */
	Why why;
} Transfer;

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the library ------------------------------------------------------------------------------ */

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
		{"curl_slist_append", &api->slist_append},
		{"curl_slist_free_all", &api->slist_free_all},
	};

	return library_load(
		&library_curl, functions, ARRAY_SIZE(functions), "downloads need", ret_why);
}

int downloader_new(Downloader **ret_downloader)
{
	*ret_downloader = calloc(1, sizeof(**ret_downloader));
	return *ret_downloader ? 0 : -ENOMEM;
}

static int start(Downloader *downloader, Why *ret_why)
{
	int r = downloader->ready ? 0 : load(&downloader->api, ret_why);

	if (r < 0)
		return r;
	if (!downloader->ready)
		downloader->ready = !downloader->api.global_init(CURL_GLOBAL_DEFAULT);
	if (downloader->ready && !downloader->easy)
		downloader->easy = downloader->api.easy_init();
	if (downloader->easy)
		return 0;
	why_set(ret_why, "libcurl does not start");
	return -ENOMEM;
}

void downloader_free(Downloader *downloader)
{
	if (!downloader)
		return;
	if (downloader->easy)
		downloader->api.easy_cleanup(downloader->easy);
	if (downloader->ready)
		downloader->api.global_cleanup();
	free(downloader);
}

/* ---- what libcurl calls ------------------------------------------------------------------------ */

static int stop(Transfer *transfer, int error, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int stop(Transfer *transfer, int error, const char *fmt, ...)
{
	va_list ap;

	transfer->failed = error;
	va_start(ap, fmt);
	(void)vsnprintf(transfer->why.text, sizeof(transfer->why.text), fmt, ap);
	va_end(ap);
	return error;
}

static int too_big(Transfer *transfer)
{
	transfer->failed = download_too_large(transfer->request, &transfer->why);
	return transfer->failed;
}

/* 0 where there was no http. */
static long status_of(const Transfer *transfer)
{
	long status = 0;

	(void)transfer->api->easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_data(char *data, size_t size, size_t count, void *userdata)
{
	Transfer *transfer = userdata;
	long status = status_of(transfer);
	int r;

	/* What comes with a redirect is for people. */
	if (status && status != 200) {
		transfer->header_bytes += size * count;
		if (transfer->header_bytes <= HEADERS_MAX)
			return size * count;
		(void)stop(transfer, -EFBIG, "the server answers without end");
		return 0;
	}
	transfer->got.size_bytes += size * count;
	if (transfer->got.size_bytes > transfer->request->size_max) {
		(void)too_big(transfer);
		return 0;
	}
	r = file_write_full(transfer->request->fd, data, size * count);
	if (r < 0) {
		(void)stop(transfer, r, "writing it to the disk: %s", strerror(-r));
		return 0;
	}
	return size * count;
}

static bool is_text(Span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] >= 0x7f)
			return false;
	return true;
}

static size_t on_header(char *data, size_t size, size_t count, void *userdata)
{
	Transfer *transfer = userdata;
	Span line = {data, size * count};

	transfer->header_bytes += line.len;
	if (transfer->header_bytes > HEADERS_MAX) {
		(void)stop(transfer, -EFBIG, "the server answers without end");
		return 0;
	}
	/* A proxy's answer, or one that announces another, may stand before. */
	if (span_starts_with(line, "HTTP/"))
		*transfer->got.etag = '\0';
	if (line.len < 5 || strncasecmp(data, "etag:", 5) != 0)
		return size * count;
	line = (Span){data + 5, line.len - 5};
	while (line.len && strchr(" \t", *line.data)) {
		line.data++;
		line.len--;
	}
	while (line.len && strchr(" \t\r\n", line.data[line.len - 1]))
		line.len--;
	if (line.len < sizeof(transfer->got.etag) && is_text(line)) {
		memcpy(transfer->got.etag, line.data, line.len);
		transfer->got.etag[line.len] = '\0';
	}
	return size * count;
}

static int on_progress(void *userdata, curl_off_t total, curl_off_t done, curl_off_t upload_total,
	curl_off_t upload_done)
{
	Transfer *transfer = userdata;
	const DownloadRequest *request = transfer->request;
	uint64_t now = now_ms(), total_bytes = (uint64_t)MAX(total, (curl_off_t)0);
	uint64_t bytes = transfer->got.size_bytes;

	if (request->progress && !request->progress(request->userdata, bytes, total_bytes))
		return stop(transfer, -ECANCELED, "interrupted");
	if (total_bytes > request->size_max)
		return too_big(transfer);
	if (now >= transfer->deadline_ms)
		return stop(transfer, -ETIMEDOUT, "not done after %u s (%" PRIu64 " bytes came)",
			request->total_ms / 1000, bytes);
	if (now - transfer->window_ms < request->stall_ms)
		return 0;
	if (bytes - transfer->window_bytes <
		(uint64_t)request->stall_ms * DOWNLOAD_SPEED_MIN / 1000)
		return stop(transfer, -ETIMEDOUT,
			"the server has stalled (%" PRIu64 " bytes in the last %u s)",
			bytes - transfer->window_bytes, request->stall_ms / 1000);
	transfer->window_ms = now;
	transfer->window_bytes = bytes;
	return 0;
}

/* ---- one request ------------------------------------------------------------------------------- */

/* Until the first option that is refused. */
static CURLcode set_options(
	Transfer *transfer, const char *url, UrlScheme scheme, struct curl_slist *headers)
{
	const DownloadRequest *request = transfer->request;
	const char *ca_file = getenv("SSL_CERT_FILE"), *ca_directory = getenv("SSL_CERT_DIR");
	uint64_t left = transfer->deadline_ms - MIN(now_ms(), transfer->deadline_ms - 1);
	/* A redirect is followed here, by rules of our own: libcurl follows none. */
	long protocol = scheme == URL_HTTPS ? CURLPROTO_HTTPS : CURLPROTO_HTTP;
	CURLcode r = CURLE_OK;

#define SET(option, value)                                                                       \
	do {                                                                                     \
		if (r == CURLE_OK)                                                               \
			r = transfer->api->easy_setopt(transfer->easy, CURLOPT_##option, value); \
	} while (0)
	SET(ERRORBUFFER, transfer->error);
	SET(NOSIGNAL, 1L);
	SET(PROTOCOLS, protocol);
	SET(URL, url);
	SET(FOLLOWLOCATION, 0L);
	SET(FAILONERROR, 1L);
	SET(USERAGENT, USER_AGENT);
	SET(HTTPHEADER, headers);
	SET(HTTP_CONTENT_DECODING, 0L);
	SET(FILETIME, 1L);
	SET(CONNECTTIMEOUT_MS, (long)MIN(left, request->connect_ms));
	/* Where no callback runs, as in a resolver that blocks. */
	SET(TIMEOUT_MS, (long)left);
	SET(WRITEFUNCTION, on_data);
	SET(WRITEDATA, transfer);
	SET(HEADERFUNCTION, on_header);
	SET(HEADERDATA, transfer);
	SET(XFERINFOFUNCTION, on_progress);
	SET(XFERINFODATA, transfer);
	SET(NOPROGRESS, 0L);
	if (ca_file && *ca_file)
		SET(CAINFO, ca_file);
	if (ca_directory && *ca_directory)
		SET(CAPATH, ca_directory);
#undef SET
#if LIBCURL_VERSION_NUM >= 0x075700
	/* So that nobody waits for a resolver's thread that waits for dead name servers; older ones don't know it. */
	(void)transfer->api->easy_setopt(transfer->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	return r;
}

static const char *status_words(long status)
{
	switch (status) {
	case 401: return " (it wants a password)";
	case 403: return " (forbidden)";
	case 404: return " (not found)";
	case 407: return " (the proxy wants a password)";
	case 410: return " (gone)";
	case 429: return " (too many requests)";
	case 500: return " (the server has failed)";
	case 502: return " (bad gateway)";
	case 503: return " (not available now)";
	case 504: return " (gateway timeout)";
	default: return "";
	}
}

static void say_http(Transfer *transfer)
{
	long status = status_of(transfer);

	why_set(&transfer->why, "HTTP %ld%s", status, status_words(status));
}

/* What libcurl says in its own words, which is more for some and nothing for others. */
static const char *words_of(const Transfer *transfer, CURLcode code)
{
	return *transfer->error ? transfer->error : transfer->api->easy_strerror(code);
}

static int fail(Transfer *transfer, CURLcode code)
{
	const DownloadRequest *request = transfer->request;
	long os_error = 0;

	if (transfer->failed)
		return transfer->failed;
	(void)transfer->api->easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
	switch (code) {
	case CURLE_HTTP_RETURNED_ERROR: say_http(transfer); break;
	case CURLE_COULDNT_RESOLVE_HOST: why_set(&transfer->why, "the host is not found"); break;
	case CURLE_COULDNT_RESOLVE_PROXY:
		why_set(&transfer->why, "the host of the proxy is not found");
		break;
	case CURLE_COULDNT_CONNECT:
		why_set(&transfer->why, "no connection: %s",
			os_error ? strerror((int)os_error) : words_of(transfer, code));
		break;
	case CURLE_OPERATION_TIMEDOUT:
		/* Its clock may be ahead of ours by a little. */
		if (now_ms() + 100 >= transfer->deadline_ms)
			why_set(&transfer->why, "not done after %u s", request->total_ms / 1000);
		else
			why_set(&transfer->why, "no connection after %u s",
				request->connect_ms / 1000);
		return -ETIMEDOUT;
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		why_set(&transfer->why, "the connection broke off after %" PRIu64 " bytes (%s)",
			transfer->got.size_bytes, words_of(transfer, code));
		break;
	/* That is also what it says of a line of more than 100 KiB. */
	case CURLE_OUT_OF_MEMORY:
		why_set(&transfer->why, "out of memory, or a line of the answer is too long");
		break;
	case CURLE_GOT_NOTHING: why_set(&transfer->why, "the server sent no answer"); break;
	case CURLE_PEER_FAILED_VERIFICATION:
		why_set(&transfer->why, "the server's certificate is not trusted (%s)",
			words_of(transfer, code));
		break;
	case CURLE_SSL_CACERT_BADFILE:
		why_set(&transfer->why, "the list of certificate authorities can't be read (%s)",
			words_of(transfer, code));
		break;
	case CURLE_SSL_CONNECT_ERROR:
		why_set(&transfer->why, "no secure connection (%s)", words_of(transfer, code));
		break;
	default: why_set(&transfer->why, "%s", words_of(transfer, code)); break;
	}
	return -EIO;
}

/* Where a redirect leads, checked; *url is replaced. 0 or -errno. */
static int follow(Transfer *transfer, char **url, UrlScheme *scheme)
{
	UrlScheme next;
	char *target = NULL;
	Why why;

	(void)transfer->api->easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &target);
	if (!target) {
		say_http(transfer);
		return -EIO;
	}
	if (url_check(target, &next, &why) < 0)
		return stop(transfer, -EIO, "it redirects to %.200s, which %s", target, why.text);
	if (next == URL_FILE || (next != URL_HTTPS && *scheme != URL_HTTP))
		return stop(transfer, -EIO, "it redirects to %.200s, which is not https", target);
	target = strdup(target);
	if (!target)
		return stop(transfer, -ENOMEM, "%s", strerror(ENOMEM));
	free(*url);
	*url = target;
	*scheme = next;
	return 0;
}

enum { REDIRECTED = 2 };

/* 0, DOWNLOAD_UNCHANGED, REDIRECTED or -errno. */
static int perform(
	Transfer *transfer, const char *url, UrlScheme scheme, struct curl_slist *headers)
{
	curl_off_t modified = -1;
	CURLcode code;
	long status;

	transfer->api->easy_reset(transfer->easy);
	*transfer->error = '\0';
	transfer->got = (Download){0};
	transfer->header_bytes = 0;
	transfer->window_ms = now_ms();
	transfer->window_bytes = 0;
	code = set_options(transfer, url, scheme, headers);
	if (code == CURLE_OK)
		code = transfer->api->easy_perform(transfer->easy);
	if (code != CURLE_OK)
		return fail(transfer, code);
	status = status_of(transfer);
	if (status == 304 && transfer->request->etag)
		return DOWNLOAD_UNCHANGED;
	if (status >= 300 && status < 400 && status != 304)
		return REDIRECTED;
	if (status && status != 200) {
		say_http(transfer);
		return -EIO;
	}
	(void)transfer->api->easy_getinfo(transfer->easy, CURLINFO_FILETIME_T, &modified);
	transfer->got.modified_s = MAX(modified, (curl_off_t)0);
	return 0;
}

static int fetch(Transfer *transfer, struct curl_slist *headers)
{
	_cleanup_free_ char *url = strdup(transfer->request->url);
	UrlScheme scheme;
	int r;

	if (!url)
		return stop(transfer, -ENOMEM, "%s", strerror(ENOMEM));
	r = url_check(url, &scheme, &transfer->why);
	for (int hops = 0; !r; hops++) {
		r = perform(transfer, url, scheme, headers);
		if (r != REDIRECTED)
			break;
		if (hops == DOWNLOAD_REDIRECTS_MAX)
			return stop(transfer, -EIO, "it redirects more than %d times",
				DOWNLOAD_REDIRECTS_MAX);
		r = follow(transfer, &url, &scheme);
	}
	return r;
}

/* The request's own headers; NULL is none. 0 or -ENOMEM. */
static int make_headers(const Api *api, const char *etag, struct curl_slist **ret_headers)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;

	*ret_headers = NULL;
	if (!etag)
		return 0;
	strbuf_appendf(&line, "If-None-Match: %s", etag);
	if (!strbuf_error(&line))
		*ret_headers = api->slist_append(NULL, strbuf_text(&line));
	return *ret_headers ? 0 : -ENOMEM;
}

static int fetch_from_server(Downloader *downloader, const DownloadRequest *request,
	Download *ret_download, Why *ret_why)
{
	Transfer transfer = {
		.api = &downloader->api,
		.request = request,
		.deadline_ms = now_ms() + request->total_ms,
	};
	struct curl_slist *headers;
	int r = start(downloader, ret_why);

	if (r < 0)
		return r;
	transfer.easy = downloader->easy;
	r = make_headers(&downloader->api, request->etag, &headers);
	if (r < 0)
		(void)stop(&transfer, r, "%s", strerror(-r));
	else
		r = fetch(&transfer, headers);
	downloader->api.slist_free_all(headers);
	if (r < 0)
		why_set(ret_why, "%s", transfer.why.text);
	else
		*ret_download = transfer.got;
	return r;
}

int downloader_fetch(Downloader *downloader, const DownloadRequest *request, Download *ret_download,
	Why *ret_why)
{
	UrlScheme scheme;
	int r = url_check(request->url, &scheme, ret_why);

	if (r < 0)
		return r;
	return scheme == URL_FILE ? download_from_disk(request, ret_download, ret_why)
				  : fetch_from_server(downloader, request, ret_download, ret_why);
}
