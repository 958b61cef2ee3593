/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The CSV form of an IP database: the first byte chooses countries or ASNs, the rest is the file. What a file says
 * holds as well when it says it twice.
 */

#include "fuzz.h"

#include "../unit/geodb-tools.h"

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

static bool same_record(const GeoRecord *a, const GeoRecord *b)
{
	return !strcmp(a->country_code, b->country_code) && a->asn == b->asn &&
	       span_equal(a->organisation, b->organisation);
}

static void check_record(const GeoRecord *record, const IpAddr *addr, int kind)
{
	const char *code = record->country_code;

	HOLDS(!*code ||
		(code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z' && !code[2]));
	HOLDS(kind == ASN ? !*code : !record->asn && !record->organisation.data);
	HOLDS(record->organisation.len <= 255);
	HOLDS(!record->organisation.data || (record->organisation.len && record->asn));
	if (ipaddr_special_name(addr))
		HOLDS(!*code && !record->asn && !record->organisation.data);
}

FUZZ_TARGET(geocsv)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL, *twice = NULL;
	_cleanup_strbuf_ StrBuf doubled = STRBUF_INIT;
	FuzzInput input = {data, size};
	int kind = fuzz_take(&input, 1) & 1 ? ASN : COUNTRY, r;
	Span file = fuzz_rest(&input);
	IpAddr probes[PROBES_MAX];
	GeoCounts counts;
	char path[64];
	Why why = {0};
	size_t count;

	r = open_database(file, kind, &db, path, &why);
	if (r) {
		HOLDS(r == -EBADMSG && why.text[0]);
		return 0;
	}
	geodb_counts(db, &counts);
	HOLDS(counts.rows && counts.rejected * 1000 <= counts.rows + counts.rejected);
	strbuf_append_span(&doubled, file);
	strbuf_append_span(&doubled, file);
	r = open_database((Span){strbuf_text(&doubled), doubled.len}, kind, &twice, path, &why);
	count = find_probes(file, probes);
	for (size_t i = 0; i < count; i++) {
		GeoRecord once, again;

		geodb_lookup(db, &probes[i], &once);
		check_record(&once, &probes[i], kind);
		if (r) /* it had a header, or no end */
			continue;
		geodb_lookup(twice, &probes[i], &again);
		HOLDS(same_record(&once, &again));
	}
	return 0;
}
