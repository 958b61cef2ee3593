/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The CSV form of an IP database: bit 0 of the first byte chooses countries or ASNs, bit 1 makes it the whole database,
 * which takes its time; the rest is the file. What a file says holds as well when it says it twice.
 */

#include "fuzz.h"

#include "../unit/geodb-tools.h"
#include "enrich/geodb-csv.h"
#include "enrich/mmdb-check.h"

#define PROBES_MAX 64

/* The addresses that the lines begin with, and the second ones. */
static size_t find_probes(Span file, IpAddr probes[PROBES_MAX])
{
	const char *p = file.data, *end = file.data + file.len;
	size_t count = 0;

	while (p < end && count < PROBES_MAX) {
		size_t n = 0;

		while (p + n < end && p[n] != ',' && p[n] != '\n' && p[n] != '"')
			n++;
		count += !ipaddr_parse((Span){p, n}, &probes[count]);
		p += n + 1;
	}
	return count;
}

static void check_record(const GeoRecord *record, const IpAddr *addr, int kind)
{
	const char *code = record->country_code;

	HOLDS(!*code ||
		(code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z' && !code[2]));
	HOLDS(kind == ASN ? !*code : !record->asn && !record->organisation.data);
	HOLDS(record->organisation.len <= GEO_ORGANISATION_MAX);
	HOLDS(!record->organisation.data || (record->organisation.len && record->asn));
	if (ipaddr_special_name(addr))
		HOLDS(!*code && !record->asn && !record->organisation.data);
}

static int read_rows(Span file, int kind, GeoRows *rows)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	Why why = {0};
	int r;

	HOLDS(!geo_rows_init(rows, kind == ASN ? GEO_ASN : GEO_COUNTRY));
	fd = memory_file(file, path);
	HOLDS(!lseek(fd, 0, SEEK_SET));
	r = geodb_csv_read(fd, rows, &why);
	HOLDS(r ? r == -EBADMSG && why.text[0] : rows->rows);
	if (!r)
		HOLDS(!ipsegments_flatten(&rows->v4) && !ipsegments_flatten(&rows->v6));
	return r;
}

static void check_same(const IpSegments *a, const IpSegments *b)
{
	HOLDS(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		const IpSegment *x = &a->items[i], *y = &b->items[i];

		HOLDS(ipkey_equal(x->first, y->first) && ipkey_equal(x->last, y->last));
		HOLDS(x->value == y->value && x->value && !ipkey_less(x->last, x->first));
		HOLDS(!i || ipkey_less(a->items[i - 1].last, x->first));
	}
}

static void check_database(Span file, int kind)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	IpAddr probes[PROBES_MAX];
	GeoCounts counts;
	char path[64];
	Why why = {0};
	size_t count;

	HOLDS(!open_database(file, kind, &db, path, &why));
	geodb_counts(db, &counts);
	HOLDS(counts.rows && counts.rejected * 1000 <= counts.rows + counts.rejected);
	count = find_probes(file, probes);
	for (size_t i = 0; i < count; i++) {
		GeoRecord record;

		geodb_lookup(db, &probes[i], &record);
		check_record(&record, &probes[i], kind);
	}
}

FUZZ_TARGET(geocsv)
{
	_cleanup_strbuf_ StrBuf doubled = STRBUF_INIT;
	FuzzInput input = {data, size};
	unsigned choice = (unsigned)fuzz_take(&input, 1);
	int kind = choice & 1 ? ASN : COUNTRY;
	Span file = fuzz_rest(&input);
	GeoRows once, twice;

	if (!read_rows(file, kind, &once)) {
		strbuf_append_span(&doubled, file);
		strbuf_append_span(&doubled, file);
		/* with a header, or without an end, it is no file any more */
		if (!read_rows((Span){strbuf_text(&doubled), doubled.len}, kind, &twice)) {
			check_same(&once.v4, &twice.v4);
			check_same(&once.v6, &twice.v6);
		}
		geo_rows_done(&twice);
		if (choice & 2 && !memmem(file.data, file.len, MMDB_MARK, strlen(MMDB_MARK)))
			check_database(file, kind);
	}
	geo_rows_done(&once);
	return 0;
}
