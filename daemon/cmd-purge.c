/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/startover.h"

static const CommandOption options[] = STARTOVER_OPTIONS;

static int purge(const CommandInvocation *invocation)
{
	static const StartOver what = {
		.command = "purge",
		.everything = true,
		.then = "Then all is as after the installation; the configuration stays.",
	};

	return startover_run(&what, invocation);
}

const Command command_purge = {
	.name = "purge",
	.arguments = "",
	.options = options,
	.help = "archive everything, and leave all as after the installation",
	.run = purge,
};
