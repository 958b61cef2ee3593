/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parse/postfix.h"

#include "base/number.h"

#define METHOD_MAX 20 /* RFC 4422 section 3.1 */

static const Span failed_words = SPAN_LITERAL(" authentication failed");
static const Span aborted_words = SPAN_LITERAL(" authentication aborted");
static const Span username_words = SPAN_LITERAL(", sasl_username=");

/* What may follow the user in smtpd_sasl_mail_log() of Postfix. */
static const Span success_trailers[] = {
	SPAN_LITERAL(", sasl_sender="),
	SPAN_LITERAL(", orig_queue_id="),
	SPAN_LITERAL(", orig_client="),
};

static void skip(Span *rest, size_t n)
{
	rest->data += n;
	rest->len -= n;
}

static bool skip_prefix(Span *rest, Span prefix)
{
	if (rest->len < prefix.len || memcmp(rest->data, prefix.data, prefix.len))
		return false;
	skip(rest, prefix.len);
	return true;
}

/*
 * The first place of the words in text; text.len when they are not there. No memmem: its set-up
 * costs more than the few blanks or commas that a line has.
 */
static size_t find(Span text, Span words)
{
	const char *at = text.data, *end = text.data + text.len;

	while ((size_t)(end - at) >= words.len) {
		at = memchr(at, *words.data, (size_t)(end - at) - words.len + 1);
		if (!at)
			break;
		if (!memcmp(at, words.data, words.len))
			return (size_t)(at - text.data);
		at++;
	}
	return text.len;
}

static Span or_missing(Span text)
{
	return text.len ? text : SPAN_MISSING;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool method_valid(Span method)
{
	if (!method.len || method.len > METHOD_MAX)
		return false;
	for (size_t i = 0; i < method.len; i++)
		if (!is_alnum(method.data[i]) && method.data[i] != '-' && method.data[i] != '_')
			return false;
	return true;
}

/* "NAME[ADDR]" and the ":PORT" of smtpd_client_port_logging. The address is what the first bracket holds. */
static bool take_client(Span *rest, AuthEvent *event)
{
	size_t n = 0;
	const char *bracket;
	Span address;

	while (n < rest->len && (is_alnum(rest->data[n]) || rest->data[n] == '.' ||
					rest->data[n] == '-' || rest->data[n] == '_'))
		n++;
	if (!n || n == rest->len || rest->data[n] != '[')
		return false;
	event->client = (Span){rest->data, n};
	skip(rest, n + 1);
	bracket = memchr(rest->data, ']', MIN(rest->len, IP_TEXT_MAX));
	if (!bracket)
		return false;
	address = (Span){rest->data, (size_t)(bracket - rest->data)};
	if (!span_equal_string(address, "unknown") && ipaddr_parse(address, &event->ip))
		return false;
	skip(rest, address.len + 1);
	if (rest->len < 2 || rest->data[0] != ':' || rest->data[1] == ' ')
		return true;
	skip(rest, 1);
	if (skip_prefix(rest, SPAN_LITERAL("unknown")))
		return true;
	for (n = 0; n < rest->len && is_digit(rest->data[n]); n++)
		;
	skip(rest, n);
	return n > 0;
}

/*
 * Where METHOD ends: before the first " authentication failed" that Postfix's own words can
 * continue. Postfix's tokenizer lets a client put a blank into METHOD only behind a quote, "<" or
 * a backslash, so for a method that is method_valid() the first is the right one; for any other
 * nothing depends on the place but the text of the reason.
 */
static size_t find_failed(Span text)
{
	size_t at = 0, first = text.len;

	while (at < text.len) {
		Span rest = {text.data + at, text.len - at};
		size_t n = find(rest, failed_words);

		if (n == rest.len)
			break;
		at += n;
		rest = (Span){text.data + at + failed_words.len, text.len - at - failed_words.len};
		if (!rest.len || *rest.data == ':' || skip_prefix(&rest, username_words))
			return at;
		if (first == text.len)
			first = at;
		at += failed_words.len;
	}
	return first;
}

static bool is_outage(Span reason)
{
	return (span_starts_with(reason, "Connection lost to authentication server") ||
		       span_starts_with(reason, "Can't connect to authentication server") ||
		       span_starts_with(reason, "Authentication backend error")) &&
	       find(reason, failed_words) == reason.len;
}

/* text is what follows "warning: NAME[ADDR]: SASL ". */
static EventKind parse_attempt(Span text, AuthEvent *event)
{
	size_t n = find_failed(text);
	Span method = {text.data, n}, reason;

	if (n == text.len) {
		if (n < aborted_words.len)
			return EVENT_OTHER;
		method.len = n - aborted_words.len;
		if (memcmp(text.data + method.len, aborted_words.data, aborted_words.len))
			return EVENT_OTHER;
		event->method = method_valid(method) ? method : SPAN_MISSING;
		return EVENT_ABORTED;
	}
	skip(&text, n + failed_words.len);
	if (skip_prefix(&text, SPAN_LITERAL(":")))
		skip_prefix(&text, SPAN_LITERAL(" "));
	n = find(text, username_words);
	reason = (Span){text.data, n};
	event->reason = or_missing(reason);
	if (!method_valid(method))
		return EVENT_FAILURE;
	event->method = method;
	if (n < text.len) {
		skip(&text, n + username_words.len);
		event->user = span_equal_string(text, "(unavailable)") ? SPAN_MISSING : text;
	}
	return is_outage(reason) ? EVENT_OUTAGE : EVENT_FAILURE;
}

/* text is what follows "QUEUEID: client=NAME[ADDR], sasl_method=". */
static EventKind parse_success(Span text, AuthEvent *event)
{
	size_t n = find(text, username_words);
	Span method = {text.data, n};

	if (n == text.len)
		return EVENT_OTHER;
	if (!method_valid(method))
		return EVENT_SUCCESS;
	event->method = method;
	skip(&text, n + username_words.len);
	for (size_t i = 0; i < ARRAY_SIZE(success_trailers); i++)
		text.len = find(text, success_trailers[i]);
	event->user = text;
	return EVENT_SUCCESS;
}

static EventKind parse_anchored(Span message, AuthEvent *event)
{
	size_t n = 0;

	if (skip_prefix(&message, SPAN_LITERAL("warning: "))) {
		if (!take_client(&message, event) ||
			!skip_prefix(&message, SPAN_LITERAL(": SASL ")))
			return EVENT_OTHER;
		return parse_attempt(message, event);
	}
	while (n < message.len && is_alnum(message.data[n]))
		n++;
	if (!n)
		return EVENT_OTHER;
	skip(&message, n);
	if (!skip_prefix(&message, SPAN_LITERAL(": client=")) || !take_client(&message, event) ||
		!skip_prefix(&message, SPAN_LITERAL(", sasl_method=")))
		return EVENT_OTHER;
	return parse_success(message, event);
}

/*
 * rsyslog's $RepeatedMsgReduction: "message repeated 3 times: [ LINE]". A relay that folds what a
 * sender folded wraps it twice. 0, or -EINVAL when it begins like one but is none.
 */
static int unfold(Span *message, AuthEvent *event)
{
	Span rest = *message;

	while (skip_prefix(&rest, SPAN_LITERAL("message repeated "))) {
		Span digits = {rest.data, find(rest, SPAN_LITERAL(" times: ["))};
		uint64_t times = 0;
		int r = number_parse_u64(digits, UINT64_MAX, &times);

		if (digits.len == rest.len || (r && r != -ERANGE) || (!r && !times))
			return -EINVAL;
		if (r || times > EVENT_REPEAT_MAX || times * event->count > EVENT_REPEAT_MAX) {
			event->count = EVENT_REPEAT_MAX;
			event->repeat_capped = true;
		} else {
			event->count *= (uint32_t)times;
		}
		skip(&rest, digits.len + strlen(" times: ["));
		skip_prefix(&rest, SPAN_LITERAL(" "));
		/* a line that was cut has lost it */
		if (rest.len && rest.data[rest.len - 1] == ']')
			rest.len--;
	}
	*message = rest;
	return 0;
}

/* The client's failures come from smtpd; "postfix/smtp" logs those of this server's own logins. */
static bool is_smtpd(Span tag)
{
	static const Span name = SPAN_LITERAL("smtpd");

	return tag.len >= name.len && !memcmp(tag.data + tag.len - name.len, name.data, name.len) &&
	       (tag.len == name.len || tag.data[tag.len - name.len - 1] == '/');
}

/* Everything but time, server and service. */
static void reset(AuthEvent *event)
{
	event->kind = EVENT_OTHER;
	event->repeat_capped = false;
	event->count = 1;
	event->ip = (IpAddr){0};
	event->client = event->method = event->reason = event->user = SPAN_MISSING;
}

void postfix_parse_message(Span tag, Span message, AuthEvent *event)
{
	reset(event);
	if (is_smtpd(tag) && !unfold(&message, event))
		event->kind = parse_anchored(message, event);
	if (event->kind == EVENT_OTHER)
		reset(event);
}

void postfix_parse_line(StampContext *context, Span line, AuthEvent *ret_event)
{
	LineHeader header;

	if (header_parse(context, line, &header))
		header = (LineHeader){0};
	ret_event->has_time = header.has_time;
	ret_event->time_us = header.time_us;
	ret_event->server = header.server;
	ret_event->service = header.tag;
	postfix_parse_message(header.tag, header.message, ret_event);
}

/*
 * The search looks for the third and fourth letter, "SL" or "sl": rare in mail logs, and the
 * same for all needles when case is ignored.
 */
#define NEEDLE_PAIR 2

/* The needle whose third letter stands at data[at]; NULL when it is none. */
static const char *needle_at(const char *data, size_t len, size_t at)
{
	Span rest;

	if (at < NEEDLE_PAIR)
		return NULL;
	rest = (Span){data + at - NEEDLE_PAIR, len - at + NEEDLE_PAIR};
	return span_starts_with(rest, "SASL ") || span_starts_with(rest, "sasl_method=") ||
			       span_starts_with(rest, "syslogd")
		       ? rest.data
		       : NULL;
}

/* What every 64-bit processor can do with 16 bytes at once; compilers spell it out for the others. */
typedef uint8_t Bytes __attribute__((vector_size(16)));

static Bytes load(const char *p)
{
	Bytes bytes;

	memcpy(&bytes, p, sizeof(bytes));
	return bytes;
}

/* Where an S stands at p[i] and an L at p[i + 1], in any case. Reads 17 bytes. */
static Bytes pairs_at(const char *p)
{
	return (Bytes)(((load(p) | 0x20) == 's') & ((load(p + 1) | 0x20) == 'l'));
}

static bool any(Bytes bytes)
{
	uint64_t halves[2];

	memcpy(halves, &bytes, sizeof(halves));
	return halves[0] | halves[1];
}

const char *postfix_find_candidate(const char *data, size_t len)
{
	size_t at = 0, until;

	for (;;) {
		while (len - at > 64 &&
			!any(pairs_at(data + at) | pairs_at(data + at + 16) |
				pairs_at(data + at + 32) | pairs_at(data + at + 48)))
			at += 64;
		for (until = MIN(len, at + 64); at < until; at++) {
			const char *needle;

			if (at + 1 == len)
				return NULL;
			if ((data[at] | 0x20) != 's' || (data[at + 1] | 0x20) != 'l')
				continue;
			needle = needle_at(data, len, at);
			if (needle)
				return needle;
		}
		if (at == len)
			return NULL;
	}
}
