/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/number.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * The digits at the start of *text, which moves behind them. A number too long is read to its end,
 * so that "9...9 apples" is no number rather than a large one.
 */
static int take_digits(Span *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool over = false;
	size_t n = 0;

	for (; n < text->len && is_digit(text->data[n]); n++)
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(text->data[n] - '0'), &value))
			over = true;
	if (!n)
		return -EINVAL;
	text->data += n;
	text->len -= n;
	if (over || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

static void skip_blanks(Span *text)
{
	while (text->len && (*text->data == ' ' || *text->data == '\t')) {
		text->data++;
		text->len--;
	}
}

int number_parse_u64(Span text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	int r = take_digits(&text, max, &value);

	if (r == -EINVAL || text.len)
		return -EINVAL;
	if (r)
		return r;
	*ret_value = value;
	return 0;
}

static const struct {
	const char *name;
	unsigned shift;
} size_units[] = {
	{"", 0},
	{"B", 0},
	{"K", 10},
	{"KiB", 10},
	{"M", 20},
	{"MiB", 20},
	{"G", 30},
	{"GiB", 30},
};

int number_parse_size(Span text, uint64_t *ret_size_bytes)
{
	uint64_t value = 0;
	int r = take_digits(&text, UINT64_MAX, &value);

	if (r == -EINVAL)
		return r;
	if (text.len) {
		skip_blanks(&text);
		if (!text.len)
			return -EINVAL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(size_units); i++) {
		if (!span_equal_string(text, size_units[i].name))
			continue;
		if (r || value > UINT64_MAX >> size_units[i].shift)
			return -ERANGE;
		*ret_size_bytes = value << size_units[i].shift;
		return 0;
	}
	return -EINVAL;
}

#define SECOND_MS 1000ULL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

/* systemd.time(7): a month is 30.44 days, a year 365.25 days (in its code, a twelfth of a year) */
static const struct {
	const char *name;
	uint64_t ms;
} duration_units[] = {
	{"ms", 1},
	{"msec", 1},
	{"s", SECOND_MS},
	{"sec", SECOND_MS},
	{"second", SECOND_MS},
	{"seconds", SECOND_MS},
	{"m", MINUTE_MS},
	{"min", MINUTE_MS},
	{"minute", MINUTE_MS},
	{"minutes", MINUTE_MS},
	{"h", HOUR_MS},
	{"hr", HOUR_MS},
	{"hour", HOUR_MS},
	{"hours", HOUR_MS},
	{"d", DAY_MS},
	{"day", DAY_MS},
	{"days", DAY_MS},
	{"w", 7 * DAY_MS},
	{"week", 7 * DAY_MS},
	{"weeks", 7 * DAY_MS},
	{"M", 2629800 * SECOND_MS},
	{"month", 2629800 * SECOND_MS},
	{"months", 2629800 * SECOND_MS},
	{"y", 31557600 * SECOND_MS},
	{"year", 31557600 * SECOND_MS},
	{"years", 31557600 * SECOND_MS},
};

/* The unit at the start of *text, which moves behind it; 0 when there is no such unit. */
static uint64_t take_duration_unit(Span *text)
{
	Span word = {text->data, 0};

	while (word.len < text->len && ((word.data[word.len] | 0x20) >= 'a') &&
		((word.data[word.len] | 0x20) <= 'z'))
		word.len++;
	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++)
		if (span_equal_string(word, duration_units[i].name)) {
			text->data += word.len;
			text->len -= word.len;
			return duration_units[i].ms;
		}
	return 0;
}

int number_parse_duration(Span text, uint64_t *ret_ms)
{
	uint64_t total = 0;
	bool over = false, first = true;

	for (;;) {
		uint64_t value = 0, unit_ms = 0;
		int r = take_digits(&text, UINT64_MAX, &value);

		if (r == -EINVAL)
			return r;
		over |= r == -ERANGE;
		if (first && !text.len) {
			unit_ms = SECOND_MS;
		} else {
			skip_blanks(&text);
			unit_ms = take_duration_unit(&text);
			if (!unit_ms)
				return -EINVAL;
		}
		if (__builtin_mul_overflow(value, unit_ms, &value) ||
			__builtin_add_overflow(total, value, &total))
			over = true;
		if (!text.len)
			break;
		skip_blanks(&text); /* a blank at the very end leaves no digits: -EINVAL above */
		first = false;
	}
	if (over)
		return -ERANGE;
	*ret_ms = total;
	return 0;
}
