/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "geodb-sample.h"
#include "geodb-tools.h"
#include "tap.h"

static IpKey key_of(const char *text, IpFamily *ret_family)
{
	IpAddr addr;

	if (ipaddr_parse(span_from_string(text), &addr) < 0)
		abort();
	*ret_family = addr.family;
	return ipkey_from_addr(&addr);
}

static void put_range(MmdbWriter *w, const char *first, const char *last, uint32_t offset)
{
	IpFamily family;
	IpKey from = key_of(first, &family), to = key_of(last, &family);

	mmdb_writer_range(w, family, from, to, offset);
}

/* Finishes the file, opens it and compares the answers; ends the writer. */
static bool database_says(MmdbWriter *w, int kind, const char *expected)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	char path[64];
	Why why = {0};

	mmdb_writer_finish(w, &file);
	mmdb_writer_done(w);
	if (open_database((Span){file.data, file.len}, kind, &db, path, &why) < 0) {
		tap_note("%s", why.text);
		return false;
	}
	return answers_are(db, expected);
}

/* ---- what must be read ---- */

static void test_forms(void)
{
	static const unsigned sizes[] = {24, 28, 32}, versions[] = {4, 6};

	for (size_t i = 0; i < 12; i++) {
		unsigned version = versions[i / 6], size = sizes[i % 3];
		MmdbStyle style = i / 3 % 2 ? MMDB_NESTED : MMDB_FLAT;
		const char *style_name = style == MMDB_FLAT ? "flat" : "nested";
		MmdbWriter w;

		mmdb_writer_init(&w, version, size, "Test-Country");
		put_range(&w, "8.0.0.0", "8.255.255.255", mmdb_writer_country(&w, style, "US"));
		put_range(&w, "8.8.8.3", "8.8.9.17", mmdb_writer_country(&w, style, "DE"));
		put_range(&w, "192.0.0.0", "192.255.255.255", mmdb_writer_country(&w, style, "fr"));
		if (version == 6)
			put_range(&w, "2a00::5",
				"2a00:0:0:7::", mmdb_writer_country(&w, style, "JP"));
		tap_ok(database_says(&w, COUNTRY,
			       version == 4 ? "7.255.255.255=|8.0.0.0=US|8.8.8.2=US|8.8.8.3=DE|8.8."
					      "9.17=DE|"
					      "8.8.9.18=US|8.255.255.255=US|9.0.0.0=|192.168.0.1=|"
					      "192.167.0.1=FR|2a00::5=|::808:808="
					    : "7.255.255.255=|8.0.0.0=US|8.8.8.2=US|8.8.8.3=DE|8.8."
					      "9.17=DE|"
					      "8.8.9.18=US|9.0.0.0=|192.168.0.1=|192.167.0.1=FR|"
					      "2a00::4=|"
					      "2a00::5=JP|2a00:0:0:6:ffff::=JP|2a00:0:0:7::=JP|"
					      "2a00:0:0:7::1="),
			"countries, %u-bit records, IPv%u tree, %s", size, version, style_name);

		mmdb_writer_init(&w, version, size, "Test-ASN");
		put_range(&w, "8.8.8.0", "8.8.8.255",
			mmdb_writer_network(
				&w, 15169, SPAN_LITERAL("Google \"LLC\", Caf\xc3\xa9")));
		put_range(&w, "8.8.9.0", "8.8.9.0",
			mmdb_writer_network(&w, 4294967294, SPAN_LITERAL("")));
		tap_ok(database_says(&w, ASN,
			       "8.8.7.255=|8.8.8.0=15169 Google \"LLC\", "
			       "Caf\xc3\xa9|8.8.9.0=4294967294|8.8.9.1="),
			"networks, %u-bit records, IPv%u tree", size, version);
	}
}

/* In the first 2^24 bytes of data nothing, so that records need more than 24 bits. */
static void test_wide_records(void)
{
	static char nothing[17 << 20];

	for (unsigned size = 28; size <= 32; size += 4) {
		MmdbWriter w;

		mmdb_writer_init(&w, 4, size, "Test-Country");
		mmdb_put_control(&w.data, 4, 16777215);
		strbuf_append(&w.data, nothing, 16777215);
		put_range(&w, "8.0.0.0", "8.255.255.255", mmdb_writer_country(&w, MMDB_FLAT, "US"));
		put_range(
			&w, "9.128.0.0", "9.255.255.255", mmdb_writer_country(&w, MMDB_FLAT, "DE"));
		tap_ok(database_says(&w, COUNTRY, "8.0.0.0=US|9.0.0.0=|9.128.0.0=DE|10.0.0.0="),
			"records above 24 bits in %u", size);
	}
}

static void test_trees(void)
{
	MmdbWriter w;
	uint32_t us;

	mmdb_writer_init(&w, 6, 24, "Test-Country");
	us = mmdb_writer_country(&w, MMDB_NESTED, "US");
	put_range(&w, "8.0.0.0", "8.255.255.255", us);
	put_range(&w, "2a00::", "2a00::ff", us);
	mmdb_writer_alias(&w, (IpKey){0, 0xffff00000000}, 96);
	mmdb_writer_alias(&w, (IpKey){0x2001000000000000, 0}, 32);
	mmdb_writer_alias(&w, (IpKey){0x2002000000000000, 0}, 16);
	mmdb_writer_alias(&w, (IpKey){0x0064ff9b00000000, 0}, 96);
	tap_ok(database_says(&w, COUNTRY,
		       "8.8.8.8=US|::ffff:8.8.8.8=US|2002:808:808::=|2001:0:808:808::=|"
		       "64:ff9b::808:808=|2a00::7=US"),
		"aliases of the IPv4 part are not followed");

	mmdb_writer_init(&w, 6, 24, "Test-Country");
	us = mmdb_writer_country(&w, MMDB_FLAT, "US");
	mmdb_writer_put(&w, IPKEY_ZERO, 4, (MmdbRecord){MMDB_DATA, us});
	tap_ok(database_says(&w, COUNTRY, "1.1.1.1=US|223.1.1.1=US|fff:ffff::=US|1000::=|::8=US"),
		"a record that holds all of IPv4 and more");

	mmdb_writer_init(&w, 6, 24, "Test-Country");
	us = mmdb_writer_country(&w, MMDB_FLAT, "US");
	mmdb_writer_put(&w, IPKEY_ZERO, 96, (MmdbRecord){MMDB_DATA, us});
	tap_ok(database_says(&w, COUNTRY, "1.1.1.1=US|223.1.1.1=US|::1:0:0=|::2="),
		"a record that holds all of IPv4");

	mmdb_writer_init(&w, 4, 32, "Test-Country");
	us = mmdb_writer_country(&w, MMDB_FLAT, "US");
	mmdb_writer_put(&w, IPKEY_ZERO, 1, (MmdbRecord){MMDB_DATA, us});
	mmdb_writer_put(&w, (IpKey){1ULL << 63, 0}, 1, (MmdbRecord){MMDB_DATA, us});
	tap_ok(database_says(&w, COUNTRY, "1.1.1.1=US|223.1.1.1=US|2a00::="), "a tree of one node");

	mmdb_writer_init(&w, 6, 28, "Test-Country");
	us = mmdb_writer_country(&w, MMDB_FLAT, "US");
	put_range(&w, "8000::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", us);
	put_range(&w, "9000::77", "9000::77", mmdb_writer_country(&w, MMDB_FLAT, "DE"));
	tap_ok(database_says(&w, COUNTRY,
		       "8.8.8.8=|7fff::=|8000::=US|9000::76=US|9000::77=DE|9000::78=US"),
		"an IPv6 tree without IPv4");
}

/* Entries that are written byte by byte. */
static void put_map(MmdbWriter *w, uint32_t pairs)
{
	mmdb_put_control(&w->data, 7, pairs);
}

static void entry_continent_only(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "continent");
	put_map(w, 0);
}

static void entry_registered_only(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "registered_country");
	put_map(w, 1);
	mmdb_put_text(&w->data, "iso_code");
	mmdb_put_text(&w->data, "DE");
}

static void entry_unknown_code(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_text(&w->data, "ZZ");
}

static void entry_after_much_else(MmdbWriter *w)
{
	put_map(w, 6);
	mmdb_put_text(&w->data, "double");
	mmdb_put_control(&w->data, 3, 8);
	mmdb_put_number(&w->data, 0x4009000000000000, 8);
	mmdb_put_text(&w->data, "float");
	mmdb_put_control(&w->data, 15, 4);
	mmdb_put_number(&w->data, 0x40490000, 4);
	mmdb_put_text(&w->data, "wide");
	mmdb_put_control(&w->data, 10, 16);
	mmdb_put_number(&w->data, 1, 8);
	mmdb_put_number(&w->data, 1, 8);
	mmdb_put_text(&w->data, "list");
	mmdb_put_control(&w->data, 11, 3);
	mmdb_put_control(&w->data, 8, 4);
	mmdb_put_number(&w->data, 0xffffffff, 4);
	mmdb_put_control(&w->data, 14, 0);
	mmdb_put_control(&w->data, 4, 300);
	for (unsigned i = 0; i < 300; i++)
		mmdb_put_number(&w->data, i, 1);
	mmdb_put_text(&w->data, "country_code_not");
	mmdb_put_text(&w->data, "DE");
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_text(&w->data, "AT");
}

static void entry_asn_16(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "autonomous_system_number");
	mmdb_put_integer(&w->data, 5, 64500);
}

static void entry_asn_64(MmdbWriter *w)
{
	put_map(w, 2);
	mmdb_put_text(&w->data, "autonomous_system_number");
	mmdb_put_integer(&w->data, 9, 4294967295);
	mmdb_put_text(&w->data, "autonomous_system_organization");
	mmdb_put_text(&w->data, "X");
}

static void entry_isp_only(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "isp");
	mmdb_put_text(&w->data, "X");
}

static void entry_asn_0(MmdbWriter *w)
{
	put_map(w, 2);
	mmdb_put_text(&w->data, "autonomous_system_number");
	mmdb_put_integer(&w->data, 6, 0);
	mmdb_put_text(&w->data, "autonomous_system_organization");
	mmdb_put_text(&w->data, "Not routed");
}

/* ---- what must be refused ---- */

static void entry_text(MmdbWriter *w)
{
	mmdb_put_text(&w->data, "US");
}

static void entry_nothing_known(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "colour");
	mmdb_put_text(&w->data, "US");
}

static void entry_three_letters(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_text(&w->data, "USA");
}

static void entry_code_number(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_integer(&w->data, 6, 7);
}

static void entry_asn_too_great(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "autonomous_system_number");
	mmdb_put_integer(&w->data, 9, 4294967296);
}

static void entry_asn_text(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "autonomous_system_number");
	mmdb_put_text(&w->data, "64500");
}

static void entry_organisation_number(MmdbWriter *w)
{
	put_map(w, 2);
	mmdb_put_text(&w->data, "autonomous_system_number");
	mmdb_put_integer(&w->data, 6, 64500);
	mmdb_put_text(&w->data, "autonomous_system_organization");
	mmdb_put_integer(&w->data, 6, 7);
}

static void entry_key_number(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_integer(&w->data, 6, 7);
	mmdb_put_text(&w->data, "US");
}

static void entry_breaks_off(MmdbWriter *w)
{
	put_map(w, 2);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_text(&w->data, "US");
}

static void entry_text_breaks_off(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_control(&w->data, 2, 1000);
}

static void entry_huge_map(MmdbWriter *w)
{
	put_map(w, 16000000);
	for (unsigned i = 0; i < 100; i++) {
		mmdb_put_text(&w->data, "");
		mmdb_put_text(&w->data, "");
	}
}

static void entry_pointer_to_pointer(MmdbWriter *w)
{
	uint32_t pointer = (uint32_t)w->data.len + 20;

	put_map(w, 1);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_pointer(&w->data, pointer);
	while (w->data.len < pointer)
		strbuf_append_char(&w->data, '\0');
	mmdb_put_pointer(&w->data, 0);
}

static void entry_pointer_to_itself(MmdbWriter *w)
{
	uint32_t start = (uint32_t)w->data.len;

	put_map(w, 1);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_pointer(&w->data, start);
}

static void entry_pointer_out(MmdbWriter *w)
{
	put_map(w, 1);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_pointer(&w->data, 134744064 + 7);
}

static void entry_deep(MmdbWriter *w)
{
	put_map(w, 2);
	mmdb_put_text(&w->data, "deep");
	for (unsigned i = 0; i < 1000000; i++)
		mmdb_put_control(&w->data, 11, 1);
	mmdb_put_integer(&w->data, 6, 1);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_text(&w->data, "US");
}

/* Every level holds two pointers to the next: 2^30 values in 200 bytes. */
static void entry_doubling(MmdbWriter *w)
{
	put_map(w, 2);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_text(&w->data, "US");
	mmdb_put_text(&w->data, "more");
	for (unsigned i = 0; i < 30; i++) {
		uint32_t next = (uint32_t)w->data.len + 6;

		mmdb_put_control(&w->data, 11, 2);
		mmdb_put_pointer(&w->data, next);
		mmdb_put_pointer(&w->data, next);
		while (w->data.len < next)
			abort();
	}
	mmdb_put_integer(&w->data, 6, 1);
}

static void entry_bad_type(MmdbWriter *w)
{
	put_map(w, 2);
	mmdb_put_text(&w->data, "odd");
	mmdb_put_control(&w->data, 12, 0);
	mmdb_put_text(&w->data, "country_code");
	mmdb_put_text(&w->data, "US");
}

#define BREAKS_OFF "it is no map, or breaks off"

static const struct {
	const char *name;
	int kind;
	void (*write)(MmdbWriter *w);
	const char *answer; /* for 8.8.8.8 */
	const char *why;    /* or why it is refused */
} entries[] = {
	{"a continent only", COUNTRY, entry_continent_only, "", NULL},
	{"a registered country only", COUNTRY, entry_registered_only, "", NULL},
	{"ZZ", COUNTRY, entry_unknown_code, "", NULL},
	{"a country code after all the other types", COUNTRY, entry_after_much_else, "AT", NULL},
	{"two pointers to two pointers to two pointers", COUNTRY, entry_doubling, "US", NULL},
	{"an ASN of 16 bits", ASN, entry_asn_16, "64500", NULL},
	{"an ASN of 64 bits", ASN, entry_asn_64, "4294967295 X", NULL},
	{"no ASN", ASN, entry_isp_only, "", NULL},
	{"ASN 0", ASN, entry_asn_0, "", NULL},
	{"a text", COUNTRY, entry_text, NULL, BREAKS_OFF},
	{"a map without a country", COUNTRY, entry_nothing_known, NULL, "it has no country"},
	{"a map without an ASN", ASN, entry_nothing_known, NULL, "it has no autonomous system"},
	{"three letters", COUNTRY, entry_three_letters, NULL,
		"its country code is not two letters"},
	{"a number as country", COUNTRY, entry_code_number, NULL,
		"its country code is not two letters"},
	{"an ASN above 32 bits", ASN, entry_asn_too_great, NULL,
		"its autonomous system number is none"},
	{"an ASN as text", ASN, entry_asn_text, NULL, "its autonomous system number is none"},
	{"a number as organisation", ASN, entry_organisation_number, NULL,
		"its organisation is no text"},
	{"a number as key", COUNTRY, entry_key_number, NULL, BREAKS_OFF},
	{"a map that breaks off", COUNTRY, entry_breaks_off, NULL, BREAKS_OFF},
	{"a text that breaks off", COUNTRY, entry_text_breaks_off, NULL, BREAKS_OFF},
	{"a map of 16 million pairs", COUNTRY, entry_huge_map, NULL, BREAKS_OFF},
	{"a pointer to a pointer", COUNTRY, entry_pointer_to_pointer, NULL, BREAKS_OFF},
	{"a pointer to its own map", COUNTRY, entry_pointer_to_itself, NULL, BREAKS_OFF},
	{"a pointer out of the data", COUNTRY, entry_pointer_out, NULL, BREAKS_OFF},
	{"a million levels", COUNTRY, entry_deep, NULL, BREAKS_OFF},
	{"a type that files do not have", COUNTRY, entry_bad_type, NULL, BREAKS_OFF},
};

static void test_entries(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		_cleanup_strbuf_ StrBuf file = STRBUF_INIT, got = STRBUF_INIT;
		_cleanup_(geodb_freep) GeoDb *db = NULL;
		char path[64], expected[256];
		MmdbWriter w;
		uint32_t offset;
		Why why = {0};
		int r;

		mmdb_writer_init(&w, 6, 28, "Test");
		/*
		 * something that is known, so that one odd entry does not make it another kind of
		 * database
		 */
		offset = entries[i].kind == COUNTRY
				 ? mmdb_writer_country(&w, MMDB_FLAT, "FR")
				 : mmdb_writer_network(&w, 64496, SPAN_LITERAL("First"));
		put_range(&w, "5.0.0.0", "5.0.0.255", offset);
		offset = (uint32_t)w.data.len;
		entries[i].write(&w);
		put_range(&w, "8.8.8.0", "8.8.8.255", offset);
		mmdb_writer_finish(&w, &file);
		mmdb_writer_done(&w);
		r = open_database((Span){file.data, file.len}, entries[i].kind, &db, path, &why);
		if (!r)
			describe(db, "8.8.8.8", &got);
		(void)snprintf(expected, sizeof(expected),
			"%s: damaged: entry at byte %u of its data: %s", path, offset,
			entries[i].why);
		if (!tap_ok(entries[i].why ? r == -EBADMSG && !strcmp(why.text, expected)
					   : !r && !strcmp(strbuf_text(&got), entries[i].answer),
			    "an entry that is %s", entries[i].name))
			tap_note("%d '%s' '%s'", r, strbuf_text(&got), why.text);
	}
}

/* Replaces the bytes after the last occurrence of a text. */
static void patch_after(StrBuf *file, const char *text, size_t skip, const char *bytes, size_t len)
{
	char *at = NULL, *next = file->data;

	while ((next = memmem(next, file->len - (size_t)(next - file->data), text, strlen(text))))
		at = next++;
	if (!at)
		abort();
	memcpy(at + strlen(text) + skip, bytes, len);
}

static void patch_record(StrBuf *file, uint32_t node, unsigned side, uint32_t value)
{
	for (unsigned i = 0; i < 3; i++)
		file->data[node * 6 + side * 3 + i] = (char)(value >> 8 * (2 - i));
}

static uint32_t read_record(const StrBuf *file, uint32_t node, unsigned side)
{
	const uint8_t *p = (const uint8_t *)file->data + node * 6 + side * 3;

	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static uint32_t count_nodes(const StrBuf *file)
{
	const uint8_t *p = memmem(file->data, file->len, "node_count", 10);

	return (uint32_t)p[11] << 8 | p[12];
}

static void damage_loop(StrBuf *file)
{
	patch_record(file, 5, 0, 0);
}

static void damage_twice(StrBuf *file)
{
	patch_record(file, 100, 1, 50);
}

static void damage_cut_branch(StrBuf *file)
{
	patch_record(file, 2, 0, count_nodes(file));
}

static void damage_separator(StrBuf *file)
{
	patch_record(file, 0, 1, count_nodes(file) + 15);
}

static void damage_out_of_data(StrBuf *file)
{
	patch_record(file, 0, 1, 0xffffff);
}

static void damage_into_metadata(StrBuf *file)
{
	const char *mark = memmem(file->data, file->len, "MaxMind.com", 11);
	uint32_t nodes = count_nodes(file);

	patch_record(file, 0, 1, (uint32_t)(mark + 11 - file->data) - nodes * 6 + nodes);
}

static void damage_node_count(StrBuf *file)
{
	uint32_t nodes = count_nodes(file) - 1;
	const char bytes[] = {(char)(nodes >> 8), (char)nodes};

	patch_after(file, "node_count", 1, bytes, 2);
}

static void damage_node_count_great(StrBuf *file)
{
	patch_after(file, "node_count", 1, "\xff\xff", 2);
}

static void damage_record_size(StrBuf *file)
{
	patch_after(file, "record_size", 1, "\x19", 1);
}

static void damage_ip_version(StrBuf *file)
{
	patch_after(file, "ip_version", 1, "\x05", 1);
}

static void damage_major_version(StrBuf *file)
{
	patch_after(file, "binary_format_major_version", 1, "\x03", 1);
}

static void damage_metadata_map(StrBuf *file)
{
	patch_after(file, "MaxMind.com", 0, "\x49", 1);
}

static void damage_metadata_size(StrBuf *file)
{
	patch_after(file, "MaxMind.com", 0, "\xfc", 1);
}

static void damage_languages(StrBuf *file)
{
	patch_after(file, "languages", 2, "\xa2", 1);
}

static void damage_description(StrBuf *file)
{
	patch_after(file, "description", 4, "\x8e", 1);
}

static void damage_epoch(StrBuf *file)
{
	patch_after(file, "build_epoc", 0, "x", 1);
}

static void damage_tree_start(StrBuf *file)
{
	memset(file->data + count_nodes(file) * 6 + 3, 1, 1);
}

static void damage_v4_deep(StrBuf *file)
{
	/* all lefts from the root reach node 95, whose left is ::/96 */
	for (uint32_t node = 96; node < count_nodes(file); node++)
		if (read_record(file, node, 0) >= count_nodes(file) &&
			read_record(file, node, 1) >= count_nodes(file)) {
			patch_record(file, node, 0, node);
			return;
		}
}

static const struct {
	const char *name;
	void (*damage)(StrBuf *file);
	const char *why; /* after "damaged: " unless it begins with a capital letter */
} damages[] = {
	{"a record that leads back to the root", damage_loop,
		"its tree does not reach all its nodes"},
	{"a record that leads to another branch", damage_twice, "its tree reaches a node twice"},
	{"a record that leads to its own node", damage_v4_deep, "its tree reaches a node twice"},
	{"a branch that is cut off", damage_cut_branch, "its tree does not reach all its nodes"},
	{"a record into the gap before the data", damage_separator,
		"its tree leads out of its data"},
	{"a record out of the file", damage_out_of_data, "its tree leads out of its data"},
	{"a record into the metadata", damage_into_metadata, "its tree leads out of its data"},
	{"one node fewer", damage_node_count, "its data does not begin where its tree ends"},
	{"many more nodes", damage_node_count_great, "its tree is longer than the file"},
	{"records of 25 bits", damage_record_size, "its records are not of 24, 28 or 32 bits"},
	{"IPv5", damage_ip_version, "its metadata says neither IPv4 nor IPv6"},
	{"version 3", damage_major_version, "its metadata does not say version 2"},
	{"metadata that is a text", damage_metadata_map, "its metadata is no map"},
	{"metadata that breaks off", damage_metadata_size, "its metadata is no map"},
	{"a language that is a number", damage_languages, "its metadata has no list of languages"},
	{"a description that is bytes", damage_description, "its metadata has no description"},
	{"no build time", damage_epoch, NULL},
	{"a byte in the gap", damage_tree_start, "its data does not begin where its tree ends"},
};

static void test_damages(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
		GeoDb *db = NULL;
		char path[64], expected[256];
		Why why = {0};
		int r;

		write_sample(&file, 6, 24, COUNTRY, MMDB_FLAT);
		damages[i].damage(&file);
		r = open_database((Span){file.data, file.len}, COUNTRY, &db, path, &why);
		(void)snprintf(expected, sizeof(expected), "%s: damaged: %s", path, damages[i].why);
		if (!tap_ok(r == -EBADMSG && !db &&
				    (!damages[i].why || !strcmp(why.text, expected)),
			    "%s is refused", damages[i].name))
			tap_note("%d '%s'", r, why.text);
		geodb_free(db);
	}
}

static void test_other_kinds(void)
{
	_cleanup_strbuf_ StrBuf country = STRBUF_INIT, asn = STRBUF_INIT, empty = STRBUF_INIT;
	GeoDb *db = NULL;
	char path[64];
	MmdbWriter w;
	Why why = {0};

	write_sample(&country, 4, 24, COUNTRY, MMDB_NESTED);
	write_sample(&asn, 4, 24, ASN, MMDB_NESTED);
	tap_ok(open_database((Span){asn.data, asn.len}, COUNTRY, &db, path, &why) == -EBADMSG &&
			strstr(why.text, "it has no country"),
		"an ASN database for countries");
	tap_ok(open_database((Span){country.data, country.len}, ASN, &db, path, &why) == -EBADMSG &&
			strstr(why.text, "it has no autonomous system"),
		"a country database for ASNs");
	mmdb_writer_init(&w, 4, 24, "Test-Continent");
	put_range(&w, "8.0.0.0", "8.0.0.255", (uint32_t)w.data.len);
	entry_continent_only(&w);
	mmdb_writer_finish(&w, &empty);
	mmdb_writer_done(&w);
	tap_ok(open_database((Span){empty.data, empty.len}, COUNTRY, &db, path, &why) == -EBADMSG &&
			strstr(why.text, "(Test-Continent): it knows no country"),
		"a continent database for countries");
	strbuf_reset(&empty);
	mmdb_writer_init(&w, 4, 24, "Test-Country");
	(void)mmdb_writer_country(&w, MMDB_FLAT, "US");
	mmdb_writer_finish(&w, &empty);
	mmdb_writer_done(&w);
	tap_ok(open_database((Span){empty.data, empty.len}, COUNTRY, &db, path, &why) == -EBADMSG &&
			strstr(why.text, "there are no networks in it"),
		"a database without networks");
}

/* A file that was cut anywhere, and one with something behind it. */
static void test_cut(void)
{
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	size_t refused = 0, step = getenv("MLS_TEST_SMALL") ? 97 : 1, tried = 0;
	GeoDb *db = NULL;
	char path[64];
	Why why = {0};

	write_sample(&file, 6, 28, ASN, MMDB_FLAT);
	for (size_t len = 0; len < file.len; len += step, tried++)
		refused += open_database((Span){file.data, len}, ASN, &db, path, &why) == -EBADMSG;
	tap_ok(refused == tried, "a file of %zu bytes is refused however it is cut", file.len);
	strbuf_append(&file, "\0\0\0\0", 4);
	tap_ok(!open_database((Span){file.data, file.len}, ASN, &db, path, &why),
		"bytes behind the end do no harm");
	geodb_free(db);
}

/* ---- random damage ---- */

/* Bytes changed, overwritten, taken away; a bit turned. */
static void random_damage(StrBuf *file)
{
	for (uint32_t n = 1 + random_below(4); n; n--) {
		uint32_t size = (uint32_t)file->len, at = random_below(size);
		uint32_t len = random_below(16);

		len = MIN(len, size - at);
		switch (random_below(5)) {
		case 0: file->data[at] = (char)random_below(256); break;
		case 1: memset(file->data + at, (int)random_below(256), len); break;
		case 2:
			memmove(file->data + at, file->data + at + len, size - at - len);
			file->len -= len;
			break;
		default: file->data[at] ^= (char)(1U << random_below(8)); break;
		}
	}
}

/* Asks both databases for the same addresses; whether they agree. */
static bool same_answers(const GeoDb *a, const GeoDb *b)
{
	bool same = true;

	for (unsigned i = 0; i < 200; i++) {
		IpAddr addr = {.family = i % 2 ? IP_V4 : IP_V6};
		uint64_t random = random_u64();
		GeoRecord x, y;

		memcpy(addr.bytes, &random, addr.family == IP_V4 ? 4 : 8);
		addr.bytes[0] = addr.family == IP_V4 ? (uint8_t)(i % 16) : 0x2a;
		if (i % 3)
			addr.bytes[1] = 0;
		geodb_lookup(a, &addr, &x);
		geodb_lookup(b, &addr, &y);
		same = same && !strcmp(x.country_code, y.country_code) && x.asn == y.asn &&
		       span_equal(x.organisation, y.organisation);
	}
	return same;
}

static void test_random_damage(void)
{
	const unsigned rounds = getenv("MLS_TEST_SMALL") ? 40 : 1250;
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	unsigned refused = 0, accepted = 0, wrong = 0, other = 0;

	for (unsigned i = 0; i < SAMPLE_FORMS * rounds; i++) {
		unsigned form = i / rounds;
		MmdbStyle style = i % 2 ? MMDB_FLAT : MMDB_NESTED;
		_cleanup_(geodb_freep) GeoDb *whole = NULL, *db = NULL;
		char path[64];
		Why why = {0};
		int r;

		write_form(&file, form, style);
		random_damage(&file);
		r = open_database(
			(Span){file.data, file.len}, form % 2 ? ASN : COUNTRY, &db, path, &why);
		refused += r == -EBADMSG;
		accepted += !r;
		other += r && r != -EBADMSG;
		if (r)
			continue;
		write_form(&file, form, style);
		if (open_database((Span){file.data, file.len}, form % 2 ? ASN : COUNTRY, &whole,
			    path, &why))
			abort();
		wrong += !same_answers(whole, db);
	}
	/* A changed letter in a name is a name too. */
	tap_note("%u refused, %u accepted, %u of these with another answer somewhere", refused,
		accepted, wrong);
	tap_ok(!other && wrong < refused / 20, "%u files with random damage", refused + accepted);
}

int main(void)
{
	random_start();
	test_forms();
	test_wide_records();
	test_trees();
	test_entries();
	test_damages();
	test_other_kinds();
	test_cut();
	test_random_damage();
	return tap_done();
}
