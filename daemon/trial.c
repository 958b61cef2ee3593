/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/trial.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/file.h"
#include "daemon/owner.h"

#define TEXT_MAX ((size_t)1 << 20)

/* The child writes what it returns, then the text. */
static int report(TrialCheck *check, const void *subject, int fd)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int r = owner_become_user(OWNER_SERVICE);

	if (!r)
		r = check(subject, &text);
	if (strbuf_error(&text))
		r = strbuf_error(&text);
	if (file_write_full(fd, &r, sizeof(r)) < 0)
		return 1;
	return file_write_full(fd, strbuf_text(&text), text.len) < 0;
}

static int collect(int fd, StrBuf *ret_text)
{
	_cleanup_strbuf_ StrBuf answer = STRBUF_INIT;
	int r = file_read_fd(fd, TEXT_MAX, &answer), result;

	if (r < 0)
		return r;
	if (answer.len < sizeof(result))
		return -EIO;
	memcpy(&result, answer.data, sizeof(result));
	strbuf_append(ret_text, answer.data + sizeof(result), answer.len - sizeof(result));
	return strbuf_error(ret_text) ? strbuf_error(ret_text) : result;
}

int trial_run(TrialCheck *check, const void *subject, StrBuf *ret_text)
{
	_cleanup_close_ int from = -1, to = -1;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	from = fds[0];
	to = fds[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(report(check, subject, to));
	close_fd(&to);
	to = -1;
	r = collect(from, ret_text);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
