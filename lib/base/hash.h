/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): one keyed hash for what attackers can choose (tables
 * of addresses and names, with a random key) and for what must be compared over years (checksums
 * and the identity of logs, with the fixed key HASH_KEY_FIXED). Not a signature.
 */

#include "base/base.h"

typedef struct HashKey {
	uint64_t k0, k1;
} HashKey;

#define HASH_KEY_FIXED ((HashKey){0x6d61696c6c6f6773ULL, 0x656e74696e656c31ULL})

/* A key from getrandom(2); -errno when the kernel has none. */
int hash_key_random(HashKey *ret_key);

uint64_t hash_bytes(HashKey key, const void *data, size_t len);

/* The variant of 128 bits: long enough to tell byte strings apart by it alone. */
typedef struct HashDigest {
	uint64_t h0, h1;
} HashDigest;

HashDigest hash_digest(HashKey key, const void *data, size_t len);
