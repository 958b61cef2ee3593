/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Signals that end the program (SIGINT, SIGTERM, SIGHUP) wait until what must not be left half done is done. */

#include "base/base.h"

#include <signal.h>

/* They wait; *ret_before is for the end. */
void interrupt_hold(sigset_t *ret_before);

/* They come, if there were any. */
void interrupt_let_go(const sigset_t *before);

/* Whether one waits. */
bool interrupt_is_pending(void);

/* A descriptor that is readable while one waits; whoever reads it takes the signal. Or -errno. */
int interrupt_open(void);
