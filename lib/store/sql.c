/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sql.h"

static const char *const dialect_names[SQL_DIALECT_COUNT] = {
	[SQL_SQLITE] = "sqlite",
	[SQL_POSTGRESQL] = "postgresql",
	[SQL_MYSQL] = "mysql",
};

const char *const sql_key_columns[SQL_KEY_COUNT] = {"instance", "csv", "byte_offset"};

const char *const sql_ledger_columns[SQL_LEDGER_COUNT] = {"instance", "sequence", "hash",
	"row_count", "skipped", "from_csv", "from_offset", "to_csv", "to_offset"};

const char *sql_dialect_name(SqlDialect dialect)
{
	return dialect_names[dialect];
}

int sql_dialect_parse(Span name, SqlDialect *ret_dialect)
{
	for (size_t i = 0; i < SQL_DIALECT_COUNT; i++)
		if (span_equal_string(name, dialect_names[i])) {
			*ret_dialect = (SqlDialect)i;
			return 0;
		}
	return -EINVAL;
}

/* ---- names ---------------------------------------------------------------------------------- */

bool sql_name_valid(Span name)
{
	if (!name.len || name.len > SQL_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!(c >= 'a' && c <= 'z') && c != '_' && !(i && c >= '0' && c <= '9'))
			return false;
	}
	return true;
}

static int set_name(char to[SQL_NAME_MAX + 1], Span name)
{
	if (!sql_name_valid(name))
		return -EINVAL;
	memset(to, 0, SQL_NAME_MAX + 1);
	memcpy(to, name.data, name.len);
	return 0;
}

int sql_table_init(SqlTable *table, SqlDialect dialect, const char *name)
{
	*table = (SqlTable){.dialect = dialect};
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (set_name(table->columns[i], span_from_string(columns[i].sql_name)) < 0)
			return -EINVAL;
	return set_name(table->name, span_from_string(name));
}

int sql_table_map(SqlTable *table, const char *mapping, Why *ret_why)
{
	const char *equals = strchr(mapping, '=');
	Span name = {mapping, equals ? (size_t)(equals - mapping) : strlen(mapping)};
	size_t i = 0;

	if (!equals) {
		why_set(ret_why, "%s: not COLUMN=NAME", mapping);
		return -EINVAL;
	}
	while (i < COLUMN_COUNT && !span_equal_string(name, columns[i].name))
		i++;
	if (i == COLUMN_COUNT) {
		why_set(ret_why, "%s: the CSV has no such column", mapping);
		return -EINVAL;
	}
	if (!equals[1]) {
		*table->columns[i] = '\0';
		return 0;
	}
	if (set_name(table->columns[i], span_from_string(equals + 1)) < 0) {
		why_set(ret_why,
			"%s: a name begins with a small letter or _, and has these and digits "
			"alone, at most %d",
			mapping, SQL_NAME_MAX);
		return -EINVAL;
	}
	return 0;
}

int sql_table_check(const SqlTable *table, Why *ret_why)
{
	const char *twice = NULL;

	for (size_t i = 0; i < COLUMN_COUNT && !twice; i++) {
		if (!*table->columns[i])
			continue;
		for (size_t k = 0; k < SQL_KEY_COUNT; k++)
			if (!strcmp(table->columns[i], sql_key_columns[k]))
				twice = sql_key_columns[k];
		for (size_t k = 0; k < i; k++)
			if (!strcmp(table->columns[i], table->columns[k]))
				twice = table->columns[k];
	}
	if (!twice)
		return 0;
	why_set(ret_why, "two columns have the name %s", twice);
	return -EINVAL;
}

void sql_append_name(StrBuf *sb, SqlDialect dialect, const char *name, const char *suffix)
{
	char quote = dialect == SQL_MYSQL ? '`' : '"';

	strbuf_append_char(sb, quote);
	strbuf_append_string(sb, name);
	strbuf_append_string(sb, suffix);
	strbuf_append_char(sb, quote);
}

/* ---- values --------------------------------------------------------------------------------- */

/* What a text of n bytes takes at most. */
#define TEXT_SIZE(n) (2 * (n) + 16)

static char *put(char *to, const void *data, size_t len)
{
	memcpy(to, data, len);
	return to + len;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

static char *put_u64(char *to, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return put(to, digits + at, sizeof(digits) - at);
}

static const char hex_digits[] = "0123456789abcdef";

static char *put_hex(char *to, Span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		*to++ = hex_digits[(unsigned char)bytes.data[i] >> 4];
		*to++ = hex_digits[(unsigned char)bytes.data[i] & 15];
	}
	return to;
}

static char *put_doubling(char *to, Span value, char doubled)
{
	for (size_t i = 0; i < value.len; i++) {
		*to++ = value.data[i];
		if (value.data[i] == doubled || value.data[i] == '\'')
			*to++ = value.data[i];
	}
	return to;
}

/*
 * A backslash is a sign of its own in some sessions and not in others: a value with one is written in a form that says which. SQLite
 * knows none.
 */
static char *put_text(char *to, SqlDialect dialect, Span value)
{
	bool has_backslash = false;

	if (!value.data)
		return PUT(to, "NULL");
	if (dialect != SQL_SQLITE && value.len)
		has_backslash = memchr(value.data, '\\', value.len);
	if (has_backslash && dialect == SQL_MYSQL) {
		to = PUT(to, "_utf8mb4 X'");
		to = put_hex(to, value);
	} else if (has_backslash) {
		to = PUT(to, "E'");
		to = put_doubling(to, value, '\\');
	} else {
		*to++ = '\'';
		if (value.len && memchr(value.data, '\'', value.len))
			to = put_doubling(to, value, '\'');
		else if (value.len)
			to = put(to, value.data, value.len);
	}
	*to++ = '\'';
	return to;
}

void sql_append_text(StrBuf *sb, SqlDialect dialect, Span value)
{
	char *to = strbuf_reserve(sb, TEXT_SIZE(value.len));

	if (!to)
		return;
	sb->len = (size_t)(put_text(to, dialect, value) - sb->data);
	sb->data[sb->len] = '\0';
}

/* ---- rows ----------------------------------------------------------------------------------- */

void sql_append_insert(StrBuf *sb, const SqlTable *table)
{
	strbuf_append_string(sb, "INSERT INTO ");
	sql_append_name(sb, table->dialect, table->name, "");
	for (size_t i = 0; i < SQL_KEY_COUNT; i++) {
		strbuf_append_string(sb, i ? "," : " (");
		sql_append_name(sb, table->dialect, sql_key_columns[i], "");
	}
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (!*table->columns[i])
			continue;
		strbuf_append_char(sb, ',');
		sql_append_name(sb, table->dialect, table->columns[i], "");
	}
	strbuf_append_string(sb, ") VALUES\n");
}

void sql_append_insert_end(StrBuf *sb, const SqlTable *table)
{
	if (table->dialect == SQL_MYSQL) {
		/* Without an assignment there is no such clause; this one changes nothing. */
		strbuf_append_string(sb, "\nON DUPLICATE KEY UPDATE ");
		for (int side = 0; side < 2; side++) {
			strbuf_append_string(sb, side ? " = " : "");
			sql_append_name(sb, table->dialect, table->name, "");
			strbuf_append_char(sb, '.');
			sql_append_name(sb, table->dialect, sql_key_columns[0], "");
		}
	} else {
		for (size_t i = 0; i < SQL_KEY_COUNT; i++) {
			strbuf_append_string(sb, i ? "," : "\nON CONFLICT (");
			sql_append_name(sb, table->dialect, sql_key_columns[i], "");
		}
		strbuf_append_string(sb, ") DO NOTHING");
	}
	strbuf_append_string(sb, ";\n");
}

static char *put_value(char *to, SqlDialect dialect, Column column, Span value)
{
	switch (column) {
	case COLUMN_SERVER: return put_text(to, dialect, value.len ? value : SPAN_MISSING);
	case COLUMN_IP:
		return put_text(
			to, dialect, span_equal_string(value, "unknown") ? SPAN_MISSING : value);
	case COLUMN_ASN:
		if (!value.data)
			return PUT(to, "NULL");
		while (value.len > 1 && *value.data == '0')
			value = (Span){value.data + 1, value.len - 1};
		return put(to, value.data, value.len);
	default: return put_text(to, dialect, value);
	}
}

int sql_append_row(
	StrBuf *sb, const SqlTable *table, const CsvPlace *place, const Row *row, Why *ret_why)
{
	size_t size = 128; /* the key, and what stands around the values */
	char *to;

	if (row->field[COLUMN_DATE].data[0] == '0') {
		why_set(ret_why, "date: databases begin with the year 1000");
		return SQL_NOT_TAKEN;
	}
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		size += TEXT_SIZE(row->field[i].len);
	to = strbuf_reserve(sb, size);
	if (!to)
		return strbuf_error(sb);
	to = PUT(to, "('");
	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = hex_digits[place->series >> shift & 15];
	to = PUT(to, "',");
	to = put_u64(to, place->number);
	*to++ = ',';
	to = put_u64(to, place->offset);
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (!*table->columns[i])
			continue;
		*to++ = ',';
		to = put_value(to, table->dialect, (Column)i, row->field[i]);
	}
	*to++ = ')';
	*to = '\0';
	sb->len = (size_t)(to - sb->data);
	return 0;
}
