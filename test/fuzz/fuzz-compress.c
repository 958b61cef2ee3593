/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Compressed files: two bytes say where the file is cut, two how large the pieces are in which it is read, the rest is the
 * file. It says the same in whatever pieces; what is read of a part of it is how the whole begins; what it says at
 * the end it says again.
 */

#include "fuzz.h"

#include <fcntl.h>

#include "base/compress.h"

#define OUTPUT_MAX ((size_t)256 << 10) /* what grows beyond that (bombs do) is not read on */

/* 0 at the end of the file, 1 when there was more than OUTPUT_MAX, or -errno. */
static int read_all(Span file, size_t step, StrBuf *ret_output)
{
	_cleanup_(reader_freep) Reader *reader = NULL;
	int fd = open(fuzz_memory_file(file.data, file.len), O_RDONLY | O_CLOEXEC), r;
	ssize_t n;

	HOLDS(fd >= 0);
	strbuf_reset(ret_output);
	r = reader_new(fd, &reader);
	if (r) {
		HOLDS(r == -ENOTSUP);
		return r;
	}
	for (;;) {
		char *to = strbuf_reserve(ret_output, step);

		HOLDS(to);
		n = reader_read(reader, to, step);
		HOLDS(n <= (ssize_t)step);
		if (n <= 0)
			break;
		ret_output->len += (size_t)n;
		if (ret_output->len > OUTPUT_MAX)
			return 1;
	}
	for (int i = 0; i < 3; i++) {
		char byte;

		HOLDS(reader_read(reader, &byte, 1) == n);
	}
	HOLDS(!n || (n == -EBADMSG && reader_compressed(reader)));
	if (!reader_compressed(reader))
		HOLDS(ret_output->len == file.len &&
			!memcmp(strbuf_text(ret_output), file.data, file.len));
	return (int)n;
}

static bool begins(const StrBuf *part, const StrBuf *whole)
{
	size_t n = MIN(part->len, OUTPUT_MAX);

	return whole->len >= n && !memcmp(strbuf_text(part), strbuf_text(whole), n);
}

FUZZ_TARGET(compress)
{
	static StrBuf whole, pieces, part;
	FuzzInput input = {data, size};
	size_t cut = (size_t)fuzz_take(&input, 2), step = (size_t)fuzz_take(&input, 2) + 1;
	Span file = fuzz_rest(&input);
	/* liblzma sees some damage only at the end of a call, and gives out what it made of it until then. */
	bool loose = span_starts_with(file, "\3757zXZ");
	int end = read_all(file, 65536, &whole), r;

	r = read_all(file, MIN(step, (size_t)5000), &pieces);
	loose = loose && r < 0;
	HOLDS(r == end);
	HOLDS(begins(&pieces, &whole) || (loose && begins(&whole, &pieces)));
	HOLDS(begins(&whole, &pieces) || (loose && begins(&pieces, &whole)));
	file.len = cut % (file.len + 1);
	/* Too short to be recognised, it is read as it is. */
	if (file.len < 10)
		return 0;
	(void)read_all(file, 4096, &part);
	HOLDS(begins(&part, &whole) || (loose && begins(&whole, &part)));
	return 0;
}
