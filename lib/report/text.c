/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text.h"

#include "report/country.h"
#include "report/display.h"
#include "report/wording.h"

#include <inttypes.h>
#include <stdio.h>

#define COLUMNS REPORT_TEXT_COLUMNS
#define BOX_MIN 50
#define BOX_EDGE "###"
#define RANK_COLUMNS 4 /* "10. " */
#define GAP 2          /* between columns */
#define IPV4_COLUMNS 15
#define IPV6_COLUMNS 39
#define HOST_MIN 6      /* of a name that is cut further nobody learns anything */
#define SHARE_COLUMNS 5 /* "100 %" */
#define WARNINGS_SHOWN 20
#define CHART_ROWS 3
#define MISSING "N/A"

typedef struct Writer {
	const ReportFacts *facts;
	LocalZone zone;
	StrBuf *sb;
} Writer;

static Span shown(Span text)
{
	if (!text.data)
		return SPAN_LITERAL(MISSING);
	return text.len ? text : SPAN_LITERAL("\"\"");
}

/* What failed in a part fails in the whole. */
static void pass_error(Writer *w, const StrBuf *part)
{
	if (!w->sb->error)
		w->sb->error = strbuf_error(part);
}

static void append_blanks(StrBuf *sb, size_t count)
{
	for (size_t i = 0; i < count; i++)
		strbuf_append_char(sb, ' ');
}

/* Appends what fits into so many columns, and blanks for the rest of them. */
static void append_cell(StrBuf *sb, Span text, size_t columns)
{
	size_t width = display_append(sb, text, columns);

	append_blanks(sb, columns - MIN(width, columns));
}

static size_t digits(uint64_t value)
{
	char text[24];

	return (size_t)snprintf(text, sizeof(text), "%" PRIu64, value);
}

/* ---- the head ------------------------------------------------------------------------------- */

static void append_box(Writer *w)
{
	const ReportFacts *facts = w->facts;
	StrBuf lines[4] = {STRBUF_INIT, STRBUF_INIT, STRBUF_INIT, STRBUF_INIT};
	const size_t edges = 2 * (sizeof(BOX_EDGE " ") - 1);
	size_t columns = BOX_MIN - edges;
	char time[CALENDAR_MINUTE_MAX];

	(void)calendar_format_minute(&w->zone, facts->now_us, time);
	strbuf_appendf(&lines[0], "MailLogSentinel v%s", facts->version);
	strbuf_appendf(&lines[1], "Extraction mode: %s", facts->mode);
	strbuf_appendf(&lines[2], "Report at %s", time);
	strbuf_appendf(&lines[3], "Server: %s", facts->server);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		columns = MAX(columns, display_width((Span){strbuf_text(&lines[i]), lines[i].len}));
	columns = MIN(columns, COLUMNS - edges);
	for (size_t i = 0; i < columns + edges; i++)
		strbuf_append_char(w->sb, '#');
	strbuf_append_char(w->sb, '\n');
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		strbuf_append_string(w->sb, BOX_EDGE " ");
		append_cell(w->sb, (Span){strbuf_text(&lines[i]), lines[i].len}, columns);
		strbuf_append_string(w->sb, " " BOX_EDGE "\n");
		pass_error(w, &lines[i]);
		strbuf_done(&lines[i]);
	}
	for (size_t i = 0; i < columns + edges; i++)
		strbuf_append_char(w->sb, '#');
	strbuf_append_string(w->sb, "\n\n");
}

/* Appends words in lines that begin with as many blanks as the first, which has begun, has columns. */
static void append_wrapped(StrBuf *sb, Span text, size_t indent)
{
	size_t at = indent;

	for (size_t i = 0; i < text.len;) {
		const char *blank = memchr(text.data + i, ' ', text.len - i);
		Span word = {text.data + i, blank ? (size_t)(blank - text.data) - i : text.len - i};
		size_t width = MIN(display_width(word), COLUMNS - indent);

		i += word.len + 1;
		if (!word.len)
			continue;
		if (at > indent && at + 1 + width > COLUMNS) {
			strbuf_append_char(sb, '\n');
			append_blanks(sb, indent);
			at = indent;
		} else if (at > indent) {
			strbuf_append_char(sb, ' ');
			at++;
		}
		at += display_append(sb, word, width);
	}
	strbuf_append_char(sb, '\n');
}

static void append_warnings(Writer *w)
{
	const ReportFacts *facts = w->facts;
	size_t shown_count = MIN(facts->warning_count, (size_t)WARNINGS_SHOWN);
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	if (!facts->warning_count) {
		strbuf_append_string(w->sb, "No warnings.\n\n");
		return;
	}
	strbuf_appendf(w->sb, "%zu %s:\n", facts->warning_count,
		facts->warning_count == 1 ? "WARNING" : "WARNINGS");
	for (size_t i = 0; i < shown_count; i++) {
		const StatusWarning *warning = &facts->warnings[i];
		char time[CALENDAR_MINUTE_MAX];

		strbuf_reset(&text);
		strbuf_append_string(&text, warning->text);
		if (warning->since_us) {
			(void)calendar_format_minute(&w->zone, warning->since_us, time);
			strbuf_appendf(&text, " (since %s)", time);
		}
		strbuf_append_string(w->sb, " ! ");
		append_wrapped(w->sb, (Span){strbuf_text(&text), text.len}, 3);
	}
	if (shown_count < facts->warning_count)
		strbuf_appendf(w->sb, "   and %zu more: maillogsentinel status\n",
			facts->warning_count - shown_count);
	strbuf_append_char(w->sb, '\n');
	pass_error(w, &text);
}

/* ---- the numbers ---------------------------------------------------------------------------- */

#define NUMBER_COLUMNS 27 /* before the numbers */
#define NUMBER_DIGITS 8

static void begin_number(Writer *w, const char *label, uint64_t value)
{
	strbuf_appendf(w->sb, "%-*s%*" PRIu64, NUMBER_COLUMNS, label, NUMBER_DIGITS, value);
}

static void append_number(Writer *w, const char *label, uint64_t value)
{
	begin_number(w, label, value);
	strbuf_append_char(w->sb, '\n');
}

static void append_earlier(Writer *w, const char *label, double value)
{
	WordingChange change;

	if (value < 0)
		return;
	begin_number(w, label, wording_round(value));
	if (wording_change(w->facts, &w->zone, value, &change))
		strbuf_appendf(w->sb, "   %s", change.text);
	strbuf_append_char(w->sb, '\n');
}

/* "   China, India" */
static void append_new_countries(Writer *w)
{
	_cleanup_strbuf_ StrBuf names = STRBUF_INIT;
	size_t count = (size_t)MIN(w->facts->new_countries, (uint64_t)FACTS_COUNTRY_CODES_MAX);

	for (size_t i = 0; i < count; i++) {
		Span code = w->facts->new_country_codes[i];
		const char *name = country_name(code);

		strbuf_append_string(&names, i ? ", " : "");
		if (name)
			strbuf_append_string(&names, name);
		else
			strbuf_append_span(&names, shown(code));
	}
	strbuf_append_string(&names, count < w->facts->new_countries ? ", ..." : "");
	strbuf_append_string(w->sb, count ? "   " : "\n");
	if (count)
		append_wrapped(w->sb, (Span){strbuf_text(&names), names.len},
			NUMBER_COLUMNS + 3 +
				MAX(digits(w->facts->new_countries), (size_t)NUMBER_DIGITS));
	pass_error(w, &names);
}

static void append_numbers(Writer *w)
{
	const ReportFacts *facts = w->facts;
	char label[40];

	strbuf_append_string(w->sb, "Total attempts ");
	wording_append_window(w->sb, facts, &w->zone);
	strbuf_appendf(w->sb, ": %" PRIu64 "\n\n", facts->total);
	append_earlier(w, "  The day before", (double)facts->day_before);
	(void)snprintf(label, sizeof(label), "  Mean of %u %s before", facts->week_days,
		facts->week_days == 1 ? "day" : "days");
	append_earlier(w, label, facts->week_days ? facts->week_mean : -1);
	append_number(w, "  Addresses", facts->distinct_addresses);
	append_number(w, "  User names", facts->distinct_users);
	if (facts->counters_known) {
		append_number(w, "  Successful logins", facts->successes);
		append_number(w, "  Login server outages", facts->outages);
		append_number(w, "  Aborted by the client", facts->aborted);
	}
	strbuf_append_char(w->sb, '\n');
	if (!facts->history_known)
		return;
	strbuf_appendf(w->sb, "For the first time in %u %s:\n\n", facts->history_days,
		facts->history_days == 1 ? "day" : "days");
	append_number(w, "  New addresses", facts->new_addresses);
	append_number(w, "  New networks", facts->new_networks);
	begin_number(w, "  New countries", facts->new_countries);
	append_new_countries(w);
	strbuf_append_char(w->sb, '\n');
}

/* ---- hours ---------------------------------------------------------------------------------- */

/* Bars of blocks; an hour is three columns. */
static void append_hours(Writer *w)
{
	static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	const size_t steps = ARRAY_SIZE(blocks) - 1;
	const ReportFacts *facts = w->facts;
	size_t busiest = wording_busiest_hour(facts);
	double max = (double)facts->hours[busiest];

	if (!facts->hours[busiest])
		return;
	strbuf_appendf(w->sb, "By hour, the most at %02zu:00 (%" PRIu64 "):\n\n", busiest,
		facts->hours[busiest]);
	for (size_t row = CHART_ROWS; row-- > 0;) {
		size_t blanks = 1;

		for (size_t i = 0; i < ARRAY_SIZE(facts->hours); i++) {
			size_t level = (size_t)((double)facts->hours[i] / max *
						(double)(CHART_ROWS * steps));
			size_t step;

			level = facts->hours[i] ? MAX(level, (size_t)1) : 0;
			step = MIN(level - MIN(level, row * steps), steps);
			if (!step) {
				blanks += 3;
				continue;
			}
			append_blanks(w->sb, blanks + 1);
			strbuf_appendf(w->sb, "%s%s", blocks[step], blocks[step]);
			blanks = 0;
		}
		strbuf_append_char(w->sb, '\n');
	}
	strbuf_append_char(w->sb, ' ');
	for (size_t i = 0; i < ARRAY_SIZE(facts->hours); i++)
		strbuf_appendf(w->sb, " %02zu", i);
	strbuf_append_string(w->sb, "\n\n");
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void append_rank(StrBuf *sb, size_t i)
{
	strbuf_appendf(sb, "%2zu. ", i + 1);
}

/* How two columns share so much room: who needs less than half leaves the rest to the other. */
static void share_room(size_t room, size_t *first, size_t *second)
{
	if (*first + *second <= room)
		return;
	if (*second <= room / 2)
		*first = room - *second;
	else if (*first <= room - room / 2)
		*second = room - *first;
	else
		*second = room / 2, *first = room - room / 2;
}

/* An address whole, and of the host's name what then fits; nothing where that would tell nothing. */
static void append_place(StrBuf *sb, const ReportTarget *target, size_t ip, size_t columns)
{
	size_t width = display_width(shown(target->ip)), host = display_width(shown(target->host));

	ip = MIN(MAX(ip, width), columns);
	append_cell(sb, shown(target->ip), ip);
	if (columns - ip < GAP + MIN(host, (size_t)HOST_MIN)) {
		append_blanks(sb, columns - ip);
		return;
	}
	append_blanks(sb, GAP);
	append_cell(sb, shown(target->host), columns - ip - GAP);
}

static void append_targets(Writer *w)
{
	size_t user = 0, ip = 0, ip_most = 0, place = 0, country = 0, count = 0, room, least;
	const ReportFacts *facts = w->facts;

	for (size_t i = 0; i < facts->target_count; i++) {
		const ReportTarget *target = &facts->targets[i];
		size_t width = display_width(shown(target->ip));

		user = MAX(user, display_width(shown(target->user)));
		ip = width <= IPV4_COLUMNS ? MAX(ip, width) : ip;
		ip_most = MAX(ip_most, MIN(width, (size_t)IPV6_COLUMNS));
		country = MAX(country, display_width(shown(target->country)));
		count = MAX(count, digits(target->count));
	}
	for (size_t i = 0; i < facts->target_count; i++) {
		const ReportTarget *target = &facts->targets[i];
		size_t width = display_width(shown(target->ip));

		place = MAX(place, MAX(ip, width) + GAP + display_width(shown(target->host)));
	}
	country = MIN(country, sizeof(MISSING) - 1);
	room = COLUMNS - RANK_COLUMNS - country - count - 3 * GAP;
	share_room(room, &user, &place);
	least = MAX(place, ip_most);
	user = MIN(user, room - least);
	place = least;
	strbuf_appendf(w->sb, "Top %d (user, address, host, country):\n\n", FACTS_TOP);
	for (size_t i = 0; i < facts->target_count; i++) {
		const ReportTarget *target = &facts->targets[i];

		append_rank(w->sb, i);
		append_cell(w->sb, shown(target->user), user);
		append_blanks(w->sb, GAP);
		append_place(w->sb, target, ip, place);
		append_blanks(w->sb, GAP);
		append_cell(w->sb, shown(target->country), country);
		strbuf_appendf(w->sb, "%*" PRIu64 "\n", (int)(GAP + count), target->count);
	}
	strbuf_append_char(w->sb, '\n');
}

typedef struct List {
	const char *title;
	const ReportCount *counts;
	size_t count;
	const Span *names; /* what each is called; NULL: nothing */
	bool is_country;   /* what each is called says country_name() */
} List;

static Span name_of(const List *list, size_t i)
{
	Span key = list->counts[i].key;
	const char *name = key.data && list->is_country ? country_name(key) : NULL;

	if (list->names && list->names[i].data)
		return list->names[i];
	return name ? span_from_string(name) : SPAN_LITERAL("");
}

static void append_list(Writer *w, List list)
{
	bool named = list.is_country || list.names;
	char share[WORDING_SHARE_MAX];
	size_t key = 0, name = 0, count = 0, room;

	if (!list.count)
		return;
	for (size_t i = 0; i < list.count; i++) {
		key = MAX(key, display_width(shown(list.counts[i].key)));
		name = MAX(name, display_width(name_of(&list, i)));
		count = MAX(count, digits(list.counts[i].count));
	}
	room = COLUMNS - RANK_COLUMNS - count - SHARE_COLUMNS - 2 * GAP - (named ? GAP : 0);
	share_room(room, &key, &name);
	strbuf_appendf(w->sb, "Top %d %s:\n\n", FACTS_TOP, list.title);
	for (size_t i = 0; i < list.count; i++) {
		append_rank(w->sb, i);
		append_cell(w->sb, shown(list.counts[i].key), key);
		if (named) {
			append_blanks(w->sb, GAP);
			append_cell(w->sb, name_of(&list, i), name);
		}
		wording_share(w->facts, list.counts[i].count, share);
		strbuf_appendf(w->sb, "%*" PRIu64 "%*s\n", (int)(GAP + count), list.counts[i].count,
			GAP + SHARE_COLUMNS, share);
	}
	strbuf_append_char(w->sb, '\n');
}

static void append_rdns(Writer *w)
{
	const ReportFacts *facts = w->facts;

	strbuf_appendf(w->sb, "Reverse DNS failures: %" PRIu64 "\n", facts->rdns_failures);
	for (size_t i = 0; i < facts->rdns_count; i++) {
		const char *meaning = wording_rdns(facts->rdns[i].key);

		strbuf_append_string(w->sb, "  ");
		append_cell(w->sb, shown(facts->rdns[i].key), 24);
		strbuf_appendf(w->sb, " %8" PRIu64 "%s%s\n", facts->rdns[i].count,
			meaning ? "   " : "", meaning ? meaning : "");
	}
	strbuf_append_char(w->sb, '\n');
}

/* ---- the end -------------------------------------------------------------------------------- */

static void append_labelled(Writer *w, const char *label, const char *text)
{
	strbuf_append_string(w->sb, label);
	(void)display_append(w->sb, span_from_string(text), COLUMNS - strlen(label));
	strbuf_append_char(w->sb, '\n');
}

static void append_csv(Writer *w)
{
	const ReportFacts *facts = w->facts;

	append_labelled(w, "CSV file: ", facts->csv_path);
	strbuf_append_string(w->sb, "CSV size: ");
	wording_append_size(w->sb, facts->csv_bytes);
	strbuf_appendf(w->sb, "\nCSV rows: %" PRIu64 "\n", facts->csv_rows);
	if (facts->skipped_rows)
		strbuf_appendf(w->sb, "Left out: %" PRIu64 " lines that are no rows\n",
			facts->skipped_rows);
	if (facts->attachment) {
		append_labelled(w, "Attached CSV: ", facts->attachment);
	} else if (facts->attachment_note) {
		strbuf_append_string(w->sb, "Attached CSV: ");
		append_wrapped(w->sb, span_from_string(facts->attachment_note), 14);
	}
}

int report_text(const ReportFacts *facts, StrBuf *sb)
{
	Writer w = {.facts = facts, .sb = sb};

	append_box(&w);
	append_warnings(&w);
	append_numbers(&w);
	if (facts->total) {
		append_targets(&w);
		append_list(&w, (List){"user names", facts->users, facts->user_count, NULL, false});
		append_list(&w,
			(List){"countries", facts->countries, facts->country_count, NULL, true});
		append_list(
			&w, (List){"ASNs", facts->asns, facts->asn_count, facts->asn_names, false});
		append_list(&w, (List){"organisations", facts->organisations,
					facts->organisation_count, NULL, false});
		append_hours(&w);
		append_rdns(&w);
	}
	append_csv(&w);
	return strbuf_error(sb);
}
