/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * run: no-valgrind
 * The machine code of PCRE2 reads its subject in aligned vectors, also what stands beside it in the last one; valgrind takes that for a
 * mistake, and can't be told otherwise from outside of the library.
 */
#include "anonymize/rules.h"

#include <stdio.h>

#include "anonymize/pattern.h"
#include "random.h"
#include "tap.h"

/* What a pattern's mistake is called; NULL: it has none; "*": as the library calls it, whose words change. */
static const struct {
	const char *pattern, *mistake;
} patterns[] = {
	{"ticket #(?<number>[0-9]+)", NULL},
	{"(?<user>\\S+) or (?<user>\\S+)", NULL},
	{"(?:a|b)(c)(?<host>d)", NULL},
	{"(?<message_id>x)", NULL},
	{"(?<_quad>[0-9]+)(?<user>x)", NULL},
	{"(?<user>x", "*"},
	{"a(b)c", "no group says what it holds, such as (?<user>...)"},
	{"", "no group says what it holds, such as (?<user>...)"},
	{"(?<_user>x)", "no group says what it holds, such as (?<user>...)"},
	{"(?<usr>x)", "(?<usr>...): is no kind of value; those are text, user, mail, host, "
		      "address, queue_id, message_id, session, challenge, method, program, number"},
	{"(?<user>[z-a])", "*"},
	{"(*UTF)(?<user>x)", "*"},
	{"(*UCP)(?<user>x)", "*"},
};

static void is_text(const char *got, const char *expected, const char *of)
{
	bool same = strcmp(expected, "*") ? !strcmp(got, expected) : *got != '\0';

	if (!tap_ok(same, "%s: %s", of, expected))
		tap_note("got: %s", got);
}

static void test_patterns(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		_cleanup_(rules_freep) Rules *rules = NULL;
		Why why = {""};
		int r;

		if (rules_new(&rules))
			abort();
		r = rules_replace(rules, "a", patterns[i].pattern, &why);
		tap_ok(r == (patterns[i].mistake ? -EINVAL : 0), "pattern %s", patterns[i].pattern);
		is_text(why.text, patterns[i].mistake ? patterns[i].mistake : "",
			patterns[i].pattern);
	}
}

/* What patterns find in a message: "3-6 user, 8-9 host". */
static const struct {
	const char *message, *finds;
	const char *patterns[3];
} messages[] = {
	{"", "", {"(?<user>x)"}},
	{"no such thing", "", {"(?<user>x)"}},
	{"ticket #12, ticket #345", "8-10 number, 20-23 number", {"ticket #(?<number>[0-9]+)"}},
	{"ab", "0-1 user, 1-2 user", {"(?<user>.)"}},
	{"acct bob at pc7", "5-8 user, 12-15 host", {"acct (?<user>\\S+) at (?<host>\\S+)"}},
	{"u=a v=b", "2-3 user, 6-7 user", {"u=(?<user>.)|v=(?<user>.)"}},
	/* the first pattern has it; the second what the first leaves */
	{"bob", "0-3 user", {"(?<user>b.b)", "(?<host>bob)"}},
	{"bob-pc", "0-3 user, 3-6 host", {"(?<user>bob)", "(?<host>\\S+)"}},
	{"my bob-pc", "0-3 host, 3-6 user, 6-9 host", {"(?<user>bob)", "(?<host>.+)"}},
	{"abcdefg", "0-1 text, 1-2 user, 2-4 text, 4-5 user, 5-7 text",
		{"(?<user>[be])", "(?<text>.+)"}},
	{"abcdefg", "1-2 user, 2-4 text, 4-5 user", {"(?<user>[be])", "(?<text>bcde)"}},
	{"abcdefg", "0-7 text", {"(?<text>.+)", "(?<user>[be])"}},
	{"abc", "0-1 host, 1-2 user, 2-3 text", {"(?<user>b)", "(?<host>a)", "(?<text>c)"}},
	/* a group in a group: all of it is the outer one's */
	{"<bob>", "0-5 text", {"(?<text><(?<user>bob)>)"}},
	/* groups that take no part, are empty, stand before or behind the match */
	{"xz", "1-2 host", {"x(?<user>y)?(?<host>z)"}},
	{"xz", "", {"x(?<user>y*)z"}},
	{"say bob", "4-7 user", {"say (?=(?<user>\\w+))"}},
	{"say bob", "0-3 user", {"(?<=(?<user>say)) bob"}},
	{"say bob", "4-7 user", {"say \\K(?<user>\\w+)"}},
	/* matches of nothing end, and what stands behind is found */
	{"aab", "2-3 user", {"a*?|(?<user>b)"}},
	{"abcb", "1-2 user, 3-4 user", {"(?=(?<user>b))"}},
	{"xx", "", {"(?<user>)"}},
	/* bytes */
	{"\xff\xfe=\xc3\xa4", "0-2 text", {"(?<text>..)="}},
	{"caf\xc3\xa9!", "0-5 user", {"(?<user>caf\xc3\xa9)"}},
	{"a\rb", "0-3 text", {"(?<text>a.b$)"}},
};

static void format_finds(const AnonymizerFind *finds, int count, StrBuf *sb)
{
	for (int i = 0; i < count; i++)
		strbuf_appendf(sb, "%s%zu-%zu %s", i ? ", " : "", finds[i].start,
			finds[i].start + finds[i].len, standin_kind_name(finds[i].kind));
	if (count < 0)
		strbuf_append_string(sb, "all");
}

static void test_finds(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		_cleanup_(rules_freep) Rules *rules = NULL;
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
		AnonymizerFind finds[ANONYMIZER_FINDS_MAX];
		AnonymizerOptions options = {.key = {1, 2}};
		Why why;

		if (rules_new(&rules))
			abort();
		for (size_t j = 0; j < 3 && messages[i].patterns[j]; j++)
			if (rules_replace(rules, "a", messages[i].patterns[j], &why))
				tap_ok(false, "%s: %s", messages[i].patterns[j], why.text);
		rules_apply(rules, &options);
		format_finds(finds,
			options.find(
				options.userdata, span_from_string(messages[i].message), finds),
			&text);
		is_text(strbuf_text(&text), messages[i].finds, messages[i].message);
	}
}

/* Patterns that would take years: on what they are slow for, the message goes as a whole, and soon. */
static void test_limits(void)
{
	static const char *const slow[] = {"(?<user>(a+)+[xy])", "(?<user>(?:a|aa)+[xy])",
		"(.*)(.*)(.*)(.*)(.*)(?<user>[yz])$", "(?<user>(?:(?:a?)*)*[bc])"};
	_cleanup_free_ char *message = malloc(PATTERN_SUBJECT_MAX + 1);
	AnonymizerFind finds[ANONYMIZER_FINDS_MAX];
	AnonymizerOptions options = {.key = {1, 2}};
	RuleCount count = {0};
	Why why;

	if (!message)
		abort();
	memset(message, 'a', PATTERN_SUBJECT_MAX + 1);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
		_cleanup_(rules_freep) Rules *rules = NULL;
		int wrong = 0;

		if (rules_new(&rules) || rules_replace(rules, "slow", slow[i], &why))
			abort();
		rules_apply(rules, &options);
		for (size_t len = 200; len <= PATTERN_SUBJECT_MAX; len = len * 3 / 2)
			wrong += options.find(rules, (Span){message, len}, finds) != -1;
		tap_ok(!wrong, "gives up: %s", slow[i]);
		tap_ok(!options.find(rules, SPAN_LITERAL("qqq"), finds), "and finds nothing later");
		tap_ok(rules_count(rules, 0, &count) && !rules_count(rules, 1, &count) &&
				count.gave_up == 11 && !count.found && !strcmp(count.name, "slow"),
			"it is counted (%d)", (int)count.gave_up);
	}
	for (size_t extra = 0; extra < 2; extra++) {
		_cleanup_(rules_freep) Rules *rules = NULL;
		Span all = {message, PATTERN_SUBJECT_MAX + extra};

		if (rules_new(&rules) || rules_replace(rules, "b", "(?<user>b)", &why))
			abort();
		rules_apply(rules, &options);
		tap_ok(options.find(rules, all, finds) == (extra ? -1 : 0), "%zu bytes", all.len);
		all.len = ANONYMIZER_FINDS_MAX + extra;
		if (rules_replace(rules, "a", "(?<user>a)", &why))
			abort();
		tap_ok(options.find(rules, all, finds) == (extra ? -1 : (int)ANONYMIZER_FINDS_MAX),
			"%zu finds", all.len);
	}
}

typedef int (*Keep)(Rules *rules, const char *text, Why *ret_why);

static int keep_like(Rules *rules, const char *text, Why *ret_why)
{
	return rules_keep_words_like(rules, "like", text, ret_why);
}

static const struct {
	Keep keep;
	const char *text, *mistake;
} keeps[] = {
	{rules_keep_word, "Caf\xc3\xa9_2-x.y", NULL},
	{rules_keep_word, "", "a word is empty"},
	{rules_keep_word, "two words",
		"\"two words\": a word has letters, digits, - _ and . alone"},
	{rules_keep_word, "a@b", "\"a@b\": a word has letters, digits, - _ and . alone"},
	{keep_like, "KAM_[A-Z]+", NULL},
	{keep_like, "(", "*"},
	{rules_keep_host, "mx1.example.org", NULL},
	{rules_keep_host, ".example.org.", NULL},
	{rules_keep_host, "localhost", NULL},
	{rules_keep_host, "", "\"\": is no host name"},
	{rules_keep_host, ".", "\".\": is no host name"},
	{rules_keep_host, "..org", "\"..org\": is no host name"},
	{rules_keep_host, "a..org", "\"a..org\": is no host name"},
	{rules_keep_host, "a b", "\"a b\": is no host name"},
	{rules_keep_host, "*.example.org", "\"*.example.org\": is no host name"},
	{rules_keep_host, "192.0.2.7", "\"192.0.2.7\": an address belongs in networks"},
	{rules_keep_network, "192.0.2.7", NULL},
	{rules_keep_network, "192.0.2.0/24", NULL},
	{rules_keep_network, "0.0.0.0/0", NULL},
	{rules_keep_network, "2001:db8::/32", NULL},
	{rules_keep_network, "2001:db8:8000::/33", NULL},
	{rules_keep_network, "::ffff:192.0.2.0/24", NULL},
	{rules_keep_network, "192.0.2.0/33", "\"192.0.2.0/33\": wants 0 to 32 bits"},
	{rules_keep_network, "2001:db8::/129", "\"2001:db8::/129\": wants 0 to 128 bits"},
	{rules_keep_network, "192.0.2.0/", "\"192.0.2.0/\": wants 0 to 32 bits"},
	{rules_keep_network, "192.0.2.7/24", "\"192.0.2.7/24\": has bits behind its first 24"},
	{rules_keep_network, "192.0.2.1/31", "\"192.0.2.1/31\": has bits behind its first 31"},
	{rules_keep_network, "2001:db8:8000::/32",
		"\"2001:db8:8000::/32\": has bits behind its first 32"},
	{rules_keep_network, "example.org/24",
		"\"example.org/24\": is neither an address nor ADDRESS/BITS"},
	{rules_keep_network, "/24", "\"/24\": is neither an address nor ADDRESS/BITS"},
};

static void test_lists(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(keeps); i++) {
		_cleanup_(rules_freep) Rules *rules = NULL;
		Why why = {""};
		int r;

		if (rules_new(&rules))
			abort();
		r = keeps[i].keep(rules, keeps[i].text, &why);
		tap_ok(r == (keeps[i].mistake ? -EINVAL : 0), "\"%s\" as a thing to keep",
			keeps[i].text);
		is_text(why.text, keeps[i].mistake ? keeps[i].mistake : "", keeps[i].text);
	}
}

/* What stays of a value with the lists below. */
static const struct {
	StandInKind kind;
	const char *value, *stays;
} values[] = {
	{STANDIN_TEXT, "Acme", "Acme"},
	{STANDIN_TEXT, "acme", ""},
	{STANDIN_TEXT, "Acme2", ""},
	{STANDIN_TEXT, "Acm", ""},
	{STANDIN_TEXT, "zeta", "zeta"},
	{STANDIN_TEXT, "KAM_X", "KAM_X"},
	{STANDIN_TEXT, "xKAM_X", ""},
	{STANDIN_TEXT, "KAM_Xx", ""},
	{STANDIN_TEXT, "KAM_X\n", ""},
	{STANDIN_TEXT, "", ""},
	{STANDIN_TEXT, "mx1.example.org", ""},
	{STANDIN_TEXT, "192.0.2.7", ""},
	{STANDIN_USER, "Acme", ""},
	{STANDIN_HOST, "Acme", ""},
	{STANDIN_HOST, "mx1.example.org", "mx1.example.org"},
	{STANDIN_HOST, "MX1.Example.ORG.", "MX1.Example.ORG."},
	{STANDIN_HOST, "mx2.example.org", ""},
	{STANDIN_HOST, "example.org", ""},
	{STANDIN_HOST, "org", ""},
	{STANDIN_HOST, "xmx1.example.org", ""},
	{STANDIN_HOST, "example.net", ""},
	{STANDIN_HOST, "a.example.net", ".example.net"},
	{STANDIN_HOST, "b.A.Example.net.", ".Example.net."},
	{STANDIN_HOST, "a.example.net.evil.org", ""},
	{STANDIN_HOST, "notexample.net", ""},
	{STANDIN_HOST, "host.deep.example.net", ".deep.example.net"},
	{STANDIN_HOST, ".", ""},
	{STANDIN_HOST, "..", ""},
	{STANDIN_ADDRESS, "192.0.2.7", "192.0.2.7"},
	{STANDIN_ADDRESS, "192.0.3.7", ""},
	{STANDIN_ADDRESS, "10.127.255.255", "10.127.255.255"},
	{STANDIN_ADDRESS, "10.128.0.0", ""},
	{STANDIN_ADDRESS, "203.0.113.9", "203.0.113.9"},
	{STANDIN_ADDRESS, "203.0.113.8", ""},
	{STANDIN_ADDRESS, "2001:db8:1::1", "2001:db8:1::1"},
	{STANDIN_ADDRESS, "2001:db8:2::1", ""},
	{STANDIN_ADDRESS, "c000:207::", ""},
	{STANDIN_ADDRESS, "mx1.example.org", ""},
	{STANDIN_NUMBER, "192.0.2.7", ""},
};

static void test_keeps(void)
{
	_cleanup_(rules_freep) Rules *rules = NULL;
	AnonymizerOptions options = {.key = {1, 2}};
	Why why = {""};

	if (rules_new(&rules))
		abort();
	tap_ok(!rules_keep_word(rules, "zeta", &why) && !rules_keep_word(rules, "Acme", &why) &&
			!rules_keep_word(rules, "middle", &why) &&
			!rules_keep_word(rules, "Acme", &why) &&
			!keep_like(rules, "KAM_[A-Z]", &why) &&
			!rules_keep_host(rules, "mx1.example.org.", &why) &&
			!rules_keep_host(rules, ".example.NET", &why) &&
			!rules_keep_host(rules, ".deep.example.net", &why) &&
			!rules_keep_network(rules, "192.0.2.0/24", &why) &&
			!rules_keep_network(rules, "10.0.0.0/9", &why) &&
			!rules_keep_network(rules, "203.0.113.9", &why) &&
			!rules_keep_network(rules, "2001:db8:1::/48", &why),
		"the lists are made: %s", why.text);
	rules_apply(rules, &options);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		Span value = span_from_string(values[i].value);
		size_t stays = options.keep(rules, values[i].kind, value);

		is_text(stays <= value.len ? values[i].value + value.len - stays : "too much",
			values[i].stays, values[i].value);
	}
}

/* However patterns and messages are: finds are in their order, apart, inside, not empty. */
static void test_random(void)
{
	static const char *const pieces[] = {"(?<user>", "(?<host>", "(", ")", ")?", ")*", "a", "b",
		"[ab]", ".", "|", "a*", "b+?", "(?=", "(?<=", "\\K", "^", "$", "\\b", "(?:"};
	Random random = random_seeded();
	unsigned valid = 0, wrong = 0, found = 0;

	for (int round = 0; round < (getenv("MLS_TEST_SMALL") ? 2000 : 100000); round++) {
		_cleanup_(rules_freep) Rules *rules = NULL;
		AnonymizerFind finds[ANONYMIZER_FINDS_MAX];
		AnonymizerOptions options = {.key = {1, 2}};
		char pattern[160] = "", message[16];
		size_t len = random_below(&random, sizeof(message)), end = 0;
		int count = 0;
		Why why;

		for (unsigned i = 0, n = 2 + (unsigned)random_below(&random, 9); i < n; i++)
			(void)snprintf(pattern + strlen(pattern), sizeof(pattern) - strlen(pattern),
				"%s", pieces[random_below(&random, ARRAY_SIZE(pieces))]);
		for (size_t i = 0; i < len; i++)
			message[i] = "ab c"[random_below(&random, 4)];
		if (rules_new(&rules))
			abort();
		if (rules_replace(rules, "a", pattern, &why))
			continue;
		valid++;
		(void)rules_replace(rules, "b", "(?<text>[^ ]b)", &why);
		rules_apply(rules, &options);
		count = options.find(rules, (Span){message, len}, finds);
		for (int i = 0; i < count; i++) {
			wrong += finds[i].start < end || !finds[i].len ||
				 finds[i].start + finds[i].len > len;
			end = finds[i].start + finds[i].len;
			found++;
		}
	}
	tap_ok(!wrong && valid > 20 && found > 20, "%u random patterns: %u finds, %u wrong", valid,
		found, wrong);
}

int main(void)
{
	test_patterns();
	test_finds();
	test_limits();
	test_lists();
	test_keeps();
	test_random();
	return tap_done();
}
