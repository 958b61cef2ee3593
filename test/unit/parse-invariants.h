/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What holds for every line whatever its bytes. */

#include "parse/postfix.h"

__attribute__((unused)) static bool span_within(Span part, Span whole)
{
	return !part.data || (part.data >= whole.data && part.len <= whole.len &&
				     (size_t)(part.data - whole.data) <= whole.len - part.len);
}

/* NULL, or what is wrong with what was read from the line. */
__attribute__((unused)) static const char *parse_invariant_broken(
	Span line, const AuthEvent *event, const char *candidate)
{
	const Span spans[] = {event->server, event->service, event->client, event->method,
		event->reason, event->user};

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		if (!span_within(spans[i], line))
			return "a span points elsewhere";
	if (candidate && (candidate < line.data || candidate >= line.data + line.len))
		return "the needle lies elsewhere";
	if ((unsigned)event->kind >= EVENT_KIND_COUNT)
		return "no kind";
	if (event->count < 1 || event->count > EVENT_REPEAT_MAX)
		return "count out of range";
	if (event->repeat_capped && event->count != EVENT_REPEAT_MAX)
		return "capped below the cap";
	if (event->server.data && !event->server.len)
		return "an empty server is a missing one";
	if (event->kind == EVENT_OTHER)
		return event->client.data || event->method.data || event->reason.data ||
				       event->user.data || event->ip.family || event->count != 1
			       ? "other, and yet it says something"
			       : NULL;
	if (!candidate)
		return "the search would have skipped the line";
	if (!event->client.len)
		return "a client without a name";
	if (event->method.data && (!event->method.len || event->method.len > 20))
		return "that is no method";
	if (event->user.data && !event->method.data)
		return "a user without a method";
	if (event->reason.data && !event->reason.len)
		return "an empty reason is a missing one";
	if (event->service.len < 5 ||
		memcmp(event->service.data + event->service.len - 5, "smtpd", 5) != 0)
		return "not smtpd's";
	return NULL;
}
