/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A directory under $TMPDIR to work in, removed at the end with all that is in it; and short ways to make files there. */

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"

/* What fails here is no finding of the test but the end of it. */
#define MUST(condition)                                                                     \
	do {                                                                                \
		if (!(condition)) {                                                         \
			printf("Bail out! %s:%d: %s: %s\n", __FILE__, __LINE__, #condition, \
				strerror(errno));                                           \
			exit(1);                                                            \
		}                                                                           \
	} while (0)

static char scratch_root[4096];
static pid_t scratch_owner;

__attribute__((unused)) static int scratch_remove(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (type == FTW_D || type == FTW_DP)
		(void)chmod(path, 0700);
	return ftw->level ? remove(path) : 0;
}

/* Empties the directory. */
__attribute__((unused)) static void scratch_empty(void)
{
	MUST(!nftw(scratch_root, scratch_remove, 8, FTW_DEPTH | FTW_PHYS));
}

__attribute__((unused)) static void scratch_leave(void)
{
	if (getpid() != scratch_owner || !*scratch_root)
		return;
	(void)nftw(scratch_root, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
	(void)rmdir(scratch_root);
	*scratch_root = '\0';
}

/* Makes the directory and goes there: relative names are names in it. */
__attribute__((unused)) static void scratch_enter(void)
{
	const char *tmp = getenv("TMPDIR");

	MUST(snprintf(scratch_root, sizeof(scratch_root), "%s/mls-unit.XXXXXX",
		     tmp ? tmp : "/tmp") < (int)sizeof(scratch_root));
	MUST(mkdtemp(scratch_root));
	scratch_owner = getpid();
	(void)atexit(scratch_leave);
	MUST(!chdir(scratch_root));
}

__attribute__((unused)) static void scratch_append(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	MUST(fd >= 0);
	MUST(!file_write_full(fd, data, len));
	(void)close(fd);
}

__attribute__((unused)) static void scratch_write(const char *path, const void *data, size_t len)
{
	MUST(!unlink(path) || errno == ENOENT);
	scratch_append(path, data, len);
}

__attribute__((unused)) static void scratch_text(const char *path, const char *text)
{
	scratch_write(path, text, strlen(text));
}

/* The whole file; the caller's. */
__attribute__((unused)) static StrBuf scratch_read(const char *path)
{
	StrBuf sb = STRBUF_INIT;

	MUST(!file_read(path, STRBUF_MAX, &sb));
	return sb;
}

/* Whether the file holds exactly this. */
__attribute__((unused)) static bool scratch_holds(const char *path, const void *data, size_t len)
{
	_cleanup_strbuf_ StrBuf sb = scratch_read(path);

	return sb.len == len && !memcmp(strbuf_text(&sb), data, len);
}

/* Runs a shell command, which must succeed. */
__attribute__((unused)) static void scratch_run(const char *fmt, ...) PRINTF_LIKE(1, 2);
__attribute__((unused)) static void scratch_run(const char *fmt, ...)
{
	char command[4096];
	int status;
	va_list ap;
	pid_t pid;

	va_start(ap, fmt);
	MUST(vsnprintf(command, sizeof(command), fmt, ap) < (int)sizeof(command));
	va_end(ap);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	MUST(waitpid(pid, &status, 0) == pid && !status);
}

/* A process in which take(userdata) was true, and which stays until it is killed: it holds what that took. */
__attribute__((unused)) static pid_t scratch_hold(bool (*take)(void *userdata), void *userdata)
{
	char byte = 0;
	int ends[2];
	pid_t pid;

	MUST(!pipe2(ends, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		byte = take(userdata) ? 'y' : 'n';
		(void)!write(ends[1], &byte, 1);
		for (;;)
			(void)pause();
	}
	(void)close(ends[1]);
	MUST(read(ends[0], &byte, 1) == 1 && byte == 'y');
	(void)close(ends[0]);
	return pid;
}

__attribute__((unused)) static void scratch_let_go(pid_t pid)
{
	MUST(!kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0) == pid);
}

/* As root: files can't be forbidden to root, so the process goes on as nobody, who owns path; until scratch_come_back(). */
__attribute__((unused)) static void scratch_be_nobody(const char *path)
{
	if (!geteuid())
		MUST(!chown(path, 65534, 65534) && !seteuid(65534));
}

__attribute__((unused)) static void scratch_come_back(void)
{
	if (getuid() || !geteuid())
		return;
	MUST(!seteuid(0));
	/* Who changes its user can't be looked into any more, not even by the leak checker. */
	MUST(!prctl(PR_SET_DUMPABLE, 1));
}
