/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Writes a realistic Postfix log to stdout, the same for the same arguments: connects, rejects,
 * postscreen, anvil, deliveries, logins, and a share of failed logins from addresses and to users
 * that follow Zipf's law.
 */

#include "base/number.h"

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

typedef struct Generator {
	uint64_t random; /* xorshift64* */
	uint64_t lines, addresses, users;
	unsigned failures_permille;
	bool traditional, numbered;
	int64_t time_us;
	uint64_t failures;
	char stamp[64];
} Generator;

static uint64_t next(Generator *g)
{
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return g->random * 2685821657736338717ULL;
}

static uint64_t below(Generator *g, uint64_t n)
{
	return next(g) % n;
}

/* 0 is the most frequent one: exponent about 1, by inversion. */
static uint64_t zipf(Generator *g, uint64_t n)
{
	double u = (double)(next(g) >> 11) / 9007199254740992.0;

	return (uint64_t)(pow((double)n, u)) - 1;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static void address(Generator *g, char text[64])
{
	uint64_t a = mix(zipf(g, g->addresses) + 1);

	if (a % 20)
		(void)snprintf(text, 64, "%u.%u.%u.%u", 1 + (unsigned)(a >> 8) % 223,
			(unsigned)(a >> 16) & 255, (unsigned)(a >> 24) & 255,
			1 + (unsigned)(a >> 32) % 254);
	else
		(void)snprintf(text, 64, "2a%02x:%x:%x::%x", (unsigned)(a >> 8) & 255,
			(unsigned)(a >> 16) & 0xffff, (unsigned)(a >> 32) & 0xffff,
			1 + (unsigned)(a >> 48));
}

static void user(Generator *g, char text[64])
{
	static const char *const names[] = {"info", "admin", "test", "contact", "sales", "office",
		"support", "webmaster", "postmaster", "scanner", "mail", "user", "backup",
		"john.smith", "marketing", "noreply", "kontakt", "service", "jos\xc3\xa9",
		"o'hara, pat"};
	uint64_t u = zipf(g, g->users);

	if (g->numbered)
		(void)snprintf(text, 64, "user%" PRIu64, g->failures);
	else if (u < ARRAY_SIZE(names))
		(void)snprintf(text, 64, "%s", names[u]);
	else
		(void)snprintf(text, 64, "%s%" PRIu64 "@example.%s",
			names[mix(u) % ARRAY_SIZE(names)], u, u & 1 ? "com" : "org");
}

static void stamp(Generator *g)
{
	time_t seconds = (time_t)(g->time_us / 1000000);
	struct tm tm = {0};

	(void)gmtime_r(&seconds, &tm);
	if (g->traditional)
		(void)strftime(g->stamp, sizeof(g->stamp), "%b %e %H:%M:%S", &tm);
	else
		(void)snprintf(g->stamp, sizeof(g->stamp),
			"%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00", tm.tm_year + 1900,
			tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			(int)(g->time_us % 1000000));
	g->time_us += 1 + (int64_t)below(g, 200000);
}

static void failure(Generator *g)
{
	static const char *const services[] = {
		"postfix/smtpd", "postfix/submission/smtpd", "postfix/smtps/smtpd"};
	static const char *const reasons[] = {"UGFzc3dvcmQ6", "authentication failure",
		"(reason unavailable)", "generic failure"};
	char ip[64], name[64];
	unsigned pid = 1000 + (unsigned)below(g, 30000);

	g->failures++;
	address(g, ip);
	user(g, name);
	printf("%s mx1 %s[%u]: warning: unknown[%s]: SASL %s authentication failed: %s", g->stamp,
		services[below(g, 3)], pid, ip, below(g, 4) ? "LOGIN" : "PLAIN",
		reasons[below(g, 4)]);
	if (g->numbered || below(g, 10))
		printf(", sasl_username=%s", name);
	putchar('\n');
}

static void other(Generator *g)
{
	unsigned pid = 1000 + (unsigned)below(g, 30000);
	uint64_t queue = next(g) & 0xffffffffff;
	char ip[64];

	address(g, ip);
	switch (below(g, 12)) {
	case 0:
		printf("%s mx1 postfix/smtpd[%u]: connect from unknown[%s]\n", g->stamp, pid, ip);
		break;
	case 1:
		printf("%s mx1 postfix/smtpd[%u]: disconnect from unknown[%s] ehlo=1 auth=0/1 "
		       "quit=1 commands=2/3\n",
			g->stamp, pid, ip);
		break;
	case 2:
		printf("%s mx1 postfix/smtpd[%u]: lost connection after AUTH from unknown[%s]\n",
			g->stamp, pid, ip);
		break;
	case 3:
		printf("%s mx1 postfix/cleanup[%u]: %010" PRIX64 ": message-id=<%" PRIx64
		       "@mail.example.org>\n",
			g->stamp, pid, queue, next(g));
		break;
	case 4:
		printf("%s mx1 postfix/qmgr[812]: %010" PRIX64
		       ": from=<bounce-%u@lists.example.net>, size=%u, nrcpt=1 (queue active)\n",
			g->stamp, queue, pid, 500 + (unsigned)below(g, 90000));
		break;
	case 5:
		printf("%s mx1 postfix/smtp[%u]: %010" PRIX64
		       ": to=<jane@example.com>, relay=mx.example.com[198.51.100.25]:25, "
		       "delay=1.4, delays=0.1/0.01/0.6/0.7, dsn=2.0.0, status=sent (250 2.0.0 Ok: "
		       "queued as %010" PRIX64 ")\n",
			g->stamp, pid, queue, mix(queue) & 0xffffffffff);
		break;
	case 6:
		printf("%s mx1 postfix/qmgr[812]: %010" PRIX64 ": removed\n", g->stamp, queue);
		break;
	case 7:
		printf("%s mx1 postfix/smtpd[%u]: NOQUEUE: reject: RCPT from unknown[%s]: 554 "
		       "5.7.1 <x@example.net>: Relay access denied; from=<y@example.net> "
		       "to=<x@example.net> proto=ESMTP helo=<[%s]>\n",
			g->stamp, pid, ip, ip);
		break;
	case 8:
		printf("%s mx1 postfix/postscreen[%u]: CONNECT from [%s]:%u to [192.0.2.25]:25\n",
			g->stamp, pid, ip, 1024 + pid);
		break;
	case 9:
		printf("%s mx1 postfix/anvil[%u]: statistics: max connection rate 4/60s for "
		       "(smtp:%s) at Nov 22 12:00:00\n",
			g->stamp, pid, ip);
		break;
	case 10:
		printf("%s mx1 postfix/smtpd[%u]: Anonymous TLS connection established from "
		       "unknown[%s]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) "
		       "key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest "
		       "SHA256\n",
			g->stamp, pid, ip);
		break;
	default:
		if (below(g, 5))
			printf("%s mx1 dovecot: imap-login: Login: user=<jane>, method=PLAIN, "
			       "rip=%s, lip=192.0.2.25, mpid=%u, TLS, session=<%" PRIx64 ">\n",
				g->stamp, ip, pid, next(g));
		else
			printf("%s mx1 postfix/submission/smtpd[%u]: %010" PRIX64
			       ": client=unknown[%s], sasl_method=PLAIN, sasl_username=jane\n",
				g->stamp, pid, queue, ip);
	}
}

static int usage(void)
{
	fprintf(stderr,
		"usage: generate-log [--lines N] [--failures PERMILLE] [--seed N] [--addresses N]\n"
		"  [--users N] [--start SECONDS] [--traditional] [--numbered]\n"
		"--numbered gives the failures the user names user1, user2, ...\n");
	return 2;
}

int main(int argc, char **argv)
{
	enum { LINES, FAILURES, SEED, ADDRESSES, USERS, START, NUMBERS };
	static const struct option options[] = {
		{"lines", required_argument, NULL, LINES},
		{"failures", required_argument, NULL, FAILURES},
		{"seed", required_argument, NULL, SEED},
		{"addresses", required_argument, NULL, ADDRESSES},
		{"users", required_argument, NULL, USERS},
		{"start", required_argument, NULL, START},
		{"traditional", no_argument, NULL, 't'},
		{"numbered", no_argument, NULL, 'n'},
		{0},
	};
	uint64_t value[NUMBERS] = {10000, 20, 1, 5000, 50000, 1795352400};
	Generator g = {0};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 't')
			g.traditional = true;
		else if (c == 'n')
			g.numbered = true;
		else if (c == '?' ||
			 number_parse_u64(span_from_string(optarg), INT64_MAX, &value[c]) < 0)
			return usage();
	}
	g.random = mix(value[SEED] + 1);
	g.lines = value[LINES];
	g.failures_permille = (unsigned)value[FAILURES];
	g.addresses = MAX(value[ADDRESSES], (uint64_t)1);
	g.users = MAX(value[USERS], (uint64_t)1);
	g.time_us = (int64_t)value[START] * 1000000;
	for (uint64_t i = 0; i < g.lines; i++) {
		stamp(&g);
		if (below(&g, 1000) < g.failures_permille)
			failure(&g);
		else
			other(&g);
	}
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
