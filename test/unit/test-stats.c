/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows through the CSV's text into the numbers of a report, and the same counted by looking at each row again and again. */
#include "report/stats.h"

#include "base/utf8.h"
#include "random.h"
#include "scratch.h"
#include "store/csv.h"
#include "tap.h"

#define ROWS_MAX 3000

/* The rows as strings; NULL: missing. */
typedef struct Model {
	char *field[ROWS_MAX][COLUMN_COUNT];
	size_t count;
} Model;

static Model model;

static const char *const users[] = {"admin", "info", "info ", "Info", "", NULL, "a,b\"c", "unknown",
	"<script>alert(1)</script>", "\\x1b[31m", "N/A ", "\xd9\x85\xd8\xaf\xd9\x8a\xd8\xb1",
	"root", "N", "From me", "=1+1"};
static const char *const hosts[] = {NULL, "mail.example.com", "a.example", "b.example", "null."};
static const char *const statuses[] = {"OK", "Errno 1", "Errno 2", "Errno 4", "Timeout", "Off"};
static const char *const countries[] = {
	NULL, "CN", "US", "DE", "FR", "IN", "BR", "VN", "RU", "ZA", "AR", "TW", "PL"};
static const char *const organisations[] = {NULL, "One, Inc.", "Two \"2\"", "Three", "Four"};

static void forget_rows(void)
{
	for (size_t i = 0; i < model.count; i++)
		for (size_t k = 0; k < COLUMN_COUNT; k++)
			free(TAKE(model.field[i][k]));
	model.count = 0;
}

#define PICK(random, array) ((array)[random_below(random, ARRAY_SIZE(array))])

static char *dup_or_null(const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	MUST(!text == !copy);
	return copy;
}

/* Long ones are alike at their ends, so that what is left of them is the same text. */
static char *make_user(Random *random)
{
	char *user;
	size_t len;

	if (random_below(random, 8))
		return dup_or_null(PICK(random, users));
	len = 250 + random_below(random, 4) * (random_below(random, 50) ? 3 : 20000);
	user = malloc(len + 1);
	MUST(user);
	memset(user, 'x', len);
	user[len] = '\0';
	user[len / 2] = (char)('a' + random_below(random, 3));
	return user;
}

static char *format_dup(const char *fmt, ...) PRINTF_LIKE(1, 2);
static char *format_dup(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	MUST(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	return text;
}

static void make_row(Random *random, char **field)
{
	bool asn = random_below(random, 4);

	field[COLUMN_SERVER] = dup_or_null("mail");
	field[COLUMN_DATE] = format_dup("2026-%02u-%02u %02u:%02u", 10 + random_below(random, 2),
		1 + random_below(random, 30), random_below(random, 24), random_below(random, 60));
	field[COLUMN_IP] =
		random_below(random, 20)
			? format_dup(random_below(random, 4) ? "192.0.2.%u" : "2001:db8::%u",
				  1 + random_below(random, 30))
			: dup_or_null("unknown");
	field[COLUMN_USER] = make_user(random);
	field[COLUMN_HOSTNAME] = dup_or_null(PICK(random, hosts));
	field[COLUMN_RDNS_STATUS] = dup_or_null(PICK(random, statuses));
	field[COLUMN_COUNTRY_CODE] = dup_or_null(PICK(random, countries));
	field[COLUMN_ASN] = asn ? format_dup("%u", 1 + random_below(random, 14)) : NULL;
	field[COLUMN_ASO] = dup_or_null(PICK(random, organisations));
}

static void add_row(ReportStats *stats, char *const *field)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT, scratch = STRBUF_INIT;
	Row row;
	Why why;

	for (size_t k = 0; k < COLUMN_COUNT; k++)
		row.field[k] = span_from_string(field[k]);
	csv_append_row(&line, &row);
	MUST(!strbuf_error(&line));
	MUST(!csv_parse_row((Span){line.data, line.len - 1}, &scratch, &row, &why));
	MUST(!stats_add(stats, &row));
}

/* ---- counted again -------------------------------------------------------------------------- */

/* A row's columns as one string, which sorts as they do one after the other; missing before all else. */
typedef struct Expected {
	char *key;   /* to tell them apart */
	char *shown; /* and what is left of that */
	size_t row;
	uint64_t count;
} Expected;

static char *text_of(const char *const *field, const Column *which, size_t count, bool shown)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	for (size_t i = 0; i < count; i++) {
		const char *value = field[which[i]];
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

		strbuf_append_char(&sb, value ? '\2' : '\1');
		if (!value)
			continue;
		/* As the CSV has it: a backslash before an x. */
		for (; *value; value++)
			if (value[0] == '\\' && value[1] == 'x')
				strbuf_append_string(&text, "\\x5c");
			else
				strbuf_append_char(&text, *value);
		if (shown && text.len > FACTS_NAME_MAX)
			strbuf_appendf(
				&sb, "%.127s\xe2\x80\xa6%s", text.data, text.data + text.len - 126);
		else
			strbuf_append_string(&sb, strbuf_text(&text));
	}
	return strbuf_take(&sb);
}

static int compare_expected(const void *a, const void *b)
{
	const Expected *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->shown, y->shown);
}

static void free_expected(Expected *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(list[i].key);
		free(list[i].shown);
	}
	free(list);
}

/* All different values of these columns, of the rows in which `only` says so. */
static Expected *count_all(
	const Column *which, size_t count, bool (*only)(size_t row), size_t *ret_count)
{
	Expected *list = calloc(ROWS_MAX, sizeof(*list));
	size_t n = 0;

	MUST(list);
	for (size_t i = 0; i < model.count; i++) {
		const char *const *field = (const char *const *)model.field[i];
		_cleanup_free_ char *key = text_of(field, which, count, false);
		size_t k = 0;

		MUST(key);
		if (only && !only(i))
			continue;
		while (k < n && strcmp(list[k].key, key) != 0)
			k++;
		if (k == n)
			list[n++] = (Expected){TAKE(key), text_of(field, which, count, true), i, 0};
		list[k].count++;
	}
	qsort(list, n, sizeof(*list), compare_expected);
	*ret_count = n;
	return list;
}

static void append_shown(StrBuf *sb, Span value)
{
	strbuf_append_char(sb, value.data ? '\2' : '\1');
	strbuf_append_span(sb, value);
}

static bool failed(size_t row)
{
	const char *status = model.field[row][COLUMN_RDNS_STATUS];

	return strcmp(status, "OK") != 0 && strcmp(status, "Off") != 0;
}

static bool is_list(const char *what, Column column, bool (*only)(size_t row),
	const ReportCount *list, size_t count, size_t most)
{
	size_t n, same = 0;
	Expected *expected = count_all(&column, 1, only, &n);

	for (size_t i = 0; i < MIN(n, most) && i < count; i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

		append_shown(&sb, list[i].key);
		same += list[i].count == expected[i].count &&
			!strcmp(strbuf_text(&sb), expected[i].shown);
	}
	free_expected(expected, n);
	if (count != MIN(n, most) || same != count)
		tap_note("%s: %zu of %zu are right, %zu in the list", what, same, MIN(n, most),
			count);
	return count == MIN(n, most) && same == count;
}

static bool are_targets(const ReportFacts *facts)
{
	static const Column which[] = {
		COLUMN_USER, COLUMN_IP, COLUMN_HOSTNAME, COLUMN_COUNTRY_CODE};
	size_t n, same = 0;
	Expected *expected = count_all(which, ARRAY_SIZE(which), NULL, &n);

	for (size_t i = 0; i < MIN(n, (size_t)FACTS_TOP) && i < facts->target_count; i++) {
		const ReportTarget *target = &facts->targets[i];
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

		append_shown(&sb, target->user);
		append_shown(&sb, target->ip);
		append_shown(&sb, target->host);
		append_shown(&sb, target->country);
		same += target->count == expected[i].count && !strcmp(sb.data, expected[i].shown);
	}
	free_expected(expected, n);
	if (same != MIN(n, (size_t)FACTS_TOP))
		tap_note("targets: %zu of %zu are right", same, MIN(n, (size_t)FACTS_TOP));
	return same == facts->target_count && same == MIN(n, (size_t)FACTS_TOP);
}

static bool are_named(const ReportFacts *facts)
{
	for (size_t i = 0; i < facts->asn_count; i++) {
		const char *name = NULL;

		for (size_t k = 0; k < model.count; k++)
			if (span_equal_string(facts->asns[i].key, model.field[k][COLUMN_ASN]))
				name = model.field[k][COLUMN_ASO];
		if (!span_equal_string(facts->asn_names[i], name))
			return false;
	}
	return true;
}

static uint64_t count_different(Column column, const char *but)
{
	size_t n;
	Expected *expected = count_all(&column, 1, NULL, &n);
	uint64_t count = n;

	for (size_t i = 0; i < n; i++)
		count -= !strcmp(expected[i].key, but);
	free_expected(expected, n);
	return count;
}

static bool are_days(const ReportStats *stats)
{
	const StatsDay *days;
	size_t count = stats_days(stats, &days);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		time_t time = (time_t)days[i].day * 86400;
		uint64_t n = 0;
		struct tm tm;
		char date[16];

		MUST(gmtime_r(&time, &tm) && strftime(date, sizeof(date), "%F", &tm));
		for (size_t k = 0; k < model.count; k++)
			n += !strncmp(model.field[k][COLUMN_DATE], date, strlen(date));
		if (n != days[i].count || (i && days[i].day <= days[i - 1].day))
			return false;
		sum += n;
	}
	return sum == model.count;
}

static bool is_report(ReportStats *stats)
{
	ReportFacts facts;
	uint64_t hours[24] = {0}, failures = 0;

	memset(&facts, 0xee, sizeof(facts));
	MUST(!stats_report(stats, &facts));
	for (size_t i = 0; i < model.count; i++) {
		hours[strtol(model.field[i][COLUMN_DATE] + 11, NULL, 10)]++;
		failures += failed(i);
	}
	return facts.total == model.count && facts.rdns_failures == failures &&
	       facts.distinct_addresses == count_different(COLUMN_IP, "\2unknown") &&
	       facts.distinct_users == count_different(COLUMN_USER, "\1") &&
	       !memcmp(hours, facts.hours, sizeof(hours)) && are_targets(&facts) &&
	       are_named(&facts) && are_days(stats) &&
	       is_list("users", COLUMN_USER, NULL, facts.users, facts.user_count, FACTS_TOP) &&
	       is_list("countries", COLUMN_COUNTRY_CODE, NULL, facts.countries, facts.country_count,
		       FACTS_TOP) &&
	       is_list("ASNs", COLUMN_ASN, NULL, facts.asns, facts.asn_count, FACTS_TOP) &&
	       is_list("organisations", COLUMN_ASO, NULL, facts.organisations,
		       facts.organisation_count, FACTS_TOP) &&
	       is_list("statuses", COLUMN_RDNS_STATUS, failed, facts.rdns, facts.rdns_count,
		       FACTS_RDNS_MAX);
}

static void test_random(Random *random)
{
	static const size_t counts[] = {0, 1, 2, 5, 11, 40, 100, 300, 1000, 2500};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		_cleanup_(stats_freep) ReportStats *stats = NULL;
		bool ok = true;

		MUST(!stats_new(&stats));
		for (size_t k = 0; k < counts[i]; k++) {
			make_row(random, model.field[model.count++]);
			add_row(stats, model.field[model.count - 1]);
			/* A report in between changes nothing. */
			if (k == counts[i] / 2)
				ok = is_report(stats);
		}
		tap_ok(ok && is_report(stats), "%zu random rows", counts[i]);
		forget_rows();
	}
}

/* ---- by hand -------------------------------------------------------------------------------- */

static void add_simple(
	ReportStats *stats, const char *date, const char *user, size_t len, const char *ip)
{
	Row row = {{SPAN_LITERAL("mail"), span_from_string(date), span_from_string(ip), {user, len},
		SPAN_MISSING, SPAN_LITERAL("OK"), SPAN_LITERAL("US"), SPAN_LITERAL("1"),
		SPAN_LITERAL("One")}};

	MUST(!stats_add(stats, &row));
}

static void test_cuts(void)
{
	bool ok = true;

	/* Characters of 2, 3 and 4 bytes at all distances from both cuts. */
	for (size_t shift = 0; shift < 16; shift++) {
		static const char *const characters[] = {
			"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa7"};

		for (size_t c = 0; c < ARRAY_SIZE(characters); c++) {
			_cleanup_(stats_freep) ReportStats *stats = NULL;
			_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, text = STRBUF_INIT;
			ReportFacts facts;
			Span name;

			MUST(!stats_new(&stats));
			for (size_t i = 0; i < shift % 4; i++)
				strbuf_append_char(&sb, 'x');
			while (sb.len < 400)
				strbuf_append_string(&sb, characters[c]);
			for (size_t i = 0; i < shift / 4; i++)
				strbuf_append_char(&sb, 'y');
			add_simple(stats, "2026-11-23 00:00", sb.data, sb.len, "192.0.2.1");
			MUST(!stats_report(stats, &facts));
			name = facts.users[0].key;
			utf8_append_escaped(&text, name);
			ok = ok && name.data && name.len > 240 && name.len <= FACTS_NAME_MAX &&
			     text.len == name.len &&
			     memmem(name.data, name.len, "\xe2\x80\xa6", 3) &&
			     !memcmp(name.data, sb.data, 100) &&
			     !memcmp(name.data + name.len - 100, sb.data + sb.len - 100, 100);
		}
	}
	tap_ok(ok, "long names are cut between characters");
}

/* What is counted of a long name is all of it. */
static void test_long(void)
{
	static char name[CSV_FIELD_MAX];
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	ReportFacts facts;

	MUST(!stats_new(&stats));
	memset(name, 'x', sizeof(name));
	for (size_t i = 0; i < 1000; i++) {
		name[30000 + i] = 'y';
		add_simple(stats, "2026-11-23 00:00", name, sizeof(name), "192.0.2.1");
	}
	add_simple(stats, "2026-11-23 00:00", name, sizeof(name), "192.0.2.2");
	MUST(!stats_report(stats, &facts));
	tap_ok(facts.distinct_users == 1000 && facts.total == 1001 && facts.users[0].count == 2 &&
			facts.users[1].count == 1 && facts.target_count == 10,
		"1,000 names of 64 KiB with the same ends are 1,000 names");
}

/* What is merged in many steps is the same as what is counted at once. */
static void test_pairs(Random *random)
{
	enum { SMALL = 700, ROUNDS = 700000 };
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	static uint32_t counts[SMALL][SMALL];
	uint32_t most = 0, rounds = (uint32_t)random_rounds(ROUNDS);
	ReportFacts facts;

	MUST(!stats_new(&stats));
	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t u = random_below(random, SMALL), a = random_below(random, SMALL);
		char user[16], ip[32];

		(void)snprintf(user, sizeof(user), "%u", u);
		(void)snprintf(ip, sizeof(ip), "192.0.%u.%u", a / 256, a % 256);
		add_simple(stats, "2026-11-23 00:00", user, strlen(user), ip);
		counts[u][a]++;
		most = MAX(most, counts[u][a]);
		/* Whoever asks in between sees what there is so far. */
		if (i == rounds / 3) {
			MUST(!stats_report(stats, &facts));
			most = facts.targets[0].count == most ? most : UINT32_MAX;
		}
	}
	MUST(!stats_report(stats, &facts));
	for (size_t i = 0; i < facts.target_count; i++) {
		_cleanup_free_ char *user = span_dup(facts.targets[i].user);
		_cleanup_free_ char *ip = span_dup(facts.targets[i].ip);
		unsigned high, low;

		MUST(user && ip && sscanf(ip, "192.0.%u.%u", &high, &low) == 2);
		if (facts.targets[i].count != counts[strtoul(user, NULL, 10)][high * 256 + low])
			most = UINT32_MAX;
	}
	tap_ok(facts.targets[0].count == most && facts.total == rounds, "%u rows of %d pairs",
		rounds, SMALL * SMALL);
}

static void test_names(void)
{
	static const char *const names[] = {"Old", "New", "Old"};
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	ReportFacts facts;

	MUST(!stats_new(&stats));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		Row row = {{SPAN_LITERAL("mail"), SPAN_LITERAL("2026-11-23 00:00"),
			SPAN_LITERAL("192.0.2.1"), SPAN_LITERAL("u"), SPAN_MISSING,
			SPAN_LITERAL("OK"), SPAN_LITERAL("US"), SPAN_LITERAL("1"),
			span_from_string(names[i])}};

		MUST(!stats_add(stats, &row));
	}
	MUST(!stats_report(stats, &facts));
	tap_ok(facts.asn_count == 1 && span_equal_string(facts.asn_names[0], "Old") &&
			facts.organisation_count == 2 && facts.target_count == 1 &&
			facts.targets[0].count == 3,
		"a network is called what its newest row calls it");
}

static void test_days(void)
{
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	const StatsDay *days;
	ReportFacts facts;
	size_t count;

	MUST(!stats_new(&stats));
	/* From the newest to the oldest, and again: years in which it keeps no more. */
	for (int round = 0; round < 2; round++)
		for (int day = 3 * STATS_DAYS_MAX; day > 0; day--) {
			char date[32];

			(void)snprintf(date, sizeof(date), "%04d-%02d-%02d 05:00", 2000 + day / 336,
				1 + day % 336 / 28, 1 + day % 28);
			add_simple(stats, date, "u", 1, "192.0.2.1");
		}
	count = stats_days(stats, &days);
	MUST(!stats_report(stats, &facts));
	tap_ok(count == STATS_DAYS_MAX && days[0].count == 2 && days[count - 1].count == 2 &&
			facts.total == 6 * STATS_DAYS_MAX && facts.hours[5] == facts.total,
		"of too many days it keeps the newest");
}

static void test_skip(void)
{
	_cleanup_(stats_freep) ReportStats *stats = NULL;
	ReportFacts facts;

	MUST(!stats_new(&stats));
	stats_skip(stats);
	stats_skip(stats);
	MUST(!stats_report(stats, &facts));
	tap_ok(facts.skipped_rows == 2 && !facts.total && !facts.target_count,
		"skipped lines are counted");
}

int main(void)
{
	Random random = random_seeded();

	test_random(&random);
	test_cuts();
	test_long();
	test_pairs(&random);
	test_names();
	test_days();
	test_skip();
	return tap_done();
}
