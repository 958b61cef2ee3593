/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/number.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/sql-export.h"
#include "daemon/sql-prune.h"

enum { OPTION_FROM_START, OPTION_FROM_NOW, OPTION_PRUNE };

static const CommandOption options[] = {
	[OPTION_FROM_START] = {"from-start", 0, NULL, "all rows, from the oldest on, once more"},
	[OPTION_FROM_NOW] = {"from-now", 0, NULL, "only rows that come from now on"},
	[OPTION_PRUNE] = {"prune", 0, "DAYS",
		"write none, but remove files older than that which the database has"},
	{0},
};

static int export(const CommandInvocation *invocation)
{
	bool from_start = invocation->option[OPTION_FROM_START].count;
	bool from_now = invocation->option[OPTION_FROM_NOW].count;
	const char *prune = invocation->option[OPTION_PRUNE].value;
	_cleanup_(config_freep) Config *config = NULL;
	uint64_t days = 0;
	int r;

	if (prune && (from_start || from_now)) {
		log_error(
			"--prune writes nothing, --from-start and --from-now say what is written");
		return EXIT_USAGE;
	}
	if (prune && number_parse_u64(span_from_string(prune), SQL_PRUNE_DAYS_MAX, &days) < 0) {
		log_error("--prune: \"%s\" is no number of days from 0 to %d", prune,
			SQL_PRUNE_DAYS_MAX);
		return EXIT_USAGE;
	}
	if (from_start && from_now) {
		log_error("--from-start and --from-now contradict each other");
		return EXIT_USAGE;
	}
	r = command_load_config(invocation, true, &config);
	if (r)
		return r;
	if (prune)
		return sql_prune(config, (unsigned)days);
	return sql_export(config, from_start ? SQL_EXPORT_FROM_START
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
