/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The mail part of reports without the rest, for tests:
 *
 *	mail-play compose DIRECTORY              prints the message whose parts are files there
 *	mail-play send URL FROM FILE TO...       sends FILE; $MAIL_USER and the file $MAIL_PASSWORD log in
 *
 * The second prints the result, a letter for each recipient (A, L, R) and the reason.
 */

#include "base/file.h"
#include "base/number.h"
#include "report/message.h"
#include "report/transport.h"

#include <inttypes.h>
#include <signal.h>

#define RECIPIENTS_MAX 16

static const char *directory;
static char *kept[32]; /* what was read, until the end */
static size_t kept_count;

/* A part as a string; NULL: there is no such file. */
static const char *part(const char *name, Span *ret_span)
{
	_cleanup_free_ char *path = file_join_dup(directory, name);
	StrBuf sb = STRBUF_INIT;
	int r = path ? file_read(path, STRBUF_MAX, &sb) : -ENOMEM;

	if (r == -ENOENT)
		return NULL;
	if (r < 0 || !strbuf_reserve(&sb, 1)) {
		(void)fprintf(stderr, "%s: %s\n", name, strerror(-r));
		exit(1);
	}
	sb.data[sb.len] = '\0';
	if (ret_span)
		*ret_span = (Span){sb.data, sb.len};
	return kept[kept_count++] = sb.data;
}

static int compose(void)
{
	const char *to[RECIPIENTS_MAX];
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	Message message = {.to = to, .message_id = part("id", NULL), .from = part("from", NULL)};
	uint64_t date_us = 0;
	Span date = SPAN_MISSING;
	int r;

	(void)part("to", NULL);
	for (char *next = kept[kept_count - 1], *one; (one = strsep(&next, "\n"));)
		if (*one && message.to_count < RECIPIENTS_MAX)
			to[message.to_count++] = one;
	(void)part("date", &date);
	if (number_parse_u64(date, INT64_MAX, &date_us) < 0)
		return 2;
	message.date_us = (int64_t)date_us;
	message.from_name = part("from_name", NULL);
	(void)part("subject", &message.subject);
	(void)part("text", &message.text);
	(void)part("html", &message.html);
	message.attachment_name = part("name", NULL);
	message.attachment_type = part("type", NULL);
	(void)part("attachment", &message.attachment);
	r = message_append(&message, &sb);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", strerror(-r));
		return 1;
	}
	return fwrite(sb.data, 1, sb.len, stdout) == sb.len ? 0 : 1;
}

static int send_file(int argc, char *argv[])
{
	TransportOptions options = {.url = argv[2],
		.user = getenv("MAIL_USER"),
		.password_file = getenv("MAIL_PASSWORD")};
	const char *to[RECIPIENTS_MAX];
	Delivery deliveries[RECIPIENTS_MAX];
	_cleanup_strbuf_ StrBuf message = STRBUF_INIT;
	size_t count = 0;
	Why why;
	int r;

	for (int i = 5; i < argc && count < RECIPIENTS_MAX; i++)
		to[count++] = argv[i];
	if (file_read(argv[4], STRBUF_MAX, &message) < 0)
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	r = transport_send(&options, argv[3], to, count, (Span){strbuf_text(&message), message.len},
		deliveries, &why);
	printf("%d ", r);
	for (size_t i = 0; i < count; i++)
		putchar("?ALR"[deliveries[i]]);
	printf(" %s\n", why.text);
	return 0;
}

int main(int argc, char *argv[])
{
	if (argc == 3 && !strcmp(argv[1], "compose")) {
		directory = argv[2];
		return compose();
	}
	if (argc > 5 && !strcmp(argv[1], "send"))
		return send_file(argc, argv);
	(void)fprintf(stderr, "wrong usage\n");
	return 2;
}
