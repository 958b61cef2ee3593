/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The SMTP client against a server on loopback that follows a script; addresses of servers by table. */

#include "report/smtp.h"

#include "report/smtp-url.h"
#include "scratch.h"
#include "tap.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#define HANG "hang"
#define CLOSE "close"
#define NO_SMTP "SSH-2.0-OpenSSH_9.2"
#define RCPT_MAX 3

/* What the server says at each step; NULL is what it says when all is well. */
typedef struct Script {
	const char *banner, *ehlo, *mail, *rcpt[RCPT_MAX], *data, *end, *quit;
	bool early_end; /* it answers to the message before it has come, and closes */
	bool deaf;      /* it says 354 and reads nothing more */
} Script;

static const char *const three[] = {"alice@example.com", "root", "carol@example.com"};

/* ---- the server ------------------------------------------------------------------------------ */

static unsigned port;
static int listener = -1;

static void start_listening(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	int small = 4096;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(listener >= 0);
	MUST(!setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	MUST(!bind(listener, (struct sockaddr *)&address, sizeof(address)));
	MUST(!listen(listener, 16));
	MUST(!getsockname(listener, (struct sockaddr *)&address, &len));
	port = ntohs(address.sin_port);
}

static void note(const char *text, size_t len)
{
	scratch_append("heard", text, len);
}

static bool say(int fd, const char *answer, const char *usual)
{
	answer = answer ? answer : usual;
	if (!strcmp(answer, CLOSE))
		return false;
	if (!strcmp(answer, HANG)) {
		struct pollfd gone = {.fd = fd, .events = POLLRDHUP};

		(void)poll(&gone, 1, 20000);
		return false;
	}
	/* in one piece: for a second one it would wait for the other's acknowledgement */
	(void)dprintf(fd, "%s\r\n", answer);
	return true;
}

/* With its end; false: nothing more comes. */
static bool hear(int fd, StrBuf *line)
{
	char c;

	strbuf_reset(line);
	while (read(fd, &c, 1) == 1) {
		strbuf_append_char(line, c);
		if (c == '\n')
			return true;
	}
	return false;
}

static bool hear_message(int fd, const Script *script, StrBuf *line)
{
	if (script->deaf) {
		struct pollfd gone = {.fd = fd, .events = POLLRDHUP};

		(void)poll(&gone, 1, 20000);
		return false;
	}
	if (script->early_end) {
		(void)hear(fd, line);
		(void)say(fd, script->end, "");
		return false;
	}
	while (hear(fd, line)) {
		note(strbuf_text(line), line->len);
		if (!strcmp(strbuf_text(line), ".\r\n"))
			return say(fd, script->end, "250 2.0.0 queued");
	}
	return false;
}

static void serve(int fd, const Script *script)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;
	size_t rcpt = 0;
	bool going = say(fd, script->banner, "220 mail.example.com ESMTP");

	while (going && hear(fd, &line)) {
		const char *text = strbuf_text(&line);

		note(text, line.len);
		if (!strncmp(text, "EHLO ", 5))
			going = say(fd, script->ehlo, "250-mail.example.com\r\n250 8BITMIME");
		else if (!strncmp(text, "HELO ", 5))
			going = say(fd, script->ehlo, "250 mail.example.com");
		else if (!strncmp(text, "AUTH ", 5))
			going = say(fd, NULL, "235 2.7.0 welcome");
		else if (!strncmp(text, "MAIL ", 5))
			going = say(fd, script->mail, "250 2.1.0 Ok");
		else if (!strncmp(text, "RCPT ", 5))
			going = say(
				fd, rcpt < RCPT_MAX ? script->rcpt[rcpt] : NULL, "250 2.1.5 Ok"),
			rcpt++;
		else if (!strcmp(text, "DATA\r\n"))
			going = say(fd, script->data, "354 go on") &&
				(script->data || hear_message(fd, script, &line));
		else if (!strcmp(text, "QUIT\r\n"))
			(void)say(fd, script->quit, "221 bye"), going = false;
		else
			going = say(fd, "500 what?", NULL);
	}
}

static pid_t start_server(const Script *script)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid)
		return pid;
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			_exit(1);
		serve(fd, script);
		(void)close(fd);
	}
}

static void stop_server(pid_t pid)
{
	MUST(!kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0) == pid);
}

/* ---- one message ----------------------------------------------------------------------------- */

static const char message[] = "Subject: x\r\n\r\nhello\r\n";

typedef struct Case {
	const char *name;
	Script script;
	int result;
	const char *deliveries; /* a letter for each of three: Accepted, Later, Refused */
	const char *why;        /* "": nothing to say */
	const char *heard;      /* NULL: the test does not ask */
} Case;

#define DOWN TRANSPORT_DOWN
#define ENVELOPE                                                                           \
	"MAIL FROM:<mls@example.com>\r\nRCPT TO:<alice@example.com>\r\nRCPT TO:<root>\r\n" \
	"RCPT TO:<carol@example.com>\r\n"
#define SENT "DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n"

static const Case cases[] = {
	{"accepted", {NULL}, 0, "AAA", "", "EHLO here\r\n" ENVELOPE SENT "QUIT\r\n"},
	{"an answer of several lines", {.end = "250-one\r\n250-two\r\n250 three"}, 0, "AAA", "",
		"EHLO here\r\n" ENVELOPE SENT "QUIT\r\n"},
	{"an answer without text", {.mail = "250", .rcpt = {"250"}, .end = "250"}, 0, "AAA", ""},
	{"251 is a yes", {.rcpt = {"251 will forward"}}, 0, "AAA", ""},
	{"HELO will do", {.ehlo = "250 mail.example.com"}, 0, "AAA", ""},
	{"the server hangs at QUIT", {.quit = HANG}, 0, "AAA", ""},
	{"the server closes at QUIT", {.quit = CLOSE}, 0, "AAA", ""},

	{"banner 4xx", {.banner = "450 busy"}, DOWN, "LLL", "the server says: 450 busy"},
	{"banner 421", {.banner = "421 busy"}, DOWN, "LLL", "the server says: 421 busy"},
	{"banner 5xx", {.banner = "554 no service"}, DOWN, "LLL",
		"the server says: 554 no service"},
	{"banner hangs", {.banner = HANG}, DOWN, "LLL", "the server has said nothing for 2 s"},
	{"closed before the banner", {.banner = CLOSE}, DOWN, "LLL", "closed the connection"},
	{"no SMTP at all", {.banner = NO_SMTP}, DOWN, "LLL", ""},
	{"EHLO 4xx", {.ehlo = "450 busy"}, DOWN, "LLL", "the server says: 450 busy"},
	{"EHLO 5xx", {.ehlo = "550 go away"}, DOWN, "LLL", "the server says: 550 go away"},
	{"EHLO hangs", {.ehlo = HANG}, DOWN, "LLL", "the server has said nothing for 2 s"},
	{"closed at EHLO", {.ehlo = CLOSE}, DOWN, "LLL", "closed the connection"},

	{"MAIL 4xx", {.mail = "452 4.3.1 disk full"}, 0, "LLL", "MAIL FROM: 452 4.3.1 disk full",
		"EHLO here\r\nMAIL FROM:<mls@example.com>\r\nQUIT\r\n"},
	{"MAIL 5xx", {.mail = "550 5.7.1 no"}, 0, "RRR", "MAIL FROM: 550 5.7.1 no",
		"EHLO here\r\nMAIL FROM:<mls@example.com>\r\nQUIT\r\n"},
	{"MAIL 421", {.mail = "421 4.3.2 ends"}, DOWN, "LLL", "MAIL FROM: 421 4.3.2 ends"},
	{"MAIL 530", {.mail = "530 5.7.0 Must issue a STARTTLS command first"}, DOWN, "LLL",
		"MAIL FROM: 530 5.7.0"},
	{"MAIL 3xx", {.mail = "354 what"}, DOWN, "LLL", "MAIL FROM: 354 what"},
	{"MAIL garbage", {.mail = "fine"}, DOWN, "LLL",
		"MAIL FROM: the server's answer is not SMTP"},
	{"MAIL with a code of two digits", {.mail = "25 fine"}, DOWN, "LLL", "is not SMTP"},
	{"MAIL with a code of four digits", {.mail = "2500 fine"}, DOWN, "LLL", "is not SMTP"},
	{"MAIL hangs", {.mail = HANG}, DOWN, "LLL", "MAIL FROM: the server does not answer"},
	{"closed at MAIL", {.mail = CLOSE}, DOWN, "LLL", "MAIL FROM: the server has closed"},

	{"RCPT 4xx for all", {.rcpt = {"450 a", "451 b", "452 c"}}, 0, "LLL",
		"RCPT TO:<alice@example.com>: 450 a; RCPT TO:<root>: 451 b; "
		"RCPT TO:<carol@example.com>: 452 c",
		"EHLO here\r\n" ENVELOPE "QUIT\r\n"},
	{"RCPT 5xx for all", {.rcpt = {"550 a", "550 b", "550 c"}}, 0, "RRR",
		"RCPT TO:<alice@example.com>: 550 a; RCPT TO:<root>: 550 b; "
		"RCPT TO:<carol@example.com>: 550 c",
		"EHLO here\r\n" ENVELOPE "QUIT\r\n"},
	{"RCPT 5xx for the first", {.rcpt = {"550 5.1.1 who?"}}, 0, "RAA",
		"RCPT TO:<alice@example.com>: 550 5.1.1 who?",
		"EHLO here\r\n" ENVELOPE SENT "QUIT\r\n"},
	{"RCPT 4xx for one, 5xx for another", {.rcpt = {NULL, "450 later", "550 never"}}, 0, "ALR",
		"RCPT TO:<root>: 450 later; RCPT TO:<carol@example.com>: 550 never",
		"EHLO here\r\n" ENVELOPE SENT "QUIT\r\n"},
	{"RCPT 421", {.rcpt = {"550 no", "421 ends"}}, DOWN, "RLL", "RCPT TO:<root>: 421 ends"},
	{"RCPT hangs", {.rcpt = {NULL, HANG}}, DOWN, "LLL",
		"RCPT TO:<root>: the server does not answer"},
	{"closed at RCPT", {.rcpt = {NULL, NULL, CLOSE}}, DOWN, "LLL",
		"RCPT TO:<carol@example.com>: the server has closed"},

	{"DATA 4xx", {.data = "451 later"}, 0, "LLL", "DATA: 451 later"},
	{"DATA 5xx", {.rcpt = {"450 x"}, .data = "554 no"}, 0, "LRR", "DATA: 554 no"},
	{"DATA 2xx", {.data = "250 what"}, DOWN, "LLL", "DATA: 250 what"},
	{"DATA 421", {.data = "421 ends"}, DOWN, "LLL", "DATA: 421 ends"},
	{"DATA hangs", {.data = HANG}, DOWN, "LLL", "DATA: the server does not answer"},
	{"closed at DATA", {.data = CLOSE}, DOWN, "LLL", "DATA: the server has closed"},

	{"the message 4xx", {.end = "451 4.7.1 greylisted"}, 0, "LLL",
		"the message: 451 4.7.1 greylisted", "EHLO here\r\n" ENVELOPE SENT "QUIT\r\n"},
	{"the message 5xx", {.end = "554 5.7.1 spam"}, 0, "RRR", "the message: 554 5.7.1 spam"},
	{"the message 5xx, after a recipient was", {.rcpt = {"450 x"}, .end = "552 too big"}, 0,
		"LRR", "RCPT TO:<alice@example.com>: 450 x; the message: 552 too big"},
	{"the message 421", {.end = "421 ends"}, DOWN, "LLL", "the message: 421 ends"},
	{"the message hangs", {.end = HANG}, DOWN, "LLL",
		"the message: the server does not answer"},
	{"closed after the message", {.rcpt = {NULL, "550 no"}, .end = CLOSE}, DOWN, "LRL",
		"the message: the server has closed"},

	{"SIZE is told", {.ehlo = "250-mail.example.com\r\n250 SIZE 10240000"}, 0, "AAA", "",
		"EHLO here\r\nMAIL FROM:<mls@example.com> SIZE=21\r\n"
		"RCPT TO:<alice@example.com>\r\nRCPT TO:<root>\r\n"
		"RCPT TO:<carol@example.com>\r\n" SENT "QUIT\r\n"},
	{"SIZE without a limit", {.ehlo = "250-mail.example.com\r\n250-size\r\n250 8BITMIME"}, 0,
		"AAA", ""},
	{"SIZE 0", {.ehlo = "250-mail.example.com\r\n250-SIZE 0\r\n250 8BITMIME"}, 0, "AAA", ""},
	{"over the SIZE", {.ehlo = "250-mail.example.com\r\n250-SIZE 20\r\n250 8BITMIME"}, 0, "RRR",
		"the message has 21 bytes, the server takes 20", "EHLO here\r\nQUIT\r\n"},
	{"just the SIZE", {.ehlo = "250-mail.example.com\r\n250-SIZE 21\r\n250 8BITMIME"}, 0, "AAA",
		""},
	{"another extension", {.ehlo = "250-mail.example.com\r\n250-SIZES 20\r\n250 OK"}, 0, "AAA",
		""},
};

/* Time enough for what is answered, and little for what is not. */
#define PATIENT 30000
#define QUICK 2000

static SmtpOptions options_of(char url[64], unsigned answer_ms)
{
	MUST(snprintf(url, 64, "smtp://127.0.0.1:%u/here", port) > 0);
	return (SmtpOptions){.url = url,
		.connect_ms = answer_ms,
		.answer_ms = answer_ms,
		.last_answer_ms = answer_ms,
		.total_ms = 60000};
}

/* An answer that is none is waited behind. */
static bool is_hanging(const Script *script)
{
	const char *const answers[] = {script->banner, script->ehlo, script->mail, script->rcpt[1],
		script->data, script->end};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (answers[i] && (!strcmp(answers[i], HANG) || !strcmp(answers[i], NO_SMTP)))
			return true;
	return false;
}

static void letters_of(const Delivery deliveries[3], char letters[4])
{
	for (size_t i = 0; i < 3; i++)
		letters[i] = "?ALR"[deliveries[i]];
	letters[3] = '\0';
}

static void run_case(const Case *one)
{
	_cleanup_strbuf_ StrBuf heard = STRBUF_INIT;
	Delivery deliveries[3] = {DELIVERY_NONE};
	char url[64], letters[4];
	SmtpOptions options = options_of(url, is_hanging(&one->script) ? QUICK : PATIENT);
	pid_t server;
	Why why = {"?"};
	bool ok;
	int r;

	scratch_text("heard", "");
	server = start_server(&one->script);
	r = smtp_send(
		&options, "mls@example.com", three, 3, span_from_string(message), deliveries, &why);
	stop_server(server);
	letters_of(deliveries, letters);
	heard = scratch_read("heard");
	ok = r == one->result && !strcmp(letters, one->deliveries) && strstr(why.text, one->why) &&
	     (*one->why || one->result || !*why.text) &&
	     (!*why.text || !strncmp(why.text, "127.0.0.1:", 10));
	if (one->heard)
		ok = ok && !strcmp(strbuf_text(&heard), one->heard);
	if (!tap_ok(ok, "%s", one->name))
		tap_note("%d %s '%s'; heard '%s'", r, letters, why.text, strbuf_text(&heard));
}

/* ---- the message's bytes --------------------------------------------------------------------- */

static const struct {
	const char *name;
	Span message;
	const char *sent;
} bodies[] = {
	{"dots", SPAN_LITERAL(".\r\n..\r\n.a\r\nb.\r\n"), "..\r\n...\r\n..a\r\nb.\r\n"},
	{"a dot that would end it", SPAN_LITERAL("a\r\n.\r\nMAIL FROM:<x@y>\r\n"),
		"a\r\n..\r\nMAIL FROM:<x@y>\r\n"},
	{"no line end", SPAN_LITERAL("a"), "a\r\n"},
	{"nothing", SPAN_LITERAL(""), ""},
	{"bare LF", SPAN_LITERAL("a\n.\nb\n"), "a\r\n..\r\nb\r\n"},
	{"bare CR", SPAN_LITERAL("a\r.\rb"), "a\r\n..\r\nb\r\n"},
	{"LF and CR mixed", SPAN_LITERAL("a\n.\r\nb\r\n.\nc\r\r\n"),
		"a\r\n..\r\nb\r\n..\r\nc\r\n\r\n"},
	{"CR at the end", SPAN_LITERAL("a\r"), "a\r\n"},
};

static void test_bodies(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_strbuf_ StrBuf heard = STRBUF_INIT, expected = STRBUF_INIT;
		Delivery delivery = DELIVERY_NONE;
		char url[64];
		SmtpOptions options = options_of(url, PATIENT);
		pid_t server;
		int r;

		scratch_text("heard", "");
		server = start_server(&(Script){NULL});
		r = smtp_send(&options, "a@b", &three[1], 1, bodies[i].message, &delivery, NULL);
		stop_server(server);
		heard = scratch_read("heard");
		strbuf_appendf(&expected,
			"EHLO here\r\nMAIL FROM:<a@b>\r\nRCPT TO:<root>\r\nDATA\r\n%s.\r\nQUIT\r\n",
			bodies[i].sent);
		if (!tap_ok(!r && delivery == DELIVERY_ACCEPTED &&
				    !strcmp(strbuf_text(&heard), strbuf_text(&expected)),
			    "%s", bodies[i].name))
			tap_note("%d '%s'", r, strbuf_text(&heard));
	}
}

/* A message of many blocks comes as it is, and a server that ends in the middle of it is understood. */
static void test_large(void)
{
	static const Script early = {.early_end = true, .end = "552 5.3.4 too big"},
			    deaf = {.deaf = true}, well = {NULL};
	_cleanup_strbuf_ StrBuf large = STRBUF_INIT, heard = STRBUF_INIT;
	Delivery delivery = DELIVERY_NONE;
	char url[64];
	SmtpOptions options = options_of(url, PATIENT);
	pid_t server;
	Why why;
	int r;

	for (unsigned i = 0; i < 20000; i++)
		strbuf_appendf(&large,
			"%s line %u of a large message, so that it takes a while\r\n",
			i % 3 ? "" : "..", i);
	MUST(!strbuf_error(&large));

	scratch_text("heard", "");
	server = start_server(&well);
	r = smtp_send(&options, "a@b", &three[1], 1, (Span){large.data, 100000}, &delivery, &why);
	stop_server(server);
	heard = scratch_read("heard");
	tap_ok(!r && delivery == DELIVERY_ACCEPTED && heard.len > 100000, "a large message");

	server = start_server(&early);
	r = smtp_send(
		&options, "a@b", &three[1], 1, (Span){large.data, large.len}, &delivery, &why);
	stop_server(server);
	if (!tap_ok(!r && delivery == DELIVERY_REFUSED && strstr(why.text, "552 5.3.4 too big"),
		    "refused before all of it came"))
		tap_note("%d %d %s", r, (int)delivery, why.text);

	options = options_of(url, QUICK);
	server = start_server(&deaf);
	r = smtp_send(
		&options, "a@b", &three[1], 1, (Span){large.data, large.len}, &delivery, &why);
	stop_server(server);
	if (!tap_ok(r == TRANSPORT_DOWN && delivery == DELIVERY_LATER &&
			    strstr(why.text, "the message: the server does not answer"),
		    "a server that takes no more of it"))
		tap_note("%d %d %s", r, (int)delivery, why.text);
}

/* ---- who is not there, and who is asked to end ----------------------------------------------- */

static void test_nobody(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	Delivery delivery = DELIVERY_NONE;
	SmtpOptions options;
	char url[64];
	Why why;
	int r, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* bound, but nobody listens */
	MUST(fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address)));
	MUST(!getsockname(fd, (struct sockaddr *)&address, &len));
	options = options_of(url, PATIENT);
	MUST(snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", ntohs(address.sin_port)) > 0);
	r = smtp_send(&options, "a@b", three, 1, SPAN_LITERAL("x"), &delivery, &why);
	if (!tap_ok(r == TRANSPORT_DOWN && delivery == DELIVERY_LATER &&
			    strstr(why.text, ": no connection: Connection refused"),
		    "nobody listens"))
		tap_note("%d %s", r, why.text);
	(void)close(fd);
	options.url = "http://127.0.0.1";
	delivery = DELIVERY_ACCEPTED;
	tap_ok(smtp_send(&options, "a@b", three, 1, SPAN_LITERAL("x"), &delivery, &why) ==
				-EINVAL &&
			delivery == DELIVERY_LATER,
		"an address of another kind");
}

/* Nobody takes connections from the queue, which is full: the next one is not answered. */
static void test_no_answer_to_connect(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[4];
	Delivery delivery = DELIVERY_NONE;
	SmtpOptions options;
	char url[64];
	Why why;
	int r;

	MUST(full >= 0 && !bind(full, (struct sockaddr *)&address, sizeof(address)));
	MUST(!listen(full, 0) && !getsockname(full, (struct sockaddr *)&address, &len));
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		MUST(waiting[i] >= 0);
		MUST(!connect(waiting[i], (struct sockaddr *)&address, sizeof(address)) ||
			errno == EINPROGRESS);
	}
	options = options_of(url, PATIENT);
	options.connect_ms = QUICK;
	MUST(snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", ntohs(address.sin_port)) > 0);
	r = smtp_send(&options, "a@b", three, 1, SPAN_LITERAL("x"), &delivery, &why);
	if (!tap_ok(r == TRANSPORT_DOWN && delivery == DELIVERY_LATER &&
			    strstr(why.text, ": no connection after 2 s"),
		    "a host that does not answer"))
		tap_note("%d %s", r, why.text);
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		(void)close(waiting[i]);
	(void)close(full);
}

/* Sends the parent a signal when the server has heard the text. */
static pid_t start_killer(int sig, const char *heard)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid)
		return pid;
	for (unsigned i = 0; i < 3000; i++) {
		_cleanup_strbuf_ StrBuf sb = scratch_read("heard");

		if (strstr(strbuf_text(&sb), heard))
			break;
		(void)usleep(10000);
	}
	(void)kill(getppid(), sig);
	_exit(0);
}

static void test_interrupted(void)
{
	static const struct {
		Script script;
		const char *heard; /* until it hangs */
	} hanging[] = {
		{{.banner = HANG}, ""},
		{{.ehlo = HANG}, "EHLO"},
		{{.mail = HANG}, "MAIL"},
		{{.end = HANG}, "\r\n.\r\n"},
		{{.deaf = true}, "DATA"},
		{{.rcpt = {"550 no"}, .end = HANG}, "\r\n.\r\n"},
	};
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t blocked, before;

	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(&blocked, signals[i]);
	for (size_t i = 0; i < ARRAY_SIZE(hanging); i++) {
		Delivery deliveries[3];
		char url[64], letters[4];
		SmtpOptions options = options_of(url, PATIENT);
		pid_t server, killer;
		int r, sig;
		Why why;

		scratch_text("heard", "");
		server = start_server(&hanging[i].script);
		MUST(!sigprocmask(SIG_BLOCK, &blocked, &before));
		killer = start_killer(signals[i % ARRAY_SIZE(signals)], hanging[i].heard);
		r = smtp_send(
			&options, "a@b", three, 3, span_from_string(message), deliveries, &why);
		MUST(waitpid(killer, NULL, 0) == killer);
		MUST(!sigwait(&blocked, &sig));
		MUST(!sigprocmask(SIG_SETMASK, &before, NULL));
		stop_server(server);
		letters_of(deliveries, letters);
		if (!tap_ok(r == -EINTR && strstr(why.text, "interrupted") &&
				    !strcmp(letters, hanging[i].script.rcpt[0] ? "RLL" : "LLL"),
			    "signal %d while it hangs, %zu", sig, i))
			tap_note("%d %s %s", r, letters, why.text);
	}
}

/* ---- addresses of servers -------------------------------------------------------------------- */

static const struct {
	const char *url;
	const char *why; /* or what is read */
	bool good;
} urls[] = {
	{"smtp://localhost", "0 localhost 25 - here", true},
	{"smtp://localhost:25", "0 localhost 25 - here", true},
	{"SMTP://LocalHost/", "0 LocalHost 25 - here", true},
	{"smtp://127.3.2.1:2525/mail.example.com", "0 127.3.2.1 2525 mail.example.com here", true},
	{"smtp://[::1]", "0 [::1] 25 - here", true},
	{"smtp://[::1]:587/[192.0.2.1]", NULL, false},
	{"smtp://[2001:db8::1]:587", "0 [2001:db8::1] 587 - there", true},
	{"smtp://192.0.2.1", "0 192.0.2.1 25 - there", true},
	{"smtp://localhost.example", "0 localhost.example 25 - there", true},
	{"smtp://128.0.0.1", "0 128.0.0.1 25 - there", true},
	{"smtp+starttls://mail.example.com", "1 mail.example.com 587 - there", true},
	{"smtps://mail.example.com", "2 mail.example.com 465 - there", true},
	{"smtps://mail.example.com:1/x_y-z", "2 mail.example.com 1 x_y-z there", true},
	{"", "does not begin with smtp://, smtp+starttls:// or smtps://", false},
	{"localhost", "does not begin with smtp://, smtp+starttls:// or smtps://", false},
	{"http://localhost", "does not begin with smtp://, smtp+starttls:// or smtps://", false},
	{"smtp://", "names no host", false},
	{"smtp:///x", "names no host", false},
	{"smtp://:25", "names no host", false},
	{"smtp://u:p@localhost", "holds a user name, which has an option of its own", false},
	{"smtp://localhost:", "has no number from 1 to 65535 as port", false},
	{"smtp://localhost:0", "has no number from 1 to 65535 as port", false},
	{"smtp://localhost:65536", "has no number from 1 to 65535 as port", false},
	{"smtp://localhost:25x", "has no number from 1 to 65535 as port", false},
	{"smtp://[::1]x", "has no number from 1 to 65535 as port", false},
	{"smtp://[::1", "names no host in a form that is known", false},
	{"smtp://[127.0.0.1]", "names no host in a form that is known", false},
	{"smtp://a b", "names no host in a form that is known", false},
	{"smtp://a\r\nb", "names no host in a form that is known", false},
	{"smtp://a%20b", "names no host in a form that is known", false},
	{"smtp://-x", "names no host in a form that is known", false},
	{"smtp://b\xc3\xbc"
	 "cher.example",
		"names no host in a form that is known", false},
	{"smtp://localhost/a/b", "has no host name behind its last /", false},
	{"smtp://localhost/a%0d", "has no host name behind its last /", false},
	{"smtp://localhost?x", "has a ? or # behind the host", false},
};

static void test_urls(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		char text[sizeof(Why)];
		SmtpUrl url;
		Why why;
		int r = smtp_url_parse(urls[i].url, &url, &why);

		if (!r)
			(void)snprintf(text, sizeof(text), "%d %.*s %u %.*s %s", (int)url.tls,
				(int)url.host.len, url.host.data, (unsigned)url.port,
				url.name.data ? (int)url.name.len : 1,
				url.name.data ? url.name.data : "-",
				url.this_host ? "here" : "there");
		else
			(void)snprintf(text, sizeof(text), "%s", why.text);
		if (!tap_ok(r == (urls[i].good ? 0 : -EINVAL) &&
				    (!urls[i].why || !strcmp(text, urls[i].why)),
			    "address %zu", i))
			tap_note("'%s': %d '%s'", urls[i].url, r, text);
	}
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	scratch_enter();
	start_listening();
	test_urls();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i]);
	test_bodies();
	test_large();
	test_nobody();
	test_no_answer_to_connect();
	test_interrupted();
	return tap_done();
}
