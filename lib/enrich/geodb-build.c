/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <malloc.h>

#include "base/digest.h"
#include "enrich/geodb-image.h"
#include "enrich/geodb-source.h"

/* Pairs of a country and a network, each once. */
typedef struct Pairs {
	Intern numbers;                    /* of the 8 bytes country, network */
	uint32_t country, network, number; /* the last one: neighbours are often alike */
} Pairs;

static void pairs_done(Pairs *pairs)
{
	intern_done(&pairs->numbers);
}

static int pair_number(Pairs *pairs, uint32_t country, uint32_t network, uint32_t *ret_number)
{
	uint32_t pair[2] = {country, network};
	int r;

	if (country != pairs->country || network != pairs->network) {
		r = intern_add(&pairs->numbers, pair, sizeof(pair), &pairs->number);
		if (r < 0)
			return r;
		pairs->country = country;
		pairs->network = network;
	}
	*ret_number = pairs->number;
	return 0;
}

/*
 * One of the lists that lie on top of each other, while they are gone through from the lowest
 * address up.
 */
typedef struct Layer {
	const IpSegments *segments;
	size_t at;
} Layer;

/*
 * The layer's value at the position; *next becomes the first address after it with another, if
 * that is lower.
 */
static uint32_t layer_value(Layer *layer, IpKey position, IpKey *next, bool *more)
{
	const IpSegments *segments = layer->segments;
	const IpSegment *s;
	IpKey border;

	while (layer->at < segments->count && ipkey_less(segments->items[layer->at].last, position))
		layer->at++;
	if (layer->at == segments->count)
		return 0;
	s = &segments->items[layer->at];
	if (ipkey_less(position, s->first)) {
		border = s->first;
	} else {
		if (ipkey_equal(s->last, IPKEY_MAX_V6))
			return s->value;
		border = ipkey_next(s->last);
	}
	if (!*more || ipkey_less(border, *next))
		*next = border;
	*more = true;
	return ipkey_less(position, s->first) ? 0 : s->value;
}

static int merge(IpTrieBuilder *builder, Pairs *pairs, IpFamily family, const IpSegments *countries,
	const IpSegments *networks, const IpSegments *special)
{
	Layer layers[] = {{countries, 0}, {networks, 0}, {special, 0}};
	IpKey position = IPKEY_ZERO, next = IPKEY_ZERO;
	bool more;

	do {
		uint32_t values[ARRAY_SIZE(layers)], number;
		int r;

		more = false;
		for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
			values[i] = layer_value(&layers[i], position, &next, &more);
		/* The databases label special-purpose ranges with nonsense. */
		if (values[2])
			values[0] = values[1] = 0;
		r = pair_number(pairs, values[0], values[1], &number);
		if (!r)
			r = iptrie_builder_add(builder, family, position, number);
		if (r < 0)
			return r;
		position = next;
		more = more && (family == IP_V6 || !ipkey_less(IPKEY_MAX_V4, position));
	} while (more);
	return 0;
}

static int special_segments(IpSegments *v4, IpSegments *v6)
{
	IpAddr first, last;
	int r = 0;

	for (size_t i = 0; !r && ipaddr_special_range(i, &first, &last); i++)
		r = ipsegments_add(first.family == IP_V4 ? v4 : v6, ipkey_from_addr(&first),
			ipkey_from_addr(&last), 1);
	if (!r)
		r = ipsegments_flatten(v4);
	if (!r)
		r = ipsegments_flatten(v6);
	return r;
}

static int merge_all(
	IpTrieBuilder *builder, Pairs *pairs, const GeoRows *country, const GeoRows *asn)
{
	_cleanup_(ipsegments_done) IpSegments special_v4 = {0}, special_v6 = {0};
	uint32_t unknown;
	int r = special_segments(&special_v4, &special_v6);

	if (!r)
		r = intern_add(&pairs->numbers, (const uint32_t[2]){0, 0}, 8, &unknown);
	if (!r)
		r = merge(builder, pairs, IP_V4, &country->v4, &asn->v4, &special_v4);
	if (!r)
		r = merge(builder, pairs, IP_V6, &country->v6, &asn->v6, &special_v6);
	return r;
}

/* What is written behind the trie. */
typedef struct Records {
	GeoPayload *payloads;
	StrBuf text;
} Records;

static void records_done(Records *records)
{
	free(records->payloads);
	strbuf_done(&records->text);
}

/* The organisation is a part of the text where nothing in it had to be escaped, else it follows. */
static int write_record(
	GeoPayload *payload, StrBuf *sb, const GeoText *text, uint32_t country, Span organisation)
{
	size_t start = sb->len, len;
	const char *found;
	char code[3];

	geo_country_code(country, code);
	text->append(sb, country ? (Span){code, 2} : SPAN_MISSING, payload->asn,
		organisation.len ? organisation : SPAN_MISSING);
	if (strbuf_error(sb))
		return strbuf_error(sb);
	len = sb->len - start;
	if (len > UINT16_MAX)
		return -EOVERFLOW;
	found = memmem(sb->data + start, len, organisation.data, organisation.len);
	payload->organisation_at = (uint16_t)(found ? found - (sb->data + start) : (ptrdiff_t)len);
	if (!found)
		strbuf_append_span(sb, organisation);
	memcpy(payload->country_code, code, 2);
	payload->text_offset = (uint32_t)start;
	payload->text_len = (uint16_t)len;
	payload->organisation_len = (uint8_t)organisation.len;
	return strbuf_error(sb);
}

static int write_records(
	Records *records, const Pairs *pairs, const GeoRows *asn, const GeoText *text)
{
	records->payloads = calloc(pairs->numbers.count, sizeof(*records->payloads));
	if (!records->payloads)
		return -ENOMEM;
	for (uint32_t i = 0; i < pairs->numbers.count; i++) {
		GeoPayload *payload = &records->payloads[i];
		Span organisation;
		uint32_t pair[2];
		int r;

		memcpy(pair, intern_get(&pairs->numbers, i).data, sizeof(pair));
		geo_network_get(asn, pair[1], &payload->asn, &organisation);
		r = write_record(payload, &records->text, text, pair[0], organisation);
		if (r < 0)
			return r;
	}
	return 0;
}

static GeoImageSource source_to_image(const GeoSource *source)
{
	return (GeoImageSource){
		.there = source->there,
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

static uint8_t *write_image(
	const GeoImage *header, const IpTrieBuilder *builder, const Records *records)
{
	uint8_t *image = calloc(1, header->size);

	if (!image)
		return NULL;
	memcpy(image, header, sizeof(*header));
	iptrie_builder_write(builder, image, &header->trie);
	memcpy(image + header->payloads.offset, records->payloads,
		header->payloads.count * sizeof(GeoPayload));
	if (records->text.len)
		memcpy(image + header->text.offset, records->text.data, records->text.len);
	return image;
}

static int finish(IpTrieBuilder *builder, const Records *records, uint32_t count,
	const GeoSource *sources, const GeoText *text, GeoDb **ret_db)
{
	_cleanup_free_ uint8_t *image = NULL;
	uint64_t size = sizeof(GeoImage), seal;
	GeoImage header = {
		.magic = GEO_IMAGE_MAGIC,
		.version = GEO_IMAGE_VERSION,
		.text_version = text->version,
		.segments_v4 = iptrie_builder_segments(builder, IP_V4),
		.segments_v6 = iptrie_builder_segments(builder, IP_V6),
	};
	int r = iptrie_builder_finish(builder, &size, &header.trie);

	if (r < 0)
		return r;
	for (size_t kind = 0; kind < GEO_KINDS; kind++)
		header.sources[kind] = source_to_image(&sources[kind]);
	header.payloads = block_array_place(&size, count, sizeof(GeoPayload));
	header.text = block_array_place(&size, records->text.len, 1);
	size = (size + sizeof(seal) - 1) / sizeof(seal) * sizeof(seal);
	header.size = size + sizeof(seal);
	if (header.size > GEO_IMAGE_MAX)
		return -EFBIG;
	image = write_image(&header, builder, records);
	if (!image)
		return -ENOMEM;
	seal = geo_image_seal(digest_bytes(image, size));
	memcpy(image + size, &seal, sizeof(seal));
	r = geo_image_open(&header, seal, image, NULL, ret_db);
	if (!r)
		image = NULL;
	return r;
}

static int build(const GeoRows *rows, const GeoSource *sources, const GeoText *text, GeoDb **ret_db)
{
	_cleanup_(iptrie_builder_freep) IpTrieBuilder *builder = NULL;
	_cleanup_(pairs_done) Pairs pairs = {0};
	_cleanup_(records_done) Records records = {.text = STRBUF_INIT};
	int r = iptrie_builder_new(&builder);

	if (r < 0)
		return r;
	r = intern_init(&pairs.numbers);
	if (r < 0)
		return r;
	r = merge_all(builder, &pairs, &rows[GEO_COUNTRY], &rows[GEO_ASN]);
	if (!r)
		r = write_records(&records, &pairs, &rows[GEO_ASN], text);
	if (r)
		return r;
	return finish(builder, &records, pairs.numbers.count, sources, text, ret_db);
}

static int read_and_build(
	GeoRows *rows, const GeoPaths *paths, const GeoText *text, GeoDb **ret_db, Why *ret_why)
{
	GeoSource sources[GEO_KINDS];
	int r;

	for (unsigned kind = 0; kind < GEO_KINDS; kind++) {
		r = geo_rows_init(&rows[kind], kind);
		if (r < 0) {
			why_set(ret_why, "IP databases: %s", strerror(-r));
			return r;
		}
		r = geo_source_read(paths->path[kind], &rows[kind], &sources[kind], ret_why);
		if (r < 0)
			return r;
	}
	r = build(rows, sources, text, ret_db);
	if (r < 0)
		why_set(ret_why, "IP databases: %s", strerror(-r));
	return r;
}

/*
 * Lists of many megabytes came and went; without this they stay with the process as holes in its
 * heap.
 */
static void give_back_memory(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}

int geodb_build(const GeoPaths *paths, const GeoText *text, GeoDb **ret_db, Why *ret_why)
{
	GeoRows rows[GEO_KINDS] = {0};
	int r = read_and_build(rows, paths, text, ret_db, ret_why);

	for (size_t kind = 0; kind < GEO_KINDS; kind++)
		geo_rows_done(&rows[kind]);
	give_back_memory();
	return r;
}
