/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/hash.h"

#include "base/digest.h"
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

/* What libxxhash has for 0, 1, 2, ... in one piece. */
static const struct {
	size_t len;
	const char *text;
} texts[] = {
	{0, "99aa06d3014798d86001c324468d497f"},
	{1, "a6cd5e9392000f6ac44bdff4074eecdb"},
	{1000, "076f7e02b7120d2ad33dd80b46f60e50"},
};

static void test_texts(void)
{
	unsigned char input[1000];
	Digest *digest = NULL;

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (unsigned char)i;
	for (size_t i = 0; i < ARRAY_SIZE(texts) && !digest_new(&digest); i++) {
		char text[DIGEST_TEXT_LEN + 1] = "", again[DIGEST_TEXT_LEN + 1] = "";

		for (size_t at = 0; at < texts[i].len; at += 7)
			digest_add(digest, input + at, MIN((size_t)7, texts[i].len - at));
		digest_get_text(digest, text);
		digest_reset(digest);
		digest_add(digest, input, texts[i].len);
		digest_get_text(digest, again);
		if (!tap_ok(!strcmp(text, texts[i].text) && !strcmp(again, texts[i].text) &&
				    digest_get(digest) == digest_bytes(input, texts[i].len),
			    "XXH3 of %zu bytes, in pieces and in one", texts[i].len))
			tap_note("%s %s", text, again);
		digest_free(TAKE(digest));
	}
}

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
	test_texts();
	return tap_done();
}
