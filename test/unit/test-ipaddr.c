/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ipaddr.h"

#include <arpa/inet.h>

#include "tap.h"

static const struct {
	const char *text;
	const char *canonical; /* NULL: not an address */
	const char *special; /* first word of the range's name; "+" before one that is reachable */
} rows[] = {
	{"192.0.2.7", "192.0.2.7", "documentation"},
	{"::ffff:192.0.2.7", "192.0.2.7", "documentation"},
	{"::FFFF:8.8.8.8", "8.8.8.8", NULL},
	{"2001:db8::7", "2001:db8::7", "documentation"},
	{"2001:DB8:0:0:0:0:0:7", "2001:db8::7", "documentation"},
	{"2001:4860:4860::8888", "2001:4860:4860::8888", NULL},
	{"::1", "::1", "loopback"},
	{"::", "::", "unspecified"},
	{"0.0.0.0", "0.0.0.0", "this"},
	{"10.0.0.0", "10.0.0.0", "private"},
	{"9.255.255.255", "9.255.255.255", NULL},
	{"11.0.0.0", "11.0.0.0", NULL},
	{"100.63.255.255", "100.63.255.255", NULL},
	{"100.64.0.0", "100.64.0.0", "carrier-grade"},
	{"100.127.255.255", "100.127.255.255", "carrier-grade"},
	{"100.128.0.0", "100.128.0.0", NULL},
	{"127.0.0.5", "127.0.0.5", "loopback"},
	{"169.254.1.1", "169.254.1.1", "link-local"},
	{"172.15.255.255", "172.15.255.255", NULL},
	{"172.16.0.0", "172.16.0.0", "private"},
	{"172.31.255.255", "172.31.255.255", "private"},
	{"172.32.0.0", "172.32.0.0", NULL},
	{"192.168.1.1", "192.168.1.1", "private"},
	{"198.17.255.255", "198.17.255.255", NULL},
	{"198.19.255.255", "198.19.255.255", "benchmarking"},
	{"223.255.255.255", "223.255.255.255", NULL},
	{"224.0.0.1", "224.0.0.1", "multicast"},
	{"240.0.0.1", "240.0.0.1", "reserved"},
	{"255.255.255.255", "255.255.255.255", "limited"},
	{"fe80::1", "fe80::1", "link-local"},
	{"fd00::1", "fd00::1", "unique"},
	{"fec0::1", "fec0::1", NULL},
	{"ff02::1", "ff02::1", "multicast"},
	{"64:ff9b::808:808", "64:ff9b::808:808", "+NAT64"},
	{"64:ff9b::1:0:0", "64:ff9b::1:0:0", NULL},
	{"64:ff9b:1::1", "64:ff9b:1::1", "local-use"},
	{"64:ff9b:2::1", "64:ff9b:2::1", NULL},
	{"100::7", "100::7", "discard-only"},
	{"100:0:0:1::7", "100:0:0:1::7", "dummy"},
	{"100:0:0:2::7", "100:0:0:2::7", NULL},
	{"192.0.0.7", "192.0.0.7", "IPv4"},
	{"192.0.0.8", "192.0.0.8", "dummy"},
	{"192.0.0.9", "192.0.0.9", "Port"},
	{"192.0.0.10", "192.0.0.10", "TURN"},
	{"192.0.0.11", "192.0.0.11", "IETF"},
	{"192.0.0.171", "192.0.0.171", "NAT64"},
	{"192.0.0.172", "192.0.0.172", "IETF"},
	{"192.0.1.0", "192.0.1.0", NULL},
	{"192.31.195.255", "192.31.195.255", NULL},
	{"192.31.196.1", "192.31.196.1", "+AS112"},
	{"192.31.197.0", "192.31.197.0", NULL},
	{"192.52.193.1", "192.52.193.1", "+automatic"},
	{"192.88.99.1", "192.88.99.1", "+6to4"},
	{"192.88.99.2", "192.88.99.2", "6a44"},
	{"192.88.100.0", "192.88.100.0", NULL},
	{"192.175.48.255", "192.175.48.255", "+AS112"},
	{"192.175.49.0", "192.175.49.0", NULL},
	{"198.20.0.0", "198.20.0.0", NULL},
	{"198.51.99.255", "198.51.99.255", NULL},
	{"198.51.100.0", "198.51.100.0", "documentation"},
	{"203.0.113.255", "203.0.113.255", "documentation"},
	{"203.0.114.0", "203.0.114.0", NULL},
	{"255.255.255.254", "255.255.255.254", "reserved"},
	{"2000::1", "2000::1", NULL},
	{"2001::1", "2001::1", "+Teredo"},
	{"2001:1::1", "2001:1::1", "+Port"},
	{"2001:1::2", "2001:1::2", "+TURN"},
	{"2001:1::3", "2001:1::3", "+DNS-SD"},
	{"2001:1::4", "2001:1::4", "+IETF"},
	{"2001:2::1", "2001:2::1", "benchmarking"},
	{"2001:2:1::1", "2001:2:1::1", "+IETF"},
	{"2001:3::1", "2001:3::1", "+automatic"},
	{"2001:4:112::1", "2001:4:112::1", "+AS112"},
	{"2001:1f::1", "2001:1f::1", "+ORCHID"},
	{"2001:2f::1", "2001:2f::1", "+ORCHIDv2"},
	{"2001:3f::1", "2001:3f::1", "+drone"},
	{"2001:1ff::1", "2001:1ff::1", "+IETF"},
	{"2001:200::1", "2001:200::1", NULL},
	{"2001:db9::1", "2001:db9::1", NULL},
	{"2002::1", "2002::1", "+6to4"},
	{"2003::1", "2003::1", NULL},
	{"2620:4f:8000::1", "2620:4f:8000::1", "+AS112"},
	{"2620:4f:8001::1", "2620:4f:8001::1", NULL},
	{"3fff:fff::1", "3fff:fff::1", "documentation"},
	{"3fff:1000::1", "3fff:1000::1", NULL},
	{"5f00::1", "5f00::1", "segment"},
	{"fbff::1", "fbff::1", NULL},
	{"febf::1", "febf::1", "link-local"},
	{"", NULL, NULL},
	{"unknown", NULL, NULL},
	{"1.2.3", NULL, NULL},
	{"1.2.3.4.5", NULL, NULL},
	{"1.2.3.256", NULL, NULL},
	{"01.2.3.4", NULL, NULL},
	{"1.2.3.4 ", NULL, NULL},
	{" 1.2.3.4", NULL, NULL},
	{"1.2.3.4/32", NULL, NULL},
	{"fe80::1%eth0", NULL, NULL},
	{"2001:db8::7/64", NULL, NULL},
	{"[::1]", NULL, NULL},
	{"::ffff:1.2.3.4.5", NULL, NULL},
	{"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304", NULL},
	{"1:2:3:4:5:6:7:1.2.3.4", NULL, NULL},
	{"::2:3:4:5:6:7:1.2.3.4", NULL, NULL},
	{"1:2:3:4:5:6:7:8:1.2.3.4", NULL, NULL},
	{"0000:0000:0000:0000:0000:0000:0000:0000:0000:00", NULL, NULL},
};

static uint64_t random_state = 0x5eed0001;

/* xorshift64*: the same numbers on every machine. */
static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dULL) >> 32) % n;
}

static bool same_as_inet_pton(const char *text)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	IpAddr got = {0}, expected = {0};
	bool valid = true;
	int r = ipaddr_parse(span_from_string(text), &got);

	if (inet_pton(AF_INET, text, expected.bytes) == 1) {
		expected.family = IP_V4;
	} else if (inet_pton(AF_INET6, text, expected.bytes) == 1) {
		expected.family = IP_V6;
		if (!memcmp(expected.bytes, mapped, sizeof(mapped))) {
			expected.family = IP_V4;
			memmove(expected.bytes, expected.bytes + 12, 4);
			memset(expected.bytes + 4, 0, 12);
		}
	} else {
		valid = false;
	}
	if (valid ? !r && ipaddr_equal(&got, &expected) : r == -EINVAL)
		return true;
	tap_note("'%s' is %s address", text, valid ? "an" : "no");
	return false;
}

/*
 * An address, or nearly one: random pieces put together, or a valid text with some bytes changed.
 */
static void random_text(char text[96])
{
	static const char *const pieces[] = {"::", ":", ".", "0", "1", "255", "256", "ffff", "01",
		"10", "00", "fffff", "192.168.0.1", "1:2:3", "a", "G", "99", "::ffff:", "2001:db8",
		"%", " ", "-1"};
	static const char bytes[] = "0123456789abcdefABCDEF::::.... gx%/";
	size_t len = 0, n;

	text[0] = '\0';
	if (random_below(2)) {
		for (n = 1 + random_below(12); n; n--)
			len += (size_t)snprintf(text + len, 96 - len, "%s",
				pieces[random_below(ARRAY_SIZE(pieces))]);
		return;
	}
	if (random_below(2)) {
		(void)snprintf(text, 96, "%u.%u.%u.%u", random_below(256), random_below(256),
			random_below(256), random_below(256));
	} else {
		struct in6_addr in6;

		for (n = 0; n < 16; n++)
			in6.s6_addr[n] = random_below(3) ? 0 : (uint8_t)random_below(256);
		(void)inet_ntop(AF_INET6, &in6, text, 96);
	}
	for (n = random_below(3); n; n--)
		text[random_below((uint32_t)strlen(text))] = bytes[random_below(sizeof(bytes) - 1)];
	if (!random_below(4))
		text[random_below((uint32_t)strlen(text) + 1)] = '\0';
}

static void test_against_inet_pton(void)
{
	char text[96];
	unsigned wrong = 0;

	tap_note("seed %llx", (unsigned long long)random_state);
	for (unsigned i = 0; i < 300000 && wrong < 10; i++) {
		random_text(text);
		wrong += !same_as_inet_pton(text);
	}
	tap_ok(!wrong, "300,000 random texts are read as inet_pton(3) reads them");
}

static void test_against_inet_ntop(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < 200000 && wrong < 10; i++) {
		IpAddr addr = {.family = i % 2 ? IP_V4 : IP_V6};
		char got[IP_TEXT_MAX], expected[IP_TEXT_MAX];
		size_t len;

		for (size_t k = 0; k < (i % 2 ? 4 : 16); k++)
			addr.bytes[k] = random_below(3) ? (uint8_t)random_below(256) : 0;
		len = ipaddr_format(&addr, got);
		(void)inet_ntop(i % 2 ? AF_INET : AF_INET6, addr.bytes, expected, sizeof(expected));
		if (!strcmp(got, expected) && len == strlen(expected))
			continue;
		tap_note("%s in place of %s", got, expected);
		wrong++;
	}
	tap_ok(!wrong, "200,000 random addresses are written as inet_ntop(3) writes them");
}

static void test_special_ranges(void)
{
	IpAddr first, last;
	bool inside = true;
	size_t n = 0;

	while (ipaddr_special_range(n, &first, &last)) {
		inside = inside && ipaddr_special_name(&first) && ipaddr_special_name(&last) &&
			 memcmp(&first, &last, sizeof(first)) <= 0;
		n++;
	}
	tap_ok(inside && n > 20, "the ends of all %zu special ranges have a name", n);
	(void)ipaddr_special_range(5, &first, &last);
	tap_ok(ipaddr_equal(&first, &(IpAddr){IP_V4, {172, 16, 0, 0}}) &&
			ipaddr_equal(&last, &(IpAddr){IP_V4, {172, 31, 255, 255}}),
		"a range ends where its prefix ends");
}

static void test_embedded(void)
{
	static const struct {
		const char *text;
		const char *inner; /* NULL: there is none */
	} cases[] = {
		{"2002:511e:6b18::1", "81.30.107.24"},
		{"2002:c000:204:ffff:ffff:ffff:ffff:ffff", "192.0.2.4"},
		{"64:ff9b::511e:6b18", "81.30.107.24"},
		{"64:ff9b:1::511e:6b18", NULL}, /* where it stands is the site's choice */
		{"2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"}, /* RFC 4380's own */
		{"2001:1::1", NULL},
		{"2003::511e:6b18", NULL},
		{"81.30.107.24", NULL},
		{"32.2.81.30", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		IpAddr addr = {0}, inner = {0};
		char text[IP_TEXT_MAX] = "";
		bool found;

		(void)ipaddr_parse(span_from_string(cases[i].text), &addr);
		found = ipaddr_embedded_v4(&addr, &inner);
		if (found)
			ipaddr_format(&inner, text);
		tap_ok(found == !!cases[i].inner && !strcmp(text, found ? cases[i].inner : ""),
			"'%s' carries %s", cases[i].text,
			cases[i].inner ? cases[i].inner : "no IPv4 address");
	}
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[IP_TEXT_MAX] = "";
		const char *special = NULL, *reachable = NULL, *expected = rows[i].special;
		IpAddr addr;
		int r = ipaddr_parse(span_from_string(rows[i].text), &addr);

		if (!rows[i].canonical) {
			tap_ok(r == -EINVAL, "'%s' is refused", rows[i].text);
			continue;
		}
		if (!r) {
			ipaddr_format(&addr, text);
			special = ipaddr_special_name(&addr);
			reachable = ipaddr_reachable_name(&addr);
		}
		tap_ok(!r && !strcmp(text, rows[i].canonical), "'%s' reads as %s", rows[i].text,
			rows[i].canonical);
		if (expected && *expected == '+')
			tap_ok(!special && reachable &&
					!strncmp(reachable, expected + 1, strlen(expected) - 1),
				"'%s' is %s and public", rows[i].text, expected + 1);
		else if (expected)
			tap_ok(special && !strncmp(special, expected, strlen(expected)),
				"'%s' is %s", rows[i].text, expected);
		else
			tap_ok(!special && !reachable, "'%s' is public", rows[i].text);
	}
	tap_ok(ipaddr_parse((Span){"1.2.3.4\0", 8}, &(IpAddr){0}) == -EINVAL, "NUL is refused");
	test_against_inet_pton();
	test_against_inet_ntop();
	test_special_ranges();
	test_embedded();
	return tap_done();
}
