/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The question for the name of an address, and what a DNS message answers to it. Every byte of the message may come from
 * an attacker: whoever tries passwords often owns the reverse zone of the address. Read by hand, because
 * ares_parse_ptr_reply() has no TTL, takes the last PTR, drops all for one bad name and lets 437 characters through.
 */

#include "enrich/rdns.h"

#define DNS_CLASS_IN 1
#define DNS_TYPE_PTR 12

#define RDNS_QUESTION_MAX 73 /* 32 nibbles with a dot each, "ip6.arpa", NUL */

/* Failures and answers that say nothing of how long they hold are kept this long. */
#define RDNS_FAILURE_TTL_SECONDS 5
/* "No such name" and "no PTR" are kept no longer: a name may be given any time. */
#define RDNS_NEGATIVE_TTL_SECONDS 300

typedef struct RdnsAnswer {
	RdnsStatus status; /* OK, NO_NAME, SERVER_FAILED or NO_PTR */
	bool truncated;    /* the rest is to be had over TCP */
	uint32_t ttl_seconds;
	char name[RDNS_NAME_MAX]; /* when OK; "" else */
} RdnsAnswer;

/* Writes "7.2.0.192.in-addr.arpa" or the nibbles under ip6.arpa. addr is IPv4 or IPv6. */
void rdns_question(const IpAddr *addr, char text[RDNS_QUESTION_MAX]);

/*
 * What message answers to the question for addr: follows CNAMEs (RFC 2317), takes the first PTR that is a host name: 1 to 253 bytes
 * of labels of 1 to 63 letters, digits, "-" and "_". 0, or -EBADMSG when it is no answer to
 * this question or can't be read.
 */
int rdns_answer_read(const IpAddr *addr, const void *message, size_t len, RdnsAnswer *ret_answer);
