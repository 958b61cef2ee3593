/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/html.h"

#include "report/country.h"
#include "report/display.h"
#include "report/markup.h"
#include "report/wording.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME_COLUMNS 44 /* of names of users, hosts and organisations */
#define CODE_COLUMNS 10
#define WORDS_COLUMNS 180
#define PATH_COLUMNS 100
#define WARNINGS_SHOWN 10
#define CHART_HEIGHT 96
#define FONT \
	"font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
#define BREAKING "word-break:break-word"
#define PLAIN_TABLE "<table role=\"none\" style=\"width:100%;border-collapse:collapse\">"

typedef struct Writer {
	const ReportFacts *facts;
	LocalZone zone;
	StrBuf *sb;
} Writer;

static void put(Writer *w, const char *markup)
{
	strbuf_append_string(w->sb, markup);
}

static void put_number(Writer *w, uint64_t value)
{
	markup_append_number(w->sb, value);
}

static void put_string(Writer *w, const char *text, size_t columns)
{
	markup_append_text(w->sb, span_from_string(text), columns);
}

static void put_minute(Writer *w, int64_t time_us)
{
	char text[CALENDAR_MINUTE_MAX];

	(void)calendar_format_minute(&w->zone, time_us, text);
	put(w, text);
}

/* A name from outside, or what stands for none. */
static void put_name(Writer *w, Span name, size_t columns)
{
	if (!name.data) {
		markup_open(w->sb, "span", LOOK_MUTED, "font-style:italic");
		put(w, "N/A</span>");
	} else if (!name.len) {
		markup_open(w->sb, "span", LOOK_MUTED, "font-style:italic");
		put(w, "empty</span>");
	} else {
		/* The direction of its letters is its own. */
		put(w, "<bdi>");
		markup_append_text(w->sb, name, columns);
		put(w, "</bdi>");
	}
}

/* "failed login attempts today" */
static void put_subject(Writer *w)
{
	put(w, w->facts->total == 1 ? "failed login attempt " : "failed login attempts ");
	wording_append_window(w->sb, w->facts, &w->zone);
}

/* ---- parts of the card ---------------------------------------------------------------------- */

static void begin_part(Writer *w, const char *padding)
{
	strbuf_appendf(w->sb, "<tr><td class=\"pad\" style=\"padding:%s\">", padding);
}

static void end_part(Writer *w)
{
	put(w, "</td></tr>\n");
}

static void put_heading(Writer *w, const char *title)
{
	markup_open(w->sb, "h2", LOOK_TEXT,
		"margin:0 0 8px;font-size:16px;line-height:22px;font-weight:700");
	put(w, title);
	put(w, "</h2>\n");
}

/* Two halves side by side, one below the other where there is no room; Outlook needs a table for that. */
static void begin_halves(Writer *w)
{
	put(w, "<!--[if mso]><table width=\"100%\"><tr><td width=\"50%\" "
	       "valign=\"top\"><![endif]-->"
	       "<div class=\"half\" "
	       "style=\"display:inline-block;width:100%;box-sizing:border-box;max-width:294px;"
	       "padding:0 14px 16px 0;vertical-align:top\">\n");
}

static void next_half(Writer *w)
{
	put(w, "</div><!--[if mso]></td><td width=\"50%\" valign=\"top\"><![endif]-->"
	       "<div class=\"half\" "
	       "style=\"display:inline-block;width:100%;box-sizing:border-box;max-width:294px;"
	       "padding:0 0 16px 14px;vertical-align:top\">\n");
}

static void end_halves(Writer *w)
{
	put(w, "</div><!--[if mso]></td></tr></table><![endif]-->\n");
}

/* ---- the head ------------------------------------------------------------------------------- */

static void put_head(Writer *w)
{
	const ReportFacts *facts = w->facts;

	put(w, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	       "<meta name=\"color-scheme\" content=\"light dark\">\n"
	       "<meta name=\"supported-color-schemes\" content=\"light dark\">\n"
	       "<meta name=\"format-detection\" content=\"telephone=no, date=no, address=no, "
	       "email=no, url=no\">\n"
	       "<meta name=\"referrer\" content=\"no-referrer\">\n"
	       "<meta http-equiv=\"Content-Security-Policy\" "
	       "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>");
	markup_append_value(w->sb, span_from_string(facts->server), NAME_COLUMNS);
	put(w, ": ");
	put_number(w, facts->total);
	put(w, " ");
	put_subject(w);
	put(w, "</title>\n<style>\n");
	markup_append_sheet(w->sb);
	put(w, "</style>\n</head>\n");
}

/* What lists of mails show beside the subject. */
static void put_preview(Writer *w)
{
	put(w, "<div style=\"display:none;max-height:0;overflow:hidden;mso-hide:all\">");
	put_number(w, w->facts->total);
	put(w, " ");
	put_subject(w);
	if (w->facts->warning_count) {
		put(w, ", ");
		put_number(w, w->facts->warning_count);
		put(w, w->facts->warning_count == 1 ? " warning" : " warnings");
	}
	put(w, "</div>\n");
}

static void put_band(Writer *w)
{
	put(w, "<tr>");
	markup_open(w->sb, "td", LOOK_BAND, "padding:20px 32px;" BREAKING);
	markup_open(w->sb, "div", LOOK_FAINT, "font-size:13px;line-height:20px");
	put(w, "MailLogSentinel</div>\n"
	       "<h1 style=\"margin:0;font-size:21px;line-height:28px;font-weight:700\">");
	put_string(w, w->facts->server, NAME_COLUMNS);
	put(w, "</h1>\n");
	markup_open(w->sb, "div", LOOK_FAINT, "font-size:13px;line-height:20px");
	put(w, "Report of ");
	put_minute(w, w->facts->now_us);
	put(w, "</div></td></tr>\n");
}

/* ---- warnings ------------------------------------------------------------------------------- */

static void put_warnings(Writer *w)
{
	static const char box[] = "padding:10px 16px;border-left-width:4px;border-left-style:solid;"
				  "border-radius:6px;font-size:14px;line-height:21px;" BREAKING;
	const ReportFacts *facts = w->facts;
	size_t count = MIN(facts->warning_count, (size_t)WARNINGS_SHOWN);

	begin_part(w, "20px 32px");
	if (!count) {
		markup_open(w->sb, "div", LOOK_FINE, box);
		put(w, "No warnings.</div>");
	}
	for (size_t i = 0; i < count; i++) {
		markup_open(w->sb, "div", LOOK_WARNING, box);
		put_string(w, facts->warnings[i].text, WORDS_COLUMNS);
		if (facts->warnings[i].since_us) {
			put(w, " <span style=\"white-space:nowrap\">(since ");
			put_minute(w, facts->warnings[i].since_us);
			put(w, ")</span>");
		}
		put(w, i + 1 < count
				? "</div>\n<div style=\"height:8px;line-height:8px\">&nbsp;</div>"
				: "</div>");
	}
	if (count < facts->warning_count) {
		markup_open(w->sb, "div", LOOK_MUTED, "font-size:13px;line-height:20px");
		put(w, "and ");
		put_number(w, facts->warning_count - count);
		put(w, " more: maillogsentinel status</div>");
	}
	end_part(w);
}

/* ---- the headline --------------------------------------------------------------------------- */

static void put_comparison(
	Writer *w, const char *label, uint64_t value, double most, const WordingChange *change)
{
	static const Look looks[] = {LOOK_BETTER, LOOK_MUTED, LOOK_WORSE};
	static const char *const arrows[] = {"&#9660;&nbsp;", "", "&#9650;&nbsp;"};

	put(w, "<tr>");
	markup_open(w->sb, "td", LOOK_MUTED,
		"padding:0;font-size:13px;line-height:20px;white-space:nowrap");
	put(w, label);
	put(w, "</td><td style=\"width:100%;padding:0 0 0 8px;font-size:13px;line-height:20px;"
	       "text-align:right;" BREAKING "\">");
	if (change) {
		markup_open(w->sb, "span", looks[change->direction + 1], "font-weight:600");
		put(w, arrows[change->direction + 1]);
		put_string(w, change->text, DISPLAY_ALL);
		put(w, "</span>&emsp;");
	}
	markup_open(w->sb, "span", LOOK_TEXT, "");
	put_number(w, value);
	put(w, "</span></td></tr>\n<tr><td colspan=\"2\" style=\"padding:2px 0 8px\">");
	markup_append_bar(w->sb, change ? LOOK_BAR : LOOK_TOP, most > 0 ? (double)value / most : 0);
	put(w, "</td></tr>\n");
}

static void put_earlier(Writer *w, const char *label, double value, double most)
{
	WordingChange change = {0};

	if (value < 0)
		return;
	(void)wording_change(w->facts, &w->zone, value, &change);
	put_comparison(w, label, wording_round(value), most, &change);
}

static void put_headline(Writer *w)
{
	const ReportFacts *facts = w->facts;
	double mean = facts->week_days ? facts->week_mean : -1, day = (double)facts->day_before;
	double most = MAX((double)facts->total, MAX(mean, day));
	char label[40];

	begin_part(w, "4px 32px 0");
	begin_halves(w);
	markup_open(w->sb, "div", LOOK_TEXT,
		facts->total < 1000000000
			? "font-size:56px;line-height:60px;font-weight:700"
			: "font-size:28px;line-height:36px;font-weight:700;" BREAKING);
	put_number(w, facts->total);
	put(w, "</div>\n");
	markup_open(w->sb, "div", LOOK_MUTED, "font-size:15px;line-height:22px");
	put_subject(w);
	put(w, "</div>\n");
	next_half(w);
	if (mean >= 0 || day >= 0) {
		put(w, PLAIN_TABLE);
		put_comparison(w, "This report", facts->total, most, NULL);
		put_earlier(w, "The day before", day, most);
		(void)snprintf(label, sizeof(label), "Mean of %u %s before", facts->week_days,
			facts->week_days == 1 ? "day" : "days");
		put_earlier(w, label, mean, most);
		put(w, "</table>\n");
	}
	end_halves(w);
	end_part(w);
}

/* ---- tiles ---------------------------------------------------------------------------------- */

/* The number NULL: it is not known. */
static void begin_tile(Writer *w, const char *label, const uint64_t *number, Look look)
{
	markup_open(w->sb, "td", LOOK_TILE,
		"padding:10px 14px;vertical-align:top;border-radius:8px;" BREAKING);
	markup_open(w->sb, "div", look, "font-size:22px;line-height:28px;font-weight:700");
	if (number)
		put_number(w, *number);
	else
		put(w, "&ndash;");
	put(w, "</div>");
	markup_open(w->sb, "div", LOOK_MUTED, "font-size:13px;line-height:18px");
	put(w, label);
	put(w, "</div>");
}

static void put_tile(Writer *w, const char *label, uint64_t value, Look look)
{
	begin_tile(w, label, &value, look);
	put(w, "</td>\n");
}

/* A line below the number. */
static void begin_remark(Writer *w)
{
	markup_open(w->sb, "div", LOOK_TEXT, "font-size:13px;line-height:18px");
}

static void put_new_countries(Writer *w)
{
	const ReportFacts *facts = w->facts;
	size_t count = (size_t)MIN(facts->new_countries, (uint64_t)FACTS_COUNTRY_CODES_MAX);

	if (!facts->history_known) {
		begin_tile(w, "new countries", NULL, LOOK_TEXT);
		begin_remark(w);
		put(w, "not known yet</div></td>\n");
		return;
	}
	begin_tile(w, facts->new_countries == 1 ? "new country" : "new countries",
		&facts->new_countries, facts->new_countries ? LOOK_WORSE : LOOK_TEXT);
	if (count)
		begin_remark(w);
	for (size_t i = 0; i < count; i++) {
		const char *name = country_name(facts->new_country_codes[i]);

		put(w, i ? ", " : "");
		if (name)
			put_string(w, name, NAME_COLUMNS);
		else
			put_name(w, facts->new_country_codes[i], CODE_COLUMNS);
	}
	if (count)
		put(w, count < facts->new_countries ? ", ...</div>" : "</div>");
	put(w, "</td>\n");
}

static void put_tiles(Writer *w)
{
	const ReportFacts *facts = w->facts;

	begin_part(w, "0 32px 8px");
	put(w, "<table role=\"none\" style=\"width:100%;table-layout:fixed;"
	       "border-collapse:separate;border-spacing:0 8px\"><tr>\n");
	begin_tile(w, "addresses", &facts->distinct_addresses, LOOK_TEXT);
	if (facts->history_known) {
		begin_remark(w);
		put_number(w, facts->new_addresses);
		put(w, " new, in ");
		put_number(w, facts->new_networks);
		put(w, " new networks</div>");
	}
	put(w, "</td>\n<td style=\"width:8px;padding:0\"></td>");
	put_tile(w, "user names", facts->distinct_users, LOOK_TEXT);
	put(w, "<td style=\"width:8px;padding:0\"></td>");
	put_new_countries(w);
	put(w, "</tr>");
	if (facts->counters_known) {
		put(w, "<tr>\n");
		put_tile(w, "successful logins", facts->successes, LOOK_TEXT);
		put(w, "<td style=\"width:8px;padding:0\"></td>");
		put_tile(w, "login server outages", facts->outages,
			facts->outages ? LOOK_WORSE : LOOK_TEXT);
		put(w, "<td style=\"width:8px;padding:0\"></td>");
		put_tile(w, "aborted by the client", facts->aborted, LOOK_TEXT);
		put(w, "</tr>");
	}
	put(w, "</table>\n");
	if (facts->history_known) {
		markup_open(w->sb, "div", LOOK_MUTED, "font-size:12px;line-height:18px");
		strbuf_appendf(w->sb, "New: for the first time in %u %s</div>\n",
			facts->history_days, facts->history_days == 1 ? "day" : "days");
	}
	end_part(w);
}

/* ---- hours ---------------------------------------------------------------------------------- */

static void put_hours(Writer *w)
{
	const ReportFacts *facts = w->facts;
	size_t busiest = wording_busiest_hour(facts);
	double most = (double)facts->hours[busiest];

	if (!facts->hours[busiest])
		return;
	begin_part(w, "16px 32px");
	put_heading(w, "By hour");
	put(w, "<table role=\"none\" style=\"width:100%;table-layout:fixed;"
	       "border-collapse:collapse\"><tr>\n");
	for (size_t i = 0; i < ARRAY_SIZE(facts->hours); i++) {
		double height = (double)facts->hours[i] / most * CHART_HEIGHT;
		char style[160];

		strbuf_appendf(w->sb,
			"<td title=\"%02zu:00: %" PRIu64 "\" style=\"height:%dpx;padding:0 1px;"
			"vertical-align:bottom\">",
			i, facts->hours[i], CHART_HEIGHT);
		if (facts->hours[i]) {
			put(w, PLAIN_TABLE "<tr>");
			(void)snprintf(style, sizeof(style),
				"padding:0;height:%.0fpx;font:1px/1px a;"
				"border-radius:3px 3px 0 0",
				MAX(height, 2.0));
			markup_open(w->sb, "td", i == busiest ? LOOK_TOP : LOOK_BAR, style);
			put(w, "&nbsp;</td></tr></table>");
		}
		put(w, "</td>\n");
	}
	put(w, "</tr><tr>\n");
	for (size_t i = 0; i < ARRAY_SIZE(facts->hours); i += 6) {
		strbuf_append_string(w->sb,
			"<td colspan=\"6\" class=\"rule muted\" style=\""
			"border-top:1px solid #dfe4ec;color:#5d6879;"
			"padding:4px 0 0 1px;font-size:12px;line-height:16px\">");
		strbuf_appendf(w->sb, "%02zu:00</td>\n", i);
	}
	put(w, "</tr></table>\n");
	markup_open(w->sb, "div", LOOK_MUTED, "font-size:13px;line-height:20px;padding-top:4px");
	strbuf_appendf(w->sb, "The most between %02zu:00 and %02zu:00: ", busiest, busiest + 1);
	put_number(w, facts->hours[busiest]);
	put(w, "</div>");
	end_part(w);
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* A row's text has begun; its count and bar follow. */
static void put_row_end(Writer *w, size_t i, uint64_t count, uint64_t most)
{
	char share[WORDING_SHARE_MAX];

	put(w, "</td>");
	markup_open(w->sb, "td", LOOK_TEXT,
		"padding:7px 0 0 12px;vertical-align:top;text-align:right;white-space:nowrap;"
		"font-size:14px;line-height:20px;font-weight:600");
	put_number(w, count);
	markup_open(
		w->sb, "span", LOOK_MUTED, "display:inline-block;min-width:44px;font-weight:400");
	wording_share(w->facts, count, share);
	markup_append_value(w->sb, span_from_string(share), DISPLAY_ALL);
	put(w, "</span></td></tr>\n<tr><td colspan=\"2\" style=\"padding:3px 0 0\">");
	markup_append_bar(
		w->sb, i ? LOOK_BAR : LOOK_TOP, (double)count / (double)MAX(most, (uint64_t)1));
	put(w, "</td></tr>\n");
}

static void begin_row(Writer *w)
{
	put(w, "<tr>");
	markup_open(w->sb, "td", LOOK_TEXT,
		"width:100%;padding:7px 0 0;font-size:14px;line-height:20px;" BREAKING);
}

static void put_targets(Writer *w)
{
	const ReportFacts *facts = w->facts;

	begin_part(w, "16px 32px");
	put_heading(w, "Who, and from where");
	put(w, PLAIN_TABLE);
	for (size_t i = 0; i < facts->target_count; i++) {
		const ReportTarget *target = &facts->targets[i];
		const char *country = target->country.data ? country_name(target->country) : NULL;

		begin_row(w);
		put(w, "<b style=\"font-weight:600\">");
		put_name(w, target->user, NAME_COLUMNS);
		put(w, "</b><br>");
		markup_open(w->sb, "span", LOOK_MUTED, "font-size:13px");
		put_name(w, target->ip, NAME_COLUMNS);
		if (target->host.data) {
			put(w, " &middot; ");
			put_name(w, target->host, NAME_COLUMNS);
		}
		if (target->country.data) {
			put(w, " &middot; ");
			put(w, country ? country : "");
			put(w, country ? " " : "");
			put_name(w, target->country, CODE_COLUMNS);
		}
		put(w, "</span>");
		put_row_end(w, i, target->count, facts->targets[0].count);
	}
	put(w, "</table>\n");
	end_part(w);
}

typedef enum ListKind { LIST_PLAIN, LIST_COUNTRIES, LIST_ASNS } ListKind;

static void put_list(
	Writer *w, const char *title, ListKind kind, const ReportCount *counts, size_t count)
{
	put_heading(w, title);
	put(w, PLAIN_TABLE);
	for (size_t i = 0; i < count; i++) {
		Span key = counts[i].key, name = key, also = SPAN_MISSING;

		if (kind == LIST_COUNTRIES && key.data && country_name(key))
			name = span_from_string(country_name(key)), also = key;
		else if (kind == LIST_ASNS)
			also = w->facts->asn_names[i];
		begin_row(w);
		put(w, kind == LIST_ASNS && key.data ? "AS" : "");
		put_name(w, name, kind == LIST_ASNS ? CODE_COLUMNS : NAME_COLUMNS);
		if (also.data) {
			put(w, " ");
			markup_open(w->sb, "span", LOOK_MUTED, "font-size:13px");
			put_name(w, also, NAME_COLUMNS);
			put(w, "</span>");
		}
		put_row_end(w, i, counts[i].count, counts[0].count);
	}
	put(w, "</table>\n");
}

static void put_lists(Writer *w)
{
	const ReportFacts *facts = w->facts;

	begin_part(w, "16px 32px 0");
	begin_halves(w);
	put_list(w, "Countries", LIST_COUNTRIES, facts->countries, facts->country_count);
	next_half(w);
	put_list(w, "User names", LIST_PLAIN, facts->users, facts->user_count);
	end_halves(w);
	end_part(w);
	begin_part(w, "8px 32px 0");
	begin_halves(w);
	put_list(w, "Networks (ASN)", LIST_ASNS, facts->asns, facts->asn_count);
	next_half(w);
	put_list(w, "Organisations", LIST_PLAIN, facts->organisations, facts->organisation_count);
	end_halves(w);
	end_part(w);
}

static void put_rdns(Writer *w)
{
	const ReportFacts *facts = w->facts;

	begin_part(w, "8px 32px 16px");
	put_heading(w, "Reverse DNS failures");
	put(w, PLAIN_TABLE);
	for (size_t i = 0; i < facts->rdns_count; i++) {
		const char *meaning = wording_rdns(facts->rdns[i].key);

		begin_row(w);
		if (meaning) {
			put(w, meaning);
			put(w, " ");
			markup_open(w->sb, "span", LOOK_MUTED, "font-size:13px");
		}
		put_name(w, facts->rdns[i].key, CODE_COLUMNS);
		put(w, meaning ? "</span>" : "");
		put_row_end(w, i, facts->rdns[i].count, facts->rdns[0].count);
	}
	put(w, "</table>\n");
	markup_open(w->sb, "div", LOOK_MUTED, "font-size:13px;line-height:20px;padding-top:6px");
	if (facts->rdns_failures) {
		put_number(w, facts->rdns_failures);
		put(w, " in all</div>");
	} else {
		put(w, "None</div>");
	}
	end_part(w);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void put_end(Writer *w)
{
	const ReportFacts *facts = w->facts;

	put(w, "<tr><td class=\"pad\" style=\"padding:20px 32px 28px\">");
	markup_open(w->sb, "div", LOOK_RULE,
		"border-top-width:1px;border-top-style:solid;font-size:1px;line-height:14px");
	put(w, "&nbsp;</div>\n");
	markup_open(w->sb, "div", LOOK_MUTED, "font-size:13px;line-height:20px;" BREAKING);
	if (facts->attachment) {
		put(w, "Attached: ");
		put_string(w, facts->attachment, PATH_COLUMNS);
		put(w, "<br>\n");
	} else if (facts->attachment_note) {
		put(w, "Attachment: ");
		put_string(w, facts->attachment_note, WORDS_COLUMNS);
		put(w, "<br>\n");
	}
	put(w, "CSV: ");
	put_string(w, facts->csv_path, PATH_COLUMNS);
	put(w, ", ");
	wording_append_size(w->sb, facts->csv_bytes);
	put(w, ", ");
	put_number(w, facts->csv_rows);
	put(w, " rows<br>\n");
	if (facts->skipped_rows) {
		put_number(w, facts->skipped_rows);
		put(w, " lines of it are no rows and were left out<br>\n");
	}
	put(w, "Reads: ");
	put_string(w, facts->mode, PATH_COLUMNS);
	put(w, "<br>\nMailLogSentinel ");
	put_string(w, facts->version, NAME_COLUMNS);
	put(w, "</div></td></tr>\n");
}

int report_html(const ReportFacts *facts, StrBuf *sb)
{
	Writer w = {.facts = facts, .sb = sb};

	put_head(&w);
	markup_open(sb, "body", LOOK_PAGE, "margin:0;padding:0;-webkit-text-size-adjust:100%");
	put(&w, "\n");
	put_preview(&w);
	put(&w, "<table role=\"none\" "
		"style=\"width:100%;border-collapse:collapse\"><tr>\n");
	put(&w, "<td class=\"around\" style=\"padding:24px 8px\">");
	put(&w, "<!--[if mso]><table align=\"center\" width=\"652\"><tr><td><![endif]-->\n");
	strbuf_append_string(sb, "<table role=\"none\" class=\"card round\" style=\""
				 "background:#ffffff;width:100%;max-width:652px;margin:0 auto;"
				 "border-collapse:separate;border-spacing:0;border-radius:12px;"
				 "overflow:hidden;" FONT "\">\n");
	put_band(&w);
	put_warnings(&w);
	put_headline(&w);
	put_tiles(&w);
	if (facts->total) {
		put_hours(&w);
		put_targets(&w);
		put_lists(&w);
		put_rdns(&w);
	}
	put_end(&w);
	put(&w, "</table>\n<!--[if mso]></td></tr></table><![endif]-->\n</td></tr></table>\n"
		"</body>\n</html>\n");
	return strbuf_error(sb);
}
