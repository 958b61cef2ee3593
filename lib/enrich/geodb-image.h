/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The form of a GeoDb's image, for those who build, write and open it: header, trie, payloads, text, and
 * behind all the seal, which is made from the checksum of what lies before it. Everything is in the machine's
 * byte order; arrays start at cache lines.
 *
 * The seal is also how a reader sees that the file was cut or overwritten while it was mapped: in no other image is
 * it the same, and its last byte is never 0, which is what the kernel puts where the last byte of a file was.
 */

#include "base/mapping.h"
#include "enrich/geodb.h"
#include "enrich/iptrie.h"

#define GEO_IMAGE_MAGIC \
	0x4d4c5347656f4462ULL /* "MLSGeoDb" as a number: a foreign byte order shows */
#define GEO_IMAGE_VERSION 3
#define GEO_IMAGE_MAX ((uint64_t)1 << 30)

/* GeoSource without a byte that could be anything. */
typedef struct GeoImageSource {
	uint64_t there, size_bytes;
	int64_t mtime_ns;
	uint64_t hash;
	int64_t date_us;
	uint64_t rows, rejected, ranges_v4, ranges_v6, covered_v4, covered_v6;
} GeoImageSource;

typedef struct GeoImage {
	uint64_t magic;
	uint32_t version, text_version;
	uint64_t size; /* of all, with the seal */
	GeoImageSource sources[GEO_KINDS];
	uint64_t segments_v4, segments_v6;
	IpTrieLayout trie;   /* its values are indexes of payloads */
	BlockArray payloads; /* GeoPayload; the first one is all unknown */
	BlockArray text;     /* char */
} GeoImage;

/* What an address gets. */
typedef struct GeoPayload {
	uint32_t text_offset; /* of the ready-made text */
	uint32_t asn;
	uint16_t text_len;
	uint16_t organisation_at; /* counted from text_offset */
	uint8_t organisation_len;
	char country_code[2]; /* two zeros: unknown */
	uint8_t unused;
} GeoPayload;

/* Whether all parts lie within an image of this size, and fit each other. NULL; else what is wrong. */
const char *geo_image_wrong(const GeoImage *header, uint64_t size);

/* The seal of an image's bytes: their checksum, but for two bits that are always set. */
uint64_t geo_image_seal(uint64_t checksum);

/*
 * The database on an image: in memory, which it takes, or mapped, which it takes. The header is one that geo_image_wrong
 * lets pass. 0 or -ENOMEM (nothing is taken).
 */
int geo_image_open(
	const GeoImage *header, uint64_t seal, uint8_t *memory, Mapping *mapping, GeoDb **ret_db);

/* The image's bytes, borrowed. */
Span geo_image_bytes(const GeoDb *db);
