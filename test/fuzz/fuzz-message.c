/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Messages, addresses and what goes with them: whatever the texts are, a message is ASCII in CRLF lines with the headers that it shall have
 * and no others, its encodings give the bytes back, and what counts as an address can't break out of its place.
 */

#include "fuzz.h"

#include "report/address.h"
#include "report/message.h"
#include "report/mime.h"
#include "report/smtp-url.h"

static int hex_of(char c)
{
	HOLDS((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'));
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* Lines that end in CRLF, of printable ASCII, not above max. */
static void check_lines(Span text, size_t max)
{
	size_t column = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '\r') {
			HOLDS(i + 1 < text.len && text.data[i + 1] == '\n');
			i++;
			column = 0;
			continue;
		}
		HOLDS((c >= ' ' && c < 0x7f) || c == '\t');
		HOLDS(++column <= max);
	}
}

static void check_quoted_printable(Span text)
{
	_cleanup_strbuf_ StrBuf encoded = STRBUF_INIT, decoded = STRBUF_INIT;

	mime_append_quoted_printable(&encoded, text);
	check_lines((Span){strbuf_text(&encoded), encoded.len}, MIME_LINE_MAX);
	HOLDS(!strstr(strbuf_text(&encoded), "=_"));
	for (const char *p = strbuf_text(&encoded); *p; p++) {
		bool at_start = p == encoded.data || p[-1] == '\n';

		HOLDS(!at_start || (*p != '.' && strncmp(p, "From ", 5) != 0));
		if (*p == '\r') {
			HOLDS(at_start || (p[-1] != ' ' && p[-1] != '\t'));
			continue;
		}
		if (*p != '=') {
			strbuf_append_char(&decoded, *p);
			continue;
		}
		if (p[1] != '\r')
			strbuf_append_char(&decoded, (char)(hex_of(p[1]) << 4 | hex_of(p[2])));
		p += 2;
	}
	HOLDS(decoded.len == text.len && !memcmp(strbuf_text(&decoded), text.data, text.len));
}

static void check_base64(Span bytes)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	_cleanup_strbuf_ StrBuf encoded = STRBUF_INIT, decoded = STRBUF_INIT;
	uint32_t bits = 0;
	unsigned count = 0;

	mime_append_base64(&encoded, bytes);
	check_lines((Span){strbuf_text(&encoded), encoded.len}, MIME_LINE_MAX);
	for (const char *p = strbuf_text(&encoded); *p; p++) {
		const char *digit = strchr(digits, *p);

		if (!digit)
			continue;
		bits = bits << 6 | (uint32_t)(digit - digits);
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		strbuf_append_char(&decoded, (char)(bits >> count));
	}
	HOLDS(decoded.len == bytes.len && !memcmp(strbuf_text(&decoded), bytes.data, bytes.len));
}

/* The header's names, in order, and nothing else at a line's start. */
static void check_header(const char *text)
{
	static const char *const names[] = {"Date: ", "From: ", "To: ", "Subject: ", "Message-ID: ",
		"Auto-Submitted: ", "MIME-Version: ", "Content-Type: "};
	size_t next = 0;

	while (strncmp(text, "\r\n", 2) != 0) {
		const char *end = strstr(text, "\r\n");

		HOLDS(end);
		if (*text != ' ') {
			HOLDS(next < ARRAY_SIZE(names));
			HOLDS(!strncmp(text, names[next], strlen(names[next])));
			next++;
		}
		text = end + 2;
	}
	HOLDS(next == ARRAY_SIZE(names));
}

/* What an SMTP command, a header and an argument have around it stays around it. */
static void check_address(const char *address)
{
	bool quoted = false;

	HOLDS(strlen(address) <= ADDRESS_MAX && *address);
	for (const char *p = address; *p; p++) {
		if (quoted && *p == '\\') {
			p++;
			continue;
		}
		if (*p == '"')
			quoted = !quoted;
		HOLDS(*p >= ' ' && *p < 0x7f);
		HOLDS(quoted || !strchr(" <>(),;:\\", *p) || strchr(address, '['));
	}
	HOLDS(!quoted);
}

FUZZ_TARGET(message)
{
	FuzzInput input = {data, size};
	unsigned split = (unsigned)fuzz_take(&input, 1);
	Span rest = fuzz_rest(&input);
	size_t n = MIN((size_t)split, rest.len);
	_cleanup_free_ char *first = span_dup((Span){rest.data, n});
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	const char *to[] = {"root", first};
	Message message = {
		.from = "mls@mail.example.com",
		.from_name = first,
		.to = to,
		.to_count = 1,
		.subject = {rest.data, MIN(rest.len, (size_t)MESSAGE_SUBJECT_MAX)},
		.message_id = "1-2@mail.example.com",
		.text = rest,
		.html = rest,
		.attachment_name = first,
		.attachment_type = "text/csv; charset=utf-8",
		.attachment = rest,
	};
	SmtpUrl url;

	HOLDS(first);
	check_quoted_printable(rest);
	check_base64(rest);
	if (!address_check(first, NULL)) {
		check_address(first);
		message.to_count = 2;
	}
	HOLDS(!message_append(&message, &sb));
	check_lines((Span){sb.data, sb.len}, 998);
	check_header(sb.data);
	if (!smtp_url_parse(first, &url, NULL))
		HOLDS(url.host.len && url.port && !memchr(url.host.data, '@', url.host.len));
	/* or refused whole */
	message.message_id = first;
	message.attachment_type = first;
	strbuf_reset(&sb);
	if (message_append(&message, &sb) < 0)
		HOLDS(!sb.len);
	else
		check_header(sb.data);
	return 0;
}
