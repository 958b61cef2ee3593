/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/smtp-url.h"

#include "base/ipaddr.h"
#include "base/number.h"

#include <strings.h>

static int refuse(Why *ret_why, const char *why)
{
	why_set(ret_why, "%s", why);
	return -EINVAL;
}

static bool is_host_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("._-", c));
}

/* A host's name, or an address in brackets: what can stand in a command as well. */
static bool is_host(Span host)
{
	IpAddr ip;

	if (host.len > 2 && *host.data == '[' && host.data[host.len - 1] == ']')
		return !ipaddr_parse((Span){host.data + 1, host.len - 2}, &ip) &&
		       memchr(host.data, ':', host.len);
	for (size_t i = 0; i < host.len; i++)
		if (!is_host_char(host.data[i]))
			return false;
	return host.len && *host.data != '-' && *host.data != '.';
}

static bool is_this_host(Span host)
{
	IpAddr ip;

	if (host.len == strlen("localhost") && !strncasecmp(host.data, "localhost", host.len))
		return true;
	if (*host.data == '[')
		host = (Span){host.data + 1, host.len - 2};
	if (ipaddr_parse(host, &ip) < 0)
		return false;
	if (ip.family == IP_V4)
		return ip.bytes[0] == 127;
	return !memcmp(ip.bytes, (const uint8_t[16]){[15] = 1}, 16);
}

static int parse_authority(Span authority, SmtpUrl *parsed, Why *ret_why)
{
	const char *end = authority.data + authority.len, *behind;
	uint64_t port = parsed->port;

	if (memchr(authority.data, '@', authority.len))
		return refuse(ret_why, "holds a user name, which has an option of its own");
	behind = authority.len && *authority.data == '['
			 ? memchr(authority.data, ']', authority.len)
			 : memchr(authority.data, ':', authority.len);
	if (!behind)
		behind = end;
	else if (*behind == ']')
		behind++;
	parsed->host = (Span){authority.data, (size_t)(behind - authority.data)};
	if (!is_host(parsed->host))
		return refuse(ret_why, parsed->host.len ? "names no host in a form that is known"
							: "names no host");
	if (behind < end && (*behind != ':' ||
				    number_parse_u64((Span){behind + 1, (size_t)(end - behind - 1)},
					    65535, &port) ||
				    !port))
		return refuse(ret_why, "has no number from 1 to 65535 as port");
	parsed->port = (uint16_t)port;
	parsed->this_host = is_this_host(parsed->host);
	return 0;
}

int smtp_url_parse(const char *url, SmtpUrl *ret_parsed, Why *ret_why)
{
	static const struct {
		const char *prefix;
		SmtpTls tls;
		uint16_t port;
	} schemes[] = {
		{"smtp://", SMTP_TLS_OFFERED, 25},
		{"smtp+starttls://", SMTP_TLS_STARTTLS, 587},
		{"smtps://", SMTP_TLS_FROM_START, 465},
	};
	SmtpUrl parsed = {.name = SPAN_MISSING};

	if (strlen(url) > SMTP_URL_MAX)
		return refuse(ret_why, "is longer than 600 bytes");
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		const char *rest = url + strlen(schemes[i].prefix);
		size_t len;
		int r;

		if (strncasecmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) != 0)
			continue;
		len = strcspn(rest, "/?#");
		parsed.tls = schemes[i].tls;
		parsed.port = schemes[i].port;
		r = parse_authority((Span){rest, len}, &parsed, ret_why);
		if (r < 0)
			return r;
		if (rest[len] == '/' && rest[len + 1]) {
			parsed.name = span_from_string(rest + len + 1);
			if (!is_host(parsed.name))
				return refuse(ret_why, "has no host name behind its last /");
		} else if (rest[len] && rest[len] != '/') {
			return refuse(ret_why, "has a ? or # behind the host");
		}
		*ret_parsed = parsed;
		return 0;
	}
	return refuse(ret_why, "does not begin with smtp://, smtp+starttls:// or smtps://");
}
