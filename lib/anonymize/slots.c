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

static void add_kept(Slots *slots, Span message, const char *start, size_t len)
{
	add(slots, message, (Span){start, len}, STANDIN_TEXT);
	slots->slot[slots->count - 1].is_kept = true;
}

static const Span failed_words = SPAN_LITERAL(" authentication failed"),
		  aborted_words = SPAN_LITERAL(" authentication aborted"),
		  username_words = SPAN_LITERAL(", sasl_username=");

/*
 * What stands in the place of METHOD and is none, in "SASL METHOD authentication failed" up to the last of these words, or in
 * "sasl_method=METHOD, sasl_username=". Missing where it is empty.
 */
static Span find_no_method(EventKind kind, Span message)
{
	static const Span sasl = SPAN_LITERAL(": SASL "), method = SPAN_LITERAL(", sasl_method=");
	Span before = kind == EVENT_SUCCESS ? method : sasl, rest;
	const char *start = find_first(message, before), *end;

	if (!start)
		return SPAN_MISSING;
	start += before.len;
	rest = (Span){start, (size_t)(message.data + message.len - start)};
	if (kind == EVENT_SUCCESS)
		end = find_first(rest, username_words);
	else
		end = find_last(rest, kind == EVENT_ABORTED ? aborted_words : failed_words);
	return end && end > start ? (Span){start, (size_t)(end - start)} : SPAN_MISSING;
}

/* The words by which parse/ knows an outage stay, whatever stands behind them without a blank. */
static void keep_outage(Slots *slots, Span message, Span reason)
{
	static const char *const outages[] = {"Connection lost to authentication server",
		"Can't connect to authentication server", "Authentication backend error"};

	for (size_t i = 0; i < ARRAY_SIZE(outages); i++)
		if (span_starts_with(reason, outages[i]))
			add_kept(slots, message, reason.data, strlen(outages[i]));
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
	static const Span sasl = SPAN_LITERAL(": SASL ");
	const AuthEvent *event = &slots->event;
	Span method = event->method, words = failed_words;
	const char *end;

	if (!method.data) {
		method = find_no_method(event->kind, message);
		if (method.data) {
			add(slots, message, method, STANDIN_METHOD);
			slots->slot[slots->count - 1].is_quoted = true;
		}
	} else if (!vocabulary_find(vocabulary, method.data, method.len)->flags) {
		add(slots, message, method, STANDIN_METHOD);
	}
	if (event->kind != EVENT_SUCCESS) {
		end = method.data ? method.data + method.len : find_first(message, sasl);
		if (!end)
			return;
		if (!method.data)
			end += sasl.len - 1;
		words = event->kind == EVENT_ABORTED ? aborted_words : failed_words;
		if (span_starts_with(
			    (Span){end, (size_t)(message.data + message.len - end)}, words.data))
			add_kept(slots, message, end, words.len);
	}
	if (event->method.data && event->kind == EVENT_OUTAGE)
		keep_outage(slots, message, event->reason);
	else if (event->method.data && event->reason.data &&
		 is_challenge(vocabulary, event->reason))
		add(slots, message, event->reason, STANDIN_CHALLENGE);
	if (!event->user.data)
		return;
	/* parse/ takes the first of them; in the reason may stand what is a key without the comma */
	add_kept(slots, message, event->user.data - username_words.len, username_words.len);
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
	if (at) {
		end = at;
		at = find_last((Span){start, (size_t)(end - start)}, SPAN_LITERAL(" from "));
	}
	/* of the client, which is "local" or "NAME[ADDRESS]" */
	if (at && !memchr(at + 6, ' ', (size_t)(end - at - 6)) &&
		!memchr(at + 6, ';', (size_t)(end - at - 6)))
		end = at;
	at = memchr(start, ':', (size_t)(end - start));
	if (at && at + 1 < end && at[1] == ' ' && !memchr(start, ' ', (size_t)(at - start)))
		start = at + 2;
	if (start < end)
		add(slots, message, (Span){start, (size_t)(end - start)}, STANDIN_TEXT);
}

/* ---- all --------------------------------------------------------------------------------------- */

/* "4F66E0A1: ..." */
static size_t queue_id_length(const Vocabulary *vocabulary, Span message, bool is_sure)
{
	size_t n = 0;
	bool digit = false;

	while (n < message.len && is_alnum(message.data[n]))
		digit |= message.data[n++] <= '9';
	if (is_sure)
		return n;
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
			  end = SPAN_LITERAL(" times: [");

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
		if (at < message.data + message.len && *at == ' ')
			at++;
		rest = (Span){at, (size_t)(rest.data + rest.len - at)};
	}
	return rest;
}

void slots_find_postfix(Slots *slots, const Vocabulary *vocabulary, Span tag, Span message)
{
	static const Span cleanup = SPAN_LITERAL("cleanup");
	Span inner = take_folds(slots, message);
	size_t n;

	slots->has_needle = message.len && postfix_find_candidate(message.data, message.len);
	if (slots->has_needle)
		postfix_parse_message(tag, message, &slots->event);
	n = queue_id_length(vocabulary, inner, slots->event.kind == EVENT_SUCCESS);
	if (n)
		add(slots, message, (Span){inner.data, n}, STANDIN_QUEUE_ID);
	if (slots->has_needle && slots->event.kind != EVENT_OTHER)
		add_login(slots, vocabulary, message);
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

void slots_check(const Slots *slots, Span tag, char *message, size_t len)
{
	static const Span needles[] = {SPAN_LITERAL(": SASL "), SPAN_LITERAL(", sasl_method=")};
	AuthEvent event;

	if (slots->event.kind != EVENT_OTHER)
		return;
	postfix_parse_message(tag, (Span){message, len}, &event);
	if (event.kind == EVENT_OTHER)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(needles); i++) {
		const char *at = find_first((Span){message, len}, needles[i]);

		/* the blank */
		if (at)
			message[at - message + 1] = '_';
	}
}
