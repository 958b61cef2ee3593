/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Facts of made-up reports, by name, for what looks at pages. Their time zone is that of TZ; they were made for UTC. */

#include "report/facts.h"

/* The i-th name, NULL behind the last. */
const char *report_sample_name(size_t i);

/* Fills the facts, whose texts stay; false: there is no such name. */
bool report_sample(const char *name, ReportFacts *ret_facts);
