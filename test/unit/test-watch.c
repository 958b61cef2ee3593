/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/watch.h"

#include "forbid.h"
#include "scratch.h"
#include "tap.h"

#include <poll.h>

#define DIR "d/e"
#define LOG DIR "/mail.log"
#define DEADLINE_MS 10000

static bool readable(const Watch *watch, int timeout_ms)
{
	struct pollfd pollfd = {watch_fd(watch), POLLIN, 0};

	return poll(&pollfd, 1, timeout_ms) == 1;
}

/* Takes all that is there. */
static void settle(Watch *watch)
{
	MUST(!watch_dispatch(watch) && !readable(watch, 0));
}

/* Watches until nothing is new any more, as a daemon does. The number of times that something was. */
static int arm(Watch *watch, size_t slot, const char *path, int fd)
{
	int news = 0, r;

	while ((r = watch_arm(watch, slot, path, fd)) == WATCH_NEW)
		MUST(++news < 10);
	MUST(!r);
	return news;
}

/* How many things the kernel watches. */
static int count_watched(const Watch *watch)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	char path[64];
	int count = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", watch_fd(watch));
	text = scratch_read(path);
	for (const char *at = text.data; (at = strstr(at, "inotify wd:")); at++)
		count++;
	return count;
}

static void append(const char *path)
{
	scratch_append(path, "line\n", 5);
}

/* ---- what is an event ----------------------------------------------------------------------- */

static int open_fd = -1;

static void make_log(void)
{
	MUST(!mkdir("d", 0755) && !mkdir(DIR, 0755));
	append(LOG);
}

/* As a daemon that reads it. */
static void make_open_log(void)
{
	make_log();
	open_fd = open(LOG, O_RDONLY | O_CLOEXEC);
	MUST(open_fd >= 0);
}

static void make_rotated(void)
{
	make_open_log();
	MUST(!rename(LOG, LOG ".1"));
	append(LOG);
}

static void make_deleted(void)
{
	make_open_log();
	MUST(!link(LOG, "elsewhere") && !unlink(LOG));
}

static void make_directory(void)
{
	MUST(!mkdir("d", 0755) && !mkdir(DIR, 0755));
}

static void make_upper(void)
{
	MUST(!mkdir("d", 0755));
}

static void make_nothing(void)
{
}

static void append_log(void)
{
	append(LOG);
}

static void append_old(void)
{
	append(LOG ".1");
}

static void append_elsewhere(void)
{
	append("elsewhere");
}

static void truncate_it(void)
{
	MUST(!truncate(LOG, 0));
}

static void rename_it(void)
{
	MUST(!rename(LOG, LOG ".1"));
}

static void delete_it(void)
{
	MUST(!unlink(LOG));
}

static void rename_over(void)
{
	scratch_text("new", "x\n");
	MUST(!rename("new", LOG));
}

static void forbid_it(void)
{
	MUST(!chmod(LOG, 0));
}

static void forbid_directory(void)
{
	MUST(!chmod(DIR, 0700));
}

static void make_e(void)
{
	MUST(!mkdir(DIR, 0755));
}

static void make_d(void)
{
	MUST(!mkdir("d", 0755));
}

static void move_tree(void)
{
	MUST(!mkdir("other", 0755) && !mkdir("other/e", 0755));
	append("other/e/mail.log");
	MUST(!rename("other", "d"));
}

static void remove_directory(void)
{
	MUST(!unlink(LOG) && !rmdir(DIR));
}

static void rename_directory(void)
{
	MUST(!rename(DIR, "d/f"));
}

static const struct {
	const char *name;
	void (*make)(void);
	void (*act)(void);
} rows[] = {
	{"append", make_open_log, append_log},
	{"append to a log that is not open", make_log, append_log},
	{"append to the old file that is open", make_rotated, append_old},
	{"append to the new file while the old one is open", make_rotated, append_log},
	{"append to a deleted file that is open", make_deleted, append_elsewhere},
	{"truncation", make_open_log, truncate_it},
	{"rename", make_open_log, rename_it},
	{"rename of a log that is not open", make_log, rename_it},
	{"deletion", make_open_log, delete_it},
	{"another file put in its place", make_open_log, rename_over},
	{"chmod", make_open_log, forbid_it},
	{"chmod of a log that is not open", make_log, forbid_it},
	{"creation", make_directory, append_log},
	{"creation after a deletion", make_deleted, append_log},
	{"the log's directory appears", make_upper, make_e},
	{"the directory above appears", make_nothing, make_d},
	{"both appear at once", make_nothing, move_tree},
	{"its directory is deleted", make_log, remove_directory},
	{"its directory is renamed", make_log, rename_directory},
	{"chmod of its directory", make_log, forbid_directory},
};

static void test_events(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(watch_freep) Watch *watch = NULL;
		bool before, after;

		scratch_empty();
		rows[i].make();
		MUST(!watch_new(&watch));
		(void)arm(watch, 0, LOG, open_fd);
		settle(watch);
		before = readable(watch, 0);
		rows[i].act();
		after = readable(watch, DEADLINE_MS);
		tap_ok(!before && after, "an event: %s", rows[i].name);
		settle(watch);
		(void)arm(watch, 0, LOG, open_fd);
		settle(watch);
		tap_ok(!watch_arm(watch, 0, LOG, open_fd) && !readable(watch, 0),
			"and then it is quiet again");
		close_fd(&open_fd);
		open_fd = -1;
	}
}

/* What a mail server's busy directory must not wake anybody for. */
static void test_no_events(void)
{
	_cleanup_(watch_freep) Watch *watch = NULL;
	int fd;

	scratch_empty();
	make_log();
	append(DIR "/mail.err");
	fd = open(LOG, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && !watch_new(&watch));
	(void)arm(watch, 0, LOG, fd);
	settle(watch);
	append(DIR "/mail.err");
	MUST(truncate(DIR "/mail.err", 0) == 0);
	tap_ok(!readable(watch, 0), "no event: another log of the directory is written");
	MUST(read(fd, (char[8]){0}, 8) > 0);
	MUST(!scratch_holds(LOG, "", 0));
	tap_ok(!readable(watch, 0), "no event: the log is read");
	append("d/file");
	tap_ok(!readable(watch, 0), "no event: something appears in the directory above");
	(void)close(fd);
}

/* ---- the contract of watch_arm -------------------------------------------------------------- */

/* Something could have happened before it was watched: then it says so, once. */
static void test_new(void)
{
	_cleanup_(watch_freep) Watch *watch = NULL;
	int fd;

	scratch_empty();
	MUST(!watch_new(&watch));
	tap_ok(watch_arm(watch, 0, LOG, -1) == WATCH_NEW && !watch_arm(watch, 0, LOG, -1),
		"new: a directory above");
	make_upper();
	tap_ok(watch_arm(watch, 0, LOG, -1) == WATCH_NEW && !watch_arm(watch, 0, LOG, -1),
		"new: one nearer to it");
	make_e();
	tap_ok(watch_arm(watch, 0, LOG, -1) == WATCH_NEW && !watch_arm(watch, 0, LOG, -1),
		"new: its own");
	append(LOG);
	tap_ok(watch_arm(watch, 0, LOG, -1) == WATCH_NEW && !watch_arm(watch, 0, LOG, -1),
		"new: the log");
	fd = open(LOG, O_RDONLY | O_CLOEXEC);
	tap_ok(watch_arm(watch, 0, LOG, fd) == WATCH_NEW && !watch_arm(watch, 0, LOG, fd),
		"new: the open file, once");
	append(LOG);
	tap_ok(!watch_arm(watch, 0, LOG, fd), "not new: it was written");
	MUST(!rename(LOG, LOG ".1"));
	tap_ok(!watch_arm(watch, 0, LOG, fd), "not new: it was renamed");
	append(LOG);
	tap_ok(watch_arm(watch, 0, LOG, fd) == WATCH_NEW && !watch_arm(watch, 0, LOG, fd),
		"new: another file with its name");
	(void)close(fd);
	MUST(!rename(DIR, "d/f"));
	make_e();
	append(LOG);
	settle(watch);
	tap_ok(watch_arm(watch, 0, LOG, -1) == WATCH_NEW && !watch_arm(watch, 0, LOG, -1),
		"new: another directory with its name");
}

static void test_slots(void)
{
	_cleanup_(watch_freep) Watch *watch = NULL;
	int fd, one;

	scratch_empty();
	make_log();
	append(DIR "/other.log");
	fd = open(LOG, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && !watch_new(&watch));
	(void)arm(watch, 3, LOG, fd);
	one = count_watched(watch);
	(void)arm(watch, 0, LOG, -1);
	tap_ok(count_watched(watch) == one, "two slots for one log share what is watched");
	(void)arm(watch, 1, DIR "/other.log", -1);
	tap_ok(count_watched(watch) == one + 1, "two logs share their directory");
	(void)close(fd);
	(void)arm(watch, 0, "d/elsewhere.log", -1);
	settle(watch);
	append(LOG);
	tap_ok(readable(watch, DEADLINE_MS), "a slot that moves on takes nothing from another");
	settle(watch);
	append(DIR "/other.log");
	tap_ok(readable(watch, DEADLINE_MS), "the other log");
	/* Where a log should be there is the directory of another one. */
	(void)arm(watch, 2, DIR, -1);
	settle(watch);
	MUST(!mkdir(DIR "/new", 0755));
	tap_ok(readable(watch, DEADLINE_MS), "a directory that is also somebody's log");
}

static void test_leaks(void)
{
	_cleanup_(watch_freep) Watch *watch = NULL;
	int fd = -1, most = 0;
	unsigned missed = 0;

	scratch_empty();
	make_log();
	MUST(!watch_new(&watch));
	for (int i = 0; i < 1000; i++) {
		close_fd(&fd);
		fd = open(LOG, O_RDONLY | O_CLOEXEC);
		MUST(fd >= 0);
		(void)arm(watch, 0, LOG, fd);
		(void)watch_dispatch(watch);
		MUST(!rename(LOG, LOG ".1"));
		append(LOG);
		missed += !readable(watch, DEADLINE_MS);
		(void)arm(watch, 0, LOG, fd);
		most = MAX(most, count_watched(watch));
	}
	if (!tap_ok(most == 3, "1000 rotations leave nothing watched that is not needed"))
		tap_note("%d", most);
	tap_ok(!missed, "and each is an event");
	close_fd(&fd);
	(void)arm(watch, 0, LOG, -1);
	tap_ok(count_watched(watch) == 2, "a file that is closed is not watched");
	remove(LOG ".1");
	remove_directory();
	(void)arm(watch, 0, LOG, -1);
	tap_ok(count_watched(watch) == 1, "what is gone is not watched");
}

/* More events than the queue holds: it is readable, and what comes later still is seen. */
static void test_flood(void)
{
	_cleanup_(watch_freep) Watch *watch = NULL;
	char name[64];

	scratch_empty();
	make_log();
	MUST(!watch_new(&watch));
	(void)arm(watch, 0, LOG, -1);
	for (int i = 0; i < 12000; i++) {
		(void)snprintf(name, sizeof(name), DIR "/%d", i % 2);
		MUST(!rename(i % 2 ? DIR "/0" : i ? DIR "/1" : LOG, name));
	}
	tap_ok(readable(watch, DEADLINE_MS), "24000 events");
	settle(watch);
	(void)arm(watch, 0, LOG, -1);
	settle(watch);
	append(LOG);
	tap_ok(readable(watch, DEADLINE_MS), "and one after them");
}

/* The user's watches are used up. */
static int watch_without_room(void)
{
	Watch *watch;
	int r;

	if (watch_new(&watch))
		return 3;
	if (!forbid_call(SYS_inotify_add_watch, ENOSPC))
		return 2;
	r = watch_arm(watch, 0, LOG, -1);
	if (r == -ENOSPC)
		r = watch_arm(watch, 0, LOG, STDIN_FILENO);
	watch_free(watch);
	return r == -ENOSPC ? 0 : 1;
}

static void test_no_room(void)
{
	int status;
	pid_t pid;

	scratch_empty();
	make_log();
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		_exit(watch_without_room());
	MUST(waitpid(pid, &status, 0) == pid);
	if (status == 2 << 8)
		tap_ok(true, "no room for watches # SKIP no seccomp");
	else
		tap_ok(!status, "no room for watches is said");
}

int main(void)
{
	scratch_enter();
	test_events();
	test_no_events();
	test_new();
	test_slots();
	test_leaks();
	test_flood();
	test_no_room();
	return tap_done();
}
