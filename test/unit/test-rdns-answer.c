/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns-answer.h"

#include "rdns-cases.h"
#include "tap.h"

static const struct {
	const char *addr, *question;
} questions[] = {
	{"192.0.2.7", "7.2.0.192.in-addr.arpa"},
	{"0.0.0.0", "0.0.0.0.in-addr.arpa"},
	{"255.255.255.255", "255.255.255.255.in-addr.arpa"},
	{"::ffff:198.51.100.254", "254.100.51.198.in-addr.arpa"},
	{"2001:db8::7", "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
	{"123:4567:89ab:cdef:fedc:ba98:7654:3210",
		"0.1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.f.e.d.c.b.a.9.8.7.6.5.4.3.2.1.0.ip6.arpa"},
};

static IpAddr address(const char *text)
{
	IpAddr addr = {0};

	(void)ipaddr_parse(span_from_string(text), &addr);
	return addr;
}

static bool is_host(const char *name)
{
	size_t len = strlen(name), label = 0;

	if (!len || len > 253)
		return false;
	for (const char *p = name;; p++) {
		if (*p == '.' || !*p) {
			if (!label || label > 63)
				return false;
			label = 0;
			if (!*p)
				return true;
		} else if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			   (*p >= '0' && *p <= '9') || *p == '-' || *p == '_') {
			label++;
		} else {
			return false;
		}
	}
}

static void test_cases(void)
{
	static uint8_t query[DNS_MESSAGE_MAX], message[DNS_MESSAGE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rdns_cases); i++) {
		const RdnsCase *c = &rdns_cases[i];
		const IpAddr addr = address(c->v6 ? "2001:db8::7" : "192.0.2.7");
		RdnsAnswer answer = {0};
		size_t len;
		int r;

		len = dns_query_write(&addr, 7, query);
		len = dns_rule_answer(&c->rule, query, len, c->rule.truncated, message);
		r = rdns_answer_read(&addr, message, len, &answer);
		if (c->no_answer) {
			tap_ok(r == -EBADMSG, "%s: no answer", c->what);
			continue;
		}
		if (!tap_ok(!r && answer.status == c->status && !answer.truncated &&
				    (c->name ? !strcmp(answer.name, c->name)
					     : !answer.name[0] == (c->status != RDNS_OK)),
			    "%s: %s", c->what, rdns_status_text(c->status)))
			tap_note("%d, %s '%s'", r, rdns_status_text(answer.status), answer.name);
		if (c->ttl >= 0 && !tap_ok(answer.ttl_seconds == c->ttl, "%s: for %" PRId64 " s",
					   c->what, c->ttl))
			tap_note("%u s", answer.ttl_seconds);
	}
}

/* Of the question for 192.0.2.7: the header, then 1 7 1 2 1 0 3 192 7 in-addr 4 arpa 0. */
enum { TYPE_AT = 12 + 24, RECORDS_AT = TYPE_AT + 4 };

static void test_header(void)
{
	static uint8_t query[DNS_MESSAGE_MAX], message[DNS_MESSAGE_MAX];
	const DnsRule rule = {.answers = {PTR_TO("mail.example.com")}};
	const DnsRule cut = {.truncated = true};
	const DnsRule no_question = {.no_question = true, .rcode = DNS_FORMERR};
	const IpAddr addr = address("192.0.2.7"), other = address("192.0.2.8");
	RdnsAnswer answer;
	size_t len, query_len;
	bool refused = true;

	query_len = dns_query_write(&addr, 7, query);
	len = dns_rule_answer(&rule, query, query_len, false, message);
	tap_ok(rdns_answer_read(&addr, query, query_len, &answer) == -EBADMSG,
		"the query sent back");
	tap_ok(rdns_answer_read(&other, message, len, &answer) == -EBADMSG, "another question");
	for (size_t i = 0; i < len; i++)
		refused &= rdns_answer_read(&addr, message, i, &answer) == -EBADMSG;
	tap_ok(refused, "the answer cut off at each byte");

	message[2] = 0x84 | 0x08;
	tap_ok(rdns_answer_read(&addr, message, len, &answer) == -EBADMSG, "another opcode");
	message[2] = 0x84;
	message[TYPE_AT + 1] = DNS_TXT;
	tap_ok(rdns_answer_read(&addr, message, len, &answer) == -EBADMSG, "another type");

	len = dns_rule_answer(&rule, query, query_len, false, message);
	message[TYPE_AT + 3] = 3;
	tap_ok(rdns_answer_read(&addr, message, len, &answer) == -EBADMSG, "another class");
	len = dns_rule_answer(&rule, query, query_len, false, message);
	message[TYPE_AT - 2] ^= 0x20; /* arpA */
	tap_ok(!rdns_answer_read(&addr, message, len, &answer) && answer.status == RDNS_OK,
		"the question in other case");

	len = dns_rule_answer(&cut, query, query_len, false, message);
	tap_ok(!rdns_answer_read(&addr, message, len, &answer) && answer.truncated, "truncated");
	len = dns_rule_answer(&rule, query, query_len, false, message);
	message[2] |= 2;
	tap_ok(!rdns_answer_read(&addr, message, len - 3, &answer) && answer.truncated,
		"truncated within a record");
	len = dns_rule_answer(&no_question, query, query_len, false, message);
	tap_ok(rdns_answer_read(&addr, message, len, &answer) == -EBADMSG, "no question");
}

static void test_strip(void)
{
	static uint8_t query[DNS_MESSAGE_MAX], message[DNS_MESSAGE_MAX];
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
		bool v6, good;
	} rows[] = {
		{"the answer", 0, 0, false, true},
		{"the answer for IPv6", 0, 0, true, true},
		{"SERVFAIL", 3, 0x82, false, true},
		{"TC", 2, 0x87, false, true},
		{"a query", 2, 0x01, false, false},
		{"a NOTIFY", 2, 0xa0, false, false},
		{"two questions", 5, 2, false, false},
		{"another type", TYPE_AT + 1, 1, false, false},
		{"another class", TYPE_AT + 3, 3, false, false},
		{"a question that ends nowhere", 12, 63, false, false},
		{"a question that is a pointer", 12, 0xc0, false, false},
		{"a question of another kind", 12, 0x40, false, false},
	};
	const DnsRule rule = {
		.answers = {PTR_TO("mail.example.com")}, .authority = {SOA_FOR(1, 1)}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const IpAddr addr = address(rows[i].v6 ? "2001:db8::7" : "192.0.2.7");
		uint8_t stripped[RDNS_STRIPPED_MAX] = {0};
		size_t query_len = dns_query_write(&addr, 0x1234, query);
		size_t len = dns_rule_answer(&rule, query, query_len, false, message), got;

		if (rows[i].at)
			message[rows[i].at] = rows[i].value;
		got = rdns_answer_strip(message, len, stripped);
		tap_ok(rows[i].good
				? got == query_len && stripped[0] == 0x12 && stripped[1] == 0x34 &&
					  stripped[2] == 0x81 && stripped[3] == message[3] &&
					  !memcmp(stripped + 4, "\0\1\0\0\0\0\0\0", 8) &&
					  !memcmp(stripped + 12, query + 12, got - 12) &&
					  rdns_answer_is_for(&addr, message, len)
				: !got,
			"%s %s", rows[i].what,
			rows[i].good ? "without its records" : "is not shown to c-ares");
	}
}

/* Questions that we never ask: too long for the room, or written as a pointer into the header. */
static void test_strip_foreign(void)
{
	static const struct {
		const char *what, *name;
		size_t len;
	} rows[] = {
		{"a long question", "\77" L63 "\77" L63 "\77" L63 "\0", 3 * 64 + 1},
		{"one byte too long", "\77" L63 "\11abcdefghi\0", 64 + 10 + 1},
		{"a pointer into the header", "\xc0\6", 2},
		{"a label type that is not in use", "\x41", 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t message[512] = {0x12, 0x34, 0x81, 0x80, 0, 1};
		/* A block of just this size, so that ASan sees each byte too far. */
		uint8_t *stripped = malloc(RDNS_STRIPPED_MAX);
		size_t len = 12;

		if (!stripped)
			exit(1);
		memcpy(message + len, rows[i].name, rows[i].len);
		len += rows[i].len;
		memcpy(message + len, "\0\14\0\1", 4);
		len += 4;
		tap_ok(!rdns_answer_strip(message, len, stripped), "%s is not shown to c-ares",
			rows[i].what);
		free(stripped);
	}
}

/*
 * Random bytes in valid messages: whatever comes out is a status and, when it is OK, a host name.
 */
static void test_damage(void)
{
	static uint8_t query[DNS_MESSAGE_MAX], message[DNS_MESSAGE_MAX];
	uint64_t random = 0x5eed, good = 0, all = 0;
	bool ok = true;

	tap_note("seed %#" PRIx64, random);
	for (size_t i = 0; i < ARRAY_SIZE(rdns_cases) && ok; i++) {
		const IpAddr addr = address("192.0.2.7");
		size_t len = dns_query_write(&addr, 7, query);

		if (rdns_cases[i].rule.repeat)
			continue;
		for (int round = 0; round < 1000 && ok; round++) {
			size_t damaged =
				dns_rule_answer(&rdns_cases[i].rule, query, len, true, message);
			uint8_t stripped[RDNS_STRIPPED_MAX], *exact;
			RdnsAnswer answer;

			for (int n = 0; n < 1 + round % 4; n++) {
				size_t from, to;

				random = random * 6364136223846793005u + 1442695040888963407u;
				/*
				 * The counts or the records: with another question it is no answer
				 * at once.
				 */
				from = damaged == RECORDS_AT || random >> 61 == 0 ? 6 : RECORDS_AT;
				to = from == 6 ? 12 : damaged;
				message[from + (random >> 33) % (to - from)] =
					(uint8_t)(random >> 25);
			}
			if (round % 8 == 0)
				damaged -= (random >> 40) % damaged;
			/* A block of just this size, so that ASan sees each byte too far. */
			exact = malloc(damaged);
			if (!exact)
				break;
			memcpy(exact, message, damaged);
			all++;
			ok = rdns_answer_strip(exact, damaged, stripped) ==
			     (damaged < len ? 0 : len);
			if (ok && !rdns_answer_read(&addr, exact, damaged, &answer)) {
				good++;
				ok = answer.status == RDNS_OK
					     ? is_host(answer.name)
					     : !answer.name[0] &&
						       (answer.status == RDNS_NO_NAME ||
							       answer.status ==
								       RDNS_SERVER_FAILED ||
							       answer.status == RDNS_NO_PTR);
			}
			free(exact);
		}
	}
	tap_ok(ok && good > all / 4, "damaged messages");
	tap_note("%" PRIu64 " of %" PRIu64 " were read", good, all);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		const IpAddr addr = address(questions[i].addr);
		char text[RDNS_QUESTION_MAX];

		rdns_question(&addr, text);
		if (!tap_ok(!strcmp(text, questions[i].question), "%s", questions[i].addr))
			tap_note("%s", text);
	}
	test_cases();
	test_header();
	test_strip();
	test_strip_foreign();
	test_damage();
	return tap_done();
}
