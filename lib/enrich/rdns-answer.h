/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The question for the name of an address, and what a DNS message answers to it. Every byte of the
 * message may come from an attacker: whoever tries passwords often owns the reverse zone of the
 * address. Read by hand, because ares_parse_ptr_reply() has no TTL, takes the last PTR, drops all
 * for one bad name and lets 437 characters through.
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

/* A header and a question, which is never compressed: it is the first name. */
#define RDNS_STRIPPED_MAX (12 + RDNS_QUESTION_MAX + 1 + 4)

/*
 * The message as an answer without records, when its header and question are those of an answer to
 * some PTR question of ours; its length, else 0. That much may be shown to a library that would
 * choke on the rest.
 */
size_t rdns_answer_strip(const void *message, size_t len, uint8_t ret_stripped[RDNS_STRIPPED_MAX]);

/* Whether the message is an answer to the question for addr, whatever it says. */
bool rdns_answer_is_for(const IpAddr *addr, const void *message, size_t len);

/*
 * What message answers to the question for addr: follows CNAMEs (RFC 2317), takes the first PTR
 * that is a host name: 1 to 253 bytes of labels of 1 to 63 letters, digits, "-" and "_". 0, or
 * -EBADMSG when it is no answer to this question or can't be read.
 */
int rdns_answer_read(const IpAddr *addr, const void *message, size_t len, RdnsAnswer *ret_answer);
