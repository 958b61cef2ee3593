/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/events.h"

#include "base/strbuf.h"
#include "daemon/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define NUMBER_MAX 24

typedef struct KeptLogin {
	struct KeptLogin *next;
	FailedLogin login; /* its values stand behind it */
} KeptLogin;

void events_done(Events *events)
{
	while (events->first) {
		KeptLogin *kept = events->first;

		events->first = kept->next;
		free(kept);
	}
	events->end = NULL;
}

/* All values, so that each can be done the same to. */
static size_t list_values(FailedLogin *login, Span *values[COLUMN_COUNT + 3])
{
	size_t n = 0;

	for (; n < COLUMN_COUNT; n++)
		values[n] = &login->row.field[n];
	values[n++] = &login->log;
	values[n++] = &login->service;
	values[n++] = &login->method;
	return n;
}

void events_add(Events *events, const FailedLogin *login)
{
	Span *values[COLUMN_COUNT + 3];
	FailedLogin copy = *login;
	size_t count = list_values(&copy, values), len = 0;
	KeptLogin *kept;
	char *to;

	for (size_t i = 0; i < count; i++)
		len += values[i]->len;
	/* One byte more, so that an empty value has a place. */
	kept = malloc(sizeof(*kept) + len + 1);
	if (!kept)
		return;
	*kept = (KeptLogin){NULL, copy};
	to = (char *)(kept + 1);
	(void)list_values(&kept->login, values);
	for (size_t i = 0; i < count; i++) {
		if (!values[i]->data)
			continue;
		if (values[i]->len)
			memcpy(to, values[i]->data, values[i]->len);
		values[i]->data = to;
		to += values[i]->len;
	}
	*(events->end ? events->end : &events->first) = kept;
	events->end = &kept->next;
}

/* "failed login from 192.0.2.7 (mail.example.com, DE, AS64500 Example) at mx1, postfix/smtpd, PLAIN: user" */
static void append_text(StrBuf *sb, const FailedLogin *login, bool late)
{
	const Span *field = login->row.field;
	Span name =
		field[COLUMN_HOSTNAME].data ? field[COLUMN_HOSTNAME] : field[COLUMN_RDNS_STATUS];

	strbuf_append_string(sb, "failed login ");
	if (late) {
		strbuf_append_string(sb, "of ");
		strbuf_append_span(sb, field[COLUMN_DATE]);
		strbuf_append_char(sb, ' ');
	}
	strbuf_append_string(sb, "from ");
	strbuf_append_span(sb, field[COLUMN_IP]);
	strbuf_append_string(sb, " (");
	strbuf_append_span(sb, name);
	if (field[COLUMN_COUNTRY_CODE].data) {
		strbuf_append_string(sb, ", ");
		strbuf_append_span(sb, field[COLUMN_COUNTRY_CODE]);
	}
	if (field[COLUMN_ASN].data) {
		strbuf_append_string(sb, ", AS");
		strbuf_append_span(sb, field[COLUMN_ASN]);
	}
	if (field[COLUMN_ASO].data) {
		strbuf_append_char(sb, ' ');
		strbuf_append_span(sb, field[COLUMN_ASO]);
	}
	strbuf_append_char(sb, ')');
	if (field[COLUMN_SERVER].data) {
		strbuf_append_string(sb, " at ");
		strbuf_append_span(sb, field[COLUMN_SERVER]);
	}
	if (login->service.data) {
		strbuf_append_string(sb, ", ");
		strbuf_append_span(sb, login->service);
	}
	if (login->method.data) {
		strbuf_append_string(sb, ", ");
		strbuf_append_span(sb, login->method);
	}
	if (login->count > 1)
		strbuf_appendf(sb, ", %" PRIu32 " times", login->count);
	if (field[COLUMN_USER].data) {
		strbuf_append_string(sb, ": ");
		strbuf_append_span(sb, field[COLUMN_USER]);
	}
}

static Span format_number(char text[NUMBER_MAX], int64_t number)
{
	return (Span){text, (size_t)snprintf(text, NUMBER_MAX, "%" PRId64, number)};
}

static void say(LogLevel level, const FailedLogin *login, int64_t now_us, StrBuf *text)
{
	bool late = now_us - login->time_us > EVENTS_LATE_US;
	char count[NUMBER_MAX], time[NUMBER_MAX];
	LogField fields[COLUMN_COUNT + 6];
	size_t n = 0;

	static_assert(ARRAY_SIZE(fields) <= LOG_FIELDS_MAX, "a message has no more");
	for (; n < COLUMN_COUNT; n++)
		fields[n] = (LogField){columns[n].journal_field, login->row.field[n]};
	fields[n++] = (LogField){"MLS_LOG", login->log};
	fields[n++] = (LogField){"MLS_SERVICE", login->service};
	fields[n++] = (LogField){"MLS_METHOD", login->method};
	fields[n++] = (LogField){"MLS_COUNT", format_number(count, login->count)};
	fields[n++] = (LogField){"MLS_TIME_US", format_number(time, login->time_us)};
	fields[n++] = (LogField){"MLS_LATE", span_from_string(late ? "yes" : "no")};
	strbuf_reset(text);
	append_text(text, login, late);
	if (!strbuf_error(text))
		log_fields(level, MESSAGE_FAILED_LOGIN, fields, n, (Span){text->data, text->len});
}

void events_say(Events *events, int64_t now_us)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	LogLevel level = log_events_level();

	if (level < LOG_LEVEL_COUNT)
		for (const KeptLogin *kept = events->first; kept; kept = kept->next)
			say(level, &kept->login, now_us, &text);
	events_done(events);
}
