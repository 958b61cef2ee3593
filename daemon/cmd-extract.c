/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/number.h"
#include "daemon/command.h"
#include "daemon/daemon.h"
#include "daemon/log.h"

enum { OPTION_FROM, OPTION_STDOUT, OPTION_NO_DNS, OPTION_YEAR };

static const CommandOption options[] = {
	[OPTION_FROM] = {"from", 0, "FILE",
		"read FILE instead of the log ('-' is stdin); may be repeated", true},
	[OPTION_STDOUT] = {"stdout", 0, NULL, "write the CSV to stdout and change nothing"},
	[OPTION_NO_DNS] = {"no-dns", 0, NULL, "don't look up the names of addresses"},
	[OPTION_YEAR] = {"year", 0, "YYYY", "the year of stamps that have none"},
	{0},
};

int command_year(const char *text, int *ret_year)
{
	uint64_t year;

	*ret_year = 0;
	if (!text)
		return 0;
	if (number_parse_u64(span_from_string(text), 9999, &year) < 0 || year < 1970) {
		log_error("--year: '%s' is not a year from 1970 to 9999", text);
		return EXIT_USAGE;
	}
	*ret_year = (int)year;
	return 0;
}

static int extract(const CommandInvocation *invocation)
{
	DaemonOptions daemon = {
		.to_stdout = invocation->option[OPTION_STDOUT].count,
		.no_dns = invocation->option[OPTION_NO_DNS].count,
		.files = invocation->option[OPTION_FROM].values,
		.file_count = invocation->option[OPTION_FROM].count,
	};
	Config *config;
	int r = command_year(invocation->option[OPTION_YEAR].value, &daemon.year);

	if (!r)
		r = command_load_config(invocation, !daemon.to_stdout, &config);
	return r ? r : daemon_main(config, &daemon);
}

const Command command_extract = {
	.name = "extract",
	.arguments = "",
	.options = options,
	.help = "record what is new in the log since last time, then exit",
	.run = extract,
};
