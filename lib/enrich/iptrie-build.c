/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/iptrie.h"

typedef struct Entries {
	uint64_t *keys;
	uint32_t *values;
	size_t count, size;
} Entries;

/* Where the pieces of an array start. */
typedef struct Roots {
	uint32_t *items;
	size_t count, size;
} Roots;

struct IpTrieBuilder {
	uint32_t v4_root[IPTRIE_CHUNKS + 1], v6_root[IPTRIE_CHUNKS + 1];
	uint32_t v4_chunk, v6_chunk; /* the chunk that is being filled */
	uint32_t *v4_words;          /* the chunks before it, as they lie in the block */
	size_t v4_count, v4_size;
	Entries v4; /* of the chunk that is being filled */
	Entries v6, site, subnet;
	Roots sites, subnets;        /* that are cut inside */
	uint32_t v4_value, v6_value; /* what holds from the last border on */
	IpKey v4_last, v6_last;
	uint64_t v4_segments, v6_segments;
	bool site_cut, subnet_cut; /* those of the last border */
};

static int entries_add(Entries *entries, uint64_t key, uint32_t value)
{
	if (!entries->keys || entries->count == entries->size) {
		size_t size = entries->size ? entries->size * 2 : 4096;
		uint64_t *keys;
		uint32_t *values;

		if (size > IPTRIE_ENTRIES_MAX)
			return -EFBIG;
		keys = reallocarray(entries->keys, size, sizeof(*keys));
		if (!keys)
			return -ENOMEM;
		entries->keys = keys;
		values = reallocarray(entries->values, size, sizeof(*values));
		if (!values)
			return -ENOMEM;
		entries->values = values;
		entries->size = size;
	}
	entries->keys[entries->count] = key;
	entries->values[entries->count++] = value;
	return 0;
}

int iptrie_builder_new(IpTrieBuilder **ret_builder)
{
	_cleanup_(iptrie_builder_freep) IpTrieBuilder *builder = calloc(1, sizeof(*builder));
	int r;

	if (!builder)
		return -ENOMEM;
	builder->v4_segments = builder->v6_segments = 1;
	r = entries_add(&builder->v4, 0, 0);
	if (!r)
		r = entries_add(&builder->v6, 0, 0);
	if (r < 0)
		return r;
	*ret_builder = TAKE(builder);
	return 0;
}

static void entries_done(Entries *entries)
{
	free(entries->keys);
	free(entries->values);
}

void iptrie_builder_free(IpTrieBuilder *builder)
{
	if (!builder)
		return;
	entries_done(&builder->v4);
	entries_done(&builder->v6);
	entries_done(&builder->site);
	entries_done(&builder->subnet);
	free(builder->v4_words);
	free(builder->sites.items);
	free(builder->subnets.items);
	free(builder);
}

/* The chunk that is being filled is complete: packs it. */
static int v4_end_chunk(IpTrieBuilder *builder)
{
	const Entries *v4 = &builder->v4;
	/* The one entry of a chunk starts where the chunk does. */
	size_t suffix_words = v4->count > 1 ? (v4->count + 1) / 2 : 0,
	       words = suffix_words + v4->count;
	uint32_t *to;
	uint16_t *suffix;

	if (builder->v4_count + words > builder->v4_size) {
		size_t size = MAX(builder->v4_size * 2, builder->v4_count + words + 65536);

		if (size > IPTRIE_ENTRIES_MAX)
			return -EFBIG;
		to = reallocarray(builder->v4_words, size, sizeof(*to));
		if (!to)
			return -ENOMEM;
		builder->v4_words = to;
		builder->v4_size = size;
	}
	to = builder->v4_words + builder->v4_count;
	suffix = (uint16_t *)to;
	if (suffix_words) {
		to[suffix_words - 1] = 0;
		for (size_t i = 0; i < v4->count; i++)
			suffix[i] = (uint16_t)v4->keys[i];
	}
	for (size_t i = 0; i < v4->count; i++)
		to[suffix_words + i] = v4->values[i];
	builder->v4_count += words;
	builder->v4_root[++builder->v4_chunk] = (uint32_t)builder->v4_count;
	builder->v4.count = 0;
	return 0;
}

/* Every chunk up to this one begins with an entry for what holds at its start. */
static int v4_advance(IpTrieBuilder *builder, uint32_t chunk)
{
	while (builder->v4_chunk < chunk) {
		int r = v4_end_chunk(builder);

		if (!r)
			r = entries_add(&builder->v4, 0, builder->v4_value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int v4_add(IpTrieBuilder *builder, uint32_t first, uint32_t value)
{
	int r = v4_advance(builder, first >> 16);

	if (r < 0)
		return r;
	builder->v4_value = value;
	if (!(first & 0xffff)) {
		builder->v4.values[builder->v4.count - 1] = value;
		return 0;
	}
	return entries_add(&builder->v4, first & 0xffff, value);
}

/* The entry that starts at the key: the last one of the piece that is being filled, or a new one. */
static int entries_put(Entries *entries, uint64_t key, uint32_t value)
{
	if (entries->keys[entries->count - 1] != key)
		return entries_add(entries, key, value);
	entries->values[entries->count - 1] = value;
	return 0;
}

static int roots_add(Roots *roots, size_t start)
{
	if (roots->count == roots->size) {
		size_t size = roots->size ? roots->size * 2 : 1024;
		uint32_t *items = reallocarray(roots->items, size, sizeof(*items));

		if (!items)
			return -ENOMEM;
		roots->items = items;
		roots->size = size;
	}
	roots->items[roots->count++] = (uint32_t)start;
	return 0;
}

#define SITE_OF(hi) ((hi) >> 16)
#define SITE_KEY(hi) (SITE_OF(hi) & UINT32_MAX)
#define SUBNET_KEY(hi) ((hi)&UINT16_MAX)

/* The entry of what is cut becomes the number of a new piece, which begins with what holds so far. */
static int begin_cut(
	Entries *outer, uint64_t key, Roots *roots, Entries *inner, uint32_t value, bool *cut)
{
	int r;

	if (*cut)
		return 0;
	r = entries_put(outer, key, IPTRIE_INSIDE | (uint32_t)roots->count);
	if (!r)
		r = roots_add(roots, inner->count);
	if (!r)
		r = entries_add(inner, 0, value);
	*cut = !r;
	return r;
}

/*
 * What is cut ends: what comes after it starts with a plain entry. Nothing comes after the last
 * one of the next greater part, which ends with it.
 */
static int end_cut(Entries *outer, uint64_t next_key, uint32_t value, bool *cut)
{
	if (!*cut)
		return 0;
	*cut = false;
	return next_key ? entries_put(outer, next_key, value) : 0;
}

/* A chunk without a border has no entry of its own, unless the one before it is no plain value. */
static int v6_advance(IpTrieBuilder *builder, uint32_t chunk)
{
	Entries *v6 = &builder->v6;

	while (builder->v6_chunk < chunk) {
		builder->v6_root[++builder->v6_chunk] = (uint32_t)v6->count;
		if (builder->v6_chunk == chunk || v6->values[v6->count - 1] & IPTRIE_INSIDE) {
			int r = entries_add(v6, 0, builder->v6_value);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Ends what is cut at the last border and does not hold the address. */
static int v6_leave(IpTrieBuilder *builder, uint64_t hi)
{
	uint64_t last = builder->v6_last.hi;
	int r = 0;

	if (hi != last)
		r = end_cut(&builder->site, SUBNET_KEY(last + 1), builder->v6_value,
			&builder->subnet_cut);
	if (!r && SITE_OF(hi) != SITE_OF(last))
		r = end_cut(&builder->v6, (SITE_OF(last) + 1) & UINT32_MAX, builder->v6_value,
			&builder->site_cut);
	if (!r)
		r = v6_advance(builder, (uint32_t)(hi >> 48));
	return r;
}

static int v6_add(IpTrieBuilder *builder, IpKey first, uint32_t value)
{
	uint64_t subnet = SUBNET_KEY(first.hi);
	int r = v6_leave(builder, first.hi);

	if (!r && (subnet || first.lo))
		r = begin_cut(&builder->v6, SITE_KEY(first.hi), &builder->sites, &builder->site,
			builder->v6_value, &builder->site_cut);
	if (!r && first.lo)
		r = begin_cut(&builder->site, subnet, &builder->subnets, &builder->subnet,
			builder->v6_value, &builder->subnet_cut);
	if (r < 0)
		return r;
	builder->v6_value = value;
	if (first.lo)
		return entries_add(&builder->subnet, first.lo, value);
	if (subnet)
		return entries_put(&builder->site, subnet, value);
	return entries_put(&builder->v6, SITE_KEY(first.hi), value);
}

int iptrie_builder_add(IpTrieBuilder *builder, IpFamily family, IpKey first, uint32_t value)
{
	IpKey *last = family == IP_V4 ? &builder->v4_last : &builder->v6_last;
	uint64_t *segments = family == IP_V4 ? &builder->v4_segments : &builder->v6_segments;
	int r;

	if (value > IPTRIE_VALUE_MAX || ipkey_less(first, *last) ||
		(family == IP_V4 && ipkey_less(IPKEY_MAX_V4, first)))
		return -EINVAL;
	if (value == (family == IP_V4 ? builder->v4_value : builder->v6_value))
		return 0;
	/* A second border at the same address would leave the first an empty stretch. */
	if (ipkey_equal(first, *last) && !ipkey_equal(first, IPKEY_ZERO))
		return -EINVAL;
	if (family == IP_V4)
		r = v4_add(builder, (uint32_t)first.lo, value);
	else
		r = v6_add(builder, first, value);
	if (r < 0)
		return r;
	*last = first;
	*segments += !ipkey_equal(first, IPKEY_ZERO);
	return 0;
}

uint64_t iptrie_builder_segments(const IpTrieBuilder *builder, IpFamily family)
{
	return family == IP_V4 ? builder->v4_segments : builder->v6_segments;
}

int iptrie_builder_finish(IpTrieBuilder *builder, uint64_t *offset, IpTrieLayout *ret_layout)
{
	const uint64_t v6_samples = IPTRIE_SAMPLE;
	uint64_t v6, site, subnet;
	IpTrieLayout layout;
	int r = v4_advance(builder, IPTRIE_CHUNKS - 1);

	if (!r)
		r = v4_end_chunk(builder);
	if (!r && builder->v6_last.hi != UINT64_MAX)
		r = v6_leave(builder, UINT64_MAX);
	if (!r)
		r = roots_add(&builder->sites, builder->site.count);
	if (!r)
		r = roots_add(&builder->subnets, builder->subnet.count);
	if (r < 0)
		return r;
	v6 = builder->v6.count, site = builder->site.count, subnet = builder->subnet.count;
	builder->v6_root[IPTRIE_CHUNKS] = (uint32_t)v6;

	layout.v4_root = block_array_place(offset, IPTRIE_CHUNKS + 1, sizeof(uint32_t));
	layout.v4_chunks = block_array_place(offset, builder->v4_count, sizeof(uint32_t));
	layout.v6_root = block_array_place(offset, IPTRIE_CHUNKS + 1, sizeof(uint32_t));
	layout.v6_sample =
		block_array_place(offset, (v6 + v6_samples - 1) / v6_samples, sizeof(uint32_t));
	layout.v6_key = block_array_place(offset, v6, sizeof(uint32_t));
	layout.v6_value = block_array_place(offset, v6, sizeof(uint32_t));
	layout.site_root = block_array_place(offset, builder->sites.count, sizeof(uint32_t));
	layout.site_key = block_array_place(offset, site, sizeof(uint16_t));
	layout.site_value = block_array_place(offset, site, sizeof(uint32_t));
	layout.subnet_root = block_array_place(offset, builder->subnets.count, sizeof(uint32_t));
	layout.subnet_key = block_array_place(offset, subnet, sizeof(uint64_t));
	layout.subnet_value = block_array_place(offset, subnet, sizeof(uint32_t));
	*ret_layout = layout;
	return 0;
}

static void write_array(void *block, BlockArray array, const void *data, size_t element_size)
{
	if (array.count)
		memcpy((char *)block + array.offset, data, array.count * element_size);
}

/* Every step-th key, as a number of 32 bits. */
static void write_keys_32(void *block, BlockArray array, const Entries *entries, uint32_t step)
{
	uint32_t *keys = (uint32_t *)((char *)block + array.offset);

	for (uint64_t i = 0; i < array.count; i++)
		keys[i] = (uint32_t)entries->keys[i * step];
}

static void write_keys_16(void *block, BlockArray array, const Entries *entries)
{
	uint16_t *keys = (uint16_t *)((char *)block + array.offset);

	for (uint64_t i = 0; i < array.count; i++)
		keys[i] = (uint16_t)entries->keys[i];
}

void iptrie_builder_write(const IpTrieBuilder *builder, void *block, const IpTrieLayout *layout)
{
	write_array(block, layout->v4_root, builder->v4_root, sizeof(uint32_t));
	write_array(block, layout->v4_chunks, builder->v4_words, sizeof(uint32_t));
	write_array(block, layout->v6_root, builder->v6_root, sizeof(uint32_t));
	write_keys_32(block, layout->v6_sample, &builder->v6, IPTRIE_SAMPLE);
	write_keys_32(block, layout->v6_key, &builder->v6, 1);
	write_array(block, layout->v6_value, builder->v6.values, sizeof(uint32_t));
	write_array(block, layout->site_root, builder->sites.items, sizeof(uint32_t));
	write_keys_16(block, layout->site_key, &builder->site);
	write_array(block, layout->site_value, builder->site.values, sizeof(uint32_t));
	write_array(block, layout->subnet_root, builder->subnets.items, sizeof(uint32_t));
	write_array(block, layout->subnet_key, builder->subnet.keys, sizeof(uint64_t));
	write_array(block, layout->subnet_value, builder->subnet.values, sizeof(uint32_t));
}
