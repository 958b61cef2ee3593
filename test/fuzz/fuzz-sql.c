/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * SQL. The input as a line of the CSV is a row in each dialect whose values, read as the database does, are those of the line; the input as a
 * file, and as what stands between a head and a ledger's statement under a hash that is right, is refused in words or comes out statement by
 * statement as it is.
 */

#include "fuzz.h"

#include "store/csv.h"
#include "store/sqlreplay.h"

static StrBuf line, scratch, value, file, statements;

static unsigned hex(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Reads a value as the dialect's manual says, into `value`. Whether it is not NULL. */
static bool read_value(SqlDialect dialect, const char **p)
{
	const char *at = *p;
	bool has_escapes = false;

	strbuf_reset(&value);
	if (!strncmp(at, "NULL", 4)) {
		*p = at + 4;
		return false;
	}
	if (*at >= '0' && *at <= '9') {
		while (*at >= '0' && *at <= '9')
			strbuf_append_char(&value, *at++);
		*p = at;
		return true;
	}
	if (!strncmp(at, "_utf8mb4 X'", 11)) {
		HOLDS(dialect == SQL_MYSQL);
		for (at += 11; *at != '\''; at += 2)
			strbuf_append_char(&value, (char)(hex(at[0]) << 4 | hex(at[1])));
		*p = at + 1;
		return true;
	}
	if (*at == 'E') {
		HOLDS(dialect == SQL_POSTGRESQL);
		has_escapes = true;
		at++;
	}
	HOLDS(*at++ == '\'');
	for (;;) {
		if (*at == '\\' && has_escapes) {
			HOLDS(at[1] == '\\');
			at++;
		} else if (*at == '\'' && *++at != '\'') {
			break;
		}
		/* Without the E it would depend on the session. */
		HOLDS(*at && (*at != '\\' || has_escapes || dialect == SQL_SQLITE));
		strbuf_append_char(&value, *at++);
	}
	*p = at;
	return true;
}

static Span expected(const Row *row, Column column)
{
	Span field = row->field[column];

	if ((column == COLUMN_SERVER && !field.len) ||
		(column == COLUMN_IP && span_equal_string(field, "unknown")))
		return SPAN_MISSING;
	while (column == COLUMN_ASN && field.len > 1 && *field.data == '0')
		field = (Span){field.data + 1, field.len - 1};
	return field;
}

static void check_row(const Row *row, SqlDialect dialect)
{
	static const char key[] = "('fedcba9876543210',18446744073709551615,0";
	const CsvPlace place = {0xfedcba9876543210ULL, UINT64_MAX, 0};
	SqlTable table;
	const char *p;
	Why why = {0};
	int r;

	HOLDS(!sql_table_init(&table, dialect, "t"));
	strbuf_reset(&line);
	r = sql_append_row(&line, &table, &place, row, &why);
	if (r) {
		HOLDS(r == SQL_NOT_TAKEN && why.text[0] && !line.len);
		return;
	}
	HOLDS(fuzz_is_printable((Span){line.data, line.len}));
	HOLDS(!strncmp(line.data, key, sizeof(key) - 1));
	p = line.data + sizeof(key) - 1;
	for (size_t c = 0; c < COLUMN_COUNT; c++) {
		bool present;

		HOLDS(*p++ == ',');
		present = read_value(dialect, &p);
		HOLDS(span_equal((Span){present ? strbuf_text(&value) : NULL, value.len},
			expected(row, (Column)c)));
	}
	HOLDS(*p == ')' && p + 1 == line.data + line.len);
}

/* `file`, whose statements begin at body. Whether it is one. */
static bool check_file(size_t body)
{
	_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
	Span statement;
	Why why = {0};
	int r = sqlreplay_open(fuzz_memory_file(file.data, file.len), &replay, &why);

	if (r) {
		HOLDS(r == -EBADMSG && why.text[0]);
		return false;
	}
	strbuf_reset(&statements);
	while (!(r = sqlreplay_next(replay, &statement, &why))) {
		HOLDS(!statement.data[statement.len]);
		strbuf_append_span(&statements, statement);
		strbuf_append_string(&statements, ";\n");
	}
	HOLDS(r == SQLREPLAY_END);
	strbuf_append_string(&statements, SQLHEAD_COMMIT ";\n");
	HOLDS(statements.len == file.len - body);
	HOLDS(!memcmp(statements.data, file.data + body, statements.len));
	return true;
}

/* Returns where the body begins. */
static size_t seal(Span body)
{
	_cleanup_(digest_freep) Digest *digest = NULL;
	size_t len;
	SqlHead head = {.sequence = 1, .range = {1, 1, 0, 2, 0}};

	HOLDS(!digest_new(&digest));
	HOLDS(!sql_table_init(&head.table, SQL_POSTGRESQL, "t"));
	for (size_t i = 0; i < body.len; i++)
		head.rows += body.data[i] == '(' && (!i || body.data[i - 1] == '\n');
	strbuf_reset(&scratch);
	sqlhead_append_unhashed(&scratch, &head);
	digest_add(digest, body.data, body.len);
	digest_add(digest, scratch.data, scratch.len);
	digest_get_text(digest, head.hash);
	strbuf_reset(&file);
	sqlhead_append(&file, &head);
	len = file.len;
	strbuf_append_span(&file, body);
	sqlhead_append_ledger(&file, &head);
	strbuf_append_string(&file, SQLHEAD_COMMIT ";\n");
	return len;
}

FUZZ_TARGET(sql)
{
	Span input = fuzz_rest(&(FuzzInput){data, size});
	size_t len = 0;
	bool whole;
	SqlHead head;
	Row row;

	if (!csv_parse_row(input, &scratch, &row, NULL))
		for (int dialect = 0; dialect < SQL_DIALECT_COUNT; dialect++)
			check_row(&row, (SqlDialect)dialect);
	strbuf_reset(&file);
	strbuf_append_span(&file, input);
	if (input.len && !sqlhead_parse(input, &head, &len, NULL))
		(void)check_file(len);
	else
		HOLDS(!check_file(0));
	len = seal(input);
	whole = !input.len || (input.len > 1 && !memcmp(input.data + input.len - 2, ";\n", 2));
	/* Nothing else can be wrong with it. */
	HOLDS(check_file(len) == whole);
	return 0;
}
