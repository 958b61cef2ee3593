/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* SHA-256, as checksum files hold it: the lines of sha256sum(1), "HASH  NAME", or a hash alone. */

#include "base/base.h"

/* 64 lower-case hexadecimal digits and a NUL. */
#define SHA256_TEXT_SIZE 65

/* Of all that the file holds; its offset stays. 0 or -errno. */
int sha256_of_file(int fd, char ret_sum[SHA256_TEXT_SIZE]);

/*
 * The checksum of the file called name (without directories) in the text of a checksum file; a text with one line may name it
 * differently. 0, or -EBADMSG with *ret_why.
 */
int sha256_find(Span text, Span name, char ret_sum[SHA256_TEXT_SIZE], Why *ret_why);
