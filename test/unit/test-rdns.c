/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/file.h"
#include "dns-server.h"
#include "rdns-cases.h"
#include "rdns-owner.h"
#include "tap.h"

/*
 * Two tries of 250 and 500 ms. What comes much later than the deadline and its slack is too late,
 * even on a loaded machine.
 */
#define TIMEOUT_MS 250U
#define DEADLINE_MS 750U
#define LATE_MS (DEADLINE_MS + 100 + 1500)

static RdnsOptions options_for(const char *servers)
{
	return (RdnsOptions){
		.enabled = true,
		.servers = servers,
		.timeout_ms = TIMEOUT_MS,
		.tries = 2,
		.max_in_flight = 128,
		.cache_enabled = true,
		.cache_size = 1000,
		.cache_ttl_seconds = 86400,
	};
}

static void start(RdnsOwner *owner, const RdnsOptions *options)
{
	const RdnsCallbacks callbacks = rdns_owner_callbacks(owner);
	Why why = {""};
	int r = rdns_new(options, &callbacks, &owner->rdns, &why);

	if (r < 0) {
		printf("Bail out! rdns_new: %s %s\n", strerror(-r), why.text);
		exit(1);
	}
}

static void stop(RdnsOwner *owner)
{
	rdns_free(owner->rdns);
	if (owner->fds_count)
		tap_ok(false, "every descriptor is forgotten in the end");
	*owner = (RdnsOwner){0};
}

static DnsServer *serve(const DnsRule *rules, size_t count)
{
	DnsServer *server = dns_server_new("127.0.0.1", rules, count);

	if (!server) {
		printf("Bail out! no name server: %s\n", strerror(errno));
		exit(1);
	}
	return server;
}

static IpAddr address(const char *text)
{
	IpAddr addr = {0};

	if (strcmp(text, "unknown") && ipaddr_parse(span_from_string(text), &addr) < 0) {
		printf("Bail out! %s is no address\n", text);
		exit(1);
	}
	return addr;
}

static IpAddr address_of(unsigned i)
{
	return (IpAddr){
		.family = IP_V4, .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

static RdnsEntry *lookup_addr(RdnsOwner *owner, IpAddr addr)
{
	RdnsEntry *entry = NULL;

	if (rdns_lookup(owner->rdns, &addr, rdns_owner_now(owner), &entry) < 0) {
		printf("Bail out! out of memory\n");
		exit(1);
	}
	return entry;
}

static RdnsEntry *lookup(RdnsOwner *owner, const char *text)
{
	return lookup_addr(owner, address(text));
}

/* Looks up, waits, and compares; name NULL: none. */
static bool expect(RdnsOwner *owner, const char *text, RdnsStatus status, const char *name)
{
	RdnsEntry *entry = lookup(owner, text);
	const char *got;
	bool ok;

	rdns_owner_wait(owner, entry, LATE_MS);
	got = rdns_entry_name(entry);
	ok = rdns_entry_status(entry) == status && (name ? got && !strcmp(got, name) : !got);
	if (!ok)
		tap_note("%s: %s, %s", text, rdns_status_text(rdns_entry_status(entry)),
			got ? got : "no name");
	rdns_entry_unref(owner->rdns, entry);
	return ok;
}

static RdnsCounts counts(const RdnsOwner *owner)
{
	RdnsCounts c;

	rdns_counts(owner->rdns, &c);
	return c;
}

static bool reached(DnsServer *server, size_t count)
{
	RdnsOwner clock = {0};
	uint64_t end = rdns_owner_now(&clock) + 2000;

	while (dns_server_udp_count(server) < count && rdns_owner_now(&clock) < end)
		(void)poll(NULL, 0, 1);
	return dns_server_udp_count(server) >= count;
}

/*
 * What a server may do
 */

static const RdnsCase behaviours[] = {
	{"silence", {.kind = DNS_DROP}, RDNS_TIMEOUT},
	{"garbage", {.kind = DNS_GARBAGE}, RDNS_TIMEOUT},
	{"a wrong id", {.kind = DNS_WRONG_ID, .answers = {PTR_TO("wrong.example")}}, RDNS_TIMEOUT},
	{"a wrong question", {.kind = DNS_WRONG_QUESTION, .answers = {PTR_TO("wrong.example")}},
		RDNS_TIMEOUT},
	{"the query sent back", {.kind = DNS_ECHO}, RDNS_TIMEOUT},
	{"noise, then the answer",
		{.kind = DNS_NOISE_AND_ANSWER, .answers = {PTR_TO("true.example")}}, RDNS_OK,
		"true.example"},
	{"an answer in the second try's time",
		{.delay_ms = TIMEOUT_MS * 5 / 4, .answers = {PTR_TO("slow.example")}}, RDNS_OK,
		"slow.example"},
	{"an answer after the deadline",
		{.delay_ms = 2 * LATE_MS, .answers = {PTR_TO("late.example")}}, RDNS_TIMEOUT},
	{"truncated, the rest over TCP", {.truncated = true, .answers = {PTR_TO("tcp.example")}},
		RDNS_OK, "tcp.example"},
	{"truncated, NXDOMAIN over TCP", {.truncated = true, .rcode = DNS_NXDOMAIN}, RDNS_NO_NAME},
	{"truncated, silence over TCP", {.truncated = true, .tcp_drop = true}, RDNS_TIMEOUT},
	{"20 kB over TCP", {.truncated = true, .repeat = 400, .answers = {PTR_TO(L60 ".example")}},
		RDNS_OK, L60 ".example"},
	{"no question in FORMERR", {.no_question = true, .rcode = DNS_FORMERR}, RDNS_TIMEOUT},
};

/* All cases at once, each with its address: those that time out do so together. */
static void test_behaviour(const RdnsCase *cases, size_t count)
{
	char(*addrs)[IP_TEXT_MAX] = calloc(count, sizeof(*addrs));
	DnsRule *rules = calloc(count, sizeof(*rules));
	RdnsEntry **entries = calloc(count, sizeof(RdnsEntry *));
	_cleanup_(dns_server_freep) DnsServer *server = serve(rules, count);
	RdnsOptions options = options_for(dns_server_address(server));
	uint64_t end;
	RdnsOwner owner = {0};

	if (!addrs || !rules || !entries)
		exit(1);
	start(&owner, &options);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(addrs[i], sizeof(addrs[i]),
			cases[i].v6 ? "2001:db8::%zu" : "192.0.2.%zu", i);
		rules[i] = cases[i].rule;
		rules[i].addr = addrs[i];
	}
	for (size_t i = 0; i < count; i++)
		entries[i] = lookup(&owner, addrs[i]);
	end = rdns_owner_now(&owner) + LATE_MS;
	while (counts(&owner).in_flight && rdns_owner_now(&owner) < end)
		rdns_owner_turn(&owner, LATE_MS);
	for (size_t i = 0; i < count; i++) {
		const RdnsCase *c = &cases[i];
		const char *name = rdns_entry_name(entries[i]);

		if (!tap_ok(rdns_entry_status(entries[i]) == c->status &&
				    (c->name ? name && !strcmp(name, c->name)
					     : !name == (c->status != RDNS_OK)),
			    "%s: %s", c->what, rdns_status_text(c->status)))
			tap_note("%s, '%s'", rdns_status_text(rdns_entry_status(entries[i])),
				name ? name : "");
		rdns_entry_unref(owner.rdns, entries[i]);
	}
	stop(&owner);
	dns_server_free(TAKE(server));
	free(addrs);
	free(rules);
	free(entries);
}

static void test_nobody_there(void)
{
	_cleanup_(dns_server_freep) DnsServer *server = serve(NULL, 0);
	RdnsOptions options;
	RdnsOwner owner = {0};
	RdnsEntry *entry, *many[100];
	char closed[64];
	bool ok = true;

	/* Its port is free again, and nobody else gets it so soon. */
	(void)snprintf(closed, sizeof(closed), "%s", dns_server_address(server));
	dns_server_free(TAKE(server));
	options = options_for(closed);
	start(&owner, &options);
	tap_ok(expect(&owner, "192.0.2.7", RDNS_SERVER_FAILED, NULL),
		"connection refused: Errno 2");
	stop(&owner);

	/*
	 * The kernel tells one query that another one was refused; none may wait for its timeout.
	 */
	options.timeout_ms = 20000;
	options.tries = 1;
	start(&owner, &options);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = lookup_addr(&owner, address_of(i));
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		ok &= rdns_owner_wait(&owner, many[i], LATE_MS) &&
		      rdns_entry_status(many[i]) == RDNS_SERVER_FAILED;
		rdns_entry_unref(owner.rdns, many[i]);
	}
	tap_ok(ok, "all of many are refused at once");
	stop(&owner);

	/* connect(2) says EACCES at once: c-ares answers from within the question. */
	options = options_for("255.255.255.255");
	start(&owner, &options);
	entry = lookup(&owner, "192.0.2.7");
	tap_ok(rdns_entry_status(entry) == RDNS_SERVER_FAILED, "no way to send: Errno 2 at once");
	rdns_owner_turn(&owner, 1);
	tap_ok(!owner.answered && rdns_timeout(owner.rdns, rdns_owner_now(&owner)) == -1,
		"and nobody is told what he knows");
	rdns_entry_unref(owner.rdns, entry);
	stop(&owner);
}

static void test_tcp_refused(void)
{
	static const DnsRule rules[] = {
		{.addr = "192.0.2.1", .truncated = true},
		{.delay_ms = 40, .answers = {PTR_TO("udp.example")}},
	};
	_cleanup_(dns_server_freep) DnsServer *server = serve(rules, ARRAY_SIZE(rules));
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsEntry *cut, *plain[5];
	RdnsOwner owner = {0};
	bool ok = true;

	/* The one try would be lost if the failing connection took the UDP queries with it. */
	options.tries = 1;
	options.timeout_ms = DEADLINE_MS;
	dns_server_close_tcp(server);
	start(&owner, &options);
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
		plain[i] = lookup_addr(&owner, address_of(i));
	cut = lookup(&owner, "192.0.2.1");
	rdns_owner_wait(&owner, cut, LATE_MS);
	tap_ok(rdns_entry_status(cut) == RDNS_SERVER_FAILED, "truncated, TCP refused: Errno 2");
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
		rdns_owner_wait(&owner, plain[i], LATE_MS);
		ok &= rdns_entry_status(plain[i]) == RDNS_OK;
		rdns_entry_unref(owner.rdns, plain[i]);
	}
	tap_ok(ok && dns_server_udp_count(server) == 6, "and the queries over UDP do not notice");
	rdns_entry_unref(owner.rdns, cut);
	stop(&owner);
}

static void test_ipv6_server(void)
{
	static const DnsRule rule = {.answers = {PTR_TO("six.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = dns_server_new("::1", &rule, 1);
	RdnsOwner owner = {0};
	RdnsOptions options;

	if (!server) {
		tap_ok(true, "a server at ::1 # SKIP %s", strerror(errno));
		return;
	}
	options = options_for(dns_server_address(server));
	start(&owner, &options);
	tap_ok(expect(&owner, "192.0.2.7", RDNS_OK, "six.example"), "a server at ::1");
	stop(&owner);
}

static void test_off(void)
{
	_cleanup_(dns_server_freep) DnsServer *server = serve(&(DnsRule){.rcode = DNS_SERVFAIL}, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsOwner owner = {0};
	RdnsEntry *entry;

	start(&owner, &options);
	entry = lookup(&owner, "unknown");
	tap_ok(rdns_entry_status(entry) == RDNS_OFF && !rdns_entry_name(entry),
		"unknown: Off at once");
	rdns_entry_unref(owner.rdns, entry);
	stop(&owner);

	options.enabled = false;
	start(&owner, &options);
	entry = lookup(&owner, "192.0.2.7");
	tap_ok(rdns_entry_status(entry) == RDNS_OFF, "switched off: Off at once");
	tap_ok(rdns_timeout(owner.rdns, rdns_owner_now(&owner)) == -1 &&
			!dns_server_udp_count(server) && counts(&owner).answered[RDNS_OFF] == 1,
		"and nothing is asked");
	rdns_entry_unref(owner.rdns, entry);
	stop(&owner);
}

/*
 * Several servers
 */

static void test_several_servers(void)
{
	static const struct {
		const char *what;
		DnsRule first, second;
		RdnsStatus status;
	} rows[] = {
		{"the first is silent", {.kind = DNS_DROP}, {.answers = {PTR_TO("b.example")}},
			RDNS_OK},
		{"the first refuses", {.rcode = DNS_REFUSED}, {.answers = {PTR_TO("b.example")}},
			RDNS_OK},
		{"the first fails", {.rcode = DNS_SERVFAIL}, {.answers = {PTR_TO("b.example")}},
			RDNS_OK},
		{"both fail", {.rcode = DNS_SERVFAIL}, {.rcode = DNS_REFUSED}, RDNS_SERVER_FAILED},
		{"both are silent", {.kind = DNS_DROP}, {.kind = DNS_DROP}, RDNS_TIMEOUT},
		{"the first has no such name", {.rcode = DNS_NXDOMAIN},
			{.answers = {PTR_TO("b.example")}}, RDNS_NO_NAME},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(dns_server_freep) DnsServer *first = serve(&rows[i].first, 1);
		_cleanup_(dns_server_freep) DnsServer *second = serve(&rows[i].second, 1);
		RdnsOwner owner = {0};
		RdnsOptions options;
		char servers[160];
		uint64_t began;

		(void)snprintf(servers, sizeof(servers), "%s, %s", dns_server_address(first),
			dns_server_address(second));
		options = options_for(servers);
		start(&owner, &options);
		began = rdns_owner_now(&owner);
		tap_ok(expect(&owner, "192.0.2.7", rows[i].status,
			       rows[i].status == RDNS_OK ? "b.example" : NULL) &&
				rdns_owner_now(&owner) - began < LATE_MS,
			"two servers, %s", rows[i].what);
		/* RES_OPTIONS says rotate. */
		if (rows[i].status == RDNS_NO_NAME)
			tap_ok(expect(&owner, "192.0.2.8", RDNS_NO_NAME, NULL) &&
					!dns_server_udp_count(second),
				"the first is always the first");
		stop(&owner);
	}
}

/* With one try each of three servers still has its turn before the one deadline. */
static void test_three_servers(void)
{
	static const DnsRule silent = {.kind = DNS_DROP}, rule = {.answers = {PTR_TO("c.example")}};
	_cleanup_(dns_server_freep) DnsServer *first = serve(&silent, 1);
	_cleanup_(dns_server_freep) DnsServer *second = serve(&silent, 1);
	_cleanup_(dns_server_freep) DnsServer *third = serve(&rule, 1);
	RdnsOwner owner = {0};
	RdnsOptions options;
	char servers[240];

	(void)snprintf(servers, sizeof(servers), "%s,%s,%s", dns_server_address(first),
		dns_server_address(second), dns_server_address(third));
	options = options_for(servers);
	options.timeout_ms = 1200;
	options.tries = 1;
	start(&owner, &options);
	tap_ok(expect(&owner, "192.0.2.7", RDNS_OK, "c.example"),
		"three servers, two are silent, one try");
	stop(&owner);
}

/*
 * One query for all, limits, order
 */

static void test_coalescing(bool cache_enabled)
{
	static const DnsRule rule = {.delay_ms = 20, .answers = {PTR_TO("one.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&rule, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsOwner owner = {0};
	RdnsEntry *entries[5];
	bool ok = true;

	options.cache_enabled = cache_enabled;
	start(&owner, &options);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = lookup(&owner, "192.0.2.7");
	rdns_entry_unref(owner.rdns, entries[0]);
	rdns_owner_wait(&owner, entries[1], LATE_MS);
	for (size_t i = 1; i < ARRAY_SIZE(entries); i++) {
		ok &= rdns_entry_status(entries[i]) == RDNS_OK &&
		      !strcmp(rdns_entry_name(entries[i]), "one.example");
		rdns_entry_unref(owner.rdns, entries[i]);
	}
	tap_ok(ok && dns_server_udp_count(server) == 1 && counts(&owner).sent == 1 &&
			counts(&owner).shared == 4 && owner.answered == 1,
		"one query for five, cache %s", cache_enabled ? "on" : "off");
	ok = expect(&owner, "192.0.2.7", RDNS_OK, "one.example");
	tap_ok(ok && dns_server_udp_count(server) == (cache_enabled ? 1 : 2) &&
			counts(&owner).cached == cache_enabled &&
			counts(&owner).cache_hits == cache_enabled,
		"and the next is %s", cache_enabled ? "from the cache" : "asked again");
	stop(&owner);
}

static void test_limit_and_order(void)
{
	static const DnsRule rule = {.delay_ms = 10, .answers = {PTR_TO("x.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&rule, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsEntry *entries[20];
	RdnsOwner owner = {0};
	bool ok = true;

	options.max_in_flight = 3;
	start(&owner, &options);
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = lookup_addr(&owner, address_of(i));
	tap_ok(counts(&owner).in_flight == 3 && counts(&owner).waiting == 17,
		"three at a time, 17 wait");
	/* Nobody wants these any more: one in flight, one that waits. */
	rdns_entry_unref(owner.rdns, entries[1]);
	rdns_entry_unref(owner.rdns, entries[10]);
	tap_ok(counts(&owner).in_flight == 3 && counts(&owner).waiting == 16,
		"what nobody waits for is not sent");
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
		if (i == 1 || i == 10)
			continue;
		while (rdns_entry_status(entries[i]) == RDNS_PENDING) {
			rdns_owner_turn(&owner, LATE_MS);
			ok &= counts(&owner).in_flight <= 3;
		}
		ok &= rdns_entry_status(entries[i]) == RDNS_OK;
		rdns_entry_unref(owner.rdns, entries[i]);
	}
	for (unsigned i = 0, n = 0; i < ARRAY_SIZE(entries); i++) {
		char name[256], wanted[64];

		if (i == 10)
			continue;
		(void)snprintf(wanted, sizeof(wanted), "%u.0.0.10.in-addr.arpa", i);
		ok &= dns_server_question(server, n++, name) && !strcmp(name, wanted);
	}
	tap_ok(ok && dns_server_udp_count(server) == 19, "in the order they came");
	tap_ok(counts(&owner).cached == 19 && !counts(&owner).in_flight &&
			!counts(&owner).waiting && counts(&owner).answered[RDNS_OK] == 19,
		"what was in flight is kept, wanted or not");
	tap_ok(rdns_timeout(owner.rdns, rdns_owner_now(&owner)) == -1, "nothing more to wait for");
	stop(&owner);
}

static void test_all_at_once(void)
{
	static const DnsRule rule = {.delay_ms = 10, .answers = {PTR_TO("x.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&rule, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsEntry *entries[1000];
	RdnsOwner owner = {0};
	unsigned good = 0;

	options.max_in_flight = 256;
	options.timeout_ms = 1000;
	start(&owner, &options);
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = lookup_addr(&owner, address_of(i));
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
		rdns_owner_wait(&owner, entries[i], 5000);
		good += rdns_entry_status(entries[i]) == RDNS_OK;
		rdns_entry_unref(owner.rdns, entries[i]);
	}
	tap_ok(good == 1000 && dns_server_udp_count(server) == 1000,
		"1000 addresses, 256 in flight, none lost");
	stop(&owner);
}

/*
 * The cache
 */

static void test_ttl(void)
{
	static const struct {
		const char *what;
		DnsRule rule;
		unsigned limit_seconds;
		uint64_t kept_ms;
	} rows[] = {
		{"the answer's TTL", {.answers = {{.type = DNS_PTR, .ttl = 60, .name = "a.b"}}},
			86400, 60000},
		{"the limit", {.answers = {{.type = DNS_PTR, .ttl = 604800, .name = "a.b"}}}, 3600,
			3600000},
		{"a huge TTL", {.answers = {{.type = DNS_PTR, .ttl = INT32_MAX, .name = "a.b"}}},
			86400, 86400000},
		{"TTL 0", {.answers = {{.type = DNS_PTR, .ttl = 0, .name = "a.b"}}}, 86400, 0},
		{"limit 0", {.answers = {{.type = DNS_PTR, .ttl = 60, .name = "a.b"}}}, 0, 0},
		{"NXDOMAIN", {.rcode = DNS_NXDOMAIN, .authority = {SOA_FOR(86400, 3600)}}, 86400,
			300000},
		{"NODATA", {.authority = {SOA_FOR(86400, 30)}}, 86400, 30000},
		{"a hostile name", {.answers = {PTR_TO("a b")}}, 86400, 300000},
		{"SERVFAIL", {.rcode = DNS_SERVFAIL}, 86400, 5000},
		{"a timeout", {.kind = DNS_DROP}, 86400, 5000},
		{"a failure under a smaller limit", {.rcode = DNS_REFUSED}, 2, 2000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(dns_server_freep) DnsServer *server = serve(&rows[i].rule, 1);
		RdnsOptions options = options_for(dns_server_address(server));
		RdnsOwner owner = {0};
		RdnsEntry *entry;
		size_t once;
		bool kept = true, gone;

		options.cache_ttl_seconds = rows[i].limit_seconds;
		start(&owner, &options);
		entry = lookup(&owner, "192.0.2.7");
		rdns_owner_wait(&owner, entry, LATE_MS);
		once = dns_server_udp_count(server);
		rdns_entry_unref(owner.rdns, entry);
		if (rows[i].kept_ms) {
			owner.shift_ms = rows[i].kept_ms - 1000;
			entry = lookup(&owner, "192.0.2.7");
			kept = rdns_entry_status(entry) != RDNS_PENDING;
			rdns_entry_unref(owner.rdns, entry);
		}
		owner.shift_ms = rows[i].kept_ms;
		entry = lookup(&owner, "192.0.2.7");
		gone = rdns_entry_status(entry) == RDNS_PENDING;
		gone &= reached(server, once + 1);
		rdns_entry_unref(owner.rdns, entry);
		tap_ok(kept && gone, "%s: kept %" PRIu64 " s", rows[i].what,
			rows[i].kept_ms / 1000);
		stop(&owner);
	}
}

static void test_expired_while_held(void)
{
	static const DnsRule before = {
		.answers = {{.type = DNS_PTR, .ttl = 10, .name = "before.example"}}};
	static const DnsRule after = {
		.answers = {{.type = DNS_PTR, .ttl = 10, .name = "after.example"}}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&before, 1);
	const RdnsOptions options = options_for(dns_server_address(server));
	RdnsOwner owner = {0};
	RdnsEntry *held;
	bool ok;

	start(&owner, &options);
	held = lookup(&owner, "192.0.2.7");
	rdns_owner_wait(&owner, held, LATE_MS);
	dns_server_set_rules(server, &after, 1);
	owner.shift_ms = 10000;
	ok = expect(&owner, "192.0.2.7", RDNS_OK, "after.example");
	tap_ok(ok && !strcmp(rdns_entry_name(held), "before.example"),
		"an answer that is held stays as it is");
	rdns_entry_unref(owner.rdns, held);
	tap_ok(counts(&owner).cached == 1, "and goes when it is let go");
	stop(&owner);
}

static void test_lru(void)
{
	static const DnsRule rule = {.answers = {PTR_TO("x.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&rule, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsOwner owner = {0};
	RdnsEntry *held;
	bool ok = true;

	options.cache_size = 3;
	start(&owner, &options);
	held = lookup(&owner, "192.0.2.100");
	rdns_owner_wait(&owner, held, LATE_MS);
	ok &= expect(&owner, "192.0.2.1", RDNS_OK, "x.example");
	ok &= expect(&owner, "192.0.2.2", RDNS_OK, "x.example");
	ok &= expect(&owner, "192.0.2.3", RDNS_OK, "x.example");
	ok &= expect(&owner, "192.0.2.1", RDNS_OK, "x.example");
	tap_ok(ok && dns_server_udp_count(server) == 4 && counts(&owner).cached == 3,
		"three are kept");
	ok &= expect(&owner, "192.0.2.4", RDNS_OK, "x.example");
	ok &= expect(&owner, "192.0.2.1", RDNS_OK, "x.example");
	ok &= expect(&owner, "192.0.2.3", RDNS_OK, "x.example");
	tap_ok(ok && dns_server_udp_count(server) == 5 && counts(&owner).cached == 3,
		"the longest unused goes for a fourth");
	ok &= expect(&owner, "192.0.2.2", RDNS_OK, "x.example");
	tap_ok(ok && dns_server_udp_count(server) == 6, "and is asked for again");
	ok &= expect(&owner, "192.0.2.100", RDNS_OK, "x.example");
	tap_ok(ok && dns_server_udp_count(server) == 6, "what somebody holds is never thrown out");
	rdns_entry_unref(owner.rdns, held);

	options.cache_size = 1;
	ok = !rdns_reconfigure(owner.rdns, &options, NULL);
	tap_ok(ok && counts(&owner).cached == 1, "a smaller cache at once");
	options.cache_enabled = false;
	ok = !rdns_reconfigure(owner.rdns, &options, NULL);
	tap_ok(ok && counts(&owner).cached == 0, "none at once");
	stop(&owner);
}

static void test_many(void)
{
	static const DnsRule rule = {.answers = {PTR_TO("x.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&rule, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsOwner owner = {0};
	bool ok = true;

	options.cache_size = 1500;
	start(&owner, &options);
	for (unsigned i = 0; i < 2000; i++) {
		RdnsEntry *entry = lookup_addr(&owner, address_of(i));

		rdns_owner_wait(&owner, entry, LATE_MS);
		ok &= rdns_entry_status(entry) == RDNS_OK;
		rdns_entry_unref(owner.rdns, entry);
	}
	for (unsigned i = 500; i < 2000; i++) {
		RdnsEntry *entry = lookup_addr(&owner, address_of(i));

		ok &= rdns_entry_status(entry) == RDNS_OK;
		rdns_entry_unref(owner.rdns, entry);
	}
	tap_ok(ok && counts(&owner).cache_hits == 1500 && counts(&owner).cached == 1500,
		"2000 addresses through a cache of 1500");
	stop(&owner);
}

/*
 * Servers that are dead
 */

static bool at_once(RdnsOwner *owner, unsigned i)
{
	RdnsEntry *entry = lookup_addr(owner, address_of(i));
	bool ok = rdns_entry_status(entry) == RDNS_TIMEOUT;

	rdns_entry_unref(owner->rdns, entry);
	return ok;
}

/* Until c-ares has ended what nobody waits for any more: it does not see our clock jump. */
static void settle(RdnsOwner *owner)
{
	int64_t timeout;

	while ((timeout = rdns_timeout(owner->rdns, rdns_owner_now(owner))) >= 0 && timeout < 500)
		rdns_owner_turn(owner, 500);
}

/* Lets n lookups of other addresses time out. */
static void time_out(RdnsOwner *owner, unsigned from, unsigned n)
{
	RdnsEntry *entries[64];

	for (unsigned i = 0; i < n; i++)
		entries[i] = lookup_addr(owner, address_of(from + i));
	owner->shift_ms += LATE_MS;
	rdns_dispatch(owner->rdns, -1, 0, rdns_owner_now(owner));
	for (unsigned i = 0; i < n; i++)
		rdns_entry_unref(owner->rdns, entries[i]);
	settle(owner);
}

static void test_dead(void)
{
	static const DnsRule silent = {.kind = DNS_DROP}, failing = {.rcode = DNS_SERVFAIL};
	static const DnsRule answering = {.answers = {PTR_TO("back.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&silent, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsOwner owner = {0};
	RdnsEntry *entries[100];
	RdnsCounts before;
	bool ok;

	options.tries = 1;
	options.max_in_flight = 64;
	start(&owner, &options);
	time_out(&owner, 0, 63);
	tap_ok(!counts(&owner).resolver_dead, "63 timeouts in a row are not enough");
	dns_server_set_rules(server, &failing, 1);
	ok = expect(&owner, "192.0.2.1", RDNS_SERVER_FAILED, NULL);
	dns_server_set_rules(server, &silent, 1);
	time_out(&owner, 100, 63);
	tap_ok(ok && !counts(&owner).resolver_dead, "any answer begins the row anew");

	/* 64 in flight and 36 that wait: these end with the 64th. */
	dns_server_set_rules(server, &failing, 1);
	ok = expect(&owner, "192.0.2.2", RDNS_SERVER_FAILED, NULL);
	dns_server_set_rules(server, &silent, 1);
	before = counts(&owner);
	owner.answered = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = lookup_addr(&owner, address_of(200 + i));
	owner.shift_ms += LATE_MS;
	rdns_dispatch(owner.rdns, -1, 0, rdns_owner_now(&owner));
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
		ok &= rdns_entry_status(entries[i]) == RDNS_TIMEOUT;
		rdns_entry_unref(owner.rdns, entries[i]);
	}
	tap_ok(ok && counts(&owner).resolver_dead && counts(&owner).sent == before.sent + 64 &&
			owner.answered == 1,
		"the 64th ends what waits");
	tap_ok(at_once(&owner, 400) && counts(&owner).sent == before.sent + 64,
		"new addresses: at once");

	before = counts(&owner);
	settle(&owner);
	for (unsigned i = 0; i < 10; i++) {
		int64_t timeout = rdns_timeout(owner.rdns, rdns_owner_now(&owner));

		ok &= timeout >= 0 && timeout <= 1000;
		owner.shift_ms += (uint64_t)timeout;
		rdns_dispatch(owner.rdns, -1, 0, rdns_owner_now(&owner));
		ok &= at_once(&owner, 500 + i) && counts(&owner).in_flight == 0 &&
		      counts(&owner).sent == before.sent + i + 1;
		settle(&owner);
	}
	tap_ok(ok, "one probe a second");

	dns_server_set_rules(server, &failing, 1);
	owner.shift_ms += 1000;
	rdns_owner_turn(&owner, 0);
	for (int i = 0; i < 100 && counts(&owner).resolver_dead; i++)
		rdns_owner_turn(&owner, 20);
	dns_server_set_rules(server, &answering, 1);
	tap_ok(!counts(&owner).resolver_dead, "until a server answers, be it SERVFAIL");
	tap_ok(expect(&owner, "10.0.1.244", RDNS_OK, "back.example"),
		"an address that was Timeout at once is asked for now");
	tap_ok(rdns_timeout(owner.rdns, rdns_owner_now(&owner)) == -1, "nothing more to wait for");

	/* Nobody asks for a minute: no more probes, and the next lookup finds out. */
	dns_server_set_rules(server, &silent, 1);
	time_out(&owner, 1000, 64);
	ok = counts(&owner).resolver_dead;
	owner.shift_ms += 59000;
	ok &= rdns_timeout(owner.rdns, rdns_owner_now(&owner)) == 0 && at_once(&owner, 1100);
	owner.shift_ms += 60000;
	tap_ok(ok && rdns_timeout(owner.rdns, rdns_owner_now(&owner)) == -1,
		"no probes when nobody asks");
	before = counts(&owner);
	time_out(&owner, 1200, 1);
	tap_ok(counts(&owner).sent == before.sent + 1 && counts(&owner).resolver_dead,
		"then one timeout is enough");
	owner.shift_ms += 60000;
	dns_server_set_rules(server, &answering, 1);
	tap_ok(expect(&owner, "192.0.2.3", RDNS_OK, "back.example"), "and one answer too");

	dns_server_set_rules(server, &silent, 1);
	time_out(&owner, 1300, 64);
	dns_server_free(TAKE(server));
	before = counts(&owner);
	owner.shift_ms += 1000;
	rdns_dispatch(owner.rdns, -1, 0, rdns_owner_now(&owner));
	settle(&owner);
	tap_ok(counts(&owner).sent == before.sent + 1 && counts(&owner).resolver_dead &&
			at_once(&owner, 1400),
		"a refused probe is no answer");
	for (unsigned i = 0; i < 5; i++) {
		owner.shift_ms += 30000;
		ok &= at_once(&owner, 1500 + i);
	}
	tap_ok(ok && counts(&owner).resolver_dead, "somebody asks every 30 s: it stays like that");

	server = serve(&answering, 1);
	options.servers = dns_server_address(server);
	tap_ok(!rdns_reconfigure(owner.rdns, &options, NULL) &&
			expect(&owner, "192.0.2.4", RDNS_OK, "back.example"),
		"other servers are asked at once");

	stop(&owner);
}

/*
 * The deadline, when c-ares does not keep it
 */

static void test_deadline(void)
{
	static const DnsRule slow = {.delay_ms = 100, .answers = {PTR_TO("late.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&slow, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsEntry *entry, *second;
	RdnsOwner owner = {0};
	int64_t timeout;

	options.timeout_ms = 10000;
	options.tries = 1;
	start(&owner, &options);
	entry = lookup(&owner, "192.0.2.7");
	(void)reached(server, 1);
	/* For our clock it is over; c-ares has seen no time pass. */
	owner.shift_ms = 10000 + 200;
	timeout = rdns_timeout(owner.rdns, rdns_owner_now(&owner));
	rdns_dispatch(owner.rdns, -1, 0, rdns_owner_now(&owner));
	tap_ok(timeout == 0 && rdns_entry_status(entry) == RDNS_TIMEOUT && owner.answered == 1 &&
			counts(&owner).in_flight == 0,
		"the deadline ends a query that c-ares still has");
	rdns_entry_unref(owner.rdns, entry);
	/* Its late answer comes while the same address is asked for anew. */
	owner.shift_ms += 6000;
	second = lookup(&owner, "192.0.2.7");
	rdns_owner_wait(&owner, second, LATE_MS);
	tap_ok(rdns_entry_status(second) == RDNS_OK && owner.answered == 2 &&
			counts(&owner).answered[RDNS_OK] == 1 && counts(&owner).in_flight == 0,
		"the late answer touches nothing");
	rdns_entry_unref(owner.rdns, second);
	stop(&owner);
}

static void test_new_sockets(void)
{
	static const DnsRule silent = {.kind = DNS_DROP};
	static const DnsRule answering = {.answers = {PTR_TO("x.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&silent, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsOwner owner = {0};
	RdnsEntry *entry;

	/* c-ares does not end these; their deadlines do. */
	options.timeout_ms = 60000;
	options.tries = 1;
	start(&owner, &options);
	for (unsigned i = 0; i < 3; i++) {
		entry = lookup_addr(&owner, address_of(i));
		owner.shift_ms += 60000 + 200;
		rdns_dispatch(owner.rdns, -1, 0, rdns_owner_now(&owner));
		rdns_entry_unref(owner.rdns, entry);
	}
	tap_ok(owner.forgotten == 3 && rdns_timeout(owner.rdns, rdns_owner_now(&owner)) == -1,
		"queries that c-ares never ends go with their socket");

	options.timeout_ms = 1000;
	(void)rdns_reconfigure(owner.rdns, &options, NULL);
	owner.forgotten = 0;
	for (unsigned i = 10; i < 15; i++) {
		entry = lookup_addr(&owner, address_of(i));
		owner.shift_ms += 1100;
		rdns_dispatch(owner.rdns, -1, 0, rdns_owner_now(&owner));
		rdns_entry_unref(owner.rdns, entry);
	}
	tap_ok(owner.forgotten == 1, "one new socket for all failures within 5 s");
	owner.shift_ms += 5000;
	dns_server_set_rules(server, &answering, 1);
	tap_ok(expect(&owner, "192.0.2.7", RDNS_OK, "x.example") && owner.forgotten == 2,
		"then another one");
	owner.shift_ms += 5000;
	tap_ok(expect(&owner, "192.0.2.8", RDNS_OK, "x.example") && owner.forgotten == 2,
		"and the same as long as all is well");
	stop(&owner);
}

/*
 * Answers that have arrived while the owner was away are not lost, even when it comes to the
 * timeouts first.
 */
static void test_owner_away(void)
{
	static const DnsRule rule = {.answers = {PTR_TO("x.example")}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(&rule, 1);
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsOwner owner = {0};
	RdnsEntry *entry;

	options.tries = 1;
	options.timeout_ms = 20;
	start(&owner, &options);
	entry = lookup(&owner, "192.0.2.7");
	(void)reached(server, 1);
	(void)poll(owner.fds, owner.fds_count, 2000); /* the answer is there */
	owner.shift_ms = 10000;
	while (rdns_timeout(owner.rdns, rdns_owner_now(&owner) - 10000) > 1)
		(void)poll(NULL, 0, 1); /* and c-ares would give up now */
	rdns_dispatch(owner.rdns, -1, 0, rdns_owner_now(&owner));
	tap_ok(rdns_entry_status(entry) == RDNS_OK,
		"what has arrived counts, however late it is read");
	rdns_entry_unref(owner.rdns, entry);
	stop(&owner);
}

/*
 * Reloads and the end
 */

static void test_reconfigure(void)
{
	static const DnsRule slow = {.delay_ms = 60, .answers = {PTR_TO("old.example")}};
	static const DnsRule fast = {.answers = {PTR_TO("new.example")}};
	_cleanup_(dns_server_freep) DnsServer *old = serve(&slow, 1), *new = serve(&fast, 1);
	RdnsOptions options = options_for(dns_server_address(old));
	RdnsEntry *asked, *waiting, *other;
	RdnsOwner owner = {0};
	Why why = {""};

	options.timeout_ms = 1000;
	options.max_in_flight = 1;
	start(&owner, &options);
	asked = lookup(&owner, "192.0.2.1");
	waiting = lookup(&owner, "192.0.2.2");

	options.servers = "192.0.2.1:0";
	tap_ok(rdns_reconfigure(owner.rdns, &options, &why) == -EINVAL &&
			strstr(why.text, "192.0.2.1:0") && counts(&owner).in_flight == 1 &&
			counts(&owner).waiting == 1,
		"bad options change nothing");
	options.servers = dns_server_address(new);
	options.max_in_flight = 2;
	tap_ok(!rdns_reconfigure(owner.rdns, &options, NULL) &&
			rdns_timeout(owner.rdns, rdns_owner_now(&owner)) == 0,
		"new options, a query in flight");
	other = lookup(&owner, "192.0.2.1");
	tap_ok(other == asked, "which still serves all");
	rdns_owner_wait(&owner, waiting, LATE_MS);
	tap_ok(rdns_entry_status(waiting) == RDNS_OK &&
			!strcmp(rdns_entry_name(waiting), "new.example") &&
			rdns_entry_status(asked) == RDNS_PENDING,
		"what waited goes to the new server");
	rdns_owner_wait(&owner, asked, LATE_MS);
	tap_ok(rdns_entry_status(asked) == RDNS_OK &&
			!strcmp(rdns_entry_name(asked), "old.example"),
		"what was in flight ends on the old one");
	tap_ok(owner.fds_count == 1, "whose socket is closed then");
	rdns_entry_unref(owner.rdns, asked);
	rdns_entry_unref(owner.rdns, other);
	rdns_entry_unref(owner.rdns, waiting);

	options.servers = dns_server_address(old);
	options.max_in_flight = 1;
	tap_ok(!rdns_reconfigure(owner.rdns, &options, NULL) && owner.fds_count == 0,
		"without a query the old socket is closed at once");
	asked = lookup(&owner, "192.0.2.3");
	waiting = lookup(&owner, "192.0.2.4");
	owner.answered = 0;
	options.enabled = false;
	tap_ok(!rdns_reconfigure(owner.rdns, &options, NULL) &&
			rdns_entry_status(waiting) == RDNS_OFF &&
			rdns_timeout(owner.rdns, rdns_owner_now(&owner)) == 0,
		"switched off: Off for what waits");
	rdns_owner_turn(&owner, 0);
	tap_ok(owner.answered == 1, "and its owner is told");
	rdns_owner_wait(&owner, asked, LATE_MS);
	tap_ok(rdns_entry_status(asked) == RDNS_OK && owner.fds_count == 0,
		"what was in flight still gets its answer");
	rdns_entry_unref(owner.rdns, asked);
	rdns_entry_unref(owner.rdns, waiting);
	options.enabled = true;
	tap_ok(!rdns_reconfigure(owner.rdns, &options, NULL) &&
			expect(&owner, "192.0.2.5", RDNS_OK, "old.example"),
		"and on again");
	stop(&owner);
}

static void test_reconfigure_dead(void)
{
	static const DnsRule silent = {.kind = DNS_DROP};
	static const DnsRule answering = {.answers = {PTR_TO("x.example")}};
	_cleanup_(dns_server_freep) DnsServer *old = serve(&silent, 1), *new = serve(&answering, 1);
	RdnsOptions options = options_for(dns_server_address(old));
	RdnsOwner owner = {0};
	RdnsEntry *entries[100];

	start(&owner, &options);
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = lookup_addr(&owner, address_of(i));
	options.servers = dns_server_address(new);
	(void)rdns_reconfigure(owner.rdns, &options, NULL);
	owner.shift_ms += LATE_MS;
	rdns_dispatch(owner.rdns, -1, 0, rdns_owner_now(&owner));
	tap_ok(rdns_entry_status(entries[99]) == RDNS_TIMEOUT && !counts(&owner).resolver_dead &&
			expect(&owner, "192.0.2.7", RDNS_OK, "x.example"),
		"the old server's timeouts are not the new one's");
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		rdns_entry_unref(owner.rdns, entries[i]);
	stop(&owner);
}

static void test_free_in_flight(void)
{
	static const DnsRule rules[] = {
		{.addr = "192.0.2.1", .truncated = true, .tcp_drop = true}, {.kind = DNS_DROP}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(rules, ARRAY_SIZE(rules));
	RdnsOptions options = options_for(dns_server_address(server));
	RdnsEntry *entries[10];
	RdnsOwner owner = {0};

	options.max_in_flight = 4;
	options.timeout_ms = 1000;
	start(&owner, &options);
	entries[0] = lookup(&owner, "192.0.2.1");
	for (unsigned i = 1; i < ARRAY_SIZE(entries); i++)
		entries[i] = lookup_addr(&owner, address_of(i));
	while (!dns_server_tcp_count(server))
		rdns_owner_turn(&owner, 100);
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		rdns_entry_unref(owner.rdns, entries[i]);
	tap_ok(counts(&owner).in_flight == 4 && counts(&owner).waiting == 0 && owner.fds_count == 2,
		"freed with queries over UDP and TCP in flight");
	(void)rdns_reconfigure(owner.rdns, &options, NULL);
	rdns_entry_unref(owner.rdns, lookup(&owner, "192.0.2.9"));
	stop(&owner);
}

/* An owner whose answered() looks up and lets go, as the pipeline does. */
static struct Chain {
	RdnsOwner owner;
	RdnsEntry *entry;
	unsigned next, depth, deepest;
} chain;

static void chain_answered(void *userdata)
{
	struct Chain *c = userdata;

	if (++c->depth > c->deepest)
		c->deepest = c->depth;
	while (c->entry && rdns_entry_status(c->entry) != RDNS_PENDING) {
		rdns_entry_unref(c->owner.rdns, c->entry);
		c->entry = c->next < 300 ? lookup_addr(&c->owner, address_of(c->next++ / 3)) : NULL;
	}
	c->depth--;
}

static void test_lookup_within_answered(void)
{
	static const DnsRule rules[] = {
		{.addr = "10.0.0.7", .rcode = DNS_SERVFAIL}, {.answers = {PTR_TO("x.example")}}};
	_cleanup_(dns_server_freep) DnsServer *server = serve(rules, ARRAY_SIZE(rules));
	const RdnsOptions options = options_for(dns_server_address(server));
	const RdnsCallbacks callbacks = {rdns_owner_watch, chain_answered, &chain};

	chain = (struct Chain){0};
	/* The owner is the first member: rdns_owner_watch finds it there. */
	if (rdns_new(&options, &callbacks, &chain.owner.rdns, NULL) < 0)
		exit(1);
	chain.entry = lookup_addr(&chain.owner, address_of(0));
	chain.next = 1;
	for (unsigned i = 0; i < 5000 && chain.entry; i++)
		rdns_owner_turn(&chain.owner, 100);
	tap_ok(!chain.entry && chain.next == 300 && dns_server_udp_count(server) == 100 &&
			chain.deepest == 1,
		"answered() looks up and lets go");
	stop(&chain.owner);
}

/*
 * resolv.conf
 */

static void write_resolv_conf(const char *path, const char *address)
{
	char text[256];
	int n = snprintf(text, sizeof(text),
		"# test\noptions timeout:30 attempts:9\nnameserver %s\n", address);

	if (file_replace(path, text, (size_t)n, 0644) < 0) {
		printf("Bail out! can't write %s\n", path);
		exit(1);
	}
}

static void test_resolv_conf(void)
{
	static const DnsRule a = {.answers = {PTR_TO("a.example")}},
			     b = {.answers = {PTR_TO("b.example")}};
	_cleanup_(dns_server_freep) DnsServer *first = serve(&a, 1), *second = serve(&b, 1);
	RdnsOptions options = options_for("");
	char dir[] = "/tmp/test-rdns-XXXXXX", path[64];
	RdnsOwner owner = {0};

	if (!mkdtemp(dir)) {
		printf("Bail out! no directory in /tmp\n");
		exit(1);
	}
	(void)snprintf(path, sizeof(path), "%s/resolv.conf", dir);
	options.resolv_conf = path;
	write_resolv_conf(path, dns_server_address(first));
	start(&owner, &options);
	tap_ok(expect(&owner, "192.0.2.1", RDNS_OK, "a.example"), "the server of resolv.conf");
	write_resolv_conf(path, dns_server_address(second));
	owner.shift_ms += 5001;
	tap_ok(expect(&owner, "192.0.2.2", RDNS_OK, "b.example"), "resolv.conf has changed");
	write_resolv_conf(path, dns_server_address(first));
	owner.shift_ms += 1000;
	tap_ok(expect(&owner, "192.0.2.3", RDNS_OK, "b.example"), "it is looked at every 5 s");
	owner.shift_ms += 4001;
	tap_ok(expect(&owner, "192.0.2.4", RDNS_OK, "a.example"), "and then again");
	tap_ok(expect(&owner, "192.0.2.2", RDNS_OK, "b.example"), "what is known stays");
	options.servers = dns_server_address(second);
	tap_ok(!rdns_reconfigure(owner.rdns, &options, NULL) &&
			expect(&owner, "192.0.2.5", RDNS_OK, "b.example"),
		"servers of our own come first");
	owner.shift_ms += 10000;
	tap_ok(expect(&owner, "192.0.2.6", RDNS_OK, "b.example"), "and stay");
	stop(&owner);
	(void)unlink(path);
	(void)rmdir(dir);
}

/*
 * Options
 */

static void test_options(void)
{
	static const struct {
		RdnsOptions options;
		const char *why; /* NULL: good */
	} rows[] = {
		{{.timeout_ms = 2000,
			.tries = 2,
			.max_in_flight = 128,
			.cache_size = 10000,
			.cache_ttl_seconds = 3600}},
		{{.timeout_ms = 10, .tries = 1, .max_in_flight = 1}},
		{{.timeout_ms = 1000,
			.tries = 8,
			.max_in_flight = 256,
			.servers = "::1, [::1]:5353,192.0.2.1"}},
		{{.timeout_ms = 9, .tries = 2, .max_in_flight = 128},
			"timeout_ms: 9 is not between 10 and 60000"},
		{{.timeout_ms = 60001, .tries = 2, .max_in_flight = 128}, "timeout_ms: "},
		{{.timeout_ms = 2000, .tries = 0, .max_in_flight = 128}, "tries: 0 "},
		{{.timeout_ms = 2000, .tries = 9, .max_in_flight = 128}, "tries: 9 "},
		{{.timeout_ms = 2000, .tries = 8, .max_in_flight = 128}, "timeout_ms: 8 tries "},
		{{.timeout_ms = 2000, .tries = 2, .max_in_flight = 0}, "max_in_flight: "},
		{{.timeout_ms = 2000, .tries = 2, .max_in_flight = 257}, "max_in_flight: 257 "},
		{{.timeout_ms = 2000, .tries = 2, .max_in_flight = 1, .cache_size = 10000001},
			"cache size: "},
		{{.timeout_ms = 2000,
			 .tries = 2,
			 .max_in_flight = 1,
			 .cache_ttl_seconds = UINT32_MAX},
			"cache ttl_seconds: 4294967295 "},
		{{.timeout_ms = 2000, .tries = 2, .max_in_flight = 1, .servers = "x:70000"},
			"servers: 'x:70000' is not an address with port"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Why why = {""};
		int r = rdns_options_check(&rows[i].options, &why);

		if (!tap_ok(rows[i].why ? r == -EINVAL && !strncmp(why.text, rows[i].why,
								  strlen(rows[i].why))
					: !r,
			    "options: %s", rows[i].why ? rows[i].why : "good"))
			tap_note("%d %s", r, why.text);
	}
}

int main(void)
{
	static const struct {
		RdnsStatus status;
		const char *text;
	} texts[] = {{RDNS_OK, "OK"}, {RDNS_NO_NAME, "Errno 1"}, {RDNS_SERVER_FAILED, "Errno 2"},
		{RDNS_NO_PTR, "Errno 4"}, {RDNS_TIMEOUT, "Timeout"}, {RDNS_OFF, "Off"}};

	/* c-ares would take these where we set nothing. */
	(void)setenv("RES_OPTIONS", "timeout:30 attempts:9 rotate", 1);
	(void)setenv("LOCALDOMAIN", "search.example", 1);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		tap_ok(!strcmp(rdns_status_text(texts[i].status), texts[i].text), "%s",
			texts[i].text);
	test_options();
	test_behaviour(behaviours, ARRAY_SIZE(behaviours));
	test_behaviour(rdns_cases, ARRAY_SIZE(rdns_cases));
	test_nobody_there();
	test_tcp_refused();
	test_ipv6_server();
	test_off();
	test_several_servers();
	test_three_servers();
	test_coalescing(true);
	test_coalescing(false);
	test_limit_and_order();
	test_all_at_once();
	test_ttl();
	test_expired_while_held();
	test_lru();
	test_many();
	test_dead();
	test_deadline();
	test_new_sockets();
	test_owner_away();
	test_reconfigure();
	test_reconfigure_dead();
	test_free_in_flight();
	test_lookup_within_answered();
	test_resolv_conf();
	return tap_done();
}
