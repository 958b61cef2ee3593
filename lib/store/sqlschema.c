/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sqlschema.h"

#include "base/number.h"

/* ---- columns -------------------------------------------------------------------------------- */

/*
 * What is not limited in the CSV is not limited here. In PostgreSQL text sorts by its bytes, as in the other two; in MariaDB and MySQL
 * the table says so (TABLE_END).
 */
static const char *const column_types[COLUMN_COUNT][SQL_DIALECT_COUNT] = {
	[COLUMN_SERVER] = {"TEXT", "text COLLATE \"C\"", "MEDIUMTEXT"},
	[COLUMN_DATE] = {"TEXT", "timestamp(0) without time zone", "DATETIME"},
	/* MariaDB's INET6 shows an IPv4 address as ::ffff:..., and MySQL has none. */
	[COLUMN_IP] = {"TEXT", "inet", "VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin"},
	[COLUMN_USER] = {"TEXT", "text COLLATE \"C\"", "MEDIUMTEXT"},
	[COLUMN_HOSTNAME] = {"TEXT", "text COLLATE \"C\"", "MEDIUMTEXT"},
	[COLUMN_RDNS_STATUS] = {"TEXT", "text COLLATE \"C\"", "MEDIUMTEXT"},
	[COLUMN_COUNTRY_CODE] = {"TEXT", "text COLLATE \"C\"", "MEDIUMTEXT"},
	[COLUMN_ASN] = {"INTEGER", "bigint", "BIGINT"},
	[COLUMN_ASO] = {"TEXT", "text COLLATE \"C\"", "MEDIUMTEXT"},
};

static const char *const key_type[SQL_DIALECT_COUNT] = {
	"TEXT", "text COLLATE \"C\"", "CHAR(16) CHARACTER SET ascii COLLATE ascii_bin"};
static const char *const hash_type[SQL_DIALECT_COUNT] = {
	"TEXT", "text COLLATE \"C\"", "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin"};
static const char *const number_type[SQL_DIALECT_COUNT] = {"INTEGER", "bigint", "BIGINT"};

/* A moment in UTC that the database fills in. */
static const char *const moment_type[SQL_DIALECT_COUNT] = {
	"TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP",
	"timestamp(0) without time zone NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')",
	"DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP())"};

/*
 * "root " is not "root": the collation must not pad. Its name is another one in MariaDB, whose own comment MySQL doesn't look into, while
 * MariaDB passes over those for MySQL from 5.7 on.
 */
static const char *const table_end[SQL_DIALECT_COUNT] = {")", ")",
	") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 /*M! "
	"COLLATE=utf8mb4_nopad_bin */"
	" /*!80017 COLLATE=utf8mb4_0900_bin */"};

static void append_name(StrBuf *sb, const SqlTable *table, const char *suffix)
{
	sql_append_name(sb, table->dialect, table->name, suffix);
}

static void append_column(StrBuf *sb, const SqlTable *table, const char *name, const char *type)
{
	strbuf_append_string(sb, "  ");
	sql_append_name(sb, table->dialect, name, "");
	strbuf_append_char(sb, ' ');
	strbuf_append_string(sb, type);
}

static void append_table_begin(StrBuf *sb, const SqlTable *table, const char *suffix)
{
	strbuf_append_string(sb, "CREATE TABLE IF NOT EXISTS ");
	append_name(sb, table, suffix);
	strbuf_append_string(sb, " (\n");
}

static void append_table_end(StrBuf *sb, const SqlTable *table, const char *primary_key)
{
	strbuf_appendf(sb, "  PRIMARY KEY (%s)\n%s;\n", primary_key, table_end[table->dialect]);
}

static void append_version_table(StrBuf *sb, const SqlTable *table)
{
	append_table_begin(sb, table, SQLSCHEMA_VERSION_SUFFIX);
	append_column(sb, table, "version", number_type[table->dialect]);
	strbuf_append_string(sb, " NOT NULL,\n");
	append_column(sb, table, "made_at", moment_type[table->dialect]);
	strbuf_append_string(sb, ",\n");
	append_table_end(sb, table, "version");
}

static void append_rows_table(StrBuf *sb, const SqlTable *table)
{
	SqlDialect d = table->dialect;

	append_table_begin(sb, table, "");
	for (size_t i = 0; i < SQL_KEY_COUNT; i++) {
		append_column(sb, table, sql_key_columns[i], i ? number_type[d] : key_type[d]);
		strbuf_append_string(sb, " NOT NULL,\n");
	}
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (*table->columns[i]) {
			append_column(sb, table, table->columns[i], column_types[i][d]);
			strbuf_append_string(sb, ",\n");
		}
	append_table_end(sb, table, "instance, csv, byte_offset");
}

static void append_ledger_table(StrBuf *sb, const SqlTable *table)
{
	SqlDialect d = table->dialect;

	append_table_begin(sb, table, SQL_LEDGER_SUFFIX);
	for (size_t i = 0; i < SQL_LEDGER_COUNT; i++) {
		const char *name = sql_ledger_columns[i], *type = number_type[d];

		if (!strcmp(name, "instance"))
			type = key_type[d];
		else if (!strcmp(name, "hash"))
			type = hash_type[d];
		append_column(sb, table, name, type);
		strbuf_append_string(sb, " NOT NULL,\n");
	}
	append_column(sb, table, "imported_at", moment_type[d]);
	strbuf_append_string(sb, ",\n");
	append_table_end(sb, table, "instance, sequence");
}

/* ---- views ---------------------------------------------------------------------------------- */

/*
 * {x} is the table's column for the CSV's column x, {table} the table, and the rest is in words. A network has one name, and an
 * address one country and network, so that it has one row.
 */
static const struct {
	const char *suffix, *query;
} views[] = {
	{"_per_day",
		"SELECT {day} AS day, count(*) AS failures, count(DISTINCT {ip}) AS addresses,\n"
		"  count(DISTINCT {name}) AS usernames\n"
		"  FROM {table} GROUP BY {day} ORDER BY day"},
	{"_per_country", "SELECT {country_code} AS country_code, count(*) AS failures,\n"
			 "  count(DISTINCT {ip}) AS addresses,\n"
			 "  min({date}) AS first_seen, max({date}) AS last_seen\n"
			 "  FROM {table} GROUP BY {country_code} ORDER BY failures DESC"},
	{"_per_network", "SELECT {asn} AS asn, max({aso}) AS aso, count(*) AS failures,\n"
			 "  count(DISTINCT {ip}) AS addresses,\n"
			 "  min({date}) AS first_seen, max({date}) AS last_seen\n"
			 "  FROM {table} GROUP BY {asn} ORDER BY failures DESC"},
	{"_top_addresses",
		"SELECT {ip} AS ip, count(*) AS failures, count(DISTINCT {name}) AS usernames,\n"
		"  max({country_code}) AS country_code, max({asn}) AS asn, max({aso}) AS aso,\n"
		"  min({date}) AS first_seen, max({date}) AS last_seen\n"
		"  FROM {table} WHERE {ip} IS NOT NULL GROUP BY {ip}\n"
		"  ORDER BY failures DESC, last_seen DESC"},
};

static const struct {
	const char *word, *means[SQL_DIALECT_COUNT];
} words[] = {
	{"day", {"substr({date}, 1, 10)", "CAST({date} AS date)", "CAST({date} AS DATE)"}},
	/* MariaDB keeps texts without a limit apart on disk; with hashes of them it takes a third of the time. */
	{"name", {"{user}", "{user}", "unhex(md5({user}))"}},
};

/* False where a column that it needs is left out. */
static bool append_filled_in(StrBuf *sb, const SqlTable *table, const char *query)
{
	const char *brace, *end;

	while ((brace = strchr(query, '{'))) {
		Span name;
		size_t i = 0;

		strbuf_append(sb, query, (size_t)(brace - query));
		end = strchr(brace, '}');
		name = (Span){brace + 1, (size_t)(end - brace - 1)};
		query = end + 1;
		if (span_equal_string(name, "table")) {
			append_name(sb, table, "");
			continue;
		}
		while (i < ARRAY_SIZE(words) && !span_equal_string(name, words[i].word))
			i++;
		if (i < ARRAY_SIZE(words)) {
			if (!append_filled_in(sb, table, words[i].means[table->dialect]))
				return false;
			continue;
		}
		i = 0;
		while (i + 1 < COLUMN_COUNT && !span_equal_string(name, columns[i].name))
			i++;
		if (!*table->columns[i])
			return false;
		sql_append_name(sb, table->dialect, table->columns[i], "");
	}
	strbuf_append_string(sb, query);
	return true;
}

static void append_views(StrBuf *sb, const SqlTable *table)
{
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		size_t begin = sb->len;

		/* In the other two what was granted on the view, and what stands on it, stays so. */
		if (table->dialect == SQL_SQLITE) {
			strbuf_append_string(sb, "DROP VIEW IF EXISTS ");
			append_name(sb, table, views[i].suffix);
			strbuf_append_string(sb, ";\nCREATE VIEW ");
		} else {
			strbuf_append_string(sb, "CREATE OR REPLACE VIEW ");
		}
		append_name(sb, table, views[i].suffix);
		strbuf_append_string(sb, " AS\n");
		if (append_filled_in(sb, table, views[i].query))
			strbuf_append_string(sb, ";\n");
		else
			strbuf_truncate(sb, begin);
	}
}

/* ---- indexes -------------------------------------------------------------------------------- */

/*
 * An index entry of PostgreSQL's btree has at most 2.7 kB, and one of InnoDB's 3 kB, which a name from outside may exceed: there a SP-GiST
 * (a hash would be walked from end to end for each row of a name that most rows have), here its beginning.
 */
static const struct {
	const char *suffix, *what[SQL_DIALECT_COUNT];
} indexes[] = {
	{"_by_date", {"({date})", "({date})", "({date})"}},
	{"_by_ip", {"({ip}, {date})", "({ip}, {date})", "({ip}, {date})"}},
	{"_by_username", {"({user}, {date})", "USING spgist ({user})", "({user}(100), {date})"}},
};

/* MySQL has no CREATE INDEX IF NOT EXISTS. The statements here and the names in them hold no quotes but `. */
static void append_unless_indexed(
	StrBuf *sb, const SqlTable *table, const char *suffix, const char *statement)
{
	strbuf_appendf(sb,
		"SET @statement = (SELECT IF(count(*) = 0,\n"
		"  '%s',\n"
		"  'DO 0') FROM information_schema.statistics\n"
		"  WHERE table_schema = DATABASE() AND table_name = '%s' AND index_name = "
		"'%s%s');\n"
		"PREPARE statement FROM @statement;\n"
		"EXECUTE statement;\n"
		"DEALLOCATE PREPARE statement;\n",
		statement, table->name, table->name, suffix);
}

static void append_indexes(StrBuf *sb, const SqlTable *table)
{
	for (size_t i = 0; i < ARRAY_SIZE(indexes); i++) {
		_cleanup_strbuf_ StrBuf statement = STRBUF_INIT;

		strbuf_append_string(&statement, "CREATE INDEX ");
		if (table->dialect != SQL_MYSQL)
			strbuf_append_string(&statement, "IF NOT EXISTS ");
		append_name(&statement, table, indexes[i].suffix);
		strbuf_append_string(&statement, " ON ");
		append_name(&statement, table, "");
		strbuf_append_char(&statement, ' ');
		if (!append_filled_in(&statement, table, indexes[i].what[table->dialect]))
			continue;
		if (strbuf_error(&statement))
			sb->error = strbuf_error(&statement);
		else if (table->dialect == SQL_MYSQL)
			append_unless_indexed(
				sb, table, indexes[i].suffix, strbuf_text(&statement));
		else
			strbuf_appendf(sb, "%s;\n", strbuf_text(&statement));
	}
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void append_tables(StrBuf *sb, const SqlTable *table)
{
	append_rows_table(sb, table);
	append_ledger_table(sb, table);
	append_views(sb, table);
}

/* steps[n] leads from version n to n + 1. */
static void (*const steps[SQLSCHEMA_VERSION])(StrBuf *sb, const SqlTable *table) = {
	append_tables,
	append_indexes,
};

static void append_steps(StrBuf *sb, const SqlTable *table, uint64_t from, uint64_t to)
{
	for (uint64_t version = from; version < to; version++) {
		steps[version](sb, table);
		strbuf_append_string(sb, "INSERT INTO ");
		append_name(sb, table, SQLSCHEMA_VERSION_SUFFIX);
		strbuf_appendf(sb, " (version) VALUES (%ju) %s;\n", (uintmax_t)version + 1,
			table->dialect == SQL_MYSQL ? "ON DUPLICATE KEY UPDATE version = version"
						    : "ON CONFLICT (version) DO NOTHING");
	}
}

void sqlschema_append(StrBuf *sb, const SqlTable *table)
{
	append_version_table(sb, table);
	append_steps(sb, table, 0, SQLSCHEMA_VERSION);
}

/* ---- in a database -------------------------------------------------------------------------- */

/* What is there. */
typedef struct Found {
	const SqlTable *table;
	bool has_table, has_ledger, has_versions;
	bool has_column[COLUMN_COUNT];
	uint64_t version;
	bool is_odd; /* the version is no number */
} Found;

static int take_column(void *userdata, const char *const *values, size_t count)
{
	Found *found = userdata;
	const char *table, *column;
	size_t n = strlen(found->table->name);

	if (count != 2 || !values[0] || !values[1])
		return -EBADMSG;
	table = values[0];
	column = values[1];
	if (strncmp(table, found->table->name, n) != 0)
		return 0;
	if (!strcmp(table + n, SQLSCHEMA_VERSION_SUFFIX))
		found->has_versions = true;
	else if (!strcmp(table + n, SQL_LEDGER_SUFFIX))
		found->has_ledger = true;
	else if (!table[n])
		found->has_table = true;
	if (!table[n])
		for (size_t i = 0; i < COLUMN_COUNT; i++)
			if (!strcmp(column, found->table->columns[i]))
				found->has_column[i] = true;
	return 0;
}

static int take_version(void *userdata, const char *const *values, size_t count)
{
	Found *found = userdata;

	if (count != 1)
		return -EBADMSG;
	if (!values[0])
		return 0; /* no version is finished */
	found->is_odd =
		number_parse_u64(span_from_string(values[0]), INT64_MAX, &found->version) < 0;
	return 0;
}

/* The tables and their columns, one a row. */
static const char *const catalogue[SQL_DIALECT_COUNT] = {
	"SELECT t.name, c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c"
	" WHERE t.name",
	"SELECT table_name, column_name FROM information_schema.columns"
	" WHERE table_schema = current_schema() AND table_name",
	"SELECT table_name, column_name FROM information_schema.columns"
	" WHERE table_schema = DATABASE() AND table_name",
};

static int look(Sink *sink, const SqlTable *table, Found *ret_found, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf query = STRBUF_INIT;
	Found found = {.table = table};
	int r;

	strbuf_appendf(&query, "%s IN ('%s', '%s%s', '%s%s')", catalogue[table->dialect],
		table->name, table->name, SQL_LEDGER_SUFFIX, table->name, SQLSCHEMA_VERSION_SUFFIX);
	r = strbuf_error(&query);
	if (!r)
		r = sink_query(sink, strbuf_text(&query), take_column, &found, ret_why);
	if (!r && found.has_versions) {
		strbuf_reset(&query);
		strbuf_append_string(&query, "SELECT max(version) FROM ");
		append_name(&query, table, SQLSCHEMA_VERSION_SUFFIX);
		r = strbuf_error(&query);
		if (!r)
			r = sink_query(sink, strbuf_text(&query), take_version, &found, ret_why);
	}
	if (r)
		return r;

	if (found.is_odd) {
		why_set(ret_why, "%s%s: a version is no number", table->name,
			SQLSCHEMA_VERSION_SUFFIX);
		return -EBADMSG;
	}
	if (found.version > SQLSCHEMA_VERSION) {
		why_set(ret_why,
			"%s: a newer version of this program made it (%ju, this one knows %d)",
			table->name, (uintmax_t)found.version, SQLSCHEMA_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (!found.has_versions && (found.has_table || found.has_ledger)) {
		why_set(ret_why,
			"%s%s: there is a table of this name that this program did not make "
			"(there is no %s%s)",
			table->name, found.has_table ? "" : SQL_LEDGER_SUFFIX, table->name,
			SQLSCHEMA_VERSION_SUFFIX);
		return -EEXIST;
	}
	/* Made anew, it would lack what the ledger says is in. */
	if (found.has_ledger && !found.has_table) {
		why_set(ret_why,
			"%s: the table is gone, but %s%s still names the batches that were in it: "
			"drop that as well to begin anew",
			table->name, table->name, SQL_LEDGER_SUFFIX);
		return -EEXIST;
	}
	*ret_found = found;
	return 0;
}

static bool lacks_column(const Found *found, size_t i)
{
	return *found->table->columns[i] && !found->has_column[i];
}

static bool is_enough(const Found *found, uint64_t version)
{
	if (!found->has_table || !found->has_ledger || found->version < version)
		return false;
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (lacks_column(found, i))
			return false;
	return true;
}

/* What leads from what was found to the version. */
static void append_change(StrBuf *sb, const Found *found, uint64_t version)
{
	const SqlTable *table = found->table;
	uint64_t from = found->version;

	if (!found->has_versions)
		append_version_table(sb, table);
	if (!found->has_table || !found->has_ledger)
		from = 0;
	for (size_t i = 0; found->has_table && i < COLUMN_COUNT; i++)
		if (lacks_column(found, i)) {
			strbuf_append_string(sb, "ALTER TABLE ");
			append_name(sb, table, "");
			strbuf_append_string(sb, " ADD COLUMN");
			append_column(
				sb, table, table->columns[i], column_types[i][table->dialect]);
			strbuf_append_string(sb, ";\n");
			from = 0; /* views and indexes may have waited for it */
		}
	append_steps(sb, table, from, MAX(version, found->version));
}

/* Indexes that the database doesn't make: engines that speak PostgreSQL's protocol may have no SP-GiST. */
typedef struct Refused {
	char *statements[ARRAY_SIZE(indexes)];
	size_t count;
	Why why; /* of the last */
} Refused;

static void refused_done(Refused *refused)
{
	for (size_t i = 0; i < refused->count; i++)
		free(refused->statements[i]);
}

static bool is_refused(const Refused *refused, const char *statement)
{
	size_t i = 0;

	while (i < refused->count && strcmp(refused->statements[i], statement) != 0)
		i++;
	return i < refused->count;
}

enum { REFUSED = 3 }; /* beside SINK_AWAY and SQLSCHEMA_INCOMPLETE */

static int refuse(Refused *refused, const char *statement)
{
	char *copy = strdup(statement);

	if (!copy)
		return -ENOMEM;
	refused->statements[refused->count++] = copy;
	return REFUSED;
}

/* 0; REFUSED: an index, which is among those now; SINK_AWAY; -errno; with *ret_why. */
static int execute_each(Sink *sink, char *statements, Refused *refused, Why *ret_why)
{
	char *end;
	int r = 0;

	for (; !r && (end = strstr(statements, ";\n")); statements = end + 2) {
		*end = '\0';
		if (is_refused(refused, statements))
			continue;
		r = sink_execute(sink, statements, ret_why);
		if (r == -EBADMSG && strncmp(statements, "CREATE INDEX ", 13) == 0 &&
			refused->count < ARRAY_SIZE(indexes)) {
			why_set(&refused->why, "it makes no such index (%s): %s", statements,
				ret_why->text);
			r = refuse(refused, statements);
		}
	}
	return r;
}

/* In SQLite and PostgreSQL at once or not at all; else what is there is not made again by the next who tries. */
static const char *const begin[SQL_DIALECT_COUNT] = {"BEGIN IMMEDIATE", "BEGIN", NULL};

static int try_change(
	Sink *sink, const SqlTable *table, uint64_t version, Refused *refused, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf statements = STRBUF_INIT;
	bool in_transaction = begin[table->dialect];
	Found found;
	int r;

	if (in_transaction) {
		r = sink_execute(sink, begin[table->dialect], ret_why);
		if (r)
			return r;
	}
	r = look(sink, table, &found, ret_why); /* somebody may have been before us */
	if (!r && !is_enough(&found, version)) {
		append_change(&statements, &found, version);
		r = strbuf_error(&statements);
		if (!r)
			r = execute_each(sink, statements.data, refused, ret_why);
	}
	if (in_transaction && !r)
		r = sink_execute(sink, "COMMIT", ret_why);
	if (in_transaction && r)
		(void)sink_execute(sink, "ROLLBACK", NULL);
	return r;
}

/* Within a transaction an error undoes all, so that it begins again without the index. */
static int change(Sink *sink, const SqlTable *table, uint64_t version, Why *ret_why)
{
	_cleanup_(refused_done) Refused refused = {.count = 0};
	int r;

	do {
		r = try_change(sink, table, version, &refused, ret_why);
	} while (r == REFUSED);
	if (r || !refused.count)
		return r;
	*ret_why = refused.why;
	return SQLSCHEMA_INCOMPLETE;
}

static int ensure(
	Sink *sink, const SqlTable *table, uint64_t version, unsigned wait_ms, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf lock = STRBUF_INIT;
	Found found;
	int r;

	r = look(sink, table, &found, ret_why);
	if (r || is_enough(&found, version))
		return r;
	strbuf_appendf(&lock, "%s%s", table->name, SQLSCHEMA_VERSION_SUFFIX);
	r = strbuf_error(&lock);
	if (!r)
		r = sink_lock(sink, strbuf_text(&lock), wait_ms, ret_why);
	if (r)
		return r;
	r = change(sink, table, version, ret_why);
	if (sink_unlock(sink, r ? NULL : ret_why) && !r)
		r = SINK_AWAY;
	return r;
}

int sqlschema_prepare(Sink *sink, const SqlTable *table, unsigned wait_ms, Why *ret_why)
{
	return ensure(sink, table, SQLSCHEMA_FOR_ROWS, wait_ms, ret_why);
}

int sqlschema_complete(Sink *sink, const SqlTable *table, unsigned wait_ms, Why *ret_why)
{
	return ensure(sink, table, SQLSCHEMA_VERSION, wait_ms, ret_why);
}
