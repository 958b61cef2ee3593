/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/hash.h"

#include "tap.h"

/* The key and the inputs of the paper and of its authors' code: 00 01 02 ... */
#define KEY ((HashKey){0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL})

static const struct {
	size_t len;
	uint64_t hash;
} hashes[] = {
	{0, 0x726fdb47dd0e0e31ULL},
	{8, 0x93f5f5799a932462ULL},
	{15, 0xa129ca6149be45e5ULL},
};

static const struct {
	size_t len;
	HashDigest digest;
} digests[] = {
	{0, {0xe6a825ba047f81a3ULL, 0x930255c71472f66dULL}},
	{1, {0x44af996bd8c187daULL, 0x45fc229b11597634ULL}},
};

int main(void)
{
	unsigned char input[16];

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (unsigned char)i;
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
		tap_ok(hash_bytes(KEY, input, hashes[i].len) == hashes[i].hash,
			"SipHash-2-4 of %zu bytes", hashes[i].len);
	for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
		HashDigest digest = hash_digest(KEY, input, digests[i].len);

		if (!tap_ok(digest.h0 == digests[i].digest.h0 && digest.h1 == digests[i].digest.h1,
			    "SipHash-2-4-128 of %zu bytes", digests[i].len))
			tap_note("%016" PRIx64 " %016" PRIx64, digest.h0, digest.h1);
	}
	return tap_done();
}
