/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Numbers, sizes and durations from text. Whole text or nothing; no sign, no blank at either end, no locale, no
 * wrap-around.
 */

#include "base/base.h"

/* Decimal digits only. 0, -EINVAL (not a number) or -ERANGE (above max). */
int number_parse_u64(Span text, uint64_t max, uint64_t *ret_value);

/*
 * "1048576", "512 KiB", "5 MiB", "1 GiB", also K, M, G for the same powers of 1024 and B; blanks between number and unit
 * are optional. Bytes. 0, -EINVAL, -ERANGE.
 */
int number_parse_size(Span text, uint64_t *ret_size_bytes);

/*
 * systemd.time(7)'s spans: "90", "90 s", "500 ms", "5 min", "1 h 30 min", "1h30min", "2 days", "1 week" (m is a minute,
 * M a month); a number alone is seconds. Milliseconds, so no usec. 0, -EINVAL, -ERANGE.
 */
int number_parse_duration(Span text, uint64_t *ret_ms);
