/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * How reports are written: names as they are shown, words, and whole pages of made-up facts against those of test/corpus/report, which
 * MLS_REGENERATE=1 writes anew.
 */
#include "report/html.h"
#include "report/text.h"

#include <time.h>

#include "page-check.h"
#include "report-sample.h"
#include "report/country.h"
#include "report/wording.h"
#include "scratch.h"
#include "tap.h"

#define MARK "\xcc\x8d"
#define ARABIC "\xd9\x85\xd8\xaf\xd9\x8a\xd8\xb1"
#define KANJI "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
#define SMILE "\xf0\x9f\x98\x80"

static void test_display(void)
{
	static const struct {
		const char *text;
		size_t columns;
		const char *shown;
		size_t width;
	} cases[] = {
		{"", 10, "", 0},
		{"admin", 5, "admin", 5},
		{"admin@example.com", 9, "admi….com", 9},
		{"admin", 4, "ad…n", 4},
		{"admin", 3, "a…n", 3},
		{"admin", 2, "a…", 2},
		{"admin", 1, "…", 1},
		{"<b>&\"'", 10, "<b>&\"'", 6},
		{"Gr\xc3\xbc\xc3\x9f", 4, "Gr\xc3\xbc\xc3\x9f", 4},
		{ARABIC, 4, ARABIC, 4},
		{KANJI, 6, KANJI, 6},
		{KANJI, 5, "\xe6\x97\xa5…\xe8\xaa\x9e", 5},
		{KANJI, 4, "\xe6\x97\xa5…", 3},
		{SMILE SMILE, 4, SMILE SMILE, 4},
		{SMILE SMILE, 3, "…", 1},
		/* what it is told with stays together */
		{"a" MARK "b" MARK, 2, "a" MARK "b" MARK, 2},
		{"aaa" MARK "bcd" MARK, 4, "aa…d" MARK, 4},
		{"a" MARK MARK MARK MARK, 9, "a" MARK MARK MARK MARK, 1},
		{"a" MARK MARK MARK MARK MARK, 9, "a" MARK MARK MARK MARK "\\xcc\\x8d", 9},
		{MARK "a", 9,
			"\\xcc\\x8d"
			"a",
			9},
		{"a " MARK, 20, "a \\xcc\\x8d", 10},
		/* as the CSV has it; not cut in two */
		{"\\x1b[31m", 8, "\\x1b[31m", 8},
		{"\\x1b[31m", 7, "…31m", 4},
		{"\\x5cx41", 7, "\\x5cx41", 7},
		{"\\x5g", 9, "\\x5g", 4},
		/* what rows never hold */
		{"\x1b[2J\n\x7f", 20, "\\x1b[2J\\x0a\\x7f", 15},
		{"\xff\xc3", 20, "\\xff\\xc3", 8},
		{"\xed\xa0\x80", 20, "\\xed\\xa0\\x80", 12},
		{"\xc2\x9b", 20, "\\xc2\\x9b", 8},
		/* RIGHT-TO-LEFT OVERRIDE, POP DIRECTIONAL FORMATTING, ARABIC LETTER MARK, FIRST STRONG ISOLATE */
		{"a\xe2\x80\xae"
		 "b",
			20, "a\\xe2\\x80\\xaeb", 14},
		{"\xe2\x80\xac", 20, "\\xe2\\x80\\xac", 12},
		{"\xd8\x9c", 20, "\\xd8\\x9c", 8},
		{"\xe2\x81\xa8", 20, "\\xe2\\x81\\xa8", 12},
		/* ZERO WIDTH SPACE, BYTE ORDER MARK, SOFT HYPHEN, VARIATION SELECTOR-16, TAG SPACE, HANGUL FILLER */
		{"\xe2\x80\x8b", 20, "\\xe2\\x80\\x8b", 12},
		{"\xef\xbb\xbf", 20, "\\xef\\xbb\\xbf", 12},
		{"\xc2\xad", 20, "\\xc2\\xad", 8},
		{"\xef\xb8\x8f", 20, "\\xef\\xb8\\x8f", 12},
		{"\xf3\xa0\x80\xa0", 20, "\\xf3\\xa0\\x80\\xa0", 16},
		{"\xe3\x85\xa4", 20, "\\xe3\\x85\\xa4", 12},
		/* LINE SEPARATOR, NO-BREAK SPACE, IDEOGRAPHIC SPACE */
		{"\xe2\x80\xa8", 20, "\\xe2\\x80\\xa8", 12},
		{"\xc2\xa0", 20, "\\xc2\\xa0", 8},
		{"\xe3\x80\x80", 20, "\\xe3\\x80\\x80", 12},
		{" ", 20, "\\x20", 4},
		{"info ", 20, "info\\x20", 8},
		{" info", 20, "\\x20info", 8},
		{"a b", 20, "a b", 3},
		{"a  b", 20,
			"a \\x20"
			"b",
			7},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		size_t width =
			display_append(&sb, span_from_string(cases[i].text), cases[i].columns);

		if (!tap_ok(!strcmp(strbuf_text(&sb), cases[i].shown) && width == cases[i].width,
			    "in %zu columns: %s", cases[i].columns, cases[i].shown))
			tap_note("is %s, %zu", strbuf_text(&sb), width);
	}
}

static void test_glyphs(void)
{
	static const struct {
		uint32_t code_point;
		int width;
	} cases[] = {
		{' ', 1},
		{'~', 1},
		{0xe9, 1},
		{0x2026, 1},
		{0x2588, 1},
		{0x0300, 0},
		{0x036f, 0},
		{0x0370, 1},
		{0x05b0, 0},
		{0x0e31, 0},
		{0x1100, 2},
		{0x115f, GLYPH_NONE},
		{0x3042, 2},
		{0x4e00, 2},
		{0xac00, 2},
		{0xd7a3, 2},
		{0xff01, 2},
		{0xff61, 1},
		{0x1f600, 2},
		{0x20000, 2},
		{0x3fffd, 2},
		{0x3fffe, 1},
		{0x10ffff, 1},
		{0x1f, GLYPH_NONE},
		{0x7f, GLYPH_NONE},
		{0x200f, GLYPH_NONE},
		{0x2010, 1},
		{0xfeff, GLYPH_NONE},
		{0xe0100, GLYPH_NONE},
		{0xfdd0, GLYPH_NONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tap_ok(glyph_width(cases[i].code_point) == cases[i].width, "U+%04X takes %d",
			(unsigned)cases[i].code_point, cases[i].width);
}

static void test_countries(void)
{
	static const struct {
		const char *code, *name;
	} cases[] = {
		{"AD", "Andorra"},
		{"CN", "China"},
		{"US", "United States"},
		{"ZW", "Zimbabwe"},
		{"XK", "Kosovo"},
		{"EU", "European Union"},
		{"XX", NULL},
		{"cn", NULL},
		{"C", NULL},
		{"CNX", NULL},
		{"", NULL},
		{"\xff\xff", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *name = country_name(span_from_string(cases[i].code));

		tap_ok(cases[i].name ? name && !strcmp(name, cases[i].name) : !name, "%s: %s",
			cases[i].code, cases[i].name ? cases[i].name : "none");
	}
}

#define DAY(n) ((int64_t)(20779 + (n)) * 86400 * USEC_PER_SEC) /* from 2026-11-22 on */
#define HOURS(n) ((int64_t)(n)*3600 * USEC_PER_SEC)

static void test_windows(void)
{
	static const struct {
		bool whole_day;
		int64_t from_us, until_us, now_us;
		const char *window;
		bool compared;
	} cases[] = {
		{true, DAY(0), DAY(0) + HOURS(23), DAY(0) + HOURS(23), "today", true},
		{true, DAY(0), DAY(0) + HOURS(20), DAY(0) + HOURS(20), "today", true},
		/* it is not over */
		{true, DAY(0), DAY(0) + HOURS(19), DAY(0) + HOURS(19), "today", false},
		{true, 0, DAY(1), DAY(1), "on 2026-11-22", true},
		{true, 0, DAY(300), DAY(300), "on 2026-11-22", true},
		{false, DAY(-1), DAY(0), DAY(0), "since 2026-11-21 00:00", true},
		{false, DAY(-1), DAY(-1) + HOURS(19), DAY(0), "since 2026-11-21 00:00", false},
		{false, DAY(-1), DAY(-1) + HOURS(28), DAY(0), "since 2026-11-21 00:00", true},
		{false, DAY(-1), DAY(-1) + HOURS(29), DAY(0), "since 2026-11-21 00:00", false},
		{false, DAY(0), DAY(-1), DAY(0), "since 2026-11-22 00:00", false},
		{false, DAY(1), DAY(0), DAY(0), "since the last report", false},
		{false, 0, DAY(0), DAY(0), "since the first start", false},
		{false, 0, HOURS(24), DAY(0), "since the first start", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		ReportFacts facts = {.whole_day = cases[i].whole_day,
			.from_us = cases[i].from_us,
			.until_us = cases[i].until_us,
			.now_us = cases[i].now_us,
			.total = 10,
			.date = "2026-11-22"};
		LocalZone zone = {0};
		WordingChange change;

		wording_append_window(&sb, &facts, &zone);
		tap_ok(!strcmp(strbuf_text(&sb), cases[i].window) &&
				wording_change(&facts, &zone, 5, &change) == cases[i].compared,
			"window %zu: %s, %scompared", i, cases[i].window,
			cases[i].compared ? "" : "not ");
	}
}

static void test_changes(void)
{
	static const struct {
		uint64_t total;
		double before;
		int direction;
		const char *text; /* NULL: nothing is said */
	} cases[] = {
		{112, 100, 1, "+12 %"},
		{88, 100, -1, "-12 %"},
		{0, 3, -1, "-100 %"},
		{100, 100, 0, "about the same"},
		{1004, 1000, 0, "about the same"},
		{1005, 1000, 1, "+1 %"},
		{995, 1000, -1, "-1 %"},
		{999, 100, 1, "+899 %"},
		{1000, 100, 1, "10 times as many"},
		{2400, 100, 1, "24 times as many"},
		{100000, 100, 1, ">1000 times as many"},
		{UINT64_MAX, 0.125, 1, ">1000 times as many"},
		{5, 0, 0, NULL},
		{0, 0, 0, NULL},
		{5, -1, 0, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ReportFacts facts = {
			.from_us = DAY(0), .until_us = DAY(1), .total = cases[i].total};
		LocalZone zone = {0};
		WordingChange change;
		bool said = wording_change(&facts, &zone, cases[i].before, &change);

		tap_ok(said == (cases[i].text != NULL) &&
				(!said || (change.direction == cases[i].direction &&
						  !strcmp(change.text, cases[i].text))),
			"%" PRIu64 " after %g: %s", cases[i].total, cases[i].before,
			cases[i].text ? cases[i].text : "nothing to say");
	}
}

static void test_words(void)
{
	static const struct {
		uint64_t size;
		const char *text;
	} sizes[] = {
		{0, "0 bytes"},
		{1023, "1023 bytes"},
		{1024, "1024 bytes (1.0 KiB)"},
		{1048575, "1048575 bytes (1.0 MiB)"},
		{1048576, "1048576 bytes (1.0 MiB)"},
		{2417664, "2417664 bytes (2.3 MiB)"},
		{1ULL << 40, "1099511627776 bytes (1.0 TiB)"},
		{UINT64_MAX, "18446744073709551615 bytes (16777216.0 TiB)"},
	};
	static const struct {
		uint64_t total, count;
		const char *text;
	} shares[] = {
		{100, 100, "100 %"},
		{3, 1, "33 %"},
		{1000, 4, "<1 %"},
		{1000, 994, "99 %"},
		{1000, 995, ">99 %"},
		{401, 400, ">99 %"},
		{1000, 5, "1 %"},
		{1000, 6, "1 %"},
		{0, 5, "<1 %"},
		{1, 100, "100 %"},
		{UINT64_MAX, UINT64_MAX, "100 %"},
	};
	static const struct {
		const char *status, *meaning;
	} statuses[] = {
		{"Errno 1", "no such name"},
		{"Errno 2", "the name server failed or refused"},
		{"Errno 4", "no PTR record"},
		{"Timeout", "no answer in time"},
		{"OK", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

		wording_append_size(&sb, sizes[i].size);
		tap_ok(!strcmp(strbuf_text(&sb), sizes[i].text), "%" PRIu64 ": %s", sizes[i].size,
			sizes[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		char text[WORDING_SHARE_MAX];

		wording_share(&(ReportFacts){.total = shares[i].total}, shares[i].count, text);
		tap_ok(!strcmp(text, shares[i].text), "%" PRIu64 " of %" PRIu64 ": %s",
			shares[i].count, shares[i].total, shares[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		const char *meaning = wording_rdns(span_from_string(statuses[i].status));

		tap_ok(statuses[i].meaning ? meaning && !strcmp(meaning, statuses[i].meaning)
					   : !meaning,
			"%s", statuses[i].status);
	}
}

/* ---- whole pages ---------------------------------------------------------------------------- */

#define HTML_MAX ((size_t)100000) /* what mail clients show whole */

static void compare(const char *name, const char *form, const StrBuf *page)
{
	_cleanup_strbuf_ StrBuf expected = STRBUF_INIT;
	const char *root = getenv("MLS_SOURCE_ROOT");
	char path[4096];

	MUST(snprintf(path, sizeof(path), "%s/test/corpus/report/%s.%s", root ? root : ".", name,
		     form) < (int)sizeof(path));
	if (getenv("MLS_REGENERATE"))
		scratch_write(path, strbuf_text(page), page->len);
	MUST(!file_read(path, STRBUF_MAX, &expected) || errno == ENOENT);
	tap_ok(expected.len == page->len &&
			!memcmp(strbuf_text(&expected), strbuf_text(page), page->len),
		"%s.%s is as expected", name, form);
}

static void check(const char *what, const char *fault)
{
	if (!tap_ok(!fault, "%s is sound", what))
		tap_note("%s", fault);
}

static void test_pages(void)
{
	const char *name;

	for (size_t i = 0; (name = report_sample_name(i)); i++) {
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT, html = STRBUF_INIT;
		ReportFacts facts;

		MUST(report_sample(name, &facts));
		tap_ok(!report_text(&facts, &text) && !report_html(&facts, &html), "%s: pages",
			name);
		check("its text", page_text_fault((Span){strbuf_text(&text), text.len}));
		check("its HTML", page_html_fault((Span){strbuf_text(&html), html.len}));
		tap_ok(html.len < HTML_MAX, "%zu bytes of HTML", html.len);
		compare(name, "txt", &text);
		compare(name, "html", &html);
	}
}

/* Facts that take as many bytes as any can: what is escaped, everywhere. */
static void fill_widest(ReportFacts *ret_facts)
{
	static char name[FACTS_NAME_MAX], reason[512];
	static StatusWarning warnings[STATUS_WARNINGS_MAX];
	Span widest = {memset(name, '"', sizeof(name)), sizeof(name)};

	memset(reason, '"', sizeof(reason) - 1);
	MUST(report_sample("hostile", ret_facts));
	for (size_t i = 0; i < FACTS_TOP; i++) {
		ret_facts->targets[i].user = ret_facts->targets[i].host = widest;
		ret_facts->targets[i].country = widest;
		ret_facts->users[i] = ret_facts->countries[i] = ret_facts->asns[i] =
			(ReportCount){widest, UINT64_MAX - 1};
		ret_facts->organisations[i] = ret_facts->users[i];
		ret_facts->asn_names[i] = widest;
	}
	for (size_t i = 0; i < FACTS_RDNS_MAX; i++)
		ret_facts->rdns[i] = ret_facts->users[0];
	ret_facts->rdns_count = FACTS_RDNS_MAX;
	for (size_t i = 0; i < FACTS_COUNTRY_CODES_MAX; i++)
		ret_facts->new_country_codes[i] = widest;
	for (size_t i = 0; i < ARRAY_SIZE(ret_facts->hours); i++)
		ret_facts->hours[i] = UINT64_MAX;
	for (size_t i = 0; i < ARRAY_SIZE(warnings); i++)
		warnings[i] = (StatusWarning){ret_facts->now_us, "widest", reason};
	ret_facts->warnings = warnings;
	ret_facts->warning_count = ARRAY_SIZE(warnings);
	ret_facts->server = ret_facts->mode = ret_facts->csv_path = reason;
	ret_facts->attachment = reason;
}

static void test_widest(void)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, html = STRBUF_INIT;
	ReportFacts facts;

	fill_widest(&facts);
	MUST(!report_text(&facts, &text) && !report_html(&facts, &html));
	check("the widest text", page_text_fault((Span){strbuf_text(&text), text.len}));
	check("the widest HTML", page_html_fault((Span){strbuf_text(&html), html.len}));
	tap_ok(html.len < HTML_MAX, "HTML has at most %zu bytes: %zu", HTML_MAX, html.len);
}

/* A page that fails says so, wherever it does. */
static void test_full(void)
{
	StrBuf sb = {.error = -ENOMEM};
	ReportFacts facts;

	MUST(report_sample("busy", &facts));
	tap_ok(report_text(&facts, &sb) == -ENOMEM && report_html(&facts, &sb) == -ENOMEM &&
			!sb.len,
		"an earlier failure is passed on");
}

int main(void)
{
	MUST(!setenv("TZ", "UTC", 1));
	tzset();
	test_display();
	test_glyphs();
	test_countries();
	test_windows();
	test_changes();
	test_words();
	test_pages();
	test_widest();
	test_full();
	return tap_done();
}
