/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sqlhead.h"

#include "base/number.h"

#include <inttypes.h>

#define FIRST_LINE "-- maillogsentinel sql 1\n"
#define FIRST_LINE_START "-- maillogsentinel sql "
#define NUMBER_COUNT 7
#define DIGITS_MAX 20

/* ---- the comments --------------------------------------------------------------------------- */

static size_t count_digits(uint64_t value)
{
	size_t digits = 1;

	while (value /= 10)
		digits++;
	return digits;
}

static void append(StrBuf *sb, const SqlHead *head, bool hashed)
{
	const SqlRange *range = &head->range;
	const uint64_t numbers[NUMBER_COUNT] = {head->sequence, head->rows, head->skipped,
		range->from_csv, range->from_offset, range->to_csv, range->to_offset};
	size_t ruler = 4 + NUMBER_COUNT * DIGITS_MAX;

	strbuf_appendf(sb, "%s-- dialect: %s\n-- table: %s\n-- columns:", FIRST_LINE,
		sql_dialect_name(head->table.dialect), head->table.name);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		strbuf_appendf(sb, " %s=%s", columns[i].name, head->table.columns[i]);
	strbuf_appendf(sb,
		"\n-- instance: %016" PRIx64 "\n-- sequence: %" PRIu64 "\n-- rows: %" PRIu64
		"\n-- skipped: %" PRIu64 "\n-- from: %" PRIu64 ".%" PRIu64 "\n-- to: %" PRIu64
		".%" PRIu64 "\n",
		range->instance, head->sequence, head->rows, head->skipped, range->from_csv,
		range->from_offset, range->to_csv, range->to_offset);
	if (hashed)
		strbuf_appendf(sb, "-- hash: %s\n", head->hash);
	/* It takes up what the numbers leave. */
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		ruler -= count_digits(numbers[i]);
	strbuf_append_string(sb, "-- ");
	while (ruler--)
		strbuf_append_char(sb, '-');
	strbuf_append_char(sb, '\n');
}

void sqlhead_append(StrBuf *sb, const SqlHead *head)
{
	append(sb, head, true);
}

void sqlhead_append_unhashed(StrBuf *sb, const SqlHead *head)
{
	append(sb, head, false);
}

/* The value of the next line, which begins with "-- NAME: "; *text moves behind it. */
static bool take_line(Span *text, const char *name, Span *ret_value)
{
	size_t len = strlen(name);
	const char *end = text->len ? memchr(text->data, '\n', text->len) : NULL;
	Span line = {text->data, end ? (size_t)(end - text->data) : 0};

	if (!end || line.len < len + 5 || memcmp(line.data, "-- ", 3) != 0 ||
		memcmp(line.data + 3, name, len) != 0 || memcmp(line.data + 3 + len, ": ", 2) != 0)
		return false;
	*ret_value = (Span){line.data + len + 5, line.len - len - 5};
	*text = (Span){end + 1, text->len - line.len - 1};
	return true;
}

static bool take_number(Span *text, const char *name, uint64_t *ret_number)
{
	Span value;

	return take_line(text, name, &value) && !number_parse_u64(value, UINT64_MAX, ret_number);
}

static bool take_place(Span *text, const char *name, uint64_t *ret_csv, uint64_t *ret_offset)
{
	const char *dot;
	Span value;

	if (!take_line(text, name, &value) || !value.len)
		return false;
	dot = memchr(value.data, '.', value.len);
	return dot &&
	       !number_parse_u64(
		       (Span){value.data, (size_t)(dot - value.data)}, INT64_MAX, ret_csv) &&
	       !number_parse_u64((Span){dot + 1, value.len - (size_t)(dot + 1 - value.data)},
		       INT64_MAX, ret_offset);
}

static bool take_hex(Span *text, const char *name, size_t len, Span *ret_value)
{
	Span value;

	if (!take_line(text, name, &value) || value.len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = value.data[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
	}
	*ret_value = value;
	return true;
}

/* " server=server date=..." without the first blank: all columns in their order. */
static bool parse_columns(Span list, SqlTable *table)
{
	const char *p = list.data, *end = list.data + list.len;

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		const char *blank = p < end ? memchr(p, ' ', (size_t)(end - p)) : NULL;
		char mapping[128];
		size_t len = (size_t)((blank ? blank : end) - p);

		if (len >= sizeof(mapping) || !blank != (i + 1 == COLUMN_COUNT) ||
			memchr(p, '\0', len))
			return false;
		memcpy(mapping, p, len);
		mapping[len] = '\0';
		if (!span_starts_with((Span){mapping, len}, columns[i].name) ||
			sql_table_map(table, mapping, NULL) < 0)
			return false;
		p = blank ? blank + 1 : end;
	}
	return !sql_table_check(table, NULL);
}

static bool parse_table(Span *text, SqlTable *table)
{
	char name_text[SQL_NAME_MAX + 1] = "";
	Span value, name, list;
	SqlDialect dialect;

	if (!take_line(text, "dialect", &value) || sql_dialect_parse(value, &dialect) < 0 ||
		!take_line(text, "table", &name) || !sql_name_valid(name) ||
		!take_line(text, "columns", &list))
		return false;
	memcpy(name_text, name.data, name.len);
	return !sql_table_init(table, dialect, name_text) && parse_columns(list, table);
}

static bool parse_values(Span *text, SqlHead *head)
{
	SqlRange *range = &head->range;
	Span instance, hash;

	if (!take_hex(text, "instance", 16, &instance) ||
		!take_number(text, "sequence", &head->sequence) ||
		!take_number(text, "rows", &head->rows) ||
		!take_number(text, "skipped", &head->skipped) ||
		!take_place(text, "from", &range->from_csv, &range->from_offset) ||
		!take_place(text, "to", &range->to_csv, &range->to_offset) ||
		!take_hex(text, "hash", DIGEST_TEXT_LEN, &hash))
		return false;
	for (size_t i = 0; i < instance.len; i++) {
		unsigned char c = (unsigned char)instance.data[i];

		range->instance =
			range->instance << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	memcpy(head->hash, hash.data, hash.len);
	return true;
}

int sqlhead_parse(Span text, SqlHead *ret_head, size_t *ret_len, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf again = STRBUF_INIT;
	SqlHead head = {.sequence = 0};
	Span rest = text;

	if (!span_starts_with(text, FIRST_LINE)) {
		why_set(ret_why, "%s",
			span_starts_with(text, FIRST_LINE_START)
				? "its form is none that this version knows"
				: "its first line is not that of such a file");
		return -EBADMSG;
	}
	rest = (Span){text.data + sizeof(FIRST_LINE) - 1, text.len - (sizeof(FIRST_LINE) - 1)};
	if (parse_table(&rest, &head.table) && parse_values(&rest, &head)) {
		sqlhead_append(&again, &head);
		if (strbuf_error(&again))
			return strbuf_error(&again);
		/* Whatever else there is to know of its form. */
		if (text.len >= again.len && !memcmp(text.data, again.data, again.len)) {
			*ret_head = head;
			*ret_len = again.len;
			return 0;
		}
	}
	why_set(ret_why, "its head is torn");
	return -EBADMSG;
}

/* ---- the statements ------------------------------------------------------------------------- */

void sqlhead_append_begin(StrBuf *sb, const SqlTable *table)
{
	static const char *const texts[SQL_DIALECT_COUNT] = {
		[SQL_SQLITE] = "BEGIN IMMEDIATE;\n",
		/*
		 * READ COMMITTED: the ledger's statement must see what another has committed meanwhile; and with InnoDB's own level many
		 * hosts that write at once lock the gaps between their rows, and each other out.
		 */
		[SQL_POSTGRESQL] = "SET standard_conforming_strings = on;\n"
				   "SET client_encoding = 'UTF8';\n"
				   "BEGIN ISOLATION LEVEL READ COMMITTED;\n",
		[SQL_MYSQL] = "SET NAMES utf8mb4;\n"
			      "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION';\n"
			      "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\n"
			      "START TRANSACTION;\n",
	};

	strbuf_append_string(sb, texts[table->dialect]);
}

static void append_where(StrBuf *sb, const SqlHead *head)
{
	strbuf_append_string(sb, " WHERE ");
	sql_append_name(sb, head->table.dialect, "instance", "");
	strbuf_appendf(sb, " = '%016" PRIx64 "'", head->range.instance);
}

static void append_and(
	StrBuf *sb, SqlDialect dialect, const char *column, const char *is, uint64_t value)
{
	strbuf_append_string(sb, " AND ");
	sql_append_name(sb, dialect, column, "");
	strbuf_appendf(sb, " %s %" PRIu64, is, value);
}

static void append_ledger_name(StrBuf *sb, const SqlHead *head)
{
	sql_append_name(sb, head->table.dialect, head->table.name, SQL_LEDGER_SUFFIX);
}

/* Whichever rows the instance has from one place on (NULL: any) up to another (NULL) of one or more CSV files, as a number. */
static void append_count(StrBuf *sb, const SqlHead *head, const char *csv_is, uint64_t csv,
	const uint64_t *from, const uint64_t *to, const uint64_t *to_csv)
{
	SqlDialect dialect = head->table.dialect;

	strbuf_append_string(sb, "(SELECT count(*) FROM ");
	sql_append_name(sb, dialect, head->table.name, "");
	append_where(sb, head);
	append_and(sb, dialect, "csv", csv_is, csv);
	if (to_csv)
		append_and(sb, dialect, "csv", "<", *to_csv);
	if (from)
		append_and(sb, dialect, "byte_offset", ">=", *from);
	if (to)
		append_and(sb, dialect, "byte_offset", "<", *to);
	strbuf_append_char(sb, ')');
}

/* By CSV file, so that each is one stretch of the primary key. */
static void append_counts(StrBuf *sb, const SqlHead *head)
{
	const SqlRange *range = &head->range;

	if (range->from_csv == range->to_csv) {
		append_count(sb, head, "=", range->from_csv, &range->from_offset, &range->to_offset,
			NULL);
		return;
	}
	append_count(sb, head, "=", range->from_csv, &range->from_offset, NULL, NULL);
	if (range->to_csv - range->from_csv > 1) {
		strbuf_append_string(sb, " + ");
		append_count(sb, head, ">", range->from_csv, NULL, NULL, &range->to_csv);
	}
	strbuf_append_string(sb, " + ");
	append_count(sb, head, "=", range->to_csv, NULL, &range->to_offset, NULL);
}

void sqlhead_append_ledger(StrBuf *sb, const SqlHead *head)
{
	const SqlRange *range = &head->range;
	SqlDialect dialect = head->table.dialect;

	strbuf_append_string(sb, "INSERT INTO ");
	append_ledger_name(sb, head);
	for (size_t i = 0; i < SQL_LEDGER_COUNT; i++) {
		strbuf_append_string(sb, i ? "," : " (");
		sql_append_name(sb, dialect, sql_ledger_columns[i], "");
	}
	strbuf_appendf(sb,
		")\nSELECT '%016" PRIx64 "',%" PRIu64 ",'%s',%" PRIu64 ",%" PRIu64 ",%" PRIu64
		",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "%s\nWHERE ",
		range->instance, head->sequence, head->hash, head->rows, head->skipped,
		range->from_csv, range->from_offset, range->to_csv, range->to_offset,
		dialect == SQL_MYSQL ? " FROM DUAL" : "");
	append_counts(sb, head);
	strbuf_appendf(sb, " = %" PRIu64 "\nAND NOT EXISTS (SELECT 1 FROM ", head->rows);
	append_ledger_name(sb, head);
	append_where(sb, head);
	append_and(sb, dialect, "sequence", "=", head->sequence);
	strbuf_append_string(sb, " AND ");
	sql_append_name(sb, dialect, "hash", "");
	strbuf_appendf(sb, " = '%s');\n", head->hash);
}

void sqlhead_append_question(StrBuf *sb, const SqlHead *head)
{
	SqlDialect dialect = head->table.dialect;

	strbuf_append_string(sb, "SELECT ");
	sql_append_name(sb, dialect, "hash", "");
	strbuf_append_string(sb, " FROM ");
	append_ledger_name(sb, head);
	append_where(sb, head);
	append_and(sb, dialect, "sequence", "=", head->sequence);
}
