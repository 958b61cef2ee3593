/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/status-print.h"

#include <stdio.h>

enum { OPTION_JSON };

static const CommandOption options[] = {
	[OPTION_JSON] = {"json", 0, NULL, "one JSON object"},
	{0},
};

static int print(const Status *status, bool running, bool json)
{
	_cleanup_strbuf_ StrBuf out = STRBUF_INIT;
	StatusPrinter printer = {
		.status = status, .running = running, .now_us = loop_wall_us(), .out = &out};

	if (json)
		status_print_json(&printer);
	else
		status_print_text(&printer);
	if (strbuf_error(&out)) {
		log_error("%s", strerror(-strbuf_error(&out)));
		return EXIT_UNREADABLE;
	}
	/* main() reports what stdout could not take. */
	(void)fwrite(strbuf_text(&out), 1, out.len, stdout);
	if (!running)
		return EXIT_NOT_RUNNING;
	return status->warning_count || status->more_warnings || status->paused ? EXIT_FAILED
										: EXIT_DONE;
}

/* Mistakes in the configuration are said and do not stop it: the daemon may run with what was there before. */
static int run(const CommandInvocation *invocation)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	_cleanup_free_ char *state_dir = NULL, *path = NULL;
	_cleanup_status_ Status status = STATUS_INIT;
	Why why = {""};
	bool running;
	int mistakes = config_find_state_dir(invocation->config_path, &state_dir, &errors), r;

	command_log_mistakes(&errors);
	if (mistakes < 0)
		return EXIT_CONFIG;
	path = file_join_dup(state_dir, "status");
	r = path ? status_read(path, &status, &running, &why) : -ENOMEM;
	if (r == -ENOENT) {
		log_error("not running; there is no %s", path);
		return EXIT_NOT_RUNNING;
	}
	if (r < 0) {
		log_error("%s: %s", path ? path : "status", *why.text ? why.text : strerror(-r));
		return EXIT_UNREADABLE;
	}
	r = print(&status, running, invocation->option[OPTION_JSON].count);
	return r || !mistakes ? r : EXIT_FAILED;
}

const Command command_status = {
	.name = "status",
	.arguments = "",
	.options = options,
	.help = "say what the running daemon does, and what is wrong",
	.run = run,
};
