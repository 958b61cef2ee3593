/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One line on stderr, when that is a terminal, that says how far a long work has come; it is written over itself and at last removed. */

#include "base/base.h"

typedef struct Meter {
	const char *what; /* borrowed; printable */
	bool on, shown;
	uint64_t shown_ms;
} Meter;

void meter_init(Meter *meter, const char *what);

/* Bytes; total 0 is not known. */
void meter_show(Meter *meter, uint64_t done_bytes, uint64_t total_bytes);

/* Before anything else is written to stderr. */
void meter_clear(Meter *meter);
