/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/command.h"
#include "daemon/daemon.h"

static int run(const CommandInvocation *invocation)
{
	DaemonOptions options = {.follow = true};
	Config *config;
	int r = command_load_config(invocation, true, &config);

	return r ? r : daemon_main(config, &options);
}

const Command command_run = {
	.name = "run",
	.arguments = "",
	.help = "follow the log; what the service runs",
	.run = run,
};
