/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The name servers that rdns asks: from the option's text, or from resolv.conf. Both are read here,
 * because c-ares takes port 70000 and an empty list without a word, and refuses blanks and "[::1]".
 */

#include "base/ipaddr.h"

#define RDNS_SERVERS_MAX 8

typedef struct RdnsServer {
	IpAddr addr;
	uint32_t scope; /* the interface's index, for an IPv6 link-local address; else 0 */
	uint16_t port;  /* host order */
} RdnsServer;

typedef struct RdnsServers {
	RdnsServer list[RDNS_SERVERS_MAX]; /* what is not used is zero */
	size_t count;
} RdnsServers;

/*
 * Reads "192.0.2.1, 192.0.2.1:5353, ::1, [::1], [::1]:53" (blanks around commas do not count, the
 * port is 53 when there is none; an IPv6 address may have a scope: [fe80::1%eth0]:53). 0; an empty
 * text gives count 0; -EINVAL with the item in *ret_why.
 */
int rdns_servers_parse(Span text, RdnsServers *ret_servers, Why *ret_why);

/*
 * The first three nameserver lines of resolv.conf(5), as libc takes them; 127.0.0.1 when there is
 * none or the file can't be read. Lines that are not an address do not count; a port is understood
 * as above. 0, or -ENOMEM, -EMFILE, -ENFILE when it is us who could not look.
 */
int rdns_servers_read(const char *resolv_conf_path, RdnsServers *ret_servers);

static inline bool rdns_servers_equal(const RdnsServers *a, const RdnsServers *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->list[i].port != b->list[i].port || a->list[i].scope != b->list[i].scope ||
			!ipaddr_equal(&a->list[i].addr, &b->list[i].addr))
			return false;
	return true;
}
