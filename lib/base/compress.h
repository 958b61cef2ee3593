/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Bytes of a file that may be compressed: gzip, xz and zstd (where built in) are recognised by their
 * first bytes, never by name; everything else is read as it is. Works on pipes too. Concatenated
 * members are one stream; what follows the last gzip member and is none is ignored, as gzip(1) does.
 */

#include "base/strbuf.h"

typedef struct Reader Reader;

/* Takes fd over, also on failure. 0, -errno, or -ENOTSUP for a format that is not built in. */
int reader_new(int fd_take, Reader **ret_reader);
void reader_free(Reader *reader);
DEFINE_CLEANUP(Reader *, reader_freep, reader_free)

/*
 * Up to len bytes: their number, 0 at the end, -EBADMSG when the compressed data is damaged or cut
 * short (all bytes before the damage have been returned; it stays so), or -errno.
 */
ssize_t reader_read(Reader *reader, void *data, size_t len);

/*
 * Goes on at offset of an uncompressed file (before or behind what was read). 0 or -errno, -ESPIPE
 * for a pipe or a compressed file.
 */
int reader_skip(Reader *reader, uint64_t offset);

bool reader_compressed(const Reader *reader);

/* Whether a file that starts with these bytes (10 are enough) is compressed in one of these ways, built in or not. */
bool reader_recognises(Span start);

/* Borrowed. */
int reader_fd(const Reader *reader);

/*
 * When the content was written: the time in a gzip header (RFC 1952 MTIME), else the file's
 * modification time, else (a pipe) now_us.
 */
int64_t reader_written_us(const Reader *reader, int64_t now_us);

/* Bytes that come in pieces, as one gzip member without a name or a time, so that the same bytes give the same. */
typedef struct Packer Packer;

/* What is packed is appended to out, borrowed. 0 or -ENOMEM. */
int packer_new(StrBuf *out, Packer **ret_packer);
void packer_free(Packer *packer);
DEFINE_CLEANUP(Packer *, packer_freep, packer_free)

/* 0 or -errno (of out, too). Some of it may come out later. */
int packer_add(Packer *packer, Span bytes);

/* All comes out; nothing is added any more. 0 or -errno. */
int packer_end(Packer *packer);
