/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/status.h"

#include "scratch.h"
#include "tap.h"

/* Borrowed texts: status_done() is not for it. */
static Status sample(void)
{
	static StatusLog logs[] = {
		{"/var/log/mail.log", true, 1, 2, 18446744073709551615u, NULL, 1700000000000001,
			{1, 2, 3, 4, 5, 6, 7}},
		{"/x\n\x1b[31m\xff\\x41 y", false, 0, 0, 0, NULL, 0, {0}},
		{"journal", true, 0, 0, 0, "s=1;i=2 \n", 5, {.lost = 1}},
	};
	static StatusDatabase databases[] = {
		{"country", "/db/c\n.mmdb", true, true, 1690000000000000, 3, 18446744073709551615u,
			1700000000000001},
		{"asn", "", false, false, 0, 0, 0, 0},
	};
	static StatusWarning warnings[] = {
		{1700000000000000, "missing:/x\ny", "/x\ny: is not there"},
		{5, "paused", ""},
	};

	return (Status){
		.version = "2.0.0",
		.pid = 4711,
		.started_us = 1690000000000000,
		.stopped_us = 7,
		.generation = 35,
		.reloaded_us = 36,
		.reload_error = "/etc/x.conf:1: a\nb",
		.committed_us = 1700000000000002,
		.rows = 8,
		.waiting = 9,
		.paused = "csv: No space left on device\nversion 3",
		.source = "file",
		.gone = {11, 12, 13, 14, 15, 16, 17},
		.dns = {21, true, false, {22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
			{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 32, 33, 34},
		.logs = logs,
		.log_count = ARRAY_SIZE(logs),
		.databases = databases,
		.database_count = ARRAY_SIZE(databases),
		.sql = {"/x\n/sql", 37, 38, 39, 40},
		.warnings = warnings,
		.warning_count = ARRAY_SIZE(warnings),
		.more_warnings = 10,
	};
}

static StrBuf text_of(const Status *status)
{
	StrBuf sb = STRBUF_INIT;

	status_append(status, &sb);
	MUST(!strbuf_error(&sb));
	return sb;
}

static void write_sample(int *lock_fd)
{
	Status status = sample();
	_cleanup_strbuf_ StrBuf text = text_of(&status);

	MUST(!status_write("status", (Span){text.data, text.len}, 1700000000000003, lock_fd));
}

static void test_same(void)
{
	_cleanup_status_ Status got = STATUS_INIT;
	_cleanup_close_ int lock_fd = -1;
	_cleanup_strbuf_ StrBuf before = STRBUF_INIT, after = STRBUF_INIT;
	Status status = sample();
	bool running = false;
	struct stat st;
	Why why = {""};
	int r;

	scratch_empty();
	write_sample(&lock_fd);
	r = status_read("status", &got, &running, &why);
	if (!tap_ok(!r && running && got.written_us == 1700000000000003, "what is written is read"))
		tap_note("%d %s", r, why.text);
	before = text_of(&status);
	after = text_of(&got);
	tap_ok(before.len == after.len && !memcmp(before.data, after.data, after.len), "all of it");
	tap_ok(!strcmp(got.logs[1].path, status.logs[1].path) &&
			!strcmp(got.paused, status.paused) &&
			!strcmp(got.reload_error, status.reload_error) &&
			!strcmp(got.warnings[0].key, status.warnings[0].key) &&
			!strcmp(got.warnings[1].text, "") && !got.logs[0].cursor &&
			!strcmp(got.logs[2].cursor, "s=1;i=2 \n"),
		"byte for byte");
	tap_ok(got.gone.lost == 17 && got.logs[0].counters.lost == 7 &&
			status_sum(&got).lines == 12 && status_sum(&got).lost == 25,
		"the sum has what is not followed any more");
	tap_ok(got.dns.enabled && !got.dns.dead && got.dns.counts.lookups == 22 &&
			got.dns.counts.off == 31 && got.dns.before.cache_hits == 2 &&
			got.dns.cached == 34,
		"what reverse DNS has done");
	tap_ok(!strcmp(got.sql.path, status.sql.path) && got.sql.files == 37 &&
			got.sql.bytes == 38 && got.sql.oldest_us == 39 && got.sql.imported_us == 40,
		"the files of SQL");
	MUST(!stat("status", &st));
	tap_ok((st.st_mode & 07777) == 0644, "everybody may read it");
	tap_ok(access("status.tmp", F_OK) < 0, "nothing is left beside it");
}

/* Whoever reads is another process: a lock does not show to whom it belongs. */
static int running_for_another(void)
{
	pid_t pid = fork();
	int result;

	MUST(pid >= 0);
	if (!pid) {
		Status got = STATUS_INIT;
		bool running = false;
		int r = status_read("status", &got, &running, NULL);

		status_done(&got);
		_exit(r ? 9 : running);
	}
	MUST(waitpid(pid, &result, 0) == pid && WIFEXITED(result));
	return WEXITSTATUS(result);
}

static void test_running(void)
{
	_cleanup_close_ int lock_fd = -1;
	int pipes[2], result;
	pid_t pid;
	char byte;

	scratch_empty();
	write_sample(&lock_fd);
	write_sample(&lock_fd);
	tap_ok(running_for_another() == 1, "its writer runs, also after the second version");
	(void)close(take_fd(&lock_fd));
	tap_ok(running_for_another() == 0, "and then not");
	MUST(!pipe2(pipes, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		write_sample(&lock_fd);
		MUST(write(pipes[1], "x", 1) == 1);
		for (;;)
			(void)pause();
	}
	MUST(read(pipes[0], &byte, 1) == 1);
	tap_ok(running_for_another() == 1, "another one runs");
	MUST(!kill(pid, SIGKILL) && waitpid(pid, &result, 0) == pid);
	tap_ok(running_for_another() == 0, "and is killed");
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	/* As an attacker who may read the file would. */
	lock_fd = open("status", O_RDONLY | O_CLOEXEC);
	MUST(lock_fd >= 0 && !fcntl(lock_fd, F_OFD_SETLK, &(struct flock){.l_type = F_RDLCK}));
	tap_ok(running_for_another() == 0, "a reader's lock does not count");
	result = -1;
	write_sample(&result);
	tap_ok(result >= 0 && running_for_another() == 1, "nor does it keep the writer from it");
	(void)close(result);
}

static const struct {
	const char *name;
	const char *text;
	int result;
	const char *why;
} rows[] = {
	{"nothing", "", -EBADMSG, "not a status of this program"},
	{"something else", "hello\nend\n", -EBADMSG, "not a status of this program"},
	{"a newer version", "maillogsentinel-status 2\nend\n", -EBADMSG,
		"written by a newer version of this program"},
	{"no version", "maillogsentinel-status x\nend\n", -EBADMSG, "not a status of this program"},
	{"version 0", "maillogsentinel-status 0\nend\n", -EBADMSG, "not a status of this program"},
	{"the name alone", "maillogsentinel-status ", -EBADMSG, "not a status of this program"},
	{"cut", "maillogsentinel-status 1\nversion 2\n", -EBADMSG, "it is cut short"},
	{"the least", "maillogsentinel-status 1\nversion 2\nend\n", 0, ""},
	{"what is not known", "maillogsentinel-status 1\nversion 2\nnew thing\nend\n", 0, ""},
	{"without a version", "maillogsentinel-status 1\npid 2\nend\n", -EBADMSG,
		"a line of it can't be read"},
	{"a number that is none", "maillogsentinel-status 1\nversion 2\npid 2x\nend\n", -EBADMSG,
		"a line of it can't be read"},
	{"a line without a value", "maillogsentinel-status 1\nversion 2\npid\nend\n", -EBADMSG,
		"a line of it can't be read"},
	{"counters of no log",
		"maillogsentinel-status 1\nversion 2\ncounters lines=1 failures=1 successes=1 "
		"outages=1 aborted=1 skipped=1\nend\n",
		-EBADMSG, "a line of it can't be read"},
	{"a place of no log", "maillogsentinel-status 1\nversion 2\nplace file=1:2 offset=3\nend\n",
		-EBADMSG, "a line of it can't be read"},
	{"a warning without text", "maillogsentinel-status 1\nversion 2\nwarning 1 key\nend\n",
		-EBADMSG, "a line of it can't be read"},
	{"a warning without key", "maillogsentinel-status 1\nversion 2\nwarning 1 \ntext x\nend\n",
		-EBADMSG, "a line of it can't be read"},
	{"a text of no warning", "maillogsentinel-status 1\nversion 2\ntext x\nend\n", -EBADMSG,
		"a line of it can't be read"},
};

static void test_foreign(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_status_ Status got = STATUS_INIT;
		Why why = {""};
		bool running;
		int r;

		scratch_empty();
		scratch_text("status", rows[i].text);
		r = status_read("status", &got, &running, &why);
		if (!tap_ok(r == rows[i].result && !strcmp(why.text, rows[i].why), "%s",
			    rows[i].name))
			tap_note("%d %s", r, why.text);
	}
	scratch_empty();
	tap_ok(status_read("status", &(Status){0}, &(bool){0}, NULL) == -ENOENT, "no file");
}

/* Each prefix of a whole file is something else, and no more than that. */
static void test_prefixes(void)
{
	_cleanup_close_ int lock_fd = -1;
	_cleanup_strbuf_ StrBuf whole = STRBUF_INIT;
	size_t wrong = 0;

	scratch_empty();
	write_sample(&lock_fd);
	whole = scratch_read("status");
	for (size_t len = 0; len < whole.len; len++) {
		Status got = STATUS_INIT;
		bool running;

		scratch_write("status", whole.data, len);
		wrong += status_read("status", &got, &running, NULL) != -EBADMSG;
		status_done(&got);
	}
	tap_ok(!wrong, "every prefix of a file is refused");
}

int main(void)
{
	scratch_enter();
	test_same();
	test_running();
	test_foreign();
	test_prefixes();
	return tap_done();
}
