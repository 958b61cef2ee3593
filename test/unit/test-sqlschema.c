/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sqlschema.h"

#include "build-config.h"
#include "scratch.h"
#include "tap.h"

#define WAIT_MS 50

static SqlTable table_of(SqlDialect dialect, const char *name, const char *const *mappings)
{
	SqlTable table;

	MUST(!sql_table_init(&table, dialect, name));
	for (; mappings && *mappings; mappings++)
		MUST(!sql_table_map(&table, *mappings, NULL));
	MUST(!sql_table_check(&table, NULL));
	return table;
}

/* ---- words ---------------------------------------------------------------------------------- */

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

/* A mapping, and how much of everything there is then, in each dialect. */
static const struct {
	const char *mappings[4];
	size_t views, indexes;
	const char *has, *lacks;
} texts[] = {
	{{NULL}, 4, 3, "username", "{"},
	{{"ip=address", "date=at"}, 4, 3, "address", "{"},
	{{"hostname=", "server="}, 4, 3, "reverse_dns_status", "hostname"},
	{{"aso="}, 2, 3, "asn", "aso"},
	{{"user="}, 2, 2, "_per_country", "_top_addresses"},
	{{"country_code="}, 2, 3, "_per_network", "_per_country"},
	{{"date=", "ip=", "user="}, 0, 0, "country_code", "_by_"},
};

static void test_words(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (SqlDialect d = 0; d < SQL_DIALECT_COUNT; d++) {
			_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
			SqlTable table = table_of(d, "some_table", texts[i].mappings);
			const char *text;

			sqlschema_append(&sb, &table);
			text = strbuf_text(&sb);
			tap_ok(!strbuf_error(&sb) &&
					count(text, "CREATE TABLE IF NOT EXISTS ") == 3 &&
					count(text, d == SQL_SQLITE
							    ? "\nCREATE VIEW "
							    : "\nCREATE OR REPLACE VIEW ") ==
						texts[i].views &&
					count(text, "CREATE INDEX ") == texts[i].indexes &&
					count(text, " (version) VALUES (") == SQLSCHEMA_VERSION &&
					strstr(text, texts[i].has) &&
					!strstr(text, texts[i].lacks) &&
					!strcmp(text + sb.len - 2, ";\n") &&
					count(text, ";") == count(text, ";\n"),
				"%s, mapping %zu: what there is", sql_dialect_name(d), i);
		}
}

/* A longest name is short enough for all that is made of it: PostgreSQL would cut it at 63, MySQL refuse it above 64. */
static void test_long_name(void)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz_0123456789_xy";

	for (SqlDialect d = 0; d < SQL_DIALECT_COUNT; d++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		SqlTable table = table_of(d, name, NULL);
		size_t longest = 0;

		sqlschema_append(&sb, &table);
		MUST(!strbuf_error(&sb));
		for (const char *p = sb.data; (p = strstr(p, name)); p++)
			longest = MAX(longest, strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789"));
		tap_ok(sizeof(name) - 1 == SQL_NAME_MAX && longest > SQL_NAME_MAX && longest <= 63,
			"%s: names of %zu bytes at most", sql_dialect_name(d), longest);
	}
}

#if HAVE_SQLITE
/* ---- in SQLite ------------------------------------------------------------------------------ */

static Sink *open_sink(void)
{
	SinkOptions options = {.dialect = SQL_SQLITE, .path = "db", .timeout_ms = WAIT_MS};
	Sink *sink = NULL;
	Why why = {""};

	if (sink_open(&options, &sink, &why)) {
		tap_note("%s", why.text);
		MUST(!"the database can be opened");
	}
	return sink;
}

static int take_text(void *userdata, const char *const *values, size_t n)
{
	StrBuf *sb = userdata;

	for (size_t i = 0; i < n; i++)
		strbuf_appendf(sb, "%s%s", sb->len ? " " : "", values[i] ? values[i] : "-");
	return strbuf_error(sb);
}

/* The answer, its values joined by blanks. */
static const char *ask(Sink *sink, const char *query)
{
	static StrBuf answer = STRBUF_INIT;
	Why why = {""};

	strbuf_reset(&answer);
	if (sink_query(sink, query, take_text, &answer, &why))
		strbuf_appendf(&answer, "error: %s", why.text);
	return strbuf_text(&answer);
}

#define VERSIONS "SELECT version FROM t_schema ORDER BY version"
#define OBJECTS                                                                       \
	"SELECT replace(name, 't_', '') FROM sqlite_master WHERE name GLOB 't_*' AND" \
	" type <> 'table' ORDER BY type, name"
#define ALL_INDEXES "by_date by_ip by_username"
#define ALL_VIEWS "per_country per_day per_network top_addresses"
/* Changes with each change of the schema. */
#define SCHEMA "PRAGMA schema_version"

static bool answers(Sink *sink, const char *query, const char *expected)
{
	const char *got = ask(sink, query);

	if (!strcmp(got, expected))
		return true;
	tap_note("%s: got \"%s\", not \"%s\"", query, got, expected);
	return false;
}

static int prepare(Sink *sink, const SqlTable *table)
{
	Why why = {""};
	int r = sqlschema_prepare(sink, table, WAIT_MS, &why);

	if (r)
		tap_note("prepare: %d: %s", r, why.text);
	return r;
}

static int complete(Sink *sink, const SqlTable *table)
{
	Why why = {""};
	int r = sqlschema_complete(sink, table, WAIT_MS, &why);

	if (r)
		tap_note("complete: %d: %s", r, why.text);
	return r;
}

static void test_first_use(void)
{
	_cleanup_(sink_freep) Sink *sink = open_sink();
	SqlTable table = table_of(SQL_SQLITE, "t", NULL);
	_cleanup_free_ char *before = NULL;

	tap_ok(!prepare(sink, &table) && answers(sink, VERSIONS, "1") &&
			answers(sink, OBJECTS, ALL_VIEWS) &&
			answers(sink, "SELECT count(*) FROM t, t_batches", "0"),
		"an empty database gets what rows need");
	tap_ok(!complete(sink, &table) && answers(sink, VERSIONS, "1 2") &&
			answers(sink, OBJECTS, ALL_INDEXES " " ALL_VIEWS),
		"and the indexes later");
	MUST(before = strdup(ask(sink, SCHEMA)));
	tap_ok(!prepare(sink, &table) && !complete(sink, &table) && answers(sink, SCHEMA, before),
		"then nothing is changed");
	MUST(!sink_execute(sink, "PRAGMA query_only = ON", NULL));
	tap_ok(!prepare(sink, &table) && !complete(sink, &table), "nor must it be possible");
	MUST(!sink_execute(sink, "PRAGMA query_only = OFF", NULL));

	MUST(!sink_execute(sink, "DROP INDEX t_by_ip", NULL));
	tap_ok(!prepare(sink, &table) && !complete(sink, &table) &&
			answers(sink, OBJECTS, "by_date by_username " ALL_VIEWS),
		"an index that somebody dropped stays so");
	scratch_empty();
}

/* What is done by hand is good for the program, at once and where it is done again. */
static void test_by_hand(void)
{
	_cleanup_(sink_freep) Sink *sink = open_sink();
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	SqlTable table = table_of(SQL_SQLITE, "t", NULL);
	_cleanup_free_ char *before = NULL;
	int r = 0;

	for (int i = 0; i < 2; i++) {
		char *end;

		strbuf_reset(&sb);
		sqlschema_append(&sb, &table);
		MUST(!strbuf_error(&sb));
		for (char *p = sb.data; (end = strstr(p, ";\n")); p = end + 2) {
			*end = '\0';
			r |= sink_execute(sink, p, NULL);
		}
	}
	MUST(before = strdup(ask(sink, SCHEMA)));
	tap_ok(!r && !prepare(sink, &table) && !complete(sink, &table) &&
			answers(sink, SCHEMA, before) && answers(sink, VERSIONS, "1 2"),
		"statements given by hand, twice, leave nothing to do");
	scratch_empty();
}

static void test_columns(void)
{
	static const char *const few[] = {"user=", "aso=", "ip=address", NULL};
	static const char *const other[] = {"ip=address", NULL};
	_cleanup_(sink_freep) Sink *sink = open_sink();
	SqlTable table = table_of(SQL_SQLITE, "t", few);

	tap_ok(!prepare(sink, &table) && !complete(sink, &table) &&
			answers(sink, OBJECTS, "by_date by_ip per_country"),
		"a view whose columns are left out is not made");
	MUST(!sink_execute(sink,
		"INSERT INTO t (instance, csv, byte_offset, address) VALUES ('i', 1, 2, '::1')",
		NULL));
	table = table_of(SQL_SQLITE, "t", other);
	tap_ok(!prepare(sink, &table) && answers(sink, VERSIONS, "1 2") &&
			answers(sink, OBJECTS, ALL_INDEXES " " ALL_VIEWS) &&
			answers(sink, "SELECT ip, failures, usernames FROM t_top_addresses",
				"::1 1 0"),
		"columns that come back later are added, with what needs them");
	tap_ok(answers(sink,
		       "SELECT type FROM pragma_table_info('t') WHERE name IN ('username', 'aso')",
		       "TEXT TEXT"),
		"with their types");
	table = table_of(SQL_SQLITE, "t", few);
	tap_ok(!prepare(sink, &table) && answers(sink, OBJECTS, ALL_INDEXES " " ALL_VIEWS),
		"and stay when they are left out again");
	scratch_empty();
}

/* Databases as they can be found: what was done to one, and what is said of it. */
static const struct {
	const char *name;
	const char *first[4]; /* done to an empty database, or one that is complete */
	bool complete;
	int result;
	const char *why;
} found[] = {
	{"nothing", {NULL}, false, 0, ""},
	{"another's table", {"CREATE TABLE t (x)"}, false, -EEXIST,
		"t: there is a table of this name that this program did not make (there is no "
		"t_schema)"},
	{"another's ledger", {"CREATE TABLE t_batches (x)"}, false, -EEXIST,
		"t_batches: there is a table of this name that this program did not make (there is "
		"no "
		"t_schema)"},
	{"another's table by the name of a view", {"CREATE TABLE t_per_day (x)"}, false, -EBADMSG,
		NULL},
	{"a beginning without a version",
		{"CREATE TABLE t_schema (version INTEGER NOT NULL, made_at TEXT, PRIMARY KEY "
		 "(version))"},
		false, 0, ""},
	{"no ledger", {"DROP TABLE t_batches"}, true, 0, ""},
	{"neither table nor ledger", {"DROP TABLE t_batches", "DROP TABLE t"}, true, 0, ""},
	{"a ledger without its table", {"DROP TABLE t"}, true, -EEXIST,
		"t: the table is gone, but t_batches still names the batches that were in it: drop "
		"that "
		"as well to begin anew"},
	{"a newer version", {"INSERT INTO t_schema (version) VALUES (3)"}, true, -EPROTONOSUPPORT,
		"t: a newer version of this program made it (3, this one knows 2)"},
	{"a version that is no number",
		{"DROP TABLE t_schema", "CREATE TABLE t_schema (version)",
			"INSERT INTO t_schema VALUES ('x')"},
		true, -EBADMSG, "t_schema: a version is no number"},
};

static void test_found(void)
{
	SqlTable table = table_of(SQL_SQLITE, "t", NULL);

	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		_cleanup_(sink_freep) Sink *sink = open_sink();
		_cleanup_free_ char *before = NULL;
		Why why = {""};
		int r;

		if (found[i].complete)
			MUST(!prepare(sink, &table) && !complete(sink, &table));
		for (size_t k = 0; k < 4 && found[i].first[k]; k++)
			MUST(!sink_execute(sink, found[i].first[k], NULL));
		MUST(before = strdup(ask(sink, "SELECT group_concat(name) FROM sqlite_master")));
		r = sqlschema_prepare(sink, &table, WAIT_MS, &why);
		if (!r)
			r = sqlschema_complete(sink, &table, WAIT_MS, &why);
		tap_ok(r == found[i].result && (!found[i].why || !strcmp(why.text, found[i].why)) &&
				(!r || *why.text),
			"%s: %d", found[i].name, found[i].result);
		if (*why.text)
			tap_note("%d: %s", r, why.text);
		if (r)
			tap_ok(answers(sink, "SELECT group_concat(name) FROM sqlite_master",
				       before),
				"%s: and nothing was changed", found[i].name);
		else
			tap_ok(answers(sink, OBJECTS, ALL_INDEXES " " ALL_VIEWS) &&
					answers(sink, VERSIONS, "1 2"),
				"%s: all is there", found[i].name);
		scratch_empty();
	}
}

static void test_at_once(void)
{
	_cleanup_(sink_freep) Sink *sink = open_sink(), *other = open_sink();
	SqlTable table = table_of(SQL_SQLITE, "t", NULL);

	MUST(!sink_execute(other, "BEGIN IMMEDIATE", NULL));
	tap_ok(prepare(sink, &table) == SINK_AWAY,
		"another who is at work is waited for, but not for ever");
	MUST(!sink_execute(other, "ROLLBACK", NULL));
	tap_ok(!prepare(sink, &table) && !prepare(other, &table) && !complete(other, &table) &&
			!complete(sink, &table) && answers(sink, VERSIONS, "1 2"),
		"both may do it");
	scratch_empty();
}
#endif

int main(void)
{
	scratch_enter();
	test_words();
	test_long_name();
#if HAVE_SQLITE
	test_first_use();
	test_by_hand();
	test_columns();
	test_found();
	test_at_once();
#endif
	return tap_done();
}
