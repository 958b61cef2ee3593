/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"
#include "base/utf8.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "parse/postfix.h"
#include "source/tail.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

enum { OPTION_JSON, OPTION_YEAR };

static const CommandOption options[] = {
	[OPTION_JSON] = {"json", 0, NULL, "one JSON object per line"},
	[OPTION_YEAR] = {"year", 0, "YYYY", "the year of stamps that have none"},
	{0},
};

typedef struct Explainer {
	StampContext stamps;
	LocalZone zone;
	StrBuf out;
	uint64_t line;
	bool json;
} Explainer;

static void append_json(Explainer *e, const AuthEvent *event, Span time, Span ip)
{
	const struct {
		const char *name;
		Span value;
	} fields[] = {
		{"kind", span_from_string(event_kind_name(event->kind))},
		{"time", time},
		{"server", event->server},
		{"service", event->service},
		{"ip", ip},
		{"user", event->user},
		{"method", event->method},
		{"reason", event->reason},
	};

	strbuf_appendf(&e->out, "{\"line\":%" PRIu64, e->line);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		strbuf_appendf(&e->out, ",\"%s\":", fields[i].name);
		json_append_string(&e->out, fields[i].value);
	}
	strbuf_appendf(&e->out, ",\"count\":%" PRIu32 "}\n", event->count);
}

static void append_field(StrBuf *sb, const char *name, Span value)
{
	if (!value.data)
		return;
	strbuf_appendf(sb, " %s=\"", name);
	utf8_append_escaped(sb, value);
	strbuf_append_char(sb, '"');
}

static void append_text(Explainer *e, const AuthEvent *event, Span time, Span ip)
{
	strbuf_appendf(&e->out, "%" PRIu64 ": %s", e->line, event_kind_name(event->kind));
	if (event->count != 1)
		strbuf_appendf(&e->out, " x%" PRIu32, event->count);
	append_field(&e->out, "time", time);
	append_field(&e->out, "server", event->server);
	append_field(&e->out, "service", event->service);
	append_field(&e->out, "ip", ip);
	append_field(&e->out, "user", event->user);
	append_field(&e->out, "method", event->method);
	append_field(&e->out, "reason", event->reason);
	strbuf_append_char(&e->out, '\n');
}

static void explain_line(Explainer *e, Span line)
{
	char time[CALENDAR_ISO_MAX], ip[IP_TEXT_MAX];
	Span time_text = SPAN_MISSING, ip_text = SPAN_MISSING;
	AuthEvent event;

	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	e->line++;
	postfix_parse_line(&e->stamps, line, &event);
	if (event.has_time)
		time_text = (Span){time, calendar_format_iso(&e->zone, event.time_us, time)};
	/* A line without a login has no address; one that says "unknown" has that. */
	if (event.kind != EVENT_OTHER)
		ip_text = (Span){ip, ipaddr_format(&event.ip, ip)};
	if (e->json)
		append_json(e, &event, time_text, ip_text);
	else
		append_text(e, &event, time_text, ip_text);
}

static void ignore_notice(void *userdata, bool warning, const char *text)
{
	bool *damaged = userdata;

	log_warning("%s", text);
	*damaged |= warning;
}

/* 0 or -errno; *why says which. */
static int explain_all(Explainer *e, Tail *tail, Why *why)
{
	int64_t now_us = loop_wall_us();

	for (;;) {
		Span chunk = tail_chunk(tail);
		const char *at = chunk.data, *end = chunk.data + chunk.len;
		int r;

		if (!chunk.len) {
			r = tail_fill(tail, now_us, why);
			if (r)
				return r == TAIL_IDLE ? 0 : r;
			continue;
		}
		e->stamps.reference_us = tail_written_us(tail, now_us);
		while (at < end) {
			const char *newline = memchr(at, '\n', (size_t)(end - at));

			explain_line(e, (Span){at, (size_t)(newline - at)});
			at = newline + 1;
			if (strbuf_error(&e->out))
				return strbuf_error(&e->out);
			if (e->out.len < 65536 && at < end)
				continue;
			if (fwrite(e->out.data, 1, e->out.len, stdout) != e->out.len)
				return 0; /* main() reports what stdout could not take */
			strbuf_reset(&e->out);
		}
		tail_consume(tail, chunk.len);
	}
}

static int explain(const CommandInvocation *invocation)
{
	const char *name = invocation->argument_count ? invocation->arguments[0] : "-";
	bool is_stdin = !strcmp(name, "-"), damaged = false;
	TailCallbacks callbacks = {ignore_notice, &damaged};
	_cleanup_(tail_freep) Tail *tail = NULL;
	Explainer e = {.out = STRBUF_INIT, .json = invocation->option[OPTION_JSON].count};
	Why why = {""};
	int fd, r;

	r = command_year(invocation->option[OPTION_YEAR].value, &e.stamps.year);
	if (r)
		return r;
	fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
		      : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	r = fd < 0 ? -errno
		   : tail_new_single(fd, is_stdin ? "standard input" : name, &callbacks, &tail);
	if (!r)
		r = explain_all(&e, tail, &why);
	strbuf_done(&e.out);
	if (r < 0) {
		if (*why.text)
			log_error("%s", why.text);
		else
			log_error("%s: %s", is_stdin ? "standard input" : name, strerror(-r));
		return EXIT_FAILED;
	}
	return damaged ? EXIT_FAILED : EXIT_DONE;
}

const Command command_explain = {
	.name = "explain",
	.arguments = "[FILE]",
	.arguments_max = 1,
	.options = options,
	.help = "say for each line of FILE or stdin how it is understood",
	.run = explain,
};
