/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/digest.h"

/* Its code comes with the header: no library to be found and linked at each start. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <stdio.h>

struct Digest {
	XXH3_state_t *state;
};

int digest_new(Digest **ret_digest)
{
	_cleanup_(digest_freep) Digest *digest = calloc(1, sizeof(*digest));

	if (!digest)
		return -ENOMEM;
	digest->state = XXH3_createState();
	if (!digest->state || XXH3_64bits_reset(digest->state) != XXH_OK)
		return -ENOMEM;
	*ret_digest = TAKE(digest);
	return 0;
}

void digest_free(Digest *digest)
{
	if (!digest)
		return;
	(void)XXH3_freeState(digest->state);
	free(digest);
}

void digest_add(Digest *digest, const void *data, size_t len)
{
	/* It fails for a missing state or missing data alone. */
	if (len)
		(void)XXH3_64bits_update(digest->state, data, len);
}

void digest_reset(Digest *digest)
{
	/* It fails for a missing state alone. */
	(void)XXH3_64bits_reset(digest->state);
}

uint64_t digest_get(const Digest *digest)
{
	return XXH3_64bits_digest(digest->state);
}

void digest_get_text(const Digest *digest, char ret_text[DIGEST_TEXT_LEN + 1])
{
	/* Both widths begin and go on alike. */
	XXH128_hash_t hash = XXH3_128bits_digest(digest->state);

	(void)snprintf(ret_text, DIGEST_TEXT_LEN + 1, "%016" PRIx64 "%016" PRIx64, hash.high64,
		hash.low64);
}

uint64_t digest_bytes(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}
