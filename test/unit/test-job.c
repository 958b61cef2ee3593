/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: no-valgrind */
/* Its /proc/self/exe, which a job runs, is valgrind's own. */
#include "daemon/job.h"

#include <dirent.h>
#include <sys/mman.h>

#include "daemon/log.h"
#include "scratch.h"
#include "tap.h"

#define DEADLINE_MS 60000

/* ---- as the job: this program is started anew with "-c FILE" -------------------------------- */

static void look(const char *config_path)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	Config *config = NULL;
	struct sigaction action;
	sigset_t mask;
	char link[100];
	ssize_t n;
	int r = config_load(config_path, &config, &errors), seals = fcntl(3, F_GET_SEALS);
	unsigned ignored = 0, blocked = 0, descriptors = 0;
	DIR *dir = opendir("/proc/self/fd");

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		descriptors += entry->d_name[0] != '.';
	(void)closedir(dir);
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < NSIG; i++) {
		blocked += sigismember(&mask, i) == 1;
		ignored += !sigaction(i, NULL, &action) && action.sa_handler == SIG_IGN;
	}
	n = readlink("/proc/self/fd/0", link, sizeof(link));
	log_info("stdin %.*s", (int)n, link);
	n = readlink("/proc/self/fd/1", link, sizeof(link));
	log_info("stdout %.*s", (int)MIN(n, (ssize_t)strlen("pipe")), link);
	/* that of the directory is one of them */
	log_info("descriptors %u", descriptors - 1);
	log_info("signals %u ignored, %u blocked", ignored, blocked);
	log_info("configuration %d, log file '%s', logs '%s' '%s', state '%s'%s", r,
		r ? "" : config->general.log_file, r ? "" : config->paths.mail_log[0],
		r ? "" : config->paths.mail_log[1], r ? "" : config->paths.state_dir,
		seals == (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) ? ", sealed"
										    : "");
	log_info("systemd %s%s, priorities %s", getenv("NOTIFY_SOCKET") ? "yes" : "no",
		getenv("WATCHDOG_USEC") ? " yes" : " no", getenv(LOG_PRIORITIES_VARIABLE));
	config_free(config);
}

static int be_job(int argc, char **argv)
{
	const char *act = argc > 3 ? argv[3] : "";

	if (!strcmp(act, "say") && argc > 5) {
		for (int i = 5; i < argc; i++)
			(void)!write(STDERR_FILENO, argv[i], strlen(argv[i]));
		return (int)strtol(argv[4], NULL, 10);
	}
	if (!strcmp(act, "look"))
		look(argv[2]);
	if (!strcmp(act, "many"))
		for (int i = 0; i < 1234; i++)
			fprintf(stderr, "<6>line %d\n", i);
	if (!strcmp(act, "long")) {
		for (int i = 0; i < 100000; i++)
			fputc('x', stderr);
		fprintf(stderr, "\n<6>short\n");
	}
	if (!strcmp(act, "log")) {
		log_error("that went wrong: \x1b[31m \\x41 \xff");
		log_warning("careful");
		log_debug("secret");
		return 1;
	}
	if (!strcmp(act, "die"))
		(void)raise(SIGKILL);
	if (!strcmp(act, "deaf"))
		(void)signal(SIGTERM, SIG_IGN);
	if (!strcmp(act, "sleep") || !strcmp(act, "deaf")) {
		fprintf(stderr, "<6>up\n");
		for (;;)
			(void)pause();
	}
	return 0;
}

/* ---- as the service ------------------------------------------------------------------------- */

static Loop *loop;
static Config *config;

static struct {
	Job *job;
	int ended; /* times */
	int exit_status;
	char reason[5000];
} self;

static void on_ended(void *userdata, int exit_status, const char *reason)
{
	self.ended++;
	self.exit_status = exit_status;
	(void)snprintf(self.reason, sizeof(self.reason), "%s", reason);
	job_free(TAKE(self.job));
	loop_stop(loop);
}

static int start(const char *const *arguments, uint64_t deadline_ms)
{
	JobOptions options = {"test", arguments, deadline_ms, on_ended, NULL};

	MUST(!truncate("log", 0) || errno == ENOENT);
	self.ended = 0;
	return job_start(loop, config, &options, &self.job);
}

/* The log that was written since, without stamps. */
static StrBuf take_log(void)
{
	StrBuf sb = scratch_read("log"), plain = STRBUF_INIT;
	char *line, *rest = sb.data;

	while (rest && (line = strsep(&rest, "\n")) && *line)
		strbuf_appendf(&plain, "%s%s", plain.len ? "|" : "", strchr(line, ' ') + 1);
	strbuf_done(&sb);
	return plain;
}

static void expect(const char *const *arguments, int exit_status, const char *reason,
	const char *log, const char *what)
{
	bool ok = false;

	if (!start(arguments, DEADLINE_MS)) {
		loop_run(loop);
		_cleanup_strbuf_ StrBuf sb = take_log();

		ok = self.ended == 1 && self.exit_status == exit_status &&
		     !strcmp(self.reason, reason) && !strcmp(strbuf_text(&sb), log);
		if (!ok)
			tap_note("%d: '%s', log '%.3000s'", self.exit_status, self.reason,
				strbuf_text(&sb));
	}
	tap_ok(ok, "%s", what);
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_lines(void)
{
	expect(ARGUMENTS("none"), 0, "", "", "nothing is said");
	expect(ARGUMENTS("say", "0", "<6>one\n", "<4>two\n", "<3>three\n", "<7>four\n"), 0, "three",
		"INFO test: one|WARNING test: two|ERROR test: three", "lines have their levels");
	expect(ARGUMENTS("say", "1", "<3>it broke\n", "<6>done\n"), 1, "it broke",
		"ERROR test: it broke|INFO test: done", "a failure's reason is its last error");
	expect(ARGUMENTS("say", "7", "<6>hm\n"), 7, "hm", "INFO test: hm",
		"or the last that it said");
	expect(ARGUMENTS("say", "3", ""), 3, "exit status 3", "", "or its status");
	expect(ARGUMENTS("say", "0", "<6>ha", "lf\n\n<6", ">rest"), 0, "rest",
		"INFO test: half|INFO test: rest",
		"lines come in pieces, the last without its end");
	expect(ARGUMENTS("say", "0", "maillogsentinel: foreign\n", "<9>odd\n", "<\n", "<6>\n"), 0,
		"<", "INFO test: foreign|INFO test: <9>odd|INFO test: <",
		"other lines are information");
	expect(ARGUMENTS("say", "1", "<3>a\x1b[0m\x07 \xff\r\n"), 1, "a\x1b[0m\x07 \xff\r",
		"ERROR test: a\\x1b[0m\\x07 \\xff\\x0d", "hostile bytes are escaped");
	expect(ARGUMENTS("log"), 1, "that went wrong: \x1b[31m \\x41 \xff",
		"ERROR test: that went wrong: \\x1b[31m \\x5cx41 \\xff|WARNING test: careful",
		"what the log has escaped is escaped once");
	expect(ARGUMENTS("die"), 137, "was killed by signal 9 (Killed)", "", "killed");
	expect(ARGUMENTS("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14",
		       "15", "16"),
		0, "", "", "many arguments");
	tap_ok(start(ARGUMENTS("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13",
			     "14", "15", "16", "17"),
		       DEADLINE_MS) == -E2BIG,
		"too many");
}

static void test_limits(void)
{
	_cleanup_strbuf_ StrBuf many = STRBUF_INIT, longer = STRBUF_INIT;
	unsigned lines = 0;

	MUST(!start(ARGUMENTS("many"), DEADLINE_MS));
	loop_run(loop);
	many = take_log();
	for (const char *p = many.data; (p = strstr(p, "test: line")); p++)
		lines++;
	tap_ok(lines == JOB_LINES_MAX && strstr(many.data, "|WARNING test: said 234 lines more") &&
			!strcmp(self.reason, "line 1233"),
		"a talkative one is passed over, and counted");
	MUST(!start(ARGUMENTS("long"), DEADLINE_MS));
	loop_run(loop);
	longer = take_log();
	tap_ok(longer.len < 10000 && strstr(longer.data, "xxx...|INFO test: short"),
		"a long line is cut");
}

static void test_surroundings(void)
{
	MUST(!setenv("NOTIFY_SOCKET", "/nowhere", 1) && !setenv("WATCHDOG_USEC", "1", 1));
	MUST(signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	expect(ARGUMENTS("look"), 0, "systemd no no, priorities 1",
		"INFO test: stdin /dev/null|INFO test: stdout pipe|INFO test: descriptors 4|"
		"INFO test: signals 0 ignored, 0 blocked|INFO test: configuration 0, log file '', "
		"logs '/odd \"quoted\" \\x5cx41\\;# \\x0a \xc3\xa4\\xff' '/b', state "
		"'/nowhere/*', sealed|INFO test: systemd no no, priorities 1",
		"what it finds");
	MUST(!unsetenv("NOTIFY_SOCKET") && !unsetenv("WATCHDOG_USEC"));
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* The process that was started last: this one's only child. */
static pid_t child(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	MUST(!file_read(path, 4096, &sb));
	return (pid_t)strtol(strbuf_text(&sb), NULL, 10);
}

static void end_it(void *userdata)
{
	job_end(self.job);
	job_end(self.job);
}

static void test_ends(void)
{
	_cleanup_(loop_timer_freep) LoopTimer *timer = NULL;
	uint64_t began_ms = loop_now_ms();
	pid_t pid;

	MUST(!start(ARGUMENTS("sleep"), 1000));
	loop_run(loop);
	tap_ok(self.exit_status == 128 + SIGTERM &&
			!strcmp(self.reason, "was not done in 1 s and was ended") &&
			loop_now_ms() - began_ms >= 1000,
		"its deadline");
	began_ms = loop_now_ms();
	MUST(!start(ARGUMENTS("deaf"), 500));
	loop_run(loop);
	tap_ok(self.exit_status == 128 + SIGKILL && loop_now_ms() - began_ms >= 500 + JOB_KILL_MS,
		"one that does not hear");
	MUST(!loop_timer_new(loop, end_it, NULL, &timer));
	MUST(!start(ARGUMENTS("sleep"), DEADLINE_MS));
	loop_timer_set(timer, 200);
	loop_run(loop);
	tap_ok(self.ended == 1 && self.exit_status == 128 + SIGTERM, "it is ended");
	MUST(!start(ARGUMENTS("sleep"), DEADLINE_MS));
	pid = child();
	tap_ok(pid > 0 && !is_gone(pid), "a job that runs");
	job_free(TAKE(self.job));
	tap_ok(is_gone(pid) && !self.ended && !child(), "is ended by who frees it");
}

int main(int argc, char **argv)
{
	LogOptions log = {LOG_LEVEL_INFO, "log", 1 << 20, 0};
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	char log_path[5000];

	if (argc > 1 && !strcmp(argv[1], "-c"))
		return be_job(argc, argv);
	/* what this program got from who started it is not its own */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	scratch_enter();
	(void)snprintf(log_path, sizeof(log_path), "%s/log", scratch_root);
	log.file = log_path;
	MUST(!log_configure(&log));
	scratch_text("conf", "paths: { mail_log = [ \"/odd \\\"quoted\\\" \\\\x41\\\\;# \\n "
			     "\xc3\xa4\\xff\", \"/b//\" ]; state_dir = \"/nowhere/*\"; };"
			     "general: { log_file = \"/nowhere/log\"; };");
	MUST(!config_load("conf", &config, &errors));
	MUST(!loop_new(&loop));
	test_lines();
	test_limits();
	test_surroundings();
	test_ends();
	loop_free(loop);
	config_free(config);
	log_close();
	return tap_done();
}
