/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Addresses for addresses, by a keyed function. See StandIns. */

#include "base/hash.h"
#include "base/ipaddr.h"

/*
 * The address that stands for addr, of the same family. The unspecified one, the loopback's and IP_UNKNOWN stand for themselves;
 * private ones (RFC 1918, RFC 6598, RFC 4193) and link-local ones get one of their own range, and no two the same but
 * for IPv6. All others get one of 240.0.0.0/4, which nobody has, or of 2001:db8::/32; with keep_prefixes IPv4 gets any that is
 * in none of these ranges, no two the same.
 */
void standin_map_address(HashKey key, bool keep_prefixes, const IpAddr *addr, IpAddr *ret_addr);
