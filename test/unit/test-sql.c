/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sql.h"

#include "store/csv.h"
#include "tap.h"

#define S(text) SPAN_LITERAL(text)
#define MISSING         \
	{               \
		NULL, 0 \
	}

/* A value of the CSV as each dialect has it. */
static const struct {
	const char *name;
	Span value;
	const char *sqlite, *postgresql, *mysql; /* NULL: as sqlite */
} values[] = {
	{"missing", MISSING, "NULL", NULL, NULL},
	{"empty", S(""), "''", NULL, NULL},
	{"plain", S("alice"), "'alice'", NULL, NULL},
	{"a user named null", S("null"), "'null'", NULL, NULL},
	{"a user named NULL", S("NULL"), "'NULL'", NULL, NULL},
	{"a user named N/A", S("N/A"), "'N/A'", NULL, NULL},
	{"apostrophe", S("o'neill"), "'o''neill'", NULL, NULL},
	{"apostrophe alone", S("'"), "''''", NULL, NULL},
	{"apostrophes at both ends", S("''x'"), "'''''x'''", NULL, NULL},
	{"injection", S("'); DROP TABLE failed_logins; --"), "'''); DROP TABLE failed_logins; --'",
		NULL, NULL},
	{"quote", S("a\"b`c"), "'a\"b`c'", NULL, NULL},
	{"backslash", S("DOMAIN\\bob"), "'DOMAIN\\bob'", "E'DOMAIN\\\\bob'",
		"_utf8mb4 X'444f4d41494e5c626f62'"},
	{"backslash alone", S("\\"), "'\\'", "E'\\\\'", "_utf8mb4 X'5c'"},
	{"backslash and apostrophe", S("\\'"), "'\\'''", "E'\\\\'''", "_utf8mb4 X'5c27'"},
	{"apostrophe and backslash", S("'\\"), "'''\\'", "E'''\\\\'", "_utf8mb4 X'275c'"},
	{"injection behind a backslash", S("\\'); DROP TABLE x; --"), "'\\''); DROP TABLE x; --'",
		"E'\\\\''); DROP TABLE x; --'",
		"_utf8mb4 X'5c27293b2044524f50205441424c4520783b202d2d'"},
	{"NUL as the CSV has it", S("a\\x00b"), "'a\\x00b'", "E'a\\\\x00b'",
		"_utf8mb4 X'615c78303062'"},
	{"what reads as a hexadecimal string", S("X'41'"), "'X''41'''", NULL, NULL},
	{"what reads as a comment", S("--/*#*/"), "'--/*#*/'", NULL, NULL},
	{"what reads as a placeholder", S("?1 :a $1 @b %s"), "'?1 :a $1 @b %s'", NULL, NULL},
	{"what ends a statement", S("a;"), "'a;'", NULL, NULL},
	{"UTF-8 of two bytes", S("jos\xc3\xa9"), "'jos\xc3\xa9'", NULL, NULL},
	{"UTF-8 of three", S("\xe6\x97\xa5\xe6\x9c\xac"), "'\xe6\x97\xa5\xe6\x9c\xac'", NULL, NULL},
	{"UTF-8 of four", S("\xf0\x9f\x94\x91"), "'\xf0\x9f\x94\x91'", NULL, NULL},
	{"UTF-8 with a backslash", S("\xc3\xa9\\"), "'\xc3\xa9\\'", "E'\xc3\xa9\\\\'",
		"_utf8mb4 X'c3a95c'"},
	{"the last character", S("\xf4\x8f\xbf\xbf"), "'\xf4\x8f\xbf\xbf'", NULL, NULL},
	{"a typographic apostrophe", S("\xe2\x80\x99"), "'\xe2\x80\x99'", NULL, NULL},
	{"a fullwidth apostrophe", S("\xef\xbc\x87"), "'\xef\xbc\x87'", NULL, NULL},
};

static void test_values(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const char *expected[SQL_DIALECT_COUNT] = {values[i].sqlite,
			values[i].postgresql ? values[i].postgresql : values[i].sqlite,
			values[i].mysql ? values[i].mysql : values[i].sqlite};

		for (int dialect = 0; dialect < SQL_DIALECT_COUNT; dialect++) {
			_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

			sql_append_text(&sb, (SqlDialect)dialect, values[i].value);
			if (!tap_ok(!strcmp(strbuf_text(&sb), expected[dialect]), "%s: %s",
				    sql_dialect_name((SqlDialect)dialect), values[i].name))
				tap_note("%s, not %s", strbuf_text(&sb), expected[dialect]);
		}
	}
}

#define PLAIN "h,OK,US,1,o"
#define KEY "('00000000000000ff',3,4096,"

/* A line of the CSV as a row in SQLite. */
static const struct {
	const char *name, *line;
	const char *row; /* NULL: no database takes it */
} rows[] = {
	{"plain",
		"srv01,\"2025-05-17 12:05\",81.30.107.24,contribute,mail.example.com,OK,US,9808,"
		"\"China Mobile\"",
		KEY
		"'srv01','2025-05-17 12:05','81.30.107.24','contribute','mail.example.com','OK',"
		"'US',9808,'China Mobile')"},
	{"all that can be missing is", ",2025-01-02 03:04,unknown,N/A,null,,N/A,N/A,\"N/A\"",
		KEY "NULL,'2025-01-02 03:04',NULL,NULL,NULL,'',NULL,NULL,NULL)"},
	{"what looks missing and is not", "N/A,2025-01-02 03:04,::,null,N/A,null,NA,0,null",
		KEY "'N/A','2025-01-02 03:04','::','null','N/A','null','NA',0,'null')"},
	{"a user of that very name", "unknown,2025-01-02 03:04,192.0.2.1,'N/A,'null,OK,US,1,'N/A",
		KEY "'unknown','2025-01-02 03:04','192.0.2.1','N/A','null','OK','US',1,'N/A')"},
	{"empty is not missing", "s,2025-01-02 03:04,192.0.2.1,,,OK,,1,\"\"",
		KEY "'s','2025-01-02 03:04','192.0.2.1','','','OK','',1,'')"},
	{"a formula", "s,2025-01-02 03:04,192.0.2.1,'=1+1," PLAIN,
		KEY "'s','2025-01-02 03:04','192.0.2.1','=1+1','h','OK','US',1,'o')"},
	{"quotes", "s,2025-01-02 03:04,192.0.2.1,\"\"\"'); DROP TABLE x;--\"\"\"," PLAIN,
		KEY "'s','2025-01-02 03:04','192.0.2.1','\"''); DROP TABLE x;--\"','h','OK','US',1,"
		    "'o')"},
	{"IPv6", "s,2025-01-02 03:04,2001:db8::7,u," PLAIN,
		KEY "'s','2025-01-02 03:04','2001:db8::7','u','h','OK','US',1,'o')"},
	{"the largest number", "s,2025-01-02 03:04,192.0.2.1,u,h,OK,US,4294967295,o",
		KEY "'s','2025-01-02 03:04','192.0.2.1','u','h','OK','US',4294967295,'o')"},
	{"a number with zeros in front", "s,2025-01-02 03:04,192.0.2.1,u,h,OK,US,00013,o",
		KEY "'s','2025-01-02 03:04','192.0.2.1','u','h','OK','US',13,'o')"},
	{"a number of zeros", "s,2025-01-02 03:04,192.0.2.1,u,h,OK,US,000,o",
		KEY "'s','2025-01-02 03:04','192.0.2.1','u','h','OK','US',0,'o')"},
	{"a long country", "s,2025-01-02 03:04,192.0.2.1,u,h,OK,Utopia,1,o",
		KEY "'s','2025-01-02 03:04','192.0.2.1','u','h','OK','Utopia',1,'o')"},
	{"the first year", "s,1000-01-01 00:00,192.0.2.1,u," PLAIN,
		KEY "'s','1000-01-01 00:00','192.0.2.1','u','h','OK','US',1,'o')"},
	{"the last year", "s,9999-12-31 23:59,192.0.2.1,u," PLAIN,
		KEY "'s','9999-12-31 23:59','192.0.2.1','u','h','OK','US',1,'o')"},
	{"a year before", "s,0999-12-31 23:59,192.0.2.1,u," PLAIN, NULL},
};

static const CsvPlace place = {255, 3, 4096};

static void test_rows(void)
{
	_cleanup_strbuf_ StrBuf scratch = STRBUF_INIT;
	SqlTable table;

	if (sql_table_init(&table, SQL_SQLITE, "t"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		Why why = {""};
		Row row;
		int r = csv_parse_row(span_from_string(rows[i].line), &scratch, &row, &why);
		bool ok = !r;

		if (ok) {
			r = sql_append_row(&sb, &table, &place, &row, &why);
			ok = rows[i].row ? !r && !strcmp(strbuf_text(&sb), rows[i].row)
					 : r == SQL_NOT_TAKEN && !sb.len && *why.text;
		}
		if (!tap_ok(ok, "a row: %s", rows[i].name))
			tap_note("%d: %s %s", r, strbuf_text(&sb), why.text);
	}
}

/* All mappings one after another, and how the row of the contract looks then. */
static const struct {
	const char *name;
	const char *mappings[4];
	bool bad;
	const char *insert, *row;
} tables[] = {
	{"renamed and left out", {"user=login", "hostname=", "aso="}, false,
		"INSERT INTO `t` (`instance`,`csv`,`byte_offset`,`server`,`date`,`ip`,`login`,"
		"`reverse_dns_status`,`country_code`,`asn`) VALUES\n",
		KEY "'s','2025-01-02 03:04','192.0.2.1','u','OK','US',1)"},
	{"two change places", {"country_code=asn", "asn=country_code", "server="}, false,
		"INSERT INTO `t` (`instance`,`csv`,`byte_offset`,`date`,`ip`,`username`,`hostname`,"
		"`reverse_dns_status`,`asn`,`country_code`,`aso`) VALUES\n",
		KEY "'2025-01-02 03:04','192.0.2.1','u','h','OK','US',1,'o')"},
	{"the last one counts", {"user=", "user=u2"}, false,
		"INSERT INTO `t` (`instance`,`csv`,`byte_offset`,`server`,`date`,`ip`,`u2`,"
		"`hostname`,`reverse_dns_status`,`country_code`,`asn`,`aso`) VALUES\n",
		KEY "'s','2025-01-02 03:04','192.0.2.1','u','h','OK','US',1,'o')"},
	{"no such column", {"username=x"}, true, NULL, NULL},
	{"a key's column", {"csv="}, true, NULL, NULL},
	{"no name at all", {"=x"}, true, NULL, NULL},
	{"no equals sign", {"user"}, true, NULL, NULL},
	{"capitals", {"user=User"}, true, NULL, NULL},
	{"a digit in front", {"user=1u"}, true, NULL, NULL},
	{"a quote", {"user=u\"; DROP TABLE x; --"}, true, NULL, NULL},
	{"a backquote", {"user=u`"}, true, NULL, NULL},
	{"UTF-8", {"user=\xc3\xa9"}, true, NULL, NULL},
	{"two equals signs", {"user=a=b"}, true, NULL, NULL},
	{"a blank behind", {"user=u "}, true, NULL, NULL},
	{"a name of 41 bytes", {"user=aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde"}, true, NULL,
		NULL},
	{"a name twice", {"user=hostname"}, true, NULL, NULL},
	{"the name of a key's column", {"user=byte_offset"}, true, NULL, NULL},
};

static void test_tables(void)
{
	static const Row row = {{S("s"), S("2025-01-02 03:04"), S("192.0.2.1"), S("u"), S("h"),
		S("OK"), S("US"), S("1"), S("o")}};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		_cleanup_strbuf_ StrBuf insert = STRBUF_INIT, text = STRBUF_INIT;
		SqlTable table;
		Why why = {""};
		int r = sql_table_init(&table, SQL_MYSQL, "t");

		for (size_t k = 0; !r && k < ARRAY_SIZE(tables[i].mappings); k++)
			if (tables[i].mappings[k])
				r = sql_table_map(&table, tables[i].mappings[k], &why);
		if (!r)
			r = sql_table_check(&table, &why);
		if (tables[i].bad) {
			tap_ok(r == -EINVAL && *why.text, "columns: %s: refused", tables[i].name);
			continue;
		}
		sql_append_insert(&insert, &table);
		(void)sql_append_row(&text, &table, &place, &row, &why);
		if (!tap_ok(!r && !strcmp(strbuf_text(&insert), tables[i].insert) &&
				    !strcmp(strbuf_text(&text), tables[i].row),
			    "columns: %s", tables[i].name))
			tap_note("%d: %s\n%s%s", r, why.text, strbuf_text(&insert),
				strbuf_text(&text));
	}
}

static void test_names(void)
{
	static const struct {
		Span name;
		bool valid;
	} names[] = {
		{S("failed_logins"), true},
		{S("a"), true},
		{S("_"), true},
		{S("_1"), true},
		{S("aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"), true},
		{S("aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde"), false},
		{S(""), false},
		{S("1a"), false},
		{S("A"), false},
		{S("a-b"), false},
		{S("a.b"), false},
		{S("a b"), false},
		{S("a\0"), false},
		{S("a\n"), false},
		{S("\xc3\xa9"), false},
	};
	SqlTable table;
	SqlDialect dialect = SQL_SQLITE;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		tap_ok(sql_name_valid(names[i].name) == names[i].valid, "a name: number %zu", i);
	tap_ok(sql_table_init(&table, SQL_SQLITE, "a;b") == -EINVAL, "a table needs a name");
	for (int i = 0; i < SQL_DIALECT_COUNT; i++)
		tap_ok(!sql_dialect_parse(
			       span_from_string(sql_dialect_name((SqlDialect)i)), &dialect) &&
				(int)dialect == i,
			"a dialect: %s", sql_dialect_name((SqlDialect)i));
	tap_ok(sql_dialect_parse(S("oracle"), &dialect) == -EINVAL, "no dialect: oracle");
}

/* Values as long as they can be, so that a wrong sum of what they take shows. */
static void test_long(void)
{
	static const char what[] = {'\'', '\\', 'a'};

	for (int dialect = 0; dialect < SQL_DIALECT_COUNT; dialect++)
		for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
			_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
			size_t len = 4 * CSV_FIELD_MAX, longest = 0;
			_cleanup_free_ char *text = malloc(len);
			SqlTable table;
			Row row;

			if (!text || sql_table_init(&table, (SqlDialect)dialect, "t"))
				return;
			memset(text, what[i], len);
			for (size_t k = 0; k < COLUMN_COUNT; k++)
				row.field[k] = (Span){text, len};
			row.field[COLUMN_DATE] = S("2025-01-02 03:04");
			row.field[COLUMN_ASN] = SPAN_MISSING;
			longest = 7 * (2 * len + 16) + 256;
			tap_ok(!sql_append_row(&sb, &table, &place, &row, NULL) &&
					sb.len > 7 * len && sb.len < longest &&
					strlen(sb.data) == sb.len,
				"%s: the longest values of %c",
				sql_dialect_name((SqlDialect)dialect), what[i]);
		}
}

int main(void)
{
	test_names();
	test_values();
	test_rows();
	test_tables();
	test_long();
	return tap_done();
}
