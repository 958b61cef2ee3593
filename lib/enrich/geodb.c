/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/geodb.h"

#include <endian.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>

#include "enrich/geodb-csv.h"
#include "enrich/geodb-mmdb.h"
#include "enrich/iptrie.h"

/*
 * Larger than any database of countries or networks; City databases of the great vendors stay
 * below it too.
 */
#define FILE_SIZE_MAX ((off_t)512 << 20)

/* What an address gets: the trie's values are indexes of these. 0 is all unknown. */
typedef struct Payload {
	uint32_t asn;
	uint32_t text_offset; /* of the organisation, in text */
	uint8_t text_len;
	char country_code[2]; /* two zeros: unknown */
	uint8_t unused;
} Payload;

/*
 * The whole database is one block that starts with this: header, trie, payloads, text. It holds
 * offsets and no pointers, so that it can be written to a file and mapped as it is.
 */
typedef struct Image {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t size; /* of the block */
	uint64_t rows, rejected, segments_v4, segments_v6;
	IpTrieLayout trie;
	BlockArray payloads; /* Payload */
	BlockArray text;     /* char; no separators */
} Image;

#define IMAGE_MAGIC 0x4d4c5347656f4462ULL /* "MLSGeoDb" as a number: a foreign byte order shows */
#define IMAGE_VERSION 1

struct GeoDb {
	Image *image;
	IpTrie trie;
	const Payload *payloads;
	const char *text;
};

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

/* Copies the organisations into the block and says where each lies. */
static void write_text(Image *image, const GeoRows *asn, uint32_t *starts)
{
	char *text = (char *)image + image->text.offset;
	uint32_t at = 0;

	for (uint32_t i = 0; i < asn->networks.count; i++) {
		uint32_t number;
		Span organisation;

		geo_network_get(asn, i, &number, &organisation);
		starts[i] = at;
		if (organisation.len)
			memcpy(text + at, organisation.data, organisation.len);
		at += (uint32_t)organisation.len;
	}
}

static void write_payloads(
	Image *image, const Pairs *pairs, const GeoRows *asn, const uint32_t *starts)
{
	Payload *payloads = (Payload *)((char *)image + image->payloads.offset);

	for (uint32_t i = 0; i < pairs->numbers.count; i++) {
		Payload payload = {0};
		uint32_t pair[2];
		char code[3];
		Span organisation;

		memcpy(pair, intern_get(&pairs->numbers, i).data, sizeof(pair));
		geo_country_code(pair[0], code);
		memcpy(payload.country_code, code, 2);
		geo_network_get(asn, pair[1], &payload.asn, &organisation);
		payload.text_len = (uint8_t)organisation.len;
		payload.text_offset = starts[pair[1]];
		payloads[i] = payload;
	}
}

static int write_image(IpTrieBuilder *builder, const Pairs *pairs, const GeoRows *country,
	const GeoRows *asn, Image **ret_image)
{
	uint64_t size = sizeof(Image);
	_cleanup_free_ uint32_t *starts = NULL;
	_cleanup_free_ Image *image = NULL;
	BlockArray payloads, text;
	IpTrieLayout layout;
	int r = iptrie_builder_finish(builder, &size, &layout);

	if (r < 0)
		return r;
	payloads = block_array_place(&size, pairs->numbers.count, sizeof(Payload));
	text = block_array_place(
		&size, asn->networks.bytes.len - asn->networks.count * sizeof(uint32_t), 1);
	starts = reallocarray(NULL, asn->networks.count, sizeof(*starts));
	image = calloc(1, size);
	if (!starts || !image)
		return -ENOMEM;
	*image = (Image){
		.magic = IMAGE_MAGIC,
		.version = IMAGE_VERSION,
		.header_size = sizeof(Image),
		.size = size,
		.rows = country->rows + asn->rows,
		.rejected = country->rejected + asn->rejected,
		.segments_v4 = iptrie_builder_segments(builder, IP_V4),
		.segments_v6 = iptrie_builder_segments(builder, IP_V6),
		.trie = layout,
		.payloads = payloads,
		.text = text,
	};
	iptrie_builder_write(builder, image, &layout);
	write_text(image, asn, starts);
	write_payloads(image, pairs, asn, starts);
	*ret_image = TAKE(image);
	return 0;
}

static int build_image(const GeoRows *country, const GeoRows *asn, Image **ret_image)
{
	_cleanup_(iptrie_builder_freep) IpTrieBuilder *builder = NULL;
	_cleanup_(pairs_done) Pairs pairs = {0};
	int r = iptrie_builder_new(&builder);

	if (r < 0)
		return r;
	r = intern_init(&pairs.numbers);
	if (r < 0)
		return r;
	r = merge_all(builder, &pairs, country, asn);
	if (r < 0)
		return r;
	return write_image(builder, &pairs, country, asn, ret_image);
}

static int read_file(int fd, GeoRows *rows, Why *ret_why)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0) {
		r = -errno;
	} else if (S_ISDIR(st.st_mode)) {
		r = -EISDIR;
	} else if (!S_ISREG(st.st_mode)) {
		why_set(ret_why, "this is not a file");
		return -EINVAL;
	} else if (st.st_size > FILE_SIZE_MAX) {
		r = -EFBIG;
	} else if (!st.st_size) {
		why_set(ret_why, "the file is empty");
		return -EBADMSG;
	} else {
		r = geodb_mmdb_recognise(fd, st.st_size);
		if (r > 0)
			return geodb_mmdb_read(fd, st.st_size, rows, ret_why);
		if (!r)
			return geodb_csv_read(fd, rows, ret_why);
	}
	why_set(ret_why, "%s", strerror(-r));
	return r;
}

/* One database into flat lists; nothing when there is no path. */
static int load(const char *path, GeoRows *rows, Why *ret_why)
{
	_cleanup_close_ int fd = -1;
	Why why = {0};
	int r;

	if (!path)
		return 0;
	/* Not to wait for a writer when the path is a pipe's. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		r = -errno;
		why_set(ret_why, "%s: %s", path, strerror(-r));
		return r;
	}
	r = read_file(fd, rows, &why);
	if (!r) {
		r = ipsegments_flatten(&rows->v4);
		if (!r)
			r = ipsegments_flatten(&rows->v6);
		why_set(&why, "%s", strerror(-r));
	}
	if (r < 0)
		why_set(ret_why, "%s: %s", path, why.text);
	return r;
}

static int load_both(
	const char *country_path, const char *asn_path, Image **ret_image, Why *ret_why)
{
	_cleanup_(geo_rows_done) GeoRows country = {0}, asn = {0};
	int r = geo_rows_init(&country, GEO_COUNTRY);

	if (!r)
		r = geo_rows_init(&asn, GEO_ASN);
	if (r < 0) {
		why_set(ret_why, "%s", strerror(-r));
		return r;
	}
	r = load(country_path, &country, ret_why);
	if (!r)
		r = load(asn_path, &asn, ret_why);
	if (r < 0)
		return r;
	r = build_image(&country, &asn, ret_image);
	if (r < 0)
		why_set(ret_why, "%s", strerror(-r));
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

int geodb_new(const char *country_path, const char *asn_path, GeoDb **ret_db, Why *ret_why)
{
	_cleanup_free_ Image *image = NULL;
	GeoDb *db;
	int r = load_both(country_path, asn_path, &image, ret_why);

	give_back_memory();
	if (r < 0)
		return r;
	db = malloc(sizeof(*db));
	if (!image || !db) {
		free(db);
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	*db = (GeoDb){
		.trie = iptrie_open(image, &image->trie),
		.payloads = (const Payload *)((const char *)image + image->payloads.offset),
		.text = (const char *)image + image->text.offset,
		.image = image,
	};
	image = NULL;
	*ret_db = db;
	return 0;
}

void geodb_free(GeoDb *db)
{
	if (!db)
		return;
	free(db->image);
	free(db);
	give_back_memory();
}

void geodb_counts(const GeoDb *db, GeoCounts *ret_counts)
{
	*ret_counts = (GeoCounts){
		.rows = db->image->rows,
		.rejected = db->image->rejected,
		.segments_v4 = db->image->segments_v4,
		.segments_v6 = db->image->segments_v6,
		.size_bytes = db->image->size,
	};
}

void geodb_lookup(const GeoDb *db, const IpAddr *addr, GeoRecord *ret_record)
{
	const Payload *payload;
	uint32_t number = 0;

	*ret_record = (GeoRecord){.organisation = SPAN_MISSING};
	if (!db || addr->family == IP_UNKNOWN)
		return;
	if (addr->family == IP_V4)
		number = iptrie_get_v4(&db->trie, (uint32_t)ipkey_from_addr(addr).lo);
	else
		number = iptrie_get_v6(&db->trie, ipkey_from_addr(addr));
	payload = &db->payloads[number];
	memcpy(ret_record->country_code, payload->country_code, sizeof(payload->country_code));
	ret_record->asn = payload->asn;
	if (payload->text_len)
		ret_record->organisation =
			(Span){db->text + payload->text_offset, payload->text_len};
}
