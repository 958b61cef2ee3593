/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/cursor.h"

void cursor_copy(char to[CURSOR_MAX], const char *text)
{
	memcpy(to, text, strlen(text) + 1);
}

/* The part that begins with key ("i="), whose value is 1 to max hexadecimal digits. Moves behind it and its semicolon. */
static bool take_part(const char **at, const char *key, size_t max, char *ret_digits)
{
	size_t n;

	if (strncmp(*at, key, 2))
		return false;
	*at += 2;
	n = strspn(*at, "0123456789abcdef");
	if (!n || n > max || ((*at)[n] && (*at)[n] != ';'))
		return false;
	memcpy(ret_digits, *at, n);
	ret_digits[n] = '\0';
	*at += n + ((*at)[n] == ';');
	return true;
}

static bool take_number(const char **at, const char *key, uint64_t *ret_value)
{
	char digits[17];

	if (!take_part(at, key, 16, digits))
		return false;
	*ret_value = strtoull(digits, NULL, 16);
	return true;
}

int cursor_parse(const char *text, Cursor *ret_cursor)
{
	const char *at = text;
	Cursor cursor;

	if (strlen(text) >= CURSOR_MAX || !take_part(&at, "s=", 32, cursor.file_set) ||
		!take_number(&at, "i=", &cursor.number) || !take_part(&at, "b=", 32, cursor.boot) ||
		!take_number(&at, "m=", &cursor.monotonic_us) ||
		!take_number(&at, "t=", &cursor.realtime_us) ||
		!take_number(&at, "x=", &cursor.hash))
		return -EINVAL;
	*ret_cursor = cursor;
	return 0;
}

bool cursor_same_entry(const Cursor *a, const Cursor *b)
{
	return !strcmp(a->boot, b->boot) && a->monotonic_us == b->monotonic_us &&
	       a->realtime_us == b->realtime_us && a->hash == b->hash;
}

bool cursor_adjacent(const Cursor *a, const Cursor *b)
{
	return !strcmp(a->file_set, b->file_set) && a->number + 1 == b->number;
}
