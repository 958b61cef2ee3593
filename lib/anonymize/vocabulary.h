/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The words that mail servers print of themselves, in the case in which they print them: what is none of these is somebody's.
 * None is a name of persons or a usual name of accounts, but for what messages can't do without ("mail", "user").
 */

#include "anonymize/standin.h"

enum {
	WORD_KNOWN = 1 << 0, /* stays in messages of programs that print these words */
	WORD_COMMON =
		1
		<< 1, /* of the language ("from", "not"): stays in messages of other programs, too */
	WORD_FOLLOWS = 1 << 2,  /* stays behind a word that names ("user unknown") */
	WORD_VERB = 1 << 3,     /* a command of SMTP or HTTP: stays in what a client sent */
	WORD_PATH = 1 << 4,     /* stays in the path of a file */
	WORD_NAMES = 1 << 5,    /* a value of the kind follows: "user alice" */
	WORD_QUOTES = 1 << 6,   /* what a client sent follows, behind the next ": " */
	WORD_REST = 1 << 7,     /* what somebody wrote follows: "Subject: ..." */
	WORD_KEY = 1 << 8,      /* before "=" or "=<": the value is one of the kind */
	WORD_PLAIN = 1 << 9,    /* before "=": the value is a number or a word */
	WORD_POSTFIX = 1 << 10, /* a program of Postfix */
	WORD_MAIL = 1 << 11,    /* another program that prints these words */
	WORD_OTHER = 1 << 12,   /* a program that prints others */
};

#define WORD_PROGRAM (WORD_POSTFIX | WORD_MAIL | WORD_OTHER)

typedef struct VocabularyWord {
	uint32_t at; /* in the text of the vocabulary */
	uint16_t flags;
	uint8_t len;  /* 0: nobody is here */
	uint8_t kind; /* StandInKind of WORD_NAMES and WORD_KEY */
} VocabularyWord;

typedef struct Vocabulary Vocabulary;

/* 0 or -ENOMEM. */
int vocabulary_new(Vocabulary **ret_vocabulary);
void vocabulary_free(Vocabulary *vocabulary);
DEFINE_CLEANUP(Vocabulary *, vocabulary_freep, vocabulary_free)

/* The entry of the word; one without flags when it is unknown. */
const VocabularyWord *vocabulary_find(const Vocabulary *vocabulary, const char *word, size_t len);
