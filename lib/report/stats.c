/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/stats.h"

#include "base/calendar.h"
#include "report/pairs.h"
#include "report/tally.h"

#define NAME_HEAD 127
#define NAME_TAIL 126
#define NAME_MIDDLE "\xe2\x80\xa6"
_Static_assert(NAME_HEAD + NAME_TAIL + sizeof(NAME_MIDDLE) - 1 == FACTS_NAME_MAX, "");

/*
 * A value as it is counted. A long one is its ends and a digest: longer than FACTS_NAME_MAX also where up to three bytes of
 * a character were left off at both cuts. A missing one is a byte that no text holds.
 */
#define DIGEST_LEN sizeof(HashDigest)
#define KEY_MAX (FACTS_NAME_MAX + DIGEST_LEN)
_Static_assert(DIGEST_LEN > 3 + 3, "a long name's key is longer than any short name");
#define MISSING_KEY SPAN_LITERAL("\xff")

/* What an address brings along: counted as one, since it hardly changes. */
static const Column origin_columns[] = {COLUMN_IP, COLUMN_HOSTNAME, COLUMN_COUNTRY_CODE, COLUMN_ASN,
	COLUMN_ASO, COLUMN_RDNS_STATUS};

enum {
	PART_IP,
	PART_HOST,
	PART_COUNTRY,
	PARTS_OF_PLACE, /* those so far are what a target shows of it */
	PART_ASN = PARTS_OF_PLACE,
	PART_ORGANISATION,
	PART_STATUS,
	PARTS,
};
_Static_assert(ARRAY_SIZE(origin_columns) == PARTS, "");

typedef struct Origin {
	uint64_t newest; /* its last row's number */
	uint32_t place;  /* in places */
	int32_t first_day, last_day;
} Origin;

struct ReportStats {
	HashKey key;
	uint64_t total, skipped;
	uint64_t hours[24];
	Tally users, origins, places;
	Origin *origin;                                            /* by number in origins */
	Pairs targets;                                             /* user, place */
	Tally addresses, countries, asns, organisations, statuses; /* for the report */
	StatsDay days[STATS_DAYS_MAX];
	size_t day_count, day_at; /* that of the row before */
	char date[10];            /* and its date */
};

int stats_new(ReportStats **ret_stats)
{
	_cleanup_(stats_freep) ReportStats *stats = calloc(1, sizeof(*stats));
	HashKey key;
	int r = stats ? hash_key_random(&key) : -ENOMEM;

	if (r < 0)
		return r;
	stats->key = key;
	tally_init(&stats->users, key);
	tally_init(&stats->origins, key);
	tally_init(&stats->places, key);
	tally_init(&stats->addresses, key);
	tally_init(&stats->countries, key);
	tally_init(&stats->asns, key);
	tally_init(&stats->organisations, key);
	tally_init(&stats->statuses, key);
	*ret_stats = TAKE(stats);
	return 0;
}

void stats_free(ReportStats *stats)
{
	if (!stats)
		return;
	tally_done(&stats->users);
	tally_done(&stats->origins);
	tally_done(&stats->places);
	tally_done(&stats->addresses);
	tally_done(&stats->countries);
	tally_done(&stats->asns);
	tally_done(&stats->organisations);
	tally_done(&stats->statuses);
	pairs_done(&stats->targets);
	free(stats->origin);
	free(stats);
}

void stats_skip(ReportStats *stats)
{
	stats->skipped++;
}

/* ---- values as they are counted ------------------------------------------------------------- */

static bool is_inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Writes the key of a value; returns its length. */
static size_t write_key(const ReportStats *stats, Span value, char to[KEY_MAX])
{
	size_t head = NAME_HEAD, tail = NAME_TAIL, len;
	HashDigest digest;

	if (!value.data)
		value = MISSING_KEY;
	if (value.len <= FACTS_NAME_MAX) {
		memcpy(to, value.data, value.len);
		return value.len;
	}
	for (int i = 0; i < 3 && is_inside_character(value.data[head]); i++)
		head--;
	for (int i = 0; i < 3 && is_inside_character(value.data[value.len - tail]); i++)
		tail--;
	memcpy(to, value.data, head);
	memcpy(to + head, NAME_MIDDLE, sizeof(NAME_MIDDLE) - 1);
	len = head + sizeof(NAME_MIDDLE) - 1;
	memcpy(to + len, value.data + value.len - tail, tail);
	len += tail;
	digest = hash_digest(stats->key, value.data, value.len);
	memcpy(to + len, &digest, sizeof(digest));
	len += sizeof(digest);
	return len;
}

/* What a report shows of it. */
static Span key_text(Span key)
{
	if (span_equal(key, MISSING_KEY))
		return SPAN_MISSING;
	return key.len > FACTS_NAME_MAX ? (Span){key.data, key.len - DIGEST_LEN} : key;
}

static Span tally_text(const Tally *tally, uint32_t number)
{
	return key_text(tally_get(tally, number));
}

/* The keys of what an origin or a place is made of: first comes the length of each, then their bytes. */
static void split(Span bytes, Span *ret_keys, size_t count)
{
	size_t at = count * sizeof(uint16_t);

	for (size_t i = 0; i < count; i++) {
		uint16_t len;

		memcpy(&len, bytes.data + i * sizeof(len), sizeof(len));
		ret_keys[i] = (Span){bytes.data + at, len};
		at += len;
	}
}

/* ---- a row ---------------------------------------------------------------------------------- */

/* A new origin's entry; its place is the first keys in bytes. 0 or -errno. */
static int begin_origin(ReportStats *stats, Span bytes, int32_t day)
{
	Span keys[PARTS];
	char place[PARTS_OF_PLACE * (sizeof(uint16_t) + KEY_MAX)];
	size_t head = PARTS_OF_PLACE * sizeof(uint16_t), len;
	uint32_t last = stats->origins.count - 1;
	Origin *origin = array_grow(stats->origin, last, sizeof(*origin));
	int r;

	if (!origin)
		return -ENOMEM;
	stats->origin = origin;
	split(bytes, keys, PARTS);
	len = (size_t)(keys[PARTS_OF_PLACE].data - keys[0].data);
	memcpy(place, bytes.data, head);
	memcpy(place + head, keys[0].data, len);
	origin[last] = (Origin){.first_day = day, .last_day = day};
	r = tally_add(&stats->places, (Span){place, head + len}, 1, &origin[last].place);
	return r;
}

/* Counts the row's origin. 0 or -errno. */
static int add_origin(ReportStats *stats, const Row *row, int32_t day, uint32_t *ret_place)
{
	char bytes[PARTS * (sizeof(uint16_t) + KEY_MAX)];
	size_t len = PARTS * sizeof(uint16_t);
	uint32_t known = stats->origins.count, number;
	Origin *origin;
	int r;

	for (size_t i = 0; i < PARTS; i++) {
		uint16_t n = (uint16_t)write_key(stats, row->field[origin_columns[i]], bytes + len);

		memcpy(bytes + i * sizeof(n), &n, sizeof(n));
		len += n;
	}
	r = tally_add(&stats->origins, (Span){bytes, len}, 1, &number);
	if (!r && number == known)
		r = begin_origin(stats, (Span){bytes, len}, day);
	if (r < 0)
		return r;
	origin = &stats->origin[number];
	origin->newest = stats->total;
	origin->first_day = MIN(origin->first_day, day);
	origin->last_day = MAX(origin->last_day, day);
	*ret_place = origin->place;
	return 0;
}

static int digits(const char *p, int count)
{
	int value = 0;

	while (count--)
		value = value * 10 + (*p++ - '0');
	return value;
}

/* Most rows have the date of the one before. */
static int32_t find_day(ReportStats *stats, const char *date)
{
	int32_t day;
	size_t at;

	if (stats->day_count && !memcmp(date, stats->date, sizeof(stats->date)))
		return stats->days[stats->day_at].day;
	day = (int32_t)calendar_days(digits(date, 4), digits(date + 5, 2), digits(date + 8, 2));
	for (at = stats->day_count; at && stats->days[at - 1].day >= day; at--)
		;
	if (at == stats->day_count || stats->days[at].day != day) {
		if (stats->day_count == STATS_DAYS_MAX) {
			/* The oldest goes, whoever that is. */
			if (!at)
				return day;
			at--;
			memmove(stats->days, stats->days + 1, at * sizeof(*stats->days));
		} else {
			memmove(stats->days + at + 1, stats->days + at,
				(stats->day_count - at) * sizeof(*stats->days));
			stats->day_count++;
		}
		stats->days[at] = (StatsDay){day, 0};
	}
	memcpy(stats->date, date, sizeof(stats->date));
	stats->day_at = at;
	return day;
}

int stats_add(ReportStats *stats, const Row *row)
{
	const char *date = row->field[COLUMN_DATE].data;
	uint32_t user, place;
	char key[KEY_MAX];
	Span name = {key, write_key(stats, row->field[COLUMN_USER], key)};
	HashDigest digest = tally_prepare(&stats->users, name);
	int32_t day = find_day(stats, date);
	int r = add_origin(stats, row, day, &place);

	if (!r)
		r = tally_add_prepared(&stats->users, name, digest, 1, &user);
	if (!r)
		r = pairs_add(&stats->targets, user, place);
	if (r < 0)
		return r;
	if (stats->days[stats->day_at].day == day)
		stats->days[stats->day_at].count++;
	stats->hours[digits(date + 11, 2)]++;
	stats->total++;
	return 0;
}

size_t stats_days(const ReportStats *stats, const StatsDay **ret_days)
{
	*ret_days = stats->days;
	return stats->day_count;
}

bool stats_origin(const ReportStats *stats, uint32_t i, StatsOrigin *ret_origin)
{
	Span keys[PARTS];

	if (i >= stats->origins.count)
		return false;
	split(tally_get(&stats->origins, i), keys, PARTS);
	*ret_origin = (StatsOrigin){
		.ip = key_text(keys[PART_IP]),
		.country = key_text(keys[PART_COUNTRY]),
		.asn = key_text(keys[PART_ASN]),
		.first_day = stats->origin[i].first_day,
		.last_day = stats->origin[i].last_day,
	};
	return true;
}

/* ---- the lists ------------------------------------------------------------------------------ */

/* Missing before all else, then bytewise. */
static int compare_texts(Span a, Span b)
{
	size_t len = MIN(a.len, b.len);
	int order;

	if (!a.data || !b.data)
		return !!a.data - !!b.data;
	order = len ? memcmp(a.data, b.data, len) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_counts(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int compare_entries(const void *of, uint32_t a, uint32_t b)
{
	const Tally *tally = of;
	int order = compare_counts(tally->entries[a].count, tally->entries[b].count);

	return order ? order : compare_texts(tally_text(tally, a), tally_text(tally, b));
}

static int compare_targets(const void *of, uint32_t a, uint32_t b)
{
	const ReportStats *stats = of;
	const Pair *pa = &stats->targets.entries[a], *pb = &stats->targets.entries[b];
	Span keys_a[PARTS_OF_PLACE], keys_b[PARTS_OF_PLACE];
	int order = compare_counts(pa->count, pb->count);

	if (!order)
		order = compare_texts(
			tally_text(&stats->users, pa->a), tally_text(&stats->users, pb->a));
	if (order)
		return order;
	split(tally_get(&stats->places, pa->b), keys_a, PARTS_OF_PLACE);
	split(tally_get(&stats->places, pb->b), keys_b, PARTS_OF_PLACE);
	for (size_t i = 0; i < PARTS_OF_PLACE && !order; i++)
		order = compare_texts(key_text(keys_a[i]), key_text(keys_b[i]));
	return order;
}

/* The first `most` of count numbers, in order; returns how many. */
static size_t find_top(const void *of, uint32_t count,
	int (*compare)(const void *of, uint32_t a, uint32_t b), uint32_t *ret_top, size_t most)
{
	size_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t at = n;

		while (at && compare(of, i, ret_top[at - 1]) < 0)
			at--;
		if (at == most)
			continue;
		n = MIN(n + 1, most);
		memmove(ret_top + at + 1, ret_top + at, (n - at - 1) * sizeof(*ret_top));
		ret_top[at] = i;
	}
	return n;
}

static size_t list(const Tally *tally, ReportCount *ret_list, size_t most)
{
	uint32_t top[FACTS_TOP];
	size_t n = find_top(tally, tally->count, compare_entries, top, most);

	for (size_t i = 0; i < n; i++)
		ret_list[i] =
			(ReportCount){tally_text(tally, top[i]), tally->entries[top[i]].count};
	return n;
}

static void list_targets(const ReportStats *stats, ReportFacts *facts)
{
	uint32_t top[FACTS_TOP];

	facts->target_count =
		find_top(stats, stats->targets.count, compare_targets, top, FACTS_TOP);
	for (size_t i = 0; i < facts->target_count; i++) {
		const Pair *pair = &stats->targets.entries[top[i]];
		Span keys[PARTS_OF_PLACE];

		split(tally_get(&stats->places, pair->b), keys, PARTS_OF_PLACE);
		facts->targets[i] = (ReportTarget){
			.user = tally_text(&stats->users, pair->a),
			.ip = key_text(keys[PART_IP]),
			.host = key_text(keys[PART_HOST]),
			.country = key_text(keys[PART_COUNTRY]),
			.count = pair->count,
		};
	}
}

/* A network's name changes with the databases: the newest row has the best. */
static void name_networks(const ReportStats *stats, ReportFacts *facts)
{
	uint64_t newest[FACTS_TOP] = {0};

	memset(facts->asn_names, 0, sizeof(facts->asn_names));
	for (uint32_t i = 0; i < stats->origins.count; i++) {
		Span keys[PARTS];

		split(tally_get(&stats->origins, i), keys, PARTS);
		for (size_t k = 0; k < facts->asn_count; k++)
			if (span_equal(key_text(keys[PART_ASN]), facts->asns[k].key) &&
				stats->origin[i].newest >= newest[k]) {
				newest[k] = stats->origin[i].newest;
				facts->asn_names[k] = key_text(keys[PART_ORGANISATION]);
			}
	}
}

static bool is_failure(Span status)
{
	return !span_equal_string(status, "OK") && !span_equal_string(status, "Off");
}

/* Counts the origins' parts anew. 0 or -errno. */
static int sum_up(ReportStats *stats, uint64_t *ret_failures)
{
	Tally *const sums[PARTS] = {
		[PART_IP] = &stats->addresses,
		[PART_COUNTRY] = &stats->countries,
		[PART_ASN] = &stats->asns,
		[PART_ORGANISATION] = &stats->organisations,
		[PART_STATUS] = &stats->statuses,
	};
	uint64_t failures = 0;
	uint32_t number;
	int r = 0;

	for (size_t part = 0; part < PARTS; part++)
		if (sums[part]) {
			HashKey key = sums[part]->key;

			tally_done(sums[part]);
			tally_init(sums[part], key);
		}
	for (uint32_t i = 0; i < stats->origins.count && !r; i++) {
		uint64_t count = stats->origins.entries[i].count;
		bool failed;
		Span keys[PARTS];

		split(tally_get(&stats->origins, i), keys, PARTS);
		failed = is_failure(keys[PART_STATUS]);
		failures += failed ? count : 0;
		for (size_t part = 0; part < PARTS && !r; part++)
			if (sums[part] && (part != PART_STATUS || failed))
				r = tally_add(sums[part], keys[part], count, &number);
	}
	*ret_failures = failures;
	return r;
}

static uint64_t count_without(const Tally *tally, Span key)
{
	uint64_t count = tally->count;

	for (uint32_t i = 0; i < tally->count; i++)
		count -= span_equal(tally_get(tally, i), key);
	return count;
}

int stats_report(ReportStats *stats, ReportFacts *facts)
{
	int r = pairs_settle(&stats->targets);

	if (!r)
		r = sum_up(stats, &facts->rdns_failures);
	if (r < 0)
		return r;
	facts->total = stats->total;
	facts->skipped_rows = stats->skipped;
	memcpy(facts->hours, stats->hours, sizeof(facts->hours));
	facts->distinct_addresses = count_without(&stats->addresses, SPAN_LITERAL("unknown"));
	facts->distinct_users = count_without(&stats->users, MISSING_KEY);
	list_targets(stats, facts);
	facts->user_count = list(&stats->users, facts->users, FACTS_TOP);
	facts->country_count = list(&stats->countries, facts->countries, FACTS_TOP);
	facts->asn_count = list(&stats->asns, facts->asns, FACTS_TOP);
	name_networks(stats, facts);
	facts->organisation_count = list(&stats->organisations, facts->organisations, FACTS_TOP);
	facts->rdns_count = list(&stats->statuses, facts->rdns, FACTS_RDNS_MAX);
	return 0;
}
