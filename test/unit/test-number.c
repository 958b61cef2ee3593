/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/number.h"

#include "tap.h"

typedef struct NumberRow {
	const char *text;
	int result;
	uint64_t value;
} NumberRow;

static const NumberRow integers[] = {
	{"0", 0, 0},
	{"007", 0, 7},
	{"4294967295", 0, 4294967295},
	{"18446744073709551615", 0, UINT64_MAX},
	{"000000000000000000000000000000001", 0, 1},
	{"18446744073709551616", -ERANGE, 0},
	{"99999999999999999999999", -ERANGE, 0},
	{"99999999999999999999999x", -EINVAL, 0},
	{"", -EINVAL, 0},
	{"-1", -EINVAL, 0},
	{"+1", -EINVAL, 0},
	{" 1", -EINVAL, 0},
	{"1 ", -EINVAL, 0},
	{"1,000", -EINVAL, 0},
	{"0x10", -EINVAL, 0},
	{"1e3", -EINVAL, 0},
	{"\xd9\xa3", -EINVAL, 0},
};

static const NumberRow sizes[] = {
	{"0", 0, 0},
	{"1048576", 0, 1048576},
	{"12B", 0, 12},
	{"12 B", 0, 12},
	{"512 KiB", 0, 524288},
	{"512KiB", 0, 524288},
	{"512\tK", 0, 524288},
	{"5 MiB", 0, 5242880},
	{"5M", 0, 5242880},
	{"1 GiB", 0, 1073741824},
	{"1  G", 0, 1073741824},
	{"17179869183 G", 0, 18446744072635809792ULL},
	{"17179869184 G", -ERANGE, 0},
	{"18446744073709551616", -ERANGE, 0},
	{"18446744073709551616 apples", -EINVAL, 0},
	{"", -EINVAL, 0},
	{"MiB", -EINVAL, 0},
	{"5 MB", -EINVAL, 0},
	{"5 mib", -EINVAL, 0},
	{"5 Mi", -EINVAL, 0},
	{"5 MiB ", -EINVAL, 0},
	{" 5 MiB", -EINVAL, 0},
	{"5 ", -EINVAL, 0},
	{"5 M 3 K", -EINVAL, 0},
	{"1.5 GiB", -EINVAL, 0},
	{"-5 MiB", -EINVAL, 0},
};

static const NumberRow durations[] = {
	{"0", 0, 0},
	{"90", 0, 90000},
	{"90 s", 0, 90000},
	{"90s", 0, 90000},
	{"1 second", 0, 1000},
	{"2 sec", 0, 2000},
	{"2seconds", 0, 2000},
	{"500 ms", 0, 500},
	{"500msec", 0, 500},
	{"5 min", 0, 300000},
	{"5m", 0, 300000},
	{"1 minute", 0, 60000},
	{"1 h 30 min", 0, 5400000},
	{"1h30min", 0, 5400000},
	{"1h30m", 0, 5400000},
	{"30min 1h", 0, 5400000},
	{"2 hr", 0, 7200000},
	{"48hours", 0, 172800000},
	{"2 days", 0, 172800000},
	{"1d", 0, 86400000},
	{"1 week", 0, 604800000},
	{"2w", 0, 1209600000},
	{"1M", 0, 2629800000},
	{"1y 12month", 0, 63115200000},
	{"55s500ms", 0, 55500},
	{"300ms20s 5day", 0, 432020300},
	{"18446744073709551615ms", 0, UINT64_MAX},
	{"18446744073709551615ms 1ms", -ERANGE, 0},
	{"18446744073709551615", -ERANGE, 0},
	{"99999999999999999999999 s", -ERANGE, 0},
	{"99999999999999999999999 apples", -EINVAL, 0},
	{"99999999999999999999999 s 1", -EINVAL, 0},
	{"", -EINVAL, 0},
	{"s", -EINVAL, 0},
	{"5 10 s", -EINVAL, 0},
	{"5 s 10", -EINVAL, 0},
	{"5 s ", -EINVAL, 0},
	{" 5 s", -EINVAL, 0},
	{"5 ", -EINVAL, 0},
	{"5 H", -EINVAL, 0},
	{"5 us", -EINVAL, 0},
	{"1.5 h", -EINVAL, 0},
	{"-1 s", -EINVAL, 0},
	{"5 secs", -EINVAL, 0},
	{"5 s, 3 ms", -EINVAL, 0},
	{"infinity", -EINVAL, 0},
};

static int parse_integer(Span text, uint64_t *ret_value)
{
	return number_parse_u64(text, UINT64_MAX, ret_value);
}

static void check(const char *what, int (*parse)(Span, uint64_t *), const NumberRow *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = 42;
		int r = parse(span_from_string(rows[i].text), &value);

		if (!tap_ok(r == rows[i].result && value == (r ? 42 : rows[i].value),
			    "%s '%s' is %s", what, rows[i].text,
			    rows[i].result ? strerrorname_np(-rows[i].result) : "right"))
			tap_note("got %d, %" PRIu64, r, value);
	}
}

int main(void)
{
	uint64_t value = 42;

	check("number", parse_integer, integers, ARRAY_SIZE(integers));
	check("size", number_parse_size, sizes, ARRAY_SIZE(sizes));
	check("duration", number_parse_duration, durations, ARRAY_SIZE(durations));

	tap_ok(!number_parse_u64(SPAN_LITERAL("65535"), 65535, &value) && value == 65535,
		"the maximum is allowed");
	tap_ok(number_parse_u64(SPAN_LITERAL("65536"), 65535, &value) == -ERANGE && value == 65535,
		"above it is out of range");
	tap_ok(number_parse_u64((Span){"1\0", 2}, 9, &value) == -EINVAL, "NUL is no digit");
	tap_ok(number_parse_u64(SPAN_MISSING, 9, &value) == -EINVAL, "missing is no number");
	tap_ok(number_parse_size(SPAN_MISSING, &value) == -EINVAL, "missing is no size");
	tap_ok(number_parse_duration(SPAN_MISSING, &value) == -EINVAL, "missing is no duration");
	return tap_done();
}
