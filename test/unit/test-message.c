/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/message.h"

#include "report/mime.h"
#include "scratch.h"
#include "tap.h"

#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10
#define E_ACUTE "\xc3\xa9"
#define E4 E_ACUTE E_ACUTE E_ACUTE E_ACUTE
#define Q4 "=C3=A9=C3=A9=C3=A9=C3=A9"

static bool expect(const StrBuf *got, const char *expected, const char *name)
{
	bool ok = !strbuf_error(got) && !strcmp(strbuf_text(got), expected);

	if (!tap_ok(ok, "%s", name))
		tap_note("got '%s'", strbuf_text(got));
	return ok;
}

static const struct {
	const char *name;
	Span text;
	const char *encoded;
} quoted[] = {
	{"empty", SPAN_LITERAL(""), ""},
	{"a line", SPAN_LITERAL("hello\n"), "hello\r\n"},
	{"no line end", SPAN_LITERAL("hello"), "hello"},
	{"empty lines", SPAN_LITERAL("\n\n"), "\r\n\r\n"},
	{"=", SPAN_LITERAL("a=b"), "a=3Db"},
	{"a boundary", SPAN_LITERAL("--=_mixed_1"), "--=3D_mixed_1"},
	{"UTF-8", SPAN_LITERAL("jos" E_ACUTE), "jos=C3=A9"},
	{"not UTF-8", SPAN_LITERAL("jos\xe9\xff"), "jos=E9=FF"},
	{"control bytes", SPAN_LITERAL("\x1b[2J\0\x7f"), "=1B[2J=00=7F"},
	{"a bare CR", SPAN_LITERAL("a\rb\n"), "a=0Db\r\n"},
	{"CRLF", SPAN_LITERAL("a\r\n"), "a=0D\r\n"},
	{"blanks at the end", SPAN_LITERAL("a \n\t\n b"), "a=20\r\n=09\r\n b"},
	{"a dot", SPAN_LITERAL(".\n..\na.\n"), "=2E\r\n=2E.\r\na.\r\n"},
	{"From", SPAN_LITERAL("From me\nFrom\n>From \n"), "=46rom me\r\nFrom\r\n>From=20\r\n"},
	{"75 bytes", SPAN_LITERAL(X70 "12345"), X70 "12345"},
	{"76 bytes", SPAN_LITERAL(X70 "123456"), X70 "12345=\r\n6"},
	{"a dot behind the join", SPAN_LITERAL(X70 "12345.6"), X70 "12345=\r\n=2E6"},
	{"From behind the join", SPAN_LITERAL(X70 "1234 From me"), X70 "1234 =\r\n=46rom me"},
	{"no character is cut", SPAN_LITERAL(X70 E_ACUTE), X70 "=\r\n=C3=A9"},
	{"no escape is cut", SPAN_LITERAL(X70 "123="), X70 "123=\r\n=3D"},
};

static const struct {
	const char *name;
	Span bytes;
	const char *encoded;
} base64[] = {
	{"nothing", SPAN_LITERAL(""), ""},
	{"one", SPAN_LITERAL("f"), "Zg==\r\n"},
	{"two", SPAN_LITERAL("fo"), "Zm8=\r\n"},
	{"three", SPAN_LITERAL("foo"), "Zm9v\r\n"},
	{"six", SPAN_LITERAL("foobar"), "Zm9vYmFy\r\n"},
	{"all bits", SPAN_LITERAL("\xfb\xff\xbf\0"), "+/+/AA==\r\n"},
	{"a line", SPAN_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n"},
	{"a line and one",
		SPAN_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n"
		"YQ==\r\n"},
};

static const struct {
	const char *name;
	Span text;
	size_t column;
	bool as_phrase;
	const char *encoded;
} headers[] = {
	{"plain", SPAN_LITERAL("[MailLogSentinel] 55 failed logins"), 9, false,
		"[MailLogSentinel] 55 failed logins"},
	{"empty", SPAN_LITERAL(""), 9, false, ""},
	{"folded at blanks",
		SPAN_LITERAL("one two three four five six seven eight nine ten eleven twelve "
			     "thirteen"),
		9, false,
		"one two three four five six seven eight nine ten eleven twelve\r\n thirteen"},
	{"a line that is just full",
		SPAN_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
			     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccc"),
		9, false, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccc"},
	{"one more",
		SPAN_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
			     "cccccc"),
		9, false,
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n cccccc"},
	{"UTF-8", SPAN_LITERAL("Caf" E_ACUTE " report"), 9, false, "=?utf-8?Q?Caf=C3=A9_report?="},
	{"mostly not ASCII", SPAN_LITERAL("\xe6\x97\xa5\xe6\x9c\xac"), 9, false,
		"=?utf-8?B?5pel5pys?="},
	{"looks encoded", SPAN_LITERAL("=?utf-8?Q?x?="), 9, false,
		"=?utf-8?B?PT91dGYtOD9RP3g/PQ==?="},
	{"two blanks", SPAN_LITERAL("a  b"), 9, false, "=?utf-8?Q?a__b?="},
	{"a blank at the end", SPAN_LITERAL("a "), 9, false, "=?utf-8?Q?a_?="},
	{"another header", SPAN_LITERAL("a\r\nBcc: x@y"), 9, false,
		"=?utf-8?B?Ye+/ve+/vUJjYzogeEB5?="},
	{"an escape", SPAN_LITERAL("a\x1b[2Jbcdefghijk"), 9, false,
		"=?utf-8?B?Ye+/vVsySmJjZGVmZ2hpams=?="},
	{"not UTF-8", SPAN_LITERAL("abcdefghijklm\xff"), 9, false,
		"=?utf-8?Q?abcdefghijklm=EF=BF=BD?="},
	{"right to left", SPAN_LITERAL("abcdefghijklm\xe2\x80\xae"), 9, false,
		"=?utf-8?Q?abcdefghijklm=EF=BF=BD?="},
	{"words end at characters",
		SPAN_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			     "aaaaa\xc3\xa9"
			     "b" E4),
		9, false,
		"=?utf-8?Q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=C3=A9b?=\r\n"
		" =?utf-8?Q?" Q4 "?="},
	{"a phrase", SPAN_LITERAL("Mail \"Log\" \\ Sentinel"), 6, true,
		"\"Mail \\\"Log\\\" \\\\ Sentinel\""},
	{"a phrase in UTF-8", SPAN_LITERAL("R" E_ACUTE "my, \"x\""), 6, true,
		"=?utf-8?B?UsOpbXksICJ4Ig==?="},
};

static void test_encodings(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(quoted); i++) {
		strbuf_reset(&sb);
		mime_append_quoted_printable(&sb, quoted[i].text);
		(void)expect(&sb, quoted[i].encoded, quoted[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(base64); i++) {
		strbuf_reset(&sb);
		mime_append_base64(&sb, base64[i].bytes);
		(void)expect(&sb, base64[i].encoded, base64[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		strbuf_reset(&sb);
		mime_append_header_text(
			&sb, headers[i].column, headers[i].text, headers[i].as_phrase);
		(void)expect(&sb, headers[i].encoded, headers[i].name);
	}
	strbuf_reset(&sb);
	mime_append_parameter(&sb, "filename", SPAN_LITERAL("mail \"log\".csv"));
	mime_append_parameter(&sb, "filename", SPAN_LITERAL("caf" E_ACUTE " *.csv"));
	mime_append_parameter(&sb, "filename", SPAN_LITERAL("a\r\nb"));
	mime_append_parameter(&sb, "filename", SPAN_LITERAL("=?utf-8?Q?x?="));
	mime_append_parameter(&sb, "filename", SPAN_LITERAL(E4 E4 E4 E4 "x"));
	(void)expect(&sb,
		";\r\n filename=\"mail \\\"log\\\".csv\""
		";\r\n filename*=utf-8''caf%C3%A9%20%2A%2Ecsv"
		";\r\n filename*=utf-8''a%EF%BF%BD%EF%BF%BDb"
		";\r\n filename*=utf-8''%3D%3Futf-8%3FQ%3Fx%3F%3D"
		";\r\n filename*0*=utf-8''%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3"
		";\r\n filename*1*=%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9x",
		"parameters");
}

static const char *const both[] = {"root", "alice@example.com"};

static const Message sample = {
	.from = "mls@mail.example.com",
	.from_name = "MailLogSentinel",
	.to = both,
	.to_count = 2,
	.subject = SPAN_LITERAL("[MailLogSentinel] 55 failed logins"),
	.date_us = 1795391253LL * 1000000 + 999999,
	.message_id = "1-55@mail.example.com",
	.text = SPAN_LITERAL("Total: 55\n"),
	.html = SPAN_LITERAL("<p>55"),
	.attachment_name = "maillogsentinel.csv",
	.attachment_type = "text/csv; charset=utf-8",
	.attachment = SPAN_LITERAL("server,date\n"),
};

static const char sample_text[] = "Date: Mon, 23 Nov 2026 01:47:33 +0200\r\n"
				  "From: \"MailLogSentinel\"\r\n"
				  " <mls@mail.example.com>\r\n"
				  "To: root,\r\n"
				  " alice@example.com\r\n"
				  "Subject: [MailLogSentinel] 55 failed logins\r\n"
				  "Message-ID: <1-55@mail.example.com>\r\n"
				  "Auto-Submitted: auto-generated\r\n"
				  "MIME-Version: 1.0\r\n"
				  "Content-Type: multipart/mixed;\r\n"
				  " boundary=\"=_mixed_ID\"\r\n"
				  "\r\n"
				  "--=_mixed_ID\r\n"
				  "Content-Type: multipart/alternative;\r\n"
				  " boundary=\"=_alternative_ID\"\r\n"
				  "\r\n"
				  "--=_alternative_ID\r\n"
				  "Content-Type: text/plain; charset=utf-8\r\n"
				  "Content-Transfer-Encoding: quoted-printable\r\n"
				  "\r\n"
				  "Total: 55\r\n"
				  "\r\n"
				  "--=_alternative_ID\r\n"
				  "Content-Type: text/html; charset=utf-8\r\n"
				  "Content-Transfer-Encoding: quoted-printable\r\n"
				  "\r\n"
				  "<p>55\r\n"
				  "--=_alternative_ID--\r\n"
				  "\r\n"
				  "--=_mixed_ID\r\n"
				  "Content-Type: text/csv; charset=utf-8;\r\n"
				  " name=\"maillogsentinel.csv\"\r\n"
				  "Content-Transfer-Encoding: base64\r\n"
				  "Content-Disposition: attachment;\r\n"
				  " filename=\"maillogsentinel.csv\"\r\n"
				  "\r\n"
				  "c2VydmVyLGRhdGUK\r\n"
				  "\r\n"
				  "--=_mixed_ID--\r\n";

/* Each boundary's number becomes "ID"; they must all be the same one. */
static bool name_numbers(StrBuf *sb)
{
	static const char digits[] = "0123456789abcdef";
	_cleanup_strbuf_ StrBuf named = STRBUF_INIT;
	char number[17] = "";

	for (const char *p = strbuf_text(sb); *p; p++) {
		strbuf_append_char(&named, *p);
		if (*p != '_' || strspn(p + 1, digits) != 16)
			continue;
		if (*number && strncmp(number, p + 1, 16) != 0)
			return false;
		memcpy(number, p + 1, 16);
		strbuf_append_string(&named, "ID");
		p += 16;
	}
	strbuf_reset(sb);
	strbuf_append_string(sb, strbuf_text(&named));
	return *number;
}

static void test_whole(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, again = STRBUF_INIT;
	Message other = sample;

	tap_ok(!message_append(&sample, &sb) && !message_append(&sample, &again) &&
			!strcmp(strbuf_text(&sb), strbuf_text(&again)),
		"the same message gives the same bytes");
	tap_ok(name_numbers(&sb), "boundaries have one number");
	(void)expect(&sb, sample_text, "a whole message");

	other.message_id = "1-56@mail.example.com";
	strbuf_reset(&sb);
	tap_ok(!message_append(&other, &sb) &&
			strcmp(strstr(strbuf_text(&sb), "boundary"),
				strstr(strbuf_text(&again), "boundary")) != 0,
		"another message has other boundaries");

	other = sample;
	other.attachment_name = NULL;
	other.from_name = NULL;
	strbuf_reset(&sb);
	tap_ok(!message_append(&other, &sb) && name_numbers(&sb) &&
			!strstr(strbuf_text(&sb), "mixed") &&
			strstr(strbuf_text(&sb), "\r\nFrom: mls@mail.example.com\r\n") &&
			strstr(strbuf_text(&sb),
				"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative;"),
		"nothing is attached");
}

static const struct {
	int64_t time_s;
	const char *tz, *date;
} dates[] = {
	{0, "UTC0", "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"},
	{1795391253, "EST5", "Date: Sun, 22 Nov 2026 18:47:33 -0500\r\n"},
	{1795391253, "ZON-5:45", "Date: Mon, 23 Nov 2026 05:32:33 +0545\r\n"},
	{1795391253, "ZON3:30", "Date: Sun, 22 Nov 2026 20:17:33 -0330\r\n"},
	{1772150400, "UTC0", "Date: Fri, 27 Feb 2026 00:00:00 +0000\r\n"},
	{1788220799, "UTC0", "Date: Mon, 31 Aug 2026 23:59:59 +0000\r\n"},
};

static void test_dates(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(dates); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		Message message = sample;

		MUST(!setenv("TZ", dates[i].tz, 1));
		tzset();
		message.date_us = dates[i].time_s * 1000000;
		MUST(!message_append(&message, &sb));
		if (!tap_ok(span_starts_with((Span){sb.data, sb.len}, dates[i].date), "date %zu",
			    i))
			tap_note("%.40s", strbuf_text(&sb));
	}
	MUST(!setenv("TZ", "ZON-2", 1));
	tzset();
}

static void test_refused(void)
{
	static const char *const injected[] = {"root", "a@b\r\nBcc: c@d"};
	static const char *const ids[] = {"", "x", "@x", "x@", "x@y@z", "x@y\r\n", "x y@z", "<x@y>",
		"x@[192.0.2.1]", "x@\xc3\xa9"};
	static const char *const types[] = {"", "text", "/csv", "text/csv\r\nX: y", "text/csv\xff"};
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char name[MESSAGE_NAME_MAX + 2];
	Message message = sample;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	message.to_count = 0;
	tap_ok(message_append(&message, &sb) == -EINVAL && !sb.len, "nobody to send it to");
	message = sample;
	message.to = injected;
	tap_ok(message_append(&message, &sb) == -EINVAL && !sb.len, "a recipient with a header");
	message = sample;
	message.from = injected[1];
	tap_ok(message_append(&message, &sb) == -EINVAL && !sb.len, "a sender with a header");
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		message = sample;
		message.message_id = ids[i];
		tap_ok(message_append(&message, &sb) == -EINVAL && !sb.len, "id %zu", i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		message = sample;
		message.attachment_type = types[i];
		tap_ok(message_append(&message, &sb) == -EINVAL && !sb.len, "type %zu", i);
	}
	message = sample;
	message.from_name = name;
	tap_ok(message_append(&message, &sb) == -EINVAL && !sb.len, "a long name");
	message = sample;
	message.attachment_name = name;
	tap_ok(message_append(&message, &sb) == -EINVAL && !sb.len, "a long name of a file");
	message = sample;
	message.subject.len = MESSAGE_SUBJECT_MAX + 1;
	tap_ok(message_append(&message, &sb) == -EINVAL && !sb.len, "a long subject");
}

int main(void)
{
	MUST(!setenv("TZ", "ZON-2", 1));
	tzset();
	test_encodings();
	test_whole();
	test_dates();
	test_refused();
	return tap_done();
}
