/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The parser attacked: lines as Postfix would write them from what a hostile client sends, whose
 * every field is known, and lines of the corpus with random damage, of which only that is known
 * what holds for all lines.
 */

#include "corpus.h"
#include "parse-invariants.h"
#include "random.h"
#include "tap.h"

static const char *const fragments[] = {"[198.51.100.9]", "]: SASL PLAIN ", ": SASL LOGIN ",
	"SASL ", " authentication failed", " authentication failed: ", " authentication aborted",
	" authentication ", "failed", ", sasl_username=", ", sasl_username=root",
	"sasl_method=", ", sasl_method=PLAIN", "client=", ": client=x[198.51.100.9]",
	"warning: ", "warning: x[198.51.100.9]: SASL PLAIN authentication failed: y",
	"Connection lost to authentication server", "Can't connect to authentication server",
	"(unavailable)", "(reason unavailable)", "message repeated 9 times: [ ", "times: [", "]",
	"[", "]]", "\"", "\"", "<", ">", "\\", "\\ ", " ", " ", "  ", ":", ": ", ",", ", ", "=",
	"'", "unknown", "unknown[unknown]", "x", "PLAIN", "LOGIN", "A58837BC",
	"smtpd[1]: ", "Nov 22 12:55:02 mx1 postfix/smtpd[1]: ", "2026-11-22T12:50:29Z", "\xc3\xa9",
	"?", "%s", "-", "_", "0", "127.0.0.1", "::1"};

static const char *const names[] = {"unknown", "localhost", "mail.example.net",
	"8.8.8.8.evil.example", "198.51.100.9", "SASL", "a_b-c.d", "warning"};
static const char *const addresses[] = {
	"192.0.2.7", "203.0.113.66", "2001:db8::7", "::1", "unknown"};
static const char *const ports[] = {"", "", "", ":25", ":65535"};
static const char *const methods[] = {
	"PLAIN", "LOGIN", "login", "CRAM-MD5", "XOAUTH2", "SCRAM-SHA-256-PLUS", "9_-"};
static const char *const reasons[] = {"(reason unavailable)", "authentication failure",
	"UGFzc3dvcmQ6", "generic failure", "Invalid authentication mechanism", "x, y: z", ""};
static const char *const outages[] = {
	"Connection lost to authentication server", "Can't connect to authentication server"};
static const char *const headers[] = {"Nov 22 12:55:02 mx1 postfix/smtpd[1]: ",
	"2026-11-22T12:50:29.574614+00:00 mx1 postfix/submission/smtpd[290]: ",
	"May 30 22:00:35 gr mail.warn postfix/smtps/smtpd[1]: ",
	"<20>1 2026-11-22T12:50:29Z mx1 postfix/smtpd 290 - - "};

#define PICK(random, table) ((table)[random_below((random), ARRAY_SIZE(table))])

static void append_fragments(StrBuf *sb, Random *random, uint32_t most)
{
	for (uint32_t n = random_below(random, most + 1); n; n--)
		strbuf_append_string(sb, PICK(random, fragments));
}

/* The first token of text as smtpd_token.c of Postfix splits it, cut at 100 bytes. */
static Span first_token(Span text)
{
	char stack[256];
	size_t depth = 0, i = 0;

	while (text.len && *text.data == ' ') {
		text.data++;
		text.len--;
	}
	for (; i < text.len && i < 100 && depth < sizeof(stack); i++) {
		char c = text.data[i];

		if (c == '\\') {
			if (i + 1 < text.len)
				i++;
		} else if (depth && c == stack[depth - 1]) {
			depth--;
		} else if (c == '"') {
			stack[depth++] = '"';
		} else if (c == '<' && (!depth || stack[depth - 1] == '>')) {
			stack[depth++] = '>';
		} else if (c == ' ' && !depth) {
			break;
		}
	}
	return (Span){text.data, MIN(i, 100)};
}

static bool method_sound(Span method)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	if (!method.len || method.len > 20)
		return false;
	for (size_t i = 0; i < method.len; i++)
		if (!memchr(allowed, method.data[i], sizeof(allowed) - 1))
			return false;
	return true;
}

typedef struct Truth {
	EventKind kind;
	const char *name, *address;
	StrBuf method, reason, user;
	bool has_user; /* the line has the words */
	uint32_t count;
} Truth;

static Span or_missing(const StrBuf *sb, bool there)
{
	return there ? (Span){strbuf_text(sb), sb->len} : SPAN_MISSING;
}

/* A line of Postfix in *line and what it says in *truth. */
static void invent(Random *random, Truth *truth, StrBuf *line)
{
	const char *address = PICK(random, addresses), *port = PICK(random, ports);
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	strbuf_reset(line);
	strbuf_reset(&truth->method);
	strbuf_reset(&truth->reason);
	strbuf_reset(&truth->user);
	truth->name = PICK(random, names);
	truth->address = address;
	truth->has_user = random_below(random, 4) != 0;
	truth->count = random_below(random, 8) ? 1 : 1 + random_below(random, 5);
	truth->kind = (EventKind)(1 + random_below(random, EVENT_KIND_COUNT - 1));
	if (truth->kind == EVENT_FAILURE && random_below(random, 2)) {
		append_fragments(&text, random, 8);
		Span token = first_token((Span){strbuf_text(&text), text.len});
		strbuf_append_span(&truth->method, token);
	}
	if (!truth->method.len)
		strbuf_append_string(&truth->method, PICK(random, methods));
	append_fragments(&truth->user, random, 6);

	strbuf_append_string(line, PICK(random, headers));
	if (truth->count > 1)
		strbuf_appendf(line, "message repeated %u times: [ ", truth->count);
	if (truth->kind == EVENT_SUCCESS) {
		strbuf_appendf(line, "A58837BC: client=%s[%s]%s, sasl_method=", truth->name,
			address, port);
		strbuf_append(line, truth->method.data, truth->method.len);
		truth->has_user = true;
	} else {
		strbuf_appendf(line, "warning: %s[%s]%s: SASL ", truth->name, address, port);
		strbuf_append(line, truth->method.data, truth->method.len);
		if (truth->kind == EVENT_ABORTED) {
			truth->has_user = false;
			strbuf_append_string(line, " authentication aborted");
		} else {
			if (truth->kind == EVENT_OUTAGE) {
				strbuf_append_string(&truth->reason, PICK(random, outages));
			} else {
				strbuf_append_string(&truth->reason, PICK(random, reasons));
				if (random_below(random, 4) == 0) {
					strbuf_append_string(&truth->reason, ": '");
					strbuf_append(&truth->reason, truth->method.data,
						truth->method.len);
					strbuf_append_string(&truth->reason, "'");
				}
			}
			strbuf_append_string(line, " authentication failed: ");
			strbuf_append(line, strbuf_text(&truth->reason), truth->reason.len);
		}
	}
	if (truth->has_user) {
		strbuf_append_string(line, ", sasl_username=");
		strbuf_append(line, strbuf_text(&truth->user), truth->user.len);
	}
	if (truth->count > 1)
		strbuf_append_string(line, "]");
}

static bool is_true(const Truth *truth, const AuthEvent *event)
{
	Span method = {strbuf_text(&truth->method), truth->method.len};
	bool sound = method_sound(method);
	Span user = or_missing(&truth->user, truth->has_user && sound);
	char ip[IP_TEXT_MAX];

	/* Postfix' word for no user; who succeeded has a name */
	if (event->kind != EVENT_SUCCESS && span_equal_string(user, "(unavailable)"))
		user = SPAN_MISSING;
	ipaddr_format(&event->ip, ip);
	return event->kind == truth->kind && event->count == truth->count &&
	       !strcmp(ip, truth->address) && span_equal_string(event->client, truth->name) &&
	       span_equal(event->method, sound ? method : SPAN_MISSING) &&
	       span_equal(event->user, user) &&
	       (!sound || span_equal(event->reason, or_missing(&truth->reason, truth->reason.len)));
}

static void test_invented(Random *random)
{
	size_t wrong = 0, hostile = 0, n = (size_t)random_rounds(100000);
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;
	StampContext context = {.year = 2026};
	Truth truth = {0};

	for (size_t i = 0; i < n; i++) {
		AuthEvent event;
		Span span;

		invent(random, &truth, &line);
		span = (Span){strbuf_text(&line), line.len};
		hostile += !method_sound((Span){strbuf_text(&truth.method), truth.method.len});
		postfix_parse_line(&context, span, &event);
		if (is_true(&truth, &event) && !parse_invariant_broken(span, &event,
						       postfix_find_candidate(span.data, span.len)))
			continue;
		if (wrong++ < 5) {
			_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

			corpus_append_want(&sb, &event);
			tap_note("line: %s", strbuf_text(&line));
			tap_note("got:  %s", strbuf_text(&sb));
		}
	}
	strbuf_done(&truth.method);
	strbuf_done(&truth.reason);
	strbuf_done(&truth.user);
	tap_ok(!wrong && hostile > n / 50, "%zu invented lines (%zu with a hostile method)", n,
		hostile);
}

static void damage(Random *random, const Corpus *corpus, StrBuf *line)
{
	uint32_t at = random_below(random, (uint32_t)line->len + 1), n;
	_cleanup_strbuf_ StrBuf tail = STRBUF_INIT;
	const CorpusRow *other;

	strbuf_append(&tail, strbuf_text(line) + at, line->len - at);
	switch (random_below(random, 7)) {
	case 0:
		if (at < line->len)
			line->data[at] = (char)random_below(random, 256);
		return;
	case 1: line->len = at; return;
	case 2:
		line->len = at;
		strbuf_append_string(line, PICK(random, fragments));
		break;
	case 3:
		line->len = at;
		strbuf_append_char(line, (char)random_below(random, 256));
		break;
	case 4:
		line->len = at;
		n = random_below(random, 12);
		strbuf_consume(&tail, MIN(tail.len, n));
		break;
	case 5:
		line->len = at;
		strbuf_consume(&tail, tail.len);
		other = &corpus->rows[random_below(random, (uint32_t)corpus->count)];
		at = random_below(random, (uint32_t)other->line.len + 1);
		strbuf_append(line, other->line.data + at, other->line.len - at);
		break;
	case 6:
		/* the same part twice */
		strbuf_append(line, strbuf_text(&tail), tail.len);
		break;
	}
	strbuf_append(line, strbuf_text(&tail), tail.len);
}

static bool same_event(const AuthEvent *a, const AuthEvent *b)
{
	return a->kind == b->kind && a->has_time == b->has_time && a->count == b->count &&
	       (!a->has_time || a->time_us == b->time_us) && ipaddr_equal(&a->ip, &b->ip) &&
	       a->server.data == b->server.data && a->user.data == b->user.data &&
	       a->user.len == b->user.len && a->method.len == b->method.len;
}

/* Mostly lines that say something: most of the corpus says nothing. */
static const CorpusRow *pick_row(Random *random, const Corpus *corpus)
{
	const CorpusRow *row;

	do {
		row = &corpus->rows[random_below(random, (uint32_t)corpus->count)];
	} while (row->want.kind == EVENT_OTHER && random_below(random, 8));
	return row;
}

static void test_damaged(Random *random, const Corpus *corpus)
{
	size_t wrong = 0, kinds[EVENT_KIND_COUNT] = {0}, n = (size_t)random_rounds(150000);
	StampContext kept = {.reference_us = 1795400000000000};
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;

	corpus_set_zone("Europe/Berlin");
	for (size_t i = 0; i < n && wrong < 5; i++) {
		const CorpusRow *row = pick_row(random, corpus);
		StampContext fresh = {.reference_us = kept.reference_us};
		_cleanup_free_ char *copy = NULL;
		AuthEvent event, again;
		const char *broken;
		Span span;

		strbuf_reset(&line);
		strbuf_append_span(&line, row->line);
		for (uint32_t k = 1 + random_below(random, 4); k; k--)
			damage(random, corpus, &line);
		/* a line that ends where its memory does */
		copy = malloc(MAX(line.len, 1));
		if (!copy || strbuf_error(&line))
			abort();
		memcpy(copy, strbuf_text(&line), line.len);
		span = (Span){copy, line.len};
		postfix_parse_line(&kept, span, &event);
		postfix_parse_line(&fresh, span, &again);
		broken = parse_invariant_broken(
			span, &event, postfix_find_candidate(span.data, span.len));
		if (!broken && !same_event(&event, &again))
			broken = "another answer with another cache";
		kinds[event.kind]++;
		if (!broken)
			continue;
		wrong++;
		line.data[line.len] = '\0';
		tap_note("%s: %s", broken, strbuf_text(&line));
	}
	tap_ok(!wrong, "%zu damaged lines", n);
	for (int k = 0; k < EVENT_KIND_COUNT; k++)
		tap_ok(kinds[k], "%zu of them are still %s", kinds[k],
			event_kind_name((EventKind)k));
}

int main(void)
{
	Random random = random_seeded();
	Corpus corpus;

	corpus_load(&corpus);
	test_invented(&random);
	test_damaged(&random, &corpus);
	corpus_done(&corpus);
	return tap_done();
}
