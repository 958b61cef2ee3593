/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/job.h"

#include "base/file.h"
#include "base/utf8.h"
#include "daemon/log.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define READ_SIZE 4096 /* of the pipe, in one round of the loop */
#define PIPE_READS 64  /* of one that has ended: what others still write into its pipe is theirs */
#define LINE_MAX_BYTES 8192
#define ARGUMENTS_MAX 16
#define CONFIG_FD 3 /* in the job */
#define CONFIG_FD_PATH "/proc/self/fd/3"
#define WAIT_STEP_MS 10

struct Job {
	Loop *loop;
	JobOptions options;
	LoopChild *child;
	LoopTimer *timer; /* the deadline, then when it is killed */
	pid_t pid;        /* 0: it is reaped */
	int pipe_fd;
	bool ending;    /* it was sent SIGTERM */
	bool overdue;   /* by its deadline */
	bool cut;       /* the rest of the line is passed over */
	uint64_t lines; /* that it said */
	StrBuf line;    /* what came of the next one */
	StrBuf last, last_error;
};

extern char **environ;

/* ---- what it says --------------------------------------------------------------------------- */

/* "<4>text", as syslog(3) numbers them; what has no number is what a person would read on stdout. */
static LogLevel take_level(Span *line)
{
	static const LogLevel levels[8] = {
		LOG_LEVEL_ERROR,
		LOG_LEVEL_ERROR,
		LOG_LEVEL_ERROR,
		LOG_LEVEL_ERROR,
		LOG_LEVEL_WARNING,
		LOG_LEVEL_INFO,
		LOG_LEVEL_INFO,
		LOG_LEVEL_DEBUG,
	};
	static const char own_name[] = "maillogsentinel: ";
	char digit = line->len >= 3 ? line->data[1] : '\0';

	if (digit < '0' || digit > '7' || line->data[0] != '<' || line->data[2] != '>') {
		size_t name = span_starts_with(*line, own_name) ? strlen(own_name) : 0;

		line->data += name;
		line->len -= name;
		return LOG_LEVEL_INFO;
	}
	line->data += 3;
	line->len -= 3;
	return levels[digit - '0'];
}

static void keep(StrBuf *to, const StrBuf *text)
{
	strbuf_reset(to);
	strbuf_append_string(to, strbuf_text(text));
}

static void take_line(Job *job, Span line)
{
	_cleanup_strbuf_ StrBuf raw = STRBUF_INIT;
	LogLevel level = take_level(&line);

	/* It comes escaped, and the log escapes what it gets. */
	utf8_append_unescaped(&raw, line);
	if (!line.len || strbuf_error(&raw))
		return;
	if (level > LOG_LEVEL_DEBUG)
		keep(&job->last, &raw);
	if (level == LOG_LEVEL_ERROR)
		keep(&job->last_error, &raw);
	if (job->lines++ < JOB_LINES_MAX)
		log_message_kind(level, MESSAGE_NONE, "MLS_JOB", job->options.name, "%s: %s",
			job->options.name, strbuf_text(&raw));
}

static void end_line(Job *job)
{
	if (!job->cut)
		take_line(job, (Span){strbuf_text(&job->line), job->line.len});
	strbuf_reset(&job->line);
	job->cut = false;
}

static void take_bytes(Job *job, const char *data, size_t len)
{
	while (len) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;

		if (!job->cut)
			strbuf_append(&job->line, data, n);
		if (job->line.len >= LINE_MAX_BYTES && !job->cut) {
			end_line(job);
			job->cut = true;
		}
		if (end)
			end_line(job);
		data += n + !!end;
		len -= n + !!end;
	}
}

static void close_pipe(Job *job)
{
	if (job->pipe_fd < 0)
		return;
	(void)loop_watch(job->loop, job->pipe_fd, 0, NULL, NULL);
	(void)close(job->pipe_fd);
	job->pipe_fd = -1;
}

/* False when nothing is there, or nothing comes any more. */
static bool read_pipe(Job *job)
{
	char buffer[READ_SIZE];
	ssize_t n = job->pipe_fd >= 0 ? read(job->pipe_fd, buffer, sizeof(buffer)) : 0;

	if (n > 0)
		take_bytes(job, buffer, (size_t)n);
	else if (!n || (errno != EAGAIN && errno != EINTR))
		close_pipe(job);
	return n > 0;
}

static void on_pipe(void *userdata, int fd, unsigned events)
{
	(void)read_pipe(userdata);
}

/* ---- its end -------------------------------------------------------------------------------- */

static void append_end(const Job *job, int status, StrBuf *sb)
{
	if (job->overdue)
		strbuf_appendf(sb, "was not done in %llu s and was ended",
			(unsigned long long)job->options.deadline_ms / 1000);
	else if (WIFSIGNALED(status))
		strbuf_appendf(sb, "was killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) && job->last_error.len)
		strbuf_append_string(sb, job->last_error.data);
	else if (job->last.len)
		strbuf_append_string(sb, job->last.data);
	else if (WEXITSTATUS(status))
		strbuf_appendf(sb, "exit status %d", WEXITSTATUS(status));
}

static void on_child(void *userdata, int status)
{
	_cleanup_strbuf_ StrBuf reason = STRBUF_INIT;
	Job *job = userdata;

	job->pid = 0;
	loop_timer_set(job->timer, -1);
	for (int i = 0; i < PIPE_READS && read_pipe(job); i++)
		;
	close_pipe(job);
	if (job->line.len)
		end_line(job);
	if (job->lines > JOB_LINES_MAX)
		log_warning("%s: said %llu lines more", job->options.name,
			(unsigned long long)(job->lines - JOB_LINES_MAX));
	append_end(job, status, &reason);
	job->options.ended(job->options.userdata,
		WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
		strbuf_text(&reason));
}

void job_end(Job *job)
{
	if (!job->pid || job->ending)
		return;
	job->ending = true;
	(void)kill(job->pid, SIGTERM);
	loop_timer_set(job->timer, JOB_KILL_MS);
}

static void on_timer(void *userdata)
{
	Job *job = userdata;

	if (job->ending) {
		(void)kill(job->pid, SIGKILL);
		return;
	}
	job->overdue = true;
	job_end(job);
}

/* The loop does not run any more: it is waited for here. */
static void reap(Job *job)
{
	uint64_t until_ms = loop_now_ms() + JOB_KILL_MS;
	pid_t r;

	(void)kill(job->pid, SIGTERM);
	while ((r = waitpid(job->pid, NULL, WNOHANG)) == 0 && loop_now_ms() < until_ms) {
		const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};

		(void)nanosleep(&step, NULL);
	}
	if (r)
		return;
	(void)kill(job->pid, SIGKILL);
	while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void job_free(Job *job)
{
	if (!job)
		return;
	if (job->pid) {
		loop_child_free(TAKE(job->child));
		reap(job);
	}
	close_pipe(job);
	loop_child_free(job->child);
	loop_timer_free(job->timer);
	strbuf_done(&job->line);
	strbuf_done(&job->last);
	strbuf_done(&job->last_error);
	free(job);
}

/* ---- its start ------------------------------------------------------------------------------ */

/* Above those that the job has, so that none of them is in the way of another. */
static int above_standard(int *fd)
{
	int copy = fcntl(*fd, F_DUPFD_CLOEXEC, CONFIG_FD + 1);

	if (copy < 0)
		return -errno;
	(void)close(*fd);
	*fd = copy;
	return 0;
}

static int make_config(const Config *config, int *ret_fd)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	Config own = *config;
	int r;

	/* What it logs comes through the pipe; two writers would rotate the file away from each other. */
	own.general.log_file = (char[]){""};
	config_dump(&own, &text);
	if (strbuf_error(&text))
		return strbuf_error(&text);
	fd = memfd_create("maillogsentinel.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = file_write_full(fd, text.data, text.len);
	if (!r && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
			  0)
		r = -errno;
	if (!r)
		r = above_standard(&fd);
	if (!r)
		*ret_fd = take_fd(&fd);
	return r;
}

static int make_pipe(int *ret_read_fd, int *ret_write_fd)
{
	_cleanup_close_ int read_fd = -1, write_fd = -1;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	read_fd = fds[0];
	write_fd = fds[1];
	/* Only this end: the job may wait until its lines are taken. */
	if (fcntl(read_fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = above_standard(&write_fd);
	if (r)
		return r;
	*ret_read_fd = take_fd(&read_fd);
	*ret_write_fd = take_fd(&write_fd);
	return 0;
}

/* Without what systemd told the service about itself. The strings are borrowed; NULL without memory. */
static char **make_environment(void)
{
	static const char *const not_for_jobs[] = {
		"NOTIFY_SOCKET=",
		"WATCHDOG_USEC=",
		"WATCHDOG_PID=",
		"LISTEN_",
		LOG_PRIORITIES_VARIABLE,
	};
	static char with_priorities[] = LOG_PRIORITIES_VARIABLE "=1";
	size_t count = 0;
	char **all;

	for (char **variable = environ; *variable; variable++)
		count++;
	all = calloc(count + 2, sizeof(*all));
	if (!all)
		return NULL;
	count = 0;
	for (char **variable = environ; *variable; variable++) {
		bool taken = true;

		for (size_t i = 0; i < ARRAY_SIZE(not_for_jobs); i++)
			taken &= strncmp(*variable, not_for_jobs[i], strlen(not_for_jobs[i])) != 0;
		if (taken)
			all[count++] = *variable;
	}
	all[count] = with_priorities;
	return all;
}

/* posix_spawn(3) and its kin return errno. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	/* SIGPIPE and SIGXFSZ are ignored here. */
	r = posix_spawnattr_setsigdefault(attributes, &all);
	if (!r)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (!r)
		r = posix_spawnattr_setflags(
			attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	return -r;
}

static int set_actions(posix_spawn_file_actions_t *actions, int config_fd, int pipe_fd)
{
	int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (!r)
		r = posix_spawn_file_actions_adddup2(actions, pipe_fd, STDOUT_FILENO);
	if (!r)
		r = posix_spawn_file_actions_adddup2(actions, pipe_fd, STDERR_FILENO);
	if (!r)
		r = posix_spawn_file_actions_adddup2(actions, config_fd, CONFIG_FD);
	return -r;
}

static int spawn_with(const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, const char *const *arguments, pid_t *ret_pid)
{
	_cleanup_free_ char **environment = make_environment();
	char *argv[ARGUMENTS_MAX + 4] = {
		(char[]){"maillogsentinel"}, (char[]){"-c"}, (char[]){CONFIG_FD_PATH}};
	size_t n = 0;

	if (!environment)
		return -ENOMEM;
	for (; n < ARGUMENTS_MAX && arguments[n]; n++)
		/* posix_spawn() promises to change nothing. */
		memcpy(&argv[3 + n], &arguments[n], sizeof(*argv));
	if (arguments[n])
		return -E2BIG;
	return -posix_spawn(ret_pid, "/proc/self/exe", actions, attributes, argv, environment);
}

static int spawn(const char *const *arguments, int config_fd, int pipe_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = -posix_spawn_file_actions_init(&actions);

	if (r)
		return r;
	r = -posix_spawnattr_init(&attributes);
	if (r)
		goto out;
	r = set_attributes(&attributes);
	if (!r)
		r = set_actions(&actions, config_fd, pipe_fd);
	if (!r)
		r = spawn_with(&actions, &attributes, arguments, ret_pid);
	(void)posix_spawnattr_destroy(&attributes);
out:
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

int job_start(Loop *loop, const Config *config, const JobOptions *options, Job **ret_job)
{
	_cleanup_(job_freep) Job *job = calloc(1, sizeof(*job));
	_cleanup_close_ int config_fd = -1, pipe_fd = -1;
	int r;

	if (!job)
		return -ENOMEM;
	job->loop = loop;
	job->options = *options;
	job->pipe_fd = -1;
	/* First all that can fail: a process that was started must be known. */
	r = loop_child_new(loop, on_child, job, &job->child);
	if (!r)
		r = loop_timer_new(loop, on_timer, job, &job->timer);
	if (!r)
		r = make_config(config, &config_fd);
	if (!r)
		r = make_pipe(&job->pipe_fd, &pipe_fd);
	if (!r)
		r = loop_watch(loop, job->pipe_fd, LOOP_READ, on_pipe, job);
	if (!r)
		r = spawn(options->arguments, config_fd, pipe_fd, &job->pid);
	if (r)
		return r;
	loop_child_watch(job->child, job->pid);
	loop_timer_set(job->timer, (int64_t)options->deadline_ms);
	*ret_job = TAKE(job);
	return 0;
}
