/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/calendar.h"
#include "daemon/command.h"
#include "daemon/gather.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/outbox.h"
#include "daemon/output.h"
#include "report/html.h"
#include "report/text.h"

#include <stdio.h>

enum { OPTION_SEND, OPTION_SPOOLED, OPTION_HTML, OPTION_DATE };

static const CommandOption options[] = {
	[OPTION_SEND] = {"send", 0, NULL, "mail it; the next one begins where it ends"},
	[OPTION_SPOOLED] = {"spooled", 0, NULL,
		"with --send, compose none, but send those that wait"},
	[OPTION_HTML] = {"html", 0, "FILE", "write it to FILE as a page of HTML"},
	[OPTION_DATE] = {"date", 0, "DATE", "of this day (YYYY-MM-DD), not of what is new"},
	{0},
};

static int fail(const char *path, int error)
{
	log_error("%s: %s", path, strerror(-error));
	return EXIT_FAILED;
}

/* 0 or an exit status. */
static int gather(const Config *config, const char *date, Gather **ret_gather)
{
	const GatherOptions what = {.date = date, .now_us = loop_wall_us()};
	Why why = {""};
	int r = gather_new(config, &what, ret_gather, &why);

	if (!r)
		return EXIT_DONE;
	if (r == GATHER_NOTHING)
		log_error("%s: holds no state.offset: nothing has been recorded yet",
			config->paths.state_dir);
	else
		log_error("%s", why.text);
	return EXIT_FAILED;
}

static int print(const ReportFacts *facts)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int r = report_text(facts, &text);

	if (r < 0)
		return fail("report", r);
	/* main() reports what stdout could not take. */
	(void)fwrite(strbuf_text(&text), 1, text.len, stdout);
	return EXIT_DONE;
}

static int write_page(const ReportFacts *facts, const char *path)
{
	_cleanup_strbuf_ StrBuf page = STRBUF_INIT;
	int r = report_html(facts, &page);

	if (!r)
		r = output_write(path, (Span){strbuf_text(&page), page.len});
	return r < 0 ? fail(path, r) : EXIT_DONE;
}

static int send(const CommandInvocation *invocation)
{
	const char *date = invocation->option[OPTION_DATE].value;
	_cleanup_(config_freep) Config *config = NULL;
	int r = command_load_config(invocation, true, &config);

	if (r)
		return r;
	return date ? outbox_send_day(config, date)
		    : outbox_send(config, invocation->option[OPTION_SPOOLED].count);
}

/* What goes together. 0 or EXIT_USAGE, said. */
static int check_options(const CommandInvocation *invocation)
{
	bool sends = invocation->option[OPTION_SEND].count;
	bool spooled = invocation->option[OPTION_SPOOLED].count;
	const char *mistake = NULL;

	if (sends && invocation->option[OPTION_HTML].count)
		mistake = "--html is for a report that is not sent";
	else if (spooled && !sends)
		mistake = "--spooled goes with --send";
	else if (spooled && invocation->option[OPTION_DATE].count)
		mistake = "--spooled composes no report, --date does";
	if (mistake)
		log_error("%s", mistake);
	return mistake ? EXIT_USAGE : 0;
}

static int report(const CommandInvocation *invocation)
{
	const char *date = invocation->option[OPTION_DATE].value;
	const char *page = invocation->option[OPTION_HTML].value;
	_cleanup_(config_freep) Config *config = NULL;
	_cleanup_(gather_freep) Gather *gathered = NULL;
	CivilTime day;
	int r;

	if (date && calendar_parse_date(span_from_string(date), &day) < 0) {
		log_error("--date: \"%s\" is no date such as 2026-11-22", date);
		return EXIT_USAGE;
	}
	r = check_options(invocation);
	if (!r && invocation->option[OPTION_SEND].count)
		return send(invocation);
	if (!r)
		r = command_read_config(invocation, &config);
	if (!r)
		r = gather(config, date, &gathered);
	if (r)
		return r;
	return page ? write_page(gather_facts(gathered), page) : print(gather_facts(gathered));
}

const Command command_report = {
	.name = "report",
	.arguments = "",
	.options = options,
	.help = "print the report of what is new since the last one that was sent, or mail it",
	.run = report,
};
