/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A CSV of many rows, and the checkpoint that has committed them, for what reads rows. */

#include "base/base.h"
#include "random.h"

/*
 * The rows are of one day, 2026-11-23, from 10,000 addresses to 50,000 users: as many of the first tenth as of the next nine, or evenly. The CSV
 * is dir/name, and the checkpoint dir/state.offset. What fails ends the program.
 */
void many_rows_write(Random *random, const char *dir, const char *name, uint32_t rows, bool even);
