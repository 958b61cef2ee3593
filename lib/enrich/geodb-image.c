/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/geodb-image.h"

_Static_assert(sizeof(GeoPayload) == 16, "read as two words, and the same in every build");

/* A bit in the first byte and one in the last: one of them is the file's last byte in any byte order. */
#define GEO_SEAL_ENDS 0x0100000000000001ULL

const char *geo_image_wrong(const GeoImage *header, uint64_t size)
{
	const uint64_t end = size - sizeof(uint64_t);

	if (header->magic != GEO_IMAGE_MAGIC)
		return "this is no image";
	if (header->version != GEO_IMAGE_VERSION)
		return "it is of another version";
	if (header->size != size || size % sizeof(uint64_t) || size > GEO_IMAGE_MAX ||
		size < sizeof(GeoImage) + sizeof(uint64_t))
		return "it is not whole";
	if (!iptrie_layout_valid(&header->trie, end) ||
		!block_array_valid(header->payloads, end, sizeof(GeoPayload)) ||
		!block_array_valid(header->text, end, 1))
		return "it is damaged";
	return NULL;
}

uint64_t geo_image_seal(uint64_t checksum)
{
	return checksum | GEO_SEAL_ENDS;
}
