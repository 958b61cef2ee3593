/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/history.h"

#include "base/ipaddr.h"
#include "base/number.h"

#include <inttypes.h>

#define DAY_LIMIT 4000000 /* beyond the years of four digits */
#define TOTALS_DAYS 40    /* for which totals are kept */
#define ID_MAX 17

/* What was seen, by its kind and then what tells it from others of that kind; there may be many. */
typedef struct Seen {
	uint8_t id[ID_MAX];
	uint8_t age; /* days between then and the last report */
} Seen;

/* The same in the rows that are added. */
typedef struct Now {
	uint8_t id[ID_MAX];
	int32_t first, last;
} Now;

/* In the order of their bytes. */
static const struct {
	char kind;
	uint8_t len;
} kinds[] = {
	{'4', 4},  /* an IPv4 address */
	{'6', 16}, /* an IPv6 address */
	{'A', 4},  /* a network by its ASN */
	{'C', 8},  /* a country by its code, NULs behind it */
	{'P', 3},  /* a network of a /24 */
	{'Q', 6},  /* a network of a /48 */
};

struct History {
	bool begun;
	int32_t since; /* the first day of which all is known */
	int32_t until; /* the last report's */
	int32_t lost;  /* what was last seen on this day or before may be forgotten */
	StatsDay totals[TOTALS_DAYS + 1];
	size_t total_count;
	Seen *seen; /* by id */
	size_t seen_count;
	char new_codes[FACTS_COUNTRY_CODES_MAX][ID_MAX];
};

int history_new(History **ret_history)
{
	History *history = calloc(1, sizeof(*history));

	if (!history)
		return -ENOMEM;
	history->lost = -DAY_LIMIT;
	*ret_history = history;
	return 0;
}

void history_free(History *history)
{
	if (!history)
		return;
	free(history->seen);
	free(history);
}

static size_t id_len(char kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == kind)
			return kinds[i].len;
	return 0;
}

/* Of what begins with an id. */
static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, ID_MAX);
}

/* ---- as text -------------------------------------------------------------------------------- */

void history_append(const History *history, StrBuf *sb)
{
	static const char hex[] = "0123456789abcdef";

	if (!history->begun)
		return;
	strbuf_appendf(sb, "history since=%" PRId32 " until=%" PRId32 " lost=%" PRId32 "\n",
		history->since, history->until, history->lost);
	for (size_t i = 0; i < history->total_count; i++)
		strbuf_appendf(sb, "day %" PRId32 " %" PRIu64 "\n", history->totals[i].day,
			history->totals[i].count);
	for (size_t i = 0; i < history->seen_count; i++) {
		const Seen *seen = &history->seen[i];
		char line[2 * ID_MAX + 8];
		size_t len = 0;

		line[len++] = (char)seen->id[0];
		line[len++] = ' ';
		for (size_t k = 1; k <= id_len((char)seen->id[0]); k++) {
			line[len++] = hex[seen->id[k] >> 4];
			line[len++] = hex[seen->id[k] & 15];
		}
		line[len++] = ' ';
		strbuf_append(sb, line, len);
		strbuf_append_u64(sb, seen->age);
		strbuf_append_char(sb, '\n');
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_seen(Span line, Seen *ret_seen)
{
	size_t len = line.len > 2 ? id_len(line.data[0]) : 0, at = 2;
	Seen seen = {.id = {(uint8_t)line.data[0]}};
	uint64_t age;

	if (!len || line.len < at + 2 * len + 2 || line.data[1] != ' ')
		return false;
	for (size_t i = 1; i <= len; i++, at += 2) {
		int high = hex_value(line.data[at]), low = hex_value(line.data[at + 1]);

		if (high < 0 || low < 0)
			return false;
		seen.id[i] = (uint8_t)(high << 4 | low);
	}
	if (line.data[at++] != ' ' ||
		number_parse_u64((Span){line.data + at, line.len - at}, HISTORY_DAYS, &age))
		return false;
	seen.age = (uint8_t)age;
	*ret_seen = seen;
	return true;
}

/* Takes what comes before a number, and the number up to the next blank. */
static bool take_number(Span *line, const char *before, uint64_t max, uint64_t *ret_number)
{
	size_t skip = strlen(before), len;
	const char *blank;

	if (!span_starts_with(*line, before))
		return false;
	*line = (Span){line->data + skip, line->len - skip};
	blank = line->len ? memchr(line->data, ' ', line->len) : NULL;
	len = blank ? (size_t)(blank - line->data) : line->len;
	if (number_parse_u64((Span){line->data, len}, max, ret_number))
		return false;
	*line = (Span){line->data + len, line->len - len};
	return true;
}

static bool take_day(Span *line, const char *before, int32_t *ret_day)
{
	size_t skip = strlen(before);
	bool negative =
		span_starts_with(*line, before) && line->len > skip && line->data[skip] == '-';
	Span rest = negative ? (Span){line->data + skip + 1, line->len - skip - 1} : *line;
	uint64_t number;

	if (!take_number(&rest, negative ? "" : before, DAY_LIMIT, &number))
		return false;
	*ret_day = negative ? -(int32_t)number : (int32_t)number;
	*line = rest;
	return true;
}

static bool read_head(History *history, Span line)
{
	return take_day(&line, "history since=", &history->since) &&
	       take_day(&line, " until=", &history->until) &&
	       take_day(&line, " lost=", &history->lost) && !line.len;
}

static bool read_day(History *history, Span line)
{
	size_t n = history->total_count;
	StatsDay total;

	if (n == ARRAY_SIZE(history->totals) || !take_day(&line, "day ", &total.day) ||
		!take_number(&line, " ", UINT64_MAX, &total.count) || line.len ||
		(n && history->totals[n - 1].day >= total.day))
		return false;
	history->totals[history->total_count++] = total;
	return true;
}

/* 0, -EBADMSG, -ENOMEM. */
static int read_line(History *history, Span line)
{
	Seen *seen = history->seen;
	size_t n = history->seen_count;
	bool is_head = !history->begun, ok;

	if (is_head || span_starts_with(line, "day ")) {
		ok = !n && (is_head ? read_head(history, line) : read_day(history, line));
		history->begun = true;
		return ok ? 0 : -EBADMSG;
	}
	if (n == HISTORY_ADDRESSES_MAX + HISTORY_NETWORKS_MAX)
		return -EBADMSG;
	seen = array_grow(seen, n, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	history->seen = seen;
	if (!read_seen(line, &seen[n]) || (n && compare_ids(&seen[n - 1], &seen[n]) >= 0))
		return -EBADMSG;
	history->seen_count++;
	return 0;
}

int history_load(History *history, Span text, Why *ret_why)
{
	_cleanup_(history_freep) History *loaded = NULL;
	size_t number = 0;
	History swap;
	int r = history_new(&loaded);

	while (!r && text.len) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t len = end ? (size_t)(end - text.data) : 0;

		number++;
		r = end ? read_line(loaded, (Span){text.data, len}) : -EBADMSG;
		text = (Span){text.data + len + 1, end ? text.len - len - 1 : 0};
	}
	if (r == -EBADMSG)
		why_set(ret_why, "line %zu of the history can't be read", number);
	if (r < 0)
		return r;
	swap = *history;
	*history = *loaded;
	*loaded = swap;
	return 0;
}

/* ---- what is in the rows -------------------------------------------------------------------- */

/* A growing array of what is in the rows. */
typedef struct Batch {
	Now *now;
	size_t count;
} Batch;

static void batch_done(Batch *batch)
{
	free(batch->now);
}

static int batch_put(
	Batch *batch, char kind, const void *key, size_t len, int32_t first, int32_t last)
{
	Now *now = array_grow(batch->now, batch->count, sizeof(*now));

	if (!now)
		return -ENOMEM;
	batch->now = now;
	now += batch->count++;
	*now = (Now){.first = first, .last = last, .id = {(uint8_t)kind}};
	memcpy(now->id + 1, key, len);
	return 0;
}

/* 0 or -ENOMEM. An ASN that is none and a country that is longer than any code say nothing. */
static int batch_put_origin(Batch *batch, const StatsOrigin *origin, int32_t first, int32_t last)
{
	Span country = origin->country;
	IpAddr addr = {.family = IP_UNKNOWN};
	bool is_v4, is_v6;
	uint64_t asn = 0;
	char code[8] = {0};
	int r = 0;

	if (ipaddr_parse(origin->ip, &addr) < 0)
		addr.family = IP_UNKNOWN;
	is_v4 = addr.family == IP_V4;
	is_v6 = addr.family == IP_V6;
	if (is_v4 || is_v6)
		r = batch_put(batch, is_v4 ? '4' : '6', addr.bytes, is_v4 ? 4 : 16, first, last);
	if (!r && origin->asn.data && !number_parse_u64(origin->asn, UINT32_MAX, &asn)) {
		const uint8_t bytes[] = {(uint8_t)(asn >> 24), (uint8_t)(asn >> 16),
			(uint8_t)(asn >> 8), (uint8_t)asn};

		r = batch_put(batch, 'A', bytes, sizeof(bytes), first, last);
	} else if (!r && (is_v4 || is_v6)) {
		r = batch_put(batch, is_v4 ? 'P' : 'Q', addr.bytes, is_v4 ? 3 : 6, first, last);
	}
	if (!r && country.data && country.len && country.len <= sizeof(code)) {
		memcpy(code, country.data, country.len);
		r = batch_put(batch, 'C', code, sizeof(code), first, last);
	}
	return r;
}

/* Sorts it and leaves one of each. */
static void batch_settle(Batch *batch)
{
	size_t n = 0;

	if (batch->count)
		qsort(batch->now, batch->count, sizeof(*batch->now), compare_ids);
	for (size_t i = 0; i < batch->count; i++) {
		Now *now = &batch->now[i], *kept = n ? &batch->now[n - 1] : NULL;

		if (kept && !compare_ids(kept, now)) {
			kept->first = MIN(kept->first, now->first);
			kept->last = MAX(kept->last, now->last);
		} else {
			batch->now[n++] = *now;
		}
	}
	batch->count = n;
}

/* What is in the rows of the last days; a day that is still to come counts as the last. */
static int batch_fill(Batch *batch, const ReportStats *stats, int32_t day)
{
	StatsOrigin origin;
	int r = 0;

	for (uint32_t i = 0; !r && stats_origin(stats, i, &origin); i++)
		if (origin.last_day >= day - HISTORY_DAYS)
			r = batch_put_origin(batch, &origin, MIN(origin.first_day, day),
				MIN(origin.last_day, day));
	if (!r)
		batch_settle(batch);
	return r;
}

/* ---- adding --------------------------------------------------------------------------------- */

static bool is_address(const Seen *seen)
{
	return seen->id[0] == '4' || seen->id[0] == '6';
}

/* Forgets the oldest days of addresses, or of all else, until there are at most `most`. */
static void forget(History *history, bool addresses, size_t most)
{
	size_t by_age[HISTORY_DAYS + 1] = {0}, left = 0, n = 0;
	int age = 0;

	for (size_t i = 0; i < history->seen_count; i++)
		if (is_address(&history->seen[i]) == addresses)
			by_age[history->seen[i].age]++, left++;
	if (left <= most)
		return;
	for (age = HISTORY_DAYS; left > most; age--)
		left -= by_age[age];
	for (size_t i = 0; i < history->seen_count; i++) {
		const Seen *seen = &history->seen[i];

		if (is_address(seen) != addresses || seen->age <= age)
			history->seen[n++] = *seen;
	}
	history->seen_count = n;
	history->lost = MAX(history->lost, history->until - age - 1);
}

/* They come in falling order. */
static void note_new(History *history, const Now *now, ReportFacts *facts)
{
	switch (now->id[0]) {
	case '4':
	case '6': facts->new_addresses++; return;
	case 'C':
		memmove(history->new_codes + 1, history->new_codes,
			sizeof(history->new_codes) - sizeof(history->new_codes[0]));
		memset(history->new_codes[0], 0, ID_MAX);
		memcpy(history->new_codes[0], now->id + 1, ID_MAX - 1);
		facts->new_countries++;
		return;
	default: facts->new_networks++; return;
	}
}

/*
 * Merges the batch into what was seen, as of day; what is too old goes. From the end to the start, so that it needs no more room: `to` is
 * never before what is still to be read. 0 or -ENOMEM.
 */
static int merge_seen(History *history, const Batch *batch, int32_t day, ReportFacts *facts)
{
	size_t a = history->seen_count, b = batch->count, most = a + b, to = most;
	Seen *seen = reallocarray(history->seen, MAX(most, (size_t)1), sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	history->seen = seen;
	while (a || b) {
		const Now *now = b ? &batch->now[b - 1] : NULL;
		int order = !a ? -1 : !now ? 1 : compare_ids(&seen[a - 1], now);
		bool is_old = order >= 0, is_now = order <= 0;
		int32_t before = is_old ? MIN(history->until - seen[a - 1].age, day) : -DAY_LIMIT;
		int32_t last = is_now ? MAX(before, now->last) : before;

		if (facts && is_now && before < now->first - HISTORY_DAYS)
			note_new(history, now, facts);
		if (last >= day - HISTORY_DAYS) {
			memmove(seen[--to].id, is_old ? seen[a - 1].id : now->id, ID_MAX);
			seen[to].age = (uint8_t)(day - last);
		}
		a -= is_old;
		b -= is_now;
	}
	history->seen_count = most - to;
	memmove(seen, seen + to, history->seen_count * sizeof(*seen));
	for (size_t i = 0; facts && i < MIN(facts->new_countries, FACTS_COUNTRY_CODES_MAX); i++)
		facts->new_country_codes[i] = span_from_string(history->new_codes[i]);
	return 0;
}

static uint64_t *find_total(History *history, int32_t day)
{
	for (size_t i = 0; i < history->total_count; i++)
		if (history->totals[i].day == day)
			return &history->totals[i].count;
	return NULL;
}

static bool is_near(int32_t day, int32_t of)
{
	return day <= of && day >= of - TOTALS_DAYS;
}

static int compare_totals(const void *a, const void *b)
{
	int32_t x = ((const StatsDay *)a)->day, y = ((const StatsDay *)b)->day;

	return (x > y) - (x < y);
}

static void merge_totals(History *history, const ReportStats *stats, int32_t day)
{
	const StatsDay *days;
	size_t count = stats_days(stats, &days), n = 0;

	for (size_t i = 0; i < history->total_count; i++)
		if (is_near(history->totals[i].day, day))
			history->totals[n++] = history->totals[i];
	history->total_count = n;
	for (size_t i = 0; i < count; i++) {
		uint64_t *total = find_total(history, days[i].day);

		if (total)
			*total += days[i].count;
		else if (is_near(days[i].day, day))
			history->totals[history->total_count++] = days[i];
	}
	qsort(history->totals, history->total_count, sizeof(*history->totals), compare_totals);
}

/* The first day that is known whole: that of the oldest row there was at first. */
static void begin(History *history, const ReportStats *stats, int32_t day)
{
	const StatsDay *days;
	size_t count = stats_days(stats, &days);

	history->since = day;
	for (size_t i = count; i; i--)
		if (is_near(days[i - 1].day, day))
			history->since = MIN(history->since, days[i - 1].day);
}

static void compare_days(History *history, int32_t day, ReportFacts *facts)
{
	uint64_t sum = 0;
	unsigned n = 0;

	for (int32_t before = day - 1; n < 7 && before >= history->since; before--, n++) {
		const uint64_t *total = find_total(history, before);

		sum += total ? *total : 0;
		if (!n)
			facts->day_before = (int64_t)MIN(sum, (uint64_t)INT64_MAX);
	}
	facts->week_days = n;
	if (n)
		facts->week_mean = (double)sum / n;
}

int history_add(History *history, const ReportStats *stats, int32_t day, ReportFacts *facts)
{
	_cleanup_(batch_done) Batch batch = {NULL, 0};
	bool begun = history->begun;
	int32_t known_from = MAX(history->since, history->lost + 1), known = 0;
	int r = batch_fill(&batch, stats, day);

	/* What was said of later days was said by a clock that was wrong. */
	if (begun && history->until > day + 1)
		known_from = day;
	if (begun)
		known = MAX(0, MIN(HISTORY_DAYS, day - known_from));
	if (facts) {
		facts->day_before = -1;
		facts->week_mean = -1;
		facts->week_days = 0;
		facts->history_known = known > 0;
		facts->history_days = (unsigned)known;
		facts->new_addresses = facts->new_networks = facts->new_countries = 0;
	}
	if (!r)
		r = merge_seen(history, &batch, day, known ? facts : NULL);
	if (r < 0)
		return r;
	if (!begun)
		begin(history, stats, day);
	else if (history->until > day + 1)
		history->since = day;
	history->begun = true;
	history->until = day;
	merge_totals(history, stats, day);
	forget(history, true, HISTORY_ADDRESSES_MAX);
	forget(history, false, HISTORY_NETWORKS_MAX);
	if (facts)
		compare_days(history, day, facts);
	return 0;
}
