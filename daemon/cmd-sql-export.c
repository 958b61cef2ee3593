/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/sql-export.h"

enum { OPTION_FROM_START, OPTION_FROM_NOW };

static const CommandOption options[] = {
	[OPTION_FROM_START] = {"from-start", 0, NULL, "all rows, from the oldest on, once more"},
	[OPTION_FROM_NOW] = {"from-now", 0, NULL, "only rows that come from now on"},
	{0},
};

static int export(const CommandInvocation *invocation)
{
	bool from_start = invocation->option[OPTION_FROM_START].count;
	bool from_now = invocation->option[OPTION_FROM_NOW].count;
	_cleanup_(config_freep) Config *config = NULL;
	int r;

	if (from_start && from_now) {
		log_error("--from-start and --from-now contradict each other");
		return EXIT_USAGE;
	}
	r = command_load_config(invocation, true, &config);
	return r ? r
		 : sql_export(config, from_start ? SQL_EXPORT_FROM_START
				      : from_now ? SQL_EXPORT_FROM_NOW
						 : SQL_EXPORT_CONTINUE);
}

const Command command_sql_export = {
	.name = "sql-export",
	.arguments = "",
	.options = options,
	.help = "write the rows that are new as files of SQL",
	.run = export,
};
