/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The MMDB form of an IP database: the first byte chooses a sample (test/unit/geodb-sample.h), the rest are changes to it,
 * two bytes where and one byte what; or, with its highest bit, the rest is the file. What is loaded knows
 * of an IPv4 address what libmaxminddb knows.
 */

#include "fuzz.h"

#include <maxminddb.h>
#include <netinet/in.h>

#include "../unit/geodb-sample.h"

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

static void check_answers(const GeoDb *db, Span file, int kind)
{
	_cleanup_close_ int fd = -1;
	char path[64], code[3];
	MMDB_s mmdb;

	fd = memory_file(file, path);
	HOLDS(MMDB_open(path, MMDB_MODE_MMAP, &mmdb) == MMDB_SUCCESS);
	for (uint32_t i = 0; i < 64; i++) {
		/* in, at the edges of and between the sample's networks */
		uint32_t at = ((4 + i / 4) << 24) + (i % 4 == 3 ? 301 : 150 * (i % 4));
		IpAddr addr = {.family = IP_V4,
			.bytes = {at >> 24, at >> 16 & 255, at >> 8 & 255, at & 255}};
		GeoRecord record;

		geodb_lookup(db, &addr, &record);
		if (ipaddr_special_name(&addr))
			HOLDS(!record.country_code[0] && !record.asn && !record.organisation.data);
		else if (kind == COUNTRY)
			HOLDS(find_country(&mmdb, at, code) && !strcmp(code, record.country_code));
		HOLDS(record.organisation.len <= 255);
	}
	MMDB_close(&mmdb);
}

FUZZ_TARGET(mmdb)
{
	static StrBuf samples[MMDB_FORMS * 2];
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	FuzzInput input = {data, size};
	unsigned choice = (unsigned)fuzz_take(&input, 1);
	unsigned form = (choice & 127) % ARRAY_SIZE(samples);
	int kind = form & 1 ? ASN : COUNTRY, r;
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
	r = open_database((Span){strbuf_text(&file), file.len}, kind, &db, path, &why);
	if (r)
		HOLDS(r == -EBADMSG && why.text[0]);
	else if (memmem(file.data, file.len, "\xab\xcd\xefMaxMind.com", 14)) /* else a CSV */
		check_answers(db, (Span){file.data, file.len}, kind);
	return 0;
}
