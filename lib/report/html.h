/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The report as one page of HTML, UTF-8, for mail clients and browsers: no scripts, nothing from elsewhere, light and dark. Bytes from
 * outside are shown as report/display does; where a client would take a part of them for a link, a place to break the line stands within.
 */

#include "base/strbuf.h"
#include "report/facts.h"

/* Appends it: some 70 kB, mail clients cut what is longer than 100 kB. 0 or -errno. */
int report_html(const ReportFacts *facts, StrBuf *sb);
