/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports over two months against a model that remembers every row; and what a history that was saved comes back as. */
#include "report/history.h"

#include "random.h"
#include "scratch.h"
#include "tap.h"

#define FIRST_DAY 20700 /* 2026-09-04: it goes over the end of summer time */
#define DAYS 100
#define ADDRESSES 400
#define ASNS 40
#define COUNTRIES 12
#define NETWORKS (ASNS + ADDRESSES)

/* Whether it was in a row of that day that was reported, or is in the report that is being made. */
typedef struct Sightings {
	bool reported[DAYS], now[DAYS];
} Sightings;

static struct {
	Sightings addresses[ADDRESSES], networks[NETWORKS], countries[COUNTRIES];
	uint64_t totals[DAYS];
	int first; /* day with a row */
} model;

/* Every fourth address has no ASN and stands in a network with three others; every fifth has no country. */
static void make_address(
	unsigned n, char ip[64], char asn[16], char country[8], size_t *ret_network)
{
	bool v6 = n % 3 == 0;

	if (v6)
		(void)snprintf(ip, 64, "2001:db8:%x:%x::1", n / 4, n);
	else
		(void)snprintf(ip, 64, "10.%u.%u.%u", n / 1024, n / 4 % 256, n % 256);
	*asn = '\0';
	*ret_network = n % ASNS;
	if (n / 4 % 4)
		(void)snprintf(asn, 16, "%zu", *ret_network + 1);
	else
		*ret_network = ASNS + n / 4 + (v6 ? ADDRESSES / 2 : 0);
	*country = '\0';
	if (n % 5)
		(void)snprintf(country, 8, "%c%c", 'A' + n % COUNTRIES, 'A' + n % COUNTRIES);
}

static void make_date(int day, char date[32])
{
	time_t time = (time_t)(FIRST_DAY + day) * 86400;
	struct tm tm;

	MUST(gmtime_r(&time, &tm) && strftime(date, 32, "%F 12:00", &tm));
}

static void add_row(
	ReportStats *stats, const char *date, const char *ip, const char *asn, const char *country)
{
	Row row = {{SPAN_LITERAL("mail"), span_from_string(date), span_from_string(ip),
		SPAN_LITERAL("u"), SPAN_MISSING, SPAN_LITERAL("OK"),
		*country ? span_from_string(country) : SPAN_MISSING,
		*asn ? span_from_string(asn) : SPAN_MISSING, SPAN_MISSING}};

	MUST(!stats_add(stats, &row));
}

static void attempt(ReportStats *stats, int day, unsigned n)
{
	char ip[64], asn[16], country[8], date[32];
	size_t network;

	make_address(n, ip, asn, country, &network);
	make_date(day, date);
	add_row(stats, date, ip, asn, country);
	model.addresses[n].now[day] = model.networks[network].now[day] = true;
	if (*country)
		model.countries[n % COUNTRIES].now[day] = true;
	model.totals[day]++;
	model.first = MIN(model.first, day);
}

/* How many of them were not seen in 30 days before their first row in this report; and the report is made then. */
static uint64_t count_new(Sightings *all, size_t count, char *ret_codes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < count; i++) {
		int first = 0;
		bool known = false;

		while (first < DAYS && !all[i].now[first])
			first++;
		for (int day = MAX(0, first - HISTORY_DAYS); day < DAYS; day++)
			known |= all[i].reported[day];
		if (first < DAYS && !known) {
			if (ret_codes)
				ret_codes[n] = (char)('A' + i);
			n++;
		}
		for (int day = 0; day < DAYS; day++) {
			all[i].reported[day] |= all[i].now[day];
			all[i].now[day] = false;
		}
	}
	return n;
}

static History *save_and_load(const History *history)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, again = STRBUF_INIT;
	History *loaded;
	Why why;

	history_append(history, &sb);
	MUST(!strbuf_error(&sb) && !history_new(&loaded));
	MUST(!history_load(loaded, (Span){strbuf_text(&sb), sb.len}, &why));
	history_append(loaded, &again);
	MUST(sb.len == again.len && !memcmp(strbuf_text(&sb), strbuf_text(&again), sb.len));
	return loaded;
}

static bool is_right(const ReportFacts *facts, int day, bool begun, int first)
{
	char codes[COUNTRIES] = {0};
	uint64_t addresses = count_new(model.addresses, ADDRESSES, NULL), sum = 0;
	uint64_t networks = count_new(model.networks, NETWORKS, NULL);
	uint64_t countries = count_new(model.countries, COUNTRIES, codes);
	unsigned known = begun ? (unsigned)MIN(day - first, HISTORY_DAYS) : 0, days = 0;
	bool ok = facts->history_known == (known > 0) && facts->history_days == known;

	if (!known)
		addresses = networks = countries = 0;
	ok = ok && facts->new_addresses == addresses && facts->new_networks == networks &&
	     facts->new_countries == countries;
	for (size_t i = 0; ok && i < countries; i++)
		ok = facts->new_country_codes[i].len == 2 &&
		     facts->new_country_codes[i].data[0] == codes[i];
	first = begun ? first : model.first;
	for (int before = day - 1; days < 7 && before >= first; before--, days++)
		sum += model.totals[before];
	ok = ok && facts->week_days == days &&
	     facts->day_before == (days ? (int64_t)model.totals[day - 1] : -1);
	if (days)
		return ok && facts->week_mean > (double)sum / days - 1e-6 &&
		       facts->week_mean < (double)sum / days + 1e-6;
	return ok && facts->week_mean < 0;
}

/* A report every day, or two, or none for some days; on some there is nothing; the addresses change with time. */
static void test_months(Random *random)
{
	_cleanup_(history_freep) History *history = NULL;
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	int right = 0, reports = 0, first = DAYS;
	uint64_t found = 0;

	memset(&model, 0, sizeof(model));
	model.first = DAYS;
	MUST(!history_new(&history) && !stats_new(&stats));
	for (int day = (int)random_below(random, 5); day < 60 + HISTORY_DAYS; day++) {
		uint32_t count = random_below(random, 4) ? random_below(random, 30) : 0;

		for (uint32_t i = 0; i < count; i++)
			attempt(stats, day - (int)random_below(random, (uint32_t)MIN(day, 1) + 1),
				(unsigned)day * 3 + random_below(random, 40));
		for (uint32_t n = random_below(random, 8) ? 1 : random_below(random, 3); n; n--) {
			ReportFacts facts;
			bool begun = reports++ > 0;

			memset(&facts, 0xee, sizeof(facts));
			MUST(!history_add(history, stats, FIRST_DAY + day, &facts));
			right += is_right(&facts, day, begun, first);
			found += facts.new_addresses;
			first = begun ? first : MIN(model.first, day);
			stats_free(TAKE(stats));
			MUST(!stats_new(&stats));
			if (n == 2)
				attempt(stats, day, random_below(random, ADDRESSES));
			if (random_below(random, 2)) {
				History *loaded = save_and_load(history);

				history_free(history);
				history = loaded;
			}
		}
	}
	tap_ok(right == reports && found > 50, "%d reports in 90 days, %" PRIu64 " new addresses",
		reports, found);
	if (right != reports)
		tap_note("%d are right", right);
}

/* ---- clocks --------------------------------------------------------------------------------- */

static void add_day(History *history, int row_day, const char *ip, int day, ReportFacts *facts)
{
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	char date[32];

	MUST(!stats_new(&stats));
	make_date(row_day, date);
	if (*ip)
		add_row(stats, date, ip, "1", "US");
	MUST(!history_add(history, stats, FIRST_DAY + day, facts));
}

static void test_clocks(void)
{
	_cleanup_(history_freep) History *history = NULL;
	ReportFacts facts;

	MUST(!history_new(&history));
	add_day(history, 0, "192.0.2.1", 0, &facts);
	tap_ok(!facts.history_known && facts.day_before == -1 && !facts.week_days,
		"the first one knows nothing");
	add_day(history, 1, "192.0.2.1", 1, &facts);
	tap_ok(facts.history_known && facts.history_days == 1 && !facts.new_addresses &&
			facts.day_before == 1,
		"the second one knows the first");
	add_day(history, 0, "192.0.2.2", 1, &facts);
	tap_ok(facts.new_addresses == 1 && facts.day_before == 2,
		"a row of the day before that comes late counts for that day");
	add_day(history, 3000, "192.0.2.3", 2, &facts);
	tap_ok(facts.new_addresses == 1 && facts.day_before == 1,
		"a row of a day to come counts as seen");
	add_day(history, 3, "192.0.2.3", 3, &facts);
	tap_ok(!facts.new_addresses && facts.day_before == 0, "and is known the next day");
	add_day(history, 4000, "192.0.2.4", 4000, &facts);
	add_day(history, 4, "192.0.2.4", 4, &facts);
	tap_ok(!facts.history_known && facts.day_before == -1 && !facts.new_addresses,
		"when the clock was set back, nothing is known");
	add_day(history, 5, "192.0.2.4", 5, &facts);
	tap_ok(facts.history_known && facts.history_days == 1 && !facts.new_addresses &&
			facts.day_before == 1,
		"and the day after again what was before");
	add_day(history, 5 + HISTORY_DAYS, "192.0.2.4", 5 + HISTORY_DAYS, &facts);
	tap_ok(!facts.new_addresses && !facts.new_networks && facts.day_before == 0,
		"seen 30 days ago is not new");
	add_day(history, 6 + 2 * HISTORY_DAYS, "192.0.2.4", 6 + 2 * HISTORY_DAYS, &facts);
	tap_ok(facts.new_addresses == 1 && facts.new_networks == 1 && facts.new_countries == 1 &&
			span_equal_string(facts.new_country_codes[0], "US"),
		"31 days ago is");
	add_day(history, 0, "", 6 + 2 * HISTORY_DAYS, &facts);
	tap_ok(!facts.new_addresses && facts.history_known, "no row, nothing new");
}

/* A row of the day before may stand behind those of its day. */
static void test_order(void)
{
	_cleanup_(history_freep) History *history = NULL;
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	ReportFacts facts;

	MUST(!history_new(&history) && !stats_new(&stats));
	add_row(stats, "2026-09-05 00:00", "192.0.2.1", "1", "US");
	add_row(stats, "2026-09-04 23:59", "192.0.2.1", "1", "US");
	MUST(!history_add(history, stats, FIRST_DAY + 1, NULL));
	add_day(history, 1 + HISTORY_DAYS, "192.0.2.1", 1 + HISTORY_DAYS, &facts);
	tap_ok(!facts.new_addresses && facts.history_days == HISTORY_DAYS,
		"the last day of rows in any order counts");
}

/* What rows of a foreign hand could hold. */
static void test_foreign(void)
{
	_cleanup_(history_freep) History *history = NULL;
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	ReportFacts facts;

	MUST(!history_new(&history) && !stats_new(&stats));
	add_day(history, 0, "192.0.2.1", 0, &facts);
	add_row(stats, "2026-09-05 00:00", "unknown", "4294967295", "a country of many words");
	add_row(stats, "0000-01-01 00:00", "192.0.2.7", "1", "XX");
	add_row(stats, "9999-12-31 00:00", "192.0.2.8", "1", "");
	add_row(stats, "2026-09-05 00:00", "unknown", "", "12345678");
	MUST(!history_add(history, stats, FIRST_DAY + 1, &facts));
	tap_ok(facts.new_addresses == 1 && facts.new_networks == 1 && facts.new_countries == 1 &&
			span_equal_string(facts.new_country_codes[0], "12345678") &&
			facts.day_before == 1,
		"strange values are seen or passed over");
	history_free(save_and_load(history));
}

/* ---- limits --------------------------------------------------------------------------------- */

static void add_many(History *history, int day, unsigned from, unsigned to, ReportFacts *facts)
{
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	char date[32];

	MUST(!stats_new(&stats));
	make_date(day, date);
	for (unsigned n = from; n < to; n++) {
		char ip[64];

		(void)snprintf(ip, sizeof(ip), "2001:db8:%x:%x::1", n >> 16, n & 0xffff);
		add_row(stats, date, ip, "1", "US");
	}
	MUST(!history_add(history, stats, FIRST_DAY + day, facts));
}

static void test_limits(void)
{
	const unsigned part = HISTORY_ADDRESSES_MAX / 3;
	_cleanup_(history_freep) History *history = NULL, *loaded = NULL;
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	ReportFacts facts;

	MUST(!history_new(&history));
	for (int day = 0; day < 3; day++)
		add_many(history, day, (unsigned)day * part, (unsigned)(day + 1) * part, &facts);
	add_many(history, 3, 0, 10, &facts);
	tap_ok(!facts.new_addresses && facts.history_days == 3, "as many as it keeps are known");
	history_append(history, &sb);
	tap_ok(!strbuf_error(&sb) && sb.len < (size_t)14 << 20, "and take %zu bytes", sb.len);
	loaded = save_and_load(history);
	add_many(loaded, 4, 3 * part, 3 * part + 1, &facts);
	tap_ok(facts.new_addresses == 1, "one more makes it forget a day");
	add_many(loaded, 5, 11, 12, &facts);
	tap_ok(facts.new_addresses == 1 && facts.history_days == 4 && facts.day_before == 1,
		"so it says to know fewer, and still the totals of all");
	add_many(loaded, 6, part, part + 10, &facts);
	tap_ok(!facts.new_addresses, "the other days are still known");
}

/* ---- damage --------------------------------------------------------------------------------- */

static const struct {
	const char *what, *text;
	bool ok;
} texts[] = {
	{"empty", "", true},
	{"least", "history since=1 until=2 lost=0\n", true},
	{"all",
		"history since=1 until=2 lost=0\nday 1 5\nday 2 6\n4 c0000201 0\n4 c0000202 30\nC "
		"5553000000000000 1\n",
		true},
	{"no head", "day 1 5\n", false},
	{"two heads", "history since=1 until=2 lost=0\nhistory since=1 until=2 lost=0\n", false},
	{"not whole", "history since=1 until=2 lost=0", false},
	{"more behind", "history since=1 until=2 lost=0 x\n", false},
	{"a day that is none", "history since=1 until=20000000 lost=0\n", false},
	{"a negative count", "history since=1 until=2 lost=0\nday 1 -5\n", false},
	{"no blank", "history since=1 until=2 lost=0\nday 1-5\n", false},
	{"two blanks", "history since=1 until=2 lost=0\nday 1  5\n", false},
	{"days before 1970", "history since=-40 until=-1 lost=-4000000\nday -40 5\n", true},
	{"days not in order", "history since=1 until=2 lost=0\nday 2 5\nday 1 6\n", false},
	{"the same day twice", "history since=1 until=2 lost=0\nday 2 5\nday 2 6\n", false},
	{"a day behind", "history since=1 until=2 lost=0\n4 c0000201 0\nday 2 5\n", false},
	{"too old", "history since=1 until=2 lost=0\n4 c0000201 31\n", false},
	{"not in order", "history since=1 until=2 lost=0\n4 c0000202 1\n4 c0000201 1\n", false},
	{"twice", "history since=1 until=2 lost=0\n4 c0000202 1\n4 c0000202 1\n", false},
	{"unknown kind", "history since=1 until=2 lost=0\n5 c0000202 1\n", false},
	{"short", "history since=1 until=2 lost=0\n4 c00002 1\n", false},
	{"no hex", "history since=1 until=2 lost=0\n4 c000020g 1\n", false},
	{"upper case", "history since=1 until=2 lost=0\n4 C0000201 1\n", false},
	{"no age", "history since=1 until=2 lost=0\n4 c0000201 \n", false},
	{"empty line", "history since=1 until=2 lost=0\n\n", false},
};

static void test_damage(void)
{
	_cleanup_(history_freep) History *history = NULL;
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	size_t loaded = 0;
	Why why;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(history_freep) History *read = NULL;
		int r;

		why = (Why){""};
		MUST(!history_new(&read));
		r = history_load(read, span_from_string(texts[i].text), &why);
		tap_ok(texts[i].ok ? !r : r == -EBADMSG && *why.text, "%s", texts[i].what);
	}
	MUST(!history_new(&history));
	add_day(history, 0, "192.0.2.1", 0, NULL);
	add_day(history, 1, "2001:db8::1", 1, NULL);
	history_append(history, &sb);
	/* Its checksum is that of the file. What is read in spite of damage must be a history. */
	for (size_t i = 0; i < sb.len * 8; i++) {
		_cleanup_(history_freep) History *read = NULL;

		sb.data[i / 8] ^= (char)(1 << i % 8);
		MUST(!history_new(&read));
		if (!history_load(read, (Span){sb.data, sb.len}, &why)) {
			history_free(save_and_load(read));
			loaded++;
		}
		sb.data[i / 8] ^= (char)(1 << i % 8);
	}
	tap_ok(loaded > 0 && loaded < sb.len * 4, "each bit changed: %zu of %zu are read", loaded,
		sb.len * 8);
}

int main(void)
{
	Random random = random_seeded();

	for (int i = 0; i < random_rounds(40) / 2 + 1; i++)
		test_months(&random);
	test_clocks();
	test_order();
	test_foreign();
	test_limits();
	test_damage();
	return tap_done();
}
