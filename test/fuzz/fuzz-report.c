/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A report of any names and numbers, as text and as HTML. */

#include "fuzz.h"

#include "page-check.h"
#include "report/html.h"
#include "report/text.h"

static Span take_name(FuzzInput *input)
{
	size_t len = (size_t)fuzz_take(input, 1);
	Span name;

	if (len == 255)
		return SPAN_MISSING;
	len = MIN(len, input->size);
	name = (Span){(const char *)input->data, len};
	input->data += len;
	input->size -= len;
	return name;
}

/* Mostly small. */
static uint64_t take_number(FuzzInput *input)
{
	unsigned n = (unsigned)fuzz_take(input, 1);

	return n < 250 ? n : fuzz_take(input, 8);
}

static size_t take_counts(FuzzInput *input, ReportCount *counts, size_t max)
{
	size_t count = (size_t)fuzz_take(input, 1) % (max + 1);

	for (size_t i = 0; i < count; i++)
		counts[i] = (ReportCount){take_name(input), take_number(input)};
	return count;
}

/* Never blank. */
static char *take_string(FuzzInput *input)
{
	Span name = take_name(input);
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char *text;

	strbuf_append_char(&sb, '-');
	strbuf_append_span(&sb, name);
	text = strbuf_take(&sb);
	HOLDS(text);
	return text;
}

FUZZ_TARGET(report)
{
	static StrBuf text, html;
	FuzzInput input = {data, size};
	uint8_t flags = (uint8_t)fuzz_take(&input, 1);
	char *strings[] = {take_string(&input), take_string(&input), take_string(&input),
		take_string(&input), take_string(&input), take_string(&input)};
	StatusWarning warnings[] = {{(int64_t)flags << 40, "a", strings[4]}, {0, "b", strings[5]}};
	ReportFacts facts = {.version = "2.0.0",
		.server = strings[0],
		.mode = strings[1],
		.csv_path = strings[2],
		.now_us = (int64_t)1795391940 * 1000000,
		.from_us = flags & 1 ? (int64_t)1795305540 * 1000000 : 0,
		.until_us = (int64_t)1795391940 * 1000000,
		.whole_day = flags & 2,
		.date = "2026-11-22",
		.day_before = flags & 4 ? (int64_t)take_number(&input) >> 1 : -1,
		.week_mean = -1,
		.history_known = flags & 8,
		.history_days = 30,
		.counters_known = flags & 16,
		.warnings = warnings,
		.warning_count = flags >> 5 & 3};
	const char *fault;

	facts.warning_count = MIN(facts.warning_count, ARRAY_SIZE(warnings));
	*(flags & 128 ? &facts.attachment : &facts.attachment_note) = strings[3];
	facts.total = take_number(&input);
	facts.distinct_addresses = facts.distinct_users = take_number(&input);
	facts.new_addresses = facts.new_networks = facts.new_countries = take_number(&input);
	for (size_t i = 0; i < MIN(facts.new_countries, (uint64_t)FACTS_COUNTRY_CODES_MAX); i++)
		facts.new_country_codes[i] = take_name(&input);
	facts.successes = facts.outages = facts.aborted = take_number(&input);
	facts.csv_bytes = facts.csv_rows = facts.skipped_rows = take_number(&input);
	facts.week_days = (unsigned)fuzz_take(&input, 1) % 8;
	facts.week_mean = (double)take_number(&input) / 8;
	facts.rdns_failures = take_number(&input);
	facts.target_count = (size_t)fuzz_take(&input, 1) % (FACTS_TOP + 1);
	for (size_t i = 0; i < facts.target_count; i++)
		facts.targets[i] = (ReportTarget){take_name(&input), take_name(&input),
			take_name(&input), take_name(&input), take_number(&input)};
	facts.user_count = take_counts(&input, facts.users, FACTS_TOP);
	facts.country_count = take_counts(&input, facts.countries, FACTS_TOP);
	facts.asn_count = take_counts(&input, facts.asns, FACTS_TOP);
	for (size_t i = 0; i < facts.asn_count; i++)
		facts.asn_names[i] = take_name(&input);
	facts.organisation_count = take_counts(&input, facts.organisations, FACTS_TOP);
	facts.rdns_count = take_counts(&input, facts.rdns, FACTS_RDNS_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(facts.hours); i++)
		facts.hours[i] = take_number(&input);

	strbuf_reset(&text);
	strbuf_reset(&html);
	HOLDS(!report_text(&facts, &text) && !report_html(&facts, &html));
	fault = page_text_fault((Span){strbuf_text(&text), text.len});
	if (fault)
		(void)fprintf(stderr, "text: %s\n", fault);
	HOLDS(!fault);
	fault = page_html_fault((Span){strbuf_text(&html), html.len});
	if (fault)
		(void)fprintf(stderr, "HTML: %s\n", fault);
	HOLDS(!fault);
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		free(strings[i]);
	return 0;
}
