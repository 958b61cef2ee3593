/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* All locks at once, so that nobody else is at work on what the program keeps: the service, an extract, and the jobs. */

#include "daemon/config.h"

typedef struct Standstill Standstill;

/* 0 or an exit status, said: by whom a lock is held, and how to end that. */
int standstill_new(const Config *config, const char *command, Standstill **ret_standstill);
void standstill_free(Standstill *standstill);
DEFINE_CLEANUP(Standstill *, standstill_freep, standstill_free)
