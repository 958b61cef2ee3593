/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/utf8.h"

#include "base/json.h"
#include "tap.h"

static const struct {
	const char *name;
	Span raw;
	const char *escaped;
	const char *json;
} rows[] = {
	{"plain", SPAN_LITERAL("alice"), "alice", "\"alice\""},
	{"empty", SPAN_LITERAL(""), "", "\"\""},
	{"two bytes", SPAN_LITERAL("jos\xc3\xa9"), "jos\xc3\xa9", "\"jos\xc3\xa9\""},
	{"three bytes", SPAN_LITERAL("\xe6\x97\xa5"), "\xe6\x97\xa5", "\"\xe6\x97\xa5\""},
	{"four bytes", SPAN_LITERAL("\xf0\x9f\x92\xa9"), "\xf0\x9f\x92\xa9",
		"\"\xf0\x9f\x92\xa9\""},
	{"C0", SPAN_LITERAL("a\x01\n\t"), "a\\x01\\x0a\\x09", "\"a\\u0001\\u000a\\u0009\""},
	{"NUL", SPAN_LITERAL("a\0b"), "a\\x00b", "\"a\\u0000b\""},
	{"DEL", SPAN_LITERAL("\x7f"), "\\x7f", "\"\\u007f\""},
	{"C1", SPAN_LITERAL("\xc2\x9b"), "\\xc2\\x9b", "\"\\u009b\""},
	{"no-break space is text", SPAN_LITERAL("\xc2\xa0"), "\xc2\xa0", "\"\xc2\xa0\""},
	{"lone continuation", SPAN_LITERAL("\x80"), "\\x80", "\"\\\\x80\""},
	{"latin 1", SPAN_LITERAL("jos\xe9"), "jos\\xe9", "\"jos\\\\xe9\""},
	{"overlong slash", SPAN_LITERAL("\xc0\xaf"), "\\xc0\\xaf", "\"\\\\xc0\\\\xaf\""},
	{"overlong three", SPAN_LITERAL("\xe0\x80\xaf"), "\\xe0\\x80\\xaf",
		"\"\\\\xe0\\\\x80\\\\xaf\""},
	{"surrogate", SPAN_LITERAL("\xed\xa0\x80"), "\\xed\\xa0\\x80", "\"\\\\xed\\\\xa0\\\\x80\""},
	{"above 10ffff", SPAN_LITERAL("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80",
		"\"\\\\xf4\\\\x90\\\\x80\\\\x80\""},
	{"cut", SPAN_LITERAL("\xe6\x97"), "\\xe6\\x97", "\"\\\\xe6\\\\x97\""},
	{"backslash", SPAN_LITERAL("a\\b"), "a\\b", "\"a\\\\b\""},
	{"backslash x", SPAN_LITERAL("a\\x41"), "a\\x5cx41", "\"a\\\\x41\""},
	{"two backslashes x", SPAN_LITERAL("\\\\x"), "\\\\x5cx", "\"\\\\\\\\x\""},
	{"backslash control", SPAN_LITERAL("\\\x01"), "\\\\x01", "\"\\\\\\u0001\""},
	{"backslash at the end", SPAN_LITERAL("x\\"), "x\\", "\"x\\\\\""},
	{"quote", SPAN_LITERAL("\"q\""), "\"q\"", "\"\\\"q\\\"\""},
};

/* Each byte at each place of a text, whose other bytes are plain ones at the edges. */
static void test_plain_prefix(void)
{
	static const char plain[] = {' ', '~', '[', ']'};
	size_t wrong = 0;

	for (int byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < 20; at++)
			for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
				bool is_plain = byte >= 0x20 && byte < 0x7f && byte != '\\';
				char text[20];

				memset(text, plain[i], sizeof(text));
				text[at] = (char)byte;
				wrong += utf8_plain_prefix(text, sizeof(text)) !=
					 (is_plain ? sizeof(text) : at);
			}
	tap_ok(!wrong, "each byte is plain or not, wherever it stands");
}

int main(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, back = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		strbuf_reset(&sb);
		utf8_append_escaped(&sb, rows[i].raw);
		if (!tap_ok(!strcmp(strbuf_text(&sb), rows[i].escaped), "escape: %s", rows[i].name))
			tap_note("got %s", strbuf_text(&sb));
		strbuf_reset(&back);
		utf8_append_unescaped(&back, (Span){strbuf_text(&sb), sb.len});
		tap_ok(back.len == rows[i].raw.len &&
				!memcmp(strbuf_text(&back), rows[i].raw.data, back.len),
			"undo: %s", rows[i].name);
		strbuf_reset(&sb);
		json_append_string(&sb, rows[i].raw);
		if (!tap_ok(!strcmp(strbuf_text(&sb), rows[i].json), "json: %s", rows[i].name))
			tap_note("got %s", strbuf_text(&sb));
	}
	strbuf_reset(&sb);
	json_append_string(&sb, SPAN_MISSING);
	tap_ok(!strcmp(strbuf_text(&sb), "null"), "json: missing is null");
	test_plain_prefix();
	return tap_done();
}
