/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The step that fetches the databases, by the command of that name. */

#include "daemon/setup.h"

int setup_fetch_new(Setup *setup);
void setup_fetch_free(struct SetupFetch *fetch);

/* Of plan.h; userdata is the Setup. What was not there before is taken back. */
int setup_fetch_apply(void *userdata, Why *ret_why);
void setup_fetch_undo(void *userdata);
