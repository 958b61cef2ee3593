/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The vocabulary's words as lists: words with one blank between them. */

#include "anonymize/vocabulary.h"

typedef struct WordList {
	uint16_t flags;
	uint8_t kind;      /* StandInKind */
	const char *words; /* NULL ends the lists */
} WordList;

extern const WordList words_lists[];
