/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What every file of this project starts from: the result convention, cleanup attributes, a
 * borrowed piece of bytes, and the ban on the functions that make C dangerous.
 *
 * Results: 0 is done; a negative -errno is fatal for the call and is passed on unchanged; a
 * positive value is a condition that the header names and the caller handles. Outputs are
 * called ret_x, stand last, and are written only on success. lib/ does not log, exit or abort:
 * where an errno does not say enough, the function fills a Why, and the daemon prints it once.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/banned.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* A piece of somebody else's bytes. data == NULL means "missing", which is not the same as empty. */
typedef struct Span {
	const char *data;
	size_t len;
} Span;

#define SPAN_MISSING ((Span){NULL, 0})
#define SPAN_LITERAL(s) ((Span){"" s, sizeof(s) - 1})

static inline Span span_from_string(const char *s)
{
	return (Span){s, s ? strlen(s) : 0};
}

static inline bool span_equal(Span a, Span b)
{
	return a.len == b.len && !a.data == !b.data && (!a.len || !memcmp(a.data, b.data, a.len));
}

static inline bool span_equal_string(Span a, const char *s)
{
	return span_equal(a, span_from_string(s));
}

static inline bool span_starts_with(Span a, const char *prefix)
{
	size_t n = strlen(prefix);
	return a.len >= n && !memcmp(a.data, prefix, n);
}

/* A string of its bytes, heap memory; NULL without memory. Unlike strndup(3) it never looks behind them. */
static inline char *span_dup(Span a)
{
	char *copy = (char *)calloc(1, a.len + 1);

	if (copy && a.len)
		memcpy(copy, a.data, a.len);
	return copy;
}

/*
 * A reason in words, for the errors that an errno does not explain ("line 17: ASN is not a
 * number"). Filled by why_set(), always NUL-terminated, cut when too long. Bytes that come from
 * outside are escaped by whoever prints it. Functions take Why *ret_why, NULL when nobody asks.
 */
typedef struct Why {
	char text[512];
} Why;

void why_set(Why *ret_why, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Cleanup by attribute: _cleanup_(foo_freep) Foo *foo = NULL; hand over with TAKE(). */
#define _cleanup_(f) __attribute__((cleanup(f), unused)) /* to be held is use enough (clang) */

#define DEFINE_CLEANUP(type, name, free_function) \
	static inline void name(type *p)          \
	{                                         \
		if (*p)                           \
			free_function(*p);        \
	}

static inline void free_pointer(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(free_pointer)

static inline void close_fd(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		(void)close(*fd);
		errno = saved;
	}
}
#define _cleanup_close_ _cleanup_(close_fd)

/*
 * The array with room for one more than `count` elements; NULL without memory, and nothing has changed. For arrays that grow one by one:
 * it reallocates when count is a power of two, so thousands of them leave no holes in the heap.
 */
static inline void *array_grow(void *array, size_t count, size_t element_size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * count : 1, element_size);
}

#define TAKE(pointer)                                         \
	({                                                    \
		__typeof__(pointer) *_take_from = &(pointer); \
		__typeof__(pointer) _taken = *_take_from;     \
		*_take_from = NULL;                           \
		_taken;                                       \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}
