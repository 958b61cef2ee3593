/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/address.h"

#include "base/ipaddr.h"

#define LABEL_MAX 63

static int refuse(Why *ret_why, const char *why)
{
	why_set(ret_why, "%s", why);
	return -EINVAL;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* atext of RFC 5322, 3.2.3 */
static bool is_atext(char c)
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* What no part of an address holds, with better words than its grammar has. */
static int check_bytes(const char *address, Why *ret_why)
{
	for (const char *p = address; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return refuse(ret_why, "holds a control byte");
		if ((unsigned char)*p > 0x7f)
			return refuse(ret_why,
				"holds what is not ASCII (a domain has an ASCII form, xn--...)");
	}
	return 0;
}

/* The length of the quoted string that text begins with, or 0. */
static size_t quoted_length(const char *text)
{
	size_t i = 1;

	while (text[i] && text[i] != '"') {
		if (text[i] == '\\' && !text[++i])
			return 0;
		i++;
	}
	return text[i] == '"' ? i + 1 : 0;
}

/* How much of text is a local part; 0 with *ret_why. */
static size_t local_length(const char *text, Why *ret_why)
{
	size_t n = 0;

	if (*text == '"') {
		n = quoted_length(text);
		if (!n)
			why_set(ret_why, "has no closing quote");
		return n;
	}
	while (is_atext(text[n]) || (text[n] == '.' && n && text[n - 1] != '.'))
		n++;
	if (!n || text[n - 1] == '.') {
		why_set(ret_why, n || *text == '.' ? "has a dot in a place that is not for one"
						   : "names nobody before the @");
		return 0;
	}
	return n;
}

static int check_literal(Span literal, Why *ret_why)
{
	static const char v6[] = "IPv6:";
	IpAddr ip;
	bool is_v6 = span_starts_with(literal, v6);

	if (is_v6) {
		literal.data += strlen(v6);
		literal.len -= strlen(v6);
	}
	if (ipaddr_parse(literal, &ip) < 0 || !memchr(literal.data, ':', literal.len) == is_v6)
		return refuse(ret_why, "has no [192.0.2.1] or [IPv6:2001:db8::1] in its brackets");
	return 0;
}

static int check_domain(const char *domain, Why *ret_why)
{
	size_t len = strlen(domain);

	if (*domain == '[') {
		if (domain[len - 1] != ']')
			return refuse(ret_why, "has no ] at its end");
		return check_literal((Span){domain + 1, len - 2}, ret_why);
	}
	for (const char *label = domain, *end;; label = end + 1) {
		end = label + strcspn(label, ".");
		if (end == label || end - label > LABEL_MAX || *label == '-' || end[-1] == '-')
			return refuse(ret_why, *domain ? "has no domain behind its @"
						       : "names no domain behind the @");
		for (const char *p = label; p < end; p++)
			if (!is_alnum(*p) && *p != '-')
				return refuse(ret_why, "has no domain behind its @");
		if (!*end)
			return 0;
	}
}

int address_check(const char *address, Why *ret_why)
{
	size_t local;

	if (!*address)
		return refuse(ret_why, "is empty");
	if (strlen(address) > ADDRESS_MAX)
		return refuse(ret_why, "is longer than 254 bytes");
	if (check_bytes(address, ret_why) < 0)
		return -EINVAL;
	local = local_length(address, ret_why);
	if (!local)
		return -EINVAL;
	if (local > ADDRESS_LOCAL_MAX)
		return refuse(ret_why, "has more than 64 bytes before the @");
	if (!address[local])
		return 0;
	if (address[local] == '@')
		return check_domain(address + local + 1, ret_why);
	return refuse(ret_why,
		address[local] == ' ' ? "holds a blank" : "is not of the form NAME@DOMAIN");
}
