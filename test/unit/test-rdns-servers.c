/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns-servers.h"

#include "base/file.h"
#include "tap.h"

#define EIGHT "192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4,192.0.2.5,192.0.2.6,192.0.2.7,192.0.2.8"

static const struct {
	const char *text;
	const char *servers; /* NULL: refused */
} lists[] = {
	{"", ""},
	{"  ", ""},
	{"192.0.2.1", "192.0.2.1#53"},
	{"192.0.2.1:5353", "192.0.2.1#5353"},
	{"192.0.2.1:1", "192.0.2.1#1"},
	{"192.0.2.1:65535", "192.0.2.1#65535"},
	{"::1", "::1#53"},
	{"[::1]", "::1#53"},
	{"[::1]:5353", "::1#5353"},
	{"2001:db8::53", "2001:db8::53#53"},
	{" 192.0.2.1 ,\t[::1]:53 , 127.0.0.1:5353\t", "192.0.2.1#53 ::1#53 127.0.0.1#5353"},
	{"0.0.0.0", "127.0.0.1#53"},
	{"[::]:5353", "::1#5353"},
	{"::ffff:192.0.2.1", "192.0.2.1#53"},
	{EIGHT, "192.0.2.1#53 192.0.2.2#53 192.0.2.3#53 192.0.2.4#53 192.0.2.5#53 192.0.2.6#53 "
		"192.0.2.7#53 "
		"192.0.2.8#53"},
	{EIGHT ",192.0.2.9", NULL},
	{"192.0.2.1:70000", NULL},
	{"192.0.2.1:65536", NULL},
	{"192.0.2.1:0", NULL},
	{"192.0.2.1:", NULL},
	{"192.0.2.1:-1", NULL},
	{"192.0.2.1:+53", NULL},
	{"192.0.2.1: 53", NULL},
	{"192.0.2.1:53x", NULL},
	{"192.0.2.1:18446744073709551669", NULL},
	{"192.0.2.256", NULL},
	{"192.0.2.1 192.0.2.2", NULL},
	{"192.0.2.1;192.0.2.2", NULL},
	{"localhost", NULL},
	{",", NULL},
	{"192.0.2.1,", NULL},
	{",192.0.2.1", NULL},
	{"192.0.2.1,,192.0.2.2", NULL},
	{"[192.0.2.1]", NULL},
	{"[192.0.2.1]:53", NULL},
	{"[::1", NULL},
	{"[]", NULL},
	{"[", NULL},
	{"::1]", NULL},
	{"[::1]53", NULL},
	{"[::1]:", NULL},
	{"[::1]:0", NULL},
	{"[::1]]:53", NULL},
	{"::1%lo", "::1%1#53"},
	{"[::1%lo]:5353", "::1%1#5353"},
	{"fe80::1%7", "fe80::1%7#53"},
	{"fe80::1%no-such-interface", NULL},
	{"fe80::1%nosuch", NULL},
	{"fe80::1%", NULL},
	{"fe80::1%0", NULL},
	{"192.0.2.1%lo", NULL},
};

static const struct {
	const char *text; /* NULL: no file */
	const char *servers;
} files[] = {
	{NULL, "127.0.0.1#53"},
	{"", "127.0.0.1#53"},
	{"# only words\nsearch example.com\noptions timeout:1\n", "127.0.0.1#53"},
	{"nameserver 192.0.2.1\n", "192.0.2.1#53"},
	{"nameserver 192.0.2.1", "192.0.2.1#53"},
	{"nameserver\t192.0.2.1  \r\nnameserver  ::1 # ours\n", "192.0.2.1#53 ::1#53"},
	{"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
		"192.0.2.1#53 192.0.2.2#53 192.0.2.3#53"},
	{"nameserver fe80::1%nosuch\nnameserver x\nnameserver\nnameservers 1.1.1.1\n#nameserver "
	 "1.1.1.1\n"
	 ";nameserver 1.1.1.1\n nameserver 1.1.1.1\nnameserver 192.0.2.2\n",
		"192.0.2.2#53"},
	{"nameserver 127.0.0.1:5353\n", "127.0.0.1#5353"},
	{"nameserver 0.0.0.0\n", "127.0.0.1#53"},
};

static void servers_text(const RdnsServers *servers, char text[512])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < servers->count; i++) {
		char addr[IP_TEXT_MAX];

		ipaddr_format(&servers->list[i].addr, addr);
		len += (size_t)snprintf(text + len, 512 - len, "%s%s", i ? " " : "", addr);
		if (servers->list[i].scope)
			len += (size_t)snprintf(
				text + len, 512 - len, "%%%u", servers->list[i].scope);
		len += (size_t)snprintf(text + len, 512 - len, "#%u", servers->list[i].port);
	}
}

int main(void)
{
	char dir[] = "/tmp/test-rdns-servers-XXXXXX", path[64], text[512];

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		RdnsServers servers = {.count = 99};
		Why why = {""};
		int r = rdns_servers_parse(span_from_string(lists[i].text), &servers, &why);

		if (!lists[i].servers) {
			tap_ok(r == -EINVAL && servers.count == 99 &&
					!strncmp(why.text, "servers: ", 9),
				"'%s' is refused: %s", lists[i].text, why.text);
			continue;
		}
		if (!r)
			servers_text(&servers, text);
		if (!tap_ok(!r && !strcmp(text, lists[i].servers), "'%s'", lists[i].text))
			tap_note("%d %s", r, text);
	}
	tap_ok(!rdns_servers_parse(SPAN_MISSING, &(RdnsServers){0}, NULL), "no list");

	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/resolv.conf", dir);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		RdnsServers servers;
		int r = 0;

		(void)unlink(path);
		if (files[i].text)
			r = file_replace(path, files[i].text, strlen(files[i].text), 0644);
		if (!r)
			r = rdns_servers_read(path, &servers);
		if (!r)
			servers_text(&servers, text);
		if (!tap_ok(!r && !strcmp(text, files[i].servers), "resolv.conf %zu: %s", i,
			    files[i].servers))
			tap_note("%d %s", r, text);
	}
	(void)unlink(path);
	(void)rmdir(dir);
	return tap_done();
}
