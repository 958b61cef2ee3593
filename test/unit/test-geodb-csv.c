/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "geodb-tools.h"
#include "tap.h"

/*
 * A database that is read, and what its addresses then are: "ADDRESS=WHAT|...", where WHAT is the
 * country or "asn organisation", "" for unknown.
 */
static const struct {
	const char *name;
	int kind;
	const char *csv;
	const char *expected;
	unsigned rows;
} good[] = {
	{"dotted v4 without header", COUNTRY, "8.8.8.0,8.8.8.255,US\n9.9.9.0,9.9.9.255,CH\n",
		"8.8.7.255=|8.8.8.0=US|8.8.8.255=US|8.8.9.0=|9.9.9.9=CH|::ffff:9.9.9.9=CH|0.0.0.0=",
		2},
	{"decimal v4", COUNTRY, "134744064,134744319,US\n", "8.8.7.255=|8.8.8.0=US|8.8.8.255=US",
		1},
	{"v6", COUNTRY, "2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n",
		"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff=|2001:200::=JP|"
		"2001:200:ffff:ffff:ffff:ffff:ffff:ffff=JP|2001:201::=",
		1},
	{"decimal v6, 38 and 39 digits", COUNTRY,
		"42540528726795050063891204319802818560,42540528806023212578155541913346768895,JP\n"
		"170141183460469231731687303715884105728,170141183460469231731687303715884105983,"
		"XK\n",
		"2001:200::=JP|2001:200:ffff:ffff:ffff:ffff:ffff:ffff=JP|2001:201::=|8000::=XK|"
		"8000::ff=XK|8000::100=|7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff=",
		2},
	{"both families in one file", ASN,
		"1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n"
		"2606:4700::,2606:4700:ffff:ffff:ffff:ffff:ffff:ffff,13335,\"Cloudflare, Inc.\"\n"
		"8.8.8.0,8.8.8.255,15169,Google LLC\n",
		"1.0.0.1=13335 Cloudflare, Inc.|2606:4700::1111=13335 Cloudflare, Inc.|"
		"8.8.8.8=15169 Google LLC|2606:4701::=",
		3},
	{"header, CRLF, byte order mark", COUNTRY,
		"\xef\xbb\xbfstart_ip,end_ip,country_code\r\n8.8.8.0,8.8.8.255,US\r\n",
		"8.8.8.8=US", 1},
	{"quoted header and fields, more columns", COUNTRY,
		"\"ip_from\",\"ip_to\",\"country_code\",\"country_name\"\n"
		"\"134744064\",\"134744319\",\"US\",\"United States, of America\"\n",
		"8.8.8.8=US", 1},
	{"empty lines are no rows", COUNTRY, "\n8.8.8.0,8.8.8.255,US\n\r\n\n", "8.8.8.8=US", 1},
	{"quotes are undoubled", ASN,
		"8.8.8.0,8.8.8.255,64500,\"Say \"\"hi\"\", \"\"\"\"\"\n"
		"8.8.9.0,8.8.9.255,64501,\"\"\"\"\n"
		"8.8.10.0,8.8.10.255,64502,\"\"\n"
		"8.8.11.0,8.8.11.255,64503,5\" disks\n",
		"8.8.8.8=64500 Say \"hi\", \"\"|8.8.9.9=64501 \"|8.8.10.10=64502|8.8.11.11=64503 "
		"5\" disks",
		4},
	{"organisations are kept as they are", ASN,
		"8.8.8.0,8.8.8.255,64500,Caf\xc3\xa9 \xff\x01 =cmd\n8.8.9.0,8.8.9.255,64501, - \n",
		"8.8.8.8=64500 Caf\xc3\xa9 \xff\x01 =cmd|8.8.9.9=64501  - ", 2},
	{"no organisation", ASN, "8.8.8.0,8.8.8.255,64500,\n8.8.9.0,8.8.9.255,64501\n",
		"8.8.8.8=64500|8.8.9.9=64501", 2},
	{"the greatest ASNs, and none", ASN,
		"8.8.8.0,8.8.8.255,4294967294,A\n8.8.9.0,8.8.9.255,4294967295,B\n"
		"8.8.10.0,8.8.10.255,0,Not "
		"routed\n8.8.11.0,8.8.11.255,-,-\n8.8.12.0,8.8.12.255,,\n",
		"8.8.8.8=4294967294 A|8.8.9.9=4294967295 B|8.8.10.10=|8.8.11.11=|8.8.12.12=", 5},
	{"codes in lower case, unknown codes", COUNTRY,
		"8.8.8.0,8.8.8.255,us\n8.8.9.0,8.8.9.255,ZZ\n8.8.10.0,8.8.10.255,\n8.8.11.0,8.8.11."
		"255,-\n"
		"8.8.12.0,8.8.12.255,zz\n",
		"8.8.8.8=US|8.8.9.9=|8.8.10.10=|8.8.11.11=|8.8.12.12=", 5},
	{"ranges that are no CIDR", COUNTRY, "8.8.8.3,8.8.9.17,US\n8.8.9.18,8.8.9.18,DE\n",
		"8.8.8.2=|8.8.8.3=US|8.8.9.17=US|8.8.9.18=DE|8.8.9.19=", 2},
	{"the later row wins: inside", COUNTRY, "8.0.0.0,8.255.255.255,US\n8.8.8.0,8.8.8.255,DE\n",
		"8.0.0.0=US|8.8.7.255=US|8.8.8.0=DE|8.8.8.255=DE|8.8.9.0=US|8.255.255.255=US", 2},
	{"the later row wins: around", COUNTRY, "8.8.8.0,8.8.8.255,DE\n8.0.0.0,8.255.255.255,US\n",
		"8.8.7.255=US|8.8.8.0=US|8.8.8.255=US|8.8.9.0=US", 2},
	{"the later row wins: ends", COUNTRY,
		"8.0.0.0,8.0.0.9,AA\n8.0.0.5,8.0.0.14,BB\n8.0.0.3,8.0.0.6,CC\n",
		"8.0.0.2=AA|8.0.0.3=CC|8.0.0.6=CC|8.0.0.7=BB|8.0.0.14=BB|8.0.0.15=", 3},
	{"the later row wins: equal", COUNTRY,
		"8.0.0.0,8.0.0.9,AA\n8.0.0.0,8.0.0.9,BB\n8.0.0.0,8.0.0.9,CC\n",
		"8.0.0.0=CC|8.0.0.9=CC", 3},
	{"the later row wins: unknown", COUNTRY, "8.0.0.0,8.0.0.9,AA\n8.0.0.4,8.0.0.5,ZZ\n",
		"8.0.0.3=AA|8.0.0.4=|8.0.0.5=|8.0.0.6=AA", 2},
	{"unsorted", COUNTRY, "9.0.0.0,9.0.0.9,BB\n8.0.0.0,8.0.0.9,AA\n11.0.0.0,11.0.0.9,CC\n",
		"8.0.0.5=AA|9.0.0.5=BB|11.0.0.5=CC|10.255.255.255=", 3},
	{"the whole of both spaces", COUNTRY,
		"0.0.0.0,255.255.255.255,AA\n::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,BB\n",
		"1.0.0.0=AA|223.255.255.255=AA|224.0.0.0=|255.255.255.255=|0.0.0.0=|2000::=BB|::=|:"
		":1=|"
		"::2=BB|ffff::=|fe00::=BB|feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff=BB",
		2},
	{"special-purpose ranges are unknown", COUNTRY,
		"192.168.0.0,192.168.255.255,AU\n192.167.0.0,192.169.255.255,AU\nfd00::,fdff::,DE\n"
		"100.0.0.0,100.255.255.255,US\n",
		"192.167.255.255=AU|192.168.0.0=|192.168.255.255=|192.169.0.0=AU|fd00::1=|"
		"100.63.255.255=US|100.64.0.0=|100.127.255.255=|100.128.0.0=US",
		4},
	{"v6 ranges that end inside a /64", COUNTRY,
		"2a00::,2a00::ff,AA\n2a00::100,2a00::1ff,BB\n2a00::1:0:0:0:0,2a00:0:0:1::7,CC\n"
		"2a00:0:0:3::5,2a00:0:0:5::5,DD\n2a00:0:0:5::6,2a00:0:0:5:ffff:ffff:ffff:ffff,EE\n",
		"2a00::=AA|2a00::ff=AA|2a00::100=BB|2a00::1ff=BB|2a00::200=|2a00::ffff:ffff:ffff:"
		"ffff=|"
		"2a00:0:0:1::=CC|2a00:0:0:1::7=CC|2a00:0:0:1::8=|2a00:0:0:2::=|2a00:0:0:3::4=|"
		"2a00:0:0:3::5=DD|2a00:0:0:3:ffff:ffff:ffff:ffff=DD|2a00:0:0:4::=DD|2a00:0:0:5::5="
		"DD|"
		"2a00:0:0:5::6=EE|2a00:0:0:5:ffff:ffff:ffff:ffff=EE|2a00:0:0:6::=",
		5},
	{"a /64 that is cut at the end of a /16", COUNTRY,
		"2a00:ffff:ffff:ffff::9,2a01::8,AA\n2a02:ffff:ffff:ffff::9,2a02:ffff:ffff:ffff::9,"
		"BB\n",
		"2a00:ffff:ffff:ffff::8=|2a00:ffff:ffff:ffff::9=AA|"
		"2a00:ffff:ffff:ffff:ffff:ffff:ffff:ffff=AA|2a01::=AA|2a01::8=AA|2a01::9=|"
		"2a02:ffff:ffff:ffff::9=BB|2a02:ffff:ffff:ffff::a=|2a03::=",
		2},
	{"v4 borders at the ends of a /16", COUNTRY,
		"8.7.255.255,8.8.0.0,AA\n8.9.0.0,8.9.255.255,BB\n8.11.0.0,8.13.255.255,CC\n",
		"8.7.255.254=|8.7.255.255=AA|8.8.0.0=AA|8.8.0.1=|8.9.0.0=BB|8.9.255.255=BB|8.10.0."
		"0=|"
		"8.12.77.1=CC|8.13.255.255=CC|8.14.0.0=",
		3},
	{"v4-mapped rows are v4", COUNTRY,
		"::ffff:8.0.0.0,::ffff:8.0.0.255,AA\n281470832738304,281470832738559,BB\n",
		"8.0.0.0=AA|8.0.0.255=AA|9.0.0.0=BB|9.0.0.255=BB|9.0.1.0=", 2},
};

static const struct {
	const char *name;
	int kind;
	const char *csv;
	const char *why;
} bad[] = {
	{"an HTML page", COUNTRY, "\r\n <!DOCTYPE html>\n<html><body>Not found</body></html>\n",
		"this is an HTML or XML page, not a database"},
	{"an empty file", COUNTRY, "", "the file is empty"},
	{"only a header", COUNTRY, "start,end,country\n", "there are no rows in it"},
	{"only empty lines", COUNTRY, "\n\r\n", "there are no rows in it"},
	{"cut in a line", COUNTRY, "8.8.8.0,8.8.8.255,US\n8.8.9.0,8.8",
		"line 2 has no end: the file is cut off"},
	{"cut before the last line's end", COUNTRY, "8.8.8.0,8.8.8.255,US",
		"line 1 has no end: the file is cut off"},
	{"end before start", COUNTRY, "8.8.8.255,8.8.8.0,US\n",
		"line 1: the end is before the start (1 of 1 rows are not understood)"},
	{"two families", COUNTRY, "8.8.8.0,8.8.8.255,US\n8.8.9.0,2a00::,US\n",
		"line 2: start and end are of different families (1 of 2 rows are not understood)"},
	{"two families in decimals", COUNTRY,
		"134744064,42540528726795050063891204319802818560,US\n",
		"line 1: start and end are of different families (1 of 1 rows are not understood)"},
	{"no start", COUNTRY, ",8.8.8.255,US\n",
		"line 1: the start is not an address (1 of 1 rows are not understood)"},
	{"an octet too great", COUNTRY, "8.8.8.0,8.8.8.256,US\n",
		"line 1: the end is not an address (1 of 1 rows are not understood)"},
	{"blanks", COUNTRY, "8.8.8.0, 8.8.8.255,US\n",
		"line 1: the end is not an address (1 of 1 rows are not understood)"},
	{"2^128", COUNTRY,
		"42540528726795050063891204319802818560,340282366920938463463374607431768211456,"
		"US\n",
		"line 1: the end is not an address (1 of 1 rows are not understood)"},
	{"CIDR", COUNTRY, "8.8.8.0/24,US\n",
		"line 1: fewer than three fields (1 of 1 rows are not understood)"},
	{"three letters", COUNTRY, "8.8.8.0,8.8.8.255,USA\n",
		"line 1: the country code is not two letters (1 of 1 rows are not understood)"},
	{"a letter and a digit", COUNTRY, "8.8.8.0,8.8.8.255,U1\n",
		"line 1: the country code is not two letters (1 of 1 rows are not understood)"},
	{"ASNs for countries", COUNTRY, "8.8.8.0,8.8.8.255,15169,Google LLC\n",
		"line 1: the country code is not two letters (1 of 1 rows are not understood)"},
	{"countries for ASNs", ASN, "8.8.8.0,8.8.8.255,US\n",
		"line 1: the ASN is not a number (1 of 1 rows are not understood)"},
	{"an ASN too great", ASN, "8.8.8.0,8.8.8.255,4294967296,X\n",
		"line 1: the ASN is above 4294967295 (1 of 1 rows are not understood)"},
	{"an unquoted comma", ASN, "8.8.8.0,8.8.8.255,64500,Cloudflare, Inc.\n",
		"line 1: more than four fields (1 of 1 rows are not understood)"},
	{"an open quote", ASN, "8.8.8.0,8.8.8.255,64500,\"Cloudflare\n",
		"line 1: a quote is not closed (1 of 1 rows are not understood)"},
	{"text after a quote", ASN, "8.8.8.0,8.8.8.255,64500,\"Cloudflare\" Inc\n",
		"line 1: text after a quoted field (1 of 1 rows are not understood)"},
	{"JSON", COUNTRY, "{\"message\":\"Not Found\"}\n",
		"line 1: fewer than three fields (1 of 1 rows are not understood)"},
	{"a header that stands second", COUNTRY, "8.8.8.0,8.8.8.255,US\nstart,end,country\n",
		"line 2: the start is not an address (1 of 2 rows are not understood)"},
};

static void test_good(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_(geodb_freep) GeoDb *db = NULL;
		GeoCounts counts = {0};
		char path[64];
		Why why = {0};

		if (open_database(span_from_string(good[i].csv), good[i].kind, &db, path, &why) <
			0) {
			tap_ok(false, "%s", good[i].name);
			tap_note("%s", why.text);
			continue;
		}
		geodb_counts(db, &counts);
		tap_ok(answers_are(db, good[i].expected) && counts.rows == good[i].rows &&
				!counts.rejected,
			"%s", good[i].name);
	}
}

static void test_bad(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		GeoDb *db = NULL;
		char path[64], expected[256];
		Why why = {0};
		int r = open_database(span_from_string(bad[i].csv), bad[i].kind, &db, path, &why);

		(void)snprintf(expected, sizeof(expected), "%s: %s", path, bad[i].why);
		if (!tap_ok(r == -EBADMSG && !db && !strcmp(why.text, expected), "%s is refused",
			    bad[i].name))
			tap_note("%d '%s'", r, why.text);
		geodb_free(db);
	}
}

/* Which part of a file may be rejected, and which line is named. */
static void test_rejected_share(void)
{
	static const struct {
		unsigned rows, bad;
		bool accepted;
	} shares[] = {{999, 1, true}, {998, 1, false}, {1998, 2, true}, {1997, 2, false}};

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		_cleanup_strbuf_ StrBuf csv = STRBUF_INIT;
		GeoDb *db = NULL;
		GeoCounts counts = {0};
		char path[64];
		Why why = {0};
		int r;

		for (unsigned row = 0; row < shares[i].rows; row++) {
			strbuf_appendf(&csv, "8.0.%u.%u,8.0.%u.%u,US\n", row / 256, row % 256,
				row / 256, row % 256);
			if (row >= 100 && row < 100 + shares[i].bad)
				strbuf_append_string(&csv, "8.0.0.x,8.0.0.0,US\n");
		}
		r = open_database((Span){csv.data, csv.len}, COUNTRY, &db, path, &why);
		if (!r)
			geodb_counts(db, &counts);
		if (shares[i].accepted)
			tap_ok(!r && counts.rows == shares[i].rows &&
					counts.rejected == shares[i].bad,
				"%u bad rows beside %u", shares[i].bad, shares[i].rows);
		else
			tap_ok(r == -EBADMSG && strstr(why.text, ": line 102: the start is not"),
				"%u bad rows beside only %u", shares[i].bad, shares[i].rows);
		geodb_free(db);
	}
}

/* Organisations of any length, and lines longer than the reader's block. */
static void test_long_lines(void)
{
	static const struct {
		const char *name, *piece, *end;
		unsigned pieces, kept; /* kept 0: the line is refused */
	} rows[] = {
		{"255 bytes", "x", "", 255, 255},
		{"256 bytes", "x", "", 256, 255},
		{"cut before a character of two bytes", "x", "\xc3\xa9", 254, 254},
		{"cut before a character of four bytes", "x", "\xf0\x9f\x98\x80", 252, 252},
		{"cut after a character of four bytes", "x", "\xf0\x9f\x98\x80x", 251, 255},
		{"cut in bytes that are no UTF-8", "\x80", "", 300, 255},
		{"a line of 60,000 bytes", "x", "", 60000, 255},
		{"a line of 70,000 bytes", "x", "", 70000, 0},
		{"a line of a million bytes", "x", "", 1000000, 0},
		{"half a million quotes", "\"\"", "", 250000, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_strbuf_ StrBuf csv = STRBUF_INIT;
		_cleanup_(geodb_freep) GeoDb *db = NULL;
		const GeoRecord unknown = {0};
		GeoRecord record = unknown, next = unknown;
		GeoCounts counts = {0};
		char path[64];
		Why why = {0};

		strbuf_append_string(&csv, "8.0.0.0,8.0.0.255,64500,\"");
		for (unsigned n = 0; n < rows[i].pieces; n++)
			strbuf_append_string(&csv, rows[i].piece);
		strbuf_appendf(&csv, "%s\"\n", rows[i].end);
		for (unsigned n = 0; n < 2000; n++)
			strbuf_appendf(&csv, "9.0.0.%u,9.0.0.%u,64501,After\n", n % 256, n % 256);
		if (!open_database((Span){csv.data, csv.len}, ASN, &db, path, &why)) {
			geodb_lookup(db, &(IpAddr){IP_V4, {8, 0, 0, 9}}, &record);
			geodb_lookup(db, &(IpAddr){IP_V4, {9, 0, 0, 9}}, &next);
			geodb_counts(db, &counts);
		}
		if (!tap_ok(db && record.organisation.len == rows[i].kept &&
				    (record.asn == 64500) == (rows[i].kept > 0) &&
				    counts.rejected == !rows[i].kept && next.asn == 64501,
			    "%s", rows[i].name))
			tap_note("kept %zu, rejected %llu, %s", record.organisation.len,
				(unsigned long long)counts.rejected, why.text);
	}
}

static int build(const char *country, const char *asn, GeoDb **ret_db, Why *ret_why)
{
	return geodb_build(&(GeoPaths){{country, asn}}, &geo_csv_text, ret_db, ret_why);
}

static void test_paths(void)
{
	GeoDb *db = NULL;
	GeoRecord record = {.country_code = "XX", .asn = 1};
	GeoCounts counts;
	Why why;

	tap_ok(build(NULL, "/", &db, &why) == -EISDIR && !strcmp(why.text, "/: Is a directory"),
		"a directory");
	tap_ok(build("/dev/null", NULL, &db, &why) == -EINVAL, "a device");
	tap_ok(build("/dev/null/x", NULL, &db, &why) == -ENOTDIR && !db &&
			!strcmp(why.text, "/dev/null/x: Not a directory"),
		"a path that can't be");
	tap_ok(!build("/nonexistent/country.csv", NULL, &db, &why) &&
			!geodb_source(db, GEO_COUNTRY)->there && !geodb_source(db, GEO_ASN)->there,
		"no database at all");
	geodb_counts(db, &counts);
	geodb_lookup(db, &(IpAddr){IP_V4, {8, 8, 8, 8}}, &record);
	tap_ok(!record.country_code[0] && !record.asn && !counts.rows && counts.segments_v4 == 1 &&
			counts.segments_v6 == 1,
		"knows nothing");
	geodb_lookup(db, &(IpAddr){0}, &record);
	tap_ok(!record.country_code[0], "nor an unknown address");
	geodb_free(db);
	record.asn = 7;
	geodb_lookup(NULL, &(IpAddr){IP_V4, {8, 8, 8, 8}}, &record);
	tap_ok(!record.asn, "nor does no database");
}

/* Country and ASN ranges cut each other; equal neighbours are one stretch. */
static void test_both(void)
{
	char country[64], asn[64];
	_cleanup_close_ int country_fd = memory_file(
		SPAN_LITERAL("8.0.0.0,8.0.0.255,US\n8.0.1.0,8.0.1.255,DE\n2a00::,2a00::f,DE\n"),
		country);
	_cleanup_close_ int asn_fd = memory_file(
		SPAN_LITERAL("8.0.0.128,8.0.1.127,64500,Alpha\n8.0.1.128,8.0.1.255,64501,Beta\n"
			     "8.0.2.0,8.0.2.255,64501,Beta\n2a00::,2a00::7,64500,Alpha\n"),
		asn);
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	_cleanup_strbuf_ StrBuf got = STRBUF_INIT;
	GeoCounts counts = {0};
	Why why = {0};
	static const struct {
		const char *address, *what;
	} rows[] = {
		{"8.0.0.0", "US"},
		{"8.0.0.127", "US"},
		{"8.0.0.128", "US64500 Alpha"},
		{"8.0.1.0", "DE64500 Alpha"},
		{"8.0.1.127", "DE64500 Alpha"},
		{"8.0.1.128", "DE64501 Beta"},
		{"8.0.2.0", "64501 Beta"},
		{"8.0.3.0", ""},
		{"2a00::1", "DE64500 Alpha"},
	};

	if (!tap_ok(!build(country, asn, &db, &why), "both databases"))
		tap_note("%s", why.text);
	for (size_t i = 0; db && i < ARRAY_SIZE(rows); i++) {
		describe(db, rows[i].address, &got);
		tap_ok(!strcmp(strbuf_text(&got), rows[i].what), "%s is '%s'", rows[i].address,
			rows[i].what);
	}
	if (db)
		geodb_counts(db, &counts);
	tap_ok(counts.rows == 7 && counts.segments_v4 == 7 && counts.segments_v6 == 4,
		"rows and stretches are counted");
}

int main(void)
{
	test_good();
	test_bad();
	test_rejected_share();
	test_long_lines();
	test_paths();
	test_both();
	return tap_done();
}
