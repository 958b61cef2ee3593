/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * How many addresses a second rdns names, against a real name server with the zone that this
 * program writes; each answer is compared. Also what the integration test with nsd runs.
 */

#include <getopt.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/number.h"
#include "rdns-owner.h"

#define SCHEDULED_MAX 4096U /* lookups held at a time, as the pipeline's queue holds them */
#define NAME_MAX_BENCH 64

static const char usage[] =
	"usage: bench-rdns --zone v4|v6 [--count N]\n"
	"       bench-rdns --servers LIST [--count N] [--missing N] [--in-flight N] [--timeout MS] "
	"[--tries N]\n"
	"                  [--rounds N] [--min-rate N]\n"
	"\n"
	"The first form prints the zone 10.in-addr.arpa or 8.b.d.0.1.0.0.2.ip6.arpa: a PTR for "
	"each of N addresses\n"
	"(default 50000), nine of ten IPv4. The second form looks all of them up, then --missing "
	"more that have no name,\n"
	"--rounds times, the cache switched off, and prints how long it took. Exit status: 0 when "
	"every answer is right\n"
	"and there were at least --min-rate lookups a second, 1 else, 2 for wrong usage.\n";

typedef struct Bench {
	RdnsOwner owner;
	RdnsEntry *entries[SCHEDULED_MAX]; /* a ring: head is the oldest */
	size_t head, tail;                 /* indices of addresses */
	size_t count, missing;
	size_t wrong, statuses[RDNS_OFF + 1];
	size_t in_flight_max;
} Bench;

static bool is_v6(size_t i)
{
	return i % 10 == 9;
}

static IpAddr bench_address(size_t i)
{
	if (is_v6(i))
		return (IpAddr){
			.family = IP_V6,
			.bytes = {0x20, 0x01, 0x0d, 0xb8, [12] = (uint8_t)(i >> 24),
				(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
		};
	return (IpAddr){
		.family = IP_V4,
		.bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
	};
}

static void bench_name(size_t i, char name[NAME_MAX_BENCH])
{
	(void)snprintf(name, NAME_MAX_BENCH, "host-%zu.%s.clients.bench.example", i,
		is_v6(i) ? "v6" : "v4");
}

static void print_zone(bool v6, size_t count)
{
	printf("$TTL 3600\n@ IN SOA ns.bench.example. hostmaster.bench.example. 1 3600 600 86400 "
	       "60\n"
	       "@ IN NS ns.bench.example.\n");
	for (size_t i = 0; i < count; i++) {
		const IpAddr addr = bench_address(i);
		char name[NAME_MAX_BENCH];

		if (is_v6(i) != v6)
			continue;
		bench_name(i, name);
		if (v6)
			for (size_t b = 15; b >= 4; b--)
				printf("%x.%x%s", addr.bytes[b] & 15, addr.bytes[b] >> 4,
					b > 4 ? "." : "");
		else
			printf("%u.%u.%u", addr.bytes[3], addr.bytes[2], addr.bytes[1]);
		printf(" IN PTR %s.\n", name);
	}
}

static void take_answer(Bench *bench, size_t i, RdnsEntry *entry)
{
	RdnsStatus status = rdns_entry_status(entry);
	char name[NAME_MAX_BENCH];

	bench->statuses[status]++;
	bench_name(i, name);
	if (i < bench->count ? status != RDNS_OK || strcmp(rdns_entry_name(entry), name)
			     : status != RDNS_NO_NAME)
		if (++bench->wrong <= 5)
			fprintf(stderr, "bench-rdns: address %zu: %s, %s\n", i,
				rdns_status_text(status),
				rdns_entry_name(entry) ? rdns_entry_name(entry) : "no name");
	rdns_entry_unref(bench->owner.rdns, entry);
}

static int run_round(Bench *bench)
{
	size_t total = bench->count + bench->missing;
	RdnsCounts counts;
	bool pending;

	bench->head = bench->tail = 0;
	while (bench->head < total) {
		uint64_t now_ms = rdns_owner_now(&bench->owner);

		for (; bench->tail < total && bench->tail - bench->head < SCHEDULED_MAX;
			bench->tail++) {
			const IpAddr addr = bench_address(bench->tail);
			int r = rdns_lookup(bench->owner.rdns, &addr, now_ms,
				&bench->entries[bench->tail % SCHEDULED_MAX]);

			if (r < 0)
				return r;
		}
		rdns_counts(bench->owner.rdns, &counts);
		bench->in_flight_max = MAX(bench->in_flight_max, counts.in_flight);
		/* What is known at once is not told. */
		pending = rdns_entry_status(bench->entries[bench->head % SCHEDULED_MAX]) ==
			  RDNS_PENDING;
		rdns_owner_turn(&bench->owner, pending ? 1000 : 0);
		for (; bench->head < bench->tail; bench->head++) {
			RdnsEntry *entry = bench->entries[bench->head % SCHEDULED_MAX];

			if (rdns_entry_status(entry) == RDNS_PENDING)
				break;
			take_answer(bench, bench->head, entry);
		}
	}
	return 0;
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static int run(Bench *bench, const RdnsOptions *options, size_t rounds, size_t min_rate)
{
	const RdnsCallbacks callbacks = rdns_owner_callbacks(&bench->owner);
	struct timespec began, ended;
	struct rusage used;
	double took, rate;
	Why why = {""};
	int r;

	r = rdns_new(options, &callbacks, &bench->owner.rdns, &why);
	if (r < 0) {
		fprintf(stderr, "bench-rdns: %s\n", why.text[0] ? why.text : strerror(-r));
		return r == -EINVAL ? 2 : 1;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &began);
	for (size_t i = 0; i < rounds && !r; i++)
		r = run_round(bench);
	(void)clock_gettime(CLOCK_MONOTONIC, &ended);
	(void)getrusage(RUSAGE_SELF, &used);
	rdns_free(bench->owner.rdns);
	if (r < 0) {
		fprintf(stderr, "bench-rdns: %s\n", strerror(-r));
		return 1;
	}
	took = (double)(ended.tv_sec - began.tv_sec) +
	       (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
	rate = (double)(rounds * (bench->count + bench->missing)) / took;
	printf("lookups %zu\nseconds %.3f\nrate %.0f\nin_flight %zu\ncpu_user %.3f\ncpu_system "
	       "%.3f\nturns %u\n"
	       "wrong %zu\n",
		rounds * (bench->count + bench->missing), took, rate, bench->in_flight_max,
		seconds(used.ru_utime), seconds(used.ru_stime), bench->owner.turns, bench->wrong);
	for (int status = RDNS_OK; status <= RDNS_OFF; status++)
		printf("status %s %zu\n", rdns_status_text((RdnsStatus)status),
			bench->statuses[status]);
	return bench->wrong || rate < (double)min_rate;
}

int main(int argc, char **argv)
{
	enum {
		ZONE = 1,
		SERVERS,
		COUNT,
		MISSING,
		IN_FLIGHT,
		TIMEOUT,
		TRIES,
		ROUNDS,
		MIN_RATE,
		HELP
	};
	static const struct option table[] = {
		{"zone", required_argument, NULL, ZONE},
		{"servers", required_argument, NULL, SERVERS},
		{"count", required_argument, NULL, COUNT},
		{"missing", required_argument, NULL, MISSING},
		{"in-flight", required_argument, NULL, IN_FLIGHT},
		{"timeout", required_argument, NULL, TIMEOUT},
		{"tries", required_argument, NULL, TRIES},
		{"rounds", required_argument, NULL, ROUNDS},
		{"min-rate", required_argument, NULL, MIN_RATE},
		{"help", no_argument, NULL, HELP},
		{0},
	};
	static Bench bench;
	uint64_t numbers[HELP] = {
		[COUNT] = 50000, [IN_FLIGHT] = 128, [TIMEOUT] = 2000, [TRIES] = 2, [ROUNDS] = 1};
	const char *zone = NULL, *servers = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		switch (option) {
		case ZONE: zone = optarg; break;
		case SERVERS: servers = optarg; break;
		case HELP: fputs(usage, stdout); return 0;
		case '?': fputs(usage, stderr); return 2;
		default:
			if (number_parse_u64(span_from_string(optarg), 10000000, &numbers[option]) <
				0) {
				fprintf(stderr, "bench-rdns: '%s' is not a number up to 10000000\n",
					optarg);
				return 2;
			}
		}
	}
	if (optind < argc || !zone == !servers ||
		(zone && strcmp(zone, "v4") && strcmp(zone, "v6"))) {
		fputs(usage, stderr);
		return 2;
	}
	if (zone) {
		print_zone(!strcmp(zone, "v6"), numbers[COUNT]);
		return fflush(stdout) || ferror(stdout);
	}
	bench.count = numbers[COUNT];
	bench.missing = numbers[MISSING];
	return run(&bench,
		&(RdnsOptions){
			.enabled = true,
			.servers = servers,
			.timeout_ms = (unsigned)numbers[TIMEOUT],
			.tries = (unsigned)numbers[TRIES],
			.max_in_flight = (unsigned)numbers[IN_FLIGHT],
		},
		numbers[ROUNDS], numbers[MIN_RATE]);
}
