/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/compress.h"

#include "pack.h"
#include "random.h"
#include "tap.h"

#include <pthread.h>

typedef struct Form {
	const char *name;
	void (*pack)(StrBuf *sb, const void *data, size_t len);
	bool ignores_garbage; /* behind the last member, as its own tool does */
	size_t magic_len;
} Form;

static void pack_gzip_now(StrBuf *sb, const void *data, size_t len)
{
	pack_gzip(sb, data, len, 0);
}

static const Form forms[] = {
	{"gzip", pack_gzip_now, true, 3},
#if HAVE_LZMA
	{"xz", pack_xz, false, 6},
#endif
#if HAVE_ZSTD
	{"zstd", pack_zstd, false, 4},
#endif
};

static StrBuf noise(Random *random, size_t len)
{
	StrBuf sb = STRBUF_INIT;
	char *to = strbuf_reserve(&sb, len);

	MUST(to);
	for (size_t i = 0; i < len; i++)
		to[i] = (char)(random_below(random, 40) ? 'a' + random_below(random, 6) : '\n');
	sb.len = len;
	return sb;
}

/* What is read from packed, in pieces of at most step bytes; the result that ended it. */
static int unpack_fd(int fd, size_t step, StrBuf *out)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	int r = reader_new(fd, &reader);

	strbuf_reset(out);
	if (r < 0)
		return r;
	for (;;) {
		char *to = strbuf_reserve(out, step);
		ssize_t n;

		MUST(to);
		n = reader_read(reader, to, step);
		if (n <= 0) {
			/* What it said once it says again. */
			MUST(reader_read(reader, to, step) == n);
			return (int)n;
		}
		MUST((size_t)n <= step);
		out->len += (size_t)n;
	}
}

static int unpack(const StrBuf *packed, size_t step, StrBuf *out)
{
	int fd;

	scratch_write("packed", packed->data, packed->len);
	fd = open("packed", O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	return unpack_fd(fd, step, out);
}

static bool same(const StrBuf *a, const StrBuf *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

/* a is how b begins. */
static bool begins(const StrBuf *a, const StrBuf *b)
{
	return a->len <= b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static void test_whole(Random *random)
{
	static const size_t sizes[] = {0, 1, 2, 100, 65535, 65536, 65537, 1000003};
	static const size_t steps[] = {1, 7, 4096, 65536, 1 << 20};

	for (size_t p = 0; p < ARRAY_SIZE(forms); p++) {
		_cleanup_strbuf_ StrBuf out = STRBUF_INIT;
		bool ok = true;

		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			_cleanup_strbuf_ StrBuf raw = noise(random, sizes[s]), packed = STRBUF_INIT;

			forms[p].pack(&packed, raw.data, raw.len);
			for (size_t i = sizes[s] > 200000 ? 2 : 0; i < ARRAY_SIZE(steps); i++)
				ok = ok && !unpack(&packed, steps[i], &out) && same(&out, &raw);
		}
		tap_ok(ok, "%s: all sizes in all steps", forms[p].name);
	}
}

static void test_members(Random *random)
{
	for (size_t p = 0; p < ARRAY_SIZE(forms); p++) {
		_cleanup_strbuf_ StrBuf raw = STRBUF_INIT, packed = STRBUF_INIT, out = STRBUF_INIT;
		int r;

		for (int i = 0; i < 20; i++) {
			_cleanup_strbuf_ StrBuf part =
				noise(random, i % 3 ? random_below(random, 30000) : 0);

			strbuf_append(&raw, part.data, part.len);
			forms[p].pack(&packed, part.data, part.len);
		}
		tap_ok(!unpack(&packed, 65536, &out) && same(&out, &raw),
			"%s: concatenated members, empty ones among them, are one stream",
			forms[p].name);
		strbuf_append_string(&packed, "garbage");
		r = unpack(&packed, 65536, &out);
		if (!tap_ok(same(&out, &raw) && r == (forms[p].ignores_garbage ? 0 : -EBADMSG),
			    "%s: garbage behind the last member", forms[p].name))
			tap_note("got %d, %zu of %zu bytes", r, out.len, raw.len);
	}
}

/* Every bit of a small file changed, and the file cut at every byte. */
static void test_damage(Random *random)
{
	for (size_t p = 0; p < ARRAY_SIZE(forms); p++) {
		_cleanup_strbuf_ StrBuf raw = noise(random, 900), packed = STRBUF_INIT,
					out = STRBUF_INIT;
		size_t unnoticed = 0, wrong = 0;

		forms[p].pack(&packed, raw.data, raw.len);
		for (size_t cut = 10; cut < packed.len; cut++) {
			StrBuf part = {packed.data, cut, 0, 0};

			unnoticed += unpack(&part, 512, &out) != -EBADMSG;
			wrong += !begins(&out, &raw);
		}
		tap_ok(!unnoticed, "%s: cut anywhere is noticed", forms[p].name);
		tap_ok(!wrong, "%s: what is before the cut is right", forms[p].name);
		unnoticed = 0;
		for (size_t bit = forms[p].magic_len * 8; bit < packed.len * 8; bit++) {
			packed.data[bit / 8] ^= (char)(1 << bit % 8);
			/* A time, a flag, an operating system may change. */
			unnoticed += !unpack(&packed, 512, &out) && !same(&out, &raw);
			packed.data[bit / 8] ^= (char)(1 << bit % 8);
		}
		tap_ok(!unnoticed, "%s: a changed bit is noticed or changes nothing",
			forms[p].name);
	}
}

/* Nothing that was decoded before the damage may be lost, however much is asked for at once. */
static void test_before_damage(Random *random)
{
	static const size_t from_end[] = {
		6, 1}; /* in the last bytes of the data, and in what sums it up */

	for (size_t i = 0; i < ARRAY_SIZE(forms) * ARRAY_SIZE(from_end); i++) {
		size_t p = i / ARRAY_SIZE(from_end), back = from_end[i % ARRAY_SIZE(from_end)];
		_cleanup_strbuf_ StrBuf raw = noise(random, 1500000), packed = STRBUF_INIT,
					small = STRBUF_INIT, large = STRBUF_INIT;
		int r1, r2;

		forms[p].pack(&packed, raw.data, raw.len);
		packed.data[packed.len - back] ^= 0x55;
		r1 = unpack(&packed, 999, &small);
		r2 = unpack(&packed, 1 << 20, &large);
		if (!tap_ok(r1 == -EBADMSG && r2 == -EBADMSG && same(&small, &large) &&
				    begins(&small, &raw) && small.len > 1000000,
			    "%s: all before the damage is there, in small and in large steps",
			    forms[p].name))
			tap_note("%d: %zu, %d: %zu of %zu", r1, small.len, r2, large.len, raw.len);
	}
}

static void test_plain(void)
{
	static const struct {
		const char *name;
		Span content;
	} rows[] = {
		{"empty", SPAN_LITERAL("")},
		{"one byte", SPAN_LITERAL("x")},
		{"NULs", SPAN_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0")},
		{"two bytes of gzip", SPAN_LITERAL("\x1f\x8b")},
		{"two bytes of gzip and a text", SPAN_LITERAL("\x1f\x8b is how gzip begins\n")},
		{"three bytes of zstd", SPAN_LITERAL("\x28\xb5\x2f only\n")},
		{"most of xz", SPAN_LITERAL("\xfd"
					    "7zXZ!\n")},
		{"a line", SPAN_LITERAL("Nov 22 12:00:00 mx1 postfix/smtpd[1]: x\n")},
	};
	_cleanup_strbuf_ StrBuf out = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		StrBuf file = {(char *)(uintptr_t)rows[i].content.data, rows[i].content.len, 0, 0};
		bool ok = true;

		for (size_t step = 1; step < 100; step += 49)
			ok = ok && !unpack(&file, step, &out) && same(&out, &file);
		tap_ok(ok, "as it is: %s", rows[i].name);
	}
}

typedef struct Feed {
	int fd;
	const StrBuf *packed;
	size_t step;
} Feed;

static void *feed_pipe(void *userdata)
{
	Feed *feed = userdata;

	for (size_t at = 0; at < feed->packed->len; at += feed->step)
		if (file_write_full(feed->fd, feed->packed->data + at,
			    MIN(feed->step, feed->packed->len - at)) < 0)
			break;
	(void)close(feed->fd);
	return NULL;
}

static void test_pipe(Random *random)
{
	static const size_t steps[] = {1, 3, 5000};

	for (size_t p = 0; p <= ARRAY_SIZE(forms); p++) {
		const char *name = p < ARRAY_SIZE(forms) ? forms[p].name : "plain";
		bool ok = true;

		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			_cleanup_strbuf_ StrBuf raw = noise(random, 20000), packed = STRBUF_INIT,
						out = STRBUF_INIT;
			pthread_t thread;
			int ends[2];
			Feed feed;

			if (p < ARRAY_SIZE(forms))
				forms[p].pack(&packed, raw.data, raw.len);
			else
				strbuf_append(&packed, raw.data, raw.len);
			MUST(!pipe2(ends, O_CLOEXEC));
			feed = (Feed){ends[1], &packed, steps[i]};
			MUST(!pthread_create(&thread, NULL, feed_pipe, &feed));
			ok = ok && !unpack_fd(ends[0], 777, &out) && same(&out, &raw);
			MUST(!pthread_join(thread, NULL));
		}
		tap_ok(ok, "from a pipe: %s", name);
	}
}

static void test_skip(void)
{
	_cleanup_(reader_freep) Reader *plain = NULL, *packed = NULL, *piped = NULL;
	_cleanup_strbuf_ StrBuf gz = STRBUF_INIT;
	char byte = 0;
	int ends[2];

	scratch_text("skip", "0123456789abcdef");
	MUST(!reader_new(open("skip", O_RDONLY | O_CLOEXEC), &plain));
	tap_ok(reader_read(plain, &byte, 1) == 1 && byte == '0' && !reader_skip(plain, 10) &&
			reader_read(plain, &byte, 1) == 1 && byte == 'a' &&
			!reader_skip(plain, 3) && reader_read(plain, &byte, 1) == 1 && byte == '3',
		"skip in a plain file, both ways");
	tap_ok(!reader_skip(plain, 16) && !reader_read(plain, &byte, 1), "skip to its end");
	scratch_append("skip", "g", 1);
	tap_ok(reader_read(plain, &byte, 1) == 1 && byte == 'g',
		"a plain file grows after its end");
	tap_ok(reader_skip(plain, UINT64_MAX) < 0, "no skip to where no file can be");
	tap_ok(!reader_compressed(plain) && reader_fd(plain) >= 0, "plain is not compressed");
	pack_gzip(&gz, "x", 1, 0);
	scratch_write("skip.gz", gz.data, gz.len);
	MUST(!reader_new(open("skip.gz", O_RDONLY | O_CLOEXEC), &packed));
	tap_ok(reader_skip(packed, 0) == -ESPIPE && reader_compressed(packed),
		"no skip in a compressed file");
	MUST(!pipe2(ends, O_CLOEXEC));
	(void)close(ends[1]);
	MUST(!reader_new(ends[0], &piped));
	tap_ok(reader_skip(piped, 0) == -ESPIPE, "no skip in a pipe");
}

static void test_failures(void)
{
	Reader *reader = NULL;
	int fd = open(".", O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	tap_ok(reader_new(fd, &reader) == -EISDIR && !reader, "a directory is an error");
	tap_ok(fcntl(fd, F_GETFD) < 0 && errno == EBADF, "its descriptor is closed then");
}

static void test_written(void)
{
	static const int64_t now_us = 1795352407000000;
	static const struct timespec times[2] = {{1700000000, 0}, {1700000001, 123456789}};
	static const struct {
		const char *name;
		uint32_t time;
		int64_t expected_us;
	} rows[] = {
		{"gzip with a time", 1600000000, 1600000000000000},
		{"gzip with a time after 2038", 4000000000, 4000000000000000},
		{"gzip without", 0, 1700000001123456},
		{"plain", UINT32_MAX, 1700000001123456},
	};
	_cleanup_(reader_freep) Reader *piped = NULL;
	int ends[2];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(reader_freep) Reader *reader = NULL;
		_cleanup_strbuf_ StrBuf gz = STRBUF_INIT;

		if (rows[i].time == UINT32_MAX)
			strbuf_append_string(&gz, "plain\n");
		else
			pack_gzip(&gz, "packed\n", 7, rows[i].time);
		scratch_write("written", gz.data, gz.len);
		MUST(!utimensat(AT_FDCWD, "written", times, 0));
		MUST(!reader_new(open("written", O_RDONLY | O_CLOEXEC), &reader));
		tap_ok(reader_written_us(reader, now_us) == rows[i].expected_us, "written: %s",
			rows[i].name);
	}
	MUST(!pipe2(ends, O_CLOEXEC));
	(void)close(ends[1]);
	MUST(!reader_new(ends[0], &piped));
	tap_ok(reader_written_us(piped, now_us) == now_us, "written: a pipe, now");
}

/* What packer_add() gets in pieces comes out of a reader, and is always the same. */
static void test_packer(Random *random)
{
	static const size_t sizes[] = {0, 1, 100, 65536, 1000003};
	static const size_t steps[] = {1, 7, 4096, 65536, 1 << 20};

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		_cleanup_strbuf_ StrBuf raw = noise(random, sizes[s]), first = STRBUF_INIT;
		bool ok = true, same_bytes = true;

		for (size_t i = sizes[s] > 200000 ? 2 : 0; i < ARRAY_SIZE(steps); i++) {
			_cleanup_strbuf_ StrBuf packed = STRBUF_INIT, out = STRBUF_INIT;
			_cleanup_(packer_freep) Packer *packer = NULL;

			MUST(!packer_new(&packed, &packer));
			for (size_t at = 0; at < raw.len; at += steps[i])
				ok = ok &&
				     !packer_add(packer,
					     (Span){raw.data + at, MIN(steps[i], raw.len - at)});
			ok = ok && !packer_end(packer) && !unpack(&packed, 65536, &out) &&
			     same(&out, &raw);
			if (!first.len)
				strbuf_append(&first, packed.data, packed.len);
			same_bytes = same_bytes && same(&packed, &first);
		}
		tap_ok(ok && same_bytes, "packed: %zu bytes in all steps", sizes[s]);
		tap_ok(sizes[s] < 100 || first.len < raw.len, "packed: %zu bytes become %zu",
			raw.len, first.len);
	}
}

/* A packer that was not ended, or that has no room, leaves nothing behind. */
static void test_packer_stops(void)
{
	_cleanup_strbuf_ StrBuf packed = STRBUF_INIT;
	_cleanup_(packer_freep) Packer *packer = NULL;

	MUST(!packer_new(&packed, &packer));
	tap_ok(!packer_add(packer, SPAN_LITERAL("some bytes")), "packed: some bytes, and no end");
	packed.error = -EFBIG;
	tap_ok(packer_end(packer) == -EFBIG, "packed: no room for the rest");
}

int main(void)
{
	Random random = random_seeded();

	scratch_enter();
	test_whole(&random);
	test_members(&random);
	test_damage(&random);
	test_before_damage(&random);
	test_plain();
	test_pipe(&random);
	test_skip();
	test_failures();
	test_written();
	test_packer(&random);
	test_packer_stops();
	return tap_done();
}
