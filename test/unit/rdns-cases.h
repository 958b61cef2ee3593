/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a server may answer to a PTR question and what is to come of it: read by test-rdns-answer as
 * messages, and by test-rdns through a server and c-ares.
 */

#include "dns-server.h"
#include "enrich/rdns.h"

#define L10 "abcdefghij"
#define L60 L10 L10 L10 L10 L10 L10
#define L63 L60 "abc"
/* 63 * 3 + 61 and three dots: 253 */
#define HOST_253 L63 "." L63 "." L63 "." L60 "a"

typedef struct RdnsCase {
	const char *what;
	DnsRule rule; /* without addr */
	RdnsStatus status;
	const char *name;
	int64_t ttl;    /* -1: not looked at */
	bool no_answer; /* as a message it is refused */
	bool v6;
} RdnsCase;

#define PTR_TO(text)                                         \
	{                                                    \
		.type = DNS_PTR, .ttl = 3600, .name = (text) \
	}
#define SOA_FOR(ttl_, minimum_)                                                  \
	{                                                                        \
		.owner = "2.0.192.in-addr.arpa", .type = DNS_SOA, .ttl = (ttl_), \
		.name = "ns.example", .minimum = (minimum_)                      \
	}
#define BYTES(text) .data = (text), .len = sizeof(text) - 1

static const RdnsCase rdns_cases[] = {
	{"a name", {.answers = {PTR_TO("mail.example.com")}}, RDNS_OK, "mail.example.com", 3600},
	{"a name for IPv6", {.answers = {PTR_TO("v6.example")}}, RDNS_OK, "v6.example", 3600,
		.v6 = true},
	{"the case stays", {.answers = {PTR_TO("MaIl.ExAmple.COM")}}, RDNS_OK, "MaIl.ExAmple.COM",
		3600},
	{"underscore, digits, hyphen", {.answers = {PTR_TO("_a-1.2.x-")}}, RDNS_OK, "_a-1.2.x-",
		3600},
	{"one letter", {.answers = {PTR_TO("a")}}, RDNS_OK, "a", 3600},
	{"253 bytes", {.answers = {PTR_TO(HOST_253)}}, RDNS_OK, HOST_253, 3600},
	{"a pointer as name",
		{
			.answers = {{.type = DNS_PTR, .ttl = 1, BYTES("\1x\xc0\x0c")}},
		},
		RDNS_OK, NULL, 1},
	{"TTL 0", {.answers = {{.type = DNS_PTR, .ttl = 0, .name = "a.b"}}}, RDNS_OK, "a.b", 0},
	{"TTL 2^31 - 1", {.answers = {{.type = DNS_PTR, .ttl = INT32_MAX, .name = "a.b"}}}, RDNS_OK,
		"a.b", INT32_MAX},
	{"TTL 2^31 is 0", {.answers = {{.type = DNS_PTR, .ttl = 0x80000000, .name = "a.b"}}},
		RDNS_OK, "a.b", 0},
	{"the first of several", {.answers = {PTR_TO("first.example"), PTR_TO("second.example")}},
		RDNS_OK, "first.example", 3600},
	{"the first host name of several",
		{.answers = {PTR_TO("no host.example"), PTR_TO("."), PTR_TO("third.example"),
			 PTR_TO("fourth.example")}},
		RDNS_OK, "third.example", 3600},
	{"PTR of another name",
		{.answers = {{.owner = "1.1.1.1.in-addr.arpa", .type = DNS_PTR, .name = "x.y"}}},
		RDNS_NO_PTR, NULL, 5},
	{"another type", {.answers = {{.type = DNS_TXT, .ttl = 9, BYTES("\3abc")}}}, RDNS_NO_PTR,
		NULL, 5},
	{"300 PTRs that are none, over TCP",
		{.answers = {PTR_TO("a b"), PTR_TO("late.example")},
			.repeat = 299,
			.truncated = true},
		RDNS_NO_PTR, NULL, 300},

	{"RFC 2317: CNAME into a zone of its own",
		{.answers = {{.type = DNS_CNAME, .ttl = 600, .name = "7.0-25.2.0.192.in-addr.arpa"},
			 {.owner = "7.0-25.2.0.192.in-addr.arpa",
				 .type = DNS_PTR,
				 .ttl = 700,
				 .name = "delegated.example"}}},
		RDNS_OK, "delegated.example", 600},
	{"CNAME behind its target, in other case",
		{.answers = {{.owner = "A.B", .type = DNS_PTR, .ttl = 5, .name = "c.d"},
			 {.type = DNS_CNAME, .ttl = 600, .name = "a.b"}}},
		RDNS_OK, "c.d", 5},
	{"three CNAMEs",
		{.answers = {{.type = DNS_CNAME, .ttl = 30, .name = "a.x"},
			 {.owner = "a.x", .type = DNS_CNAME, .ttl = 20, .name = "b.x"},
			 {.owner = "b.x", .type = DNS_CNAME, .ttl = 25, .name = "c.x"},
			 {.owner = "c.x", .type = DNS_PTR, .ttl = 3600, .name = "end.example"}}},
		RDNS_OK, "end.example", 20},
	{"CNAME without its target", {.answers = {{.type = DNS_CNAME, .ttl = 600, .name = "a.b"}}},
		RDNS_NO_PTR, NULL, 5},
	{"CNAME to itself", {.answers = {{.type = DNS_CNAME, .ttl = 600, BYTES("\xc0\x0c")}}},
		RDNS_NO_PTR, NULL, 300},
	{"CNAMEs in a circle",
		{.answers = {{.type = DNS_CNAME, .ttl = 600, .name = "a.b"},
			 {.owner = "a.b", .type = DNS_CNAME, .ttl = 30, .name = "c.d"},
			 {.owner = "c.d", .type = DNS_CNAME, .ttl = 600, .name = "a.b"}}},
		RDNS_NO_PTR, NULL, 30},

	{"NXDOMAIN without SOA", {.rcode = DNS_NXDOMAIN}, RDNS_NO_NAME, NULL, 5},
	{"NXDOMAIN, the SOA's minimum", {.rcode = DNS_NXDOMAIN, .authority = {SOA_FOR(3600, 60)}},
		RDNS_NO_NAME, NULL, 60},
	{"NXDOMAIN, the SOA's TTL", {.rcode = DNS_NXDOMAIN, .authority = {SOA_FOR(50, 60)}},
		RDNS_NO_NAME, NULL, 50},
	{"NXDOMAIN, at most 5 minutes",
		{.rcode = DNS_NXDOMAIN, .authority = {SOA_FOR(86400, 86400)}}, RDNS_NO_NAME, NULL,
		300},
	{"NXDOMAIN, SOA with minimum 0", {.rcode = DNS_NXDOMAIN, .authority = {SOA_FOR(86400, 0)}},
		RDNS_NO_NAME, NULL, 0},
	{"NXDOMAIN behind a CNAME",
		{.rcode = DNS_NXDOMAIN,
			.answers = {{.type = DNS_CNAME, .ttl = 600, .name = "a.b"}},
			.authority = {SOA_FOR(77, 88)}},
		RDNS_NO_NAME, NULL, 77},
	{"NODATA without SOA", {0}, RDNS_NO_PTR, NULL, 5},
	{"NODATA with SOA", {.authority = {SOA_FOR(100, 200)}}, RDNS_NO_PTR, NULL, 100},
	{"a referral",
		{.authority = {{.owner = "in-addr.arpa",
			 .type = DNS_NS,
			 .ttl = 9,
			 .name = "ns.example"}}},
		RDNS_SERVER_FAILED, NULL, 5},

	{"FORMERR", {.rcode = DNS_FORMERR}, RDNS_SERVER_FAILED, NULL, 5},
	{"SERVFAIL", {.rcode = DNS_SERVFAIL}, RDNS_SERVER_FAILED, NULL, 5},
	{"NOTIMP", {.rcode = DNS_NOTIMP}, RDNS_SERVER_FAILED, NULL, 5},
	{"REFUSED", {.rcode = DNS_REFUSED}, RDNS_SERVER_FAILED, NULL, 5},
	{"rcode 6", {.rcode = 6}, RDNS_SERVER_FAILED, NULL, 5},
	{"rcode 9 with a PTR", {.rcode = 9, .answers = {PTR_TO("a.b")}}, RDNS_SERVER_FAILED, NULL,
		5},
	{"rcode 15", {.rcode = 15}, RDNS_SERVER_FAILED, NULL, 5},

	{"PTR to the root", {.answers = {PTR_TO(".")}}, RDNS_NO_PTR, NULL, 300},
	{"a blank", {.answers = {PTR_TO("a b.example")}}, RDNS_NO_PTR, NULL, 300},
	{"control bytes", {.answers = {PTR_TO("a\\010\\027[31m.example")}}, RDNS_NO_PTR, NULL, 300},
	{"NUL", {.answers = {PTR_TO("mail\\000.example")}}, RDNS_NO_PTR, NULL, 300},
	{"quotes", {.answers = {PTR_TO("\",\"x.example")}}, RDNS_NO_PTR, NULL, 300},
	{"HTML", {.answers = {PTR_TO("<script>alert(1)</script>.example")}}, RDNS_NO_PTR, NULL,
		300},
	{"a formula", {.answers = {PTR_TO("=1+1.example")}}, RDNS_NO_PTR, NULL, 300},
	{"a slash", {.answers = {PTR_TO("0/25.example")}}, RDNS_NO_PTR, NULL, 300},
	{"UTF-8", {.answers = {PTR_TO("m\xc3\xbcller.example")}}, RDNS_NO_PTR, NULL, 300},
	{"a dot within a label", {.answers = {PTR_TO("trusted\\.bank.example")}}, RDNS_NO_PTR, NULL,
		300},
	{"a short TTL of what is no host",
		{.answers = {{.type = DNS_PTR, .ttl = 7, .name = "a b"}}}, RDNS_NO_PTR, NULL, 7},
	{"437 characters",
		{.answers = {PTR_TO(L63 "." L63 "." L63 "." L63 "." L63 "." L63
					"." L10 L10 L10 L10 L10 "abc")}},
		RDNS_NO_PTR, NULL, 300},
	{"254 characters", {.answers = {PTR_TO(HOST_253 "b")}}, RDNS_NO_PTR, NULL, 300},
	{"126 labels",
		{.answers = {{.type = DNS_PTR,
			 .ttl = 1,
			 BYTES("\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a"
			       "\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a"
			       "\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a"
			       "\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a"
			       "\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a"
			       "\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a"
			       "\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a"
			       "\1a\1a\1a\1a\1a\1a\1a\1a\0")}}},
		RDNS_OK, NULL, 1},
	{"a pointer to itself", {.answers = {{.type = DNS_PTR, .ttl = 3600, BYTES("\1a\xc0\x36")}}},
		RDNS_NO_PTR, NULL, 300},
	{"a pointer forward", {.answers = {{.type = DNS_PTR, .ttl = 3600, BYTES("\1a\xc0\xff")}}},
		RDNS_NO_PTR, NULL, 300},
	{"a pointer beyond the end",
		{.answers = {{.type = DNS_PTR, .ttl = 3600, BYTES("\1a\xff\xff")}}}, RDNS_NO_PTR,
		NULL, 300},
	{"half a pointer", {.answers = {{.type = DNS_PTR, .ttl = 3600, BYTES("\1a\xc0")}}},
		RDNS_NO_PTR, NULL, 300},
	{"a label type that is not in use",
		{.answers = {{.type = DNS_PTR, .ttl = 3600, BYTES("\x41\1a\0")}}}, RDNS_NO_PTR,
		NULL, 300},
	{"a name without end", {.answers = {{.type = DNS_PTR, .ttl = 3600, BYTES("\5abcde")}}},
		RDNS_NO_PTR, NULL, 300},
	{"no data", {.answers = {{.type = DNS_PTR, .ttl = 3600, .data = "", .len = 0}}},
		RDNS_NO_PTR, NULL, 300},
	{"bytes behind the name", {.answers = {{.type = DNS_PTR, .ttl = 3600, BYTES("\1a\0\0")}}},
		RDNS_NO_PTR, NULL, 300},
	{"a name, then one that can't be read",
		{.answers = {PTR_TO("good.example"), {.type = DNS_PTR, .ttl = 1, BYTES("\x3f")}}},
		RDNS_OK, "good.example", 3600},
	{"a name, then half a record", {.answers = {PTR_TO("good.example")}, .count_wrong = 1},
		RDNS_OK, "good.example", 3600},

	{"fewer records than counted",
		{.answers = {{.type = DNS_TXT, BYTES("\1x")}}, .count_wrong = 3}, RDNS_TIMEOUT,
		.ttl = -1, .no_answer = true},
	{"records counted, none there", {.count_wrong = 65535}, RDNS_TIMEOUT, .ttl = -1,
		.no_answer = true},
	{"RDLENGTH beyond the end", {.answers = {{.type = DNS_PTR, .name = "a.b", .len_wrong = 1}}},
		RDNS_TIMEOUT, .ttl = -1, .no_answer = true},
	{"RDLENGTH too short",
		{.answers = {{.type = DNS_PTR, .ttl = 9, .name = "a.b", .len_wrong = -1}}},
		RDNS_NO_PTR, NULL, 9},
	{"an owner that points to itself",
		{.answers = {{.owner = "\\192", .type = DNS_PTR, BYTES("\1a\0")}},
			.count_wrong = 1},
		RDNS_TIMEOUT, .ttl = -1, .no_answer = true},
};
