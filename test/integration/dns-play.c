/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A name server that behaves as its argument says, at the address that it prints, until it is killed. */

#include "dns-server.h"

#include <stdio.h>

static const struct {
	const char *name;
	DnsRule rule;
} plays[] = {
	{"answer", {.answers = {{.type = DNS_PTR, .ttl = 600, .name = "host.example."}}}},
	{"slow", {.delay_ms = 100,
			 .answers = {{.type = DNS_PTR, .ttl = 600, .name = "host.example."}}}},
	{"late", {.delay_ms = 2000,
			 .answers = {{.type = DNS_PTR, .ttl = 600, .name = "host.example."}}}},
	{"hostile", {.answers = {{.type = DNS_PTR,
			     .ttl = 600,
			     .name = "=cmd|'/c\\044x'!a1\\010.example."}}}},
	{"drop", {.kind = DNS_DROP}},
	{"garbage", {.kind = DNS_GARBAGE}},
	{"wrong-id", {.kind = DNS_WRONG_ID}},
	{"wrong-question", {.kind = DNS_WRONG_QUESTION}},
	{"servfail", {.rcode = DNS_SERVFAIL}},
	{"refused", {.rcode = DNS_REFUSED}},
	{"nxdomain", {.rcode = DNS_NXDOMAIN}},
	{"nodata", {0}},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(plays); i++) {
		DnsServer *server;

		if (strcmp(argv[1], plays[i].name))
			continue;
		server = dns_server_new("127.0.0.1", &plays[i].rule, 1);
		if (!server) {
			perror("dns-play");
			return 1;
		}
		puts(dns_server_address(server));
		(void)fflush(stdout);
		for (;;)
			(void)pause();
	}
	fputs("usage: dns-play KIND\n", stderr);
	return 2;
}
