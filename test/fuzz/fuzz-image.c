/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The image of the IP databases. The input is an address (a byte for the family, then 16) that is asked beside some that
 * the image knows, then changes to the image of a small sample, of four bytes each: in which part of it, two bytes where,
 * and what to change there. The seal is made to fit. What is loaded from a file answers as the same bytes in memory of just their
 * size, where a byte too far is seen.
 */

#include "fuzz.h"

#include "../unit/geodb-sample.h"
#include "base/digest.h"
#include "enrich/geodb-image.h"

static const char *const known[] = {"5.0.0.1", "5.0.1.1", "6.0.1.7", "12.0.1.44", "13.0.0.0",
	"223.255.255.255", "2a00::4", "2a00:0:0:1::5", "2a00:0:0:7::100",
	"2a00:0:0:8::", "2a01::", "::2", "ffff::"};

typedef struct Sample {
	StrBuf image;
	char paths[GEO_KINDS][64];
} Sample;

static GeoPaths paths_of(const Sample *sample)
{
	return (GeoPaths){{sample->paths[GEO_COUNTRY], sample->paths[GEO_ASN]}};
}

static void make_sample(Sample *sample)
{
	_cleanup_strbuf_ StrBuf country = STRBUF_INIT, asn = STRBUF_INIT;
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	GeoPaths paths = paths_of(sample);
	Why why;

	write_form(&country, 6, MMDB_FLAT);
	write_form(&asn, 7, MMDB_FLAT);
	/* They stay open: an image is one of databases that are there. */
	(void)memory_file((Span){country.data, country.len}, sample->paths[GEO_COUNTRY]);
	(void)memory_file((Span){asn.data, asn.len}, sample->paths[GEO_ASN]);
	HOLDS(!geodb_build(&paths, &geo_csv_text, &db, &why));
	strbuf_append_span(&sample->image, geo_image_bytes(db));
	HOLDS(!strbuf_error(&sample->image));
}

/* Roots are mostly of chunks in which there is nothing: those that the sample uses come first. */
static size_t find_place(const GeoImage *header, size_t part, size_t at)
{
	const struct {
		BlockArray array;
		size_t element_size, start;
	} parts[] = {
		{{0, sizeof(*header)}, 1, 0},
		{header->trie.v4_root, 4, 5 * 256 * 4},
		{header->trie.v4_chunks, 4, 0},
		{header->trie.v6_root, 4, 0x2a00 * 4},
		{header->trie.v6_sample, 4, 0},
		{header->trie.v6_key, 4, 0},
		{header->trie.v6_value, 4, 0},
		{header->trie.site_root, 4, 0},
		{header->trie.site_key, 2, 0},
		{header->trie.site_value, 4, 0},
		{header->trie.subnet_root, 4, 0},
		{header->trie.subnet_key, 8, 0},
		{header->trie.subnet_value, 4, 0},
		{header->payloads, sizeof(GeoPayload), 0},
		{header->text, 1, 0},
	};
	size_t size;

	part %= ARRAY_SIZE(parts);
	size = parts[part].array.count * parts[part].element_size;
	return parts[part].array.offset + (size ? (parts[part].start + at) % size : 0);
}

static void change(const Sample *sample, FuzzInput *input, uint8_t *image, size_t size)
{
	const GeoImage *header = (const GeoImage *)sample->image.data;
	uint64_t seal;

	while (input->size >= 4) {
		size_t part = (size_t)fuzz_take(input, 1), at = (size_t)fuzz_take(input, 2);

		image[find_place(header, part, at) % size] ^= (uint8_t)fuzz_take(input, 1);
	}
	seal = geo_image_seal(digest_bytes(image, size - sizeof(seal)));
	memcpy(image + size - sizeof(seal), &seal, sizeof(seal));
}

static void check_answers(const GeoDb *a, const GeoDb *b, const IpAddr *addr)
{
	GeoRecord x, y;

	geodb_lookup(a, addr, &x);
	geodb_lookup(b, addr, &y);
	HOLDS(!strcmp(x.country_code, y.country_code) && x.asn == y.asn);
	HOLDS(span_equal(x.organisation, y.organisation) && span_equal(x.text, y.text));
}

FUZZ_TARGET(image)
{
	static Sample sample;
	_cleanup_(geodb_freep) GeoDb *mapped = NULL, *held = NULL;
	FuzzInput input = {data, size};
	IpAddr addr = {.family = fuzz_take(&input, 1) & 1 ? IP_V6 : IP_V4};
	GeoImage header;
	GeoPaths paths;
	uint8_t *image;
	uint64_t seal;
	Why why = {0};
	size_t len;
	int r;

	if (!sample.image.len)
		make_sample(&sample);
	for (size_t i = 0; i < 16; i++)
		addr.bytes[i] = (uint8_t)fuzz_take(&input, 1);
	if (addr.family == IP_V4)
		memset(addr.bytes + 4, 0, 12);
	len = sample.image.len;
	image = malloc(len);
	HOLDS(image);
	memcpy(image, sample.image.data, len);
	change(&sample, &input, image, len);
	paths = paths_of(&sample);
	r = geodb_load(fuzz_memory_file(image, len), &paths, &geo_csv_text, &mapped, &why);
	HOLDS(!r || (r == GEODB_STALE && why.text[0]));
	if (r) {
		free(image);
		return 0;
	}
	memcpy(&header, image, sizeof(header));
	memcpy(&seal, image + len - sizeof(seal), sizeof(seal));
	HOLDS(!geo_image_wrong(&header, len));
	HOLDS(!geo_image_open(&header, seal, image, NULL, &held));
	check_answers(mapped, held, &addr);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		HOLDS(!ipaddr_parse(span_from_string(known[i]), &addr));
		check_answers(mapped, held, &addr);
	}
	HOLDS(!geodb_is_lost(mapped) && !geodb_is_lost(held));
	return 0;
}
