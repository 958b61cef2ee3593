/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/assembly.h"

#include "base/compress.h"
#include "base/file.h"
#include "enrich/geodb-mmdb.h"
#include "fetch/url.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define BLOCK_SIZE ((size_t)64 * 1024)
#define FETCHED_MAX ((uint64_t)256 << 20) /* bytes, as they come */
#define CONTENT_MAX ((uint64_t)512 << 20) /* unpacked: what the reader of databases takes */
#define CONTENT_FREE ((uint64_t)16 << 20) /* up to here, anything may unpack to anything; */
#define CONTENT_RATIO 100                 /* beyond, to so many times its size: CSV comes to 10 */
#define CHECKSUM_FILE_MAX ((uint64_t)64 * 1024)
#define CONNECT_MS 15000
#define STALL_MS 30000
#define TOTAL_MS (15 * 60 * 1000)
#define TIME_SANE_S 946684800 /* 2000-01-01 */
#define DAY_S 86400

typedef struct Assembly {
	const AssemblyRequest *request;
	char *new_path, *part_path, *fetch_path;
	int fd;             /* of PATH.new */
	bool several;       /* parts */
	int64_t modified_s; /* the oldest of the parts; 0: nothing is known yet */
	FetchedFile file;
	Why *why;
} Assembly;

static int fail(Assembly *assembly, int error, const char *url, const char *reason)
{
	/* An address may be longer than a reason may be. */
	why_set(assembly->why, "%.250s%s: %s", url, strlen(url) > 250 ? "..." : "", reason);
	return error;
}

static int fail_errno(Assembly *assembly, int error, const char *path)
{
	return fail(assembly, error, path, strerror(-error));
}

static int suffix(const char *path, const char *end, char **ret_path)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	strbuf_appendf(&sb, "%s%s", path, end);
	*ret_path = strbuf_take(&sb);
	return *ret_path ? 0 : -ENOMEM;
}

/* ---- one part --------------------------------------------------------------------------------- */

/* A new file; readable for all as soon as it is there under its name. */
static int create(const char *path, int *ret_fd)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* A file without a name, in the same directory. */
static int create_nameless(Assembly *assembly, int *ret_fd)
{
	int r = create(assembly->fetch_path, ret_fd);

	if (!r)
		(void)unlink(assembly->fetch_path);
	return r < 0 ? fail_errno(assembly, r, assembly->fetch_path) : 0;
}

/* As downloader_fetch(), with the URL in *why. */
static int download(Assembly *assembly, const char *url, const char *etag, uint64_t size_max,
	int fd, Download *ret_download)
{
	const AssemblyRequest *request = assembly->request;
	DownloadRequest wanted = {
		.url = url,
		.etag = etag && *etag ? etag : NULL,
		.fd = fd,
		.size_max = size_max,
		.connect_ms = CONNECT_MS,
		.stall_ms = STALL_MS,
		.total_ms = TOTAL_MS,
		.progress = request->progress,
		.userdata = request->userdata,
	};
	Why why = {""};
	int r = downloader_fetch(request->downloader, &wanted, ret_download, &why);

	return r < 0 ? fail(assembly, r, url, why.text) : r;
}

/* Where the checksum of a part is; NULL: nowhere. */
static const char *checksum_url(const Assembly *assembly, size_t part)
{
	char *const *urls = assembly->request->checksum_urls;

	return !urls[0] || !urls[1] ? urls[0] : urls[part];
}

/* What the checksum file of a part says. 0 or -errno. */
static int read_checksum(
	Assembly *assembly, const char *url, const char *part_url, char ret_sum[SHA256_TEXT_SIZE])
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = malloc(CHECKSUM_FILE_MAX);
	Download got;
	Why why = {""};
	ssize_t n;
	int r;

	if (!text)
		return fail_errno(assembly, -ENOMEM, url);
	r = create_nameless(assembly, &fd);
	if (!r)
		r = download(assembly, url, NULL, CHECKSUM_FILE_MAX, fd, &got);
	if (r < 0)
		return r;
	n = file_pread_full(fd, text, CHECKSUM_FILE_MAX, 0);
	if (n < 0)
		return fail_errno(assembly, (int)n, assembly->fetch_path);
	r = sha256_find((Span){text, (size_t)n}, url_file_name(part_url), ret_sum, &why);
	return r < 0 ? fail(assembly, r, url, why.text) : 0;
}

/* Unpacks what was fetched, or copies it. 0 or -errno. */
static int unpack(Assembly *assembly, const char *url, int from, uint64_t size_bytes, int to)
{
	const AssemblyRequest *request = assembly->request;
	_cleanup_(reader_freep) Reader *reader = NULL;
	_cleanup_free_ char *block = malloc(BLOCK_SIZE);
	uint64_t done = 0, max = MIN(CONTENT_MAX, MAX(CONTENT_FREE, size_bytes * CONTENT_RATIO));
	int copy = fcntl(from, F_DUPFD_CLOEXEC, 0), r;

	if (!block || copy < 0 || lseek(copy, 0, SEEK_SET) < 0) {
		close_fd(&copy);
		return fail_errno(assembly, block ? -errno : -ENOMEM, url);
	}
	r = reader_new(copy, &reader);
	if (r < 0)
		return fail(assembly, r, url,
			r == -ENOTSUP ? "is compressed in a way that this build can't read"
				      : strerror(-r));
	for (;;) {
		ssize_t n = reader_read(reader, block, BLOCK_SIZE);

		if (n == -EBADMSG)
			return fail(assembly, -EBADMSG, url,
				"the compressed data is damaged or cut off");
		if (n < 0)
			return fail_errno(assembly, (int)n, url);
		if (!n)
			return 0;
		done += (uint64_t)n;
		if (done > max)
			return fail(assembly, -EFBIG, url,
				max == CONTENT_MAX ? "unpacks to more than 512 MiB"
						   : "unpacks to more than 100 times its size");
		r = file_write_full(to, block, (size_t)n);
		if (r < 0)
			return fail_errno(assembly, r, assembly->new_path);
		if (!request->progress(request->userdata, done, 0))
			return fail(assembly, -ECANCELED, url, "interrupted");
	}
}

/*
 * The bytes before the first row: the names of columns ("start_ip,end_ip,country_code"), a byte order mark. Rows begin with an address: a
 * letter only in IPv6, which has a colon.
 */
static size_t header_length(const char *text, size_t len)
{
	size_t bom = len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0, at = bom;
	const char *end = memchr(text, '\n', len);
	char c;

	at += at < len && text[at] == '"';
	c = at < len ? (char)(text[at] | 0x20) : '0';
	if (!end || c < 'a' || c > 'z' || memchr(text + at, ':', strcspn(text + at, ",\n")))
		return bom;
	return (size_t)(end + 1 - text);
}

/* Adds the rows of a part to PATH.new. 0 or -errno. */
static int join(Assembly *assembly, const char *url, int part, bool first)
{
	_cleanup_free_ char *block = malloc(BLOCK_SIZE + 1);
	off_t at = 0;
	struct stat st;
	char last = '\n';
	int r = 0;

	if (!block || fstat(part, &st) < 0)
		return fail_errno(assembly, block ? -errno : -ENOMEM, url);
	if (geodb_mmdb_recognise(part, st.st_size))
		return fail(assembly, -EBADMSG, url,
			"is no CSV: MMDB files can't be joined, of them wants one URL alone");
	for (;;) {
		ssize_t n = file_pread_full(part, block, BLOCK_SIZE, at);
		size_t skip = 0;

		if (n <= 0) {
			r = (int)n;
			break;
		}
		block[n] = '\0';
		if (!at && !first)
			skip = header_length(block, (size_t)n);
		at += n;
		last = block[n - 1];
		r = file_write_full(assembly->fd, block + skip, (size_t)n - skip);
		if (r < 0)
			return fail_errno(assembly, r, assembly->new_path);
	}
	if (r < 0)
		return fail_errno(assembly, r, assembly->part_path);
	return last == '\n' ? 0
			    : fail(assembly, -EBADMSG, url, "is cut off: its last line has no end");
}

/* One of several: it must be a database by itself, lest an HTML page hides between hundreds of thousands of rows. 0 or -errno. */
static int add_part(Assembly *assembly, size_t index, int from, uint64_t size_bytes)
{
	const AssemblyRequest *request = assembly->request;
	const char *url = request->urls[index];
	_cleanup_close_ int fd = -1;
	Why why = {""};
	int r = create(assembly->part_path, &fd);

	if (r < 0)
		return fail_errno(assembly, r, assembly->part_path);
	r = unpack(assembly, url, from, size_bytes, fd);
	if (!r) {
		r = request->check(request->userdata, assembly->part_path, &why);
		if (r < 0)
			(void)fail(assembly, r, url, why.text);
	}
	if (!r)
		r = join(assembly, url, fd, index == 0);
	(void)unlink(assembly->part_path);
	return r;
}

static int64_t now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

/* 0, ASSEMBLY_UNCHANGED, or -errno. known: what lies there; NULL: fetch it whatever. */
static int fetch_part(Assembly *assembly, size_t index, const FetchedPart *known)
{
	const char *url = assembly->request->urls[index], *sum_url = checksum_url(assembly, index);
	char wanted[SHA256_TEXT_SIZE] = "", sum[SHA256_TEXT_SIZE];
	_cleanup_close_ int fd = -1;
	Download got;
	int64_t now = now_s();
	int r = sum_url ? read_checksum(assembly, sum_url, url, wanted) : 0;

	if (r < 0)
		return r;
	if (known && sum_url && !strcmp(known->sha256, wanted))
		return ASSEMBLY_UNCHANGED;
	r = create_nameless(assembly, &fd);
	/* Where there is a checksum, it alone says whether the file is another one. */
	if (!r)
		r = download(assembly, url, known && !sum_url ? known->etag : NULL, FETCHED_MAX, fd,
			&got);
	if (r)
		return r == DOWNLOAD_UNCHANGED ? ASSEMBLY_UNCHANGED : r;
	r = sha256_of_file(fd, sum);
	if (r < 0)
		return fail_errno(assembly, r, assembly->fetch_path);
	if (sum_url && strcmp(sum, wanted) != 0)
		return fail(
			assembly, -EBADMSG, url, "its SHA-256 is not the one of its checksum file");
	if (known && !strcmp(known->sha256, sum))
		return ASSEMBLY_UNCHANGED;
	r = fetched_file_add(&assembly->file, url, sum, got.etag);
	if (r < 0)
		return fail_errno(assembly, r, url);
	if (got.modified_s < TIME_SANE_S || got.modified_s > now + DAY_S)
		got.modified_s = now;
	if (!assembly->modified_s || got.modified_s < assembly->modified_s)
		assembly->modified_s = got.modified_s;
	if (assembly->several)
		return add_part(assembly, index, fd, got.size_bytes);
	return unpack(assembly, url, fd, got.size_bytes, assembly->fd);
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* All parts; with `known` as soon as one is not what is known, all again: what was not fetched has no content here. */
static int fetch_parts(Assembly *assembly, const FetchedFile *known)
{
	size_t unchanged = 0, count = 0;

	for (char *const *url = assembly->request->urls; *url; url++, count++) {
		int r = fetch_part(assembly, count, known ? &known->parts[count] : NULL);

		if (r < 0)
			return r;
		unchanged += r == ASSEMBLY_UNCHANGED;
	}
	if (!unchanged)
		return 0;
	if (unchanged == count)
		return ASSEMBLY_UNCHANGED;
	fetched_file_done(&assembly->file);
	assembly->modified_s = 0;
	if (ftruncate(assembly->fd, 0) < 0 || lseek(assembly->fd, 0, SEEK_SET) < 0)
		return fail_errno(assembly, -errno, assembly->new_path);
	return fetch_parts(assembly, NULL);
}

/* Mode, time and durability of PATH.new. */
static int finish(Assembly *assembly)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_NOW}};
	struct timespec now;
	struct stat st;

	/*
	 * Two databases of the same size and the same second are two: who compares the time of modification must see it, so the
	 * nanoseconds are those of now.
	 */
	(void)clock_gettime(CLOCK_REALTIME, &now);
	times[1].tv_sec = (time_t)assembly->modified_s;
	times[1].tv_nsec = now.tv_nsec;
	if (fchmod(assembly->fd, 0644) < 0 || futimens(assembly->fd, times) < 0 ||
		fsync(assembly->fd) < 0 || fstat(assembly->fd, &st) < 0)
		return fail_errno(assembly, -errno, assembly->new_path);
	assembly->file.size_bytes = (uint64_t)st.st_size;
	assembly->file.mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	return 0;
}

static void assembly_done(Assembly *assembly)
{
	close_fd(&assembly->fd);
	free(assembly->new_path);
	free(assembly->part_path);
	free(assembly->fetch_path);
	fetched_file_done(&assembly->file);
}

int assembly_fetch(const AssemblyRequest *request, FetchedFile *ret_file, Why *ret_why)
{
	_cleanup_(assembly_done) Assembly assembly = {
		.request = request,
		.fd = -1,
		.several = request->urls[1],
		.why = ret_why,
	};
	int r = suffix(request->path, ".new", &assembly.new_path);

	if (!r)
		r = suffix(request->path, ".part", &assembly.part_path);
	if (!r)
		r = suffix(request->path, ".fetch", &assembly.fetch_path);
	if (!r)
		r = create(assembly.new_path, &assembly.fd);
	if (r < 0)
		return fail_errno(&assembly, r, request->path);
	r = fetch_parts(&assembly, request->known);
	if (!r)
		r = finish(&assembly);
	if (r) {
		(void)unlink(assembly.new_path);
		return r;
	}
	*ret_file = assembly.file;
	assembly.file = (FetchedFile){0};
	return 0;
}

int assembly_clean(const char *path)
{
	static const char *const ends[] = {".new", ".part", ".fetch", ".prev.new"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		_cleanup_free_ char *leftover = NULL;

		if (suffix(path, ends[i], &leftover) < 0)
			return -ENOMEM;
		if (unlink(leftover) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}
