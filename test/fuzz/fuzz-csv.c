/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * libFuzzer's entry: the input is a user's name, which must come back from its row, and a line, which must be refused
 * or mean the same after it was written again. Seeds: rows of any CSV.
 */

#include "base/utf8.h"
#include "store/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static StrBuf written, scratch, raw[COLUMN_COUNT], again;

static void write_and_check(const Row *row)
{
	Row back;

	strbuf_reset(&written);
	csv_append_row(&written, row);
	if (memchr(written.data, '\n', written.len) != written.data + written.len - 1 ||
		csv_parse_row((Span){written.data, written.len - 1}, &scratch, &back, NULL))
		__builtin_trap();
	for (size_t c = 0; c < COLUMN_COUNT; c++) {
		Span value = back.field[c];

		strbuf_reset(&again);
		utf8_append_unescaped(&again, value);
		if (!span_equal((Span){value.data ? strbuf_text(&again) : NULL, again.len},
			    row->field[c]))
			__builtin_trap();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Row row = {{SPAN_LITERAL("s"), SPAN_LITERAL("2025-05-17 12:05"), SPAN_LITERAL("192.0.2.1"),
		{(const char *)data, size}, SPAN_MISSING, SPAN_LITERAL("OK"), SPAN_MISSING,
		SPAN_MISSING, SPAN_MISSING}};

	if (data && size <= CSV_FIELD_MAX)
		write_and_check(&row);
	if (csv_parse_row((Span){(const char *)data, size}, &scratch, &row, NULL))
		return 0;
	for (size_t c = 0; c < COLUMN_COUNT; c++) {
		strbuf_reset(&raw[c]);
		utf8_append_unescaped(&raw[c], row.field[c]);
		if (row.field[c].data)
			row.field[c] = (Span){strbuf_text(&raw[c]), raw[c].len};
	}
	write_and_check(&row);
	return 0;
}
