/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/words.h"

#include <poll.h>

void words_init(Words *words, int fd)
{
	words->fd = fd;
	words->line = 1;
	words->at = words->len = 0;
	words->ended = words->cut = false;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool words_next(Words *words, Span *ret_word)
{
	const char *p = words->buffer + words->at, *end = words->buffer + words->len, *start;

	while (words->cut && p < end && !is_blank(*p))
		p++;
	words->cut = words->cut && p == end;
	for (; p < end && is_blank(*p); p++)
		words->line += *p == '\n';
	start = p;
	while (p < end && !is_blank(*p))
		p++;
	words->at = (size_t)(start - words->buffer);
	if (p == start)
		return false;
	if (p == end && !words->ended) {
		/* The rest of it may be still to come. */
		if (p - start < (ptrdiff_t)sizeof(words->buffer))
			return false;
		words->cut = true;
	}
	*ret_word = (Span){start, (size_t)(p - start)};
	words->at += ret_word->len;
	return true;
}

int words_fill(Words *words)
{
	ssize_t n;

	if (words->ended)
		return WORDS_END;
	words->len -= words->at;
	memmove(words->buffer, words->buffer + words->at, words->len);
	words->at = 0;
	do {
		n = read(words->fd, words->buffer + words->len, sizeof(words->buffer) - words->len);
		/* Who gave us the descriptor may have made it so that it does not wait. */
		if (n < 0 && errno == EAGAIN)
			(void)poll(&(struct pollfd){.fd = words->fd, .events = POLLIN}, 1, -1);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return -errno;
	words->len += (size_t)n;
	words->ended = !n;
	return 0;
}
