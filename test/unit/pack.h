/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Compressed bytes for tests, made by the libraries themselves. */

#include <zlib.h>

#include "build-config.h"
#if HAVE_LZMA
#include <lzma.h>
#endif
#if HAVE_ZSTD
#include <zstd.h>
#endif

#include "scratch.h"

/* One gzip member; time is RFC 1952's MTIME, 0 for none. */
__attribute__((unused)) static void pack_gzip(
	StrBuf *sb, const void *data, size_t len, uint32_t time)
{
	z_stream z = {0};
	gz_header header = {.time = time, .os = 3};
	uLong size;

	MUST(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	MUST(deflateSetHeader(&z, &header) == Z_OK);
	size = deflateBound(&z, len);
	z.next_out = (unsigned char *)strbuf_reserve(sb, size);
	z.avail_out = (uInt)size;
	z.next_in = (unsigned char *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	MUST(deflate(&z, Z_FINISH) == Z_STREAM_END);
	sb->len += z.total_out;
	MUST(deflateEnd(&z) == Z_OK);
}

#if HAVE_LZMA
__attribute__((unused)) static void pack_xz(StrBuf *sb, const void *data, size_t len)
{
	size_t size = lzma_stream_buffer_bound(len), at = 0;
	uint8_t *out = (uint8_t *)strbuf_reserve(sb, size);

	MUST(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, data, len, out, &at, size) ==
		LZMA_OK);
	sb->len += at;
}
#endif

#if HAVE_ZSTD
__attribute__((unused)) static void pack_zstd(StrBuf *sb, const void *data, size_t len)
{
	size_t size = ZSTD_compressBound(len), n;
	ZSTD_CCtx *context = ZSTD_createCCtx();

	MUST(context);
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(context, strbuf_reserve(sb, size), size, data, len);
	MUST(!ZSTD_isError(n));
	sb->len += n;
	(void)ZSTD_freeCCtx(context);
}
#endif
