/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Small values from text: numbers, sizes, durations, addresses, lists of name servers, cursors. Against the C library where it can. */

#include "fuzz.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include "base/ipaddr.h"
#include "base/number.h"
#include "enrich/rdns-servers.h"
#include "source/cursor.h"

static void check_address(Span text, const char *string)
{
	bool whole = strlen(string) == text.len;
	char canonical[IP_TEXT_MAX];
	uint8_t bytes[16];
	IpAddr addr, back;

	if (ipaddr_parse(text, &addr)) {
		HOLDS(!whole || (!inet_pton(AF_INET, string, bytes) &&
					!inet_pton(AF_INET6, string, bytes)));
		return;
	}
	HOLDS(whole);
	if (inet_pton(AF_INET, string, bytes)) {
		HOLDS(addr.family == IP_V4 && !memcmp(addr.bytes, bytes, 4));
	} else {
		HOLDS(inet_pton(AF_INET6, string, bytes));
		HOLDS(!memcmp(addr.bytes, addr.family == IP_V4 ? bytes + 12 : bytes,
			addr.family == IP_V4 ? 4 : 16));
	}
	HOLDS(ipaddr_format(&addr, canonical) == strlen(canonical));
	HOLDS(!ipaddr_parse(span_from_string(canonical), &back) && ipaddr_equal(&addr, &back));
}

static void check_number(Span text, const char *string)
{
	uint64_t value, size_bytes, ms;
	int r = number_parse_u64(text, UINT64_MAX, &value);

	if (!r) {
		char *end;

		errno = 0;
		HOLDS(strtoull(string, &end, 10) == value && !errno && !*end);
		HOLDS(!number_parse_size(text, &size_bytes) && size_bytes == value);
		r = number_parse_duration(text, &ms);
		HOLDS(value > UINT64_MAX / 1000 ? r == -ERANGE : !r && ms == value * 1000);
		return;
	}
	HOLDS(r == -EINVAL || r == -ERANGE);
	r = number_parse_size(text, &size_bytes);
	HOLDS(!r || r == -EINVAL || r == -ERANGE);
	r = number_parse_duration(text, &ms);
	HOLDS(!r || r == -EINVAL || r == -ERANGE);
}

static void check_cursor(const char *string)
{
	_cleanup_strbuf_ StrBuf again = STRBUF_INIT;
	Cursor cursor, back;

	if (cursor_parse(string, &cursor))
		return;
	strbuf_appendf(&again, "s=%s;i=%" PRIx64 ";b=%s;m=%" PRIx64 ";t=%" PRIx64 ";x=%" PRIx64,
		cursor.file_set, cursor.number, cursor.boot, cursor.monotonic_us,
		cursor.realtime_us, cursor.hash);
	HOLDS(again.len <= strlen(string) && !cursor_parse(again.data, &back));
	HOLDS(!strcmp(cursor.file_set, back.file_set) && cursor.number == back.number);
	HOLDS(cursor_same_entry(&cursor, &back) && !strcmp(cursor.boot, back.boot));
}

static void check_servers(Span text)
{
	_cleanup_strbuf_ StrBuf again = STRBUF_INIT;
	RdnsServers servers, back;
	Why why = {0};
	int r = rdns_servers_parse(text, &servers, &why);

	if (r) {
		HOLDS(r == -EINVAL && why.text[0]);
		return;
	}
	HOLDS(servers.count <= RDNS_SERVERS_MAX);
	for (size_t i = 0; i < servers.count; i++) {
		const RdnsServer *server = &servers.list[i];
		char ip[IP_TEXT_MAX];

		HOLDS(server->port &&
			(server->addr.family == IP_V4 || server->addr.family == IP_V6));
		ipaddr_format(&server->addr, ip);
		strbuf_appendf(
			&again, server->addr.family == IP_V4 ? "%s%s" : "%s[%s", i ? "," : "", ip);
		if (server->scope)
			strbuf_appendf(&again, "%%%" PRIu32, server->scope);
		strbuf_appendf(&again, server->addr.family == IP_V4 ? ":%u" : "]:%u", server->port);
	}
	HOLDS(!rdns_servers_parse((Span){strbuf_text(&again), again.len}, &back, &why));
	HOLDS(rdns_servers_equal(&servers, &back));
}

FUZZ_TARGET(values)
{
	Span text = fuzz_rest(&(FuzzInput){data, size});
	_cleanup_free_ char *string = span_dup(text);

	HOLDS(string);
	check_address(text, string);
	check_number(text, string);
	check_servers(text);
	check_cursor(string);
	return 0;
}
