/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "anonymize/standin-address.h"

typedef struct Range {
	uint8_t first[16];
	unsigned bits;
} Range;

/* What stays within itself; of an even number of bits behind the prefix. */
static const Range ranges_v4[] = {
	{{10}, 8},
	{{100, 64}, 10},
	{{169, 254}, 16},
	{{172, 16}, 12},
	{{192, 168}, 16},
};

#define LOOPBACK_V4 127

static uint32_t load_v4(const uint8_t bytes[4])
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static IpAddr store_v4(uint32_t value)
{
	return (IpAddr){IP_V4, {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
				       (uint8_t)(value >> 8), (uint8_t)value}};
}

/* What the function is asked for, so that no two answers depend on each other. */
enum { ASK_WIDE = 1, ASK_FEISTEL, ASK_PREFIX, ASK_WIDE_V6, ASK_HOST_V6 };

static uint64_t ask(HashKey key, uint64_t what, uint64_t number, uint64_t value)
{
	const uint64_t words[2] = {what << 56 | number, value};

	return hash_bytes(key, words, sizeof(words));
}

static const Range *find_range(uint32_t value)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges_v4); i++)
		if (!((value ^ load_v4(ranges_v4[i].first)) >> (32 - ranges_v4[i].bits)))
			return &ranges_v4[i];
	return NULL;
}

/*
 * A permutation of the numbers of so many bits (Luby and Rackoff's: each round changes one half by what the other is): few hosts
 * of a small network must not become one.
 */
static uint32_t permute(HashKey key, uint32_t range, unsigned bits, uint32_t value)
{
	unsigned half = bits / 2;
	uint32_t mask = (1u << half) - 1, left = value >> half, right = value & mask;

	for (uint64_t round = 0; round < 6; round++) {
		uint32_t next =
			(left ^ (uint32_t)ask(key, ASK_FEISTEL, round << 32 | range, right)) & mask;

		left = right;
		right = next;
	}
	return left << half | right;
}

/*
 * Bits from..from + count of value, each flipped or not by what the bits before it are (Xu, Fan, Ammar and Moon, 2002): two values
 * have as many first bits in common afterwards as before. Six bits are asked for at once: of 64 answers each node of their tree
 * has its own. space keeps what is asked in different places apart.
 */
static uint64_t flip_prefixes(
	HashKey key, uint64_t space, uint64_t value, unsigned width, unsigned from)
{
	uint64_t flipped = value;

	for (unsigned at = from; at < width; at += 6) {
		unsigned count = MIN(6, width - at);
		uint64_t before = at ? value >> (width - at) : 0;
		uint64_t answer = ask(key, ASK_PREFIX, space << 8 | at, before);
		uint64_t node = 1; /* 1 is the root, 2n and 2n + 1 the nodes below n */

		for (unsigned i = 0; i < count; i++) {
			unsigned shift = width - at - i - 1;

			flipped ^= (answer >> node & 1) << shift;
			node = node << 1 | (value >> shift & 1);
		}
	}
	return flipped;
}

static uint32_t map_prefixes_v4(HashKey key, uint32_t value)
{
	/*
	 * What lands in a range that means something goes on from there until it is out of it: as a block, so that its addresses
	 * keep what they have in common; and as flip_prefixes() is a permutation, so is this one of the others.
	 */
	do
		value = (uint32_t)flip_prefixes(key, 0, value, 32, 0);
	while (find_range(value) || value >> 24 == LOOPBACK_V4 || !value);
	return value;
}

static void map_v4(HashKey key, bool keep_prefixes, const IpAddr *addr, IpAddr *ret_addr)
{
	uint32_t value = load_v4(addr->bytes);
	const Range *range = find_range(value);

	if (!value || value >> 24 == LOOPBACK_V4) {
		*ret_addr = *addr;
	} else if (range) {
		unsigned bits = 32 - range->bits;
		uint32_t first = load_v4(range->first), rest = value - first;

		rest = keep_prefixes ? (uint32_t)flip_prefixes(key, first + 1ull, rest, bits, 0)
				     : permute(key, first, bits, rest);
		*ret_addr = store_v4(first | rest);
	} else if (keep_prefixes) {
		*ret_addr = store_v4(map_prefixes_v4(key, value));
	} else {
		uint32_t rest = (uint32_t)(ask(key, ASK_WIDE, 0, value) >> 32);

		/* 255.255.255.255 is everybody's. */
		*ret_addr = store_v4(0xf0000000u | rest % 0x0fffffffu);
	}
}

static void store_u64(uint8_t *bytes, uint64_t value, size_t count)
{
	while (count--) {
		bytes[count] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t load_u64(const uint8_t *bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* The part of the host; the network's decides, too. */
static uint64_t map_host_v6(HashKey key, uint64_t network, uint64_t host)
{
	return ask(key, ASK_HOST_V6, ask(key, ASK_WIDE_V6, 2, network) >> 8, host);
}

static void map_v6(HashKey key, bool keep_prefixes, const IpAddr *addr, IpAddr *ret_addr)
{
	static const uint8_t documentation[4] = {0x20, 0x01, 0x0d, 0xb8};
	uint64_t network = load_u64(addr->bytes), host = load_u64(addr->bytes + 8);
	bool is_unique_local = (addr->bytes[0] & 0xfe) == 0xfc;
	IpAddr result = {.family = IP_V6};

	if (!network && host <= 1) {
		*ret_addr = *addr;
		return;
	}
	host = map_host_v6(key, network, host);
	network = keep_prefixes ? flip_prefixes(key, is_unique_local ? 2 : 1, network, 64,
					  is_unique_local ? 8 : 0)
				: ask(key, ASK_WIDE_V6, is_unique_local, network);
	if (is_unique_local) {
		store_u64(result.bytes, network, 8);
		result.bytes[0] = addr->bytes[0];
		store_u64(result.bytes + 8, host, 8);
	} else if (addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80) {
		result.bytes[0] = 0xfe;
		result.bytes[1] = 0x80;
		store_u64(result.bytes + 8, host, 8);
	} else {
		memcpy(result.bytes, documentation, sizeof(documentation));
		store_u64(result.bytes + 4, network, 8);
		store_u64(result.bytes + 12, host, 4);
	}
	*ret_addr = result;
}

void standin_map_address(HashKey key, bool keep_prefixes, const IpAddr *addr, IpAddr *ret_addr)
{
	IpAddr result = *addr;

	if (addr->family == IP_V4)
		map_v4(key, keep_prefixes, addr, &result);
	else if (addr->family == IP_V6)
		map_v6(key, keep_prefixes, addr, &result);
	*ret_addr = result;
}
