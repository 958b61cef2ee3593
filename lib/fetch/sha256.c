/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fetch/sha256.h"

#include "base/file.h"

#include <sha2.h>

#define BLOCK_SIZE ((size_t)64 * 1024)

int sha256_of_file(int fd, char ret_sum[SHA256_TEXT_SIZE])
{
	_cleanup_free_ uint8_t *block = malloc(BLOCK_SIZE);
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX context;
	off_t at = 0;
	ssize_t n;

	if (!block)
		return -ENOMEM;
	SHA256Init(&context);
	while ((n = file_pread_full(fd, block, BLOCK_SIZE, at)) > 0) {
		SHA256Update(&context, block, (size_t)n);
		at += n;
	}
	if (n < 0)
		return (int)n;
	SHA256Final(digest, &context);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(ret_sum + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

/* Takes the next line that is not empty off the text, without its end. */
static bool take_line(Span *text, Span *ret_line)
{
	while (text->len) {
		const char *end = memchr(text->data, '\n', text->len);
		Span line = {text->data, end ? (size_t)(end - text->data) : text->len};
		size_t taken = line.len + (end != NULL);

		text->data += taken;
		text->len -= taken;
		while (line.len && strchr(" \t\r", line.data[line.len - 1]))
			line.len--;
		if (line.len) {
			*ret_line = line;
			return true;
		}
	}
	return false;
}

/* "HASH", "HASH  NAME", "HASH *NAME". */
static bool read_line(Span line, char sum[SHA256_TEXT_SIZE], Span *ret_name)
{
	size_t n = SHA256_TEXT_SIZE - 1, name;

	if (line.len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = line.data[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c + ('a' - 'A'));
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		sum[i] = c;
	}
	sum[n] = '\0';
	if (line.len > n && line.data[n] != ' ' && line.data[n] != '\t')
		return false;
	/* Whatever directory it lay in when it was summed up. */
	for (name = line.len; name > n && !strchr("/ \t*", line.data[name - 1]);)
		name--;
	*ret_name = (Span){line.data + name, line.len - name};
	return true;
}

int sha256_find(Span text, Span name, char ret_sum[SHA256_TEXT_SIZE], Why *ret_why)
{
	char sum[SHA256_TEXT_SIZE];
	Span line, named = SPAN_MISSING;
	size_t count = 0;

	while (take_line(&text, &line)) {
		if (!read_line(line, sum, &named)) {
			why_set(ret_why, "is no list of SHA-256 checksums");
			return -EBADMSG;
		}
		if (named.data && span_equal(named, name)) {
			memcpy(ret_sum, sum, sizeof(sum));
			return 0;
		}
		count++;
	}
	if (count != 1) {
		why_set(ret_why, count ? "holds no checksum of %.*s" : "holds no checksum",
			(int)name.len, name.data);
		return -EBADMSG;
	}
	memcpy(ret_sum, sum, sizeof(sum));
	return 0;
}
