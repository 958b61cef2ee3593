/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns-servers.h"

#include <net/if.h>

#include "base/file.h"
#include "base/number.h"

#define DNS_PORT 53
#define RESOLV_CONF_SIZE_MAX ((size_t)1 << 16)
#define RESOLV_CONF_SERVERS_MAX 3 /* MAXNS of <resolv.h> */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static Span strip(Span s)
{
	while (s.len && is_blank(s.data[0]))
		s.data++, s.len--;
	while (s.len && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* What stands before the first c; *rest is what stands behind it, missing when there is no c. */
static Span cut(Span s, char c, Span *rest)
{
	const char *at = s.len ? memchr(s.data, c, s.len) : NULL;

	if (!at) {
		*rest = SPAN_MISSING;
		return s;
	}
	*rest = (Span){at + 1, s.len - (size_t)(at - s.data) - 1};
	return (Span){s.data, (size_t)(at - s.data)};
}

/* The scope by name or number (RFC 4007, 11). */
static int scope_parse(Span text, uint32_t *ret_scope)
{
	char name[IF_NAMESIZE];
	uint64_t number;

	if (!text.len || text.len >= sizeof(name))
		return -EINVAL;
	memcpy(name, text.data, text.len);
	name[text.len] = '\0';
	number = if_nametoindex(name);
	if (!number && (number_parse_u64(text, INT32_MAX, &number) < 0 || !number))
		return -EINVAL;
	*ret_scope = (uint32_t)number;
	return 0;
}

static int server_parse(Span text, RdnsServer *ret_server)
{
	RdnsServer server = {.port = DNS_PORT};
	Span host, scope, port = SPAN_MISSING, rest;
	uint64_t number;

	if (span_starts_with(text, "[")) {
		host = cut((Span){text.data + 1, text.len - 1}, ']', &rest);
		if (!rest.data || (rest.len && rest.data[0] != ':') ||
			!memchr(host.data, ':', host.len))
			return -EINVAL;
		if (rest.len)
			port = (Span){rest.data + 1, rest.len - 1};
	} else {
		host = cut(text, ':', &port);
		if (port.data && memchr(port.data, ':', port.len)) {
			/* Two colons: an IPv6 address, which takes a port only in brackets. */
			host = text;
			port = SPAN_MISSING;
		}
	}
	host = cut(host, '%', &scope);
	if (ipaddr_parse(host, &server.addr) < 0)
		return -EINVAL;
	if (scope.data && (server.addr.family != IP_V6 || scope_parse(scope, &server.scope) < 0))
		return -EINVAL;
	if (port.data) {
		if (number_parse_u64(port, UINT16_MAX, &number) < 0 || !number)
			return -EINVAL;
		server.port = (uint16_t)number;
	}
	/*
	 * "This host" (RFC 1122, 3.2.1.3) works for sending, but the answer comes from the loopback
	 * address, and c-ares drops an answer from another address than the one it asked.
	 */
	static const uint8_t any[sizeof(server.addr.bytes)];
	if (!memcmp(server.addr.bytes, any, sizeof(any))) {
		if (server.addr.family == IP_V4)
			server.addr.bytes[0] = 127, server.addr.bytes[3] = 1;
		else
			server.addr.bytes[15] = 1;
	}
	*ret_server = server;
	return 0;
}

int rdns_servers_parse(Span text, RdnsServers *ret_servers, Why *ret_why)
{
	RdnsServers servers = {0};
	Span rest = strip(text);

	while (rest.data && (rest.len || servers.count)) {
		Span item = strip(cut(rest, ',', &rest));

		if (servers.count == RDNS_SERVERS_MAX) {
			why_set(ret_why, "servers: more than %d", RDNS_SERVERS_MAX);
			return -EINVAL;
		}
		if (server_parse(item, &servers.list[servers.count]) < 0) {
			why_set(ret_why, "servers: '%.*s' is not an address with port",
				(int)MIN(item.len, 80U), item.data);
			return -EINVAL;
		}
		servers.count++;
	}
	*ret_servers = servers;
	return 0;
}

int rdns_servers_read(const char *resolv_conf_path, RdnsServers *ret_servers)
{
	static const char keyword[] = "nameserver";
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	RdnsServers servers = {0};
	Span rest;
	int r;

	r = file_read(resolv_conf_path, RESOLV_CONF_SIZE_MAX, &text);
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return r;
	rest = r < 0 ? SPAN_MISSING : (Span){strbuf_text(&text), text.len};
	while (rest.data && servers.count < RESOLV_CONF_SERVERS_MAX) {
		Span line = cut(rest, '\n', &rest), value;
		size_t len = 0;

		if (!span_starts_with(line, keyword) || line.len == sizeof(keyword) - 1 ||
			!is_blank(line.data[sizeof(keyword) - 1]))
			continue;
		value = strip(
			(Span){line.data + sizeof(keyword) - 1, line.len - sizeof(keyword) + 1});
		while (len < value.len && !is_blank(value.data[len]) && value.data[len] != '\r' &&
			value.data[len] != '#' && value.data[len] != ';')
			len++;
		if (!server_parse((Span){value.data, len}, &servers.list[servers.count]))
			servers.count++;
	}
	if (!servers.count)
		servers = (RdnsServers){
			.list = {{.addr = {.family = IP_V4, .bytes = {127, 0, 0, 1}},
				.port = DNS_PORT}},
			.count = 1,
		};
	*ret_servers = servers;
	return 0;
}
