/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ipaddr.h"

#include <arpa/inet.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int ipaddr_parse(Span text, IpAddr *ret_addr)
{
	char copy[IP_TEXT_MAX];
	IpAddr addr = {0};

	if (!text.len || text.len >= sizeof(copy) || memchr(text.data, '\0', text.len))
		return -EINVAL;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, addr.bytes) == 1) {
		addr.family = IP_V4;
	} else if (inet_pton(AF_INET6, copy, addr.bytes) == 1) {
		addr.family = IP_V6;
		if (!memcmp(addr.bytes, mapped_prefix, sizeof(mapped_prefix))) {
			addr.family = IP_V4;
			memmove(addr.bytes, addr.bytes + 12, 4);
			memset(addr.bytes + 4, 0, 12);
		}
	} else {
		return -EINVAL;
	}
	*ret_addr = addr;
	return 0;
}

size_t ipaddr_format(const IpAddr *addr, char text[IP_TEXT_MAX])
{
	if (addr->family == IP_UNKNOWN || !inet_ntop(addr->family == IP_V4 ? AF_INET : AF_INET6,
						  addr->bytes, text, IP_TEXT_MAX))
		memcpy(text, "unknown", sizeof("unknown"));
	return strlen(text);
}

typedef struct SpecialRange {
	uint8_t family;
	uint8_t bits;
	uint8_t bytes[16];
	const char *name;
} SpecialRange;

/* The IANA IPv4 and IPv6 special-purpose registries; the narrower range stands first. */
static const SpecialRange special_ranges[] = {
	{IP_V4, 8, {0}, "this network (RFC 791)"},
	{IP_V4, 8, {10}, "private (RFC 1918)"},
	{IP_V4, 10, {100, 64}, "carrier-grade NAT (RFC 6598)"},
	{IP_V4, 8, {127}, "loopback (RFC 1122)"},
	{IP_V4, 16, {169, 254}, "link-local (RFC 3927)"},
	{IP_V4, 12, {172, 16}, "private (RFC 1918)"},
	{IP_V4, 24, {192, 0, 0}, "IETF protocol assignments (RFC 6890)"},
	{IP_V4, 24, {192, 0, 2}, "documentation (RFC 5737)"},
	{IP_V4, 16, {192, 168}, "private (RFC 1918)"},
	{IP_V4, 15, {198, 18}, "benchmarking (RFC 2544)"},
	{IP_V4, 24, {198, 51, 100}, "documentation (RFC 5737)"},
	{IP_V4, 24, {203, 0, 113}, "documentation (RFC 5737)"},
	{IP_V4, 4, {224}, "multicast (RFC 5771)"},
	{IP_V4, 32, {255, 255, 255, 255}, "limited broadcast (RFC 919)"},
	{IP_V4, 4, {240}, "reserved (RFC 1112)"},
	{IP_V6, 128, {0}, "unspecified (RFC 4291)"},
	{IP_V6, 128, {[15] = 1}, "loopback (RFC 4291)"},
	{IP_V6, 48, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, "local-use NAT64 (RFC 8215)"},
	{IP_V6, 64, {0x01}, "discard-only (RFC 6666)"},
	{IP_V6, 32, {0x20, 0x01, 0x0d, 0xb8}, "documentation (RFC 3849)"},
	{IP_V6, 28, {0x20, 0x01, 0x00, 0x20}, "ORCHIDv2 (RFC 7343)"},
	{IP_V6, 48, {0x20, 0x01, 0x00, 0x02}, "benchmarking (RFC 5180)"},
	{IP_V6, 20, {0x3f, 0xff}, "documentation (RFC 9637)"},
	{IP_V6, 16, {0x5f}, "segment routing SIDs (RFC 9602)"},
	{IP_V6, 7, {0xfc}, "unique local (RFC 4193)"},
	{IP_V6, 10, {0xfe, 0x80}, "link-local (RFC 4291)"},
	{IP_V6, 8, {0xff}, "multicast (RFC 4291)"},
};

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(bytes, prefix, whole))
		return false;
	return !rest || !((bytes[whole] ^ prefix[whole]) >> (8 - rest));
}

const char *ipaddr_special_name(const IpAddr *addr)
{
	for (size_t i = 0; i < ARRAY_SIZE(special_ranges); i++) {
		const SpecialRange *r = &special_ranges[i];

		if (r->family == addr->family && has_prefix(addr->bytes, r->bytes, r->bits))
			return r->name;
	}
	return NULL;
}
