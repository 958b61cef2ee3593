/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "migrate/old-rows.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/calendar.h"
#include "base/file.h"
#include "base/utf8.h"
#include "store/csv.h"

#define OUT_SIZE ((size_t)1 << 20)
#define DAY_US (24 * 3600 * USEC_PER_SEC)
#define FIELDS_OLD 5 /* server to hostname */

typedef struct Conversion {
	OldRows *rows;
	char delimiter;
	bool comma_form; /* this version's own, more or less */
	bool has_header; /* in what is written of lines that are none */
	Span header;     /* of the old one, with its end */
	int to, bad;
	int64_t latest_us; /* no row is younger */
	char today[16];
	LocalZone zone;
	StrBuf out, fields, values, scratch;
} Conversion;

void old_rows_done(OldRows *rows)
{
	strbuf_done(&rows->named);
	*rows = OLD_ROWS_INIT;
}

/* What some editors of tables put at the beginning. */
static Span skip_mark(Span head)
{
	return span_starts_with(head, "\xef\xbb\xbf") ? (Span){head.data + 3, head.len - 3} : head;
}

/* This version's own. */
static bool is_own_header(Span head)
{
	return head.len >= csv_header().len &&
	       !memcmp(head.data, csv_header().data, csv_header().len);
}

bool old_rows_have_header(Span head)
{
	Span text = skip_mark(head);

	return span_starts_with(text, "server;date;ip;user") ||
	       (span_starts_with(text, "server,date,ip,user") && !is_own_header(head));
}

/* ---- fields --------------------------------------------------------------------------------- */

/* Splits the line as Python's csv module does. NULL, or what is wrong. */
static const char *split(Conversion *c, Span line, Span field[COLUMN_COUNT], size_t *ret_count)
{
	const char *p = line.data, *end = p + line.len;
	StrBuf *sb = &c->fields;
	size_t count = 0;

	strbuf_reset(sb);
	if (!strbuf_reserve(sb, line.len + 1))
		return "out of memory";
	for (;;) {
		size_t start = sb->len;

		if (count == COLUMN_COUNT)
			return "more than 9 fields";
		if (p < end && *p == '"') {
			for (p++;; p++) {
				if (p == end)
					return "the closing quote is missing";
				if (*p == '"' && (p + 1 == end || p[1] != '"'))
					break;
				p += *p == '"';
				strbuf_append_char(sb, *p);
			}
			p++;
		}
		for (; p < end && *p != c->delimiter; p++)
			strbuf_append_char(sb, *p);
		field[count++] = (Span){sb->data + start, sb->len - start};
		if (p == end)
			break;
		p++;
	}
	*ret_count = count;
	return count == COLUMN_COUNT || (count >= FIELDS_OLD && count <= FIELDS_OLD + 1)
		       ? NULL
		       : "neither 9 fields nor the 5 of an older version";
}

static bool is_digits(const char *p, size_t count)
{
	while (count--)
		if (!isdigit((unsigned char)*p++))
			return false;
	return true;
}

static int number_at(const char *p, size_t count)
{
	int value = 0;

	while (count--)
		value = value * 10 + (*p++ - '0');
	return value;
}

/* "dd/mm/YYYY HH:MM" or "YYYY-mm-dd HH:MM"; seconds may follow. */
static bool parse_date(Span text, CivilTime *ret_civil)
{
	const char *p = text.data;
	CivilTime civil = {0};

	if (text.len == 19 && p[16] == ':' && is_digits(p + 17, 2))
		text.len = 16;
	if (text.len != 16 || p[13] != ':' || !is_digits(p + 11, 2) || !is_digits(p + 14, 2))
		return false;
	if (p[2] == '/' && p[5] == '/' && p[10] == ' ' && is_digits(p, 2) && is_digits(p + 3, 2) &&
		is_digits(p + 6, 4)) {
		civil.day = number_at(p, 2);
		civil.month = number_at(p + 3, 2);
		civil.year = number_at(p + 6, 4);
	} else if (p[4] == '-' && p[7] == '-' && (p[10] == ' ' || p[10] == 'T') &&
		   is_digits(p, 4) && is_digits(p + 5, 2) && is_digits(p + 8, 2)) {
		civil.year = number_at(p, 4);
		civil.month = number_at(p + 5, 2);
		civil.day = number_at(p + 8, 2);
	}
	civil.hour = number_at(p + 11, 2);
	civil.minute = number_at(p + 14, 2);
	if (!civil.year || !calendar_date_valid(civil.year, civil.month, civil.day) ||
		civil.hour > 23 || civil.minute > 59)
		return false;
	*ret_civil = civil;
	return true;
}

/* In this version's form, in text; *ret_us is its end. */
static bool rewrite_date(Conversion *c, Span field, char text[32], int64_t *ret_us, bool *ret_new)
{
	CivilTime civil;
	int64_t us;

	if (!parse_date(field, &civil) || local_zone_instant(&c->zone, &civil, &us) < 0)
		return false;
	*ret_new = us > c->latest_us;
	while (us > c->latest_us)
		if (--civil.year < 1970 ||
			(calendar_date_valid(civil.year, civil.month, civil.day) &&
				local_zone_instant(&c->zone, &civil, &us) < 0))
			return false;
	(void)snprintf(text, 32, "%04d-%02d-%02d %02d:%02d", civil.year, civil.month, civil.day,
		civil.hour, civil.minute);
	*ret_us = us + 60 * USEC_PER_SEC - 1;
	return true;
}

/* resolver(3)'s numbers that it wrote, as this version's statuses. */
static Span rewrite_status(Span status, bool has_name)
{
	static const char *const statuses[][2] = {
		{"OK", "OK"},
		{"Errno 1", "Errno 1"},
		{"Errno 2", "Errno 2"},
		{"Errno 4", "Errno 4"},
		{"Timeout", "Timeout"},
		{"Off", "Off"},
		{"Errno -2", "Errno 1"},
		{"Errno -5", "Errno 4"},
		{"Errno 110", "Timeout"},
	};

	if (!status.data)
		return has_name ? SPAN_LITERAL("OK") : SPAN_LITERAL("Off");
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (span_equal_string(status, statuses[i][0]))
			return span_from_string(statuses[i][1]);
	return SPAN_LITERAL("Errno 2");
}

static Span rewrite_country(Span code)
{
	return code.len == 2 && isupper((unsigned char)code.data[0]) &&
			       isupper((unsigned char)code.data[1])
		       ? code
		       : SPAN_MISSING;
}

static Span rewrite_asn(Span asn)
{
	if (span_starts_with(asn, "AS"))
		asn = (Span){asn.data + 2, asn.len - 2};
	return asn.len && is_digits(asn.data, asn.len) && *asn.data != '0' ? asn : SPAN_MISSING;
}

/* The bytes that the escapes of this version's form stand for. */
static Span unescape(Conversion *c, Span value)
{
	size_t start = c->values.len;

	if (span_starts_with(value, "'"))
		value = (Span){value.data + 1, value.len - 1};
	utf8_append_unescaped(&c->values, value);
	return (Span){strbuf_text(&c->values) + start, c->values.len - start};
}

/* NULL, or what is wrong. */
static const char *make_row(Conversion *c, Span field[COLUMN_COUNT], size_t count, Row *ret_row,
	char date[32], int64_t *ret_us, bool *ret_redated)
{
	Row row;

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		Span value = i < count ? field[i] : SPAN_MISSING;

		if (value.data && columns[i].placeholder &&
			span_equal_string(value, columns[i].placeholder) &&
			(i != COLUMN_USER || c->comma_form))
			value = SPAN_MISSING;
		if (value.data && columns[i].from_outside && c->comma_form)
			value = unescape(c, value);
		row.field[i] = value;
	}
	/* It took what stands there for the name. */
	if (span_equal_string(row.field[COLUMN_USER], "(unavailable)"))
		row.field[COLUMN_USER] = SPAN_MISSING;
	if (row.field[COLUMN_HOSTNAME].data && !row.field[COLUMN_HOSTNAME].len)
		row.field[COLUMN_HOSTNAME] = SPAN_MISSING;
	if (row.field[COLUMN_ASO].data && !row.field[COLUMN_ASO].len)
		row.field[COLUMN_ASO] = SPAN_MISSING;
	row.field[COLUMN_RDNS_STATUS] = rewrite_status(
		row.field[COLUMN_RDNS_STATUS], row.field[COLUMN_HOSTNAME].data != NULL);
	row.field[COLUMN_COUNTRY_CODE] = rewrite_country(row.field[COLUMN_COUNTRY_CODE]);
	row.field[COLUMN_ASN] = rewrite_asn(row.field[COLUMN_ASN]);
	if (!rewrite_date(c, row.field[COLUMN_DATE], date, ret_us, ret_redated))
		return "date: neither dd/mm/YYYY HH:MM nor YYYY-mm-dd HH:MM";
	row.field[COLUMN_DATE] = span_from_string(date);
	*ret_row = row;
	return NULL;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static int write_out(Conversion *c)
{
	int r = strbuf_error(&c->out);

	if (!r && c->to >= 0)
		r = file_write_full(c->to, strbuf_text(&c->out), c->out.len);
	strbuf_reset(&c->out);
	return r;
}

static int keep_bad(Conversion *c, Span line, uint64_t number, const char *why)
{
	OldRows *rows = c->rows;
	int r = 0;

	if (rows->bad++ < OLD_ROWS_NAMED) {
		strbuf_appendf(&rows->named, "line %" PRIu64 ": ", number);
		utf8_append_escaped(&rows->named, span_from_string(why));
		strbuf_append_char(&rows->named, '\n');
	}
	if (c->bad < 0)
		return 0;
	if (!c->has_header && c->header.len)
		r = file_write_full(c->bad, c->header.data, c->header.len);
	c->has_header = true;
	return r ? r : file_write_full(c->bad, line.data, line.len);
}

/* The line as it is in the file, with its end. 0 or -errno. */
static int convert_line(Conversion *c, Span line, uint64_t number)
{
	OldRows *rows = c->rows;
	Span text = line, field[COLUMN_COUNT];
	size_t count, before = c->out.len;
	const char *wrong;
	char date[32];
	bool redated;
	int64_t us;
	Why why = {""};
	Row row;
	int r;

	while (text.len && strchr("\r\n", text.data[text.len - 1]))
		text.len--;
	if (!text.len)
		return 0;
	/* What is unescaped of a line is not longer than that, so earlier values stay where they are. */
	strbuf_reset(&c->values);
	if (!strbuf_reserve(&c->values, text.len + 1))
		return -ENOMEM;
	wrong = split(c, text, field, &count);
	if (!wrong)
		wrong = make_row(c, field, count, &row, date, &us, &redated);
	if (wrong)
		return keep_bad(c, line, number, wrong);
	csv_append_row(&c->out, &row);
	if (strbuf_error(&c->out))
		return strbuf_error(&c->out);
	r = csv_parse_row(
		(Span){c->out.data + before, c->out.len - before - 1}, &c->scratch, &row, &why);
	if (r < 0)
		return r;
	if (r == CSV_NOT_A_ROW) {
		strbuf_truncate(&c->out, before);
		return keep_bad(c, line, number, why.text);
	}
	if (rows->today == UINT64_MAX && !strncmp(date, c->today, 10))
		rows->today = rows->length;
	rows->rows++;
	rows->redated += redated;
	rows->length += c->out.len - before;
	rows->last_us = us;
	memcpy(rows->last, date, sizeof(rows->last));
	return c->out.len < OUT_SIZE ? 0 : write_out(c);
}

static int convert_lines(Conversion *c, FILE *from)
{
	_cleanup_free_ char *line = NULL, *header = NULL;
	uint64_t number = 0;
	size_t size = 0;
	ssize_t n;
	int r = 0;

	errno = 0;
	while (!r && (n = getline(&line, &size, from)) >= 0) {
		Span text = {line, (size_t)n};

		if (++number == 1 && span_starts_with(skip_mark(text), "server")) {
			header = span_dup(text);
			if (!header)
				return -ENOMEM;
			c->header = (Span){header, text.len};
			c->delimiter = span_starts_with(skip_mark(text), "server;") ? ';' : ',';
			c->comma_form = is_own_header(text);
		} else {
			r = convert_line(c, text, number);
		}
	}
	if (!r && ferror(from))
		r = errno ? -errno : -EIO;
	return r;
}

int old_rows_convert(int fd, int to, int bad, int64_t now_us, OldRows *ret_rows)
{
	_cleanup_old_rows_ OldRows rows = {
		.named = STRBUF_INIT, .length = csv_header().len, .today = UINT64_MAX};
	Conversion c = {
		.rows = &rows,
		.delimiter = ';',
		.to = to,
		.bad = bad,
		.latest_us = now_us + DAY_US,
		.out = STRBUF_INIT,
		.fields = STRBUF_INIT,
		.values = STRBUF_INIT,
		.scratch = STRBUF_INIT,
	};
	char minute[CALENDAR_MINUTE_MAX];
	struct stat st;
	FILE *from = NULL;
	int copy, r = 0;

	(void)calendar_format_minute(&c.zone, now_us, minute);
	memcpy(c.today, minute, 10);
	strbuf_append_span(&c.out, csv_header());
	if (fd >= 0) {
		/* No row is younger than what was written last. */
		if (!fstat(fd, &st))
			c.latest_us = MIN(c.latest_us, st.st_mtim.tv_sec * USEC_PER_SEC + DAY_US);
		copy = dup(fd);
		from = copy < 0 ? NULL : fdopen(copy, "r");
		if (!from) {
			r = -errno;
			close_fd(&copy);
		}
	}
	if (from) {
		r = convert_lines(&c, from);
		(void)fclose(from);
	}
	if (!r)
		r = write_out(&c);
	strbuf_done(&c.out);
	strbuf_done(&c.fields);
	strbuf_done(&c.values);
	strbuf_done(&c.scratch);
	if (!r)
		r = strbuf_error(&rows.named);
	if (r)
		return r;
	rows.today = MIN(rows.today, rows.length);
	*ret_rows = rows;
	rows = OLD_ROWS_INIT;
	return 0;
}
