/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/hash.h"

#include <endian.h>
#include <sys/random.h>

int hash_key_random(HashKey *ret_key)
{
	HashKey key;
	ssize_t n;

	do
		n = getrandom(&key, sizeof(key), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(key))
		return -EIO;
	*ret_key = key;
	return 0;
}

static inline uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

#define SIP_ROUND(v0, v1, v2, v3)                                             \
	do {                                                                  \
		v0 += v1, v1 = rotate(v1, 13), v1 ^= v0, v0 = rotate(v0, 32); \
		v2 += v3, v3 = rotate(v3, 16), v3 ^= v2;                      \
		v0 += v3, v3 = rotate(v3, 21), v3 ^= v0;                      \
		v2 += v1, v1 = rotate(v1, 17), v1 ^= v2, v2 = rotate(v2, 32); \
	} while (0)

/* v is the state that the key makes. */
static inline void add_bytes(uint64_t v[4], const void *data, size_t len)
{
	uint64_t v0 = v[0], v1 = v[1], v2 = v[2], v3 = v[3];
	uint64_t last = (uint64_t)len << 56, word;
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, p + i, 8);
		word = le64toh(word);
		v3 ^= word;
		SIP_ROUND(v0, v1, v2, v3);
		SIP_ROUND(v0, v1, v2, v3);
		v0 ^= word;
	}
	for (size_t shift = 0; i < len; i++, shift += 8)
		last |= (uint64_t)p[i] << shift;
	v3 ^= last;
	SIP_ROUND(v0, v1, v2, v3);
	SIP_ROUND(v0, v1, v2, v3);
	v0 ^= last;
	v[0] = v0, v[1] = v1, v[2] = v2, v[3] = v3;
}

static inline uint64_t finish(uint64_t v[4])
{
	for (int i = 0; i < 4; i++)
		SIP_ROUND(v[0], v[1], v[2], v[3]);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(HashKey key, const void *data, size_t len)
{
	uint64_t v[4] = {key.k0 ^ 0x736f6d6570736575ULL, key.k1 ^ 0x646f72616e646f6dULL,
		key.k0 ^ 0x6c7967656e657261ULL, key.k1 ^ 0x7465646279746573ULL};

	add_bytes(v, data, len);
	v[2] ^= 0xff;
	return finish(v);
}

HashDigest hash_digest(HashKey key, const void *data, size_t len)
{
	uint64_t v[4] = {key.k0 ^ 0x736f6d6570736575ULL, key.k1 ^ 0x646f72616e646f6dULL ^ 0xee,
		key.k0 ^ 0x6c7967656e657261ULL, key.k1 ^ 0x7465646279746573ULL};
	HashDigest digest;

	add_bytes(v, data, len);
	v[2] ^= 0xee;
	digest.h0 = finish(v);
	v[1] ^= 0xdd;
	digest.h1 = finish(v);
	return digest;
}
