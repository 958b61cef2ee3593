/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Flattening and the lookup structure against a search through all ranges: random ranges whose
 * ends crowd around the borders of chunks, of /64s and of the whole space.
 */

#include "enrich/iptrie.h"
#include "geodb-tools.h"
#include "tap.h"

#define ROWS_MAX 800U

typedef struct Round {
	IpFamily family;
	IpSegment rows[ROWS_MAX];
	uint32_t row_count;
	IpKey points[ROWS_MAX * 6 + 6];
	uint32_t point_count;
} Round;

static IpKey max_key(IpFamily family)
{
	return family == IP_V4 ? IPKEY_MAX_V4 : IPKEY_MAX_V6;
}

/* An address near one of the borders that the structure has. */
static IpKey random_key(IpFamily family, bool dense)
{
	static const uint64_t near[] = {0, 1, 2, 0x7fff, 0xfffe, 0xffff};
	static const uint64_t near_low[] = {
		0, 0, 0, 0, 1, 2, 1ULL << 63, UINT64_MAX - 1, UINT64_MAX};
	static const uint64_t near_middle[] = {0, 1, 0xffff, 0x10000, 0x10001};
	uint64_t upper = near[random_below(ARRAY_SIZE(near))], middle;

	if (dense)
		upper = 0x2a00;
	if (family == IP_V4)
		return (IpKey){
			0, upper << 16 | (random_below(2) ? near[random_below(ARRAY_SIZE(near))]
							  : random_below(65536))};
	if (dense)
		return (IpKey){upper << 48 | (random_u64() & 0xffff) << (random_below(3) ? 20 : 4),
			near_low[random_below(9)]};
	/* beside the ends of a chunk, or of a site in it */
	middle = random_below(2) ? near_middle[random_below(5)]
				 : 0xffffffffffffULL - random_below(3);
	return (IpKey){upper << 48 | middle, near_low[random_below(9)]};
}

static void add_points(Round *round, IpKey key)
{
	round->points[round->point_count++] = key;
	if (!ipkey_equal(key, IPKEY_ZERO))
		round->points[round->point_count++] = ipkey_previous(key);
	if (!ipkey_equal(key, max_key(round->family)))
		round->points[round->point_count++] = ipkey_next(key);
}

static void fill(Round *round, uint32_t rows, bool dense)
{
	round->row_count = rows;
	round->point_count = 0;
	for (uint32_t i = 0; i < rows; i++) {
		IpKey a = random_key(round->family, dense), b = random_key(round->family, dense);

		/* in a dense round short ranges, so that many borders remain */
		if (dense && random_below(8))
			b = a;
		if (ipkey_less(b, a))
			round->rows[i] = (IpSegment){b, a, random_below(5)};
		else
			round->rows[i] = (IpSegment){a, b, random_below(5)};
		add_points(round, round->rows[i].first);
		add_points(round, round->rows[i].last);
	}
	add_points(round, IPKEY_ZERO);
	add_points(round, max_key(round->family));
}

static uint32_t expected_value(const Round *round, IpKey at)
{
	for (uint32_t i = round->row_count; i--;)
		if (!ipkey_less(at, round->rows[i].first) && !ipkey_less(round->rows[i].last, at))
			return round->rows[i].value;
	return 0;
}

/* Sorted, disjoint, without value 0, and no two that could be one. */
static bool is_flat(const IpSegments *segments)
{
	for (size_t i = 0; i < segments->count; i++) {
		const IpSegment *s = &segments->items[i], *before = s - 1;

		if (!s->value || ipkey_less(s->last, s->first))
			return false;
		if (i && (!ipkey_less(before->last, s->first) ||
				 (before->value == s->value &&
					 ipkey_equal(ipkey_next(before->last), s->first))))
			return false;
	}
	return true;
}

static uint32_t flat_value(const IpSegments *segments, IpKey at)
{
	for (size_t i = 0; i < segments->count; i++)
		if (!ipkey_less(at, segments->items[i].first) &&
			!ipkey_less(segments->items[i].last, at))
			return segments->items[i].value;
	return 0;
}

/* Writes the trie into a block of exactly its size, and moves that, before it is asked. */
static void *build(
	IpFamily family, const IpSegments *segments, IpTrie *ret_trie, uint64_t *ret_segments)
{
	_cleanup_(iptrie_builder_freep) IpTrieBuilder *builder = NULL;
	_cleanup_free_ void *block = NULL;
	IpTrieLayout layout;
	uint64_t size = 0;
	void *moved;

	if (iptrie_builder_new(&builder) < 0)
		abort();
	for (size_t i = 0; i < segments->count; i++) {
		const IpSegment *s = &segments->items[i];

		if (iptrie_builder_add(builder, family, s->first, s->value) < 0)
			abort();
		if (!ipkey_equal(s->last, max_key(family)) &&
			(i + 1 == segments->count ||
				!ipkey_equal(ipkey_next(s->last), segments->items[i + 1].first)) &&
			iptrie_builder_add(builder, family, ipkey_next(s->last), 0) < 0)
			abort();
	}
	*ret_segments = iptrie_builder_segments(builder, family);
	if (iptrie_builder_finish(builder, &size, &layout) < 0)
		abort();
	block = malloc(size);
	moved = malloc(size);
	if (!block || !moved)
		abort();
	iptrie_builder_write(builder, block, &layout);
	memcpy(moved, block, size);
	memset(block, 0xff, size);
	*ret_trie = iptrie_open(moved, &layout);
	return moved;
}

static bool round_is_right(const Round *round)
{
	_cleanup_(ipsegments_done) IpSegments segments = {0};
	_cleanup_free_ void *block = NULL;
	uint64_t stretches;
	IpTrie trie;

	for (uint32_t i = 0; i < round->row_count; i++)
		if (ipsegments_add(&segments, round->rows[i].first, round->rows[i].last,
			    round->rows[i].value) < 0)
			abort();
	if (ipsegments_flatten(&segments) < 0)
		abort();
	if (!is_flat(&segments)) {
		tap_note("not flat");
		return false;
	}
	block = build(round->family, &segments, &trie, &stretches);
	if (stretches < segments.count || stretches > 2 * segments.count + 1)
		return false;
	for (uint32_t i = 0; i < round->point_count; i++) {
		IpKey at = round->points[i];
		uint32_t expected = expected_value(round, at), flat = flat_value(&segments, at),
			 got;

		got = round->family == IP_V4 ? iptrie_get_v4(&trie, (uint32_t)at.lo)
					     : iptrie_get_v6(&trie, at);
		if (got == expected && flat == expected)
			continue;
		tap_note("%016llx %016llx is %u, flat %u, not %u", (unsigned long long)at.hi,
			(unsigned long long)at.lo, got, flat, expected);
		return false;
	}
	return true;
}

static void test_rounds(IpFamily family, bool dense, unsigned rounds)
{
	Round *round = calloc(1, sizeof(*round));
	unsigned wrong = 0;

	if (!round)
		abort();
	round->family = family;
	for (unsigned i = 0; i < rounds && wrong < 3; i++) {
		fill(round, dense ? ROWS_MAX - random_below(100) : random_below(40), dense);
		wrong += !round_is_right(round);
	}
	tap_ok(!wrong, "%u times random ranges of IPv%d%s", rounds, family,
		dense ? ", many in one chunk" : "");
	free(round);
}

static void test_limits(void)
{
	_cleanup_(ipsegments_done) IpSegments segments = {0};
	_cleanup_(iptrie_builder_freep) IpTrieBuilder *builder = NULL;
	const IpKey five = {0, 5}, four = {0, 4};

	tap_ok(ipsegments_add(&segments, five, four, 1) == -EINVAL,
		"a range that ends before it starts");
	tap_ok(!ipsegments_flatten(&segments) && !segments.count, "no ranges at all");
	if (iptrie_builder_new(&builder) < 0)
		abort();
	tap_ok(!iptrie_builder_add(builder, IP_V4, five, 1), "a first border");
	tap_ok(iptrie_builder_add(builder, IP_V4, four, 2) == -EINVAL, "one before the last");
	tap_ok(iptrie_builder_add(builder, IP_V4, five, 2) == -EINVAL, "one at the same address");
	tap_ok(!iptrie_builder_add(builder, IP_V4, five, 1), "one that changes nothing");
	tap_ok(iptrie_builder_add(builder, IP_V4, (IpKey){1, 0}, 2) == -EINVAL, "one above IPv4");
	tap_ok(iptrie_builder_add(builder, IP_V6, five, IPTRIE_VALUE_MAX + 1) == -EINVAL,
		"a value too great");
}

int main(void)
{
	bool small = getenv("MLS_TEST_SMALL") != NULL;

	random_start();
	test_limits();
	test_rounds(IP_V4, false, small ? 20 : 200);
	test_rounds(IP_V4, true, small ? 2 : 20);
	test_rounds(IP_V6, false, small ? 20 : 200);
	test_rounds(IP_V6, true, small ? 2 : 20);
	return tap_done();
}
