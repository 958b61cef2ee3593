/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * An IP address as a value. In base, because the parser anchors on it, the pipeline places it, the
 * CSV writes it and the anonymizer replaces it.
 */

#include "base/base.h"

typedef enum IpFamily {
	IP_UNKNOWN = 0, /* Postfix logged "unknown" */
	IP_V4 = 4,
	IP_V6 = 6,
} IpFamily;

/* Comparable and hashable as bytes: what is not used is zero. */
typedef struct IpAddr {
	uint8_t family;    /* IpFamily */
	uint8_t bytes[16]; /* network order; v4 in the first four */
} IpAddr;

#define IP_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

/*
 * Reads dotted IPv4 or IPv6 without prefix length or scope. A v4-mapped address (::ffff:192.0.2.7)
 * becomes IPv4. 0, or -EINVAL. "unknown" is not an address here.
 */
int ipaddr_parse(Span text, IpAddr *ret_addr);

/*
 * Writes the canonical text (RFC 5952; "unknown" for IP_UNKNOWN), NUL-terminated; returns its
 * length.
 */
size_t ipaddr_format(const IpAddr *addr, char text[IP_TEXT_MAX]);

static inline bool ipaddr_equal(const IpAddr *a, const IpAddr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/*
 * The name of the special-purpose range (IANA registries of RFC 6890: private, loopback,
 * link-local, documentation, ...; multicast) that holds addr, such as "private (RFC 1918)"; NULL
 * for an address of the public Internet. Databases label such ranges with nonsense, so they are
 * asked only after this.
 */
const char *ipaddr_special_name(const IpAddr *addr);

/*
 * The same for the ranges of these registries that are part of the public Internet, such as "6to4
 * (RFC 3056)" and "AS112 (RFC 7534)": what the databases say of them counts.
 */
const char *ipaddr_reachable_name(const IpAddr *addr);

/*
 * The first and last address of the i-th such range (they overlap, in no order); false: there are
 * no more.
 */
bool ipaddr_special_range(size_t i, IpAddr *ret_first, IpAddr *ret_last);

/*
 * Whether addr carries the IPv4 address of a client in it (6to4, Teredo, NAT64's well-known prefix)
 * and which.
 */
bool ipaddr_embedded_v4(const IpAddr *addr, IpAddr *ret_v4);
