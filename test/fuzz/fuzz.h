/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A target is one function in fuzz-NAME.c that takes any bytes and looks whether what must hold holds:
 *
 *	FUZZ_TARGET(NAME)
 *	{
 *		HOLDS(...);
 *		return 0;
 *	}
 *
 * fuzz-entry.c hands it to libFuzzer, test/unit/test-fuzz.c the files of test/fuzz/corpus/NAME.
 */

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "base/file.h"
#include "base/utf8.h"

#define FUZZ_TARGET(name)                                  \
	int fuzz_##name(const uint8_t *data, size_t size); \
	int fuzz_##name(const uint8_t *data, size_t size)

/* What does not hold ends the process, which is how both learn of it. */
#define HOLDS(condition)                                                                        \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			(void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
				#condition);                                                    \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* The input, taken from its start: first what a target lets it choose, then the rest. */
typedef struct FuzzInput {
	const uint8_t *data;
	size_t size;
} FuzzInput;

/* A number of n bytes, big-endian; bytes behind the end are 0. */
__attribute__((unused)) static uint64_t fuzz_take(FuzzInput *input, unsigned n)
{
	uint64_t value = 0;

	for (; n; n--) {
		value = value << 8 | (input->size ? *input->data : 0);
		if (input->size)
			input->data++, input->size--;
	}
	return value;
}

__attribute__((unused)) static Span fuzz_rest(const FuzzInput *input)
{
	return input->size ? (Span){(const char *)input->data, input->size} : SPAN_LITERAL("");
}

/* Whether it can be shown anywhere: UTF-8 without control characters. */
__attribute__((unused)) static bool fuzz_is_printable(Span text)
{
	for (size_t i = 0, n; i < text.len; i += n) {
		uint32_t cp;

		n = utf8_decode(text.data + i, text.len - i, &cp);
		if (!n || cp < 0x20 || (cp >= 0x7f && cp <= 0x9f))
			return false;
	}
	return true;
}

/* The path of a file in memory that holds the bytes until the next call. */
__attribute__((unused)) static const char *fuzz_memory_file(const void *content, size_t len)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	HOLDS(fd >= 0 && !ftruncate(fd, 0) && !lseek(fd, 0, SEEK_SET));
	HOLDS(!file_write_full(fd, content, len));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

/* Makes tz this process' zone. */
__attribute__((unused)) static void fuzz_set_zone(const char *tz)
{
	const char *now = getenv("TZ");

	if (now && !strcmp(now, tz))
		return;
	HOLDS(!setenv("TZ", tz, 1));
	tzset();
}
