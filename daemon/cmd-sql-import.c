/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/sql-import.h"
#include "store/sqlschema.h"

#include <stdio.h>

enum { OPTION_SCHEMA };

static const CommandOption options[] = {
	[OPTION_SCHEMA] = {"schema", 0, NULL,
		"print the statements that make table, ledger and views, and import nothing"},
	{0},
};

static int print_schema(const Config *config)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	SqlTable table;
	Why why = {""};
	int r = config_sql_table(config, &table, &why);

	if (!r) {
		sqlschema_append(&text, &table);
		r = strbuf_error(&text);
	}
	if (r) {
		log_error("schema: %s", *why.text ? why.text : strerror(-r));
		return EXIT_FAILED;
	}
	/* main() reports what stdout could not take. */
	(void)fwrite(strbuf_text(&text), 1, text.len, stdout);
	return EXIT_DONE;
}

static int run(const CommandInvocation *invocation)
{
	bool only_schema = invocation->option[OPTION_SCHEMA].count;
	_cleanup_(config_freep) Config *config = NULL;
	int r = only_schema ? command_read_config(invocation, &config)
			    : command_load_config(invocation, true, &config);

	if (r)
		return r;
	return only_schema ? print_schema(config) : sql_import(config);
}

const Command command_sql_import = {
	.name = "sql-import",
	.arguments = "",
	.options = options,
	.help = "bring the files of sql-export that are not in the database yet into it",
	.run = run,
};
