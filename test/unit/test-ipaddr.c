/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ipaddr.h"

#include <arpa/inet.h>

#include "tap.h"

static const struct {
	const char *text;
	const char *canonical; /* NULL: not an address */
	const char *special;   /* the first word of the special-purpose range */
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
	{"64:ff9b::808:808", "64:ff9b::808:808", NULL},
	{"64:ff9b:1::1", "64:ff9b:1::1", "local-use"},
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

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[IP_TEXT_MAX] = "";
		const char *special = NULL;
		IpAddr addr;
		int r = ipaddr_parse(span_from_string(rows[i].text), &addr);

		if (!rows[i].canonical) {
			tap_ok(r == -EINVAL, "'%s' is refused", rows[i].text);
			continue;
		}
		if (!r) {
			ipaddr_format(&addr, text);
			special = ipaddr_special_name(&addr);
		}
		tap_ok(!r && !strcmp(text, rows[i].canonical), "'%s' reads as %s", rows[i].text,
			rows[i].canonical);
		tap_ok(rows[i].special ? special && !strncmp(special, rows[i].special,
							    strlen(rows[i].special))
				       : !special,
			"'%s' is %s", rows[i].text, rows[i].special ? rows[i].special : "public");
	}
	tap_ok(ipaddr_parse((Span){"1.2.3.4\0", 8}, &(IpAddr){0}) == -EINVAL, "NUL is refused");
	test_against_inet_pton();
	test_special_ranges();
	return tap_done();
}
