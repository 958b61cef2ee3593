/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fetch/url.h"

#include "base/number.h"

#include <strings.h>

static int refuse(Why *ret_why, const char *why)
{
	why_set(ret_why, "%s", why);
	return -EINVAL;
}

/* What stands between "//" and the path: HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT. */
static int check_authority(Span authority, Why *ret_why)
{
	const char *end = authority.data + authority.len, *host = authority.data, *behind;
	uint64_t port;

	if (memchr(host, '@', authority.len))
		return refuse(ret_why, "holds a user name, which is not supported");
	if (authority.len && *host == '[') {
		behind = memchr(host, ']', authority.len);
		if (!behind)
			return refuse(ret_why, "has no ] behind the address");
		behind++;
	} else {
		behind = memchr(host, ':', authority.len);
		if (!behind)
			behind = end;
	}
	if (behind == host)
		return refuse(ret_why, "names no host");
	if (behind == end)
		return 0;
	if (*behind != ':' ||
		number_parse_u64((Span){behind + 1, (size_t)(end - behind - 1)}, 65535, &port) ||
		!port)
		return refuse(ret_why, "has no number from 1 to 65535 as port");
	return 0;
}

int url_check(const char *url, UrlScheme *ret_scheme, Why *ret_why)
{
	static const struct {
		const char *prefix;
		UrlScheme scheme;
	} schemes[] = {{"https://", URL_HTTPS}, {"http://", URL_HTTP}, {"file:///", URL_FILE}};

	if (strlen(url) > URL_MAX)
		return refuse(ret_why, "is longer than 2000 bytes");
	for (const char *p = url; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return refuse(ret_why,
				"holds a blank, a control byte or what is not ASCII; %HH stands "
				"for such a byte");
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t len = strlen(schemes[i].prefix);
		int r = 0;

		if (strncasecmp(url, schemes[i].prefix, len) != 0)
			continue;
		if (schemes[i].scheme != URL_FILE)
			r = check_authority((Span){url + len, strcspn(url + len, "/?#")}, ret_why);
		else if (!url[len])
			r = refuse(ret_why, "names no file");
		if (!r)
			*ret_scheme = schemes[i].scheme;
		return r;
	}
	return refuse(ret_why, "does not begin with https://, http:// or file:///");
}

Span url_file_name(const char *url)
{
	const char *end = url + strcspn(url, "?#"), *start = end;

	while (start > url && start[-1] != '/')
		start--;
	return (Span){start, (size_t)(end - start)};
}
