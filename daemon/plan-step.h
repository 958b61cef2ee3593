/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How the kinds of steps come into a plan. */

#include "daemon/plan.h"

/* Adds a step; text (NULL: not shown) and userdata, which done() frees, are the plan's from now on, also on failure. 0 or -ENOMEM. */
int plan_take_step(Plan *plan, char *text, PlanApply *apply, PlanUndo *undo,
	void (*done)(void *userdata), void *userdata);
