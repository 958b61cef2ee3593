/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/startover.h"

static const CommandOption options[] = STARTOVER_OPTIONS;

static int reset(const CommandInvocation *invocation)
{
	static const StartOver what = {
		.command = "reset",
		.then = "Then the logs are read again from their start, as far as they are still "
			"there. Databases and files of SQL stay.",
	};

	return startover_run(&what, invocation);
}

const Command command_reset = {
	.name = "reset",
	.arguments = "",
	.options = options,
	.help = "archive CSV and state, and read the logs again from their start",
	.run = reset,
};
