/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ipaddr.h"

#include <arpa/inet.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/*
 * Both readers take exactly what inet_pton(3) takes. By hand because millions of rows and lines
 * hold addresses, and because the text need not be copied to get a NUL behind it.
 */

/* No leading zeros: other programs read them as octal. */
static bool parse_v4(const char *p, const char *end, uint8_t bytes[4])
{
	for (size_t i = 0; i < 4; i++) {
		unsigned value, digit;

		if (i && (p == end || *p++ != '.'))
			return false;
		if (p == end || (value = (unsigned char)*p - (unsigned)'0') > 9)
			return false;
		p++;
		while (p < end && (digit = (unsigned char)*p - (unsigned)'0') <= 9) {
			if (!value || (value = value * 10 + digit) > 255)
				return false;
			p++;
		}
		bytes[i] = (uint8_t)value;
	}
	return p == end;
}

/* By table: whether a digit or a letter comes next can't be predicted. 16: neither. */
static unsigned hex_value(char c)
{
	/* clang-format off */
	static const uint8_t values['f' - '0' + 1] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 16, 16, 16, 16, 16,
		16, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16, 16,
		16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
		16, 10, 11, 12, 13, 14, 15,
	};
	/* clang-format on */
	unsigned at = (unsigned char)c - (unsigned)'0';

	return at < sizeof(values) ? values[at] : 16;
}

static bool parse_v6(const char *p, const char *end, uint8_t bytes[16])
{
	size_t n = 0, gap = SIZE_MAX; /* bytes that stand before the "::" */

	if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
		gap = 0;
		p += 2;
	}
	while (p < end) {
		const char *start = p;
		unsigned value = 0, digit;

		while (p < end && p - start < 4 && (digit = hex_value(*p)) < 16) {
			value = value << 4 | digit;
			p++;
		}
		if (p < end && *p == '.') {
			if (n > 12 || !parse_v4(start, end, bytes + n))
				return false;
			n += 4;
			break;
		}
		if (p == start || n > 14)
			return false;
		bytes[n++] = (uint8_t)(value >> 8);
		bytes[n++] = (uint8_t)value;
		if (p == end)
			break;
		if (*p++ != ':' || p == end)
			return false;
		if (*p == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = n;
			p++;
		}
	}
	if (gap == SIZE_MAX)
		return n == 16;
	if (n == 16) /* "::" stands for one group at least */
		return false;
	memmove(bytes + 16 - (n - gap), bytes + gap, n - gap);
	memset(bytes + gap, 0, 16 - n);
	return true;
}

int ipaddr_parse(Span text, IpAddr *ret_addr)
{
	const char *end = text.data + text.len;
	IpAddr addr = {.family = IP_V4};

	if (!text.len)
		return -EINVAL;
	if (!parse_v4(text.data, end, addr.bytes)) {
		addr = (IpAddr){.family = IP_V6};
		if (!parse_v6(text.data, end, addr.bytes))
			return -EINVAL;
		if (!memcmp(addr.bytes, mapped_prefix, sizeof(mapped_prefix))) {
			addr.family = IP_V4;
			memmove(addr.bytes, addr.bytes + 12, 4);
			memset(addr.bytes + 4, 0, 12);
		}
	}
	*ret_addr = addr;
	return 0;
}

/* By hand: inet_ntop(3) prints IPv4 through sprintf, and every row and answer holds an address. */
static size_t format_v4(const uint8_t bytes[4], char *text)
{
	char *p = text;

	for (size_t i = 0; i < 4; i++) {
		unsigned value = bytes[i];

		if (i)
			*p++ = '.';
		if (value >= 100)
			*p++ = (char)('0' + value / 100);
		if (value >= 10)
			*p++ = (char)('0' + value / 10 % 10);
		*p++ = (char)('0' + value % 10);
	}
	*p = '\0';
	return (size_t)(p - text);
}

size_t ipaddr_format(const IpAddr *addr, char text[IP_TEXT_MAX])
{
	if (addr->family == IP_V4)
		return format_v4(addr->bytes, text);
	if (addr->family == IP_UNKNOWN || !inet_ntop(AF_INET6, addr->bytes, text, IP_TEXT_MAX))
		memcpy(text, "unknown", sizeof("unknown"));
	return strlen(text);
}

typedef struct SpecialRange {
	uint8_t family;
	uint8_t bits;
	uint8_t bytes[16];
	const char *name;
} SpecialRange;

/*
 * The IANA IPv4 and IPv6 special-purpose registries as of 2025-10-09, and multicast; the narrower range stands first. What they
 * call globally reachable is below.
 */
static const SpecialRange special_ranges[] = {
	{IP_V4, 8, {0}, "this network (RFC 791)"},
	{IP_V4, 8, {10}, "private (RFC 1918)"},
	{IP_V4, 10, {100, 64}, "carrier-grade NAT (RFC 6598)"},
	{IP_V4, 8, {127}, "loopback (RFC 1122)"},
	{IP_V4, 16, {169, 254}, "link-local (RFC 3927)"},
	{IP_V4, 12, {172, 16}, "private (RFC 1918)"},
	{IP_V4, 29, {192, 0, 0}, "IPv4 service continuity (RFC 7335)"},
	{IP_V4, 32, {192, 0, 0, 8}, "dummy address (RFC 7600)"},
	{IP_V4, 32, {192, 0, 0, 9}, "Port Control Protocol anycast (RFC 7723)"},
	{IP_V4, 32, {192, 0, 0, 10}, "TURN anycast (RFC 8155)"},
	{IP_V4, 31, {192, 0, 0, 170}, "NAT64 discovery (RFC 7050)"},
	{IP_V4, 24, {192, 0, 0}, "IETF protocol assignments (RFC 6890)"},
	{IP_V4, 24, {192, 0, 2}, "documentation (RFC 5737)"},
	{IP_V4, 32, {192, 88, 99, 2}, "6a44 relay anycast (RFC 6751)"},
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
	{IP_V6, 64, {0x01, [7] = 1}, "dummy prefix (RFC 9780)"},
	{IP_V6, 48, {0x20, 0x01, 0x00, 0x02}, "benchmarking (RFC 5180)"},
	{IP_V6, 32, {0x20, 0x01, 0x0d, 0xb8}, "documentation (RFC 3849)"},
	{IP_V6, 20, {0x3f, 0xff}, "documentation (RFC 9637)"},
	{IP_V6, 16, {0x5f}, "segment routing SIDs (RFC 9602)"},
	{IP_V6, 7, {0xfc}, "unique local (RFC 4193)"},
	{IP_V6, 10, {0xfe, 0x80}, "link-local (RFC 4291)"},
	{IP_V6, 8, {0xff}, "multicast (RFC 4291)"},
};

/* With those of which the registries don't say, and 2001::/23, of most of whose used parts they say it. */
static const SpecialRange reachable_ranges[] = {
	{IP_V4, 24, {192, 31, 196}, "AS112 (RFC 7535)"},
	{IP_V4, 24, {192, 52, 193}, "automatic multicast tunneling (RFC 7450)"},
	{IP_V4, 24, {192, 88, 99}, "6to4 relay anycast (RFC 7526)"},
	{IP_V4, 24, {192, 175, 48}, "AS112 (RFC 7534)"},
	{IP_V6, 96, {0x00, 0x64, 0xff, 0x9b}, "NAT64 (RFC 6052)"},
	{IP_V6, 32, {0x20, 0x01}, "Teredo (RFC 4380)"},
	{IP_V6, 128, {0x20, 0x01, [3] = 1, [15] = 1}, "Port Control Protocol anycast (RFC 7723)"},
	{IP_V6, 128, {0x20, 0x01, [3] = 1, [15] = 2}, "TURN anycast (RFC 8155)"},
	{IP_V6, 128, {0x20, 0x01, [3] = 1, [15] = 3}, "DNS-SD registration anycast (RFC 9665)"},
	{IP_V6, 32, {0x20, 0x01, 0x00, 0x03}, "automatic multicast tunneling (RFC 7450)"},
	{IP_V6, 48, {0x20, 0x01, 0x00, 0x04, 0x01, 0x12}, "AS112 (RFC 7535)"},
	{IP_V6, 28, {0x20, 0x01, 0x00, 0x10}, "ORCHID (RFC 4843)"},
	{IP_V6, 28, {0x20, 0x01, 0x00, 0x20}, "ORCHIDv2 (RFC 7343)"},
	{IP_V6, 28, {0x20, 0x01, 0x00, 0x30}, "drone remote ID (RFC 9374)"},
	{IP_V6, 23, {0x20, 0x01}, "IETF protocol assignments (RFC 2928)"},
	{IP_V6, 16, {0x20, 0x02}, "6to4 (RFC 3056)"},
	{IP_V6, 48, {0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, "AS112 (RFC 7534)"},
};

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(bytes, prefix, whole))
		return false;
	return !rest || !((bytes[whole] ^ prefix[whole]) >> (8 - rest));
}

static const char *find_name(const SpecialRange *ranges, size_t count, const IpAddr *addr)
{
	for (const SpecialRange *r = ranges; r < ranges + count; r++)
		if (r->family == addr->family && has_prefix(addr->bytes, r->bytes, r->bits))
			return r->name;
	return NULL;
}

const char *ipaddr_special_name(const IpAddr *addr)
{
	return find_name(special_ranges, ARRAY_SIZE(special_ranges), addr);
}

const char *ipaddr_reachable_name(const IpAddr *addr)
{
	return find_name(reachable_ranges, ARRAY_SIZE(reachable_ranges), addr);
}

bool ipaddr_special_range(size_t i, IpAddr *ret_first, IpAddr *ret_last)
{
	const SpecialRange *r;

	if (i >= ARRAY_SIZE(special_ranges))
		return false;
	r = &special_ranges[i];
	*ret_first = *ret_last = (IpAddr){.family = r->family};
	memcpy(ret_first->bytes, r->bytes, sizeof(r->bytes));
	for (size_t bit = 0; bit < (r->family == IP_V4 ? 32 : 128); bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		ret_last->bytes[bit / 8] |= bit < r->bits ? r->bytes[bit / 8] & mask : mask;
	}
	return true;
}

bool ipaddr_embedded_v4(const IpAddr *addr, IpAddr *ret_v4)
{
	static const struct {
		uint8_t bits;
		uint8_t prefix[12];
		uint8_t at;   /* where the IPv4 address stands */
		uint8_t flip; /* Teredo's stands there with all bits inverted, to pass through NATs */
	} forms[] = {
		{16, {0x20, 0x02}, 2, 0},
		{96, {0x00, 0x64, 0xff, 0x9b}, 12, 0},
		{32, {0x20, 0x01}, 12, 0xff},
	};

	for (size_t i = 0; addr->family == IP_V6 && i < ARRAY_SIZE(forms); i++) {
		if (!has_prefix(addr->bytes, forms[i].prefix, forms[i].bits))
			continue;
		*ret_v4 = (IpAddr){.family = IP_V4};
		for (size_t k = 0; k < 4; k++)
			ret_v4->bytes[k] = addr->bytes[forms[i].at + k] ^ forms[i].flip;
		return true;
	}
	return false;
}
