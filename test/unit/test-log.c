/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/log.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/file.h"
#include "daemon/log-file.h"
#include "tap.h"

/* Of the sanitizers' runtime, when there is one. */
__attribute__((weak, visibility("default"))) void __sanitizer_set_report_fd(void *fd);

static char dir[256];

static const char *in_dir(const char *name)
{
	static char path[32][300];
	static unsigned next;
	char *to = path[next++ % ARRAY_SIZE(path)];

	(void)snprintf(to, sizeof(path[0]), "%s/%s", dir, name);
	return to;
}

static const char *text_of(const char *path)
{
	static StrBuf text;

	strbuf_reset(&text);
	return file_read(path, 1 << 20, &text) ? "" : strbuf_text(&text);
}

/* What act() writes to stderr, which is the file "stderr" for its time; it runs in a child, so that each starts afresh. */
static const char *stderr_of(void (*act)(void), int *ret_status)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		int fd = open(in_dir("stderr"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

		if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
			_exit(99);
		act();
		log_close();
		_exit(0);
	}
	if (child < 0 || waitpid(child, ret_status, 0) < 0)
		*ret_status = -1;
	return text_of(in_dir("stderr"));
}

static void act_before_configure(void)
{
	log_debug("hidden");
	log_info("one %d", 1);
	log_warning("two");
	log_error("/x: %s", strerror(EACCES));
}

static void act_all_levels(void)
{
	(void)log_configure(&(LogOptions){.level = LOG_LEVEL_DEBUG});
	log_debug("d");
	log_info("i");
	log_warning("w");
	log_error("e");
}

static void act_errors_alone(void)
{
	(void)log_configure(&(LogOptions){.level = LOG_LEVEL_ERROR, .file = ""});
	log_warning("w");
	log_error("e");
}

static void act_hostile(void)
{
	log_info(
		"user %s", "a\nmaillogsentinel: forged\r\x1b[2J\x7f\xff\xc2\x9b jos\xc3\xa9 \\x41");
	/* U+202E turns what follows, U+200B and U+2028 can't be seen, U+0301 is drawn over the e. */
	log_info("a\xe2\x80\xae%s\xe2\x80\x8b b  e\xcc\x81\xe2\x80\xa8\\", "gpj.exe\\");
}

static void act_closed_again(void)
{
	(void)log_configure(&(LogOptions){.level = LOG_LEVEL_ERROR});
	log_close();
	log_info("i");
}

static void act_wrong_stream(void)
{
	(void)setenv("JOURNAL_STREAM", "1:1", 1);
	log_info("a");
	(void)setenv("JOURNAL_STREAM", "x", 1);
	log_info("b");
	(void)setenv("JOURNAL_STREAM", "", 1);
	log_info("c");
}

static void act_full_device(void)
{
	int good = dup(STDERR_FILENO), full = open("/dev/full", O_WRONLY);

	(void)dup2(full, STDERR_FILENO);
	log_info("one");
	log_info("two");
	(void)dup2(good, STDERR_FILENO);
	log_info("three");
	log_info("four");
	(void)dup2(full, STDERR_FILENO);
	log_info("five");
	(void)dup2(good, STDERR_FILENO);
	log_info("six");
}

static void act_closed_descriptor(void)
{
	int good = dup(STDERR_FILENO);

	(void)close(STDERR_FILENO);
	log_info("one");
	(void)dup2(good, STDERR_FILENO);
	log_info("two");
}

static void act_broken_pipe(void)
{
	int good = dup(STDERR_FILENO), ends[2];
	sigset_t pending;

	if (pipe(ends) < 0)
		_exit(98);
	(void)close(ends[0]);
	(void)dup2(ends[1], STDERR_FILENO);
	log_info("one");
	(void)dup2(good, STDERR_FILENO);
	(void)sigpending(&pending);
	log_info("%s", sigismember(&pending, SIGPIPE) ? "a SIGPIPE is left" : "two");
}

/* A SIGPIPE that somebody else has coming is not eaten. */
static void act_foreign_sigpipe(void)
{
	int ends[2];
	sigset_t set, pending;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)raise(SIGPIPE);
	if (pipe(ends) < 0)
		_exit(98);
	(void)close(ends[0]);
	(void)dup2(ends[1], STDERR_FILENO);
	log_info("one");
	(void)sigpending(&pending);
	_exit(sigismember(&pending, SIGPIPE) ? 42 : 1);
}

static void act_errno(void)
{
	errno = ENOTTY;
	log_info("%m");
	(void)dup2(open("/dev/full", O_WRONLY), STDERR_FILENO);
	errno = ENOTTY;
	log_info("lost");
	_exit(errno == ENOTTY ? 42 : 1);
}

static const struct {
	const char *name;
	void (*act)(void);
	int status;
	const char *expected;
} stderr_rows[] = {
	{"before log_configure", act_before_configure, 0,
		"maillogsentinel: one 1\nmaillogsentinel: warning: two\n"
		"maillogsentinel: /x: Permission denied\n"},
	{"all levels", act_all_levels, 0,
		"maillogsentinel: debug: d\nmaillogsentinel: i\nmaillogsentinel: warning: w\n"
		"maillogsentinel: e\n"},
	{"errors alone", act_errors_alone, 0, "maillogsentinel: e\n"},
	{"hostile bytes", act_hostile, 0,
		"maillogsentinel: user a\\x0amaillogsentinel: "
		"forged\\x0d\\x1b[2J\\x7f\\xff\\xc2\\x9b "
		"jos\xc3\xa9 \\x5cx41\n"
		"maillogsentinel: a\\xe2\\x80\\xaegpj.exe\\\\xe2\\x80\\x8b b  e\xcc\x81"
		"\\xe2\\x80\\xa8\\\n"},
	{"after log_close", act_closed_again, 0, "maillogsentinel: i\n"},
	{"JOURNAL_STREAM of another file", act_wrong_stream, 0,
		"maillogsentinel: a\nmaillogsentinel: b\nmaillogsentinel: c\n"},
	{"a full device", act_full_device, 0,
		"maillogsentinel: warning: 2 messages before this one got lost\n"
		"maillogsentinel: three\nmaillogsentinel: four\n"
		"maillogsentinel: warning: 1 message before this one got lost\nmaillogsentinel: "
		"six\n"},
	{"no stderr", act_closed_descriptor, 0,
		"maillogsentinel: warning: 1 message before this one got lost\nmaillogsentinel: "
		"two\n"},
	{"a pipe without reader", act_broken_pipe, 0,
		"maillogsentinel: warning: 1 message before this one got lost\nmaillogsentinel: "
		"two\n"},
	{"a SIGPIPE of somebody else", act_foreign_sigpipe, 42, ""},
	{"errno", act_errno, 42, "maillogsentinel: Inappropriate ioctl for device\n"},
};

static void test_stderr(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(stderr_rows); i++) {
		int status;
		const char *got = stderr_of(stderr_rows[i].act, &status);

		if (!tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == stderr_rows[i].status &&
				    !strcmp(got, stderr_rows[i].expected),
			    "stderr: %s", stderr_rows[i].name))
			tap_note("status %d, got %s", status, got);
	}
}

static void act_long(void)
{
	char text[3 * LOG_MESSAGE_MAX];

	memset(text, 'x', sizeof(text));
	text[LOG_MESSAGE_MAX] = '\0';
	log_info("%s", text);
	text[LOG_MESSAGE_MAX] = 'x';
	text[sizeof(text) - 1] = '\0';
	log_warning("%s", text);
	memset(text, '\x01', sizeof(text) - 1);
	log_warning("%s", text);
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	log_warning("%s", text);
}

static void test_long(void)
{
	int status, line_count = 0, cut = 0;
	const char *p = stderr_of(act_long, &status), *end;
	bool short_enough = true, whole = true;

	for (; (end = strchr(p, '\n')); p = end + 1) {
		line_count++;
		short_enough &= end + 1 - p <= 4096;
		cut += !memcmp(end - 3, "...", 3);
		/* No half character before the dots. */
		whole &= (end[-4] & 0xc0) != 0xc0;
	}
	tap_ok(!status && line_count == 4, "long messages are lines");
	tap_ok(short_enough, "no line is longer than what a pipe takes whole");
	tap_ok(cut == 3 && whole, "what is cut ends with dots");
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A reader that has stopped: the pipe is full, and stays so. */
static void act_full_pipe(void)
{
	int good = dup(STDERR_FILENO), ends[2];
	char page[4096] = "";
	uint64_t start;

	if (pipe(ends) < 0)
		_exit(98);
	(void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	(void)fcntl(ends[1], F_SETFL, 0);
	(void)dup2(ends[1], STDERR_FILENO);
	start = now_ms();
	for (int i = 0; i < 100; i++)
		log_info("lost");
	if (now_ms() - start > 5000)
		_exit(1);
	(void)dup2(good, STDERR_FILENO);
	log_info("good");
}

static void test_full_pipe(void)
{
	int status;
	const char *got = stderr_of(act_full_pipe, &status);

	if (!tap_ok(!status &&
			    !strcmp(got, "maillogsentinel: warning: 100 messages before this one "
					 "got lost\nmaillogsentinel: good\n"),
		    "a reader that has stopped does not stop the program"))
		tap_note("status %d, got %s", status, got);
}

/* "2025-05-17T12:05:09+02:00 LEVEL text": the stamp is checked by form and taken off. */
static const char *skip_stamp(const char *line)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd?dd:dd ";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd'       ? line[i] < '0' || line[i] > '9'
			: form[i] == '?' ? line[i] != '+' && line[i] != '-'
					 : line[i] != form[i])
			return "?";
	return line + sizeof(form) - 1;
}

static void test_file(void)
{
	const LogOptions options = {.level = LOG_LEVEL_INFO,
		.file = in_dir("a.log"),
		.file_max_bytes = 4096,
		.file_backup_count = 2};
	struct stat st;
	const char *text, *line;

	tap_ok(!log_configure(&options), "file: is opened");
	log_debug("d");
	log_warning("w\n");
	text = text_of(options.file);
	line = strchr(text, '\n') ? strchr(text, '\n') + 1 : text;
	if (!tap_ok(!strcmp(skip_stamp(text), "WARNING w\\x0a\n"), "file: stamp, level and text"))
		tap_note("%s", text);
	tap_ok(!*line, "file: nothing below the level");
	tap_ok(!stat(options.file, &st) && (st.st_mode & 0777) == 0600, "file: mode 0600");
	log_close();
	(void)log_configure(&options);
	log_error("e");
	text = text_of(options.file);
	line = strchr(text, '\n') ? strchr(text, '\n') + 1 : text;
	tap_ok(!strcmp(skip_stamp(line), "ERROR e\n"), "file: what it holds stays");
	log_close();
}

/* The numbers of the lines "... INFO N" of the file must go on from *next. */
static bool continues(const char *path, int *next)
{
	const char *p = text_of(path), *end;
	bool ok = *p;

	for (; (end = strchr(p, '\n')); p = end + 1) {
		const char *text = skip_stamp(p);
		int number;

		if (sscanf(text, "INFO %d", &number) != 1) {
			ok = false;
			continue;
		}
		ok &= *next < 0 || number == *next;
		*next = number + 1;
	}
	return ok && !*p;
}

static void test_rotation(void)
{
	LogOptions options = {.level = LOG_LEVEL_INFO,
		.file = in_dir("r.log"),
		.file_max_bytes = 4096,
		.file_backup_count = 2};
	struct stat st;
	int next = -1;

	(void)log_configure(&options);
	for (int i = 0; i < 1000; i++)
		log_info("%d", i);
	tap_ok(continues(in_dir("r.log.2"), &next) && continues(in_dir("r.log.1"), &next) &&
			continues(in_dir("r.log"), &next) && next == 1000,
		"rotation: the youngest lines are there, in order, whole");
	tap_ok(!stat(in_dir("r.log"), &st) && st.st_size <= 4096 && !stat(in_dir("r.log.1"), &st) &&
			st.st_size <= 4096 && st.st_size > 4096 - 60,
		"rotation: no file is too long, none is rotated early");
	tap_ok(stat(in_dir("r.log.3"), &st) < 0, "rotation: no more backups than wanted");

	(void)rename(in_dir("r.log"), in_dir("r.log.moved"));
	log_info("1000");
	next = -1;
	tap_ok(continues(in_dir("r.log"), &next) && next == 1001,
		"rotation: a file that was moved away is noticed");
	(void)rename(in_dir("r.log"), in_dir("r.log.moved"));
	(void)close(open(in_dir("r.log"), O_WRONLY | O_CREAT, 0600));
	log_info("1001");
	next = -1;
	tap_ok(continues(in_dir("r.log"), &next) && next == 1002,
		"rotation: a new file of somebody else is taken");

	options.file_backup_count = 0;
	options.file = in_dir("z.log");
	(void)log_configure(&options);
	for (int i = 0; i < 1000; i++)
		log_info("%d", i);
	next = -1;
	tap_ok(continues(in_dir("z.log"), &next) && next == 1000 &&
			stat(in_dir("z.log.1"), &st) < 0 && !stat(in_dir("z.log"), &st) &&
			st.st_size <= 4096,
		"rotation: without backups the file starts anew");
	log_close();
}

static void test_configure_failures(void)
{
	const LogOptions good = {
		.level = LOG_LEVEL_INFO, .file = in_dir("g.log"), .file_max_bytes = 4096};
	static const struct {
		const char *name;
		const char *file;
		int result;
	} rows[] = {
		{"no directory", "missing/x.log", -ENOENT},
		{"a directory", "subdir", -EISDIR},
		{"a symbolic link", "link", -ELOOP},
		{"a pipe", "pipe", -ENXIO},
		{"a socket's device", "/dev/null", -ENOTSUP},
	};

	(void)mkdir(in_dir("subdir"), 0700);
	(void)!symlink("g.log", in_dir("link"));
	(void)mkfifo(in_dir("pipe"), 0600);
	(void)log_configure(&good);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		LogOptions bad = {.level = LOG_LEVEL_ERROR,
			.file = *rows[i].file == '/' ? rows[i].file : in_dir(rows[i].file),
			.file_max_bytes = 4096};
		int r = log_configure(&bad);

		if (!tap_ok(r == rows[i].result, "configure: %s is refused", rows[i].name))
			tap_note("%s", strerror(-r));
	}
	log_info("still");
	tap_ok(!strcmp(skip_stamp(text_of(good.file)), "INFO still\n"),
		"configure: what was in force stays");
	log_close();
}

static void act_unwritable(void)
{
	LogOptions options = {.level = LOG_LEVEL_INFO,
		.file = in_dir("u/u.log"),
		.file_max_bytes = 4096,
		.file_backup_count = 1};

	(void)mkdir(in_dir("u"), 0700);
	if (log_configure(&options))
		_exit(1);
	log_info("one");
	(void)rename(in_dir("u"), in_dir("away"));
	log_info("two");
	log_info("three");
	(void)mkdir(in_dir("u"), 0700);
	log_info("four");
}

static void test_unwritable(void)
{
	_cleanup_strbuf_ StrBuf expected = STRBUF_INIT;
	int status;
	const char *got = stderr_of(act_unwritable, &status), *text;

	strbuf_appendf(&expected,
		"maillogsentinel: one\nmaillogsentinel: two\n"
		"maillogsentinel: %s: No such file or directory; each further message tries again\n"
		"maillogsentinel: three\nmaillogsentinel: four\n"
		"maillogsentinel: warning: %s: can be written again; it lacks 2 messages\n",
		in_dir("u/u.log"), in_dir("u/u.log"));
	if (!tap_ok(!status && !strcmp(got, expected.data),
		    "a log file that can't be written is told once, and when it works again"))
		tap_note("status %d, got %s", status, got);
	text = text_of(in_dir("u/u.log"));
	tap_ok(!memcmp(skip_stamp(text), "INFO four\n", 10) &&
			strstr(text, "it lacks 2 messages\n"),
		"the log file says what it lacks");
}

/* A full disk tears a line; the next line starts on its own. */
static void test_torn(void)
{
	LogFile file = LOG_FILE_NONE;

	(void)log_file_open(in_dir("t.log"), 4096, 1, &file);
	(void)log_file_write(&file, SPAN_LITERAL("one\n"));
	(void)!write(file.fd, "tw", 2);
	file.torn = true;
	(void)log_file_write(&file, SPAN_LITERAL("three\n"));
	(void)log_file_write(&file, SPAN_LITERAL("four\n"));
	tap_ok(!strcmp(text_of(in_dir("t.log")), "one\ntw\nthree\nfour\n"), "a torn line is ended");
	log_file_close(&file);
}

/* A journald of our own, in a mount namespace where /run is empty. */
static int journal_socket(void)
{
	struct sockaddr_un address = {
		.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
	int fd;

	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -1;
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
		return -1;
	(void)mkdir("/run/systemd", 0755);
	(void)mkdir("/run/systemd/journal", 0755);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return fd;
}

static void say_plain(void)
{
	log_warning("user %s", "a\nb");
}

static void say_kind(void)
{
	log_message_kind(
		LOG_LEVEL_INFO, MESSAGE_JOB_DONE, "MLS_JOB", "report", "%s: done", "report");
}

static void say_fields(void)
{
	const LogField fields[] = {
		{"MLS_IP", SPAN_LITERAL("192.0.2.1")},
		{"MLS_HOSTNAME", SPAN_MISSING},
		{"MLS_ASO", SPAN_LITERAL("")},
		/* What it would take to forge a field in the form that ends with a newline. */
		{"MLS_USER", SPAN_LITERAL("a\nMLS_IP=203.0.113.1\nPRIORITY=0\n\0b\xff")},
	};

	log_fields(LOG_LEVEL_INFO, MESSAGE_FAILED_LOGIN, fields, ARRAY_SIZE(fields),
		SPAN_LITERAL("login: a\nMLS_IP=203.0.113.1\0b"));
}

static void say_hidden(void)
{
	log_debug("hidden");
	log_fields(LOG_LEVEL_INFO, MESSAGE_FAILED_LOGIN, NULL, 0, SPAN_LITERAL("shown"));
}

static void say_too_many(void)
{
	LogField fields[LOG_FIELDS_MAX + 5];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		fields[i] = (LogField){"N", SPAN_LITERAL("1")};
	log_fields(LOG_LEVEL_ERROR, MESSAGE_NONE, fields, ARRAY_SIZE(fields), SPAN_LITERAL("many"));
}

#define WHO "\nSYSLOG_IDENTIFIER=maillogsentinel\n"
#define FAILED_ID "MESSAGE_ID=cc79f0c8770b45819d44b89e4885b893\n"

/* What journald is sent. */
static const struct JournalRow {
	const char *name;
	LogOptions options;
	void (*say)(void);
	Span expected;
} journal_table[] = {
	{"a message of no kind", {.level = LOG_LEVEL_INFO}, say_plain,
		SPAN_LITERAL("MESSAGE=user a\\x0ab\nPRIORITY=4" WHO)},
	{"one of a kind, with a field", {.level = LOG_LEVEL_INFO}, say_kind,
		SPAN_LITERAL("MESSAGE=report: done\nPRIORITY=6" WHO
			     "MESSAGE_ID=556487febbc544248fe863c85d30c7ca\nMLS_JOB=report\n")},
	{"fields with any byte, of which none begins another", {.level = LOG_LEVEL_INFO},
		say_fields,
		SPAN_LITERAL(
			"MESSAGE=login: a\\x0aMLS_IP=203.0.113.1\\x00b\nPRIORITY=6" WHO FAILED_ID
			"MLS_IP=192.0.2.1\nMLS_ASO=\nMLS_USER\n\x23\0\0\0\0\0\0\0"
			"a\nMLS_IP=203.0.113.1\nPRIORITY=0\n\0b\xff\n")},
	{"failed logins below the level, when they are wanted",
		{.level = LOG_LEVEL_ERROR, .events = true}, say_hidden,
		SPAN_LITERAL("MESSAGE=shown\nPRIORITY=6" WHO FAILED_ID)},
	{"none when they are not", {.level = LOG_LEVEL_ERROR}, say_hidden, SPAN_MISSING},
	{"no more fields than there may be", {.level = LOG_LEVEL_ERROR}, say_too_many,
		SPAN_LITERAL("MESSAGE=many\nPRIORITY=3" WHO
			     "N=1\nN=1\nN=1\nN=1\nN=1\nN=1\nN=1\nN=1\nN=1\nN=1\n"
			     "N=1\nN=1\nN=1\nN=1\nN=1\nN=1\nN=1\nN=1\nN=1\nN=1\n")},
};

static const struct JournalRow *journal_row;

static void act_journal(void)
{
	char datagram[1024], stream[64];
	struct stat st;
	ssize_t n;
	int fd = journal_socket();

	if (fd < 0)
		_exit(77);
	if (fstat(STDERR_FILENO, &st) < 0)
		_exit(1);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	(void)setenv("JOURNAL_STREAM", stream, 1);
	if (log_configure(&journal_row->options) < 0)
		_exit(2);
	journal_row->say();
	n = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT);
	if (n < 0 ? journal_row->expected.data != NULL
		  : !span_equal((Span){datagram, (size_t)n}, journal_row->expected)) {
		(void)!write(STDERR_FILENO, datagram, n < 0 ? 0 : (size_t)n);
		_exit(3);
	}
}

static void test_journal(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(journal_table); i++) {
		const char *got;
		int status;

		journal_row = &journal_table[i];
		got = stderr_of(act_journal, &status);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			tap_ok(true, "journal: %s # SKIP no mount namespace here",
				journal_row->name);
		else if (!tap_ok(!status && !*got, "journal: %s", journal_row->name))
			tap_note("status %d, got %s", status, got);
	}
}

static void test_names(void)
{
	LogLevel level = LOG_LEVEL_COUNT;
	size_t wrong = 0;

	for (int i = 0; i < LOG_LEVEL_COUNT; i++)
		wrong += log_level_from_name(log_level_name((LogLevel)i), &level) ||
			 level != (LogLevel)i;
	tap_ok(!wrong, "each level has its name");
	tap_ok(!log_level_from_name("warning", &level) && level == LOG_LEVEL_WARNING,
		"case does not matter");
	tap_ok(log_level_from_name("WARN", &level) == -EINVAL &&
			log_level_from_name("", &level) == -EINVAL,
		"other names are refused");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	int real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);

	(void)snprintf(dir, sizeof(dir), "%s/test-log-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	(void)unsetenv("JOURNAL_STREAM");
	test_names();
	test_stderr();
	test_long();
	test_full_pipe();
	/* What the rest logs is of no interest on stderr, but a sanitizer's word is. */
	if (__sanitizer_set_report_fd)
		__sanitizer_set_report_fd((void *)(intptr_t)real_stderr);
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	test_file();
	test_rotation();
	test_configure_failures();
	test_unwritable();
	test_torn();
	test_journal();
	(void)nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
