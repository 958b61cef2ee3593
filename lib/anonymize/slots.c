/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "anonymize/slots.h"

static void add(Slots *slots, Span message, Span value, StandInKind kind)
{
	if (!value.data || slots->count == SLOTS_MAX)
		return;
	slots->slot[slots->count++] = (ScanSlot){
		.start = (size_t)(value.data - message.data), .len = value.len, .kind = kind};
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static const char *find_last(Span text, Span words)
{
	for (size_t at = text.len; at-- > 0;)
		if (text.data[at] == *words.data && text.len - at >= words.len &&
			!memcmp(text.data + at, words.data, words.len))
			return text.data + at;
	return NULL;
}

static const char *find_first(Span text, Span words)
{
	return text.data && text.len ? memmem(text.data, text.len, words.data, words.len) : NULL;
}

/* ---- a login ----------------------------------------------------------------------------------- */

/* "SASL METHOD authentication failed" with a METHOD that is none: up to the last of these words that Postfix's own can follow. */
static void add_no_method(Slots *slots, Span message)
{
	static const Span sasl = SPAN_LITERAL(": SASL "),
			  failed = SPAN_LITERAL(" authentication failed"),
			  aborted = SPAN_LITERAL(" authentication aborted");
	const char *start = find_first(message, sasl), *end;
	Span rest;

	if (!start)
		return;
	start += sasl.len;
	rest = (Span){start, (size_t)(message.data + message.len - start)};
	end = find_last(rest, slots->event.kind == EVENT_ABORTED ? aborted : failed);
	if (!end || end == start)
		return;
	add(slots, message, (Span){start, (size_t)(end - start)}, STANDIN_METHOD);
	slots->slot[slots->count - 1].is_quoted = true;
}

/* Base64, and none of the two that all servers send. */
static bool is_challenge(const Vocabulary *vocabulary, Span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_alnum(text.data[i]) && text.data[i] != '+' && text.data[i] != '/' &&
			text.data[i] != '=')
			return false;
	return text.len > 3 && !vocabulary_find(vocabulary, text.data, text.len)->flags;
}

static void add_login(Slots *slots, const Vocabulary *vocabulary, Span message)
{
	const AuthEvent *event = &slots->event;

	if (!event->method.data && event->kind != EVENT_SUCCESS)
		add_no_method(slots, message);
	else if (event->method.data &&
		 !vocabulary_find(vocabulary, event->method.data, event->method.len)->flags)
		add(slots, message, event->method, STANDIN_METHOD);
	if (event->method.data && event->reason.data && is_challenge(vocabulary, event->reason))
		add(slots, message, event->reason, STANDIN_CHALLENGE);
	if (event->user.len)
		add(slots, message, event->user, STANDIN_USER);
}

/* ---- a header of a mail ------------------------------------------------------------------------ */

/* "4F66E: warning: header Subject: TEXT from mx.example[192.0.2.7]; from=<...> ..." of header_checks(5) */
static void add_mail_header(Slots *slots, Span message)
{
	static const Span parts[] = {SPAN_LITERAL(": header "), SPAN_LITERAL(": mime-header "),
		SPAN_LITERAL(": nested-header "), SPAN_LITERAL(": body ")};
	const char *end = message.data + message.len, *start = NULL, *at;
	Span rest;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		at = find_first(message, parts[i]);
		if (at && (!start || at + parts[i].len < start))
			start = at + parts[i].len;
	}
	if (!start)
		return;
	rest = (Span){start, (size_t)(end - start)};
	at = find_last(rest, SPAN_LITERAL("; from=<"));
	if (at)
		at = find_last((Span){start, (size_t)(at - start)}, SPAN_LITERAL(" from "));
	if (at)
		end = at;
	at = memchr(start, ':', (size_t)(end - start));
	if (at && at + 1 < end && at[1] == ' ' && !memchr(start, ' ', (size_t)(at - start)))
		start = at + 2;
	if (start < end)
		add(slots, message, (Span){start, (size_t)(end - start)}, STANDIN_TEXT);
}

/* ---- all --------------------------------------------------------------------------------------- */

/* "4F66E0A1: ..." */
static size_t queue_id_length(const Vocabulary *vocabulary, Span message)
{
	size_t n = 0;
	bool digit = false;

	while (n < message.len && is_alnum(message.data[n]))
		digit |= message.data[n++] <= '9';
	if (n < 5 || n > 20 || n == message.len || message.data[n] != ':')
		return 0;
	return digit || !vocabulary_find(vocabulary, message.data, n)->flags ? n : 0;
}

#define FOLDS_MAX 4 /* of a line: each relay may fold once */

/* What "message repeated 3 times: [ " leaves. */
static Span take_folds(Slots *slots, Span message)
{
	Span rest = message;

	static const Span start = SPAN_LITERAL("message repeated "),
			  end = SPAN_LITERAL(" times: [ ");

	while (rest.len > start.len && !memcmp(rest.data, start.data, start.len) &&
		slots->count < FOLDS_MAX) {
		const char *at = find_first(rest, end), *p = rest.data + start.len;

		if (!at)
			break;
		while (p < at && *p >= '0' && *p <= '9')
			p++;
		if (p < at)
			break;
		/* however long it is */
		p = rest.data + start.len;
		add(slots, message, (Span){p, (size_t)(at - p)}, STANDIN_NUMBER);
		slots->slot[slots->count - 1].is_kept = true;
		at += end.len;
		rest = (Span){at, (size_t)(rest.data + rest.len - at)};
	}
	return rest;
}

void slots_find_postfix(Slots *slots, const Vocabulary *vocabulary, Span tag, Span message)
{
	static const Span cleanup = SPAN_LITERAL("cleanup");
	Span inner = take_folds(slots, message);
	size_t n = queue_id_length(vocabulary, inner);

	if (n)
		add(slots, message, (Span){inner.data, n}, STANDIN_QUEUE_ID);
	slots->has_needle = message.len && postfix_find_candidate(message.data, message.len);
	if (slots->has_needle) {
		postfix_parse_message(tag, message, &slots->event);
		if (slots->event.kind != EVENT_OTHER)
			add_login(slots, vocabulary, message);
	}
	if (tag.len >= cleanup.len &&
		!memcmp(tag.data + tag.len - cleanup.len, cleanup.data, cleanup.len))
		add_mail_header(slots, message);
}

int slots_add_found(Slots *slots, const AnonymizerOptions *options, Span message)
{
	AnonymizerFind finds[ANONYMIZER_FINDS_MAX];
	int n = options->find(options->userdata, message, finds);
	size_t known = 0;

	for (int i = 0; i < n; i++) {
		size_t start = finds[i].start, end = start + finds[i].len;

		if (!finds[i].len || end > message.len)
			continue;
		while (known < slots->count &&
			slots->slot[known].start + slots->slot[known].len <= start)
			known++;
		if (slots->count == SLOTS_MAX ||
			(known < slots->count && slots->slot[known].start < end))
			continue;
		memmove(&slots->slot[known + 1], &slots->slot[known],
			(slots->count - known) * sizeof(slots->slot[0]));
		slots->slot[known++] =
			(ScanSlot){.start = start, .len = finds[i].len, .kind = finds[i].kind};
		slots->count++;
	}
	return MIN(n, 0);
}

void slots_check(const Slots *slots, Span tag, Span message)
{
	static const Span needles[] = {SPAN_LITERAL(": SASL "), SPAN_LITERAL(", sasl_method=")};
	AuthEvent event;

	if (slots->event.kind != EVENT_OTHER)
		return;
	postfix_parse_message(tag, message, &event);
	if (event.kind == EVENT_OTHER)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(needles); i++) {
		const char *at = find_first(message, needles[i]);

		/* the blank */
		if (at)
			((char *)(uintptr_t)at)[1] = '_';
	}
}
