/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A line of the log: header and Postfix's message. Whatever it says lies within it, does not depend on the lines before
 * it, and makes a row that can be read back.
 */

#include "fuzz.h"

#include <inttypes.h>

#include "../unit/parse-invariants.h"
#include "parse/lost.h"
#include "store/csv.h"

static void check_row(const AuthEvent *event)
{
	static StrBuf line, scratch, server, user;
	static LocalZone zone;
	char date[CALENDAR_MINUTE_MAX], ip[IP_TEXT_MAX];
	Row row = {0}, back;

	row.field[COLUMN_SERVER] = event->server;
	row.field[COLUMN_DATE] = (Span){date, calendar_format_minute(&zone, event->time_us, date)};
	row.field[COLUMN_IP] = (Span){ip, ipaddr_format(&event->ip, ip)};
	row.field[COLUMN_USER] = event->user;
	row.field[COLUMN_RDNS_STATUS] = SPAN_LITERAL("Off");
	strbuf_reset(&line);
	csv_append_row(&line, &row);
	HOLDS(!csv_parse_row((Span){line.data, line.len - 1}, &scratch, &back, NULL));
	HOLDS(span_equal(back.field[COLUMN_DATE], row.field[COLUMN_DATE]));
	HOLDS(span_equal(back.field[COLUMN_IP], row.field[COLUMN_IP]));
	strbuf_reset(&server);
	utf8_append_unescaped(&server, back.field[COLUMN_SERVER]);
	HOLDS(server.len == event->server.len &&
		!memcmp(strbuf_text(&server), event->server.data ? event->server.data : "",
			server.len));
	strbuf_reset(&user);
	utf8_append_unescaped(&user, back.field[COLUMN_USER]);
	HOLDS(span_equal((Span){back.field[COLUMN_USER].data ? strbuf_text(&user) : NULL, user.len},
		event->user));
}

/* A count of lost messages is one that stands there. */
static void check_lost(Span tag, Span message)
{
	uint64_t count = lost_parse(tag, message);
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, count);
	HOLDS(!count || memmem(message.data, message.len, text, strlen(text)));
}

FUZZ_TARGET(postfix)
{
	static StampContext kept = {.reference_us = 1795400000000000};
	StampContext fresh = {.reference_us = kept.reference_us};
	Span line = fuzz_rest(&(FuzzInput){data, size});
	AuthEvent event, again;
	const char *broken;
	LineHeader header;

	fuzz_set_zone("Europe/Berlin");
	postfix_parse_line(&kept, line, &event);
	postfix_parse_line(&fresh, line, &again);
	broken = parse_invariant_broken(line, &event, postfix_find_candidate(line.data, line.len));
	if (broken)
		(void)fprintf(stderr, "%s\n", broken);
	HOLDS(!broken);
	HOLDS(event.kind == again.kind && event.has_time == again.has_time);
	HOLDS(!event.has_time || event.time_us == again.time_us);
	if (!header_parse(&fresh, line, &header))
		check_lost(header.tag, header.message);
	check_lost(SPAN_LITERAL("systemd-journald"), line);
	check_lost(SPAN_LITERAL("rsyslogd"), line);
	if (event.kind == EVENT_FAILURE && event.has_time && line.len <= CSV_FIELD_MAX)
		check_row(&event);
	return 0;
}
