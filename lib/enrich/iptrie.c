/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/iptrie.h"

#define CACHE_LINE 64

typedef struct Entries {
	uint64_t *keys;
	uint32_t *values;
	size_t count, size;
} Entries;

struct IpTrieBuilder {
	uint32_t v4_root[IPTRIE_CHUNKS + 1], v6_root[IPTRIE_CHUNKS + 1];
	uint32_t v4_chunk, v6_chunk; /* the chunk that is being filled */
	uint32_t *v4_words;          /* the chunks before it, as they lie in the block */
	size_t v4_count, v4_size;
	Entries v4; /* of the chunk that is being filled */
	Entries v6, inside;
	uint32_t *inside_root;
	size_t inside_count, inside_size; /* /64s that are cut inside */
	uint32_t v4_value, v6_value;      /* what holds from the last border on */
	IpKey v4_last, v6_last;
	uint64_t v4_segments, v6_segments;
	bool cut; /* the last entry of v6 is a /64 that is cut inside */
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
	entries_done(&builder->inside);
	free(builder->v4_words);
	free(builder->inside_root);
	free(builder);
}

/* The chunk that is being filled is complete: packs it. */
static int v4_end_chunk(IpTrieBuilder *builder)
{
	const Entries *v4 = &builder->v4;
	size_t suffix_words = (v4->count + 1) / 2, words = suffix_words + v4->count;
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
	to[suffix_words - 1] = 0;
	suffix = (uint16_t *)to;
	for (size_t i = 0; i < v4->count; i++) {
		suffix[i] = (uint16_t)v4->keys[i];
		to[suffix_words + i] = v4->values[i];
	}
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

/*
 * A border between two addresses of one /64 ends with it: what comes after starts with a plain
 * entry.
 */
static int v6_end_cut(IpTrieBuilder *builder)
{
	uint64_t next = builder->v6_last.hi + 1;

	if (!builder->cut)
		return 0;
	builder->cut = false;
	if (!next || next >> 48 != builder->v6_chunk)
		return 0;
	return entries_add(&builder->v6, next, builder->v6_value);
}

static int v6_advance(IpTrieBuilder *builder, uint32_t chunk)
{
	while (builder->v6_chunk < chunk) {
		int r;

		builder->v6_root[++builder->v6_chunk] = (uint32_t)builder->v6.count;
		r = entries_add(&builder->v6, (uint64_t)builder->v6_chunk << 48, builder->v6_value);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The entry that starts at this /64: the last one, or a new one. */
static int v6_entry(IpTrieBuilder *builder, uint64_t high, uint32_t value)
{
	Entries *v6 = &builder->v6;

	if (v6->keys[v6->count - 1] != high)
		return entries_add(v6, high, value);
	v6->values[v6->count - 1] = value;
	return 0;
}

static int v6_begin_cut(IpTrieBuilder *builder, uint64_t high)
{
	int r;

	if (builder->inside_count == builder->inside_size) {
		size_t size = builder->inside_size ? builder->inside_size * 2 : 1024;
		uint32_t *roots = reallocarray(builder->inside_root, size, sizeof(*roots));

		if (!roots)
			return -ENOMEM;
		builder->inside_root = roots;
		builder->inside_size = size;
	}
	r = v6_entry(builder, high, IPTRIE_INSIDE | (uint32_t)builder->inside_count);
	if (r < 0)
		return r;
	builder->inside_root[builder->inside_count++] = (uint32_t)builder->inside.count;
	builder->cut = true;
	return entries_add(&builder->inside, 0, builder->v6_value);
}

static int v6_add(IpTrieBuilder *builder, IpKey first, uint32_t value)
{
	int r = 0;

	if (first.hi != builder->v6_last.hi) {
		r = v6_end_cut(builder);
		if (!r)
			r = v6_advance(builder, (uint32_t)(first.hi >> 48));
	}
	if (r < 0)
		return r;
	if (!first.lo) {
		r = v6_entry(builder, first.hi, value);
	} else {
		if (!builder->cut)
			r = v6_begin_cut(builder, first.hi);
		if (!r)
			r = entries_add(&builder->inside, first.lo, value);
	}
	builder->v6_value = value;
	return r;
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

BlockArray block_array_place(uint64_t *offset, uint64_t count, size_t element_size)
{
	BlockArray array = {(*offset + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE, count};

	*offset = array.offset + count * element_size;
	return array;
}

bool block_array_valid(BlockArray array, uint64_t block_size, size_t element_size)
{
	return array.offset % CACHE_LINE == 0 && array.offset <= block_size &&
	       array.count <= (block_size - array.offset) / element_size;
}

int iptrie_builder_finish(IpTrieBuilder *builder, uint64_t *offset, IpTrieLayout *ret_layout)
{
	uint64_t v6, inside, inside_roots = builder->inside_count + 1;
	IpTrieLayout layout;
	int r = v4_advance(builder, IPTRIE_CHUNKS - 1);

	if (!r)
		r = v4_end_chunk(builder);
	if (!r)
		r = v6_end_cut(builder);
	if (!r)
		r = v6_advance(builder, IPTRIE_CHUNKS - 1);
	if (r < 0)
		return r;
	v6 = builder->v6.count, inside = builder->inside.count;
	builder->v6_root[IPTRIE_CHUNKS] = (uint32_t)v6;

	layout.v4_root = block_array_place(offset, IPTRIE_CHUNKS + 1, sizeof(uint32_t));
	layout.v4_chunks = block_array_place(offset, builder->v4_count, sizeof(uint32_t));
	layout.v6_root = block_array_place(offset, IPTRIE_CHUNKS + 1, sizeof(uint32_t));
	layout.v6_sample = block_array_place(
		offset, (v6 + IPTRIE_SAMPLE - 1) / IPTRIE_SAMPLE, sizeof(uint64_t));
	layout.v6_high = block_array_place(offset, v6, sizeof(uint64_t));
	layout.v6_value = block_array_place(offset, v6, sizeof(uint32_t));
	layout.inside_root = block_array_place(offset, inside_roots, sizeof(uint32_t));
	layout.inside_low = block_array_place(offset, inside, sizeof(uint64_t));
	layout.inside_value = block_array_place(offset, inside, sizeof(uint32_t));
	*ret_layout = layout;
	return 0;
}

static void write_array(void *block, BlockArray array, const void *data, size_t element_size)
{
	if (array.count)
		memcpy((char *)block + array.offset, data, array.count * element_size);
}

void iptrie_builder_write(const IpTrieBuilder *builder, void *block, const IpTrieLayout *layout)
{
	const uint32_t end = (uint32_t)builder->inside.count;
	uint64_t *sample = (uint64_t *)((char *)block + layout->v6_sample.offset);
	BlockArray roots = layout->inside_root;

	write_array(block, layout->v4_root, builder->v4_root, sizeof(uint32_t));
	write_array(block, layout->v4_chunks, builder->v4_words, sizeof(uint32_t));
	write_array(block, layout->v6_root, builder->v6_root, sizeof(uint32_t));
	for (uint64_t i = 0; i < layout->v6_sample.count; i++)
		sample[i] = builder->v6.keys[i * IPTRIE_SAMPLE];
	write_array(block, layout->v6_high, builder->v6.keys, sizeof(uint64_t));
	write_array(block, layout->v6_value, builder->v6.values, sizeof(uint32_t));
	roots.count--;
	write_array(block, roots, builder->inside_root, sizeof(uint32_t));
	memcpy((char *)block + roots.offset + roots.count * sizeof(end), &end, sizeof(end));
	write_array(block, layout->inside_low, builder->inside.keys, sizeof(uint64_t));
	write_array(block, layout->inside_value, builder->inside.values, sizeof(uint32_t));
}

bool iptrie_layout_valid(const IpTrieLayout *layout, uint64_t block_size)
{
	const struct {
		BlockArray array;
		size_t element_size;
	} arrays[] = {
		{layout->v4_root, sizeof(uint32_t)},
		{layout->v4_chunks, sizeof(uint32_t)},
		{layout->v6_root, sizeof(uint32_t)},
		{layout->v6_sample, sizeof(uint64_t)},
		{layout->v6_high, sizeof(uint64_t)},
		{layout->v6_value, sizeof(uint32_t)},
		{layout->inside_root, sizeof(uint32_t)},
		{layout->inside_low, sizeof(uint64_t)},
		{layout->inside_value, sizeof(uint32_t)},
	};
	uint64_t v6 = layout->v6_high.count;

	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
		if (arrays[i].array.count > IPTRIE_ENTRIES_MAX ||
			!block_array_valid(arrays[i].array, block_size, arrays[i].element_size))
			return false;
	return layout->v4_root.count == IPTRIE_CHUNKS + 1 &&
	       layout->v6_root.count == IPTRIE_CHUNKS + 1 && layout->v6_value.count == v6 &&
	       layout->v6_sample.count == (v6 + IPTRIE_SAMPLE - 1) / IPTRIE_SAMPLE &&
	       layout->inside_root.count && layout->inside_low.count == layout->inside_value.count;
}

static const void *array_at(const void *block, BlockArray array)
{
	return (const char *)block + array.offset;
}

IpTrie iptrie_open(const void *block, const IpTrieLayout *layout)
{
	return (IpTrie){
		.v4_root = array_at(block, layout->v4_root),
		.v4_chunks = array_at(block, layout->v4_chunks),
		.v4_words = (uint32_t)layout->v4_chunks.count,
		.v6_root = array_at(block, layout->v6_root),
		.v6_sample = array_at(block, layout->v6_sample),
		.v6_high = array_at(block, layout->v6_high),
		.v6_value = array_at(block, layout->v6_value),
		.v6_entries = (uint32_t)layout->v6_high.count,
		.inside_root = array_at(block, layout->inside_root),
		.insides = (uint32_t)layout->inside_root.count - 1,
		.inside_low = array_at(block, layout->inside_low),
		.inside_value = array_at(block, layout->inside_value),
		.inside_entries = (uint32_t)layout->inside_low.count,
	};
}

/* A piece of an array, from its roots. */
typedef struct Piece {
	uint32_t start, end;
} Piece;

/*
 * False when the roots lead out of the array. Each is read once: what was checked is what is used,
 * though others may write to the block.
 */
static inline bool find_piece(const uint32_t *root, uint32_t entries, Piece *ret_piece)
{
	ret_piece->start = __atomic_load_n(&root[0], __ATOMIC_RELAXED);
	ret_piece->end = __atomic_load_n(&root[1], __ATOMIC_RELAXED);
	return ret_piece->start < ret_piece->end && ret_piece->end <= entries;
}

uint32_t iptrie_get_v4(const IpTrie *trie, uint32_t addr)
{
	const uint16_t *suffixes, *at;
	uint16_t suffix = (uint16_t)addr;
	const uint32_t *chunk;
	uint32_t count, n;
	Piece piece;

	if (UNLIKELY(!find_piece(trie->v4_root + (addr >> 16), trie->v4_words, &piece)))
		return 0;
	chunk = trie->v4_chunks + piece.start;
	/* Both halves lie within the piece, whatever its length. */
	count = n = (piece.end - piece.start) * 2 / 3;
	suffixes = at = (const uint16_t *)chunk;
	/* The compiler makes this a conditional move: no branch to predict wrongly. */
	while (n > 1) {
		uint32_t half = n / 2;

		at += at[half] <= suffix ? half : 0;
		n -= half;
	}
	return chunk[(count + 1) / 2 + (uint32_t)(at - suffixes)];
}

/*
 * The last of words[start] to words[end - 1] that is not above the word; the first one when all
 * are.
 */
static uint32_t last_not_above(const uint64_t *words, uint32_t start, uint32_t end, uint64_t word)
{
	const uint64_t *at = words + start;
	uint32_t n = end - start;

	while (n > 1) {
		uint32_t half = n / 2;

		at += at[half] <= word ? half : 0;
		n -= half;
	}
	return (uint32_t)(at - words);
}

static uint32_t get_inside(const IpTrie *trie, uint32_t number, uint64_t low)
{
	Piece piece;

	if (number >= trie->insides ||
		!find_piece(trie->inside_root + number, trie->inside_entries, &piece))
		return 0;
	return trie->inside_value[last_not_above(trie->inside_low, piece.start, piece.end, low)];
}

uint32_t iptrie_get_v6(const IpTrie *trie, IpKey addr)
{
	uint32_t sample, first, value;
	Piece piece;

	if (UNLIKELY(!find_piece(trie->v6_root + (addr.hi >> 48), trie->v6_entries, &piece)))
		return 0;
	/* Entries of the chunks before and after do no harm: all are in one order. */
	sample = last_not_above(trie->v6_sample, piece.start / IPTRIE_SAMPLE,
		(piece.end - 1) / IPTRIE_SAMPLE + 1, addr.hi);
	first = sample * IPTRIE_SAMPLE;
	value = __atomic_load_n(&trie->v6_value[last_not_above(trie->v6_high, first,
					MIN(piece.end, first + IPTRIE_SAMPLE), addr.hi)],
		__ATOMIC_RELAXED);
	if (UNLIKELY(value & IPTRIE_INSIDE))
		value = get_inside(trie, value & ~IPTRIE_INSIDE, addr.lo);
	return value;
}
