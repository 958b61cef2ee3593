/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/sendmail.h"

#include "base/file.h"
#include "report/patience.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>

#define OUTPUT_MAX ((size_t)400) /* bytes of what it says */
#define STEP_MS 50
#define GRACE_MS 5000 /* from SIGTERM to SIGKILL */

extern char **environ;

typedef struct Child {
	pid_t pid;
	int output_fd; /* what it says; -1: it has closed it */
	int status;
	StrBuf output;
} Child;

/* ---- the message as a file ------------------------------------------------------------------- */

/* Programs on this host have lines that end in LF. A descriptor at its start, or -errno. */
static int make_file(Span message)
{
	_cleanup_close_ int fd = memfd_create("message", MFD_CLOEXEC);
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int r;

	if (fd < 0)
		return -errno;
	while (message.len) {
		const char *cr = memchr(message.data, '\r', message.len);
		size_t n = cr ? (size_t)(cr - message.data) : message.len;

		strbuf_append(&text, message.data, n);
		if (cr && (n + 1 == message.len || message.data[n + 1] != '\n'))
			strbuf_append_char(&text, '\n');
		message.data += n + !!cr;
		message.len -= n + !!cr;
	}
	r = strbuf_error(&text);
	if (!r)
		r = file_write_full(fd, strbuf_text(&text), text.len);
	if (!r && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : take_fd(&fd);
}

/* ---- the program ----------------------------------------------------------------------------- */

/* The caller frees the array alone; NULL without memory. */
static char **make_arguments(
	const char *path, const char *from, const char *const *to, size_t to_count)
{
	const char *const first[] = {path, "-i", "-f", from, "--"};
	char **arguments = calloc(ARRAY_SIZE(first) + to_count + 1, sizeof(*arguments));

	if (!arguments)
		return NULL;
	memcpy(arguments, first, sizeof(first));
	memcpy(arguments + ARRAY_SIZE(first), to, to_count * sizeof(*to));
	return arguments;
}

/* As this process does not hold signals back for it. */
static int set_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, defaults;
	int r;

	(void)sigemptyset(&none);
	(void)sigemptyset(&defaults);
	(void)sigaddset(&defaults, SIGPIPE);
	r = posix_spawnattr_setsigmask(attributes, &none);
	if (!r)
		r = posix_spawnattr_setsigdefault(attributes, &defaults);
	if (!r)
		r = posix_spawnattr_setflags(
			attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return -r;
}

static int spawn(char **arguments, int message_fd, int output_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	r = -set_signals(&attributes);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, message_fd, STDIN_FILENO);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
	if (!r)
		r = posix_spawn(ret_pid, arguments[0], &actions, &attributes, arguments, environ);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* All that is there; what is too much is read and forgotten. */
static void read_output(Child *child)
{
	char block[1024];
	ssize_t n;

	if (child->output_fd < 0)
		return;
	for (;;) {
		n = read(child->output_fd, block, sizeof(block));
		if (n > 0)
			strbuf_append(&child->output, block,
				MIN((size_t)n, OUTPUT_MAX - MIN(child->output.len, OUTPUT_MAX)));
		else if (n < 0 && errno == EAGAIN)
			return;
		else if (!n || errno != EINTR)
			break;
	}
	close_fd(&child->output_fd);
	child->output_fd = -1;
}

/*
 * 1: it has ended; 0: until_ms has come; -EINTR, -errno. Whoever keeps its output open is not
 * waited for.
 */
static int wait_until(Child *child, uint64_t until_ms, bool interruptible)
{
	for (;;) {
		struct pollfd poller = {.fd = child->output_fd, .events = POLLIN};
		pid_t pid;

		(void)poll(&poller, 1, STEP_MS);
		pid = waitpid(child->pid, &child->status, WNOHANG);
		read_output(child);
		if (pid == child->pid)
			return 1;
		if (pid < 0 && errno != EINTR)
			return -errno;
		if (interruptible && patience_interrupted())
			return -EINTR;
		if (patience_now_ms() >= until_ms)
			return 0;
	}
}

static void end(Child *child)
{
	(void)kill(child->pid, SIGTERM);
	if (wait_until(child, patience_now_ms() + GRACE_MS, false) == 0) {
		(void)kill(child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
	}
}

/* ---- what became of it ----------------------------------------------------------------------- */

/* What is wrong with the message or with whom it is for won't be better tomorrow; all else may. */
static Delivery delivery_of(int status)
{
	if (!WIFEXITED(status))
		return DELIVERY_LATER;
	switch (WEXITSTATUS(status)) {
	case EX_OK: return DELIVERY_ACCEPTED;
	case EX_DATAERR:
	case EX_NOUSER:
	case EX_NOHOST: return DELIVERY_REFUSED;
	default: return DELIVERY_LATER;
	}
}

static void say(const char *path, Child *child, Why *ret_why)
{
	StrBuf *output = &child->output;

	while (output->len && strchr(" \r\n", output->data[output->len - 1]))
		strbuf_truncate(output, output->len - 1);
	if (WIFSIGNALED(child->status))
		why_set(ret_why, "%s was killed by signal %d%s%s", path, WTERMSIG(child->status),
			output->len ? ": " : "", strbuf_text(output));
	else
		why_set(ret_why, "%s failed with exit status %d%s%s", path,
			WEXITSTATUS(child->status), output->len ? ": " : "", strbuf_text(output));
}

/* Starts it; child->pid is 0 where nothing came of it. 0 or -errno. */
static int start(Child *child, const char *path, const char *from, const char *const *to,
	size_t to_count, Span message)
{
	_cleanup_free_ char **arguments = make_arguments(path, from, to, to_count);
	_cleanup_close_ int message_fd = -1, write_fd = -1;
	int ends[2];

	if (!arguments)
		return -ENOMEM;
	message_fd = make_file(message);
	if (message_fd < 0)
		return message_fd;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child->output_fd = ends[0];
	write_fd = ends[1];
	if (fcntl(child->output_fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return spawn(arguments, message_fd, write_fd, &child->pid);
}

/* Until it has ended, or we have ended it. Returns what sendmail_send() does. */
static int attend(
	Child *child, const char *path, unsigned total_ms, Delivery *ret_delivery, Why *ret_why)
{
	int r = wait_until(child, patience_now_ms() + total_ms, true);

	if (r <= 0)
		end(child);
	/* It may have been done just then. */
	*ret_delivery =
		r == 1 || WIFEXITED(child->status) ? delivery_of(child->status) : DELIVERY_LATER;
	if (*ret_delivery == DELIVERY_ACCEPTED)
		return r == -EINTR ? r : 0;
	if (r == 1)
		say(path, child, ret_why);
	else if (r)
		why_set(ret_why, "%s: %s", path, r == -EINTR ? "interrupted" : strerror(-r));
	else
		why_set(ret_why, "%s did not end within %u s", path, total_ms / 1000);
	if (r == -EINTR)
		return r;
	return r == 1 ? 0 : TRANSPORT_DOWN;
}

int sendmail_send(const char *path, unsigned total_ms, const char *from, const char *const *to,
	size_t to_count, Span message, Delivery *ret_deliveries, Why *ret_why)
{
	Child child = {.output_fd = -1, .status = SIGKILL};
	Delivery delivery = DELIVERY_LATER;
	int r = start(&child, path, from, to, to_count, message);

	why_set(ret_why, "%s", "");
	if (!r) {
		r = attend(&child, path, total_ms, &delivery, ret_why);
	} else {
		why_set(ret_why, "%s: %s", path, strerror(-r));
		r = r == -ENOMEM ? r : TRANSPORT_DOWN;
	}
	for (size_t i = 0; i < to_count; i++)
		ret_deliveries[i] = delivery;
	close_fd(&child.output_fd);
	strbuf_done(&child.output);
	return r;
}
