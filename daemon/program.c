/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/program.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/strbuf.h"

extern char **environ;

static const char *const places[] = {
	"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"};

/* Not by PATH, which is whoever's who runs this. */
static int find(const char *name, StrBuf *path)
{
	if (strchr(name, '/')) {
		strbuf_append_string(path, name);
		return strbuf_error(path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		strbuf_reset(path);
		strbuf_appendf(path, "%s%s", places[i], name);
		if (strbuf_error(path))
			return strbuf_error(path);
		if (!access(strbuf_text(path), X_OK))
			return 0;
	}
	return -ENOENT;
}

#define ARGUMENTS_MAX 15

/* SIGPIPE, which we may ignore, is not another program's business. */
static int fill_attributes(const ProgramOptions *options, posix_spawnattr_t *attributes)
{
	short flags = POSIX_SPAWN_SETSIGDEF;
	sigset_t defaults;
	int r;

	(void)sigemptyset(&defaults);
	(void)sigaddset(&defaults, SIGPIPE);
	r = posix_spawnattr_setsigdefault(attributes, &defaults);
	if (!r && options->mask) {
		flags |= POSIX_SPAWN_SETSIGMASK;
		r = posix_spawnattr_setsigmask(attributes, options->mask);
	}
	return r ? r : posix_spawnattr_setflags(attributes, flags);
}

static int fill_actions(const ProgramOptions *options, posix_spawn_file_actions_t *actions)
{
	int r = 0;

	for (int fd = STDOUT_FILENO; options->quiet && fd <= STDERR_FILENO && !r; fd++)
		r = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_WRONLY, 0);
	return r;
}

static int start(
	const char *path, const char *const argv[], const ProgramOptions *options, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char *copy[ARGUMENTS_MAX + 1] = {NULL};
	int r;

	/* posix_spawn(3) takes what it does not change as what it may change. */
	for (size_t i = 0; i < ARGUMENTS_MAX && argv[i]; i++)
		memcpy(&copy[i], &argv[i], sizeof(copy[i]));
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (!r) {
		r = fill_attributes(options, &attributes);
		if (!r)
			r = fill_actions(options, &actions);
		if (!r)
			r = posix_spawn(ret_pid, path, &actions, &attributes, copy, environ);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int program_run(const char *const argv[], const ProgramOptions *options)
{
	_cleanup_strbuf_ StrBuf path = STRBUF_INIT;
	int r = find(argv[0], &path), status;
	pid_t pid = 0;

	if (!r)
		r = start(strbuf_text(&path), argv, options, &pid);
	if (r < 0)
		return r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int program_path_dup(char **ret_path)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	if (n < 0)
		return -errno;
	*ret_path = span_dup((Span){path, (size_t)n});
	return *ret_path ? 0 : -ENOMEM;
}
