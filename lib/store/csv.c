/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/csv.h"

#include "base/calendar.h"
#include "base/ipaddr.h"
#include "base/number.h"
#include "base/utf8.h"

static const char header[] =
	"server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso\n";

Span csv_header(void)
{
	return (Span){header, sizeof(header) - 1};
}

static bool needs_apostrophe(Span value, const ColumnInfo *column)
{
	if (!column->from_outside || !value.len)
		return false;
	switch (value.data[0]) {
	case '=':
	case '+':
	case '-':
	case '@':
	case '\'':
	case '\t': return true;
	default: return column->placeholder && span_equal_string(value, column->placeholder);
	}
}

/* CR and LF need no quotes: they are written \x0d and \x0a. */
static bool needs_quotes(Span value)
{
	return value.len && (value.data[0] == ' ' || value.data[value.len - 1] == ' ' ||
				    memchr(value.data, ',', value.len));
}

/* No escape reaches over a quote, so the pieces between quotes can be escaped one by one. */
static void append_doubling_quotes(StrBuf *sb, Span value)
{
	const char *p = value.data, *end = value.data + value.len, *quote;

	while ((quote = memchr(p, '"', (size_t)(end - p)))) {
		utf8_append_escaped(sb, (Span){p, (size_t)(quote + 1 - p)});
		strbuf_append_char(sb, '"');
		p = quote + 1;
	}
	utf8_append_escaped(sb, (Span){p, (size_t)(end - p)});
}

static void append_field(StrBuf *sb, Span value, const ColumnInfo *column)
{
	bool apostrophe, has_quote, quoted;

	if (value.data) {
		value.len = MIN(value.len, CSV_FIELD_MAX);
		apostrophe = needs_apostrophe(value, column);
	} else {
		value = span_from_string(column->placeholder ? column->placeholder : "");
		apostrophe = false;
	}
	has_quote = value.len && memchr(value.data, '"', value.len);
	quoted = column->always_quoted || has_quote || needs_quotes(value);
	if (quoted)
		strbuf_append_char(sb, '"');
	if (apostrophe)
		strbuf_append_char(sb, '\'');
	if (has_quote)
		append_doubling_quotes(sb, value);
	else
		utf8_append_escaped(sb, value);
	if (quoted)
		strbuf_append_char(sb, '"');
}

static void append_fields(StrBuf *sb, const Row *row, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i)
			strbuf_append_char(sb, ',');
		append_field(sb, row->field[i], &columns[i]);
	}
}

void csv_append_row(StrBuf *sb, const Row *row)
{
	append_fields(sb, row, COLUMN_COUNT);
	strbuf_append_char(sb, '\n');
}

void csv_append_place(StrBuf *sb, Span country_code, uint32_t asn, Span organisation)
{
	append_field(sb, country_code, &columns[COLUMN_COUNTRY_CODE]);
	strbuf_append_char(sb, ',');
	if (asn)
		strbuf_append_u64(sb, asn);
	else
		append_field(sb, SPAN_MISSING, &columns[COLUMN_ASN]);
	strbuf_append_char(sb, ',');
	append_field(sb, organisation, &columns[COLUMN_ASO]);
}

void csv_append_row_with_place(StrBuf *sb, const Row *row, Span place)
{
	append_fields(sb, row, COLUMN_COUNTRY_CODE);
	strbuf_append_char(sb, ',');
	strbuf_append_span(sb, place);
	strbuf_append_char(sb, '\n');
}

/* The writer lets no other byte through; NULs are what a file system leaves after a power loss. */
static bool is_text(Span s, size_t *ret_bad)
{
	const char *p = s.data, *end = s.data + s.len;

	while (p < end) {
		uint32_t cp;
		size_t n;

		p += utf8_plain_prefix(p, (size_t)(end - p));
		if (p == end)
			break;
		n = utf8_decode(p, (size_t)(end - p), &cp);
		if (!n || cp < 0x20 || (cp >= 0x7f && cp <= 0x9f)) {
			*ret_bad = (size_t)(p - s.data);
			return false;
		}
		p += n;
	}
	return true;
}

/*
 * *p stands behind the opening quote and moves behind the closing one. Only a value with doubled quotes is copied to
 * scratch, which has room for the whole line since the first copy, so that earlier values stay where they are.
 */
static int parse_quoted(
	const char **p, const char *end, size_t line_len, StrBuf *scratch, Span *ret_value)
{
	const char *start = *p, *quote;
	size_t copied = scratch->len;
	bool copying = false;

	for (;;) {
		quote = memchr(*p, '"', (size_t)(end - *p));
		if (!quote)
			return CSV_NOT_A_ROW;
		if (quote + 1 == end || quote[1] != '"')
			break;
		if (!copying && !strbuf_reserve(scratch, line_len - copied))
			return strbuf_error(scratch);
		copying = true;
		strbuf_append(scratch, *p, (size_t)(quote + 1 - *p));
		*p = quote + 2;
	}
	if (copying) {
		strbuf_append(scratch, *p, (size_t)(quote - *p));
		*ret_value = (Span){scratch->data + copied, scratch->len - copied};
	} else {
		*ret_value = (Span){start, (size_t)(quote - start)};
	}
	*p = quote + 1;
	return 0;
}

static int parse_field(const char **p, const char *end, size_t line_len, StrBuf *scratch,
	Span *ret_value, const char **ret_fault)
{
	const char *comma, *stop;
	int r;

	if (*p < end && **p == '"') {
		(*p)++;
		r = parse_quoted(p, end, line_len, scratch, ret_value);
		if (r == CSV_NOT_A_ROW)
			*ret_fault = "the closing quote is missing";
		if (r)
			return r;
		if (*p < end && **p != ',') {
			*ret_fault = "text after the closing quote";
			return CSV_NOT_A_ROW;
		}
		return 0;
	}
	comma = memchr(*p, ',', (size_t)(end - *p));
	stop = comma ? comma : end;
	if (memchr(*p, '"', (size_t)(stop - *p))) {
		*ret_fault = "a quote in an unquoted field";
		return CSV_NOT_A_ROW;
	}
	*ret_value = (Span){*p, (size_t)(stop - *p)};
	*p = stop;
	return 0;
}

static int number_at(const char *digits, size_t count)
{
	int value = 0;

	while (count--)
		value = value * 10 + (*digits++ - '0');
	return value;
}

static bool is_date(Span s)
{
	static const char form[] = "dddd-dd-dd dd:dd";

	if (s.len != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (form[i] == 'd' ? s.data[i] < '0' || s.data[i] > '9' : s.data[i] != form[i])
			return false;
	return calendar_date_valid(
		       number_at(s.data, 4), number_at(s.data + 5, 2), number_at(s.data + 8, 2)) &&
	       number_at(s.data + 11, 2) < 24 && number_at(s.data + 14, 2) < 60;
}

static const char *find_foreign_value(const Row *row)
{
	Span asn = row->field[COLUMN_ASN];
	uint64_t number;
	IpAddr addr;

	if (!is_date(row->field[COLUMN_DATE]))
		return "date: not YYYY-MM-DD HH:MM";
	if (ipaddr_parse(row->field[COLUMN_IP], &addr) &&
		!span_equal_string(row->field[COLUMN_IP], "unknown"))
		return "ip: neither an address nor unknown";
	if (asn.data && number_parse_u64(asn, UINT32_MAX, &number))
		return "asn: not a number of 32 bits";
	return NULL;
}

int csv_parse_row(Span line, StrBuf *scratch, Row *ret_row, Why *ret_why)
{
	const char *p, *end, *fault;
	size_t column, bad;
	Row row;
	int r;

	strbuf_reset(scratch);
	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len > CSV_ROW_MAX) {
		why_set(ret_why, "longer than %zu bytes", CSV_ROW_MAX);
		return CSV_NOT_A_ROW;
	}
	if (!line.len) {
		why_set(ret_why, "empty");
		return CSV_NOT_A_ROW;
	}
	if (!is_text(line, &bad)) {
		why_set(ret_why, "byte 0x%02x at offset %zu is not text",
			(unsigned char)line.data[bad], bad);
		return CSV_NOT_A_ROW;
	}

	p = line.data;
	end = p + line.len;
	for (column = 0;; column++) {
		if (column == COLUMN_COUNT) {
			why_set(ret_why, "more than %d fields", COLUMN_COUNT);
			return CSV_NOT_A_ROW;
		}
		r = parse_field(&p, end, line.len, scratch, &row.field[column], &fault);
		if (r == CSV_NOT_A_ROW)
			why_set(ret_why, "%s: %s", columns[column].name, fault);
		if (r)
			return r;
		if (p == end)
			break;
		p++;
	}
	if (end[-1] == ',' && column + 1 == COLUMN_COUNT) {
		/* The writer says "N/A"; what ends here was torn. */
		why_set(ret_why, "%s: nothing behind the last comma", columns[column].name);
		return CSV_NOT_A_ROW;
	}
	if (column + 1 < COLUMN_COUNT) {
		why_set(ret_why, "%zu fields, not %d", column + 1, COLUMN_COUNT);
		return CSV_NOT_A_ROW;
	}

	for (column = 0; column < COLUMN_COUNT; column++) {
		Span *value = &row.field[column];

		if (columns[column].placeholder &&
			span_equal_string(*value, columns[column].placeholder))
			*value = SPAN_MISSING;
		else if (columns[column].from_outside && span_starts_with(*value, "'"))
			*value = (Span){value->data + 1, value->len - 1};
	}
	fault = find_foreign_value(&row);
	if (fault) {
		why_set(ret_why, "%s", fault);
		return CSV_NOT_A_ROW;
	}
	*ret_row = row;
	return 0;
}
