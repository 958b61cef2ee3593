/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What becomes of a line and of an address, and that parse/ reads of a line the same before and after, whatever its damage. */

#include "anonymize/anonymizer.h"
#include "anonymize/standin-address.h"
#include "corpus.h"
#include "parse/postfix.h"
#include "random.h"
#include "tap.h"

#include <ctype.h>
#include <stdio.h>

static const HashKey key = {0x0123456789abcdefULL, 0xfedcba9876543210ULL};

#define POSTFIX "Nov 22 12:55:02 mx1 postfix/"
#define SMTPD POSTFIX "smtpd[328]: "
#define DOVECOT "Nov 22 12:55:02 mx1 dovecot: "

/* Secrets stand in upper case, which no word of these messages has: none may come out; and words that must. */
static const struct {
	const char *line, *stays;
} lines[] = {
	{SMTPD "connect from QQ.WW.example[203.0.113.66]",
		"postfix/smtpd[328]: connect from host-"},
	{SMTPD "connect from unknown[203.0.113.66]", "connect from unknown[2"},
	{SMTPD "connect from connect[203.0.113.66]", "connect from host-"},
	{SMTPD "connect from localhost[127.0.0.1]", "connect from localhost[127.0.0.1]"},
	{SMTPD "connect from 127-113-0-203.QQ.example[203.0.113.127]", "connect from host-"},
	{SMTPD "connect from unknown[::1]", "connect from unknown[::1]"},
	{SMTPD "connect from unknown[10.1.2.3]", "connect from unknown[10."},
	{SMTPD "connect from unknown[::ffff:203.0.113.66]", "connect from unknown[::ffff:2"},
	{SMTPD "warning: unknown[203.0.113.66]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, "
	       "sasl_username=connect",
		"]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=user-"},
	{SMTPD "warning: unknown[203.0.113.66]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, "
	       "sasl_username=QQ WW <connect> from EE",
		"sasl_username=user-"},
	{SMTPD "warning: unknown[203.0.113.66]: SASL CRAM-MD5 authentication failed: "
	       "PDEyMy40NTZAbXgxLmV4YW1wbGUubmV0Pg==, sasl_username=(unavailable)",
		"authentication failed: PGNoYWxsZW5nZS"},
	{SMTPD "warning: unknown[203.0.113.66]: SASL QQWW authentication failed: authentication "
	       "failure",
		"SASL METHOD-"},
	{SMTPD "message repeated 3 times: [ warning: unknown[203.0.113.66]: SASL LOGIN "
	       "authentication failed: (reason unavailable), sasl_username=warning]",
		"message repeated 3 times: [ warning: unknown["},
	{SMTPD "4F66E0A1: client=QQ.example[203.0.113.66], sasl_method=PLAIN, "
	       "sasl_username=QQ@WW.example",
		", sasl_method=PLAIN, sasl_username=user-"},
	{SMTPD "NOQUEUE: reject: RCPT from unknown[203.0.113.66]: 550 5.1.1 <mail>: Recipient "
	       "address rejected: User unknown in local recipient table; from=<QQ@WW> to=<mail> "
	       "proto=ESMTP helo=<QQ>",
		": Recipient address rejected: User unknown in local recipient table; from=<user-"},
	{SMTPD "warning: hostname 203-0-113-66.QQ.example does not resolve to address "
	       "203.0.113.66: Name or service not known",
		" does not resolve to address 2"},
	{SMTPD "warning: non-SMTP command from unknown[203.0.113.66]: Subject: connect failed",
		"warning: non-SMTP command from unknown["},
	{POSTFIX "cleanup[1]: 4F66E0A1: warning: header Subject: connect from QQ from "
		 "unknown[203.0.113.66]; from=<QQ@WW> to=<EE@WW> proto=ESMTP helo=<QQ>",
		"> proto=ESMTP helo=<host-"},
	{POSTFIX "qmgr[1]: 4F66E0A1: from=<QQ@WW.example>, size=23738, nrcpt=1 (queue active)",
		".example>, size=23738, nrcpt=1 (queue active)"},
	{POSTFIX "smtp[1]: 4F66E0A1: to=<QQ@WW.example>, relay=QQ.example[203.0.113.66]:25, "
		 "delay=1.4, delays=0.1/0.01/0.6/0.7, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued "
		 "as 4F66E0A1)",
		"]:25, delay=1.4, delays=0.1/0.01/0.6/0.7, dsn=2.0.0, status=sent (250 2.0.0 Ok: "
		"queued as "},
	{POSTFIX "local[1]: 4F66E0A1: to=<QQ@WW>, relay=local, delay=0.01, delays=0.01/0/0/0, "
		 "dsn=5.1.1, status=bounced (unknown user: \"mail\")",
		"relay=local, delay=0.01, delays=0.01/0/0/0, dsn=5.1.1, status=bounced (unknown "
		"user: \"user-"},
	{POSTFIX "anvil[1]: statistics: max connection rate 4/60s for (smtp:203.0.113.66) at Nov "
		 "22 12:00:00",
		" at Nov 22 12:00:00"},
	{DOVECOT "imap-login: Login: user=<connect>, method=PLAIN, rip=203.0.113.66, lip=10.0.0.5, "
		 "mpid=1234, TLS, session=<QQWW>",
		", mpid=1234, TLS, session=<session-"},
	{DOVECOT "auth: passwd-file(connect,203.0.113.66,<QQWW>): unknown user",
		"auth: passwd-file(user-"},
	{DOVECOT "auth: sql(QQ,203.0.113.66): Password mismatch (given password: password 1234 QQ)",
		"Password mismatch (given password: text-"},
	{DOVECOT "lmtp(QQ@WW.example)<1234><QQWW>: msgid=<QQ@WW>: saved mail to INBOX",
		")<1234><session-"},
	{"Nov 22 12:55:02 mx1 sshd[1]: Failed password for invalid user mail from 203.0.113.66 "
	 "port 41234 ssh2",
		"sshd[1]: Failed text-"},
	{"Nov 22 12:55:02 mx1 QQ[1]: connect failed", "program-"},
	{"{\"user\":\"connect\",\"ip\":\"203.0.113.66\"}", "\":\"text-"},
	{"203 0 113 66 QQ@WW 66.113.0.203.in-addr.arpa cb007142 3405803842 MjAzLjAuMTEzLjY2",
		"in-addr.arpa"},
};

static Anonymizer *make(HashKey with, bool keep_prefixes)
{
	const AnonymizerOptions options = {.key = with, .keep_prefixes = keep_prefixes};
	Anonymizer *anonymizer;

	if (anonymizer_new(&options, &anonymizer) < 0)
		exit(1);
	return anonymizer;
}

/* Two capital letters that stand alone or side by side, as the table's secrets do. */
static bool has_secret(const char *text)
{
	static const char *const secrets[] = {"QQ", "WW", "EE", "203.0.113", "203-0-113",
		"113.0.203", "127-113", "203 0 113", "mx1", "cb007142", "3405803842", "MjAz",
		"4F66E0A1", "PDEyMy40", "password 1234"};

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		if (strstr(text, secrets[i]))
			return true;
	return false;
}

static void test_lines(void)
{
	_cleanup_(anonymizer_freep) Anonymizer *a = make(key, false), *same = make(key, false);
	_cleanup_(anonymizer_freep) Anonymizer *other = make((HashKey){1, 2}, false);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, again = STRBUF_INIT,
					differs = STRBUF_INIT;
		Span line = span_from_string(lines[i].line);

		anonymizer_line(a, line, &sb);
		anonymizer_line(same, line, &again);
		anonymizer_line(other, line, &differs);
		if (!tap_ok(strstr(strbuf_text(&sb), lines[i].stays) &&
				    !has_secret(strbuf_text(&sb)) &&
				    !strcmp(strbuf_text(&sb), strbuf_text(&again)) &&
				    strcmp(strbuf_text(&sb), strbuf_text(&differs)) != 0,
			    "%.100s", lines[i].line))
			tap_note("%s", strbuf_text(&sb));
	}
}

/* The stand-in of what stands behind words in the line. */
static void find_standin(Anonymizer *a, const char *line, const char *words, char ret[100])
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	const char *at;

	anonymizer_line(a, span_from_string(line), &sb);
	at = strstr(strbuf_text(&sb), words);
	*ret = '\0';
	if (!at)
		return;
	at += strlen(words);
	(void)snprintf(ret, 100, "%.*s", (int)strcspn(at, ">],; "), at);
}

static void test_same(void)
{
	static const struct {
		const char *line, *words, *other_line, *other_words, *text;
	} pairs[] = {
		{SMTPD "warning: a[203.0.113.66]: SASL LOGIN authentication failed: x, "
		       "sasl_username=Alice",
			"sasl_username=", POSTFIX "qmgr[1]: 4F66E0A1: from=<Alice>, size=1",
			"from=<", "a user is the same in any place"},
		{SMTPD "connect from a[203.0.113.66]", "[2",
			SMTPD "connect from a[::ffff:203.0.113.66]", "ffff:2",
			"an address is the same in any form"},
		{SMTPD "connect from Mail.Example.COM[203.0.113.66]", "from ",
			POSTFIX "smtpd[1]: warning: hostname mail.example.com. does not resolve",
			"hostname ", "a host is the same in any case"},
	};
	_cleanup_(anonymizer_freep) Anonymizer *a = make(key, false);

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		char one[100], two[100];
		size_t n;

		find_standin(a, pairs[i].line, pairs[i].words, one);
		find_standin(a, pairs[i].other_line, pairs[i].other_words, two);
		one[strcspn(one, "[")] = '\0';
		n = strlen(one);
		if (!tap_ok(n && !strncmp(one, two, n), "%s", pairs[i].text))
			tap_note("%s, %s", one, two);
	}
}

/* ---- addresses --------------------------------------------------------------------------------- */

static uint32_t map_v4(uint32_t value, bool keep_prefixes)
{
	IpAddr addr = {IP_V4, {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
				      (uint8_t)(value >> 8), (uint8_t)value}};

	standin_map_address(key, keep_prefixes, &addr, &addr);
	return (uint32_t)addr.bytes[0] << 24 | (uint32_t)addr.bytes[1] << 16 |
	       (uint32_t)addr.bytes[2] << 8 | addr.bytes[3];
}

static void test_ranges(void)
{
	static const struct {
		uint32_t first;
		unsigned bits;
	} ranges[] = {{0x0a000000, 8}, {0x64400000, 10}, {0xa9fe0000, 16}, {0xac100000, 12},
		{0xc0a80000, 16}, {0x7f000000, 8}};
	Random random = random_seeded();
	uint8_t *seen = calloc(1, 65536);

	for (int keep = 0; keep < 2; keep++) {
		bool within = true, once = true, outside = true;

		for (int n = random_rounds(200000); n; n--) {
			size_t i = random_below(&random, ARRAY_SIZE(ranges));
			uint32_t value = (uint32_t)random_next(&random), mapped;
			bool special = false;

			mapped = map_v4(ranges[i].first | (value >> ranges[i].bits), keep);
			within &= (mapped ^ ranges[i].first) >> (32 - ranges[i].bits) == 0;
			for (i = 0; i < ARRAY_SIZE(ranges); i++)
				special |= (value ^ ranges[i].first) >> (32 - ranges[i].bits) == 0;
			mapped = map_v4(value, keep);
			for (i = 0; i < ARRAY_SIZE(ranges) && !special; i++)
				outside &= (mapped ^ ranges[i].first) >> (32 - ranges[i].bits) != 0;
			outside &= keep || special || mapped >> 28 == 15;
		}
		memset(seen, 0, 65536);
		for (uint32_t i = 0; i < 65536; i++)
			once &= !seen[map_v4(0xc0a80000 | i, keep) & 0xffff]++;
		tap_ok(within, "private addresses stay in their range%s",
			keep ? " (prefixes)" : "");
		tap_ok(once, "and no two become one");
		tap_ok(outside, "others get none of these ranges");
	}
	free(seen);
}

static void test_prefixes(void)
{
	Random random = random_seeded();
	int wrong = 0;

	for (int n = random_rounds(100000); n; n--) {
		uint32_t value = (uint32_t)random_next(&random), other;
		unsigned bits = 16 + random_below(&random, 16);
		uint32_t one, two;

		/* the first bit that differs */
		other = value ^ (0x80000000u >> bits);
		if (value >> 24 == 127 || value >> 24 == 10)
			continue;
		one = map_v4(value, true);
		two = map_v4(other, true);
		wrong += (one ^ two) >> (31 - bits) != 1;
	}
	tap_ok(!wrong, "as many first bits are the same as before: %d are not", wrong);
}

/* ---- what parse/ reads ------------------------------------------------------------------------- */

static bool reads_the_same(
	Anonymizer *a, const CorpusRow *row, Span line, bool whole, Span *ret_out, StrBuf *sb)
{
	StampContext stamps = {.reference_us = row->reference_us, .year = row->year};
	AuthEvent before, after;
	bool same;

	strbuf_reset(sb);
	anonymizer_line(a, line, sb);
	*ret_out = (Span){strbuf_text(sb), sb->len};
	postfix_parse_line(&stamps, line, &before);
	postfix_parse_line(&stamps, *ret_out, &after);
	same = before.kind == after.kind && before.has_time == after.has_time &&
	       (!before.has_time || before.time_us == after.time_us) &&
	       before.count == after.count && before.repeat_capped == after.repeat_capped &&
	       before.ip.family == after.ip.family && !before.method.data == !after.method.data &&
	       !before.user.data == !after.user.data;
	if (whole)
		same &= !before.server.data == !after.server.data &&
			!before.service.data == !after.service.data;
	return same && !memchr(ret_out->data, '\n', ret_out->len);
}

static void test_corpus(void)
{
	_cleanup_(anonymizer_freep) Anonymizer *a = make(key, false);
	Random random = random_seeded();
	StrBuf sb = STRBUF_INIT, line = STRBUF_INIT;
	size_t wrong = 0, damaged = 0;
	Corpus corpus;
	Span out;

	corpus_load(&corpus);
	for (size_t i = 0; i < corpus.count; i++) {
		const CorpusRow *row = &corpus.rows[i];

		if (reads_the_same(a, row, row->line, true, &out, &sb))
			continue;
		if (wrong++ < 5)
			tap_note("%s:%u: %.*s\n#   %.*s", row->file, row->number,
				(int)row->line.len, row->line.data, (int)out.len, out.data);
	}
	tap_ok(!wrong, "the corpus' lines say the same: %zu of %zu do not", wrong, corpus.count);
	for (int n = random_rounds(60000); n; n--) {
		static const char signs[] = " []:,=<>\"'()/\\.-@?x7\x80\xc3\xa9\x01"
					    "Aa%";
		const CorpusRow *row = &corpus.rows[random_below(&random, (uint32_t)corpus.count)];

		strbuf_reset(&line);
		strbuf_append_span(&line, row->line);
		for (uint32_t k = random_below(&random, 4) + 1; k && line.len; k--) {
			uint32_t at = random_below(&random, (uint32_t)line.len);

			switch (random_below(&random, 3)) {
			case 0:
				line.data[at] = signs[random_below(&random, sizeof(signs) - 1)];
				break;
			case 1: strbuf_truncate(&line, at); break;
			default: memmove(line.data + at, line.data + at + 1, --line.len - at);
			}
		}
		/* what is read must not depend on what lies behind */
		_cleanup_free_ char *copy = malloc(line.len + 1);

		memcpy(copy, strbuf_text(&line), line.len);
		if (reads_the_same(a, row, (Span){copy, line.len}, false, &out, &sb))
			continue;
		if (damaged++ < 5)
			tap_note("%.*s\n#   %.*s", (int)line.len, copy, (int)out.len, out.data);
	}
	tap_ok(!damaged, "damaged lines say the same: %zu do not", damaged);
	strbuf_done(&sb);
	strbuf_done(&line);
	corpus_done(&corpus);
}

int main(void)
{
	corpus_set_zone("UTC");
	test_lines();
	test_same();
	test_ranges();
	test_prefixes();
	test_corpus();
	return tap_done();
}
