/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The conditions that people should know of for as long as they last: a log that is missing, a full disk, a resolver that does not
 * answer. Each has a key ("missing:/var/log/mail.log"), an instant since which it lasts, and a sentence. It is said in the
 * program's log once when it begins and once when it ends, and stands in `status` meanwhile. At most WARNINGS_MAX are kept;
 * of more only their number is known.
 */

#include "daemon/log.h"
#include "state/status.h"

#include <limits.h>

#define WARNINGS_MAX STATUS_WARNINGS_MAX
#define WARNINGS_KEY_MAX (PATH_MAX + 32)

typedef struct Warnings Warnings;

/* 0 or -ENOMEM. */
int warnings_new(Warnings **ret_warnings);
void warnings_free(Warnings *warnings);
DEFINE_CLEANUP(Warnings *, warnings_freep, warnings_free)

/* Makes the key of a condition of what has a name. Returns key. */
const char *warnings_key(char key[WARNINGS_KEY_MAX], const char *condition, const char *name);

/*
 * It lasts since since_us. If it is new, or its sentence is another one now, it is said in the program's log. The key's bytes may
 * come from outside. Without memory it is said, and not kept.
 */
void warnings_raise(Warnings *warnings, LogLevel level, const char *key, int64_t since_us,
	const char *fmt, ...) PRINTF_LIKE(5, 6);

/* It has ended, if it was there: then the sentence (NULL: none) is said, as information. */
void warnings_clear(Warnings *warnings, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Forgets those whose key begins with prefix and that began before `before_us`, in silence. */
void warnings_forget(Warnings *warnings, const char *prefix, int64_t before_us);

/* Forgets those whose key minds() says no to, in silence. */
void warnings_sweep(
	Warnings *warnings, bool (*minds)(void *userdata, const char *key), void *userdata);

/* The sentence, NULL when it does not last. Borrowed until the next change. */
const char *warnings_text(const Warnings *warnings, const char *key);

/*
 * In the order in which they began; *ret_more are those that were not kept. The array is the caller's to free, NULL for none or
 * without memory; the texts are borrowed until the next change.
 */
StatusWarning *warnings_copy_dup(const Warnings *warnings, size_t *ret_count, uint64_t *ret_more);
