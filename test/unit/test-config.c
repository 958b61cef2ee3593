/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/config.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "daemon/config-option.h"
#include "daemon/log.h"
#include "store/sql.h"
#include "tap.h"

static char dir[256];
static char conf[300]; /* the file that the rows are written to */

/* What is said about a text; each line without the path, " [1: " is line 1. NULL: no mistakes. */
static const struct {
	const char *name;
	const char *text;
	const char *mistakes;
} texts[] = {
	/* What is right */
	{"empty", "", NULL},
	{"blanks and comments", "\n# a\n// b\n/* c\n d */ \t\r\n", NULL},
	{"a comment inside", "dns: { /* } */ tries = /* 9 */ 1; # 3\n };", NULL},
	{"comment signs in a text", "paths: { working_dir = \"/#a//b/*c\"; };", NULL},
	{"empty groups", "dns: { };\npaths = { };\ngeneral : {}", NULL},
	{"without separators", "dns: { tries = 1 enabled = true } general: { }", NULL},
	{"commas, colons and too many of them", "dns: { tries: 1, enabled: FALSE,, };;", NULL},
	{"brace on its own line", "dns:\n{\n\ttries = 1;\n};\n", NULL},
	{"CR LF", "dns: {\r\n\ttries = 1;\r\n};\r\n", NULL},
	{"byte order mark",
		"\xef\xbb\xbf"
		"dns: { tries = 1; };",
		NULL},
	{"a duration", "source: { quiet_warning = \"1 h 30 min\"; };", NULL},
	{"a duration in seconds", "source: { quiet_warning = 5400; };", NULL},
	{"no duration", "source: { quiet_warning = \"0\"; };", NULL},
	{"list in brackets", "paths: { mail_log = [ \"/a\", \"/b\" ]; };", NULL},
	{"list in parentheses", "paths: { mail_log = ( \"/a\", \"/b\" ); };", NULL},
	{"list over lines with a last comma", "paths: { mail_log = [\n\"/a\",\n\"/b\", # c\n]; };",
		NULL},
	{"text in pieces", "paths: { state_dir = \"/a\"\n\"/b\"; };", NULL},
	{"hexadecimal, sign and L",
		"dns: { tries = 0x2; timeout_ms = +500L; max_in_flight = 100LL; };", NULL},

	/* Names */
	{"unknown group", "dnss: { tries = 1; };", "1: dnss: unknown group; did you mean dns?"},
	{"group in other case", "asn_aso: { };",
		"1: asn_aso: unknown group; did you mean ASN_ASO?"},
	{"group like none", "systemd: { };", "1: systemd: unknown group"},
	{"unknown key", "paths: {\nworking_dri = \"/x\"; };",
		"2: paths.working_dri: unknown key; did you mean paths.working_dir?"},
	{"key of another group", "dns: { size = 5; };",
		"1: dns.size: unknown key; did you mean dns_cache.size?"},
	{"two letters swapped", "dns: { trise = 1; };",
		"1: dns.trise: unknown key; did you mean dns.tries?"},
	{"similar key of the same group first", "dns_cache: { enable = true; };",
		"1: dns_cache.enable: unknown key; did you mean dns_cache.enabled?"},
	{"key of two groups", "paths: { enabled = true; };",
		"1: paths.enabled: unknown key; did you mean dns.enabled?"},
	{"key like none", "paths: { banner = \"/x\"; };", "1: paths.banner: unknown key"},
	{"long key", "dns: { aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee = 1; };",
		"1: dns.aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee: unknown key"},
	{"key outside of its group", "# x\nmail_log = \"/x\";",
		"2: mail_log: stands outside of a group; did you mean paths: { mail_log = ...; "
		"};?"},
	{"group without braces", "dns = true;",
		"1: dns: is a group and wants braces: dns: { ... };"},
	{"group in a group", "dns: { cache: { size = 5; }; };", "1: dns.cache: unknown key"},
	{"a star", "dns: { tries* = 1; }; dns*: { }; *1 = 2;",
		"1: dns.tries*: a name has no *\n1: dns*: a name has no *\n1: *1: a name has no *"},
	{"a key twice", "dns: {\ntries = 1;\n\ntries = 2; tries = 99;\n};",
		"4: dns.tries: stands in line 2 already\n4: dns.tries: stands in line 2 already\n"
		"4: dns.tries: wants a number from 1 to 8"},
	{"a group twice", "dns: { tries = 1; };\ndns: {\nfoo = 2;\n};",
		"2: dns: stands in line 1 already\n3: dns.foo: unknown key"},
	{"the same key in two groups", "dns: { enabled = true; }; dns_cache: { enabled = true; };",
		NULL},

	/* Types and ranges */
	{"no bool", "dns: { enabled = 1; };", "1: dns.enabled: wants true or false"},
	{"bool as text", "dns: { enabled = \"true\"; };", "1: dns.enabled: wants true or false"},
	{"bool of another language", "dns: { enabled = yes; };",
		"1: dns.enabled: yes is no value: true, false, a number, or text in quotes are"},
	{"bare word", "general: { log_level = DEBUG; };",
		"1: general.log_level: DEBUG is no value: true, false, a number, or text in quotes "
		"are"},
	{"no number", "dns: { tries = \"2\"; };", "1: dns.tries: wants a number from 1 to 8"},
	{"float", "dns: { tries = 2.0; };", "1: dns.tries: wants a number from 1 to 8"},
	{"too small", "dns: { tries = 0; };", "1: dns.tries: wants a number from 1 to 8"},
	{"too large", "dns: { max_in_flight = 257; };",
		"1: dns.max_in_flight: wants a number from 1 to 256"},
	{"negative", "dns: { tries = -1; };", "1: dns.tries: wants a number from 1 to 8"},
	{"wraps in 32 bits", "dns: { timeout_ms = 4294968296; };",
		"1: dns.timeout_ms: wants a number from 50 to 60000 ms"},
	{"wraps in 32 bits, hexadecimal", "dns: { tries = 0x100000001; };",
		"1: dns.tries: wants a number from 1 to 8"},
	{"wraps in 64 bits",
		"dns: { tries = 18446744073709551617; timeout_ms = "
		"0x100000000000003e8; max_in_flight = 18446744073709551617L; };",
		"1: dns.tries: wants a number from 1 to 8\n"
		"1: dns.timeout_ms: wants a number from 50 to 60000 ms\n"
		"1: dns.max_in_flight: wants a number from 1 to 256"},
	{"size without quotes", "general: { log_file_max_bytes = 5MiB; };",
		"1: general.log_file_max_bytes: 5MiB is no number; text stands in quotes"},
	{"size with another unit", "general: { log_file_max_bytes = \"5 MB\"; };",
		"1: general.log_file_max_bytes: wants a size such as \"5 MiB\", from 4 KiB to 1024 "
		"GiB"},
	{"size too small", "general: { log_file_max_bytes = 4095; };",
		"1: general.log_file_max_bytes: wants a size such as \"5 MiB\", from 4 KiB to 1024 "
		"GiB"},
	{"size negative", "general: { log_file_max_bytes = -1; };",
		"1: general.log_file_max_bytes: wants a size such as \"5 MiB\", from 4 KiB to 1024 "
		"GiB"},
	{"size that overflows", "general: { log_file_max_bytes = \"99999999999 GiB\"; };",
		"1: general.log_file_max_bytes: wants a size such as \"5 MiB\", from 4 KiB to 1024 "
		"GiB"},
	{"unknown source", "source: { type = \"syslog\"; };",
		"1: source.type: wants \"auto\", \"file\" or \"journal\""},
	{"unknown level", "general: { log_level = \"LOUD\"; };",
		"1: general.log_level: wants \"DEBUG\", \"INFO\", \"WARNING\" or \"ERROR\""},
	{"no text", "paths: { working_dir = 5; csv_filename = true; };",
		"1: paths.working_dir: wants a string such as \"/var/log/maillogsentinel\"\n"
		"1: paths.csv_filename: wants a string such as \"maillogsentinel.csv\""},
	{"a list for one text", "paths: { working_dir = [ \"/x\" ]; };",
		"1: paths.working_dir: wants a string such as \"/var/log/maillogsentinel\""},
	{"a duration that is none", "source: { quiet_warning = \"soon\"; };",
		"1: source.quiet_warning: wants a duration such as \"1 h 30 min\", from 0 to 8760 "
		"h"},
	{"a duration that is too long", "source: { quiet_warning = \"366 d\"; };",
		"1: source.quiet_warning: wants a duration such as \"1 h 30 min\", from 0 to 8760 "
		"h"},
	{"a list of numbers", "paths: { mail_log = [ 1, 2 ]; };",
		"1: paths.mail_log: a list holds only texts"},
	{"a list of this and that", "paths: { mail_log = [ \"/a\", true ]; };",
		"1: paths.mail_log: a list holds only texts"},
	{"neither text nor list", "paths: { mail_log = 5; };",
		"1: paths.mail_log: wants a string such as \"/var/log/mail.log\" or a list of "
		"strings "
		"such as [ \"/var/log/mail.log\", \"/var/log/mail.log.2\" ]"},
	{"an empty list", "paths: { mail_log = [ ]; };", "1: paths.mail_log: is an empty list"},
	{"a list in a list", "paths: { mail_log = ( \"/a\", ( \"/b\" ) ); };",
		"1: paths.mail_log: a list holds only texts"},
	{"a group for a value", "dns: { tries = { }; };",
		"1: dns.tries: wants a number from 1 to 8"},

	/* Paths */
	{"relative path", "paths: { working_dir = \"log\"; };",
		"1: paths.working_dir: \"log\" does not start with /: a path must be absolute"},
	{"relative path in a list", "paths: {\nmail_log = [ \"/a\",\n\"b\" ]; };",
		"2: paths.mail_log: \"b\" does not start with /: a path must be absolute"},
	{"path twice in a list", "paths: { mail_log = [ \"/a/b\", \"/a//b/\" ]; };",
		"1: paths.mail_log: \"/a/b\" is listed twice"},
	{"empty path", "paths: { working_dir = \"\"; state_dir = \"\"; mail_log = \"\"; };",
		"1: paths.working_dir: is empty\n1: paths.state_dir: is empty\n1: paths.mail_log: "
		"is empty"},
	{"relative database", "geolocation: { country_db_path = \"x\"; };",
		"1: geolocation.country_db_path: \"x\" does not start with /: a path must be "
		"absolute"},
	{"neither URL nor list", "ASN_ASO: { asn_db_url = 5; };",
		"1: ASN_ASO.asn_db_url: wants a string such as \"https://example.org/db.csv\" or a "
		"list of strings such as [ \"https://example.org/db.csv\", "
		"\"https://example.org/db.csv.2\" ]"},
	{"URLs that are none",
		"geolocation: { country_db_url = \"ftp://h/x\";\ncountry_db_checksum_url = [ "
		"\"https://h/a b\" ]; };",
		"1: geolocation.country_db_url: \"ftp://h/x\" does not begin with https://, "
		"http:// or file:///\n"
		"2: geolocation.country_db_checksum_url: \"https://h/a b\" holds a blank, a "
		"control byte or what is not ASCII; %HH stands for such a byte"},
	{"an empty URL in a list", "ASN_ASO: { asn_db_url = [ \"https://h/x\", \"\" ]; };",
		"1: ASN_ASO.asn_db_url: \"\" does not begin with https://, http:// or file:///"},
	{"URL twice in a list", "ASN_ASO: { asn_db_url = [ \"https://h/x\", \"https://h/x\" ]; };",
		"1: ASN_ASO.asn_db_url: \"https://h/x\" is listed twice"},
	{"checksums that are too many",
		"ASN_ASO: { asn_db_url = \"https://h/x\";\nasn_db_checksum_url = [ "
		"\"https://h/1\", \"https://h/2\" ]; };",
		"2: ASN_ASO.asn_db_checksum_url: has 2 checksums for 1 URLs; wants one for each, "
		"or "
		"one for all"},
	{"an address of another type", "report: { email = 5; };",
		"1: report.email: wants a string such as \"postmaster@example.org\" or a list of "
		"strings"},
	{"address that is empty", "report: { email = [ \"root\", \"\" ]; };",
		"1: report.email: is empty"},
	{"address with a line's end", "report: { email = \"root\\r\\nBcc: a@b\"; };",
		"1: report.email: \"root\\x0d\\x0aBcc: a@b\" holds a control byte"},
	{"no address", "report: { sender_override = \"Root <root@localhost>\"; };",
		"1: report.sender_override: \"Root <root@localhost>\" holds a blank"},
	{"address twice in a list", "report: { email = [ \"root\", \"root\" ]; };",
		"1: report.email: \"root\" is listed twice"},
	{"control characters and bytes that are no text",
		"report: { subject_prefix = \"a\\n\";\nsmtp_user = \"\xff\";\nsmtp_url = "
		"\"\xc2\x9b\"; };",
		"1: report.subject_prefix: holds a control character\n2: report.smtp_user: is not "
		"UTF-8\n3: report.smtp_url: \"\\xc2\\x9b\" does not begin with smtp://, "
		"smtp+starttls:// or smtps://"},
	{"a URL of no mail server", "report: { smtp_url = \"https://example.org\"; };",
		"1: report.smtp_url: \"https://example.org\" does not begin with smtp://, "
		"smtp+starttls:// or smtps://"},
	{"mail server that is none", "report: { smtp_url = \"\"; };",
		"1: report.smtp_url: \"\" does not begin with smtp://, smtp+starttls:// or "
		"smtps://"},
	{"a user without a password", "report: {\nsmtp_user = \"u\"; };",
		"2: report.smtp_user: is of no use without report.smtp_password_file"},
	{"a password without a user", "report: {\nsmtp_password_file = \"/p\"; };",
		"2: report.smtp_password_file: is of no use without report.smtp_user"},
	{"both", "report: { smtp_password_file = \"/p\"; smtp_user = \"u\"; };", NULL},
	{"choices of another kind",
		"report: { transport = \"SMTP\";\nattach = true;\nwhen_empty = \"\"; };",
		"1: report.transport: wants \"smtp\" or \"sendmail\"\n"
		"2: report.attach: wants \"new\", \"whole\" or \"none\"\n"
		"3: report.when_empty: wants \"send\" or \"skip\""},
	{"attachment that is too large", "report: { max_attachment = \"41 MiB\"; };",
		"1: report.max_attachment: wants a size such as \"5 MiB\", from 4 KiB to 40 MiB"},
	{"name with a slash", "paths: { csv_filename = \"a/b\"; };",
		"1: paths.csv_filename: \"a/b\" holds a slash: only a name is wanted here"},
	{"name that is none", "paths: { csv_filename = \"..\"; };",
		"1: paths.csv_filename: \"..\" is a directory"},
	{"empty name", "paths: { csv_filename = \"\"; };", "1: paths.csv_filename: is empty"},
	{"hostile bytes in a message", "paths: { working_dir = \"a\xff\\x1b\xc2\x9b\"; };",
		"1: paths.working_dir: \"a\\xff\\x1b\\xc2\\x9b\" does not start with /: a path "
		"must be "
		"absolute"},

	/* The database */
	{"no names in SQL",
		"database: { table = \"Logins\";\ncolumns = [ \"user=\\\"x\", \"ip=9\" ]; };",
		"1: database.table: Logins: a name begins with a small letter or _, and has these "
		"and digits alone, at most 40; and a table's does not begin with sqlite_\n"
		"2: database.columns: user=\"x: a name begins with a small letter or _, and has "
		"these and digits alone, at most 40"},
	{"a table without a name", "database: { table = \"\"; };",
		"1: database.table: \"\": a name begins with a small letter or _, and has these "
		"and digits alone, at most 40; and a table's does not begin with sqlite_"},
	{"a table as SQLite's own", "database: { table = \"sqlite_x\"; };",
		"1: database.table: sqlite_x: a name begins with a small letter or _, and has "
		"these and digits alone, at most 40; and a table's does not begin with sqlite_"},
	{"a table whose name is long",
		"database: { table = \"a234567890b234567890c234567890d2345678901\"; };",
		"1: database.table: a234567890b234567890c234567890d2345678901: a name begins with "
		"a small letter or _, and has these and digits alone, at most 40; and a table's "
		"does not begin with sqlite_"},
	{"columns that there are not",
		"database: {\ncolumns = [ \"ip=address\", \"byte_offset=\" ]; };",
		"2: database.columns: byte_offset=: the CSV has no such column"},
	{"a column without a name", "database: { columns = [ \"ip=address\", \"user\" ]; };",
		"1: database.columns: user: not COLUMN=NAME"},
	{"a column twice", "database: {\n columns = [ \"ip=\", \"ip=address\" ]; };",
		"2: database.columns: ip is there twice"},
	{"a name twice", "database: {\n columns = [ \"user=ip\", \"aso=csv\" ]; };",
		"2: database.columns: two columns have the name ip"},
	{"a name that is free", "database: { columns = [ \"ip=username\", \"user=ip\" ]; };", NULL},
	{"a socket of another host",
		"database: { db_host = \"h\";\ndb_socket = \"/s\"; db_name = \"\"; };",
		"2: database.db_socket: is of no use with database.db_host\n"
		"2: database.db_name: is empty"},
	{"a database that there is not", "database: { db_type = \"mariadb\"; db_port = 65536; };",
		"1: database.db_type: wants \"sqlite\", \"postgresql\" or \"mysql\"\n"
		"1: database.db_port: wants a number from 0 to 65535"},

	/* Form */
	{"no value", "dns: {\ntries = ;\ntimeout_ms =\nenabled = true;\nmax_in_flight = };",
		"2: dns.tries: has no value\n3: dns.timeout_ms: has no value\n"
		"5: dns.max_in_flight: has no value"},
	{"no value at the end", "dns =", "1: dns: has no value"},
	{"no equals sign", "dns: { tries 5; enabled true; servers \"\"; };",
		"1: dns.tries: wants a = before its value\n1: dns.enabled: wants a = before its "
		"value\n"
		"1: dns.servers: wants a = before its value"},
	{"no colon", "dns { tries = 9; };",
		"1: dns: wants a = before its value\n1: dns.tries: wants a number from 1 to 8"},
	{"two values", "dns: { tries = 1 2; };", "1: dns.tries: has more than one value"},
	{"no name", "dns: { = 5; };\n\"x\";",
		"1: \"=\" means nothing here\n1: a value without a name\n2: a value without a "
		"name"},
	{"strange signs", "dns: { tries = 1 % \xc3\xa9; };",
		"1: \"%\" means nothing here\n1: \"\xc3\xa9\" means nothing here"},
	{"quote not closed", "paths: {\nworking_dir = \"/x;\nstate_dir = \"y\";\n};",
		"2: paths.working_dir: the closing quote is missing\n"
		"3: paths.state_dir: \"y\" does not start with /: a path must be absolute"},
	{"quote not closed at the end", "paths: { working_dir = \"/x\\\"",
		"1: paths.working_dir: the closing quote is missing\n1: { has no end"},
	{"NUL in a text", "paths: { csv_filename = \"a\\x00b\"; };",
		"1: paths.csv_filename: a byte of 0 can't stand in a text"},
	{"comment not closed", "dns: { tries = 1; };\n/* x\n dns: { }",
		"2: the comment that starts here has no end"},
	{"brace not closed", "dns: {\ntries = 9;\n",
		"1: { has no end\n2: dns.tries: wants a number from 1 to 8"},
	{"brace forgotten before the next group",
		"dns: {\ntries = 1;\n\ndns_cache:\n{\nsize = 0; };",
		"4: dns_cache: stands inside of dns, whose } is missing (line 1)\n"
		"6: dns_cache.size: wants a number from 1 to 1048576 answers"},
	{"brace too many", "dns: { tries = 1; };\n};", "2: } closes nothing"},
	{"list not closed", "paths: { mail_log = [ \"/a\"; };\ndns: { tries = 0; };",
		"1: paths.mail_log: the list has no end\n2: dns.tries: wants a number from 1 to 8"},
	{"list closed otherwise", "paths: { mail_log = [ \"/a\" ); };",
		"1: ) closes the [ of line 1"},
	{"commas", "paths: { mail_log = [ \"/a\",, \"/b\" ]; };",
		"1: paths.mail_log: a text is missing"},
	{"no comma", "paths: { mail_log = ( \"/a\" 5 ); };",
		"1: paths.mail_log: a comma is missing"},
	{"an INI file", "[paths]\nworking_dir = /var/log\n",
		"1: [ has no name before it; this is not an INI file: a group is written paths: { "
		"... }"},
	{"@include", "@include \"/etc/other.conf\"\ndns: { tries = 0; };",
		"1: @include is not supported: the configuration is one file\n"
		"2: dns.tries: wants a number from 1 to 8"},
	{"too deep", "a:{b:{c:{d:{e:{f:{g:{h:{i:{j:{k:{l:{m:{n:{o:{p:{",
		"1: too many brackets in each other"},
	{"all of it in the order of the lines",
		"paths: {\nfoo = 1;\nmail_log = yes;\n};\n@include \"x\"\nbar: { };\ndns: { tries "
		"= 9; };",
		"2: paths.foo: unknown key\n"
		"3: paths.mail_log: yes is no value: true, false, a number, or text in quotes are\n"
		"5: @include is not supported: the configuration is one file\n6: bar: unknown "
		"group\n"
		"7: dns.tries: wants a number from 1 to 8"},

	/* Name servers */
	{"servers", "dns: { servers = \"127.0.0.1:5353,[::1]:53\"; };", NULL},
};

static int load(const char *text, size_t len, Config **ret_config, StrBuf *errors)
{
	_cleanup_close_ int fd = open(conf, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || file_write_full(fd, text, len))
		return -EIO;
	strbuf_reset(errors);
	return config_load(conf, ret_config, errors);
}

/* "PATH:1: x\n" becomes "1: x\n". */
static void append_without_path(StrBuf *to, const char *errors)
{
	size_t n = strlen(conf);
	const char *end;

	for (; (end = strchr(errors, '\n')); errors = end + 1) {
		if (!strncmp(errors, conf, n) && errors[n] == ':')
			errors += n + 1;
		strbuf_append(to, errors, (size_t)(end + 1 - errors));
	}
	strbuf_append_string(to, errors);
}

static void test_texts(void)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT, got = STRBUF_INIT, expected = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		Config *config = NULL;
		int r = load(texts[i].text, strlen(texts[i].text), &config, &errors);

		strbuf_reset(&got);
		strbuf_reset(&expected);
		append_without_path(&got, strbuf_text(&errors));
		if (texts[i].mistakes)
			strbuf_appendf(&expected, "%s\n", texts[i].mistakes);
		if (!tap_ok(r == (texts[i].mistakes ? -EINVAL : 0) &&
				    !strcmp(strbuf_text(&got), strbuf_text(&expected)),
			    "text: %s", texts[i].name))
			tap_note("%d, got %s", r, strbuf_text(&got));
		config_free(config);
	}
}

static const struct {
	const char *group, *key, *given, *kept;
} values[] = {
	{"dns", "enabled", "FALSE", "false"},
	{"dns", "tries", "0x3", "3"},
	{"dns", "tries", "007", "7"},
	{"dns", "timeout_ms", "60000", "60000"},
	{"general", "log_level", "\"warning\"", "\"WARNING\""},
	{"general", "log_file_max_bytes", "4096", "\"4 KiB\""},
	{"general", "log_file_max_bytes", "\"5 MiB\"", "\"5 MiB\""},
	{"general", "log_file_max_bytes", "5000000000", "\"5000000000 B\""},
	{"general", "log_file_max_bytes", "\"1024 GiB\"", "\"1024 GiB\""},
	{"general", "log_file", "\"\"", "\"\""},
	{"paths", "working_dir", "\"//a///b/\"", "\"/a/b\""},
	{"paths", "working_dir", "\"/\"", "\"/\""},
	{"paths", "mail_log", "\"/a\"", "\"/a\""},
	{"paths", "mail_log", "[ \"/a\" ]", "\"/a\""},
	{"paths", "mail_log", "( \"/b\", \"/a\" )", "[ \"/b\", \"/a\" ]"},
	{"paths", "csv_filename", "\"a b\\\"\\\\x\\x41\\n\"", "\"a b\\\"\\\\xA\\x0a\""},
	{"paths", "csv_filename", "\"\\xff\xc3\xa9\"", "\"\\xff\xc3\xa9\""},
	{"source", "type", "\"journal\"", "\"journal\""},
	{"source", "type", "\"auto\"", "\"auto\""},
	{"source", "journal_directory", "\"/j/\"", "\"/j\""},
	{"report", "email", "\"\"", "\"\""},
	{"report", "email", "[]", "\"\""},
	{"report", "email", "[ \"root\", \"a@example.org\" ]", "[ \"root\", \"a@example.org\" ]"},
	{"report", "subject_prefix", "\"\"", "\"\""},
	{"report", "subject_prefix", "\"[\xc3\xa9]\"", "\"[\xc3\xa9]\""},
	{"report", "transport", "\"sendmail\"", "\"sendmail\""},
	{"report", "smtp_url", "\"smtp+starttls://mail.example.org:2525/x.example.org\"",
		"\"smtp+starttls://mail.example.org:2525/x.example.org\""},
	{"report", "attach", "\"none\"", "\"none\""},
	{"report", "max_attachment", "4096", "\"4 KiB\""},
	{"report", "when_empty", "\"skip\"", "\"skip\""},
	{"schedule", "report_schedule", "\"off\"", "\"off\""},
	{"geolocation", "country_db_path", "\"\"",
		"\"/var/lib/maillogsentinel/db/user-country.mmdb\""},
	{"ASN_ASO", "asn_db_path", "\"/x\"", "\"/x\""},
	{"geolocation", "country_db_url", "\"https://h/x\"", "\"https://h/x\""},
	{"geolocation", "country_db_url", "\"\"", "\"\""},
	{"geolocation", "country_db_url", "[]", "\"\""},
	{"geolocation", "country_db_url", "[ \"https://h/x\", \"file:///y\" ]",
		"[ \"https://h/x\", \"file:///y\" ]"},
	{"ASN_ASO", "asn_db_checksum_url", "\"\"", "\"\""},
	{"database", "db_path", "\"\"", "\"/var/lib/maillogsentinel/maillogsentinel.sqlite\""},
	{"database", "sql_export_dir", "\"\"", "\"/var/lib/maillogsentinel/sql\""},
	{"database", "sql_export_dir", "\"/x/\"", "\"/x\""},
	{"database", "table", "\"a234567890b234567890c234567890d234567890\"",
		"\"a234567890b234567890c234567890d234567890\""},
	{"database", "columns", "[]", "\"\""},
	{"database", "columns", "\"user=\"", "\"user=\""},
	{"database", "columns", "[ \"user=login\", \"aso=\" ]", "[ \"user=login\", \"aso=\" ]"},
};

/* What the columns are called in the database. */
static void test_columns(void)
{
	static const struct {
		const char *text, *names;
	} rows[] = {
		{"", "server date ip username hostname reverse_dns_status country_code asn aso"},
		{"database: { columns = [ \"user=\", \"aso=_9\", \"server=user\" ]; };",
			"user date ip - hostname reverse_dns_status country_code asn _9"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(config_freep) Config *config = NULL;
		_cleanup_strbuf_ StrBuf errors = STRBUF_INIT, got = STRBUF_INIT;
		SqlTable table;
		Why why;

		if (!tap_ok(!load(rows[i].text, strlen(rows[i].text), &config, &errors),
			    "columns of '%s'", rows[i].text))
			continue;
		if (!tap_ok(!config_sql_table(config, &table, &why), "are known"))
			continue;
		for (size_t j = 0; j < COLUMN_COUNT; j++)
			strbuf_appendf(&got, "%s%s", j ? " " : "",
				*table.columns[j] ? table.columns[j] : "-");
		if (!tap_ok(!strcmp(strbuf_text(&got), rows[i].names), "are %s", rows[i].names))
			tap_note("got %s", strbuf_text(&got));
	}
}

/* Which URLs are left of the defaults. */
static void test_urls(void)
{
	static const struct {
		const char *text;
		bool url, checksum;
	} rows[] = {
		{"", true, true},
		{"geolocation: { country_db_path = \"/x\"; };", false, false},
		{"geolocation: { country_db_path = "
		 "\"/var/lib/maillogsentinel/db/user-country.mmdb\"; };",
			true, true},
		{"geolocation: { country_db_path = \"/x\"; country_db_url = \"https://h/x\"; };",
			true, false},
		{"geolocation: { country_db_url = \"https://h/x\"; };", true, false},
		{"geolocation: { country_db_url = \"\"; };", false, false},
		{"geolocation: { country_db_url = \"https://h/x\"; country_db_checksum_url = "
		 "\"https://h/s\"; };",
			true, true},
		{"geolocation: { country_db_checksum_url = \"\"; };", true, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(config_freep) Config *config = NULL;
		_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;

		if (!tap_ok(!load(rows[i].text, strlen(rows[i].text), &config, &errors),
			    "URLs of '%s'", rows[i].text)) {
			tap_note("%s", strbuf_text(&errors));
			continue;
		}
		tap_ok(!config->geolocation.country_db_url[0] == !rows[i].url &&
				!config->geolocation.country_db_checksum_url[0] ==
					!rows[i].checksum,
			"%s and %s", rows[i].url ? "a URL" : "none",
			rows[i].checksum ? "a checksum" : "none");
	}
}

static void test_values(void)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, errors = STRBUF_INIT, got = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const ConfigOption *option =
			config_option_find(values[i].group, values[i].key, NULL);
		_cleanup_(config_freep) Config *config = NULL;

		strbuf_reset(&text);
		strbuf_reset(&got);
		strbuf_appendf(&text, "\n%s: { %s = %s; };", values[i].group, values[i].key,
			values[i].given);
		if (!load(text.data, text.len, &config, &errors))
			config_option_format(option, config, &got);
		if (!tap_ok(!strcmp(strbuf_text(&got), values[i].kept) &&
				    config->lines[option - config_options] == 2,
			    "value: %s.%s = %s", values[i].group, values[i].key, values[i].given))
			tap_note("got %s %s", strbuf_text(&got), strbuf_text(&errors));
	}
}

static void test_defaults(void)
{
	_cleanup_(config_freep) Config *config = NULL;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	_cleanup_free_ char *csv = NULL;

	if (!tap_ok(!load("", 0, &config, &errors), "an empty file is a configuration"))
		return;
	csv = config_csv_path_dup(config);
	tap_ok(!strcmp(config->path, conf), "path is the file");
	tap_ok(csv && !strcmp(csv, "/var/log/maillogsentinel/maillogsentinel.csv"),
		"path of the CSV");
	tap_ok(!strcmp(config->paths.state_dir, "/var/lib/maillogsentinel") &&
			!strcmp(config->paths.mail_log[0], "/var/log/mail.log") &&
			!config->paths.mail_log[1],
		"paths");
	tap_ok(!strcmp(config->geolocation.country_db_path,
		       "/var/lib/maillogsentinel/db/user-country.mmdb") &&
			!strcmp(config->asn_aso.asn_db_path,
				"/var/lib/maillogsentinel/db/origin-asn.mmdb"),
		"databases are in state_dir");
	tap_ok(config->geolocation.country_db_url[0] && config->asn_aso.asn_db_url[0] &&
			config->geolocation.country_db_checksum_url[0] &&
			config->asn_aso.asn_db_checksum_url[0],
		"they have URLs and checksums");
	tap_ok(config->general.log_level == LOG_LEVEL_INFO && !*config->general.log_file &&
			config->general.log_file_max_bytes == 1 << 20 &&
			config->general.log_file_backup_count == 5,
		"general");
	tap_ok(config->dns.enabled && !*config->dns.servers && config->dns.timeout_ms == 1000 &&
			config->dns.tries == 2 && config->dns.max_in_flight == 128,
		"dns");
	tap_ok(config->dns_cache.enabled && config->dns_cache.size == 4096 &&
			config->dns_cache.ttl_seconds == 3600,
		"dns_cache");
}

/* The table's own order: a group's options stand together, and groups as config_groups lists them. */
static void test_table(void)
{
	size_t group = 0, wrong = 0;

	for (size_t i = 0; i < config_option_count; i++) {
		while (group < config_group_count &&
			strcmp(config_groups[group].name, config_options[i].group) != 0)
			group++;
		wrong += group == config_group_count;
		wrong += !config_options[i].help || strchr(config_options[i].help, '\n');
		for (size_t j = 0; j < i; j++)
			wrong += config_options[i].offset == config_options[j].offset ||
				 (!strcmp(config_options[i].group, config_options[j].group) &&
					 !strcmp(config_options[i].key, config_options[j].key));
	}
	tap_ok(!wrong, "the table of options is in order");
}

static bool dump_text(const char *text, size_t len, StrBuf *ret_dump, StrBuf *errors)
{
	_cleanup_(config_freep) Config *config = NULL;

	strbuf_reset(ret_dump);
	if (load(text, len, &config, errors))
		return false;
	config_dump(config, ret_dump);
	return !strbuf_error(ret_dump);
}

static void test_dump(void)
{
	static const char text[] =
		"paths: { working_dir = \"/a \\\"b\\\\\\x41\\x07\\xff\xc3\xa9#/*\"; state_dir = "
		"\"/s\";\n"
		" mail_log = ( \"/1\", \"/2\\\\x41\" ); csv_filename = \"x.csv\"; };\n"
		"general: { log_level = \"debug\"; log_file = \"/l\"; log_file_max_bytes = 123457; "
		"};\n"
		"dns: { enabled = false; tries = 3; }; dns_cache: { enabled = false; size = 1; };";
	_cleanup_strbuf_ StrBuf first = STRBUF_INIT, second = STRBUF_INIT, errors = STRBUF_INIT;

	tap_ok(dump_text(text, sizeof(text) - 1, &first, &errors) &&
			strstr(first.data, "\"/a \\\"b\\\\A\\x07\\xff\xc3\xa9#/*\"") &&
			strstr(first.data, "[ \"/1\", \"/2\\\\x41\" ]") &&
			strstr(first.data, "\"/s/db/origin-asn.mmdb\""),
		"dump: the values in force");
	if (!tap_ok(dump_text(first.data, first.len, &second, &errors) &&
			    !strcmp(first.data, second.data),
		    "dump: reads back to the same"))
		tap_note("%s %s", strbuf_text(&errors), second.data);
}

static void test_default_file(void)
{
	_cleanup_strbuf_ StrBuf path = STRBUF_INIT, file = STRBUF_INIT, bare = STRBUF_INIT,
				defaults = STRBUF_INIT, got = STRBUF_INIT, errors = STRBUF_INIT;
	const char *root = getenv("MLS_SOURCE_ROOT");
	size_t settings = 0, missing = 0;

	strbuf_appendf(&path, "%s/packaging/maillogsentinel.conf", root ? root : ".");
	if (!tap_ok(!file_read(path.data, 1 << 20, &file), "default file: is there"))
		return;
	(void)dump_text("", 0, &defaults, &errors);
	tap_ok(dump_text(file.data, file.len, &got, &errors) && !strcmp(got.data, defaults.data),
		"default file: as it is, changes nothing");

	for (const char *p = file.data; *p;) {
		const char *end = strchrnul(p, '\n');

		/* "\t#key = value;": a comment of prose has a blank behind the sign. */
		if (!strncmp(p, "\t#", 2) && p[2] != ' ') {
			settings++;
			p += 2;
		}
		strbuf_append(&bare, p, (size_t)(end - p));
		strbuf_append_char(&bare, '\n');
		p = *end ? end + 1 : end;
	}
	if (!tap_ok(dump_text(bare.data, bare.len, &got, &errors) &&
			    !strcmp(got.data, defaults.data),
		    "default file: with all options in force, the same"))
		tap_note("%s", strbuf_text(&errors));

	for (size_t i = 0; i < config_option_count; i++) {
		const ConfigOption *option = &config_options[i];
		_cleanup_strbuf_ StrBuf line = STRBUF_INIT;

		strbuf_append_string(&line, "\t# ");
		config_option_describe(option, &line);
		strbuf_appendf(&line, "\n\t#%s = ", option->key);
		if (!strstr(file.data, line.data)) {
			missing++;
			tap_note("missing: %s", line.data);
		}
	}
	tap_ok(!missing && settings == config_option_count,
		"default file: names every option once, with its help");
}

static void test_files(void)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT, path = STRBUF_INIT, large = STRBUF_INIT,
				expected = STRBUF_INIT;
	Config *config = NULL;
	int r;

	strbuf_appendf(&path, "%s/missing.conf", dir);
	strbuf_appendf(&expected, "%s: No such file or directory\n", path.data);
	r = config_load(path.data, &config, &errors);
	tap_ok(r == -ENOENT && !strcmp(errors.data, expected.data), "file: that is missing");

	strbuf_reset(&errors);
	strbuf_reset(&expected);
	strbuf_appendf(&expected, "%s: Is a directory\n", dir);
	r = config_load(dir, &config, &errors);
	tap_ok(r == -EISDIR && !strcmp(errors.data, expected.data), "file: that is a directory");

	for (size_t i = 0; i < (2 << 20) / 8; i++)
		strbuf_append_string(&large, "# large\n");
	strbuf_reset(&expected);
	strbuf_appendf(&expected, "%s: is too large for a configuration file\n", conf);
	r = load(large.data, large.len, &config, &errors);
	tap_ok(r == -EFBIG && !strcmp(errors.data, expected.data), "file: that is too large");

	strbuf_reset(&expected);
	strbuf_appendf(
		&expected, "%s:2: byte 0x00 is no text: this is no configuration file\n", conf);
	r = load("dns: {};\n\0x", 11, &config, &errors);
	tap_ok(r == -EINVAL && !strcmp(errors.data, expected.data), "file: with a NUL");

	strbuf_reset(&large);
	strbuf_appendf(
		&large, "paths: { working_dir = \"/%04094d\"; csv_filename = \"%0255d\"; };", 0, 0);
	tap_ok(!load(large.data, large.len, &config, &errors),
		"file: with names as long as can be");
	config_free(TAKE(config));
	strbuf_reset(&large);
	strbuf_appendf(
		&large, "paths: { working_dir = \"/%04095d\"; csv_filename = \"%0256d\"; };", 0, 0);
	strbuf_reset(&expected);
	strbuf_appendf(&expected,
		"%s:1: paths.working_dir: is longer than 4095 bytes\n"
		"%s:1: paths.csv_filename: is longer than 255 bytes\n",
		conf, conf);
	r = load(large.data, large.len, &config, &errors);
	tap_ok(r == -EINVAL && !strcmp(errors.data, expected.data), "file: with names too long");

	strbuf_reset(&large);
	for (int i = 0; i < 300; i++)
		strbuf_appendf(&large, "g%d: { };\n", i);
	strbuf_reset(&expected);
	strbuf_appendf(&expected, "%s: and 200 more\n", conf);
	r = load(large.data, large.len, &config, &errors);
	tap_ok(r == -EINVAL && strstr(errors.data, expected.data), "file: with 300 mistakes");

	strbuf_reset(&large);
	for (int i = 0; i < 1100; i++)
		strbuf_appendf(&large, "g%d: { };\n", i);
	r = load(large.data, large.len, &config, &errors);
	strbuf_reset(&expected);
	strbuf_appendf(&expected, "%s:1001: more than 1000 settings\n", conf);
	tap_ok(r == -EINVAL && !strcmp(errors.data, expected.data), "file: with too many settings");
}

static uint64_t random_state;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/*
 * Damaged files: each is a configuration or has mistakes, and every mistake is one line with the path. The first pass leaves
 * nothing to libconfig that it would stop at, so that its words never show.
 */
static void test_damaged(void)
{
	static const char good[] =
		"paths: {\n\tworking_dir = \"/var/log\"; # c\n\tmail_log = [ \"/a\", \"/b\" "
		"];\n};\n"
		"general: { log_level = \"INFO\"; log_file_max_bytes = \"1 MiB\"; };\n"
		"dns: { enabled = true; tries = 2, timeout_ms: 0x100 };\n/* x */\ndns_cache: { "
		"size = 5L; };\n";
	static const char *const pieces[] = {"{", "}", "[", "]", "(", ")", "\"", ";", ",", "=", ":",
		"#", "/*", "*/", "//", "\\", "\n", " ", "*", "@include \"x\"", "true", "yes", "5",
		"-", "0x", "1.5e", "99999999999999999999", "paths: {", "dns", "\\x00", "\xff", "\r",
		"L", "+"};
	const char *given = getenv("MLS_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, errors = STRBUF_INIT;
	size_t wrong = 0, stopped = 0, accepted = 0;
	int rounds = getenv("MLS_TEST_SMALL") ? 400 : 4000;
	/* A configuration without a name, as a job of the daemon gets it. */
	_cleanup_close_ int fd = memfd_create("config", MFD_CLOEXEC);
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	tap_note("MLS_SEED=%" PRIu64, seed);
	random_state = seed ^ 0x9e3779b97f4a7c15ULL;
	for (int round = 0; round < rounds; round++) {
		Config *config = NULL;
		size_t changes = 1 + random_u64() % 3;
		int r;

		strbuf_reset(&text);
		strbuf_append_string(&text, good);
		while (changes--) {
			_cleanup_free_ char *tail = NULL;
			size_t at = random_u64() % (text.len + 1), cut = random_u64() % 4;
			const char *piece = pieces[random_u64() % ARRAY_SIZE(pieces)];

			cut = MIN(cut, text.len - at);
			tail = strdup(text.data + at + cut);
			text.len = at;
			strbuf_appendf(
				&text, "%s%s", random_u64() % 4 ? piece : "", tail ? tail : "");
		}
		strbuf_reset(&errors);
		if (ftruncate(fd, 0) < 0 || pwrite(fd, text.data, text.len, 0) != (ssize_t)text.len)
			wrong++;
		r = config_load(path, &config, &errors);
		accepted += !r;
		if (r && (r != -EINVAL || strncmp(strbuf_text(&errors), path, strlen(path)) != 0))
			wrong++;
		if (strstr(strbuf_text(&errors), " near ") && !stopped++)
			tap_note("%s%s", errors.data, text.data);
		config_free(config);
	}
	tap_ok(!wrong, "%d damaged files: accepted (%zu) or refused with a reason", rounds,
		accepted);
	tap_ok(!stopped, "%d damaged files: libconfig stops at none", rounds);
}

static const char *file_in(const char *name)
{
	static char path[300];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void make_file(const char *name, mode_t mode)
{
	int fd = open(file_in(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0) {
		(void)fchmod(fd, mode);
		(void)close(fd);
	}
}

/* @ stands for the directory, on both sides; what a row does not set is there and can be used. */
static const struct {
	const char *name;
	const char *working_dir, *state_dir, *mail_log, *csv_filename, *country, *asn, *log_file;
	const char *sql_schedules, *database;
	const char *errors, *notes; /* each line without the path of the file */
} path_rows[] = {
	{"all is there", .errors = "", .notes = ""},
	{"working_dir is missing", .working_dir = "@/no",
		.errors = "2: paths.working_dir: @/no: No such file or directory\n", .notes = ""},
	{"working_dir can't be written", .working_dir = "@/readonly",
		.errors = "2: paths.working_dir: @/readonly: Permission denied\n", .notes = ""},
	{"state_dir is a file", .state_dir = "@/csv",
		.errors = "3: paths.state_dir: @/csv: is not a directory\n", .notes = ""},
	{"a log is missing, and its directory", .mail_log = "@/no/log", .errors = "",
		.notes = "4: note: paths.mail_log: @/no/log: is not there yet; it is waited for\n"},
	{"a log is a directory", .mail_log = "@/dir",
		.errors = "4: paths.mail_log: @/dir: is not a regular file\n", .notes = ""},
	{"a log is in a file", .mail_log = "@/log/x",
		.errors = "4: paths.mail_log: @/log/x: Not a directory\n", .notes = ""},
	{"a log can't be read", .mail_log = "@/secret",
		.errors = "4: paths.mail_log: @/secret: Permission denied\n", .notes = ""},
	{"the CSV is a directory", .csv_filename = "dir",
		.errors = "5: paths.csv_filename: @/dir: is not a regular file\n", .notes = ""},
	{"the CSV can't be written", .csv_filename = "fixed",
		.errors = "5: paths.csv_filename: @/fixed: Permission denied\n", .notes = ""},
	{"the CSV is new", .csv_filename = "new.csv", .errors = "", .notes = ""},
	{"the CSV is the log", .csv_filename = "log",
		.errors = "5: paths.csv_filename: @/log: is a paths.mail_log too\n", .notes = ""},
	{"the CSV is a link to the log", .csv_filename = "link",
		.errors = "5: paths.csv_filename: @/link: is a paths.mail_log too\n", .notes = ""},
	{"the CSV is the checkpoint", .csv_filename = "state.offset", .state_dir = "@",
		.errors = "5: paths.csv_filename: @/state.offset: is a file that this program "
			  "keeps in paths.state_dir\n",
		.notes = ""},
	{"the CSV is a reader's place", .csv_filename = "sql-export.offset", .state_dir = "@",
		.errors = "5: paths.csv_filename: @/sql-export.offset: is a file that this program "
			  "keeps in paths.state_dir\n",
		.notes = ""},
	{"the log file is the status", .log_file = "@/status", .state_dir = "@",
		.errors = "9: general.log_file: @/status: is a file that this program keeps in "
			  "paths.state_dir\n",
		.notes = ""},
	{"the CSV and the log are new and the same", .csv_filename = "new", .mail_log = "@/new",
		.errors = "5: paths.csv_filename: @/new: is a paths.mail_log too\n",
		.notes = "4: note: paths.mail_log: @/new: is not there yet; it is waited for\n"},
	{"a database is a directory", .country = "@/dir",
		.errors = "7: geolocation.country_db_path: @/dir: is not a regular file\n",
		.notes = ""},
	{"the databases are missing", .country = "@/no", .asn = "@/none", .errors = "",
		.notes = "7: note: geolocation.country_db_path: @/no: is not there; countries stay "
			 "unknown\n"
			 "8: note: ASN_ASO.asn_db_path: @/none: is not there; networks and "
			 "organisations stay unknown\n"},
	{"the log file is the CSV", .log_file = "@/csv",
		.errors = "9: general.log_file: @/csv: is paths.csv_filename too\n", .notes = ""},
	{"the log file has no directory", .log_file = "@/no/x",
		.errors = "9: general.log_file: @/no/x: No such file or directory\n", .notes = ""},
	{"the log file can't be rotated", .log_file = "@/readonly/x",
		.errors = "9: general.log_file: @/readonly/x: Permission denied\n", .notes = ""},
	{"the log file is new", .log_file = "@/new.log", .errors = "", .notes = ""},
	{"the files of SQL are to be made", .sql_schedules = "*:0/5",
		.database = "sql_export_dir = \"@/dir/new\"; db_path = \"@/dir/new.sqlite\";",
		.errors = "", .notes = ""},
	{"the files of SQL have no place", .sql_schedules = "*:0/5",
		.database = "sql_export_dir = \"@/readonly/new\"; db_path = \"@/no/x\";",
		.errors = "11: database.sql_export_dir: @/readonly/new: Permission denied\n"
			  "11: database.db_path: @/no/x: No such file or directory\n",
		.notes = ""},
	{"the files of SQL have a file for a directory", .sql_schedules = "*:0/5",
		.database = "sql_export_dir = \"@/csv\"; db_path = \"@/dir\";",
		.errors = "11: database.sql_export_dir: @/csv: is not a directory\n"
			  "11: database.db_path: @/dir: is not a regular file\n",
		.notes = ""},
	{"SQLite can make no files beside its own", .sql_schedules = "*:0/5",
		.database = "db_path = \"@/readonly/x\";",
		.errors = "11: database.db_path: @/readonly/x: Permission denied\n", .notes = ""},
	{"no schedule, no need", .database = "sql_export_dir = \"@/readonly/new\";", .errors = "",
		.notes = ""},
	{"a schedule that is off", .sql_schedules = "off",
		.database = "sql_export_dir = \"@/readonly/new\";", .errors = "", .notes = ""},
	{"the database is the CSV", .database = "db_path = \"@/csv\";",
		.errors = "11: database.db_path: @/csv: is paths.csv_filename too\n", .notes = ""},
	{"the database is what this program keeps",
		.database = "db_path = \"@/sql-import.offset\";", .state_dir = "@",
		.errors = "11: database.db_path: @/sql-import.offset: is a file that this program "
			  "keeps in paths.state_dir\n",
		.notes = ""},
	{"the country database is SQLite's", .country = "@/csv2",
		.database = "db_path = \"@/csv2\";",
		.errors = "7: geolocation.country_db_path: @/csv2: is database.db_path too\n",
		.notes = "7: note: geolocation.country_db_path: @/csv2: is not there; countries "
			 "stay "
			 "unknown\n"},
	{"a server's files are there",
		.database = "db_type = \"mysql\"; db_password_file = \"@/log\"; db_ca_file = "
			    "\"@/open\"; db_path = \"@/csv\";",
		.errors = "", .notes = ""},
	{"a server's files are not",
		.database = "db_type = \"postgresql\"; db_password_file = \"@/no\"; db_ca_file = "
			    "\"@/no\";",
		.errors = "11: database.db_password_file: @/no: No such file or directory\n"
			  "11: database.db_ca_file: @/no: No such file or directory\n",
		.notes = ""},
	{"a password that all may read",
		.database = "db_type = \"postgresql\"; db_password_file = \"@/open\";",
		.errors = "11: database.db_password_file: @/open: can be read by everybody on this "
			  "host (chmod o= would change that)\n",
		.notes = ""},
	{"SQLite asks for no password", .database = "db_password_file = \"@/open\";", .errors = "",
		.notes = ""},
};

static void append_with_dir(StrBuf *to, const char *text)
{
	for (; *text; text++)
		if (*text == '@')
			strbuf_append_string(to, dir);
		else
			strbuf_append_char(to, *text);
}

static void append_setting(
	StrBuf *to, const char *before, const char *value, const char *fallback, const char *after)
{
	strbuf_appendf(to, "%s = \"", before);
	append_with_dir(to, value ? value : fallback);
	strbuf_appendf(to, "\";%s\n", after);
}

static bool same_without_path(const StrBuf *got, const char *expected)
{
	_cleanup_strbuf_ StrBuf bare = STRBUF_INIT, text = STRBUF_INIT;

	append_without_path(&bare, strbuf_text(got));
	append_with_dir(&text, expected);
	return !strcmp(strbuf_text(&bare), strbuf_text(&text));
}

static void test_paths(void)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, errors = STRBUF_INIT, notes = STRBUF_INIT;

	/* Root may do everything, so be nobody. */
	if (!geteuid() &&
		(chown(dir, 65534, 65534) < 0 || unlink(conf) < 0 || seteuid(65534) < 0)) {
		tap_ok(false, "become another user");
		return;
	}
	make_file("log", 0600);
	make_file("csv", 0600);
	make_file("country", 0600);
	make_file("asn", 0600);
	make_file("secret", 0);
	make_file("fixed", 0400);
	make_file("open", 0604);
	(void)mkdir(file_in("dir"), 0700);
	(void)mkdir(file_in("readonly"), 0500);
	(void)!symlink("log", file_in("link"));
	for (size_t i = 0; i < ARRAY_SIZE(path_rows); i++) {
		_cleanup_(config_freep) Config *config = NULL;
		int r;

		strbuf_reset(&text);
		strbuf_append_string(&text, "paths: {\n");
		append_setting(&text, "working_dir", path_rows[i].working_dir, "@", "");
		append_setting(&text, "state_dir", path_rows[i].state_dir, "@", "");
		append_setting(&text, "mail_log", path_rows[i].mail_log, "@/log", "");
		append_setting(&text, "csv_filename", path_rows[i].csv_filename, "csv", "");
		strbuf_append_string(&text, "};\n");
		append_setting(&text, "geolocation: { country_db_path", path_rows[i].country,
			"@/country", " };");
		append_setting(&text, "ASN_ASO: { asn_db_path", path_rows[i].asn, "@/asn", " };");
		append_setting(&text, "general: { log_file", path_rows[i].log_file, "", " };");
		append_setting(&text, "schedule: { sql_export_schedule", path_rows[i].sql_schedules,
			"", "");
		text.len--;
		append_setting(
			&text, " sql_import_schedule", path_rows[i].sql_schedules, "", " };");
		strbuf_append_string(&text, "database: {");
		append_with_dir(&text, path_rows[i].database ? path_rows[i].database : "");
		strbuf_append_string(&text, "};\n");
		r = load(text.data, text.len, &config, &errors);
		strbuf_reset(&errors);
		strbuf_reset(&notes);
		if (!r)
			r = config_check_paths(config, &errors, &notes);
		if (!tap_ok(r == (*path_rows[i].errors ? -EINVAL : 0) &&
				    same_without_path(&errors, path_rows[i].errors) &&
				    same_without_path(&notes, path_rows[i].notes),
			    "paths: %s", path_rows[i].name))
			tap_note("%d, got %s and %s", r, strbuf_text(&errors), strbuf_text(&notes));
	}
	if (!getuid() && seteuid(0) < 0)
		tap_ok(false, "be root again");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/test-config-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(conf, sizeof(conf), "%s/test.conf", dir);
	test_table();
	test_defaults();
	test_texts();
	test_values();
	test_urls();
	test_columns();
	test_dump();
	test_default_file();
	test_files();
	test_damaged();
	test_paths();
	(void)nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
