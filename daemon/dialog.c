/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/dialog.h"

#include <poll.h>
#include <stdio.h>
#include <strings.h>

#include "daemon/interrupt.h"
#include "report/display.h"

bool dialog_is_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* How many columns the text takes, near enough: a character each. */
static size_t width_of(const char *text, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

void dialog_say(unsigned indent, const char *fmt, ...)
{
	_cleanup_strbuf_ StrBuf raw = STRBUF_INIT, text = STRBUF_INIT;
	size_t column = 0;
	const char *p;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vappendf(&raw, fmt, ap);
	va_end(ap);
	display_append_escaped(&text, (Span){strbuf_text(&raw), raw.len});
	for (p = strbuf_text(&text); *p;) {
		size_t n = strcspn(p, " "), width = width_of(p, n);

		if (!column)
			printf("%*s", (int)indent, "");
		else if (column + 1 + width > DIALOG_WIDTH - indent)
			printf("\n%*s", (int)indent, "");
		else
			putchar(' ');
		column = !column || column + 1 + width > DIALOG_WIDTH - indent ? width
									       : column + 1 + width;
		fwrite(p, 1, n, stdout);
		p += n;
		p += strspn(p, " ");
	}
	putchar('\n');
	(void)fflush(stdout);
}

/* Waits for a line of the terminal, or for a signal that is held. 0, DIALOG_ENDED or -errno. */
static int wait_for_input(void)
{
	_cleanup_close_ int fd = interrupt_open();
	struct pollfd ready[] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	if (fd < 0)
		return fd;
	while (poll(ready, ARRAY_SIZE(ready), -1) < 0)
		if (errno != EINTR)
			return -errno;
	return ready[1].revents ? DIALOG_ENDED : 0;
}

/* A line without its end. A line that is too long is read to its end all the same. */
static int read_line(StrBuf *line)
{
	char buffer[512];

	strbuf_reset(line);
	for (;;) {
		int r = wait_for_input();
		ssize_t n;

		if (r)
			return r;
		n = read(STDIN_FILENO, buffer, sizeof(buffer));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		/* A terminal that is gone is no error of anybody's. */
		if (n <= 0)
			return n < 0 && errno != EIO ? -errno : DIALOG_ENDED;
		if (line->len <= DIALOG_ANSWER_MAX)
			strbuf_append(line, buffer, (size_t)n);
		if (buffer[n - 1] == '\n')
			break;
	}
	if (strbuf_error(line))
		return strbuf_error(line);
	if (line->len > DIALOG_ANSWER_MAX)
		return -EFBIG;
	strbuf_truncate(line, line->len - 1);
	return memchr(strbuf_text(line), '\0', line->len) ? -EINVAL : 0;
}

int dialog_ask(const char *question, const char *fallback, StrBuf *ret_answer)
{
	_cleanup_strbuf_ StrBuf shown = STRBUF_INIT;
	const char *text, *end;
	int r;

	display_append_escaped(&shown, span_from_string(fallback));
	printf("%s%s%s%s: ", question, *fallback ? " [" : "", strbuf_text(&shown),
		*fallback ? "]" : "");
	if (fflush(stdout))
		return -errno;
	r = read_line(ret_answer);
	if (r)
		return r;
	text = strbuf_text(ret_answer);
	end = text + ret_answer->len;
	while (end > text && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	strbuf_truncate(ret_answer, (size_t)(end - text));
	strbuf_consume(ret_answer, strspn(strbuf_text(ret_answer), " \t"));
	if (!ret_answer->len)
		strbuf_append_string(ret_answer, fallback);
	return strbuf_error(ret_answer);
}

int dialog_confirm(const char *question, bool fallback, bool *ret_yes)
{
	static const char *const words[2][2] = {{"n", "no"}, {"y", "yes"}};
	_cleanup_strbuf_ StrBuf answer = STRBUF_INIT;

	for (;;) {
		int r = dialog_ask(question, words[fallback][1], &answer);

		if (r && r != -EFBIG && r != -EINVAL)
			return r;
		for (int yes = 0; !r && yes <= 1; yes++)
			for (int form = 0; form <= 1; form++)
				if (!strcasecmp(strbuf_text(&answer), words[yes][form])) {
					*ret_yes = yes;
					return 0;
				}
		dialog_say(2, "Please answer yes or no.");
	}
}
