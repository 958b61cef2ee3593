/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast the real databases (test/fetch-data) are built, opened and asked, from the text of an address
 * to country, ASN and organisation, beside libmaxminddb with the same data and the same addresses
 * in the same run: the median of five rounds, in CPU time; and what the ready-made text of the
 * CSV's last three columns saves. The image is the one that processes map.
 *
 * To be seen: building under 0.4 s, an image of at most 14 MB, opening under 5 ms, 10 million lookups/s.
 * One core of two, the other one busy (November 2026, million lookups/s, libmaxminddb's in brackets):
 *
 *	build 0.32 s from CSV, 0.27 s from MMDB; 13.87 MB; open 0.55 ms
 *	IPv4 12.1 (2.1), IPv6 6.7 (0.9), 9 of 10 IPv4 7.1 (1.5)
 *	85,000 rows 38 ms, without the ready-made text 46 ms
 */
#include <arpa/inet.h>
#include <maxminddb.h>

#include "enrich/intern.h"
#include "geodb-tools.h"
#include "mmdb-writer.h"

#define ROUNDS 5
#define QUERIES 1000000U
#define ROWS 85000U

typedef struct Query {
	char text[IP_TEXT_MAX];
	uint8_t len;
} Query;

/*
 * What was found, summed up: both sides must come to the same, and the compiler can't leave out
 * the work.
 */
typedef struct Sum {
	uint64_t countries, asns, text;
} Sum;

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(*values), compare_doubles);
	return values[ROUNDS / 2];
}

static _Noreturn void stop(const char *what, const char *why)
{
	fprintf(stderr, "bench-geodb: %s: %s\n", what, why);
	exit(1);
}

/* Both families of a database in one file. */
static void read_csv(const char *directory, const char *name, StrBuf *sb)
{
	static const char *const families[] = {"ipv4", "ipv6"};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		char path[512];
		int r;

		(void)snprintf(path, sizeof(path), "%s/%s-%s.csv", directory, name, families[i]);
		r = file_read(path, 256 << 20, sb);
		if (r < 0)
			stop(path, strerror(-r));
	}
}

/* ---- the ASN data as MMDB, and the ranges to take addresses from ---- */

typedef struct Range {
	IpFamily family;
	IpKey first, last;
} Range;

static size_t write_mmdb(const StrBuf *csv, StrBuf *file, Range *ranges, size_t max)
{
	char *text = strdup(strbuf_text(csv)), *rest = text, *line;
	uint32_t *offsets = calloc(max, sizeof(*offsets));
	Intern networks;
	MmdbWriter w;
	size_t n = 0;

	if (!text || !offsets || intern_init(&networks) < 0)
		stop("memory", strerror(ENOMEM));
	mmdb_writer_init(&w, 6, 28, "Bench-ASN");
	while ((line = strsep(&rest, "\n")) && *line && n < max) {
		IpAddr first, last;
		uint32_t asn, number;

		if (ipaddr_parse(span_from_string(strsep(&line, ",")), &first) < 0 ||
			ipaddr_parse(span_from_string(strsep(&line, ",")), &last) < 0)
			stop("asn", "not an address");
		asn = (uint32_t)strtoul(strsep(&line, ","), NULL, 10);
		if (intern_add(&networks, &asn, sizeof(asn), &number) < 0)
			stop("memory", strerror(ENOMEM));
		if (!offsets[number])
			offsets[number] =
				1 + mmdb_writer_network(&w, asn, span_from_string(unquote(line)));
		ranges[n] = (Range){first.family, ipkey_from_addr(&first), ipkey_from_addr(&last)};
		mmdb_writer_range(
			&w, ranges[n].family, ranges[n].first, ranges[n].last, offsets[number] - 1);
		n++;
	}
	mmdb_writer_finish(&w, file);
	mmdb_writer_done(&w);
	intern_done(&networks);
	free(offsets);
	free(text);
	return n;
}

/* ---- addresses ---- */

static IpAddr random_v6(const Range *ranges, size_t count)
{
	IpAddr addr = {.family = IP_V6};
	const Range *range;
	uint64_t halves[2] = {0, random_u64()}, span;

	do
		range = &ranges[random_below((uint32_t)count)];
	while (range->family != IP_V6);
	span = range->last.hi - range->first.hi;
	halves[0] = htobe64(range->first.hi + (span ? random_u64() % span : 0));
	memcpy(addr.bytes, halves, sizeof(halves));
	return addr;
}

/*
 * Addresses of the public Internet: IPv4 anywhere, IPv6 (so many percent) in the networks that
 * are in use.
 */
static void make_queries(Query *queries, const Range *ranges, size_t count, unsigned percent)
{
	for (uint32_t i = 0; i < QUERIES; i++) {
		bool v6 = random_below(100) < percent;
		IpAddr addr;

		do {
			uint64_t random = random_u64();

			addr = (IpAddr){.family = IP_V4};
			memcpy(addr.bytes, &random, 4);
			if (v6)
				addr = random_v6(ranges, count);
		} while (ipaddr_special_name(&addr));
		queries[i].len = (uint8_t)ipaddr_format(&addr, queries[i].text);
	}
}

/* ---- both sides ---- */

static double ask_geodb(const GeoDb *db, const Query *queries, Sum *ret_sum)
{
	double start = cpu_seconds();
	Sum sum = {0};

	for (uint32_t i = 0; i < QUERIES; i++) {
		GeoRecord record;
		IpAddr addr;

		if (ipaddr_parse((Span){queries[i].text, queries[i].len}, &addr) < 0)
			abort();
		geodb_lookup(db, &addr, &record);
		sum.countries +=
			(uint8_t)record.country_code[0] * 256U + (uint8_t)record.country_code[1];
		sum.asns += record.asn;
		sum.text += record.organisation.len;
	}
	*ret_sum = sum;
	return QUERIES / (cpu_seconds() - start) / 1e6;
}

static bool get(MMDB_lookup_result_s *found, const char *key, MMDB_entry_data_s *ret_data)
{
	const char *path[] = {key, NULL};

	return found->found_entry &&
	       MMDB_aget_value(&found->entry, ret_data, path) == MMDB_SUCCESS && ret_data->has_data;
}

static double ask_libmaxminddb(
	const MMDB_s *country, const MMDB_s *asn, const Query *queries, Sum *ret_sum)
{
	double start = cpu_seconds();
	Sum sum = {0};

	for (uint32_t i = 0; i < QUERIES; i++) {
		union {
			struct sockaddr any;
			struct sockaddr_in v4;
			struct sockaddr_in6 v6;
		} address = {.any.sa_family = AF_INET};
		MMDB_lookup_result_s found;
		MMDB_entry_data_s data;
		int error;

		if (inet_pton(AF_INET, queries[i].text, &address.v4.sin_addr) != 1) {
			address.any.sa_family = AF_INET6;
			if (inet_pton(AF_INET6, queries[i].text, &address.v6.sin6_addr) != 1)
				abort();
		}
		found = MMDB_lookup_sockaddr(country, &address.any, &error);
		if (get(&found, "country_code", &data))
			sum.countries +=
				(uint8_t)data.utf8_string[0] * 256U + (uint8_t)data.utf8_string[1];
		found = MMDB_lookup_sockaddr(asn, &address.any, &error);
		if (get(&found, "autonomous_system_number", &data))
			sum.asns += data.uint32;
		if (get(&found, "autonomous_system_organization", &data))
			sum.text += data.data_size;
	}
	*ret_sum = sum;
	return QUERIES / (cpu_seconds() - start) / 1e6;
}

/* The image as other processes have it: saved and mapped. */
static GeoDb *open_image(const GeoDb *built, const GeoPaths *paths)
{
	double times[ROUNDS];
	GeoDb *db = NULL;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/tmp/bench-geodb.%d.image", (int)getpid());
	r = geodb_save(built, path);
	if (r < 0)
		stop(path, strerror(-r));
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct timespec start, end;
		Why why;

		geodb_free(db);
		(void)clock_gettime(CLOCK_MONOTONIC, &start);
		if (geodb_load(path, paths, &geo_csv_text, &db, &why))
			stop("image", why.text);
		(void)clock_gettime(CLOCK_MONOTONIC, &end);
		times[i] = (double)(end.tv_sec - start.tv_sec) * 1e3 +
			   (double)(end.tv_nsec - start.tv_nsec) / 1e6;
	}
	(void)unlink(path);
	printf("%-14s %6.2f ms\n", "open", median(times));
	return db;
}

/* Seconds for the rows of the first addresses, with the place's ready-made text or without. */
static double write_rows(const GeoDb *db, const Query *queries, bool ready_made, StrBuf *sb)
{
	double start = cpu_seconds();
	Row row = {{SPAN_LITERAL("mx1"), SPAN_LITERAL("2026-11-22 12:05"), SPAN_MISSING,
		SPAN_LITERAL("contribute"), SPAN_LITERAL("mail.example.com"), SPAN_LITERAL("OK")}};

	strbuf_reset(sb);
	for (uint32_t i = 0; i < ROWS; i++) {
		GeoRecord place;
		IpAddr addr;
		char asn[11];

		row.field[COLUMN_IP] = (Span){queries[i].text, queries[i].len};
		if (ipaddr_parse(row.field[COLUMN_IP], &addr) < 0)
			abort();
		geodb_lookup(db, &addr, &place);
		if (ready_made) {
			csv_append_row_with_place(sb, &row, place.text);
			continue;
		}
		row.field[COLUMN_COUNTRY_CODE] =
			*place.country_code ? span_from_string(place.country_code) : SPAN_MISSING;
		row.field[COLUMN_ASN] = SPAN_MISSING;
		if (place.asn)
			row.field[COLUMN_ASN] =
				(Span){asn, (size_t)snprintf(asn, sizeof(asn), "%u", place.asn)};
		row.field[COLUMN_ASO] = place.organisation;
		csv_append_row(sb, &row);
	}
	return cpu_seconds() - start;
}

static void compare_rows(const GeoDb *db, const Query *queries)
{
	StrBuf with = STRBUF_INIT, without = STRBUF_INIT;
	double ready_made[ROUNDS], field_by_field[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		ready_made[i] = write_rows(db, queries, true, &with);
		field_by_field[i] = write_rows(db, queries, false, &without);
	}
	printf("%-14s %6.1f ms for %u, without the ready-made text %.1f ms%s\n", "rows",
		median(ready_made) * 1e3, ROWS, median(field_by_field) * 1e3,
		with.len != without.len || memcmp(with.data, without.data, with.len) != 0
			? "   THE ROWS DIFFER"
			: "");
	strbuf_done(&with);
	strbuf_done(&without);
}

static void open_mmdb(const char *path, MMDB_s *mmdb)
{
	int r = MMDB_open(path, MMDB_MODE_MMAP, mmdb);

	if (r != MMDB_SUCCESS)
		stop(path, MMDB_strerror(r));
}

static GeoDb *build(const char *country, const char *asn, double *ret_cpu_s)
{
	double times[ROUNDS];
	GeoDb *db = NULL;

	for (unsigned i = 0; i < ROUNDS; i++) {
		double start = cpu_seconds();
		Why why;

		geodb_free(db);
		if (geodb_build(&(GeoPaths){{country, asn}}, &geo_csv_text, &db, &why) < 0)
			stop("geodb", why.text);
		times[i] = cpu_seconds() - start;
	}
	*ret_cpu_s = median(times);
	return db;
}

static void compare_speed(const char *name, const GeoDb *db, const MMDB_s *country,
	const MMDB_s *asn, const Query *queries)
{
	double ours[ROUNDS], theirs[ROUNDS];
	Sum a, b;

	for (unsigned i = 0; i < ROUNDS; i++) {
		ours[i] = ask_geodb(db, queries, &a);
		theirs[i] = ask_libmaxminddb(country, asn, queries, &b);
	}
	printf("%-14s %6.1f M/s   libmaxminddb %5.2f M/s   %5.1f times as fast%s\n", name,
		median(ours), median(theirs), median(ours) / median(theirs),
		memcmp(&a, &b, sizeof(a)) ? "   THE ANSWERS DIFFER" : "");
}

int main(void)
{
	_cleanup_free_ char *directory = test_data_directory();
	static const struct {
		const char *name;
		unsigned percent;
	} mixes[] = {{"IPv4", 0}, {"IPv6", 100}, {"9 of 10 IPv4", 10}};
	StrBuf country_csv = STRBUF_INIT, asn_csv = STRBUF_INIT, asn_mmdb = STRBUF_INIT;
	char country[64], asn[64], path[512];
	size_t range_count = 0, max = 1;
	MMDB_s mmdb_country, mmdb_asn;
	Query *queries = calloc(QUERIES, sizeof(*queries));
	Range *ranges;
	GeoCounts counts;
	double cpu_s;
	GeoDb *db, *built;

	if (!directory)
		stop("the data is not there", "test/fetch-data gets it");
	random_start();
	read_csv(directory, "geo-whois-asn-country", &country_csv);
	read_csv(directory, "asn", &asn_csv);
	for (size_t i = 0; i < asn_csv.len; i++)
		max += asn_csv.data[i] == '\n';
	ranges = calloc(max, sizeof(*ranges));
	if (!queries || !ranges)
		stop("memory", strerror(ENOMEM));
	range_count = write_mmdb(&asn_csv, &asn_mmdb, ranges, max);

	(void)memory_file((Span){country_csv.data, country_csv.len}, country);
	(void)memory_file((Span){asn_csv.data, asn_csv.len}, asn);
	built = build(country, asn, &cpu_s);
	geodb_counts(built, &counts);
	printf("%-14s %6.2f s CPU of %llu rows from CSV\n", "build", cpu_s,
		(unsigned long long)counts.rows);
	printf("%-14s %6.2f MB, %llu + %llu stretches\n", "size", (double)counts.size_bytes / 1e6,
		(unsigned long long)counts.segments_v4, (unsigned long long)counts.segments_v6);

	db = open_image(built, &(GeoPaths){{country, asn}});
	geodb_free(built);

	(void)snprintf(path, sizeof(path), "%s/geo-whois-asn-country.mmdb", directory);
	open_mmdb(path, &mmdb_country);
	(void)memory_file((Span){asn_mmdb.data, asn_mmdb.len}, asn);
	open_mmdb(asn, &mmdb_asn);
	for (size_t i = 0; i < ARRAY_SIZE(mixes); i++) {
		make_queries(queries, ranges, range_count, mixes[i].percent);
		compare_speed(mixes[i].name, db, &mmdb_country, &mmdb_asn, queries);
	}
	compare_rows(db, queries);
	geodb_free(db);
	built = build(path, asn, &cpu_s);
	printf("%-14s %6.2f s CPU from MMDB\n", "build", cpu_s);
	geodb_free(built);
	MMDB_close(&mmdb_country);
	MMDB_close(&mmdb_asn);
	strbuf_done(&country_csv);
	strbuf_done(&asn_csv);
	strbuf_done(&asn_mmdb);
	free(ranges);
	free(queries);
	return 0;
}
