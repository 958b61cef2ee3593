/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Ranges of addresses that carry a value, of one family: collected in the order of a file, then
 * flattened so that every address has one value. The list owns its memory. At most IPSEGMENTS_MAX
 * ranges are taken.
 */

#include "base/ipaddr.h"

/*
 * An address as a 128-bit number; IPv4 has hi 0. Two words, because 32-bit compilers have no
 * 128-bit type.
 */
typedef struct IpKey {
	uint64_t hi, lo;
} IpKey;

#define IPKEY_ZERO ((IpKey){0, 0})
#define IPKEY_MAX_V4 ((IpKey){0, UINT32_MAX})
#define IPKEY_MAX_V6 ((IpKey){UINT64_MAX, UINT64_MAX})

static inline bool ipkey_less(IpKey a, IpKey b)
{
	return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
}

static inline bool ipkey_equal(IpKey a, IpKey b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

static inline IpKey ipkey_next(IpKey a)
{
	return (IpKey){a.hi + (a.lo == UINT64_MAX), a.lo + 1};
}

static inline IpKey ipkey_previous(IpKey a)
{
	return (IpKey){a.hi - (a.lo == 0), a.lo - 1};
}

/* The number of an IPv4 or IPv6 address. */
IpKey ipkey_from_addr(const IpAddr *addr);

/* first to last, both inclusive. */
typedef struct IpSegment {
	IpKey first, last;
	uint32_t value; /* 0: nothing is known */
} IpSegment;

#define IPSEGMENTS_MAX ((size_t)1 << 24)

typedef struct IpSegments {
	IpSegment *items;
	size_t count, size;
	bool unsorted;    /* a range starts before one that was added earlier */
	bool overlapping; /* a range starts before the end of an earlier one */
	IpKey reach;      /* the highest end so far */
} IpSegments;

void ipsegments_done(IpSegments *segments);

/* Adds a range; start with {0}. 0, -EINVAL (last is before first), -EFBIG (too many), -ENOMEM. */
int ipsegments_add(IpSegments *segments, IpKey first, IpKey last, uint32_t value);

/*
 * Afterwards the ranges are sorted and disjoint: where two overlapped the one that was added
 * later holds. Ranges of value 0 are dropped (after they have covered earlier ones), touching
 * ones of equal value are joined. 0 or -ENOMEM (then the list is as it was).
 */
int ipsegments_flatten(IpSegments *segments);
