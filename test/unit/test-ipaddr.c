/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ipaddr.h"

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
	{"0000:0000:0000:0000:0000:0000:0000:0000:0000:00", NULL, NULL},
};

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
	return tap_done();
}
