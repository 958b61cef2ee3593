/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * run: timeout=180
 *
 * The databases that test/fetch-data brings, read by lib/enrich and by a reader of this test's
 * own that knows nothing of it: each border of each range, the addresses beside it, and a million
 * random ones must have the same answer. The reference paints the rows in the order of the file
 * over the sorted addresses; for some addresses all rows are gone through.
 */
#include <endian.h>
#include <fcntl.h>

#include "enrich/intern.h"
#include "geodb-tools.h"
#include "mmdb-writer.h"
#include "scratch.h"
#include "tap.h"

static bool small; /* under valgrind: the start of each file, and fewer addresses */

/* ---- the reference ---- */

typedef struct Truth {
	uint8_t family;
	uint64_t first[2], last[2]; /* upper and lower half */
	uint32_t asn;
	char code[3];
	const char *organisation;
} Truth;

typedef struct Point {
	uint64_t at[2];
	uint8_t family;
	int32_t row; /* the last one that holds it; -1: none */
} Point;

typedef struct Reference {
	StrBuf text; /* the file; the rows point into it */
	Truth *rows;
	size_t row_count;
	Point *points;
	size_t point_count, point_size;
} Reference;

static void reference_done(Reference *ref)
{
	strbuf_done(&ref->text);
	free(ref->rows);
	free(ref->points);
}

static int compare(const uint64_t a[2], const uint64_t b[2])
{
	if (a[0] != b[0])
		return a[0] < b[0] ? -1 : 1;
	return a[1] == b[1] ? 0 : a[1] < b[1] ? -1 : 1;
}

static void read_address(const char *text, uint8_t *family, uint64_t ret[2])
{
	IpAddr addr;

	if (ipaddr_parse(span_from_string(text), &addr) < 0)
		abort();
	*family = addr.family;
	memcpy(&ret[0], addr.bytes, 8);
	memcpy(&ret[1], addr.bytes + 8, 8);
	ret[0] = be64toh(ret[0]);
	ret[1] = be64toh(ret[1]);
}

static void read_rows(Reference *ref, int kind)
{
	char *rest = strdup(strbuf_text(&ref->text)), *line;
	size_t size = 1;

	/* the text is cut up; the file that the database reads is made before */
	for (const char *p = rest; *p; p++)
		size += *p == '\n';
	ref->rows = calloc(size, sizeof(*ref->rows));
	if (!rest || !ref->rows)
		abort();
	strbuf_reset(&ref->text);
	strbuf_append_string(&ref->text, rest);
	free(rest);
	rest = ref->text.data;
	while ((line = strsep(&rest, "\n")) && *line) {
		Truth *row = &ref->rows[ref->row_count++];
		const char *first = strsep(&line, ","), *last = strsep(&line, ",");

		read_address(first, &row->family, row->first);
		read_address(last, &row->family, row->last);
		row->organisation = "";
		if (kind == COUNTRY) {
			memcpy(row->code, line, 2);
		} else {
			row->asn = (uint32_t)strtoul(strsep(&line, ","), NULL, 10);
			row->organisation = unquote(line);
		}
	}
}

static void add_point(Reference *ref, uint8_t family, const uint64_t at[2])
{
	if (ref->point_count == ref->point_size) {
		ref->point_size = ref->point_size ? ref->point_size * 2 : 65536;
		ref->points = reallocarray(ref->points, ref->point_size, sizeof(*ref->points));
		if (!ref->points)
			abort();
	}
	ref->points[ref->point_count++] = (Point){{at[0], at[1]}, family, -1};
}

/* The address before, itself and the one after; IPv4 is the upper half of at[0]. */
static void add_neighbours(Reference *ref, uint8_t family, const uint64_t at[2])
{
	const uint64_t one = 1ULL << 32, v4_max = (uint64_t)UINT32_MAX << 32;

	add_point(ref, family, at);
	if (family == IP_V4) {
		if (at[0])
			add_point(ref, family, (const uint64_t[2]){at[0] - one, 0});
		if (at[0] != v4_max)
			add_point(ref, family, (const uint64_t[2]){at[0] + one, 0});
		return;
	}
	if (at[0] || at[1])
		add_point(ref, family, (const uint64_t[2]){at[0] - !at[1], at[1] - 1});
	if (~at[0] || ~at[1])
		add_point(ref, family, (const uint64_t[2]){at[0] + !~at[1], at[1] + 1});
}

static void add_random(Reference *ref, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const Truth *row = &ref->rows[random_below((uint32_t)ref->row_count)];
		uint64_t at[2] = {random_u64(), random_u64()};

		switch (i % 4) {
		case 0: /* anywhere in 2000::/3 */
			at[0] = (at[0] >> 3) | 1ULL << 61;
			add_point(ref, IP_V6, at);
			break;
		case 1: /* near a row */
			if (row->family == IP_V6) {
				at[0] = row->first[0] ^ (at[0] & ((1ULL << random_below(48)) - 1));
				add_point(ref, IP_V6, at);
				break;
			} /* fall through */
		default: add_point(ref, IP_V4, (const uint64_t[2]){at[0] >> 32 << 32, 0});
		}
	}
}

static int compare_points(const void *a, const void *b)
{
	const Point *x = a, *y = b;

	return x->family == y->family ? compare(x->at, y->at) : x->family - y->family;
}

/* The first point that is not below the address (or above it, if after). */
static size_t find_point(const Reference *ref, uint8_t family, const uint64_t at[2], bool after)
{
	const Point wanted = {{at[0], at[1]}, family, 0};
	size_t low = 0, high = ref->point_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_points(&ref->points[middle], &wanted);

		if (order < 0 || (after && !order))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void paint(Reference *ref)
{
	for (size_t i = 0; i < ref->row_count; i++) {
		const Truth *row = &ref->rows[i];
		size_t p = find_point(ref, row->family, row->first, false);
		size_t end = find_point(ref, row->family, row->last, true);

		for (; p < end; p++)
			ref->points[p].row = (int32_t)i;
	}
}

/* The plainest search there is. */
static int32_t search_all_rows(const Reference *ref, const Point *point)
{
	for (size_t i = ref->row_count; i--;) {
		const Truth *row = &ref->rows[i];

		if (row->family == point->family && compare(row->first, point->at) <= 0 &&
			compare(point->at, row->last) <= 0)
			return (int32_t)i;
	}
	return -1;
}

static void reference_read(Reference *ref, int kind, uint32_t random_count)
{
	size_t kept = 0;

	read_rows(ref, kind);
	for (size_t i = 0; i < ref->row_count; i++) {
		add_neighbours(ref, ref->rows[i].family, ref->rows[i].first);
		add_neighbours(ref, ref->rows[i].family, ref->rows[i].last);
	}
	add_random(ref, random_count);
	qsort(ref->points, ref->point_count, sizeof(*ref->points), compare_points);
	for (size_t i = 0; i < ref->point_count; i++)
		if (!kept || compare_points(&ref->points[kept - 1], &ref->points[i]) != 0)
			ref->points[kept++] = ref->points[i];
	ref->point_count = kept;
	paint(ref);
}

/* ---- comparing ---- */

static IpAddr address_of(const Point *point)
{
	IpAddr addr = {.family = point->family};
	uint64_t halves[2] = {htobe64(point->at[0]), htobe64(point->at[1])};

	memcpy(addr.bytes, halves, point->family == IP_V4 ? 4 : 16);
	return addr;
}

static bool answer_is_right(const Reference *ref, const GeoDb *db, const Point *point)
{
	const Truth nothing = {.organisation = ""}, *row = &nothing;
	IpAddr addr = address_of(point);
	char text[IP_TEXT_MAX];
	GeoRecord record;

	if (point->row >= 0 && !ipaddr_special_name(&addr))
		row = &ref->rows[point->row];
	geodb_lookup(db, &addr, &record);
	if (!strcmp(record.country_code, row->code) && record.asn == row->asn &&
		record.organisation.len == strlen(row->organisation) &&
		(!record.organisation.len || !memcmp(record.organisation.data, row->organisation,
						     record.organisation.len)))
		return true;
	(void)ipaddr_format(&addr, text);
	tap_note("%s is '%s' %u '%.*s', not '%s' %u '%s'", text, record.country_code, record.asn,
		(int)record.organisation.len,
		record.organisation.data ? record.organisation.data : "", row->code, row->asn,
		row->organisation);
	return false;
}

static void compare_database(const Reference *ref, const GeoDb *db, const char *name)
{
	size_t wrong = 0;

	for (size_t i = 0; i < ref->point_count && wrong < 20; i++)
		wrong += !answer_is_right(ref, db, &ref->points[i]);
	tap_ok(!wrong && ref->point_count, "%s: %zu addresses", name, ref->point_count);
}

/* The painted answers themselves, at some points. */
static void compare_linear(const Reference *ref, const char *name, uint32_t count)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < count; i++) {
		const Point *point = &ref->points[random_below((uint32_t)ref->point_count)];

		wrong += search_all_rows(ref, point) != point->row;
	}
	tap_ok(!wrong, "%s: the reference is that of a search through all rows, %u times", name,
		count);
}

/* ---- the files ---- */

/* Appends a file, or as much of its start as small allows, up to a line's end. */
static void append_file(StrBuf *sb, const char *directory, const char *name)
{
	_cleanup_free_ char *path = file_join_dup(directory, name);
	size_t start = sb->len;
	int r = path ? file_read(path, 256 << 20, sb) : -ENOMEM;

	if (r < 0) {
		tap_note("%s: %s", name, strerror(-r));
		return;
	}
	if (small && sb->len - start > 300000) {
		sb->len = start + 300000;
		while (sb->len > start && sb->data[sb->len - 1] != '\n')
			sb->len--;
		sb->data[sb->len] = '\0';
	}
}

static GeoDb *open_noted(const char *name, Span content, int kind)
{
	double start = cpu_seconds();
	GeoDb *db = NULL;
	GeoCounts counts;
	char path[64];
	Why why = {0};

	if (open_database(content, kind, &db, path, &why) < 0) {
		tap_ok(false, "%s: %s", name, why.text);
		return NULL;
	}
	geodb_counts(db, &counts);
	tap_note("%s: %llu rows, %llu + %llu stretches, %zu bytes, %.2f s", name,
		(unsigned long long)counts.rows, (unsigned long long)counts.segments_v4,
		(unsigned long long)counts.segments_v6, counts.size_bytes, cpu_seconds() - start);
	tap_ok(!counts.rejected, "%s: all rows are understood", name);
	return db;
}

/*
 * Two databases that agree at each border of the one and beside it, and have equally many
 * stretches, agree everywhere: the other has all of these borders, and no more.
 */
static void compare_stretches(const GeoDb *a, const GeoDb *b, const char *name)
{
	GeoCounts x, y;

	geodb_counts(a, &x);
	geodb_counts(b, &y);
	tap_ok(x.segments_v4 == y.segments_v4 && x.segments_v6 == y.segments_v6,
		"%s: as many stretches as in the CSV", name);
}

/* The same answers once more, from the image that the next process maps. */
static void test_image(const Reference *ref, const char *name, Span content, int kind)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL, *loaded = NULL;
	char path[64], title[128];
	_cleanup_close_ int fd = memory_file(content, path);
	GeoPaths paths = {{NULL}};
	Why why = {0};

	paths.path[kind] = path;
	(void)snprintf(title, sizeof(title), "%s, from its image", name);
	if (geodb_build(&paths, &geo_csv_text, &db, &why) || geodb_save(db, "ip.image") ||
		geodb_load("ip.image", &paths, &geo_csv_text, &loaded, &why))
		tap_ok(false, "%s: %s", title, why.text);
	else
		compare_database(ref, loaded, title);
}

/* One more file of the same data. */
static void test_same_data(
	const Reference *ref, const GeoDb *db, const char *name, Span content, int kind)
{
	_cleanup_(geodb_freep) GeoDb *other = open_noted(name, content, kind);

	if (!other)
		return;
	compare_database(ref, other, name);
	compare_stretches(db, other, name);
}

/* As MMDB, written by the test: the registry has none of ASNs. */
static void test_written_mmdb(const Reference *ref, const GeoDb *db)
{
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	_cleanup_free_ uint32_t *offsets = calloc(ref->row_count, sizeof(*offsets));
	Intern networks;
	MmdbWriter w;

	if (!offsets || intern_init(&networks) < 0)
		abort();
	mmdb_writer_init(&w, 6, 28, "Test-ASN");
	for (size_t i = 0; i < ref->row_count; i++) {
		const Truth *row = &ref->rows[i];
		uint32_t number;
		IpKey first = {row->first[0], row->first[1]}, last = {row->last[0], row->last[1]};

		if (row->family == IP_V4) {
			first = (IpKey){0, first.hi >> 32};
			last = (IpKey){0, last.hi >> 32};
		}
		/* in this data an ASN has one organisation */
		if (intern_add(&networks, &row->asn, sizeof(row->asn), &number) < 0)
			abort();
		if (!offsets[number])
			offsets[number] = 1 + mmdb_writer_network(&w, row->asn,
						      span_from_string(row->organisation));
		mmdb_writer_range(&w, row->family, first, last, offsets[number] - 1);
	}
	intern_done(&networks);
	mmdb_writer_finish(&w, &file);
	mmdb_writer_done(&w);
	test_same_data(ref, db, "networks as MMDB", (Span){file.data, file.len}, ASN);
}

static void test_csv(
	const char *directory, const char *name, int kind, bool has_numbers, bool has_mmdb)
{
	_cleanup_(reference_done) Reference ref = {.text = STRBUF_INIT};
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	_cleanup_strbuf_ StrBuf other = STRBUF_INIT;
	char file[128];

	(void)snprintf(file, sizeof(file), "%s-ipv4.csv", name);
	append_file(&ref.text, directory, file);
	(void)snprintf(file, sizeof(file), "%s-ipv6.csv", name);
	append_file(&ref.text, directory, file);
	db = open_noted(name, (Span){strbuf_text(&ref.text), ref.text.len}, kind);
	if (!db)
		return;
	strbuf_append(&other, ref.text.data, ref.text.len);
	reference_read(&ref, kind, small ? 10000 : 1000000);
	compare_database(&ref, db, name);
	test_image(&ref, name, (Span){strbuf_text(&other), other.len}, kind);
	strbuf_reset(&other);
	compare_linear(&ref, name, small ? 100 : 1500);
	if (has_numbers && !small) {
		(void)snprintf(file, sizeof(file), "%s-ipv4-num.csv", name);
		append_file(&other, directory, file);
		(void)snprintf(file, sizeof(file), "%s-ipv6-num.csv", name);
		append_file(&other, directory, file);
		test_same_data(&ref, db, "in decimal numbers",
			(Span){strbuf_text(&other), other.len}, kind);
	}
	if (kind == ASN)
		test_written_mmdb(&ref, db);
	if (has_mmdb && !small) {
		strbuf_reset(&other);
		(void)snprintf(file, sizeof(file), "%s.mmdb", name);
		append_file(&other, directory, file);
		test_same_data(&ref, db, "as MMDB", (Span){strbuf_text(&other), other.len}, kind);
	}
}

int main(void)
{
	_cleanup_free_ char *directory = test_data_directory();

	if (!directory) {
		printf("1..0 # SKIP no test data (test/fetch-data gets it)\n");
		return 0;
	}
	small = getenv("MLS_TEST_SMALL") != NULL;
	random_start();
	scratch_enter();
	test_csv(directory, "asn", ASN, true, false);
	test_csv(directory, "asn-country", COUNTRY, false, false);
	test_csv(directory, "geo-whois-asn-country", COUNTRY, true, true);
	return tap_done();
}
