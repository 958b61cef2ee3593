/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"
#include "base/utf8.h"
#include "daemon/command.h"
#include "daemon/databases.h"
#include "daemon/log.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPTION_JSON };

static const CommandOption options[] = {
	[OPTION_JSON] = {"json", 0, NULL, "one JSON object per line"},
	{0},
};

/* The longest number with its prefix: AS4294967295. */
#define ASN_TEXT_MAX 13
#define MISSING "N/A"

typedef struct Answer {
	char ip[IP_TEXT_MAX];
	GeoRecord place;
	const char *special; /* name of the range, or NULL */
} Answer;

/* Width of the columns before the last one. */
typedef struct Widths {
	int ip, country, asn;
} Widths;

static const char *format_country(const Answer *answer)
{
	return *answer->place.country_code ? answer->place.country_code : MISSING;
}

/* Returns its length. */
static int format_asn(const Answer *answer, char text[ASN_TEXT_MAX])
{
	return answer->place.asn ? snprintf(text, ASN_TEXT_MAX, "AS%" PRIu32, answer->place.asn)
				 : snprintf(text, ASN_TEXT_MAX, MISSING);
}

static Widths find_widths(const Answer *answers, size_t count)
{
	Widths widths = {0};

	for (size_t i = 0; i < count; i++) {
		char asn[ASN_TEXT_MAX];

		widths.ip = MAX(widths.ip, (int)strlen(answers[i].ip));
		widths.country = MAX(widths.country, (int)strlen(format_country(&answers[i])));
		widths.asn = MAX(widths.asn, format_asn(&answers[i], asn));
	}
	return widths;
}

static void append_text(const Answer *answer, const Widths *widths, StrBuf *sb)
{
	char asn[ASN_TEXT_MAX];
	Span last = answer->place.organisation;

	if (answer->special)
		last = span_from_string(answer->special);
	else if (!last.data)
		last = SPAN_LITERAL(MISSING);
	(void)format_asn(answer, asn);
	strbuf_appendf(sb, "%-*s  %-*s  %-*s  ", widths->ip, answer->ip, widths->country,
		format_country(answer), widths->asn, asn);
	utf8_append_escaped(sb, last);
	strbuf_append_char(sb, '\n');
}

static void append_json(const Answer *answer, StrBuf *sb)
{
	const GeoRecord *place = &answer->place;

	strbuf_append_string(sb, "{\"ip\":");
	json_append_string(sb, span_from_string(answer->ip));
	strbuf_append_string(sb, ",\"country_code\":");
	json_append_string(
		sb, *place->country_code ? span_from_string(place->country_code) : SPAN_MISSING);
	if (place->asn)
		strbuf_appendf(sb, ",\"asn\":%" PRIu32, place->asn);
	else
		strbuf_append_string(sb, ",\"asn\":null");
	strbuf_append_string(sb, ",\"aso\":");
	json_append_string(sb, place->organisation);
	strbuf_append_string(sb, "}\n");
}

static Answer find_answer(const GeoDb *geodb, const IpAddr *ip)
{
	Answer answer = {.special = ipaddr_special_name(ip)};

	(void)ipaddr_format(ip, answer.ip);
	geodb_lookup(geodb, ip, &answer.place);
	return answer;
}

static int print(const Answer *answers, size_t count, bool json)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	Widths widths = find_widths(answers, count);

	for (size_t i = 0; i < count; i++) {
		if (json)
			append_json(&answers[i], &text);
		else
			append_text(&answers[i], &widths, &text);
	}
	if (strbuf_error(&text))
		return strbuf_error(&text);
	/* main() reports what stdout could not take. */
	(void)fwrite(strbuf_text(&text), 1, text.len, stdout);
	return 0;
}

static int lookup(const CommandInvocation *invocation)
{
	size_t count = 0, wanted = invocation->argument_count;
	_cleanup_free_ Answer *answers = calloc(wanted, sizeof(*answers));
	_cleanup_(config_freep) Config *config = NULL;
	_cleanup_(geodb_freep) GeoDb *geodb = NULL;
	Why why = {""};
	int r;

	if (!answers) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	r = command_read_config(invocation, &config);
	if (r)
		return r;
	r = databases_open(config, NULL, &geodb, &why);
	if (r < 0) {
		log_error("%s", why.text);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < wanted; i++) {
		IpAddr ip;

		if (ipaddr_parse(span_from_string(invocation->arguments[i]), &ip) < 0)
			log_error("'%s' is not an IP address", invocation->arguments[i]);
		else
			answers[count++] = find_answer(geodb, &ip);
	}
	r = print(answers, count, invocation->option[OPTION_JSON].count);
	if (r < 0)
		log_error("%s", strerror(-r));
	return r < 0 || count < wanted ? EXIT_FAILED : EXIT_DONE;
}

const Command command_lookup = {
	.name = "lookup",
	.arguments = "ADDRESS...",
	.arguments_min = 1,
	.arguments_max = SIZE_MAX,
	.options = options,
	.help = "say the country and the network of each ADDRESS",
	.run = lookup,
};
