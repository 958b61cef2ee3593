/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What `setup` does to a system so that the service runs by a configuration: the steps of it, as a plan. */

#include "daemon/config.h"
#include "daemon/plan.h"

#include <signal.h>

typedef struct Setup {
	const Config *config; /* that shall hold */
	Span text;            /* of its file; missing: the file is right as it is */
	bool systemd;
	bool fetch;      /* the databases */
	bool report;     /* a first one, by mail */
	sigset_t before; /* the signals of programs that a person may interrupt */
	/* its own */
	char *program;
	struct SetupFetch *fetched;
} Setup;

#define SETUP_INIT ((Setup){0})

void setup_done(Setup *setup);
#define _cleanup_setup_ _cleanup_(setup_done)

/* Adds the steps that are still to be done; none when all is done. The setup outlives the plan. 0 or -errno with *ret_why. */
int setup_plan(Setup *setup, Plan *plan, Why *ret_why);

/* Whether a database that the configuration wants and that can be fetched is missing. */
bool setup_lacks_databases(const Config *config);
