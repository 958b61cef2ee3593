/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What somebody knows of the own log and the anonymizer can't: patterns that find values, each group of a pattern named
 * after the kind of what it holds, and lists of what may stay. A pattern can only add to what is replaced, so no mistake in
 * one shows anything; what stays is named: a word, or a pattern for one whole word, where words stand; a host; a network.
 */

#include "anonymize/anonymizer.h"

#define RULES_MAX ((size_t)256) /* patterns of either use; and of each list RULES_LIST_MAX */
#define RULES_LIST_MAX ((size_t)10000)

typedef struct Rules Rules;

/* 0 or -ENOMEM. */
int rules_new(Rules **ret_rules);
void rules_free(Rules *rules);
DEFINE_CLEANUP(Rules *, rules_freep, rules_free)

/*
 * Replaces what the groups of the pattern hold: (?<user>...), a kind of standin_kind_parse(); other groups have no name, or
 * one that starts with _. Where two overlap, the bytes go to the pattern that was added first, in a pattern to the group that
 * opens first. Each of these: 0, -ENOMEM, -EINVAL with the mistake, which starts with no name, in *ret_why.
 */
int rules_replace(Rules *rules, const char *name, const char *pattern, Why *ret_why);

/* Keeps the word, byte for byte as given. */
int rules_keep_word(Rules *rules, const char *word, Why *ret_why);

/* Keeps words that the pattern matches from end to end. */
int rules_keep_words_like(Rules *rules, const char *name, const char *pattern, Why *ret_why);

/* Keeps the host of that name; of a name that starts with a dot all that end so, but only these last labels of them. */
int rules_keep_host(Rules *rules, const char *host, Why *ret_why);

/* Keeps an address, or with /BITS those that start with these bits. */
int rules_keep_network(Rules *rules, const char *network, Why *ret_why);

/* For anonymizer_new(), which borrows the rules then. Only one anonymizer at a time works with them. */
void rules_apply(Rules *rules, AnonymizerOptions *options);

/* How the i-th pattern fared. */
typedef struct RuleCount {
	const char *name;
	bool keeps;     /* words; else it replaces */
	uint64_t found; /* values */
	uint64_t
		gave_up; /* messages (words) that it was too slow for; they were replaced as a whole */
} RuleCount;

/* False: there are no more. */
bool rules_count(const Rules *rules, size_t i, RuleCount *ret_count);
