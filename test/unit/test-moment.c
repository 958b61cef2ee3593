/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/moment.h"

#include "forbid.h"
#include "scratch.h"
#include "source/mount.h"
#include "tap.h"

#include <poll.h>
#include <time.h>

static void nothing(void)
{
}

static void rename_log(void)
{
	MUST(!rename("d/mail.log", "d/mail.log.1"));
}

static void rename_to_log(void)
{
	MUST(!rename("d/other", "d/mail.log.1"));
}

static void rename_there_and_back(void)
{
	MUST(!rename("d/mail.log", "d/x") && !rename("d/x", "d/mail.log"));
}

static void create(void)
{
	scratch_text("d/mail.log.2", "x");
}

static void delete (void)
{
	MUST(!unlink("d/mail.log"));
}

static void link_it(void)
{
	MUST(!link("d/other", "d/mail.log.1"));
}

static void write_log(void)
{
	scratch_append("d/mail.log", "x", 1);
}

static void rename_other(void)
{
	MUST(!rename("d/other", "d/another"));
}

static void rename_directory(void)
{
	MUST(!rename("d", "e"));
}

static void replace_directory(void)
{
	MUST(!rename("d", "e") && !mkdir("d", 0755));
}

static void flood(void)
{
	for (int i = 0; i < 12000; i++)
		MUST(!rename(i % 2 ? "d/another" : "d/other", i % 2 ? "d/other" : "d/another"));
}

static const struct {
	const char *name;
	void (*act)(void);
	int expected;
	int expected_by_time; /* which can't tell one name from another */
} rows[] = {
	{"nothing", nothing, 0, 0},
	{"the log is renamed", rename_log, -ESTALE, -ESTALE},
	{"another file is renamed to a sibling", rename_to_log, -ESTALE, -ESTALE},
	{"the log is renamed and comes back", rename_there_and_back, -ESTALE, -ESTALE},
	{"a sibling is created", create, -ESTALE, -ESTALE},
	{"the log is deleted", delete, -ESTALE, -ESTALE},
	{"a sibling is linked", link_it, -ESTALE, -ESTALE},
	{"the log is written", write_log, 0, 0},
	{"another file is renamed", rename_other, 0, -ESTALE},
	{"the directory is renamed", rename_directory, -ESTALE, -ESTALE},
	{"another directory has its name", replace_directory, -ESTALE, -ESTALE},
	{"more events than the queue holds", flood, -ESTALE, -ESTALE},
};

/* A directory that was changed some time ago. */
static void make_world(void)
{
	const struct timespec times[2] = {{1000, 0}, {1000, 0}};

	scratch_empty();
	MUST(!mkdir("d", 0755));
	scratch_text("d/mail.log", "x");
	scratch_text("d/other", "x");
	MUST(!utimensat(AT_FDCWD, "d", times, 0));
}

static int check_after(Moment *moment, void (*act)(void))
{
	int fd, r;

	moment_begin(moment);
	MUST(!moment_add(moment, "d", "mail.log", &fd) && fd >= 0);
	act();
	r = moment_check(moment);
	if (!r)
		r = moment_check(moment);
	return r;
}

static void test_rows(void)
{
	_cleanup_(moment_freep) Moment *moment = NULL;

	MUST(!moment_new(&moment));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r;

		make_world();
		r = check_after(moment, rows[i].act);
		if (!tap_ok(r == rows[i].expected, "%s", rows[i].name))
			tap_note("got %d", r);
	}
	make_world();
	tap_ok(!check_after(moment, nothing), "what was before is forgotten");
}

/* The time of the directory as it was set can't be set for its change: that has to grow old. */
static void wait_until_old(void)
{
	MUST(poll(NULL, 0, 40) == 0);
}

/* No inotify instance is left: the number of rows that are wrong, up to 30. */
static int rows_by_time(void)
{
	_cleanup_(moment_freep) Moment *moment = NULL;
	int wrong = 0, fd;

	if (moment_new(&moment))
		return 40;
	if (!forbid_call(SYS_inotify_init1, EMFILE))
		return 41;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make_world();
		wait_until_old();
		wrong += check_after(moment, rows[i].act) != rows[i].expected_by_time;
	}
	make_world();
	moment_begin(moment);
	MUST(!moment_add(moment, "d", "mail.log", &fd));
	/* Just changed: another change could have the same time. */
	wrong += moment_check(moment) != -ESTALE;
	return wrong;
}

static void test_time(void)
{
	int status;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		_exit(rows_by_time());
	MUST(waitpid(pid, &status, 0) == pid);
	if (status == 41 << 8)
		tap_ok(true, "without inotify # SKIP no seccomp");
	else if (!tap_ok(!status, "without inotify the directory's times have to do"))
		tap_note("status %x", (unsigned)status);
}

static void test_missing(void)
{
	_cleanup_(moment_freep) Moment *moment = NULL;
	int fd;

	scratch_empty();
	MUST(!moment_new(&moment));
	moment_begin(moment);
	tap_ok(moment_add(moment, "d", "mail.log", &fd) == -ENOENT, "a missing directory is said");
	tap_ok(!moment_check(moment), "it stays missing");
	MUST(!mkdir("d", 0755));
	tap_ok(moment_check(moment) == -ESTALE, "it appears");
	moment_begin(moment);
	tap_ok(!moment_check(moment), "no directory at all");
}

static void test_mount(void)
{
	int proc = open("/proc/self", O_RDONLY | O_CLOEXEC), here = open(".", O_RDONLY | O_CLOEXEC);

	MUST(proc >= 0 && here >= 0);
	tap_ok(mount_silent_name(proc) && !strcmp(mount_silent_name(proc), "proc"),
		"/proc tells inotify nothing");
	tap_ok(!mount_silent_name(-1), "nothing is known of no file");
	(void)close(proc);
	(void)close(here);
}

int main(void)
{
	scratch_enter();
	test_rows();
	test_time();
	test_missing();
	test_mount();
	return tap_done();
}
