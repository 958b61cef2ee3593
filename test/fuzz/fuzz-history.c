/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The history of reports: text that is read as one, and again as it is written; then a day is added. */

#include "fuzz.h"

#include "report/history.h"

static void append(const History *history, StrBuf *sb)
{
	strbuf_reset(sb);
	history_append(history, sb);
	HOLDS(!strbuf_error(sb));
}

static bool same(const StrBuf *a, const StrBuf *b)
{
	return a->len == b->len && !memcmp(strbuf_text(a), strbuf_text(b), a->len);
}

FUZZ_TARGET(history)
{
	static const Row row = {{SPAN_LITERAL("mail"), SPAN_LITERAL("2026-11-23 10:00"),
		SPAN_LITERAL("192.0.2.1"), SPAN_LITERAL("u"), SPAN_MISSING, SPAN_LITERAL("OK"),
		SPAN_LITERAL("US"), SPAN_LITERAL("1"), SPAN_MISSING}};
	_cleanup_(history_freep) History *history = NULL, *back = NULL;
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	FuzzInput input = {data, size};
	/* The day is near what the text most likely has, or anywhere. */
	int32_t day = (int32_t)fuzz_take(&input, 1) + 20650;
	static StrBuf first, second;
	ReportFacts facts;
	Why why = {""};
	int r;

	HOLDS(!history_new(&history) && !history_new(&back) && !stats_new(&stats));
	r = history_load(history, fuzz_rest(&input), &why);
	if (r) {
		HOLDS(r == -EBADMSG && why.text[0]);
		append(history, &first);
		HOLDS(!first.len);
		return 0;
	}
	append(history, &first);
	HOLDS(!history_load(back, (Span){strbuf_text(&first), first.len}, &why));
	append(back, &second);
	HOLDS(same(&first, &second));
	HOLDS(!stats_add(stats, &row));
	HOLDS(!history_add(history, stats, day, &facts));
	HOLDS(facts.history_days <= HISTORY_DAYS && facts.week_days <= 7);
	HOLDS(facts.new_addresses <= 1 && facts.new_networks <= 1 && facts.new_countries <= 1);
	append(history, &first);
	history_free(TAKE(back));
	HOLDS(!history_new(&back));
	HOLDS(!history_load(back, (Span){strbuf_text(&first), first.len}, &why));
	return 0;
}
