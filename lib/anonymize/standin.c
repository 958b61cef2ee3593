/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "anonymize/standin.h"

#include "anonymize/standin-address.h"

#define DIGITS 10 /* of a name: 40 bits */
#define HOST_MAX 255
#define LABELS_MAX 32

static const char *const kind_names[STANDIN_KIND_COUNT] = {
	[STANDIN_TEXT] = "text",
	[STANDIN_USER] = "user",
	[STANDIN_MAIL] = "mail",
	[STANDIN_HOST] = "host",
	[STANDIN_ADDRESS] = "address",
	[STANDIN_QUEUE_ID] = "queue-id",
	[STANDIN_MESSAGE_ID] = "message-id",
	[STANDIN_SESSION] = "session",
	[STANDIN_CHALLENGE] = "challenge",
	[STANDIN_METHOD] = "method",
	[STANDIN_PROGRAM] = "program",
	[STANDIN_NUMBER] = "number",
};

const char *standin_kind_name(StandInKind kind)
{
	return kind < STANDIN_KIND_COUNT ? kind_names[kind] : NULL;
}

int standin_kind_parse(Span name, StandInKind *ret_kind)
{
	for (StandInKind kind = 0; kind < STANDIN_KIND_COUNT; kind++) {
		Span known = span_from_string(kind_names[kind]);
		size_t i = 0;

		/* the names of groups in patterns have "_" */
		while (i < known.len && i < name.len &&
			(name.data[i] == known.data[i] ||
				(name.data[i] == '_' && known.data[i] == '-')))
			i++;
		if (i == known.len && i == name.len) {
			*ret_kind = kind;
			return 0;
		}
	}
	return -EINVAL;
}

void standins_init(StandIns *standins, HashKey key)
{
	HashDigest names = hash_digest(key, "names", 5),
		   addresses = hash_digest(key, "addresses", 9);

	*standins = (StandIns){
		.names = {names.h0, names.h1},
		.addresses = {addresses.h0, addresses.h1},
	};
}

/* ---- names ------------------------------------------------------------------------------------- */

static void append_hex(StrBuf *sb, uint64_t value, size_t digits, const char *alphabet)
{
	char *to = strbuf_reserve(sb, digits);

	if (!to)
		return;
	for (size_t i = digits; i--; value >>= 4)
		to[i] = alphabet[value & 15];
	sb->len += digits;
	sb->data[sb->len] = '\0';
}

static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

static uint64_t hash_name(const StandIns *standins, Span value)
{
	return hash_bytes(standins->names, value.data, value.len);
}

static void append_name(const StandIns *standins, Span prefix, Span value, StrBuf *sb)
{
	strbuf_append_span(sb, prefix);
	append_hex(sb, hash_name(standins, value), DIGITS, lower);
}

/* In base64 it says what it is: <challenge-3fa9c1d2e0>. */
static void append_challenge(const StandIns *standins, Span value, StrBuf *sb)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	append_name(standins, SPAN_LITERAL("<challenge-"), value, &text);
	strbuf_append_char(&text, '>');
	while (text.len % 3)
		strbuf_append_char(&text, ' ');
	if (strbuf_error(&text)) {
		sb->error = sb->error ? sb->error : strbuf_error(&text);
		return;
	}
	for (size_t i = 0; i < text.len; i += 3) {
		uint32_t bits = (uint32_t)(unsigned char)text.data[i] << 16 |
				(uint32_t)(unsigned char)text.data[i + 1] << 8 |
				(unsigned char)text.data[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			strbuf_append_char(sb, alphabet[bits >> shift & 63]);
	}
}

static void append_number(const StandIns *standins, Span value, StrBuf *sb)
{
	uint64_t rest = 0;

	for (size_t i = 0, digits = 0; i < value.len; i++) {
		char c = value.data[i];

		if (c >= '0' && c <= '9') {
			if (digits++ % 16 == 0)
				rest = hash_bytes(
					(HashKey){standins->names.k0 + digits, standins->names.k1},
					value.data, value.len);
			c = (char)('0' + rest % 10);
			rest /= 10;
		}
		strbuf_append_char(sb, c);
	}
}

/* ---- addresses --------------------------------------------------------------------------------- */

void standin_of_address(const StandIns *standins, const IpAddr *addr, IpAddr *ret_addr)
{
	if (standins->keep) {
		char text[IP_TEXT_MAX];
		Span value = {text, ipaddr_format(addr, text)};

		if (standins->keep(standins->userdata, STANDIN_ADDRESS, value)) {
			*ret_addr = *addr;
			return;
		}
	}
	standin_map_address(standins->addresses, standins->keep_prefixes, addr, ret_addr);
}

static bool is_mapped(Span text)
{
	return text.len > 7 && memchr(text.data, ':', text.len);
}

/* False when text is no address. */
static bool append_address(const StandIns *standins, Span text, StrBuf *sb)
{
	char result[IP_TEXT_MAX];
	IpAddr addr;
	size_t n;

	if (ipaddr_parse(text, &addr))
		return false;
	standin_of_address(standins, &addr, &addr);
	n = ipaddr_format(&addr, result);
	if (addr.family == IP_V4 && is_mapped(text))
		strbuf_append_string(sb, "::ffff:");
	strbuf_append(sb, result, n);
	return true;
}

/* "[192.0.2.7]", "[IPv6:2001:db8::7]" of RFC 5321, also without its ends. */
static bool append_literal(const StandIns *standins, Span text, StrBuf *sb)
{
	size_t before = sb->len;
	bool closes = text.len && text.data[text.len - 1] == ']';

	if (!text.len || *text.data != '[')
		return append_address(standins, text, sb);
	text.data++;
	text.len -= 1 + closes;
	strbuf_append_char(sb, '[');
	if (text.len > 5 && !strncasecmp(text.data, "IPv6:", 5)) {
		text = (Span){text.data + 5, text.len - 5};
		strbuf_append_string(sb, "IPv6:");
	}
	if (!append_address(standins, text, sb)) {
		if (!strbuf_error(sb))
			strbuf_truncate(sb, before);
		return false;
	}
	if (closes)
		strbuf_append_char(sb, ']');
	return true;
}

/* ---- hosts ------------------------------------------------------------------------------------- */

/* A name in lower case without the dot at its end, and where its labels begin. */
typedef struct HostName {
	char text[HOST_MAX + 1];
	size_t len;
	size_t label[LABELS_MAX];
	size_t label_count;
	bool has_dot;
} HostName;

/* False when it is longer than names are. */
static bool read_host(Span value, HostName *host)
{
	host->has_dot = value.len > 1 && value.data[value.len - 1] == '.';
	host->len = value.len - host->has_dot;
	if (host->len > HOST_MAX)
		return false;
	host->label_count = 0;
	for (size_t i = 0; i < host->len; i++) {
		char c = value.data[i];

		host->text[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		if (i && value.data[i - 1] != '.')
			continue;
		if (host->label_count == LABELS_MAX)
			return false;
		host->label[host->label_count++] = i;
	}
	host->text[host->len] = '\0';
	return true;
}

/* What every host calls itself, and what Postfix says for one that has no name. */
static bool is_nobody(const HostName *host)
{
	static const Span names[] = {
		SPAN_LITERAL("unknown"),
		SPAN_LITERAL("localhost"),
		SPAN_LITERAL("localhost.localdomain"),
		SPAN_LITERAL("localhost4"),
		SPAN_LITERAL("localhost6"),
		SPAN_LITERAL("ip6-localhost"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_equal((Span){host->text, host->len}, names[i]))
			return true;
	return false;
}

/*
 * Where the domain begins that somebody registered: two labels, three where the last but one is a country's "co" or "com". Without
 * the public suffix list, and it need not be exact: it says which names are shown as of one domain.
 */
static size_t domain_start(const HostName *host)
{
	static const char *const seconds[] = {"ac", "co", "com", "edu", "go", "gob", "gov", "ltd",
		"mil", "ne", "net", "or", "org"};
	size_t n = host->label_count, second_len;
	const char *second;

	if (n < 3)
		return 0;
	second = host->text + host->label[n - 2];
	second_len = host->label[n - 1] - host->label[n - 2] - 1;
	if (host->len - host->label[n - 1] == 2)
		for (size_t i = 0; i < ARRAY_SIZE(seconds); i++)
			if (strlen(seconds[i]) == second_len &&
				!memcmp(second, seconds[i], second_len))
				return host->label[n - 3];
	return host->label[n - 2];
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Four numbers from p on with the same sign between them, as names of dial-up hosts have. Their end, or NULL. */
static const char *read_octets(const char *p, const char *end, uint8_t octets[4])
{
	char sign = '\0';

	for (size_t i = 0; i < 4; i++) {
		unsigned value = 0;
		size_t digits = 0;

		if (i && (p == end || (*p != '-' && *p != '.' && *p != '_') ||
				 (i > 1 && *p != sign)))
			return NULL;
		if (i)
			sign = *p++;
		while (p < end && is_digit(*p) && digits < 3) {
			value = value * 10 + (unsigned)(*p++ - '0');
			digits++;
		}
		if (!digits || value > 255)
			return NULL;
		octets[i] = (uint8_t)value;
	}
	return p < end && is_digit(*p) ? NULL : p;
}

/* The IPv4 address that the name spells, and where that ends. */
static bool find_spelled(const HostName *host, IpAddr *ret_addr, size_t *ret_end)
{
	const char *end = host->text + host->len;

	for (const char *p = host->text; p < end; p++) {
		IpAddr addr = {.family = IP_V4};
		const char *stop;

		if (!is_digit(*p) || (p > host->text && is_digit(p[-1])))
			continue;
		stop = read_octets(p, end, addr.bytes);
		if (!stop)
			continue;
		*ret_addr = addr;
		*ret_end = (size_t)(stop - host->text);
		return true;
	}
	return false;
}

/* "-243-17-9-201" */
static void append_spelled(const IpAddr *addr, char sign, StrBuf *sb)
{
	for (size_t i = 0; i < 4; i++) {
		if (i || sign == '-')
			strbuf_append_char(sb, sign);
		strbuf_append_u64(sb, addr->bytes[i]);
	}
}

static bool ends_with(Span text, const char *end)
{
	size_t n = strlen(end);

	return text.len >= n && !memcmp(text.data + text.len - n, end, n);
}

/* "7.2.0.192.in-addr.arpa": its address, reversed again. */
static bool append_arpa(const StandIns *standins, const HostName *host, StrBuf *sb)
{
	static const char suffix[] = ".in-addr.arpa";
	Span name = {host->text, host->len};
	IpAddr addr = {.family = IP_V4}, reversed = addr;
	const char *end;

	if (ends_with(name, ".ip6.arpa")) {
		append_name(standins, SPAN_LITERAL("host-"), name, sb);
		strbuf_append_string(sb, ".ip6.arpa");
		return true;
	}
	if (!ends_with(name, suffix))
		return false;
	end = host->text + host->len - strlen(suffix);
	if (read_octets(host->text, end, reversed.bytes) != end) {
		append_name(standins, SPAN_LITERAL("host-"), name, sb);
	} else {
		for (size_t i = 0; i < 4; i++)
			addr.bytes[i] = reversed.bytes[3 - i];
		standin_of_address(standins, &addr, &addr);
		for (size_t i = 0; i < 4; i++)
			reversed.bytes[i] = addr.bytes[3 - i];
		append_spelled(&reversed, '.', sb);
	}
	strbuf_append_string(sb, suffix);
	return true;
}

static void append_host_name(const StandIns *standins, const HostName *host, StrBuf *sb)
{
	Span name = {host->text, host->len}, domain;
	size_t kept = 0, spelled_end = 0, start;
	IpAddr addr;
	bool spells;

	if (standins->keep) {
		kept = MIN(standins->keep(standins->userdata, STANDIN_HOST, name), name.len);
		if (kept == name.len) {
			strbuf_append_span(sb, name);
			return;
		}
	}
	if (!kept && append_arpa(standins, host, sb))
		return;
	start = domain_start(host);
	spells = find_spelled(host, &addr, &spelled_end);
	/* Never what spells the address is taken for the domain. */
	if (spells && start < spelled_end) {
		start = spelled_end;
		while (start < name.len && (name.data[start] == '.' || name.data[start] == '-'))
			start++;
	}
	domain = (Span){name.data + start, name.len - start};
	if (start || kept || host->label_count < 2) {
		append_name(standins, SPAN_LITERAL("host-"), name, sb);
		if (spells) {
			/* backwards it may be anybody's who has it at the other end */
			if (addr.bytes[0] == 127 || !addr.bytes[0])
				addr.bytes[0] ^= 0x80;
			standin_of_address(standins, &addr, &addr);
			append_spelled(&addr, '-', sb);
		}
		if (kept) {
			strbuf_append_span(sb, (Span){name.data + name.len - kept, kept});
			return;
		}
		if (!domain.len || host->label_count < 2)
			return;
		strbuf_append_char(sb, '.');
	}
	append_name(standins, SPAN_LITERAL("domain-"), domain, sb);
	strbuf_append_string(sb, ".example");
}

static void append_host(const StandIns *standins, Span value, StrBuf *sb)
{
	HostName host;

	if (append_literal(standins, value, sb))
		return;
	if (!read_host(value, &host)) {
		append_name(standins, SPAN_LITERAL("host-"), value, sb);
		return;
	}
	if (is_nobody(&host))
		strbuf_append(sb, value.data, host.len);
	else
		append_host_name(standins, &host, sb);
	if (host.has_dot)
		strbuf_append_char(sb, '.');
}

/* ---- what has a domain ------------------------------------------------------------------------- */

static void append_at_domain(const StandIns *standins, Span prefix, Span value, StrBuf *sb)
{
	const char *at = memrchr(value.data, '@', value.len);
	Span local = {value.data, at ? (size_t)(at - value.data) : value.len};

	if (local.len)
		append_name(standins, prefix, local, sb);
	if (!at)
		return;
	strbuf_append_char(sb, '@');
	if (local.len + 1 < value.len)
		append_host(standins, (Span){at + 1, value.len - local.len - 1}, sb);
}

void standin_append(const StandIns *standins, StandInKind kind, Span value, StrBuf *sb)
{
	if (!value.len)
		return;
	switch (kind) {
	case STANDIN_USER:
	case STANDIN_MAIL: append_at_domain(standins, SPAN_LITERAL("user-"), value, sb); break;
	case STANDIN_MESSAGE_ID:
		append_at_domain(standins, SPAN_LITERAL("message-"), value, sb);
		break;
	case STANDIN_HOST:
	case STANDIN_ADDRESS: append_host(standins, value, sb); break;
	case STANDIN_QUEUE_ID: append_hex(sb, hash_name(standins, value), DIGITS + 1, upper); break;
	case STANDIN_SESSION: append_name(standins, SPAN_LITERAL("session-"), value, sb); break;
	case STANDIN_CHALLENGE: append_challenge(standins, value, sb); break;
	case STANDIN_METHOD:
		strbuf_append_string(sb, "METHOD-");
		append_hex(sb, hash_name(standins, value), DIGITS, upper);
		break;
	case STANDIN_PROGRAM: append_name(standins, SPAN_LITERAL("program-"), value, sb); break;
	case STANDIN_NUMBER: append_number(standins, value, sb); break;
	case STANDIN_TEXT:
	case STANDIN_KIND_COUNT: append_name(standins, SPAN_LITERAL("text-"), value, sb); break;
	}
}
