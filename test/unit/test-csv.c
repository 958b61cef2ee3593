/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/csv.h"

#include <time.h>

#include "base/utf8.h"
#include "tap.h"

#define S(text) SPAN_LITERAL(text)
#define MISSING         \
	{               \
		NULL, 0 \
	}

/* The three lines of the contract. */
static const char contract[] =
	"server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso\n"
	"srv01,\"2025-05-17 12:05\",81.30.107.24,contribute,mail.example.com,OK,US,9808,\"China "
	"Mobile\"\n"
	"srv01,\"2025-05-17 14:10\",205.177.40.1,user@example.com,null,Errno 1,US,5650,\"Frontier "
	"Communications\"\n";

static const Row contract_rows[] = {
	{{S("srv01"), S("2025-05-17 12:05"), S("81.30.107.24"), S("contribute"),
		S("mail.example.com"), S("OK"), S("US"), S("9808"), S("China Mobile")}},
	{{S("srv01"), S("2025-05-17 14:10"), S("205.177.40.1"), S("user@example.com"), MISSING,
		S("Errno 1"), S("US"), S("5650"), S("Frontier Communications")}},
};

/* One value in one column; what else the row has does not matter. */
static const struct {
	const char *name;
	Column column;
	Span raw;
	const char *written; /* the field with its quotes */
	const char *read;    /* NULL: missing */
} fields[] = {
	{"plain", COLUMN_USER, S("alice"), "alice", "alice"},
	{"empty is not missing", COLUMN_USER, S(""), "", ""},
	{"missing user", COLUMN_USER, MISSING, "N/A", NULL},
	{"missing hostname", COLUMN_HOSTNAME, MISSING, "null", NULL},
	{"missing country", COLUMN_COUNTRY_CODE, MISSING, "N/A", NULL},
	{"missing asn", COLUMN_ASN, MISSING, "N/A", NULL},
	{"missing aso", COLUMN_ASO, MISSING, "\"N/A\"", NULL},
	{"missing server", COLUMN_SERVER, MISSING, "", ""},
	{"a user named N/A", COLUMN_USER, S("N/A"), "'N/A", "N/A"},
	{"a user named null", COLUMN_USER, S("null"), "null", "null"},
	{"a user named n/a", COLUMN_USER, S("n/a"), "n/a", "n/a"},
	{"a user named N/A and more", COLUMN_USER, S("N/Ax"), "N/Ax", "N/Ax"},
	{"a user named N/ and NUL", COLUMN_USER, S("N/A\0"), "N/A\\x00", "N/A\\x00"},
	{"a host named null", COLUMN_HOSTNAME, S("null"), "'null", "null"},
	{"a host named N/A", COLUMN_HOSTNAME, S("N/A"), "N/A", "N/A"},
	{"an organisation named N/A", COLUMN_ASO, S("N/A"), "\"'N/A\"", "N/A"},
	{"a server named N/A", COLUMN_SERVER, S("N/A"), "N/A", "N/A"},
	{"apostrophe", COLUMN_USER, S("'x"), "''x", "'x"},
	{"apostrophe alone", COLUMN_USER, S("'"), "''", "'"},
	{"apostrophe before a placeholder", COLUMN_USER, S("'N/A"), "''N/A", "'N/A"},
	{"apostrophe inside", COLUMN_USER, S("o'neill"), "o'neill", "o'neill"},
	{"formula =", COLUMN_USER, S("=cmd()"), "'=cmd()", "=cmd()"},
	{"formula +", COLUMN_USER, S("+1"), "'+1", "+1"},
	{"formula -", COLUMN_USER, S("-1"), "'-1", "-1"},
	{"formula @", COLUMN_USER, S("@SUM(A1)"), "'@SUM(A1)", "@SUM(A1)"},
	{"formula in the server's name", COLUMN_SERVER, S("=s"), "'=s", "=s"},
	{"formula in a host's name", COLUMN_HOSTNAME, S("-h.example"), "'-h.example", "-h.example"},
	{"formula in an organisation", COLUMN_ASO, S("=HYPERLINK(\"x\",1)"),
		"\"'=HYPERLINK(\"\"x\"\",1)\"", "=HYPERLINK(\"x\",1)"},
	{"formula inside", COLUMN_USER, S("a=b"), "a=b", "a=b"},
	{"formula after a blank", COLUMN_USER, S(" =x"), "\" =x\"", " =x"},
	{"tab first", COLUMN_USER, S("\tx"), "'\\x09x", "\\x09x"},
	{"tab inside", COLUMN_USER, S("a\tb"), "a\\x09b", "a\\x09b"},
	{"tab last", COLUMN_USER, S("a\t"), "a\\x09", "a\\x09"},
	{"CR first", COLUMN_USER, S("\rx"), "\\x0dx", "\\x0dx"},
	{"CR LF inside", COLUMN_USER, S("a\r\nb"), "a\\x0d\\x0ab", "a\\x0d\\x0ab"},
	{"LF and a comma", COLUMN_USER, S("a\n,b"), "\"a\\x0a,b\"", "a\\x0a,b"},
	{"NUL", COLUMN_USER, S("a\0b"), "a\\x00b", "a\\x00b"},
	{"NUL alone", COLUMN_USER, S("\0"), "\\x00", "\\x00"},
	{"DEL and ESC", COLUMN_USER, S("\x7f\x1b[31m"), "\\x7f\\x1b[31m", "\\x7f\\x1b[31m"},
	{"C1", COLUMN_USER, S("\xc2\x9b"), "\\xc2\\x9b", "\\xc2\\x9b"},
	{"UTF-8", COLUMN_USER, S("jos\xc3\xa9"), "jos\xc3\xa9", "jos\xc3\xa9"},
	{"UTF-8 in an organisation", COLUMN_ASO, S("T\xc3\xbcrk Telekom"),
		"\"T\xc3\xbcrk Telekom\"", "T\xc3\xbcrk Telekom"},
	{"not UTF-8", COLUMN_USER, S("\xff\xfe"), "\\xff\\xfe", "\\xff\\xfe"},
	{"cut UTF-8 before a quote", COLUMN_USER, S("\xe6\x97\"x"), "\"\\xe6\\x97\"\"x\"",
		"\\xe6\\x97\"x"},
	{"blank first", COLUMN_USER, S(" a"), "\" a\"", " a"},
	{"blank last", COLUMN_USER, S("a "), "\"a \"", "a "},
	{"blank alone", COLUMN_USER, S(" "), "\" \"", " "},
	{"blank inside", COLUMN_USER, S("a b"), "a b", "a b"},
	{"no-break space is no blank", COLUMN_USER, S("\xc2\xa0"), "\xc2\xa0", "\xc2\xa0"},
	{"quote alone", COLUMN_USER, S("\""), "\"\"\"\"", "\""},
	{"quotes", COLUMN_USER, S("\"a\"\"b\""), "\"\"\"a\"\"\"\"b\"\"\"", "\"a\"\"b\""},
	{"apostrophe and quote", COLUMN_USER, S("'\""), "\"''\"\"\"", "'\""},
	{"comma", COLUMN_USER, S("a,b"), "\"a,b\"", "a,b"},
	{"comma alone", COLUMN_SERVER, S(","), "\",\"", ","},
	{"a row in a name", COLUMN_USER, S("x\",\"y\nz,w"), "\"x\"\",\"\"y\\x0az,w\"",
		"x\",\"y\\x0az,w"},
	{"backslash", COLUMN_USER, S("DOMAIN\\bob"), "DOMAIN\\bob", "DOMAIN\\bob"},
	{"backslash x", COLUMN_USER, S("DOMAIN\\xavier"), "DOMAIN\\x5cxavier", "DOMAIN\\x5cxavier"},
	{"backslash x in hex form", COLUMN_USER, S("\\x41"), "\\x5cx41", "\\x5cx41"},
	{"backslash before a control", COLUMN_USER, S("\\\x01"), "\\\\x01", "\\\\x01"},
	{"backslash before a quote and x", COLUMN_USER, S("\\\"x"), "\"\\\"\"x\"", "\\\"x"},
	{"an IPv6 address", COLUMN_IP, S("2001:db8::7"), "2001:db8::7", "2001:db8::7"},
	{"an unknown address", COLUMN_IP, S("unknown"), "unknown", "unknown"},
	{"the largest asn", COLUMN_ASN, S("4294967295"), "4294967295", "4294967295"},
	{"a country that would be a formula is none", COLUMN_COUNTRY_CODE, S("-X"), "-X", "-X"},
	{"a country with LF stays on its line", COLUMN_COUNTRY_CODE, S("X\n"), "X\\x0a", "X\\x0a"},
};

#define PREFIX "s,2025-01-02 03:04,192.0.2.1,"

static const struct {
	const char *name;
	Span line;
	const char *why; /* NULL: it is a row */
	const char *user;
} lines[] = {
	{"plain RFC 4180", S(PREFIX "u,h,OK,US,1,o"), NULL, "u"},
	{"all quoted",
		S("\"s\",\"2025-01-02 03:04\",\"192.0.2.1\",\"u\",\"h\",\"OK\",\"US\",\"1\",\"o\""),
		NULL, "u"},
	{"CR at the end", S(PREFIX "u,h,OK,US,1,\"o\"\r"), NULL, "u"},
	{"empty fields", S(",2025-01-02 03:04,192.0.2.1,,,,,1,\"\""), NULL, ""},
	{"quoted empty field", S(PREFIX "\"\",h,OK,US,1,o"), NULL, ""},
	{"quoted placeholder", S(PREFIX "\"N/A\",h,OK,US,1,o"), NULL, NULL},
	{"leap day", S("s,2024-02-29 23:59,192.0.2.1,u,h,OK,US,1,o"), NULL, "u"},
	{"empty", S(""), "empty", NULL},
	{"CR alone", S("\r"), "empty", NULL},
	{"header", S("server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso"),
		"date: not YYYY-MM-DD HH:MM", NULL},
	{"one field", S("x"), "1 fields, not 9", NULL},
	{"torn after a field", S(PREFIX "u"), "4 fields, not 9", NULL},
	{"torn after the last comma", S(PREFIX "u,h,OK,US,1,"),
		"aso: nothing behind the last comma", NULL},
	{"torn after a comma", S(PREFIX "u,h,OK,US,"), "8 fields, not 9", NULL},
	{"torn in quotes", S(PREFIX "u,h,OK,US,1,\"Frontier Comm"),
		"aso: the closing quote is missing", NULL},
	{"torn behind a doubled quote", S(PREFIX "u,h,OK,US,1,\"Frontier \"\""),
		"aso: the closing quote is missing", NULL},
	{"quote opened at the end", S(PREFIX "\""), "user: the closing quote is missing", NULL},
	{"ten fields", S(PREFIX "u,h,OK,US,1,o,p"), "more than 9 fields", NULL},
	{"comma at the end", S(PREFIX "u,h,OK,US,1,o,"), "more than 9 fields", NULL},
	{"quote inside", S(PREFIX "u\"v,h,OK,US,1,o"), "user: a quote in an unquoted field", NULL},
	{"text behind quotes", S(PREFIX "\"u\"v,h,OK,US,1,o"), "user: text after the closing quote",
		NULL},
	{"blank behind quotes", S(PREFIX "\"u\" ,h,OK,US,1,o"),
		"user: text after the closing quote", NULL},
	{"NULs of a power loss", S(PREFIX "u,h\0\0\0\0"), "byte 0x00 at offset 32 is not text",
		NULL},
	{"LF", S(PREFIX "\"u\nv\",h,OK,US,1,o"), "byte 0x0a at offset 31 is not text", NULL},
	{"CR in quotes", S(PREFIX "\"u\rv\",h,OK,US,1,o"), "byte 0x0d at offset 31 is not text",
		NULL},
	{"not UTF-8", S(PREFIX "u\xff,h,OK,US,1,o"), "byte 0xff at offset 30 is not text", NULL},
	{"C1", S(PREFIX "u\xc2\x85,h,OK,US,1,o"), "byte 0xc2 at offset 30 is not text", NULL},
	{"no date", S("s,,192.0.2.1,u,h,OK,US,1,o"), "date: not YYYY-MM-DD HH:MM", NULL},
	{"no such date", S("s,2025-02-29 10:00,192.0.2.1,u,h,OK,US,1,o"),
		"date: not YYYY-MM-DD HH:MM", NULL},
	{"no such hour", S("s,2025-02-28 24:00,192.0.2.1,u,h,OK,US,1,o"),
		"date: not YYYY-MM-DD HH:MM", NULL},
	{"no such minute", S("s,2025-02-28 23:60,192.0.2.1,u,h,OK,US,1,o"),
		"date: not YYYY-MM-DD HH:MM", NULL},
	{"date with seconds", S("s,2025-02-28 23:59:59,192.0.2.1,u,h,OK,US,1,o"),
		"date: not YYYY-MM-DD HH:MM", NULL},
	{"no address", S("s,2025-01-02 03:04,192.0.2.256,u,h,OK,US,1,o"),
		"ip: neither an address nor unknown", NULL},
	{"address with NUL text", S("s,2025-01-02 03:04,,u,h,OK,US,1,o"),
		"ip: neither an address nor unknown", NULL},
	{"asn in words", S(PREFIX "u,h,OK,US,AS1,o"), "asn: not a number of 32 bits", NULL},
	{"asn too large", S(PREFIX "u,h,OK,US,4294967296,o"), "asn: not a number of 32 bits", NULL},
};

static Span line_of(const StrBuf *sb)
{
	return (Span){strbuf_text(sb), sb->len - 1};
}

static void test_contract(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, scratch = STRBUF_INIT;
	size_t start;
	Why why;
	Row row;

	strbuf_append_span(&sb, csv_header());
	for (size_t i = 0; i < ARRAY_SIZE(contract_rows); i++) {
		bool same = true;

		start = sb.len;
		csv_append_row(&sb, &contract_rows[i]);
		if (!tap_ok(!csv_parse_row((Span){sb.data + start, sb.len - start - 1}, &scratch,
				    &row, &why),
			    "contract row %zu is read", i + 1)) {
			tap_note("%s", why.text);
			continue;
		}
		for (size_t c = 0; c < COLUMN_COUNT; c++)
			same &= span_equal(row.field[c], contract_rows[i].field[c]);
		tap_ok(same, "contract row %zu reads back the same", i + 1);
	}
	if (!tap_ok(span_equal_string((Span){sb.data, sb.len}, contract),
		    "the contract's three lines, byte for byte"))
		tap_note("%s", sb.data);
}

static void test_fields(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, scratch = STRBUF_INIT, expected = STRBUF_INIT,
				raw = STRBUF_INIT;
	Why why = {""};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *rest[] = {"s", "\"2025-01-02 03:04\"", "192.0.2.1", "u", "h", "OK",
			"US", "1", "\"o\""};
		Row row = {{S("s"), S("2025-01-02 03:04"), S("192.0.2.1"), S("u"), S("h"), S("OK"),
			S("US"), S("1"), S("o")}};
		Row back = {0};
		Span value;

		row.field[fields[i].column] = fields[i].raw;
		rest[fields[i].column] = fields[i].written;
		strbuf_reset(&sb);
		strbuf_reset(&expected);
		csv_append_row(&sb, &row);
		for (size_t c = 0; c < COLUMN_COUNT; c++)
			strbuf_appendf(
				&expected, "%s%c", rest[c], c + 1 < COLUMN_COUNT ? ',' : '\n');
		if (!tap_ok(!strcmp(sb.data, expected.data), "write: %s", fields[i].name))
			tap_note("got %s", sb.data);

		if (!tap_ok(!csv_parse_row(line_of(&sb), &scratch, &back, &why), "parse: %s",
			    fields[i].name)) {
			tap_note("%s", why.text);
			continue;
		}
		value = back.field[fields[i].column];
		if (!tap_ok(span_equal_string(value, fields[i].read), "read: %s", fields[i].name))
			tap_note("got '%.*s'", (int)value.len, value.data);
		strbuf_reset(&raw);
		utf8_append_unescaped(&raw, value);
		tap_ok(raw.len == fields[i].raw.len &&
				!memcmp(strbuf_text(&raw),
					fields[i].raw.len ? fields[i].raw.data : "", raw.len),
			"undo: %s", fields[i].name);
	}
}

static void test_lines(void)
{
	_cleanup_strbuf_ StrBuf scratch = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		Why why = {""};
		Row row = {0};
		/* An exact copy on the heap, so that reading behind the line shows. */
		_cleanup_free_ char *copy = lines[i].line.len ? malloc(lines[i].line.len) : NULL;
		int r;

		if (copy)
			memcpy(copy, lines[i].line.data, lines[i].line.len);
		r = csv_parse_row((Span){copy, lines[i].line.len}, &scratch, &row, &why);
		if (lines[i].why) {
			if (!tap_ok(r == CSV_NOT_A_ROW && !strcmp(why.text, lines[i].why),
				    "refuse: %s", lines[i].name))
				tap_note("%d '%s'", r, why.text);
			continue;
		}
		if (!tap_ok(!r && span_equal_string(row.field[COLUMN_USER], lines[i].user),
			    "accept: %s", lines[i].name))
			tap_note("%d '%s'", r, why.text);
	}
}

/* Every prefix of a written row, as a crash can leave it, is refused. */
static void test_torn(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, scratch = STRBUF_INIT;
	size_t wrong = 0;
	Row row;

	csv_append_row(&sb, &contract_rows[1]);
	for (size_t n = 0; n < sb.len - 1; n++)
		wrong += csv_parse_row((Span){sb.data, n}, &scratch, &row, NULL) != CSV_NOT_A_ROW;
	tap_ok(!wrong, "every torn row is refused");
}

static void test_long(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, scratch = STRBUF_INIT, raw = STRBUF_INIT;
	_cleanup_free_ char *bytes = malloc(CSV_FIELD_MAX + 1);
	Span value = {bytes, CSV_FIELD_MAX}, longer = {bytes, CSV_FIELD_MAX + 1};
	Row row = contract_rows[0], back;
	size_t at = 0;

	if (!bytes) {
		tap_ok(false, "memory");
		return;
	}
	memset(bytes, '\x01', CSV_FIELD_MAX + 1);
	bytes[0] = '=';
	row.field[COLUMN_USER] = value;
	csv_append_row(&sb, &row);
	tap_ok(!csv_parse_row(line_of(&sb), &scratch, &back, NULL), "a user of 64 KiB is read");
	utf8_append_unescaped(&raw, back.field[COLUMN_USER]);
	tap_ok(span_equal((Span){raw.data, raw.len}, value), "a user of 64 KiB comes back whole");

	memset(bytes, '"', CSV_FIELD_MAX + 1);
	for (size_t c = 0; c < COLUMN_COUNT; c++)
		row.field[c] = columns[c].from_outside ? longer : contract_rows[0].field[c];
	strbuf_reset(&sb);
	csv_append_row(&sb, &row);
	tap_ok(!csv_parse_row(line_of(&sb), &scratch, &back, NULL),
		"four fields of quotes are read");
	for (size_t c = 0; c < COLUMN_COUNT; c++)
		at += columns[c].from_outside && span_equal(back.field[c], value);
	tap_ok(at == 4, "a longer value is cut at CSV_FIELD_MAX");

	memset(bytes, '\xff', CSV_FIELD_MAX + 1);
	for (size_t c = 0; c < COLUMN_COUNT; c++)
		row.field[c] = longer;
	strbuf_reset(&sb);
	csv_append_row(&sb, &row);
	tap_ok(!strbuf_error(&sb) && sb.len <= CSV_ROW_MAX,
		"no written row is longer than CSV_ROW_MAX");
}

static uint64_t random_state;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Bytes that matter to the form come as often as all others together. */
static size_t random_value(char *to, size_t max)
{
	static const char special[] = "\"\"\",,'\\x\\x5c= \t\r\n\0+-@N/Anull\xc3\xa9\xff\x7f";
	size_t len = random_u64() % (max + 1);

	for (size_t i = 0; i < len; i++) {
		uint64_t n = random_u64();

		to[i] = n & 1 ? special[(n >> 8) % (sizeof(special) - 1)] : (char)(n >> 8);
	}
	return len;
}

static void test_random(void)
{
	static const Column from_outside[] = {
		COLUMN_SERVER, COLUMN_USER, COLUMN_HOSTNAME, COLUMN_ASO};
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, scratch = STRBUF_INIT, raw = STRBUF_INIT;
	const char *given = getenv("MLS_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761U + 1;
	size_t wrong = 0, physical_lines = 0, warm_size = 0;
	int rounds = getenv("MLS_TEST_SMALL") ? 2000 : 20000;
	char bytes[4][64];

	random_state = seed ^ 0x9e3779b97f4a7c15ULL; /* not 0 for a small seed */
	tap_note("MLS_SEED=%" PRIu64, seed);
	for (int round = 0; round < rounds; round++) {
		Row row = contract_rows[0], back = {0};

		for (size_t i = 0; i < ARRAY_SIZE(from_outside); i++)
			if (random_u64() % 8)
				row.field[from_outside[i]] =
					(Span){bytes[i], random_value(bytes[i], sizeof(bytes[i]))};
			else if (columns[from_outside[i]].placeholder)
				row.field[from_outside[i]] = SPAN_MISSING;
		strbuf_reset(&sb);
		csv_append_row(&sb, &row);
		physical_lines += memchr(sb.data, '\n', sb.len) != sb.data + sb.len - 1;
		if (csv_parse_row(line_of(&sb), &scratch, &back, NULL)) {
			wrong++;
			continue;
		}
		for (size_t c = 0; c < COLUMN_COUNT; c++) {
			Span value = back.field[c];

			strbuf_reset(&raw);
			utf8_append_unescaped(&raw, value);
			wrong += !span_equal((Span){value.data ? strbuf_text(&raw) : NULL, raw.len},
				row.field[c]);
		}
		if (round == 1000)
			warm_size = sb.size;
	}
	tap_ok(!wrong, "%d random rows come back byte for byte", rounds);
	tap_ok(!physical_lines, "each of them is one physical line");
	tap_ok(sb.size <= 2 * warm_size, "the writer needs no memory once its buffer is warm");
}

int main(void)
{
	test_contract();
	test_fields();
	test_lines();
	test_torn();
	test_long();
	test_random();
	return tap_done();
}
