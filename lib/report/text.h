/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The report as plain text: UTF-8, lines of at most 78 columns, each ended by LF, no control characters. Bytes from outside are shown as
 * report/display does.
 */

#include "base/strbuf.h"
#include "report/facts.h"

#define REPORT_TEXT_COLUMNS 78

/* Appends it. 0 or -errno. */
int report_text(const ReportFacts *facts, StrBuf *sb);
