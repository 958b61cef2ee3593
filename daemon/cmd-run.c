/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/command.h"
#include "daemon/daemon.h"
#include "daemon/log.h"

#include <signal.h>

static int run(const CommandInvocation *invocation)
{
	DaemonOptions options = {.follow = true, .config_path = invocation->config_path};
	Config *config;
	sigset_t hangup;
	int r;

	/* Until the loop takes it, a reload that comes early would end the process. */
	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &hangup, NULL) < 0) {
		log_error("SIGHUP: %s", strerror(errno));
		return EXIT_FAILED;
	}
	r = command_load_config(invocation, true, &config);
	return r ? r : daemon_main(config, &options);
}

const Command command_run = {
	.name = "run",
	.arguments = "",
	.help = "follow the log; what the service runs",
	.run = run,
};
