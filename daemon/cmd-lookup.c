/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"
#include "base/utf8.h"
#include "daemon/command.h"
#include "daemon/databases.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/words.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPTION_JSON };

static const CommandOption options[] = {
	[OPTION_JSON] = {"json", 0, NULL, "one JSON object per line"},
	{0},
};

/* The longest number with its prefix: AS4294967295. */
#define ASN_TEXT_MAX 13
#define MISSING SPAN_LITERAL("N/A")

enum { COLUMN_IP, COLUMN_COUNTRY, COLUMN_ASN, COLUMN_LAST };

/* Texts of the columns before the last one. */
typedef struct Cells {
	char ip[IP_TEXT_MAX], asn[ASN_TEXT_MAX];
	Span text[COLUMN_LAST];
} Cells;

typedef struct Lookup {
	const Config *config;
	GeoDb *geodb;
	StrBuf out;
	/* Of the columns; they only grow, so that a table of unknown length is aligned as well as it can be while it is written. */
	size_t widths[COLUMN_LAST];
	bool json;
	bool header; /* is still to come */
	bool failed; /* something was no address */
	Why why;     /* of an error that its number does not explain */
} Lookup;

/* The longest that most are: what comes from stdin is not known before. */
static const size_t usual_widths[COLUMN_LAST] = {
	[COLUMN_IP] = sizeof("255.255.255.255") - 1,
	[COLUMN_COUNTRY] = sizeof("N/A") - 1,
	[COLUMN_ASN] = sizeof("AS400000") - 1,
};

static const Span header[] = {
	[COLUMN_IP] = SPAN_LITERAL("ADDRESS"),
	[COLUMN_COUNTRY] = SPAN_LITERAL("COUNTRY"),
	[COLUMN_ASN] = SPAN_LITERAL("NETWORK"),
	[COLUMN_LAST] = SPAN_LITERAL("ORGANISATION"),
};

/* ---- an answer -------------------------------------------------------------------------------- */

static void fill_cells(const IpAddr *ip, const GeoRecord *place, Cells *cells)
{
	char *end = cells->asn + sizeof(cells->asn), *p = end;

	cells->text[COLUMN_IP] = (Span){cells->ip, ipaddr_format(ip, cells->ip)};
	cells->text[COLUMN_COUNTRY] =
		*place->country_code ? span_from_string(place->country_code) : MISSING;
	cells->text[COLUMN_ASN] = MISSING;
	if (place->asn) {
		for (uint32_t rest = place->asn; rest; rest /= 10)
			*--p = (char)('0' + rest % 10);
		*--p = 'S';
		*--p = 'A';
		cells->text[COLUMN_ASN] = (Span){p, (size_t)(end - p)};
	}
}

static void widen(Lookup *l, const Span texts[COLUMN_LAST])
{
	for (size_t i = 0; i < COLUMN_LAST; i++)
		l->widths[i] = MAX(l->widths[i], texts[i].len);
}

static void append_columns(Lookup *l, const Span texts[COLUMN_LAST])
{
	widen(l, texts);
	for (size_t i = 0; i < COLUMN_LAST; i++) {
		size_t width = l->widths[i] + 2;
		char *cell = strbuf_reserve(&l->out, width);

		if (!cell)
			return;
		memset(cell, ' ', width);
		memcpy(cell, texts[i].data, texts[i].len);
		l->out.len += width;
	}
}

/* Who runs the network, and what the address is for where that is special. */
static void append_last(const IpAddr *ip, const GeoRecord *place, StrBuf *sb)
{
	const char *name = ipaddr_special_name(ip);
	char text[IP_TEXT_MAX];
	IpAddr inner;

	if (!name)
		name = ipaddr_reachable_name(ip);
	if (place->organisation.data)
		utf8_append_escaped(sb, place->organisation);
	else if (!name)
		strbuf_append_span(sb, MISSING);
	if (!name)
		return;
	if (place->organisation.data)
		strbuf_append_string(sb, "; ");
	strbuf_append_string(sb, name);
	if (ipaddr_embedded_v4(ip, &inner)) {
		(void)ipaddr_format(&inner, text);
		strbuf_append_string(sb, " of ");
		strbuf_append_string(sb, text);
	}
}

static void append_text(Lookup *l, const IpAddr *ip, const GeoRecord *place)
{
	Cells cells = {.ip = ""};

	fill_cells(ip, place, &cells);
	append_columns(l, cells.text);
	append_last(ip, place, &l->out);
	strbuf_append_char(&l->out, '\n');
}

static void append_json(StrBuf *sb, const IpAddr *ip, const GeoRecord *place)
{
	char text[IP_TEXT_MAX];

	strbuf_append_string(sb, "{\"ip\":\"");
	strbuf_append(sb, text, ipaddr_format(ip, text));
	strbuf_append_string(sb, "\",\"country_code\":");
	json_append_string(
		sb, *place->country_code ? span_from_string(place->country_code) : SPAN_MISSING);
	strbuf_append_string(sb, ",\"asn\":");
	if (place->asn)
		strbuf_append_u64(sb, place->asn);
	else
		strbuf_append_string(sb, "null");
	strbuf_append_string(sb, ",\"aso\":");
	json_append_string(sb, place->organisation);
	strbuf_append_string(sb, "}\n");
}

/* Opens the databases, or opens them again when the image that they were in is lost. */
static int open_databases(Lookup *l)
{
	GeoDb *geodb;
	int r = databases_open(l->config, NULL, &geodb, &l->why);

	if (r < 0)
		return r;
	geodb_free(l->geodb);
	l->geodb = geodb;
	*l->why.text = '\0';
	return 0;
}

/* Old data is no mistake, but who asks is told. */
static void say_old(const Lookup *l)
{
	GeoPaths paths = databases_paths(l->config);

	for (unsigned kind = 0; l->geodb && kind < GEO_KINDS; kind++) {
		const GeoSource *source = geodb_source(l->geodb, kind);
		int64_t age_us = loop_wall_us() - source->date_us;

		if (source->there && age_us > DATABASE_OLD_US)
			log_warning("%s: what it says of %s is %" PRId64 " days old; "
				    "'maillogsentinel update-db' fetches what is new",
				paths.path[kind], databases_subject(1u << kind),
				age_us / 86400 / 1000000);
	}
}

static void append_header(Lookup *l)
{
	append_columns(l, header);
	strbuf_append_span(&l->out, header[COLUMN_LAST]);
	strbuf_append_char(&l->out, '\n');
	l->header = false;
}

static int answer(Lookup *l, const IpAddr *ip)
{
	size_t before;
	int r = 0;

	if (l->header)
		append_header(l);
	before = l->out.len;
	while (!r) {
		GeoRecord place;

		geodb_lookup(l->geodb, ip, &place);
		if (l->json)
			append_json(&l->out, ip, &place);
		else
			append_text(l, ip, &place);
		if (!l->geodb || !geodb_is_lost(l->geodb))
			return strbuf_error(&l->out);
		strbuf_truncate(&l->out, before);
		r = open_databases(l);
	}
	return r;
}

/* ---- questions -------------------------------------------------------------------------------- */

/* Also in brackets, as URLs and Postfix have it. */
static int parse(Span word, IpAddr *ret_ip)
{
	if (word.len > 2 && word.data[0] == '[' && word.data[word.len - 1] == ']')
		word = (Span){word.data + 1, word.len - 2};
	return ipaddr_parse(word, ret_ip);
}

/* Whether an address stands before the last c. */
static bool is_address_and(Span word, char c)
{
	const char *at = memrchr(word.data, c, word.len);

	return at && !parse((Span){word.data, (size_t)(at - word.data)}, &(IpAddr){0});
}

static void complain(Lookup *l, Span word, uint64_t line)
{
	const char *reason = "is not an IP address";
	char where[40] = "", text[64];
	size_t n = MIN(word.len, sizeof(text));

	if (is_address_and(word, '/'))
		reason = "is a network; which of its addresses?";
	else if (is_address_and(word, '%'))
		reason = "is an address and a zone; leave out what follows the address";
	else if (is_address_and(word, ':'))
		reason = "is an address and a port; leave out what follows the address";
	if (line)
		(void)snprintf(where, sizeof(where), "line %ju: ", (uintmax_t)line);
	/* log_error takes strings; it escapes the rest. */
	for (size_t i = 0; i < n; i++)
		text[i] = word.data[i] ? word.data[i] : '?';
	log_error("%s'%.*s%s' %s", where, (int)n, text, n < word.len ? "..." : "", reason);
	l->failed = true;
}

/* Writes what there is. False: stdout takes no more, which main() reports. */
static bool flush(Lookup *l)
{
	(void)fwrite(strbuf_text(&l->out), 1, l->out.len, stdout);
	(void)fflush(stdout);
	strbuf_reset(&l->out);
	return !ferror(stdout);
}

static int answer_words(Lookup *l, Words *words)
{
	Span word;
	int r = 0;

	while (!r && words_next(words, &word)) {
		IpAddr ip;

		if (!parse(word, &ip)) {
			r = answer(l, &ip);
		} else {
			/* in its place among the answers, where both go to a terminal */
			(void)flush(l);
			complain(l, word, words->line);
		}
		if (l->out.len >= 65536 && !flush(l))
			break;
	}
	return r;
}

static int answer_stdin(Lookup *l)
{
	Words words;
	int r;

	if (isatty(STDIN_FILENO))
		log_info("type addresses; Ctrl-D ends");
	words_init(&words, STDIN_FILENO);
	do {
		r = answer_words(l, &words);
		if (r < 0 || !flush(l))
			return r;
		r = words_fill(&words);
	} while (!r);
	if (r == WORDS_END)
		return 0;
	why_set(&l->why, "standard input: %s", strerror(-r));
	return r;
}

/* Gives the columns the widths that the answers to arguments will need. */
static void measure(Lookup *l, size_t count, char **arguments)
{
	bool has_stdin = !count;

	for (size_t i = 0; i < count; i++) {
		GeoRecord place;
		Cells cells = {.ip = ""};
		IpAddr ip;

		has_stdin |= !strcmp(arguments[i], "-");
		if (parse(span_from_string(arguments[i]), &ip) < 0)
			continue;
		geodb_lookup(l->geodb, &ip, &place);
		fill_cells(&ip, &place, &cells);
		widen(l, cells.text);
	}
	for (size_t i = 0; has_stdin && i < COLUMN_LAST; i++)
		l->widths[i] = MAX(l->widths[i], usual_widths[i]);
	/* For people: a program that reads the lines has no use for it. */
	l->header = (count > 1 || has_stdin) && isatty(STDOUT_FILENO);
	if (l->header)
		widen(l, header);
}

static int answer_all(Lookup *l, size_t count, char **arguments)
{
	int r = 0;

	if (!l->json)
		measure(l, count, arguments);
	for (size_t i = 0; i < count && !r; i++) {
		Span argument = span_from_string(arguments[i]);
		IpAddr ip;

		if (span_equal_string(argument, "-"))
			r = answer_stdin(l);
		else if (parse(argument, &ip) < 0)
			complain(l, argument, 0);
		else
			r = answer(l, &ip);
	}
	return count ? r : answer_stdin(l);
}

static int lookup(const CommandInvocation *invocation)
{
	_cleanup_(config_freep) Config *config = NULL;
	Lookup l = {.out = STRBUF_INIT, .json = invocation->option[OPTION_JSON].count};
	int r;

	r = command_read_config(invocation, &config);
	if (r)
		return r;
	l.config = config;
	r = open_databases(&l);
	say_old(&l);
	if (!r)
		r = answer_all(&l, invocation->argument_count, invocation->arguments);
	if (r < 0 && *l.why.text)
		log_error("%s", l.why.text);
	else if (r < 0)
		log_error("lookup: %s", strerror(-r));
	/* main() reports what stdout could not take. */
	(void)flush(&l);
	strbuf_done(&l.out);
	geodb_free(l.geodb);
	return r < 0 || l.failed ? EXIT_FAILED : EXIT_DONE;
}

const Command command_lookup = {
	.name = "lookup",
	.arguments = "[ADDRESS]...",
	.arguments_max = SIZE_MAX,
	.options = options,
	.help = "say the country and the network of addresses",
	.run = lookup,
};
