/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/words.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include "random.h"
#include "tap.h"

#define WORD_MAX 65536
#define TEXT_MAX 400000

/* The blanks, and bytes that are none; a NUL is a byte as any other. */
static const char blanks[] = " \t\n\v\f\r\n\n";
static const char bytes[] = "abc.:1\0\xff\x1f!";

/* What is to be found of a text, found in the plainest way. */
typedef struct Plain {
	const char *p, *end;
	uint64_t line;
} Plain;

static bool next_plain(Plain *plain, Span *ret_word)
{
	const char *start;

	while (plain->p < plain->end && strchr(" \t\n\v\f\r", *plain->p) && *plain->p) {
		plain->line += *plain->p == '\n';
		plain->p++;
	}
	start = plain->p;
	while (plain->p < plain->end && (!*plain->p || !strchr(" \t\n\v\f\r", *plain->p)))
		plain->p++;
	*ret_word = (Span){start, MIN((size_t)(plain->p - start), WORD_MAX)};
	return ret_word->len;
}

static size_t make_text(Random *random, char *text)
{
	size_t len = 0, goal = random_below(random, random_below(random, 4) ? 3000 : 300000);

	while (len < goal) {
		size_t n = random_below(random, 12);

		/* now and then a word that is about as long as the buffer */
		if (!random_below(random, 300))
			n = WORD_MAX - 3 + random_below(random, 7);
		for (; n; n--)
			text[len++] = bytes[random_below(random, sizeof(bytes) - 1)];
		for (n = random_below(random, 4); n; n--)
			text[len++] = blanks[random_below(random, sizeof(blanks) - 1)];
	}
	return len;
}

/* Writes some more of the text, at most what a pipe takes, or its end. */
static void feed(Random *random, int *fd, const char *text, size_t len, size_t *written)
{
	size_t n = 1 + random_below(random, random_below(random, 2) ? 20 : 60000);

	n = MIN(n, len - *written);
	if (n && write(*fd, text + *written, n) == (ssize_t)n) {
		*written += n;
	} else {
		close_fd(fd);
		*fd = -1;
	}
}

/* Whether the words of the text come out of a pipe that it goes into bit by bit. */
static bool is_read(Random *random, Words *words, const char *text, size_t len)
{
	Plain plain = {text, text + len, 1};
	size_t written = 0;
	Span word, expected;
	int fds[2], r = 0;
	bool same = true;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	words_init(words, fds[0]);
	while (same && !r) {
		int ready = 0;

		while (same && words_next(words, &word))
			same = next_plain(&plain, &expected) && span_equal(word, expected) &&
			       words->line == plain.line;
		if (!ioctl(fds[0], FIONREAD, &ready) && !ready && fds[1] >= 0)
			feed(random, &fds[1], text, len, &written);
		r = words_fill(words);
	}
	close_fd(&fds[0]);
	close_fd(&fds[1]);
	return same && r == WORDS_END && !next_plain(&plain, &expected);
}

static void test_error(Words *words)
{
	Span word;

	words_init(words, -1);
	tap_ok(!words_next(words, &word) && words_fill(words) == -EBADF, "an error is returned");
}

int main(void)
{
	static char text[TEXT_MAX + WORD_MAX];
	static Words words;
	Random random = random_seeded();
	int i, rounds = random_rounds(400);

	for (i = 0; i < rounds; i++)
		if (!is_read(&random, &words, text, make_text(&random, text)))
			break;
	tap_ok(i == rounds, "the words and lines of %d random texts, bit by bit", rounds);
	test_error(&words);
	return tap_done();
}
