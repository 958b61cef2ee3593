/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/iptrie.h"

#define CACHE_LINE 64

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

bool iptrie_layout_valid(const IpTrieLayout *layout, uint64_t block_size)
{
	const struct {
		BlockArray array;
		size_t element_size;
	} arrays[] = {
		{layout->v4_root, sizeof(uint32_t)},
		{layout->v4_chunks, sizeof(uint32_t)},
		{layout->v6_root, sizeof(uint32_t)},
		{layout->v6_sample, sizeof(uint32_t)},
		{layout->v6_key, sizeof(uint32_t)},
		{layout->v6_value, sizeof(uint32_t)},
		{layout->site_root, sizeof(uint32_t)},
		{layout->site_key, sizeof(uint16_t)},
		{layout->site_value, sizeof(uint32_t)},
		{layout->subnet_root, sizeof(uint32_t)},
		{layout->subnet_key, sizeof(uint64_t)},
		{layout->subnet_value, sizeof(uint32_t)},
	};
	uint64_t v6 = layout->v6_key.count;

	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
		if (arrays[i].array.count > IPTRIE_ENTRIES_MAX ||
			!block_array_valid(arrays[i].array, block_size, arrays[i].element_size))
			return false;
	return layout->v4_root.count == IPTRIE_CHUNKS + 1 &&
	       layout->v6_root.count == IPTRIE_CHUNKS + 1 && layout->v6_value.count == v6 &&
	       layout->v6_sample.count == (v6 + IPTRIE_SAMPLE - 1) / IPTRIE_SAMPLE &&
	       layout->site_root.count && layout->site_key.count == layout->site_value.count &&
	       layout->subnet_root.count && layout->subnet_key.count == layout->subnet_value.count;
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
		.v6_key = array_at(block, layout->v6_key),
		.v6_value = array_at(block, layout->v6_value),
		.v6_entries = (uint32_t)layout->v6_key.count,
		.site_root = array_at(block, layout->site_root),
		.site_key = array_at(block, layout->site_key),
		.site_value = array_at(block, layout->site_value),
		.sites = (uint32_t)layout->site_root.count - 1,
		.site_entries = (uint32_t)layout->site_key.count,
		.subnet_root = array_at(block, layout->subnet_root),
		.subnet_key = array_at(block, layout->subnet_key),
		.subnet_value = array_at(block, layout->subnet_value),
		.subnets = (uint32_t)layout->subnet_root.count - 1,
		.subnet_entries = (uint32_t)layout->subnet_key.count,
	};
}

/* Read once: what was checked is what is used, though others may write to the block. */
static inline uint32_t get_word(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* A piece of an array, from its roots. */
typedef struct Piece {
	uint32_t start, end;
} Piece;

/* False when there is nothing in it, or the roots lead out of the array. */
static inline bool find_piece(const uint32_t *root, uint32_t entries, Piece *ret_piece)
{
	ret_piece->start = get_word(&root[0]);
	ret_piece->end = get_word(&root[1]);
	return ret_piece->start < ret_piece->end && ret_piece->end <= entries;
}

/*
 * The last of keys[start] to keys[end - 1] that is not above the key; the first one, which is not
 * looked at, when all are. The compiler makes the step a conditional move: no branch to predict wrongly.
 */
#define LAST_NOT_ABOVE(keys, start, end, key)                      \
	({                                                         \
		const __typeof__(*(keys)) *_at = (keys) + (start); \
		uint32_t _n = (end) - (start);                     \
                                                                   \
		while (_n > 1) {                                   \
			uint32_t _half = _n / 2;                   \
                                                                   \
			_at += _at[_half] <= (key) ? _half : 0;    \
			_n -= _half;                               \
		}                                                  \
		(uint32_t)(_at - (keys));                          \
	})

uint32_t iptrie_get_v4(const IpTrie *trie, uint32_t addr)
{
	uint16_t suffix = (uint16_t)addr;
	const uint32_t *chunk;
	uint32_t count;
	Piece piece;

	if (UNLIKELY(!find_piece(trie->v4_root + (addr >> 16), trie->v4_words, &piece)))
		return 0;
	chunk = trie->v4_chunks + piece.start;
	/* Both halves lie within the piece, whatever its length. One entry has no suffix, and no count. */
	count = (piece.end - piece.start) * 2 / 3;
	return get_word(&chunk[(count + 1) / 2 +
			       LAST_NOT_ABOVE((const uint16_t *)chunk, 0, count, suffix)]);
}

static uint32_t get_in_subnet(const IpTrie *trie, uint32_t number, uint64_t low)
{
	Piece piece;

	if (number >= trie->subnets ||
		!find_piece(trie->subnet_root + number, trie->subnet_entries, &piece))
		return 0;
	return get_word(
		&trie->subnet_value[LAST_NOT_ABOVE(trie->subnet_key, piece.start, piece.end, low)]);
}

static uint32_t get_in_site(const IpTrie *trie, uint32_t number, IpKey addr)
{
	uint16_t subnet = (uint16_t)addr.hi;
	uint32_t value;
	Piece piece;

	if (number >= trie->sites ||
		!find_piece(trie->site_root + number, trie->site_entries, &piece))
		return 0;
	value = get_word(
		&trie->site_value[LAST_NOT_ABOVE(trie->site_key, piece.start, piece.end, subnet)]);
	if (UNLIKELY(value & IPTRIE_INSIDE))
		value = get_in_subnet(trie, value & ~IPTRIE_INSIDE, addr.lo);
	return value;
}

/* The entry that holds in the chunk at the key. */
static uint32_t find_entry(const IpTrie *trie, Piece chunk, uint32_t key)
{
	uint32_t sample, start, end;

	/* Of the samples all but the first are of this chunk. */
	sample = LAST_NOT_ABOVE(trie->v6_sample, chunk.start / IPTRIE_SAMPLE,
		(chunk.end - 1) / IPTRIE_SAMPLE + 1, key);
	start = MAX(chunk.start, sample * IPTRIE_SAMPLE);
	end = MIN(chunk.end, (sample + 1) * IPTRIE_SAMPLE);
	return LAST_NOT_ABOVE(trie->v6_key, start, end, key);
}

uint32_t iptrie_get_v6(const IpTrie *trie, IpKey addr)
{
	const uint32_t *root = trie->v6_root + (addr.hi >> 48);
	uint32_t entry, value;
	Piece chunk;

	if (find_piece(root, trie->v6_entries, &chunk))
		entry = find_entry(trie, chunk, (uint32_t)(addr.hi >> 16));
	else if (chunk.start == chunk.end && chunk.start && chunk.start <= trie->v6_entries)
		entry = chunk.start - 1;
	else
		return 0;
	value = get_word(&trie->v6_value[entry]);
	if (value & IPTRIE_INSIDE)
		value = get_in_site(trie, value & ~IPTRIE_INSIDE, addr);
	return value;
}
