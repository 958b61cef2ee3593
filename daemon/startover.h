/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What `reset` and `purge` do: what the program has on disk goes into an archive, and it starts over. */

#include "daemon/command.h"

typedef struct StartOver {
	const char *command;
	bool everything;  /* also databases, files of SQL, and what the service says of itself */
	const char *then; /* what follows, in a sentence */
} StartOver;

#define STARTOVER_OPTIONS                                                                  \
	{                                                                                  \
		{"to", 0, "DIR", "make the archive in DIR instead of the home directory"}, \
			{"gzip", 0, NULL, "pack what is not compressed yet"},              \
			{"yes", 0, NULL, "don't ask"},                                     \
		{                                                                          \
			0                                                                  \
		}                                                                          \
	}

/* The exit status. */
int startover_run(const StartOver *what, const CommandInvocation *invocation);
