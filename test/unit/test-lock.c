/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/lock.h"

#include "scratch.h"
#include "tap.h"

#include <poll.h>

static bool lock_for_run(void *userdata)
{
	char holder[LOCK_HOLDER_MAX];
	int fd;

	return !lock_take("lock", "run", &fd, holder);
}

static void test_other_process(void)
{
	char holder[LOCK_HOLDER_MAX] = "nobody", expected[LOCK_HOLDER_MAX];
	pid_t pid = scratch_hold(lock_for_run, NULL);
	int fd = -1, r;

	(void)snprintf(expected, sizeof(expected), "%ld run", (long)pid);
	r = lock_take("lock", "extract", &fd, holder);
	if (!tap_ok(r == LOCK_HELD && fd == -1 && !strcmp(holder, expected),
		    "the second process is told who has it"))
		tap_note("%d '%s'", r, holder);
	scratch_let_go(pid);
	r = lock_take("lock", "extract", &fd, holder);
	tap_ok(!r && fd >= 0, "it ends with kill -9 of the one who had it");
	tap_ok(access("lock", F_OK) == 0, "the file stays");
	(void)close(fd);
}

static void test_same_process(void)
{
	char holder[LOCK_HOLDER_MAX], text[LOCK_HOLDER_MAX];
	int first = -1, second = -1, copy;

	MUST(!lock_take("lock", "run", &first, holder));
	tap_ok(lock_take("lock", "run", &second, holder) == LOCK_HELD,
		"it holds within one process too");
	copy = fcntl(first, F_DUPFD_CLOEXEC, 3);
	MUST(copy >= 0);
	(void)close(copy);
	(void)snprintf(text, sizeof(text), "%ld run\n", (long)getpid());
	/* Unlike a POSIX lock, it is not let go by whoever reads the file. */
	tap_ok(scratch_holds("lock", text, strlen(text)) &&
			lock_take("lock", "run", &second, holder) == LOCK_HELD,
		"reading the file does not let it go");
	(void)close(first);
	tap_ok(!lock_take("lock", "a command with a name that is much longer than any we have",
		       &second, holder),
		"closing it lets it go");
	tap_ok(lock_take("lock", "run", &first, holder) == LOCK_HELD &&
			strlen(holder) < LOCK_HOLDER_MAX && !strchr(holder, '\n'),
		"a long command is cut");
	(void)close(second);
}

/* A child that is started while the lock is held must not keep it. */
static void test_child(void)
{
	char holder[LOCK_HOLDER_MAX];
	int fd = -1, again = -1, status;
	pid_t pid;

	MUST(!lock_take("lock", "run", &fd, holder));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		(void)execlp("sh", "sh", "-c", "exec sleep 60", (char *)NULL);
		_exit(127);
	}
	/* Between fork and exec the child has it as well. */
	for (int i = 0; i < 500; i++) {
		char path[64], comm[16] = "";
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
		file = fopen(path, "re");
		MUST(file);
		(void)!fgets(comm, sizeof(comm), file);
		(void)fclose(file);
		if (!strcmp(comm, "sh\n") || !strcmp(comm, "sleep\n"))
			break;
		(void)poll(NULL, 0, 10);
	}
	(void)close(fd);
	tap_ok(!lock_take("lock", "run", &again, holder),
		"a job that was started does not keep it");
	(void)close(again);
	MUST(!kill(pid, SIGKILL));
	MUST(waitpid(pid, &status, 0) == pid);
}

static void test_odd_files(void)
{
	char holder[LOCK_HOLDER_MAX];
	struct stat st;
	int fd = -1;

	scratch_text("old", "4711 run\nand much more text than one holder ever writes into it\n");
	tap_ok(!lock_take("old", "reset", &fd, holder), "a file from before");
	(void)snprintf(holder, sizeof(holder), "%ld reset\n", (long)getpid());
	tap_ok(scratch_holds("old", holder, strlen(holder)), "holds the new one only");
	(void)close(fd);
	MUST(!unlink("lock") && !lock_take("lock", "run", &fd, holder) && !fstat(fd, &st));
	tap_ok((st.st_mode & 07777) == 0600, "a new one has mode 0600");
	(void)close(fd);
	MUST(!symlink("old", "link"));
	tap_ok(lock_take("link", "run", &fd, holder) == -ELOOP, "a symbolic link is refused");
	tap_ok(lock_take(".", "run", &fd, holder) == -EISDIR, "a directory is an error");
	tap_ok(lock_take("no/lock", "run", &fd, holder) == -ENOENT, "no directory is an error");
}

/* The one who has it has not written who it is, or wrote what is no text. */
static void test_silent_holder(void)
{
	static const struct {
		const char *name;
		Span content;
		const char *holder;
	} rows[] = {
		{"nothing", SPAN_LITERAL(""), ""},
		{"no newline", SPAN_LITERAL("12 run"), "12 run"},
		{"a NUL", SPAN_LITERAL("1\0 run\n"), "1"},
		{"too long",
			SPAN_LITERAL(
				"1234567890123456789012345678901234567890123456789012345678901234"
				"5678901234567890\n"),
			"123456789012345678901234567890123456789012345678901234567890123"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char holder[LOCK_HOLDER_MAX] = "before";
		int fd, second = -1;

		scratch_write("silent", rows[i].content.data, rows[i].content.len);
		fd = open("silent", O_RDWR | O_CLOEXEC);
		MUST(fd >= 0 && !lock_file(fd));
		tap_ok(lock_take("silent", "run", &second, holder) == LOCK_HELD &&
				!strcmp(holder, rows[i].holder),
			"the holder wrote: %s", rows[i].name);
		(void)close(fd);
	}
}

static void test_lock_file(void)
{
	int first, second, reader;

	scratch_text("csv", "server,date\n");
	first = open("csv", O_RDWR | O_CLOEXEC);
	second = open("csv", O_RDWR | O_CLOEXEC);
	reader = open("csv", O_RDONLY | O_CLOEXEC);
	MUST(first >= 0 && second >= 0 && reader >= 0);
	tap_ok(!lock_file(first) && lock_file(second) == LOCK_HELD, "one open file has the lock");
	tap_ok(!lock_file(first), "it can take it again");
	tap_ok(lock_file(reader) == -EBADF, "not with a descriptor that can't write");
	(void)close(first);
	tap_ok(!lock_file(second), "the next one has it then");
	(void)close(second);
	(void)close(reader);
}

int main(void)
{
	scratch_enter();
	test_other_process();
	test_same_process();
	test_child();
	test_odd_files();
	test_silent_holder();
	test_lock_file();
	return tap_done();
}
