/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Words out of a descriptor: what stands between blanks and line ends, with the number of its line, as it arrives and in
 * constant memory. A word can be as long as the buffer, 64 KiB; of a longer one, which nobody wants, only the start is given.
 *
 *     do
 *             while (words_next(&words, &word))
 *                     use(word);
 *     while (!(r = words_fill(&words)));
 */

#include "base/base.h"

typedef struct Words {
	int fd;          /* borrowed */
	uint64_t line;   /* of the last word given, from 1 */
	size_t at, len;  /* in the buffer: what was given, what was read */
	bool ended, cut; /* no more to read; the rest of a word that was given is yet to come */
	char buffer[65536];
} Words;

void words_init(Words *words, int fd);

/* The next word that is whole, borrowed until words_fill; false: there is none in the buffer. */
bool words_next(Words *words, Span *ret_word);

/*
 * Waits for more, at most what one read(2) takes. Comes after words_next has returned false. 0, WORDS_END or -errno.
 */
enum { WORDS_END = 1 };
int words_fill(Words *words);
