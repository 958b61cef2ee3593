/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What `status` prints of the status file: a few lines for people, or an object for programs, whose keys are listed in the manual.
 * Ages, lags and rates are reckoned here, of the instant of printing.
 */

#include "base/calendar.h"
#include "state/status.h"

typedef struct StatusPrinter {
	const Status *status;
	bool running;
	int64_t now_us;
	LocalZone zone; /* starts as zero */
	StrBuf *out;    /* appended to; every text is escaped */
} StatusPrinter;

void status_print_text(StatusPrinter *printer);
void status_print_json(StatusPrinter *printer);
