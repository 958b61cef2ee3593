/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * An answer of a name server. Bit 0 of the first byte chooses the address that was asked for, bit 1 whether the rest is
 * the whole message or what follows a question that is right: code, counts of answers and authorities, records. Then two
 * bytes for how much of it came, in a second reading.
 */

#include "fuzz.h"

#include "enrich/rdns-answer.h"

static const IpAddr addresses[] = {
	{IP_V4, {192, 0, 2, 7}}, {IP_V6, {0x20, 0x01, 0x0d, 0xb8, [15] = 7}}};

static void check_host(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	HOLDS(strlen(name) >= 1 && strlen(name) <= 253);
	for (;;) {
		size_t n = strspn(name, letters);

		HOLDS(n >= 1 && n <= 63 && (!name[n] || name[n] == '.'));
		if (!name[n])
			break;
		name += n + 1;
	}
}

static void append_question(StrBuf *message, const IpAddr *addr)
{
	static const char ptr_in[] = {0, 0, DNS_TYPE_PTR, 0, DNS_CLASS_IN};
	char text[RDNS_QUESTION_MAX];

	rdns_question(addr, text);
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, ".");

		strbuf_append_char(message, (char)n);
		strbuf_append(message, p, n);
		p += n + (p[n] == '.');
	}
	strbuf_append(message, ptr_in, sizeof(ptr_in));
}

/* Header and question are right; code and counts are the input's, and the truncation bit. */
static void build(StrBuf *message, const IpAddr *addr, FuzzInput *input)
{
	unsigned code = (unsigned)fuzz_take(input, 1);
	const char head[12] = {1, 2, (char)(0x81 | (code & 0x80 ? 2 : 0)), (char)(code & 15), 0, 1,
		(char)fuzz_take(input, 1), (char)fuzz_take(input, 1), 0, (char)fuzz_take(input, 1)};

	strbuf_append(message, head, sizeof(head));
	append_question(message, addr);
	strbuf_append_span(message, fuzz_rest(input));
}

static void check_answer(const RdnsAnswer *answer)
{
	switch (answer->status) {
	case RDNS_OK:
		check_host(answer->name);
		HOLDS(answer->ttl_seconds <= INT32_MAX);
		break;
	case RDNS_NO_NAME:
	case RDNS_NO_PTR:
	case RDNS_SERVER_FAILED:
		HOLDS(!answer->name[0]);
		HOLDS(answer->ttl_seconds <= RDNS_NEGATIVE_TTL_SECONDS);
		break;
	default: HOLDS(false);
	}
}

/* What is read from the start of a message that was cut is no other name. */
static void check_cut(const IpAddr *addr, Span message, size_t len, const RdnsAnswer *whole)
{
	_cleanup_free_ char *copy = malloc(MAX(len, (size_t)1));
	RdnsAnswer answer;

	HOLDS(copy);
	memcpy(copy, message.data, len);
	if (rdns_answer_read(addr, copy, len, &answer))
		return;
	check_answer(&answer);
	if (answer.status == RDNS_OK)
		HOLDS(whole && whole->status == RDNS_OK && !strcmp(answer.name, whole->name) &&
			answer.ttl_seconds == whole->ttl_seconds);
}

FUZZ_TARGET(dns)
{
	_cleanup_strbuf_ StrBuf built = STRBUF_INIT;
	FuzzInput input = {data, size};
	unsigned choice = (unsigned)fuzz_take(&input, 1);
	const IpAddr *addr = &addresses[choice & 1], *other = &addresses[~choice & 1];
	size_t cut = (size_t)fuzz_take(&input, 2), len;
	uint8_t stripped[RDNS_STRIPPED_MAX], again[RDNS_STRIPPED_MAX];
	Span message = fuzz_rest(&input);
	RdnsAnswer answer, whole;
	int r;

	if (choice & 2) {
		build(&built, addr, &input);
		message = (Span){built.data, built.len};
		HOLDS(rdns_answer_is_for(addr, message.data, message.len));
	}
	r = rdns_answer_read(addr, message.data, message.len, &whole);
	if (r)
		HOLDS(r == -EBADMSG);
	else
		check_answer(&whole);
	HOLDS(r || rdns_answer_is_for(addr, message.data, message.len));
	/* Nobody answers for two. */
	HOLDS(r || rdns_answer_read(other, message.data, message.len, &answer) == -EBADMSG);
	check_cut(addr, message, cut % (message.len + 1), r ? NULL : &whole);

	len = rdns_answer_strip(message.data, message.len, stripped);
	HOLDS(len <= RDNS_STRIPPED_MAX && len <= message.len && (r || len));
	if (!len)
		return 0;
	HOLDS(rdns_answer_strip(stripped, len, again) == len && !memcmp(stripped, again, len));
	HOLDS(rdns_answer_is_for(addr, stripped, len) ==
		rdns_answer_is_for(addr, message.data, message.len));
	if (!rdns_answer_read(addr, stripped, len, &answer))
		HOLDS(answer.status != RDNS_OK && !answer.truncated);
	return 0;
}
