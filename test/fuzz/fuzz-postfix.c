/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer's entry: the input is a line. Seeds: the lines of test/corpus (test/fuzz/README.md). */

#include "../unit/parse-invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static StampContext kept = {.reference_us = 1795400000000000};
	StampContext fresh = {.reference_us = kept.reference_us};
	Span line = {(const char *)data, size};
	AuthEvent event, again;

	postfix_parse_line(&kept, line, &event);
	postfix_parse_line(&fresh, line, &again);
	if (parse_invariant_broken(line, &event, postfix_find_candidate(line.data, line.len)) ||
		event.kind != again.kind || event.has_time != again.has_time ||
		(event.has_time && event.time_us != again.time_us))
		__builtin_trap();
	return 0;
}
