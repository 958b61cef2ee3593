/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The MMDB form of an IP database. Of the first byte, bit 7 says that the rest is the file; else it is changes to a sample
 * that the low bits choose (test/unit/geodb-sample.h), two bytes where and one byte what. Bit 6 makes it
 * the whole database, which takes its time. What is loaded knows of an IPv4 address what libmaxminddb knows.
 */

#include "fuzz.h"

#include <maxminddb.h>
#include <netinet/in.h>

#include "../unit/geodb-sample.h"
#include "enrich/geodb-mmdb.h"

#define MMDB_FORMS (SAMPLE_FORMS - 2)

/* The country that the library itself finds, "" for none; false: it says something else than two letters. */
static bool find_country(const MMDB_s *mmdb, uint32_t address, char ret_code[3])
{
	const struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htobe32(address)};
	MMDB_entry_data_s value = {0};
	MMDB_lookup_result_s result;
	int error;

	ret_code[0] = '\0';
	result = MMDB_lookup_sockaddr(mmdb, (const struct sockaddr *)&in, &error);
	HOLDS(error == MMDB_SUCCESS);
	if (!result.found_entry)
		return true;
	(void)MMDB_get_value(&result.entry, &value, "country_code", NULL);
	if (!value.has_data)
		(void)MMDB_get_value(&result.entry, &value, "country", "iso_code", NULL);
	if (!value.has_data || !value.data_size)
		return true;
	if (value.type != MMDB_DATA_TYPE_UTF8_STRING || value.data_size != 2)
		return false;
	for (int i = 0; i < 2; i++)
		ret_code[i] = (char)(value.utf8_string[i] & ~0x20);
	ret_code[2] = '\0';
	if (!strcmp(ret_code, "ZZ"))
		ret_code[0] = '\0';
	return true;
}

/* The country that the ranges say. */
static void find_range(const GeoRows *rows, uint32_t address, char ret_code[3])
{
	ret_code[0] = '\0';
	for (size_t i = 0; i < rows->v4.count; i++)
		if (rows->v4.items[i].first.lo <= address && address <= rows->v4.items[i].last.lo)
			geo_country_code(rows->v4.items[i].value, ret_code);
}

/* In, at the edges of and between the sample's networks. */
static uint32_t probe(uint32_t i)
{
	return ((4 + i / 4) << 24) + (i % 4 == 3 ? 301 : 150 * (i % 4));
}

static void check_rows(GeoRows *rows, const MMDB_s *mmdb)
{
	HOLDS(rows->rows && !rows->rejected);
	HOLDS(!ipsegments_flatten(&rows->v4) && !ipsegments_flatten(&rows->v6));
	for (uint32_t i = 0; i < 64 && rows->kind == GEO_COUNTRY; i++) {
		char code[3], expected[3];

		find_range(rows, probe(i), code);
		HOLDS(find_country(mmdb, probe(i), expected) && !strcmp(code, expected));
	}
}

static void check_database(const GeoDb *db, const MMDB_s *mmdb, int kind)
{
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t at = probe(i);
		IpAddr addr = {.family = IP_V4,
			.bytes = {at >> 24, at >> 16 & 255, at >> 8 & 255, at & 255}};
		GeoRecord record;
		char code[3];

		geodb_lookup(db, &addr, &record);
		if (ipaddr_special_name(&addr))
			HOLDS(!record.country_code[0] && !record.asn && !record.organisation.data);
		else if (kind == COUNTRY)
			HOLDS(find_country(mmdb, at, code) && !strcmp(code, record.country_code));
		HOLDS(record.organisation.len <= GEO_ORGANISATION_MAX);
	}
}

FUZZ_TARGET(mmdb)
{
	static StrBuf samples[MMDB_FORMS * 2];
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	_cleanup_close_ int fd = -1;
	FuzzInput input = {data, size};
	unsigned choice = (unsigned)fuzz_take(&input, 1);
	unsigned form = (choice & 63) % ARRAY_SIZE(samples);
	int kind = form & 1 ? ASN : COUNTRY, r;
	GeoRows rows;
	MMDB_s mmdb;
	char path[64];
	Why why = {0};

	if (choice & 128) {
		strbuf_append_span(&file, fuzz_rest(&input));
	} else {
		if (!samples[form].len)
			write_form(&samples[form], 2 + form % MMDB_FORMS,
				form < MMDB_FORMS ? MMDB_NESTED : MMDB_FLAT);
		strbuf_append(&file, samples[form].data, samples[form].len);
		while (input.size >= 3) {
			size_t at = (size_t)fuzz_take(&input, 2);

			file.data[at % file.len] = (char)fuzz_take(&input, 1);
		}
	}
	fd = memory_file((Span){strbuf_text(&file), file.len}, path);
	if (geodb_mmdb_recognise(fd, (off_t)file.len) <= 0)
		return 0;
	HOLDS(!geo_rows_init(&rows, kind == ASN ? GEO_ASN : GEO_COUNTRY));
	r = geodb_mmdb_read(fd, (off_t)file.len, &rows, &why);
	HOLDS(!r || (r == -EBADMSG && why.text[0]));
	if (!r) {
		HOLDS(MMDB_open(path, MMDB_MODE_MMAP, &mmdb) == MMDB_SUCCESS);
		check_rows(&rows, &mmdb);
		if (choice & 64) {
			GeoPaths paths = {{NULL}};

			paths.path[kind] = path;
			HOLDS(!geodb_build(&paths, &geo_csv_text, &db, &why));
			check_database(db, &mmdb, kind);
		}
		MMDB_close(&mmdb);
	}
	geo_rows_done(&rows);
	return 0;
}
