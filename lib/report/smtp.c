/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/smtp.h"

#include "base/strbuf.h"
#include "report/address.h"
#include "report/patience.h"
#include "report/smtp-connection.h"

#include <inttypes.h>
#include <stdarg.h>

#define BLOCK_SIZE ((size_t)16 * 1024)
#define ANSWER_MAX ((size_t)2048) /* bytes, and not many more lines */
#define GOODBYE_MS 1000
#define LAST_WORDS_MS 5000

/* What an answer means for what was asked. */
typedef enum Meaning {
	MEANS_YES,
	MEANS_LATER,
	MEANS_NO,
	MEANS_DOWN, /* whoever asks: the server ends, or we do not understand each other */
} Meaning;

typedef struct Session {
	const SmtpOptions *options;
	SmtpConnection *connection;
	uint64_t until_ms;
	int code;
	StrBuf answer;  /* the last one, with its code */
	StrBuf reasons; /* for all that was not accepted */
} Session;

/* ---- commands and answers -------------------------------------------------------------------- */

static bool is_code(Span line)
{
	for (size_t i = 0; i < 3; i++)
		if (i >= line.len || line.data[i] < '0' || line.data[i] > '9')
			return false;
	return line.len == 3 || line.data[3] == ' ' || line.data[3] == '-';
}

/* 0 or -errno; -EPROTO: that is no answer. */
static int read_answer(Session *session, uint64_t patience_ms)
{
	uint64_t until_ms = MIN(patience_now_ms() + patience_ms, session->until_ms);
	Span line = SPAN_MISSING;

	strbuf_reset(&session->answer);
	session->code = 0;
	do {
		int r = smtp_connection_read_line(session->connection, until_ms, &line);

		if (r < 0)
			return r;
		if (session->answer.len + line.len > ANSWER_MAX || !is_code(line))
			return -EPROTO;
		if (session->answer.len)
			strbuf_append_char(&session->answer, ' ');
		strbuf_append_span(&session->answer, line);
	} while (line.len > 3 && line.data[3] == '-');
	session->code = (line.data[0] - '0') * 100 + (line.data[1] - '0') * 10 + line.data[2] - '0';
	return strbuf_error(&session->answer);
}

static int ask(Session *session, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int ask(Session *session, const char *fmt, ...)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;
	va_list ap;
	int r;

	va_start(ap, fmt);
	strbuf_vappendf(&line, fmt, ap);
	va_end(ap);
	strbuf_append_string(&line, "\r\n");
	r = strbuf_error(&line);
	if (!r)
		r = smtp_connection_send(session->connection, strbuf_text(&line), line.len,
			session->options->answer_ms, session->until_ms);
	return r < 0 ? r : read_answer(session, session->options->answer_ms);
}

static Meaning meaning_of(int code, int wanted)
{
	switch (code) {
	case 421: /* it closes the connection */
	case 530: /* it wants TLS or a password: true for every message, and to be mended in the configuration */
	case 534:
	case 535:
	case 538: return MEANS_DOWN;
	default: break;
	}
	if (code / 100 == wanted)
		return MEANS_YES;
	if (code / 100 == 4)
		return MEANS_LATER;
	return code / 100 == 5 ? MEANS_NO : MEANS_DOWN;
}

static Delivery delivery_of(Meaning meaning)
{
	switch (meaning) {
	case MEANS_YES: return DELIVERY_ACCEPTED;
	case MEANS_NO: return DELIVERY_REFUSED;
	case MEANS_LATER:
	case MEANS_DOWN: break;
	}
	return DELIVERY_LATER;
}

static void add_reason(Session *session, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void add_reason(Session *session, const char *fmt, ...)
{
	va_list ap;

	if (session->reasons.len)
		strbuf_append_string(&session->reasons, "; ");
	va_start(ap, fmt);
	strbuf_vappendf(&session->reasons, fmt, ap);
	va_end(ap);
}

/* The connection is of no more use; returns what the caller returns. */
static int lose(Session *session, const char *what, int error)
{
	switch (error) {
	case -EINTR: add_reason(session, "interrupted at %s", what); return -EINTR;
	case -ENOMEM:
	case -EFBIG: add_reason(session, "%s", strerror(-error)); return error;
	case -ETIMEDOUT: add_reason(session, "%s: the server does not answer", what); break;
	case -ECONNRESET:
		add_reason(session, "%s: the server has closed the connection", what);
		break;
	case -EPROTO:
	case -EMSGSIZE: add_reason(session, "%s: the server's answer is not SMTP", what); break;
	default: add_reason(session, "%s: %s", what, strerror(-error)); break;
	}
	return TRANSPORT_DOWN;
}

static int say_down(Session *session, const char *what)
{
	add_reason(session, "%s: %s", what, strbuf_text(&session->answer));
	return TRANSPORT_DOWN;
}

/* ---- the message ----------------------------------------------------------------------------- */

/*
 * A line that begins with a dot gets one more, so that none ends the message. A CR or LF that
 * stands alone becomes a line's end: two servers that read it differently would see two messages.
 */
static int send_message(Session *session, Span message)
{
	static const size_t last_bytes = sizeof("\r\n.\r\n");
	_cleanup_free_ char *block = malloc(BLOCK_SIZE);
	bool line_start = true;
	size_t n = 0;
	int r;

	if (!block)
		return -ENOMEM;
	for (size_t i = 0; i < message.len; i++) {
		char c = message.data[i];

		if (c == '\r' || c == '\n') {
			i += c == '\r' && i + 1 < message.len && message.data[i + 1] == '\n';
			block[n++] = '\r';
			block[n++] = '\n';
			line_start = true;
		} else {
			if (line_start && c == '.')
				block[n++] = '.';
			block[n++] = c;
			line_start = false;
		}
		if (n + last_bytes < BLOCK_SIZE)
			continue;
		r = smtp_connection_send(session->connection, block, n, session->options->answer_ms,
			session->until_ms);
		if (r < 0)
			return r;
		n = 0;
	}
	if (!line_start) {
		block[n++] = '\r';
		block[n++] = '\n';
	}
	block[n++] = '.';
	block[n++] = '\r';
	block[n++] = '\n';
	return smtp_connection_send(
		session->connection, block, n, session->options->answer_ms, session->until_ms);
}

/* The message and what the server says to it. 0 or -errno. */
static int hand_over(Session *session, Span message)
{
	int r = send_message(session, message);

	if (!r)
		return read_answer(session, session->options->last_answer_ms);
	/* Who has read enough says so before he closes. */
	if ((r == -ECONNRESET || r == -ETIMEDOUT) && !read_answer(session, LAST_WORDS_MS) &&
		session->code >= 400)
		return 0;
	return r;
}

/* ---- a transaction --------------------------------------------------------------------------- */

typedef struct Envelope {
	const char *from;
	const char *const *to;
	size_t to_count;
	Delivery *deliveries; /* DELIVERY_NONE: not decided */
} Envelope;

static void settle(const Envelope *envelope, Delivery delivery)
{
	for (size_t i = 0; i < envelope->to_count; i++)
		if (envelope->deliveries[i] == DELIVERY_NONE)
			envelope->deliveries[i] = delivery;
}

/*
 * What the answer to a step means, for all that is not decided yet: MEANS_YES is the only one to go
 * on with. 0 or TRANSPORT_DOWN.
 */
static int take_answer(Session *session, const Envelope *envelope, const char *what, int wanted)
{
	Meaning meaning = meaning_of(session->code, wanted);

	if (meaning == MEANS_DOWN)
		return say_down(session, what);
	if (meaning != MEANS_YES) {
		add_reason(session, "%s: %s", what, strbuf_text(&session->answer));
		settle(envelope, delivery_of(meaning));
	}
	return 0;
}

static bool is_decided(const Envelope *envelope)
{
	for (size_t i = 0; i < envelope->to_count; i++)
		if (envelope->deliveries[i] == DELIVERY_NONE)
			return false;
	return true;
}

static int name_sender(Session *session, const Envelope *envelope, Span message)
{
	static const char what[] = "MAIL FROM";
	uint64_t size_max = 0;
	bool has_size = smtp_connection_size(session->connection, &size_max);
	int r;

	if (size_max && message.len > size_max) {
		add_reason(session, "the message has %zu bytes, the server takes %" PRIu64,
			message.len, size_max);
		settle(envelope, DELIVERY_REFUSED);
		return 0;
	}
	if (has_size)
		r = ask(session, "MAIL FROM:<%s> SIZE=%zu", envelope->from, message.len);
	else
		r = ask(session, "MAIL FROM:<%s>", envelope->from);
	return r < 0 ? lose(session, what, r) : take_answer(session, envelope, what, 2);
}

static int name_recipients(Session *session, const Envelope *envelope)
{
	for (size_t i = 0; i < envelope->to_count; i++) {
		char what[sizeof("RCPT TO:<>") + ADDRESS_MAX];
		Envelope one = {.to_count = 1, .deliveries = &envelope->deliveries[i]};
		int r;

		(void)snprintf(what, sizeof(what), "RCPT TO:<%s>", envelope->to[i]);
		r = ask(session, "%s", what);
		r = r < 0 ? lose(session, what, r) : take_answer(session, &one, what, 2);
		if (r)
			return r;
	}
	return 0;
}

static int transact(Session *session, const Envelope *envelope, Span message)
{
	static const char data[] = "DATA", end[] = "the message";
	int r = name_sender(session, envelope, message);

	if (r || is_decided(envelope))
		return r;
	r = name_recipients(session, envelope);
	if (r || is_decided(envelope))
		return r;
	r = ask(session, data);
	r = r < 0 ? lose(session, data, r) : take_answer(session, envelope, data, 3);
	if (r || is_decided(envelope))
		return r;
	r = hand_over(session, message);
	r = r < 0 ? lose(session, end, r) : take_answer(session, envelope, end, 2);
	if (!r)
		settle(envelope, DELIVERY_ACCEPTED);
	return r;
}

/* What was decided stands; nobody waits long for an answer that says nothing. */
static void say_goodbye(Session *session)
{
	static const char quit[] = "QUIT\r\n";

	if (!smtp_connection_send(
		    session->connection, quit, strlen(quit), GOODBYE_MS, session->until_ms))
		(void)read_answer(session, GOODBYE_MS);
}

static int open_connection(Session *session, const SmtpUrl *url, Why *ret_why)
{
	const SmtpOptions *options = session->options;
	int r = smtp_connection_open(
		&(SmtpLogin){
			.url = url,
			.user = options->user,
			.password = options->password,
			.connect_ms = options->connect_ms,
			.answer_ms = options->answer_ms,
			.until_ms = session->until_ms,
		},
		&session->connection, ret_why);

	return r == -ENOENT || r == -ENOMEM || r == -EINTR || !r ? r : TRANSPORT_DOWN;
}

int smtp_send(const SmtpOptions *options, const char *from, const char *const *to, size_t to_count,
	Span message, Delivery *ret_deliveries, Why *ret_why)
{
	Session session = {.options = options, .until_ms = patience_now_ms() + options->total_ms};
	Envelope envelope = {from, to, to_count, ret_deliveries};
	SmtpUrl url;
	Why why = {""};
	int r = smtp_url_parse(options->url, &url, ret_why);

	for (size_t i = 0; i < to_count; i++)
		ret_deliveries[i] = DELIVERY_NONE;
	if (!r) {
		r = open_connection(&session, &url, &why);
		if (!r) {
			r = transact(&session, &envelope, message);
			if (!r)
				say_goodbye(&session);
			why_set(&why, "%s", strbuf_text(&session.reasons));
		}
		if (*why.text)
			why_set(ret_why, "%.*s:%u: %s", (int)url.host.len, url.host.data,
				(unsigned)url.port, why.text);
		else
			why_set(ret_why, "%s", "");
	}
	settle(&envelope, DELIVERY_LATER);
	smtp_connection_free(session.connection);
	strbuf_done(&session.answer);
	strbuf_done(&session.reasons);
	return r;
}
