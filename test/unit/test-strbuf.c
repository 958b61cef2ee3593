/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/strbuf.h"

#include "tap.h"

int main(void)
{
	StrBuf sb = STRBUF_INIT;
	char *taken;

	tap_ok(!strcmp(strbuf_text(&sb), ""), "empty reads as the empty string");
	strbuf_append_string(&sb, "abc");
	strbuf_append_char(&sb, '-');
	strbuf_append_u64(&sb, UINT64_MAX);
	strbuf_append_u64(&sb, 0);
	strbuf_appendf(&sb, "%d%s", -7, "x");
	tap_ok(!strcmp(sb.data, "abc-184467440737095516150-7x") && sb.len == strlen(sb.data),
		"appends");
	strbuf_consume(&sb, 4);
	tap_ok(!strcmp(sb.data, "184467440737095516150-7x"), "consume");
	for (int i = 0; i < 10000; i++)
		strbuf_append(&sb, "0123456789", 10);
	tap_ok(!strbuf_error(&sb) && sb.len == 100024 && sb.data[sb.len] == '\0', "grows");
	tap_ok(!strbuf_reserve(&sb, STRBUF_MAX) && strbuf_error(&sb) == -EFBIG,
		"limit is an error");
	strbuf_append_char(&sb, 'x');
	tap_ok(sb.len == 100024, "nothing is appended after an error");
	strbuf_reset(&sb);
	tap_ok(!sb.len && !strbuf_error(&sb), "reset");
	strbuf_append(&sb, "a\0b", 3);
	taken = strbuf_take(&sb);
	tap_ok(taken && !memcmp(taken, "a\0b", 4) && !sb.data, "take");
	free(taken);
	strbuf_done(&sb);
	return tap_done();
}
