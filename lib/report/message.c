/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/message.h"

#include "base/calendar.h"
#include "base/hash.h"
#include "report/address.h"
#include "report/mime.h"

#include <inttypes.h>

#define TYPE_MAX 100

/* ---- what may stand in a header as it is ----------------------------------------------------- */

static bool is_visible(const char *text, const char *but)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || strchr(but, *text))
			return false;
	return true;
}

static bool is_message_id(const char *id)
{
	const char *at = strchr(id, '@');

	return strlen(id) <= MESSAGE_ID_MAX && at && at != id && at[1] &&
	       is_visible(id, "<>\"()\\,;:[]") && !strchr(at + 1, '@');
}

/* "text/csv; charset=utf-8" */
static bool is_type(const char *type)
{
	const char *slash = strchr(type, '/');

	if (!slash || slash == type || strlen(type) > TYPE_MAX)
		return false;
	for (const char *p = type; *p; p++)
		if (*p < ' ' || *p >= 0x7f)
			return false;
	return true;
}

static bool is_sound(const Message *message)
{
	if (!message->to_count || address_check(message->from, NULL) < 0)
		return false;
	for (size_t i = 0; i < message->to_count; i++)
		if (address_check(message->to[i], NULL) < 0)
			return false;
	if (message->from_name && strlen(message->from_name) > MESSAGE_NAME_MAX)
		return false;
	if (message->attachment_name && (strlen(message->attachment_name) > MESSAGE_NAME_MAX ||
						!is_type(message->attachment_type)))
		return false;
	return message->subject.len <= MESSAGE_SUBJECT_MAX && is_message_id(message->message_id);
}

/* ---- the header ------------------------------------------------------------------------------ */

static void append_from(StrBuf *sb, const Message *message)
{
	static const char name[] = "From: ";

	strbuf_append_string(sb, name);
	if (!message->from_name || !*message->from_name) {
		strbuf_appendf(sb, "%s\r\n", message->from);
		return;
	}
	mime_append_header_text(sb, strlen(name), span_from_string(message->from_name), true);
	strbuf_appendf(sb, "\r\n <%s>\r\n", message->from);
}

static void append_to(StrBuf *sb, const Message *message)
{
	strbuf_append_string(sb, "To: ");
	for (size_t i = 0; i < message->to_count; i++)
		strbuf_appendf(sb, "%s%s", i ? ",\r\n " : "", message->to[i]);
	strbuf_append_string(sb, "\r\n");
}

/* "Mon, 23 Nov 2026 00:47:33 +0100", in English whatever the locale. */
static void append_date(StrBuf *sb, int64_t time_us)
{
	static const char days[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	static const char months[][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	LocalZone zone = {0};
	int32_t offset = local_zone_offset(&zone, time_us), minutes = abs(offset) / 60;
	CivilTime civil;

	local_zone_civil(&zone, time_us, &civil);
	strbuf_appendf(sb, "Date: %s, %02d %s %04d %02d:%02d:%02d %c%02d%02d\r\n",
		days[(calendar_days(civil.year, civil.month, civil.day) % 7 + 7) % 7], civil.day,
		months[civil.month - 1], civil.year, civil.hour, civil.minute, civil.second,
		offset < 0 ? '-' : '+', (int)minutes / 60, (int)minutes % 60);
}

static void append_header(StrBuf *sb, const Message *message)
{
	static const char subject[] = "Subject: ";

	append_date(sb, message->date_us);
	append_from(sb, message);
	append_to(sb, message);
	strbuf_append_string(sb, subject);
	mime_append_header_text(sb, strlen(subject), message->subject, false);
	strbuf_appendf(sb, "\r\nMessage-ID: <%s>\r\n", message->message_id);
	/* No vacation notice shall answer (RFC 3834). */
	strbuf_append_string(sb, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
}

/* ---- the body -------------------------------------------------------------------------------- */

static void append_text_part(StrBuf *sb, const char *boundary, const char *subtype, Span text)
{
	strbuf_appendf(sb,
		"--%s\r\nContent-Type: text/%s; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
		boundary, subtype);
	mime_append_quoted_printable(sb, text);
	strbuf_append_string(sb, "\r\n");
}

static void append_alternatives(StrBuf *sb, const Message *message, uint64_t id)
{
	char boundary[64];

	(void)snprintf(boundary, sizeof(boundary), "=_alternative_%016" PRIx64, id);
	strbuf_appendf(
		sb, "Content-Type: multipart/alternative;\r\n boundary=\"%s\"\r\n\r\n", boundary);
	append_text_part(sb, boundary, "plain", message->text);
	append_text_part(sb, boundary, "html", message->html);
	strbuf_appendf(sb, "--%s--\r\n", boundary);
}

static void append_attachment(StrBuf *sb, const Message *message)
{
	Span name = span_from_string(message->attachment_name);

	strbuf_appendf(sb, "Content-Type: %s", message->attachment_type);
	/* for readers that know no Content-Disposition */
	mime_append_parameter(sb, "name", name);
	strbuf_append_string(
		sb, "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment");
	mime_append_parameter(sb, "filename", name);
	strbuf_append_string(sb, "\r\n\r\n");
	mime_append_base64(sb, message->attachment);
}

int message_append(const Message *message, StrBuf *sb)
{
	/* Differs between messages, so that one in another is no part of it. */
	uint64_t id = hash_bytes(HASH_KEY_FIXED, message->message_id, strlen(message->message_id));

	if (!is_sound(message))
		return -EINVAL;
	append_header(sb, message);
	if (!message->attachment_name) {
		append_alternatives(sb, message, id);
		return strbuf_error(sb);
	}
	strbuf_appendf(sb,
		"Content-Type: multipart/mixed;\r\n boundary=\"=_mixed_%016" PRIx64
		"\"\r\n\r\n--=_mixed_%016" PRIx64 "\r\n",
		id, id);
	append_alternatives(sb, message, id);
	strbuf_appendf(sb, "\r\n--=_mixed_%016" PRIx64 "\r\n", id);
	append_attachment(sb, message);
	strbuf_appendf(sb, "\r\n--=_mixed_%016" PRIx64 "--\r\n", id);
	return strbuf_error(sb);
}
