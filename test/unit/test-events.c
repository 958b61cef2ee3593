/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/events.h"

#include "base/strbuf.h"
#include "daemon/log.h"
#include "scratch.h"
#include "tap.h"

#define NOW_US ((int64_t)1763800000 * 1000000)
#define VALUE(s) SPAN_LITERAL(s)

static const struct {
	const char *name;
	FailedLogin login; /* time_us is how long ago */
	const char *text;
} rows[] = {
	{"all is known",
		{.row.field = {VALUE("mx1"), VALUE("2025-11-22 16:00"), VALUE("203.0.113.7"),
			 VALUE("anna"), VALUE("client.example.net"), VALUE("OK"), VALUE("DE"),
			 VALUE("64500"), VALUE("Example \"Inc.\"")},
			.count = 1,
			.service = VALUE("postfix/smtpd"),
			.method = VALUE("PLAIN")},
		"failed login from 203.0.113.7 (client.example.net, DE, AS64500 Example \"Inc.\") "
		"at "
		"mx1, postfix/smtpd, PLAIN: anna"},
	{"nothing is",
		{.row.field = {[COLUMN_DATE] = VALUE("2025-11-22 16:00"),
			 [COLUMN_IP] = VALUE("unknown"),
			 [COLUMN_RDNS_STATUS] = VALUE("Off")},
			.count = 1},
		"failed login from unknown (Off)"},
	{"five minutes ago, of an empty name",
		{.row.field = {[COLUMN_DATE] = VALUE("2025-11-22 16:00"),
			 [COLUMN_IP] = VALUE("2001:db8::7"),
			 [COLUMN_USER] = VALUE(""),
			 [COLUMN_RDNS_STATUS] = VALUE("Timeout")},
			.time_us = EVENTS_LATE_US,
			.count = 3},
		"failed login from 2001:db8::7 (Timeout), 3 times: "},
	{"longer ago",
		{.row.field = {[COLUMN_DATE] = VALUE("2025-11-22 16:00"),
			 [COLUMN_IP] = VALUE("203.0.113.7"),
			 [COLUMN_USER] = VALUE("anna"),
			 [COLUMN_RDNS_STATUS] = VALUE("Off")},
			.time_us = EVENTS_LATE_US + 1,
			.count = 1},
		"failed login of 2025-11-22 16:00 from 203.0.113.7 (Off): anna"},
	{"in the future",
		{.row.field = {[COLUMN_DATE] = VALUE("2025-11-22 16:00"),
			 [COLUMN_IP] = VALUE("203.0.113.7"),
			 [COLUMN_RDNS_STATUS] = VALUE("Off")},
			.time_us = -2 * EVENTS_LATE_US,
			.count = 1},
		"failed login from 203.0.113.7 (Off)"},
	{"a name that would be a message of its own",
		{.row.field = {[COLUMN_DATE] = VALUE("2025-11-22 16:00"),
			 [COLUMN_IP] = VALUE("203.0.113.7"),
			 [COLUMN_USER] =
				 VALUE("x\nfailed login from 192.0.2.1 (Off)\0\xe2\x80\xae\xff"),
			 [COLUMN_RDNS_STATUS] = VALUE("Off")},
			.count = 1},
		"failed login from 203.0.113.7 (Off): x\\x0afailed login from 192.0.2.1 "
		"(Off)\\x00\\xe2\\x80\\xae\\xff"},
};

/* Everything but the stamp of the log's lines since the last call, an & between them. */
static StrBuf take_log(void)
{
	StrBuf sb = scratch_read("log"), plain = STRBUF_INIT;
	char *line, *rest = sb.data;

	while (rest && *rest && (line = strsep(&rest, "\n")))
		strbuf_appendf(&plain, "%s%s", plain.len ? "&" : "",
			strchr(line, ' ') ? strchr(line, ' ') + 1 : line);
	strbuf_done(&sb);
	MUST(!truncate("log", 0));
	return plain;
}

static void configure(LogLevel level, bool events)
{
	MUST(!log_configure(&(LogOptions){
		.level = level, .file = "log", .file_max_bytes = 1 << 20, .events = events}));
}

/* It is copied at once: what the caller had may be gone. */
static void add(Events *events, const FailedLogin *login)
{
	FailedLogin given = *login;
	char *value[COLUMN_COUNT] = {NULL};

	given.time_us = NOW_US - given.time_us;
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (given.row.field[i].data) {
			value[i] = span_dup(given.row.field[i]);
			MUST(value[i]);
			given.row.field[i].data = value[i];
		}
	events_add(events, &given);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		free(value[i]);
}

static void test_texts(void)
{
	configure(LOG_LEVEL_WARNING, true);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Events events = EVENTS_INIT;
		_cleanup_strbuf_ StrBuf got = STRBUF_INIT, expected = STRBUF_INIT;

		strbuf_appendf(&expected, "INFO %s", rows[i].text);
		add(&events, &rows[i].login);
		events_say(&events, NOW_US);
		got = take_log();
		if (!tap_ok(!strcmp(strbuf_text(&got), expected.data), "text: %s", rows[i].name))
			tap_note("%s", strbuf_text(&got));
	}
}

static void test_order(void)
{
	Events events = EVENTS_INIT;
	_cleanup_strbuf_ StrBuf got = STRBUF_INIT;

	configure(LOG_LEVEL_DEBUG, false);
	add(&events, &rows[1].login);
	add(&events, &rows[4].login);
	events_say(&events, NOW_US);
	add(&events, &rows[1].login);
	events_say(&events, NOW_US);
	events_say(&events, NOW_US);
	got = take_log();
	tap_ok(!strcmp(strbuf_text(&got), "DEBUG failed login from unknown (Off)&"
					  "DEBUG failed login from 203.0.113.7 (Off)&"
					  "DEBUG failed login from unknown (Off)"),
		"each once, in order, at the level DEBUG where that alone wants them");
}

static void test_off(void)
{
	Events events = EVENTS_INIT;
	_cleanup_strbuf_ StrBuf got = STRBUF_INIT;

	configure(LOG_LEVEL_INFO, false);
	add(&events, &rows[0].login);
	events_say(&events, NOW_US);
	got = take_log();
	tap_ok(!got.len && log_events_level() == LOG_LEVEL_COUNT,
		"nothing when it is not wanted any more");
	add(&events, &rows[0].login);
	events_done(&events);
	events_say(&events, NOW_US);
	tap_ok(!events.first, "what was not written is forgotten");
}

int main(void)
{
	scratch_enter();
	MUST(freopen("/dev/null", "w", stderr));
	test_texts();
	test_order();
	test_off();
	log_close();
	return tap_done();
}
