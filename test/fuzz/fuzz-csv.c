/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The CSV. The input as a value comes back from its row, in every column that holds what others chose, and no
 * spreadsheet runs it; the input as a line is refused, or means the same after it was written again.
 */

#include "fuzz.h"

#include "store/csv.h"

#define BEFORE_USER "s,\"2025-05-17 12:05\",192.0.2.1,"

static StrBuf written, scratch, raw[COLUMN_COUNT], again;

static void write_and_check(const Row *row)
{
	Row back;

	strbuf_reset(&written);
	csv_append_row(&written, row);
	HOLDS(memchr(written.data, '\n', written.len) == written.data + written.len - 1);
	HOLDS(fuzz_is_printable((Span){written.data, written.len - 1}));
	HOLDS(!csv_parse_row((Span){written.data, written.len - 1}, &scratch, &back, NULL));
	for (size_t c = 0; c < COLUMN_COUNT; c++) {
		Span value = back.field[c];

		strbuf_reset(&again);
		utf8_append_unescaped(&again, value);
		HOLDS(span_equal(
			(Span){value.data ? strbuf_text(&again) : NULL, again.len}, row->field[c]));
	}
}

FUZZ_TARGET(csv)
{
	const Row plain = {{SPAN_LITERAL("s"), SPAN_LITERAL("2025-05-17 12:05"),
		SPAN_LITERAL("192.0.2.1"), SPAN_MISSING, SPAN_MISSING, SPAN_LITERAL("OK"),
		SPAN_MISSING, SPAN_MISSING, SPAN_MISSING}};
	Span input = fuzz_rest(&(FuzzInput){data, size});
	Row row;

	for (size_t c = 0; c < COLUMN_COUNT && size <= CSV_FIELD_MAX; c++) {
		const char *user;

		if (!columns[c].from_outside)
			continue;
		row = plain;
		row.field[c] = input;
		write_and_check(&row);
		if (c != COLUMN_USER)
			continue;
		user = written.data + strlen(BEFORE_USER);
		HOLDS(!memcmp(written.data, BEFORE_USER, strlen(BEFORE_USER)));
		HOLDS(!strchr("=+-@", user[*user == '"']));
	}
	if (csv_parse_row(input, &scratch, &row, NULL))
		return 0;
	for (size_t c = 0; c < COLUMN_COUNT; c++) {
		HOLDS(fuzz_is_printable(row.field[c]));
		strbuf_reset(&raw[c]);
		utf8_append_unescaped(&raw[c], row.field[c]);
		if (row.field[c].data)
			row.field[c] = (Span){strbuf_text(&raw[c]), raw[c].len};
	}
	write_and_check(&row);
	return 0;
}
