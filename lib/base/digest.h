/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * XXH3 of 64 or 128 bits: a fast checksum of much data, against damage and for telling files apart. Unkeyed: who writes
 * the data can make two that are alike. Tables of what attackers choose use base/hash.
 */

#include "base/base.h"

/* Of bytes that come in pieces. */
typedef struct Digest Digest;

/* 0 or -ENOMEM. */
int digest_new(Digest **ret_digest);
void digest_free(Digest *digest);
DEFINE_CLEANUP(Digest *, digest_freep, digest_free)

void digest_add(Digest *digest, const void *data, size_t len);

/* Forgets what was added. */
void digest_reset(Digest *digest);

/* Of all that was added so far. */
uint64_t digest_get(const Digest *digest);

#define DIGEST_TEXT_LEN 32
/* The same in 128 bits, as hexadecimal digits, NUL-terminated. */
void digest_get_text(const Digest *digest, char ret_text[DIGEST_TEXT_LEN + 1]);

/* Of bytes that lie together. */
uint64_t digest_bytes(const void *data, size_t len);
