/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A regular expression of PCRE2, compiled to machine code where the system lets (a hardened one may not; then it is slower).
 * Patterns and what they look at are bytes: a dot is one byte, and what is not UTF-8 is no error. No pattern takes for ever:
 * the steps of a search are limited, fewer the longer the subject is, and one that needs more gives up, on the same
 * subject always.
 */

#include "base/base.h"

#define PATTERN_SUBJECT_MAX ((size_t)16384) /* of more it gives up at once */
#define PATTERN_TEXT_MAX ((size_t)4096)
#define PATTERN_GROUPS_MAX ((size_t)100)

typedef struct Pattern Pattern;

/*
 * whole: it matches only where it takes in the whole subject. Groups may share a name. 0, -ENOMEM; -EINVAL, with the
 * mistake and where it is in *ret_why.
 */
int pattern_new(const char *text, bool whole, Pattern **ret_pattern, Why *ret_why);
void pattern_free(Pattern *pattern);
DEFINE_CLEANUP(Pattern *, pattern_freep, pattern_free)

/* The number of the last group; those before it are 1, 2, ..., group 0 is all of the match. */
size_t pattern_last_group(const Pattern *pattern);

/* The group's name, borrowed; NULL when it has none. */
const char *pattern_group_name(const Pattern *pattern, size_t group);

enum { PATTERN_NONE = 1, PATTERN_GAVE_UP = 2 };

/*
 * Searches from offset on. With not_empty, a match of no bytes at offset itself is none (for the search after
 * such a match). 0: found, and the groups are those of this match until the next one; PATTERN_NONE; PATTERN_GAVE_UP.
 */
int pattern_search(Pattern *pattern, Span subject, size_t offset, bool not_empty);

/* Where the group of the last match is; false when it took no part in it, or holds no byte. */
bool pattern_group(const Pattern *pattern, size_t group, size_t *ret_start, size_t *ret_end);

/* Where the last match ends, behind offset or there. */
size_t pattern_end(const Pattern *pattern);
