/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parse/postfix.h"

#include "random.h"
#include "tap.h"

/* What Postfix's words mean is in test/corpus; here is what no line of a log can show. */

static const char *slow_find(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((len - i >= 5 && !memcmp(data + i, "SASL ", 5)) ||
			(len - i >= 12 && !memcmp(data + i, "sasl_method=", 12)))
			return data + i;
	return NULL;
}

/* A needle at every place of buffers of every small length, which end where their memory ends. */
static void test_find_everywhere(const char *needle)
{
	size_t needle_len = strlen(needle), wrong = 0;

	for (size_t len = 0; len < 300; len++) {
		_cleanup_free_ char *data = malloc(MAX(len, 1));

		if (!data)
			abort();
		for (size_t at = 0; at < len; at++) {
			/* the last places hold a needle that is cut */
			size_t n = MIN(needle_len, len - at);

			memset(data, at % 2 ? 'S' : '\0', len);
			memcpy(data + at, needle, n);
			wrong += postfix_find_candidate(data, len) !=
				 (n == needle_len ? data + at : NULL);
		}
	}
	tap_ok(!wrong, "'%s' is found at every place, and not when cut", needle);
}

static void test_find_random(Random *random)
{
	static const char letters[] = "SsAaLl _=method";
	char data[1024];
	size_t wrong = 0, found = 0;

	for (int i = random_rounds(20000); i > 0; i--) {
		size_t len = random_below(random, sizeof(data)), start;

		for (size_t k = 0; k < len; k++)
			data[k] = letters[random_below(random, sizeof(letters))];
		for (uint32_t k = random_below(random, 3); k && len > 20; k--)
			memcpy(data + random_below(random, (uint32_t)len - 12), "sasl_method=", 12);
		start = len ? random_below(random, (uint32_t)len) : 0;
		wrong += postfix_find_candidate(data + start, len - start) !=
			 slow_find(data + start, len - start);
		found += slow_find(data + start, len - start) != NULL;
	}
	tap_ok(!wrong && found > 25, "the search agrees with a slow one (%zu found)", found);
}

static void test_find_near_misses(void)
{
	static const char *const texts[] = {"", "S", "SASL", "SASL:", "SASL_", "sasl ", "Sasl ",
		"sasl_method", "sasl_methods=", "sasl_username=x", "SSL_accept",
		"sAsL_method=", "SASLSASLSASL",
		"sasl_method sasl_method sasl_method sasl_method sasl_method sasl_"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		tap_ok(!postfix_find_candidate(texts[i], strlen(texts[i])), "'%s' is no needle",
			texts[i]);
	tap_ok(!postfix_find_candidate(NULL, 0), "nothing holds no needle");
}

/* The journal's fields come one by one: what is missing there must do no harm. */
static void test_message(void)
{
	static const Span tag = SPAN_LITERAL("postfix/smtpd");
	static const Span message =
		SPAN_LITERAL("message repeated 3 times: [ warning: a[192.0.2.7]: SASL LOGIN "
			     "authentication failed: b, sasl_username=c]");
	AuthEvent event = {
		.kind = EVENT_SUCCESS,
		.has_time = true,
		.time_us = 42,
		.repeat_capped = true,
		.server = SPAN_LITERAL("mx1"),
		.service = SPAN_LITERAL("service"),
		.user = SPAN_LITERAL("old"),
	};

	postfix_parse_message(tag, message, &event);
	tap_ok(event.kind == EVENT_FAILURE && event.count == 3 && !event.repeat_capped &&
			event.ip.family == IP_V4 && span_equal_string(event.client, "a") &&
			span_equal_string(event.method, "LOGIN") &&
			span_equal_string(event.reason, "b") && span_equal_string(event.user, "c"),
		"a message is read");
	tap_ok(event.has_time && event.time_us == 42 && span_equal_string(event.server, "mx1") &&
			span_equal_string(event.service, "service"),
		"time, server and service are left alone");

	postfix_parse_message(SPAN_MISSING, message, &event);
	tap_ok(event.kind == EVENT_OTHER && event.count == 1 && !event.client.data &&
			!event.method.data && !event.reason.data && !event.user.data &&
			event.ip.family == IP_UNKNOWN && event.time_us == 42,
		"without a tag it is nobody's, and nothing of the last one stays");
	postfix_parse_message(tag, SPAN_MISSING, &event);
	tap_ok(event.kind == EVENT_OTHER, "without a message it says nothing");
	postfix_parse_message(SPAN_LITERAL("smtpd"), message, &event);
	tap_ok(event.kind == EVENT_FAILURE, "a tag without a slash is read");
	postfix_parse_message(SPAN_LITERAL("xsmtpd"), message, &event);
	tap_ok(event.kind == EVENT_OTHER, "one that only ends alike is not");
}

static void append_many(char *to, size_t *len, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++) {
		memcpy(to + *len, text, strlen(text));
		*len += strlen(text);
	}
}

/* Long lines made of what the parser looks for: read to the end, and only a few times. */
static void test_long(const char *what, const char *head, const char *text, EventKind kind)
{
	size_t size = 1 << 20, len = 0;
	_cleanup_free_ char *line = malloc(size + 4096);
	StampContext context = {.year = 2026};
	AuthEvent event;
	struct timespec before, after;

	if (!line)
		abort();
	append_many(line, &len, head, 1);
	append_many(line, &len, text, (size - len) / strlen(text));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	postfix_parse_line(&context, (Span){line, len}, &event);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	tap_ok(event.kind == kind && after.tv_sec - before.tv_sec < 5, "1 MB: %s", what);
}

int main(void)
{
#define HEAD "Nov 22 12:55:02 mx1 postfix/smtpd[1]: "
	Random random = random_seeded();

	test_find_everywhere("SASL ");
	test_find_everywhere("sasl_method=");
	test_find_random(&random);
	test_find_near_misses();
	test_message();
	test_long("NULs", "", "\1", EVENT_OTHER);
	test_long("a host", "Nov 22 12:55:02 ", "x", EVENT_OTHER);
	test_long("a tag", "Nov 22 12:55:02 mx1 ", "x/", EVENT_OTHER);
	test_long("structured data", "<22>1 - - - - - ", "[x y=\"\\\"]\"]", EVENT_OTHER);
	test_long("a client", HEAD "warning: ", "x", EVENT_OTHER);
	test_long("brackets", HEAD "warning: ", "x[", EVENT_OTHER);
	test_long("a method", HEAD "warning: x[192.0.2.7]: SASL ", "x ", EVENT_OTHER);
	test_long("methods that nearly end", HEAD "warning: x[192.0.2.7]: SASL ",
		" authentication faile", EVENT_OTHER);
	test_long("methods that fail", HEAD "warning: x[192.0.2.7]: SASL ",
		" authentication failed ", EVENT_FAILURE);
	test_long("a reason",
		HEAD "warning: x[192.0.2.7]: SASL LOGIN authentication failed: ", ", sasl_usernam",
		EVENT_FAILURE);
	test_long("a user", HEAD "warning: x[192.0.2.7]: SASL LOGIN authentication failed: ",
		", sasl_username=", EVENT_FAILURE);
	test_long("folds", HEAD, "message repeated 1 times: [ ", EVENT_OTHER);
	test_long("a fold's number", HEAD "message repeated ", "1", EVENT_OTHER);
	test_long("a success",
		HEAD "A1: client=x[192.0.2.7], sasl_method=A, sasl_username=", ", sasl_sender",
		EVENT_SUCCESS);
	return tap_done();
}
