/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/geodb.h"

#include <malloc.h>

#include "enrich/geodb-image.h"

struct GeoDb {
	GeoImage header; /* a copy that nobody else can change */
	GeoSource sources[GEO_KINDS];
	const uint8_t *image;
	const uint64_t *seal; /* in the image */
	uint64_t expected_seal;
	IpTrie trie;
	const GeoPayload *payloads;
	const char *text;
	uint8_t *memory;  /* that the image is in, or */
	Mapping *mapping; /* that it is */
};

static GeoSource source_from_image(const GeoImageSource *source)
{
	return (GeoSource){
		.there = source->there != 0,
		.size_bytes = source->size_bytes,
		.mtime_ns = source->mtime_ns,
		.hash = source->hash,
		.date_us = source->date_us,
		.rows = source->rows,
		.rejected = source->rejected,
		.ranges_v4 = source->ranges_v4,
		.ranges_v6 = source->ranges_v6,
		.covered_v4 = source->covered_v4,
		.covered_v6 = source->covered_v6,
	};
}

int geo_image_open(
	const GeoImage *header, uint64_t seal, uint8_t *memory, Mapping *mapping, GeoDb **ret_db)
{
	GeoDb *db = malloc(sizeof(*db));
	const uint8_t *image = mapping ? mapping_data(mapping) : memory;

	if (!db)
		return -ENOMEM;
	*db = (GeoDb){
		.header = *header,
		.image = image,
		.seal = (const uint64_t *)(image + header->size - sizeof(uint64_t)),
		.expected_seal = seal,
		.trie = iptrie_open(image, &header->trie),
		.payloads = (const GeoPayload *)(image + header->payloads.offset),
		.text = (const char *)image + header->text.offset,
		.memory = memory,
		.mapping = mapping,
	};
	for (size_t kind = 0; kind < GEO_KINDS; kind++)
		db->sources[kind] = source_from_image(&header->sources[kind]);
	*ret_db = db;
	return 0;
}

Span geo_image_bytes(const GeoDb *db)
{
	return (Span){(const char *)db->image, db->header.size};
}

void geodb_free(GeoDb *db)
{
	bool built;

	if (!db)
		return;
	built = db->memory;
	free(db->memory);
	mapping_free(db->mapping);
	free(db);
#ifdef __GLIBC__
	/* Without this it stays with the process as a hole in its heap. */
	if (built)
		(void)malloc_trim(0);
#endif
}

const GeoSource *geodb_source(const GeoDb *db, GeoKind kind)
{
	return &db->sources[kind];
}

void geodb_counts(const GeoDb *db, GeoCounts *ret_counts)
{
	GeoCounts counts = {
		.segments_v4 = db->header.segments_v4,
		.segments_v6 = db->header.segments_v6,
		.size_bytes = db->header.size,
	};

	for (size_t kind = 0; kind < GEO_KINDS; kind++) {
		counts.rows += db->sources[kind].rows;
		counts.rejected += db->sources[kind].rejected;
	}
	*ret_counts = counts;
}

bool geodb_is_lost(const GeoDb *db)
{
	/* What the caller has read of the image was read before the seal, on every processor. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(db->seal, __ATOMIC_RELAXED) != db->expected_seal;
}

/* In whole words: each is read once, so that what is checked is what is used. False: there is none. */
static bool read_payload(const GeoDb *db, uint32_t number, GeoPayload *ret_payload)
{
	const uint64_t *from;
	uint64_t words[2];
	uint32_t reach;

	if (UNLIKELY(number >= db->header.payloads.count))
		return false;
	from = (const uint64_t *)&db->payloads[number];
	words[0] = __atomic_load_n(&from[0], __ATOMIC_RELAXED);
	words[1] = __atomic_load_n(&from[1], __ATOMIC_RELAXED);
	memcpy(ret_payload, words, sizeof(words));
	reach = (uint32_t)ret_payload->organisation_at + ret_payload->organisation_len;
	reach = MAX(reach, ret_payload->text_len);
	return (uint64_t)ret_payload->text_offset + reach <= db->header.text.count;
}

void geodb_lookup(const GeoDb *db, const IpAddr *addr, GeoRecord *ret_record)
{
	GeoPayload payload;
	uint32_t number = 0;

	*ret_record = (GeoRecord){.organisation = SPAN_MISSING, .text = SPAN_MISSING};
	if (!db)
		return;
	if (addr->family == IP_V4)
		number = iptrie_get_v4(&db->trie, (uint32_t)ipkey_from_addr(addr).lo);
	else if (addr->family == IP_V6)
		number = iptrie_get_v6(&db->trie, ipkey_from_addr(addr));
	/* The seal last: while it is there, all that was read before it was. */
	if (UNLIKELY(!read_payload(db, number, &payload) || geodb_is_lost(db)))
		return;
	memcpy(ret_record->country_code, payload.country_code, sizeof(payload.country_code));
	ret_record->asn = payload.asn;
	ret_record->text = (Span){db->text + payload.text_offset, payload.text_len};
	if (payload.organisation_len)
		ret_record->organisation = (Span){
			ret_record->text.data + payload.organisation_at, payload.organisation_len};
}
