/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Questions to a person at a terminal, and the answers, a line each. Whoever asks holds the signals that end the program
 * (daemon/interrupt.h): one that comes while an answer is waited for ends the dialog and stays pending. What the
 * person typed is bytes from outside: it is escaped wherever it is shown.
 */

#include "base/strbuf.h"

#define DIALOG_ANSWER_MAX 4000 /* bytes; a terminal hands over no longer lines than about that */
#define DIALOG_WIDTH 78

enum {
	DIALOG_ENDED = 1, /* the input has ended, or a signal is pending */
};

/* Whether both standard input and standard output are a terminal. */
bool dialog_is_possible(void);

/* Prints a paragraph on stdout, broken into lines of DIALOG_WIDTH, each with `indent` blanks before it. */
void dialog_say(unsigned indent, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Prints "QUESTION [FALLBACK]: " and reads a line. *ret_answer is what stands in it between the blanks at both ends, or the
 * fallback where nothing does. 0; DIALOG_ENDED; -EFBIG for an answer that is too long, -EINVAL for one that holds
 * a NUL: the question is to be asked again; another -errno.
 */
int dialog_ask(const char *question, const char *fallback, StrBuf *ret_answer);

/* The same for yes or no, until it is one of them. 0, DIALOG_ENDED or -errno. */
int dialog_confirm(const char *question, bool fallback, bool *ret_yes);
