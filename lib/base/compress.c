/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/compress.h"

#include "build-config.h"

#include <endian.h>
#include <sys/stat.h>
#define ZLIB_CONST
#include <zlib.h>
#if HAVE_LZMA
#include <lzma.h>
#endif
#if HAVE_ZSTD
#include <zstd.h>
#include <zstd_errors.h>
#endif

#define INPUT_SIZE ((size_t)65536)
#define OUTPUT_SIZE ((size_t)16384)
#define XZ_MEMORY_MAX ((uint64_t)256 << 20)
#define ZSTD_FRAME_START ((size_t)5) /* bytes that begin a frame: magic number and descriptor */
#define ZSTD_BLOCK_HEADER ((size_t)3)

typedef enum Format {
	FORMAT_PLAIN,
	FORMAT_GZIP,
	FORMAT_XZ,
	FORMAT_ZSTD,
} Format;

struct Reader {
	int fd;
	Format format;
	bool input_ended;
	bool ended;
	bool damaged;      /* said once, said always: what a decoder does after it is not defined */
	bool in_member;    /* a member or frame has begun and has not ended */
	bool member_ended; /* gzip: what follows may be another one */
	uint32_t gzip_time;
	z_stream gzip;
#if HAVE_LZMA
	lzma_stream xz;
#endif
#if HAVE_ZSTD
	ZSTD_DStream *zstd;
	size_t zstd_wants; /* bytes up to the end of the next block, mostly with the header of the one behind it */
	bool zstd_holds; /* it may have decoded more than there was room for */
#endif
	size_t at, len;
	unsigned char input[INPUT_SIZE];
};

static const struct {
	Format format;
	size_t len;
	unsigned char magic[6];
} magics[] = {
	{FORMAT_GZIP, 3, {0x1f, 0x8b, 0x08}}, {FORMAT_XZ, 6, {0xfd, '7', 'z', 'X', 'Z', 0x00}},
	{FORMAT_ZSTD, 4, {0x28, 0xb5, 0x2f, 0xfd}},
	{FORMAT_ZSTD, 4,
		{0x50, 0x2a, 0x4d, 0x18}}, /* a skippable frame: what pzstd(1) begins with */
};

static Format recognise(const void *data, size_t len)
{
	Format format = FORMAT_PLAIN;

	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (len >= magics[i].len && !memcmp(data, magics[i].magic, magics[i].len))
			format = magics[i].format;
	return format;
}

bool reader_recognises(Span start)
{
	return recognise(start.data, start.len) != FORMAT_PLAIN;
}

/* Makes at least `want` bytes available in the input buffer unless the input ends before. */
static int fill(Reader *reader, size_t want)
{
	if (reader->at) {
		reader->len -= reader->at;
		memmove(reader->input, reader->input + reader->at, reader->len);
		reader->at = 0;
	}
	while (reader->len < want && !reader->input_ended) {
		ssize_t n = read(reader->fd, reader->input + reader->len, INPUT_SIZE - reader->len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			reader->input_ended = true;
		reader->len += (size_t)n;
	}
	return 0;
}

static int start_format(Reader *reader)
{
	switch (reader->format) {
	case FORMAT_GZIP:
		if (reader->len >= 8) {
			uint32_t stamp;

			memcpy(&stamp, reader->input + 4, sizeof(stamp));
			reader->gzip_time = le32toh(stamp);
		}
		return inflateInit2(&reader->gzip, 15 + 16) == Z_OK ? 0 : -ENOMEM;
	case FORMAT_XZ:
#if HAVE_LZMA
		reader->xz = (lzma_stream)LZMA_STREAM_INIT;
		return lzma_stream_decoder(&reader->xz, XZ_MEMORY_MAX, LZMA_CONCATENATED) == LZMA_OK
			       ? 0
			       : -ENOMEM;
#else
		return -ENOTSUP;
#endif
	case FORMAT_ZSTD:
#if HAVE_ZSTD
		reader->zstd = ZSTD_createDStream();
		if (!reader->zstd)
			return -ENOMEM;
		reader->zstd_wants = ZSTD_FRAME_START;
		return 0;
#else
		return -ENOTSUP;
#endif
	case FORMAT_PLAIN: break;
	}
	return 0;
}

int reader_new(int fd_take, Reader **ret_reader)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	_cleanup_close_ int fd = fd_take;
	int r;

	reader = malloc(sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	memset(reader, 0, offsetof(Reader, input));
	reader->fd = take_fd(&fd);
	r = fill(reader, 10);
	if (r < 0)
		return r;
	reader->format = recognise(reader->input, reader->len);
	r = start_format(reader);
	if (r < 0) {
		reader->format = FORMAT_PLAIN; /* nothing to end */
		return r;
	}
	*ret_reader = TAKE(reader);
	return 0;
}

void reader_free(Reader *reader)
{
	if (!reader)
		return;
	if (reader->format == FORMAT_GZIP)
		(void)inflateEnd(&reader->gzip);
#if HAVE_LZMA
	if (reader->format == FORMAT_XZ)
		lzma_end(&reader->xz);
#endif
#if HAVE_ZSTD
	ZSTD_freeDStream(reader->zstd);
#endif
	(void)close(reader->fd);
	free(reader);
}

/*
 * The decoders: consume input, fill output, return bytes written or -errno. What was written before the
 * damage is returned first, the damage with the next call.
 */

static ssize_t decoded(Reader *reader, size_t n, bool damaged)
{
	reader->damaged = damaged;
	return n || !damaged ? (ssize_t)n : -EBADMSG;
}

static int next_gzip_member(Reader *reader)
{
	int r = fill(reader, 3);

	if (r < 0)
		return r;
	reader->member_ended = false;
	if (reader->len < 3 || memcmp(reader->input, magics[0].magic, 3))
		reader->ended = true;
	else if (inflateReset(&reader->gzip) != Z_OK)
		return -EBADMSG;
	return 0;
}

static ssize_t decode_gzip(Reader *reader, unsigned char *data, size_t len)
{
	int r;

	if (reader->member_ended) {
		r = next_gzip_member(reader);
		if (r < 0 || reader->ended)
			return r;
	}
	reader->gzip.next_in = reader->input + reader->at;
	reader->gzip.avail_in = (uInt)(reader->len - reader->at);
	reader->gzip.next_out = data;
	reader->gzip.avail_out = (uInt)len;
	r = inflate(&reader->gzip, Z_NO_FLUSH);
	reader->at = reader->len - reader->gzip.avail_in;
	reader->in_member = r != Z_STREAM_END;
	reader->member_ended = r == Z_STREAM_END;
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return decoded(reader, len - reader->gzip.avail_out,
		r != Z_OK && r != Z_BUF_ERROR && r != Z_STREAM_END);
}

#if HAVE_LZMA
static ssize_t decode_xz(Reader *reader, unsigned char *data, size_t len)
{
	lzma_ret r;

	reader->xz.next_in = reader->input + reader->at;
	reader->xz.avail_in = reader->len - reader->at;
	reader->xz.next_out = data;
	reader->xz.avail_out = len;
	r = lzma_code(&reader->xz, reader->input_ended ? LZMA_FINISH : LZMA_RUN);
	reader->at = reader->len - reader->xz.avail_in;
	reader->in_member = r != LZMA_STREAM_END;
	reader->ended = r == LZMA_STREAM_END;
	if (r == LZMA_MEM_ERROR)
		return -ENOMEM;
	return decoded(reader, len - reader->xz.avail_out,
		r != LZMA_OK && r != LZMA_BUF_ERROR && r != LZMA_STREAM_END);
}
#endif

#if HAVE_ZSTD
static ssize_t decode_zstd(Reader *reader, unsigned char *data, size_t len)
{
	/*
	 * Block by block, without the next one's header, and what it holds of the last block before all that: in a call that
	 * ends with an error, what was decoded before is lost too.
	 */
	size_t wants = reader->zstd_wants;
	size_t have = MIN(reader->len - reader->at,
		wants > ZSTD_BLOCK_HEADER ? wants - ZSTD_BLOCK_HEADER : wants);
	ZSTD_inBuffer in = {reader->input + reader->at, reader->zstd_holds ? 0 : have, 0};
	ZSTD_outBuffer out = {data, len, 0};
	size_t r = ZSTD_decompressStream(reader->zstd, &out, &in);

	if (!ZSTD_isError(r) && reader->zstd_holds && !out.pos) {
		in.size = have;
		r = ZSTD_decompressStream(reader->zstd, &out, &in);
	}
	reader->zstd_holds = out.pos == len;
	if (ZSTD_isError(r)) {
		if (ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation)
			return -ENOMEM;
		return decoded(reader, 0, true);
	}
	reader->at += in.pos;
	reader->in_member = r != 0;
	reader->zstd_wants = r ? r : ZSTD_FRAME_START;
	return (ssize_t)out.pos;
}
#endif

static ssize_t decode(Reader *reader, unsigned char *data, size_t len)
{
	switch (reader->format) {
	case FORMAT_GZIP: return decode_gzip(reader, data, len);
#if HAVE_LZMA
	case FORMAT_XZ: return decode_xz(reader, data, len);
#endif
#if HAVE_ZSTD
	case FORMAT_ZSTD: return decode_zstd(reader, data, len);
#endif
	default: return -ENOTSUP;
	}
}

static ssize_t read_plain(Reader *reader, void *data, size_t len)
{
	size_t have = reader->len - reader->at;
	ssize_t n;

	if (have) {
		have = MIN(have, len);
		memcpy(data, reader->input + reader->at, have);
		reader->at += have;
		return (ssize_t)have;
	}
	do
		n = read(reader->fd, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t reader_read(Reader *reader, void *data, size_t len)
{
	if (reader->format == FORMAT_PLAIN)
		return read_plain(reader, data, len);
	if (reader->damaged)
		return -EBADMSG;
	if (len > INT32_MAX)
		len = INT32_MAX;
	while (!reader->ended && len) {
		size_t before = reader->len - reader->at;
		ssize_t n;

		if (!before) {
			int r = fill(reader, 1);

			if (r < 0)
				return r;
			before = reader->len;
			if (!before && !reader->in_member)
				break;
		}
		n = decode(reader, data, len);
		if (n)
			return n;
		/* Nothing came out, nothing went in and nothing will follow: it was cut short. */
		if (!reader->ended && reader->input_ended && before == reader->len - reader->at)
			return decoded(reader, 0, true);
	}
	return 0;
}

int reader_skip(Reader *reader, uint64_t offset)
{
	if (reader->format != FORMAT_PLAIN)
		return -ESPIPE;
	if (lseek(reader->fd, (off_t)offset, SEEK_SET) < 0)
		return -errno;
	reader->at = reader->len = 0;
	reader->input_ended = false;
	return 0;
}

bool reader_compressed(const Reader *reader)
{
	return reader->format != FORMAT_PLAIN;
}

int reader_fd(const Reader *reader)
{
	return reader->fd;
}

int64_t reader_written_us(const Reader *reader, int64_t now_us)
{
	struct stat st;

	if (reader->gzip_time)
		return (int64_t)reader->gzip_time * 1000000;
	if (fstat(reader->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return now_us;
	return (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
}

/* ---- packing -------------------------------------------------------------------------------- */

struct Packer {
	StrBuf *out;
	z_stream gzip;
};

int packer_new(StrBuf *out, Packer **ret_packer)
{
	Packer *packer = calloc(1, sizeof(*packer));

	if (!packer)
		return -ENOMEM;
	packer->out = out;
	if (deflateInit2(&packer->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
		    Z_DEFAULT_STRATEGY) != Z_OK) {
		free(packer);
		return -ENOMEM;
	}
	*ret_packer = packer;
	return 0;
}

void packer_free(Packer *packer)
{
	if (!packer)
		return;
	(void)deflateEnd(&packer->gzip);
	free(packer);
}

/* Packs what is there; all of it when there was room left. */
static int pack(Packer *packer, int flush)
{
	do {
		char *to = strbuf_reserve(packer->out, OUTPUT_SIZE);

		if (!to)
			return strbuf_error(packer->out);
		packer->gzip.next_out = (unsigned char *)to;
		packer->gzip.avail_out = OUTPUT_SIZE;
		if (deflate(&packer->gzip, flush) == Z_STREAM_ERROR)
			return -EINVAL;
		packer->out->len += OUTPUT_SIZE - packer->gzip.avail_out;
		packer->out->data[packer->out->len] = '\0';
	} while (!packer->gzip.avail_out);
	return 0;
}

int packer_add(Packer *packer, Span bytes)
{
	int r = 0;

	/* zlib counts in unsigned int. */
	for (size_t n; bytes.len && !r; bytes = (Span){bytes.data + n, bytes.len - n}) {
		n = MIN(bytes.len, (size_t)1 << 30);
		packer->gzip.next_in = (const unsigned char *)bytes.data;
		packer->gzip.avail_in = (uInt)n;
		r = pack(packer, Z_NO_FLUSH);
	}
	return r;
}

int packer_end(Packer *packer)
{
	packer->gzip.next_in = NULL;
	packer->gzip.avail_in = 0;
	return pack(packer, Z_FINISH);
}
