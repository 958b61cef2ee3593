/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"

#include "base/utf8.h"

void json_append_string(StrBuf *sb, Span s)
{
	const char *p, *end;

	if (!s.data) {
		strbuf_append_string(sb, "null");
		return;
	}
	p = s.data;
	end = s.data + s.len;
	strbuf_append_char(sb, '"');
	while (p < end) {
		uint32_t cp;
		size_t n = utf8_decode(p, (size_t)(end - p), &cp);

		if (!n) {
			strbuf_appendf(sb, "\\\\x%02x", (unsigned char)*p);
			p++;
			continue;
		}
		if (cp == '"' || cp == '\\') {
			strbuf_append_char(sb, '\\');
			strbuf_append_char(sb, (char)cp);
		} else if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f)) {
			strbuf_appendf(sb, "\\u%04x", (unsigned)cp);
		} else {
			strbuf_append(sb, p, n);
		}
		p += n;
	}
	strbuf_append_char(sb, '"');
}
