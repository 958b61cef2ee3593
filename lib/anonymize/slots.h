/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Values of a message that are known by its form as a whole, before its words are looked at: what parse/ reads of a login, what a
 * mail's header holds, and what rules find.
 */

#include "anonymize/scan.h"
#include "parse/postfix.h"

#define SLOTS_MAX (ANONYMIZER_FINDS_MAX + 12)

typedef struct Slots {
	ScanSlot slot[SLOTS_MAX]; /* in their order */
	size_t count;
	bool has_needle; /* it may be of a login */
	AuthEvent event; /* what it says then */
} Slots;

/* Without any; what is behind them is not touched, because each line has its own. */
static inline void slots_init(Slots *slots)
{
	slots->count = 0;
	slots->has_needle = false;
	slots->event.kind = EVENT_OTHER;
}

/* Adds those of a message of Postfix's program tag. */
void slots_find_postfix(Slots *slots, const Vocabulary *vocabulary, Span tag, Span message);

/* Adds what options->find() finds where none of the others is. 0, or negative as that. */
int slots_add_found(Slots *slots, const AnonymizerOptions *options, Span message);

/*
 * What the message has become must say nothing of a login that it did not say before: a name with a sign that no name has is none, and
 * the stand-in of that sign would make it one. What it says is changed by one byte then.
 */
void slots_check(const Slots *slots, Span tag, char *message, size_t len);
