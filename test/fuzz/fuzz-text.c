/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The escapes for bytes from outside: what they write can be shown anywhere, and gives the bytes back. */

#include "fuzz.h"

#include "base/json.h"

/* RFC 8259 for the escapes that the writer uses; anything else in the string does not hold. */
static void read_json(const StrBuf *json, StrBuf *ret_text)
{
	const char *p = json->data + 1, *end = json->data + json->len - 1;

	HOLDS(json->len >= 2 && json->data[0] == '"' && *end == '"');
	while (p < end) {
		unsigned code;

		HOLDS(*p != '"');
		if (*p != '\\') {
			strbuf_append_char(ret_text, *p++);
			continue;
		}
		HOLDS(end - p >= 2);
		if (p[1] == '"' || p[1] == '\\') {
			strbuf_append_char(ret_text, p[1]);
			p += 2;
			continue;
		}
		HOLDS(p[1] == 'u' && end - p >= 6 && sscanf(p + 2, "%4x", &code) == 1);
		HOLDS(code < 0xa0);
		if (code >= 0x80)
			strbuf_append_char(ret_text, '\xc2');
		strbuf_append_char(ret_text, (char)code);
		p += 6;
	}
}

FUZZ_TARGET(text)
{
	_cleanup_strbuf_ StrBuf escaped = STRBUF_INIT, raw = STRBUF_INIT, json = STRBUF_INIT;
	_cleanup_strbuf_ StrBuf expected = STRBUF_INIT, decoded = STRBUF_INIT;
	Span input = fuzz_rest(&(FuzzInput){data, size});
	size_t plain = utf8_plain_prefix(input.data, input.len);

	HOLDS(plain <= input.len);
	utf8_append_escaped(&escaped, input);
	HOLDS(fuzz_is_printable((Span){strbuf_text(&escaped), escaped.len}));
	HOLDS(escaped.len >= plain && !memcmp(strbuf_text(&escaped), input.data, plain));
	utf8_append_unescaped(&raw, (Span){strbuf_text(&escaped), escaped.len});
	HOLDS(raw.len == input.len && !memcmp(strbuf_text(&raw), input.data, input.len));

	/* Bytes that are no text are \xHH in JSON too, all others as they are. */
	json_append_string(&json, input);
	HOLDS(fuzz_is_printable((Span){strbuf_text(&json), json.len}));
	read_json(&json, &decoded);
	for (size_t i = 0, n; i < input.len; i += MAX(n, (size_t)1)) {
		uint32_t cp;

		n = utf8_decode(input.data + i, input.len - i, &cp);
		if (n)
			strbuf_append(&expected, input.data + i, n);
		else
			strbuf_appendf(&expected, "\\x%02x", (unsigned char)input.data[i]);
	}
	HOLDS(decoded.len == expected.len &&
		!memcmp(strbuf_text(&decoded), strbuf_text(&expected), expected.len));

	/* Any text can be unescaped, and does not grow by it. */
	strbuf_reset(&raw);
	utf8_append_unescaped(&raw, input);
	HOLDS(raw.len <= input.len);
	return 0;
}
