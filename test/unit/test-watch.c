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

/* Which slots were named since it was emptied: bit 63 is WATCH_ALL. */
static uint64_t changed;

static void on_changed(void *userdata, size_t slot)
{
	changed |= (uint64_t)1 << MIN(slot, (size_t)63);
}

/* Takes all that is there. */
static void settle(Watch *watch)
{
	changed = 0;
	MUST(!watch_dispatch(watch, &(WatchCallbacks){on_changed, NULL}) && !readable(watch, 0));
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

/* mail.log in a directory of today. */
static void make_linked_directory(void)
{
	MUST(!mkdir("d", 0755) && !mkdir("20261121", 0755) && !mkdir("20261122", 0755));
	append("20261121/mail.log");
	append("20261122/mail.log");
	MUST(!symlink("../today", DIR) && !symlink("20261121", "today"));
	open_fd = open(LOG, O_RDONLY | O_CLOEXEC);
	MUST(open_fd >= 0);
}

static void switch_directory(void)
{
	MUST(!symlink("20261122", "tomorrow") && !rename("tomorrow", "today"));
}

static void make_linked_file(void)
{
	MUST(!mkdir("d", 0755) && !mkdir(DIR, 0755) && !mkdir("e", 0755));
	append("e/one");
	MUST(!symlink("../../e/now", LOG) && !symlink("one", "e/now"));
}

static void switch_file(void)
{
	append("e/two");
	MUST(!unlink("e/now") && !symlink("two", "e/now"));
}

static void append_linked(void)
{
	append("e/one");
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
	{"a link of a link to its directory leads elsewhere", make_linked_directory,
		switch_directory},
	{"a link to it leads elsewhere", make_linked_file, switch_file},
	{"append to what a link leads to", make_linked_file, append_linked},
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
		settle(watch);
		tap_ok(!before && after && changed == 1, "an event: %s", rows[i].name);
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

/* ---- who is meant --------------------------------------------------------------------------- */

static void act_a(void)
{
	append(DIR "/a.log");
}

static void act_b_renamed(void)
{
	MUST(!rename(DIR "/b.log", DIR "/b.log.1"));
}

static void act_a_rotated_appears(void)
{
	append(DIR "/a.log.1");
}

static void act_a_compressed(void)
{
	MUST(!rename(DIR "/a.log.1", DIR "/a.log.1.gz"));
}

static void act_b_comes(void)
{
	append(DIR "/b.log");
}

static void act_other(void)
{
	append(DIR "/c.log");
	MUST(!unlink(DIR "/c.log"));
}

static void act_prefix(void)
{
	append(DIR "/a.log2");
}

static void act_waiting_near(void)
{
	MUST(!mkdir("d/f", 0755));
}

static void act_waiting_comes(void)
{
	append("d/f/x.log");
}

static void act_directory_chmod(void)
{
	MUST(!chmod(DIR, 0700));
}

static void act_new_entry(void)
{
	append("g/entry");
}

static void act_entry_written(void)
{
	append("g/entry");
}

/* In order, each after the one before; slots are armed anew after each. */
static const struct {
	const char *name;
	void (*act)(void);
	unsigned slots;
} meant[] = {
	{"a log is written", act_a, 1 << 0},
	{"another one is renamed", act_b_renamed, 1 << 1},
	{"and comes back", act_b_comes, 1 << 1},
	{"a rotated file appears", act_a_rotated_appears, 1 << 0},
	{"and is compressed", act_a_compressed, 1 << 0},
	{"a file that is nobody's", act_other, 0},
	{"a file whose name begins like a log's", act_prefix, 1 << 0},
	{"a directory that is waited for", act_waiting_near, 1 << 2},
	{"a log that is waited for", act_waiting_comes, 1 << 2},
	{"the directory of two", act_directory_chmod, 1 << 0 | 1 << 1},
	{"an entry of a directory that is watched for its own sake", act_new_entry, 1 << 4},
	{"which is then written", act_entry_written, 0},
};

static void test_meant(void)
{
	_cleanup_(watch_freep) Watch *watch = NULL;
	int fd;

	scratch_empty();
	MUST(!mkdir("d", 0755) && !mkdir(DIR, 0755) && !mkdir("g", 0755));
	append(DIR "/a.log");
	append(DIR "/b.log");
	fd = open(DIR "/a.log", O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && !watch_new(&watch));
	for (size_t i = 0; i <= ARRAY_SIZE(meant); i++) {
		int r;

		(void)arm(watch, 0, DIR "/a.log", fd);
		(void)arm(watch, 1, DIR "/b.log", -1);
		(void)arm(watch, 2, "d/f/x.log", -1);
		while ((r = watch_arm_directory(watch, 4, "g")) == WATCH_NEW)
			;
		MUST(!r);
		settle(watch);
		if (i == ARRAY_SIZE(meant))
			break;
		meant[i].act();
		settle(watch);
		if (!tap_ok(changed == meant[i].slots, "who is meant: %s", meant[i].name))
			tap_note("%" PRIx64, changed);
	}
	watch_disarm(watch, 0);
	watch_disarm(watch, 4);
	settle(watch);
	append(DIR "/a.log");
	act_new_entry();
	settle(watch);
	tap_ok(!changed, "who is meant: nobody any more");
	append(DIR "/b.log");
	settle(watch);
	tap_ok(changed == 1 << 1, "who is meant: the one that stays");
	(void)close(fd);
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
		(void)watch_dispatch(watch, &(WatchCallbacks){on_changed, NULL});
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
	tap_ok(changed & (uint64_t)1 << 63, "which is too many, so that all may have changed");
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
	test_meant();
	test_leaks();
	test_flood();
	test_no_room();
	return tap_done();
}
