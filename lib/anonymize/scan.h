/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The text of a message, word by word: what stays, and what gets a stand-in of which kind. */

#include "anonymize/anonymizer.h"
#include "anonymize/vocabulary.h"

/* What is known to be a value before the words are looked at. */
typedef struct ScanSlot {
	size_t start, len; /* in the text */
	StandInKind kind;
	bool is_quoted; /* its stand-in stands in quotes */
	bool is_kept;   /* it is nobody's */
} ScanSlot;

typedef struct Scanner {
	const Vocabulary *vocabulary;
	const StandIns *standins;
} Scanner;

typedef struct ScanRequest {
	Span text;
	const ScanSlot *slots; /* in their order, apart from each other */
	size_t slot_count;
	bool strict;         /* words of the language alone stay */
	bool has_queue_ids;  /* Postfix's */
	unsigned digits_max; /* of a number that stays */
} ScanRequest;

/* Appends what the text becomes. Errors are sb's. */
void scan_text(const Scanner *scanner, const ScanRequest *request, StrBuf *sb);
