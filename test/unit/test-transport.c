/* SPDX-License-Identifier: GPL-3.0-or-later */

/* sendmail, played by scripts that write down what they got, and password files. */

#include "report/transport.h"

#include "base/password.h"
#include "report/sendmail.h"
#include "scratch.h"
#include "tap.h"

#define RECORD "#!/bin/sh\nprintf '[%s]' \"$@\" >arguments\ncat >message\n"

static const char *const both[] = {"alice@example.com", "root"};
static const char message[] = "Subject: x\r\n\r\n.\r\nFrom hello\r\nlast\r\n";

static const struct {
	const char *name;
	const char *program;
	int result;
	Delivery delivery;
	const char *why;
} cases[] = {
	{"accepted", RECORD, 0, DELIVERY_ACCEPTED, ""},
	{"what it says when all is well is not asked for", RECORD "echo queued", 0,
		DELIVERY_ACCEPTED, ""},
	{"it need not read the message", "#!/bin/sh\nexit 0", 0, DELIVERY_ACCEPTED, ""},
	{"temporary failure", "#!/bin/sh\necho 'queue is full' >&2; exit 75", 0, DELIVERY_LATER,
		"./sendmail failed with exit status 75: queue is full"},
	{"no such user", "#!/bin/sh\necho who; exit 67", 0, DELIVERY_REFUSED,
		"./sendmail failed with exit status 67: who"},
	{"no such host", "#!/bin/sh\nexit 68", 0, DELIVERY_REFUSED,
		"./sendmail failed with exit status 68"},
	{"a bad message", "#!/bin/sh\nexit 65", 0, DELIVERY_REFUSED,
		"./sendmail failed with exit status 65"},
	{"wrong usage", "#!/bin/sh\nexit 64", 0, DELIVERY_LATER,
		"./sendmail failed with exit status 64"},
	{"not available", "#!/bin/sh\nexit 69", 0, DELIVERY_LATER,
		"./sendmail failed with exit status 69"},
	{"a bad configuration", "#!/bin/sh\nexit 78", 0, DELIVERY_LATER,
		"./sendmail failed with exit status 78"},
	{"an exit status of no meaning", "#!/bin/sh\nexit 1", 0, DELIVERY_LATER,
		"./sendmail failed with exit status 1"},
	{"killed", "#!/bin/sh\nkill -SEGV $$", 0, DELIVERY_LATER,
		"./sendmail was killed by signal 11"},
	{"blanks at the end of what it says", "#!/bin/sh\nprintf 'no \\n\\n'; exit 75", 0,
		DELIVERY_LATER, "./sendmail failed with exit status 75: no"},
	{"it talks without end", "#!/bin/sh\nyes no | head -c 300000; exit 75", 0, DELIVERY_LATER,
		NULL},
	{"it leaves somebody behind who keeps its output",
		"#!/bin/sh\nsleep 30 & echo $! >behind; exit 0", 0, DELIVERY_ACCEPTED, ""},
	{"it does not end", "#!/bin/sh\nexec sleep 30", TRANSPORT_DOWN, DELIVERY_LATER,
		"./sendmail did not end within 1 s"},
	{"it does not even end when it is told to",
		"#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done", TRANSPORT_DOWN,
		DELIVERY_LATER, "./sendmail did not end within 1 s"},
	{"it was about to end", "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 0.1; done", 0,
		DELIVERY_ACCEPTED, ""},
	{"no such program", NULL, TRANSPORT_DOWN, DELIVERY_LATER,
		"./sendmail: No such file or directory"},
	{"not a program", "", TRANSPORT_DOWN, DELIVERY_LATER, "./sendmail: Exec format error"},
};

static void put_program(const char *text)
{
	scratch_empty();
	if (!text)
		return;
	scratch_text("sendmail", text);
	MUST(!chmod("sendmail", 0755));
}

static void test_sendmail(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		Delivery deliveries[2] = {DELIVERY_NONE, DELIVERY_NONE};
		/* time enough for what ends, and little for what does not */
		unsigned total_ms = cases[i].why && strstr(cases[i].why, "within") ? 1000 : 20000;
		Why why = {"?"};
		int r;

		/* valgrind's vfork(2) is a fork(2), through which no exec's failure comes back */
		if (cases[i].result && getenv("MLS_TEST_SMALL") && !strstr(cases[i].why, "within"))
			continue;
		/* a shell must have got to its trap */
		if (strstr(cases[i].name, "about to"))
			total_ms = 4000;
		put_program(cases[i].program);
		r = sendmail_send("./sendmail", total_ms, "mls@example.com", both, 2,
			span_from_string(message), deliveries, &why);
		if (!tap_ok(r == cases[i].result && deliveries[0] == cases[i].delivery &&
				    deliveries[1] == cases[i].delivery &&
				    (!cases[i].why || !strcmp(why.text, cases[i].why)),
			    "sendmail: %s", cases[i].name))
			tap_note("%d %d %d '%s'", r, (int)deliveries[0], (int)deliveries[1],
				why.text);
		if (!access("behind", F_OK))
			scratch_run("kill $(cat behind)");
	}
}

static bool holds(const char *path, const char *text)
{
	return scratch_holds(path, text, strlen(text));
}

static void test_what_it_gets(void)
{
	static const TransportOptions options = {.sendmail = true, .sendmail_path = "./sendmail"};
	static const char *const odd[] = {"-oQ/tmp@example.com", "\"a b\"@example.com"};
	Delivery deliveries[2];
	sigset_t blocked, before;
	Why why;

	put_program(RECORD);
	tap_ok(!transport_send(&options, "mls@example.com", both, 2, span_from_string(message),
		       deliveries, &why) &&
			deliveries[1] == DELIVERY_ACCEPTED,
		"a message goes through sendmail");
	tap_ok(holds("arguments", "[-i][-f][mls@example.com][--][alice@example.com][root]"),
		"what it is called with");
	tap_ok(holds("message", "Subject: x\n\n.\nFrom hello\nlast\n"), "what it reads");

	put_program(RECORD);
	tap_ok(!transport_send(&options, "-f@example.com", odd, 2, SPAN_LITERAL("a\r\nb\rc\nd"),
		       deliveries, &why) &&
			holds("arguments", "[-i][-f][-f@example.com][--][-oQ/tmp@example.com][\"a "
					   "b\"@example.com]"),
		"an address is no option");
	tap_ok(holds("message", "a\nb\nc\nd"), "line ends of all kinds");

	/* The caller holds signals back, sendmail does not; SIGPIPE is not ignored either. */
	put_program("#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status >signals\n");
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGTERM);
	MUST(!sigprocmask(SIG_BLOCK, &blocked, &before));
	(void)transport_send(&options, "a@b", both, 1, SPAN_LITERAL("x"), deliveries, &why);
	MUST(!sigprocmask(SIG_SETMASK, &before, NULL));
	scratch_run("awk '$1 == \"SigBlk:\" { print $2 }' signals >blocked");
	scratch_run("awk '$1 == \"SigIgn:\" { print substr($2, 13) }' signals >ignored");
	tap_ok(holds("blocked", "0000000000000000\n"), "it holds no signal back");
	tap_ok(holds("ignored", "0000\n"), "it ignores no SIGPIPE");
}

static void test_interrupted(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t blocked, before;

	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(&blocked, signals[i]);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		Delivery delivery = DELIVERY_NONE;
		int r, sig;
		Why why;

		put_program("#!/bin/sh\necho $$ >pid\nexec sleep 30");
		MUST(!sigprocmask(SIG_BLOCK, &blocked, &before));
		MUST(!raise(signals[i]));
		r = sendmail_send(
			"./sendmail", 20000, "a@b", both, 1, SPAN_LITERAL("x"), &delivery, &why);
		MUST(!sigwait(&blocked, &sig));
		MUST(!sigprocmask(SIG_SETMASK, &before, NULL));
		if (!tap_ok(r == -EINTR && delivery == DELIVERY_LATER &&
				    !strcmp(why.text, "./sendmail: interrupted"),
			    "signal %d while sendmail works", signals[i]))
			tap_note("%d %s", r, why.text);
		/* it may have been told before it was there */
		if (!access("pid", F_OK))
			scratch_run("! kill -0 $(cat pid) 2>/dev/null");
	}
}

static const struct {
	const char *name, *content;
	mode_t mode;
	int result; /* of a check; and of sending, where it is 0 and why is not NULL */
	const char *why;
} passwords[] = {
	{"for the owner alone", "secret\n", 0600, 0, NULL},
	{"for the group, too", "secret\n", 0640, 0, NULL},
	{"for all", "secret\n", 0644, -EACCES,
		"can be read by everybody on this host (chmod o= would change that)"},
	{"writable for all", "secret\n", 0602, -EACCES,
		"can be read by everybody on this host (chmod o= would change that)"},
	{"empty", "", 0600, 0, "password: holds no password in its first line"},
	{"an empty line", "\nsecret\n", 0600, 0, "password: holds no password in its first line"},
	{"not there", NULL, 0, -ENOENT, "No such file or directory"},
};

static void test_passwords(void)
{
	/* What is wrong with a password file is said before anybody is asked. */
	TransportOptions options = {
		.url = "smtp://127.0.0.1:1", .user = "mls", .password_file = "password"};
	_cleanup_strbuf_ StrBuf large = STRBUF_INIT;
	Delivery delivery;
	Why why;

	for (size_t i = 0; i < ARRAY_SIZE(passwords); i++) {
		const char *expected = passwords[i].why ? passwords[i].why : "";
		int r;

		scratch_empty();
		if (passwords[i].content) {
			scratch_text("password", passwords[i].content);
			MUST(!chmod("password", passwords[i].mode));
		}
		why = (Why){""};
		r = password_check_file("password", &why);
		if (!tap_ok(r == passwords[i].result && (!r || !strcmp(why.text, expected)),
			    "password file: %s", passwords[i].name))
			tap_note("%d '%s'", r, why.text);
		r = transport_send(&options, "a@b", both, 1, SPAN_LITERAL("x"), &delivery, &why);
		if (!tap_ok(r == (passwords[i].result       ? passwords[i].result
					 : passwords[i].why ? -EINVAL
							    : TRANSPORT_DOWN) &&
				    delivery == DELIVERY_LATER && strstr(why.text, expected),
			    "sending with a password file: %s", passwords[i].name))
			tap_note("%d '%s'", r, why.text);
	}
	for (unsigned i = 0; i < 1025; i++)
		strbuf_append_char(&large, 'x');
	scratch_text("password", strbuf_text(&large));
	MUST(!chmod("password", 0600));
	tap_ok(password_check_file("password", &why) == -EFBIG, "a file that is too long");
	MUST(!unlink("password") && !mkfifo("password", 0600));
	tap_ok(password_check_file("password", &why) == -EINVAL &&
			!strcmp(why.text, "is not a regular file"),
		"a FIFO is not waited for");
	options.password_file = NULL;
	tap_ok(transport_send(&options, "a@b", both, 1, SPAN_LITERAL("x"), &delivery, &why) ==
				-EINVAL &&
			!strcmp(why.text, "there is a user, but no file with a password"),
		"a user without a password");
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	scratch_enter();
	test_sendmail();
	test_what_it_gets();
	test_interrupted();
	test_passwords();
	return tap_done();
}
