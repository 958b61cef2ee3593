/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A mail log that can be shown to others, and still is one. What is not known to be harmless is replaced: a byte of the output is
 * a blank or a sign that stood there, a short number, a word that Postfix, Dovecot and their like print of themselves, or part of a
 * stand-in (anonymize/standin.h). Where their messages name somebody or something, the value is replaced whatever it spells.
 *
 * parse/ reads of the output what it reads of the input: the same kind of event, time, count, service, mechanism and reason, one
 * line for one line. Nothing is remembered from line to line but what makes it fast, so memory has a limit whatever comes.
 */

#include "anonymize/standin.h"

#define ANONYMIZER_LINE_MAX ((size_t)65536) /* of a longer line the rest is left out */
#define ANONYMIZER_FINDS_MAX ((size_t)64)   /* in one message */

/* Bytes of a message that are a value of a kind. */
typedef struct AnonymizerFind {
	size_t start, len;
	StandInKind kind;
} AnonymizerFind;

typedef struct AnonymizerOptions {
	HashKey key;
	bool keep_prefixes; /* see StandIns */

	/* What somebody knows of the own log (anonymize/rules.h); either may be NULL. */
	/*
	 * Which bytes of the message (of a line without a header: of the line) are values, in their order and apart from each other.
	 * Their number; negative where it can't be said, and the message is replaced as a whole.
	 */
	int (*find)(void *userdata, Span message, AnonymizerFind finds[ANONYMIZER_FINDS_MAX]);
	/* As that of StandIns; also asked for words of free text that nobody knows (STANDIN_TEXT; all or nothing). */
	size_t (*keep)(void *userdata, StandInKind kind, Span value);
	void *userdata;
} AnonymizerOptions;

typedef struct Anonymizer Anonymizer;

/* The options are copied; userdata is borrowed. 0 or -ENOMEM. */
int anonymizer_new(const AnonymizerOptions *options, Anonymizer **ret_anonymizer);
void anonymizer_free(Anonymizer *anonymizer);
DEFINE_CLEANUP(Anonymizer *, anonymizer_freep, anonymizer_free)

/* Appends what the line (without its newline) becomes. Errors are sb's. */
void anonymizer_line(Anonymizer *anonymizer, Span line, StrBuf *sb);

/* How many lines were longer than ANONYMIZER_LINE_MAX. */
uint64_t anonymizer_cut_count(const Anonymizer *anonymizer);
