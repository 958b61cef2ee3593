/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parse/lost.h"

#include "base/number.h"

static bool contains(Span text, const char *words)
{
	return text.len && memmem(text.data, text.len, words, strlen(words));
}

/* The number at the start of text, moved behind it. False where there is none. */
static bool take_number(Span *text, uint64_t *ret_value)
{
	size_t n = 0;

	while (n < text->len && text->data[n] >= '0' && text->data[n] <= '9')
		n++;
	if (number_parse_u64((Span){text->data, n}, UINT32_MAX, ret_value))
		return false;
	text->data += n;
	text->len -= n;
	return true;
}

/* What follows the first place of words; missing when they are not there. */
static Span behind(Span text, const char *words)
{
	const char *at = text.len ? memmem(text.data, text.len, words, strlen(words)) : NULL;

	if (!at)
		return SPAN_MISSING;
	at += strlen(words);
	return (Span){at, (size_t)(text.data + text.len - at)};
}

/* "Suppressed 88 messages from postfix@-.service", once "... from /system.slice/postfix.service" */
static uint64_t parse_journald(Span message)
{
	uint64_t count;

	if (!span_starts_with(message, "Suppressed "))
		return 0;
	message = behind(message, "Suppressed ");
	if (!take_number(&message, &count) || !span_starts_with(message, " messages from ") ||
		!contains(message, "postfix"))
		return 0;
	return count;
}

/*
 * "imjournal: 300 messages lost due to rate-limiting (20000 allowed within 600 seconds)", "imuxsock[pid 812]: 55 messages
 * lost due to rate-limiting", once "imuxsock lost 55 messages from pid 812 due to rate-limiting"
 */
static uint64_t parse_rsyslogd(Span message)
{
	uint64_t count;
	Span rest;

	if (!contains(message, " due to rate-limiting"))
		return 0;
	rest = behind(message, "imuxsock lost ");
	if (rest.data)
		return take_number(&rest, &count) && span_starts_with(rest, " messages ") ? count
											  : 0;
	rest = behind(message, ": ");
	return rest.data && take_number(&rest, &count) &&
			       span_starts_with(rest, " messages lost due to rate-limiting")
		       ? count
		       : 0;
}

uint64_t lost_parse(Span tag, Span message)
{
	if (span_equal_string(tag, "systemd-journald") ||
		span_equal_string(tag, "systemd-journal") || span_equal_string(tag, "journal"))
		return parse_journald(message);
	/* also with a number, "rsyslogd-2177" */
	return span_starts_with(tag, "rsyslogd") ? parse_rsyslogd(message) : 0;
}
