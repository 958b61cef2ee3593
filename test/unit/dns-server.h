/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A name server for tests, on loopback, UDP and TCP at one port that the kernel chooses, in a
 * thread of its own. It answers PTR questions by a table of rules: well, wrongly, late, or not at
 * all. The rules must stay until they are replaced or the server is freed.
 */

#include "base/ipaddr.h"

enum { DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_TXT = 16 };
enum { DNS_FORMERR = 1, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED };

typedef enum DnsKind {
	DNS_ANSWER = 0,
	DNS_DROP,
	DNS_GARBAGE, /* an empty datagram, five bytes, noise */
	DNS_WRONG_ID,
	DNS_WRONG_QUESTION,
	DNS_ECHO,             /* the query itself */
	DNS_NOISE_AND_ANSWER, /* garbage, a wrong id, a wrong question, then the answer */
} DnsKind;

typedef struct DnsRecord {
	const char *owner; /* NULL: the name that was asked for */
	unsigned type;     /* 0 ends the list */
	uint32_t ttl;
	/*
	 * The data as a name: labels with dots between, \DDD and \. as in zone files, "." the root.
	 * For an SOA the mname; minimum is the last field.
	 */
	const char *name;
	uint32_t minimum;
	const char *data; /* without name: these bytes */
	size_t len;
	int len_wrong; /* added to RDLENGTH */
} DnsRecord;

typedef struct DnsRule {
	const char *addr; /* NULL: every other address */
	DnsKind kind;
	unsigned rcode;
	DnsRecord answers[8], authority[2];
	unsigned repeat;      /* the first answer so many times more */
	unsigned count_wrong; /* added to ANCOUNT */
	bool truncated;       /* over UDP an answer without records and with TC */
	bool tcp_drop;        /* over TCP no answer */
	bool no_question;     /* QDCOUNT 0 */
	unsigned delay_ms;
} DnsRule;

#define DNS_MESSAGE_MAX 65535

/* The answer of the rule to the query; its length. */
size_t dns_rule_answer(const DnsRule *rule, const uint8_t *query, size_t query_len, bool over_tcp,
	uint8_t answer[DNS_MESSAGE_MAX]);
/* The query for the PTR of addr; its length. */
size_t dns_query_write(const IpAddr *addr, uint16_t id, uint8_t query[DNS_MESSAGE_MAX]);

typedef struct DnsServer DnsServer;

/* host is "127.0.0.1" or "::1". NULL with errno when it can't be had. */
DnsServer *dns_server_new(const char *host, const DnsRule *rules, size_t rules_count);
void dns_server_free(DnsServer *server);
DEFINE_CLEANUP(DnsServer *, dns_server_freep, dns_server_free)

/* "127.0.0.1:40001" */
const char *dns_server_address(const DnsServer *server);
void dns_server_set_rules(DnsServer *server, const DnsRule *rules, size_t rules_count);
/* From now on no TCP connection is taken. */
void dns_server_close_tcp(DnsServer *server);

/* Questions that came, over UDP and over TCP. */
size_t dns_server_udp_count(DnsServer *server);
size_t dns_server_tcp_count(DnsServer *server);
/* Writes the name of the i-th question (the first 4096 are known). */
bool dns_server_question(DnsServer *server, size_t i, char name[256]);
