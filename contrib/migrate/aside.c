/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "migrate/aside.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "daemon/log.h"
#include "daemon/plan-step.h"

#define NAMES_MAX 1000
#define CHUNK ((size_t)1 << 20)

typedef struct Aside {
	char *path, *kept;
	bool stays; /* the file stays at its path, too */
	bool done;
	size_t made; /* directories above kept */
} Aside;

static void aside_done(void *userdata)
{
	Aside *aside = userdata;

	free(aside->path);
	free(aside->kept);
	free(aside);
}

static int fail(Why *ret_why, const char *path, int r)
{
	why_set(ret_why, "%s: %s", path, strerror(-r));
	return r;
}

int aside_make_parents(const char *path, size_t *made)
{
	_cleanup_free_ char *parent = file_parent_dup(path);
	int r;

	if (!parent)
		return -ENOMEM;
	if (!access(parent, F_OK))
		return 0;
	r = aside_make_parents(parent, made);
	if (r < 0)
		return r;
	if (mkdir(parent, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	*made += 1;
	return file_sync_parent(parent);
}

/* Removes the `made` directories above path that are the lowest of those there are. */
static void remove_parents(const char *path, size_t made)
{
	_cleanup_free_ char *left = strdup(path);
	char *slash;

	while (left && made && (slash = strrchr(left, '/')) && slash != left) {
		*slash = '\0';
		if (!rmdir(left))
			made--;
		else if (errno != ENOENT)
			return;
	}
}

static bool is_same(const char *a, const char *b)
{
	struct stat x, y;

	return !lstat(a, &x) && !lstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Whether there is a complete copy on another file system: somebody was stopped before the file at path was removed. */
static bool is_copy(const char *path, const char *kept)
{
	struct stat x, y;

	return !lstat(path, &x) && !lstat(kept, &y) && x.st_dev != y.st_dev &&
	       x.st_size == y.st_size && x.st_mode == y.st_mode && x.st_uid == y.st_uid &&
	       x.st_mtim.tv_sec == y.st_mtim.tv_sec && x.st_mtim.tv_nsec == y.st_mtim.tv_nsec;
}

char *aside_name_dup(const char *dir, const char *path)
{
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		struct stat st;

		strbuf_appendf(&sb, "%s%s", dir, path);
		if (i)
			strbuf_appendf(&sb, ".%u", i);
		if (strbuf_error(&sb))
			return NULL;
		/* The same file: somebody was stopped in the middle. */
		if (lstat(strbuf_text(&sb), &st) < 0 || is_same(strbuf_text(&sb), path) ||
			is_copy(path, strbuf_text(&sb)))
			return strbuf_take(&sb);
	}
	return NULL;
}

/* ---- copies, where another file system is in between ------------------------------------------ */

static int copy_bytes(int from, int to)
{
	_cleanup_free_ char *buffer = malloc(CHUNK);
	int r = 0;

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(from, buffer, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = file_write_full(to, buffer, (size_t)n);
		if (r < 0)
			return r;
	}
}

static int copy_file(const char *path, const char *to)
{
	_cleanup_close_ int in = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK),
			    out = -1;
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = copy_bytes(in, out);
	if (!r && (fchown(out, st.st_uid, st.st_gid) < 0 || fchmod(out, st.st_mode & 07777) < 0 ||
			  futimens(out, (struct timespec[]){st.st_atim, st.st_mtim}) < 0 ||
			  fsync(out) < 0))
		r = -errno;
	return r;
}

static int copy_link(const char *path, const char *to)
{
	char target[PATH_MAX + 1];
	ssize_t n = readlink(path, target, PATH_MAX);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlink(target, to) < 0 ? -errno : 0;
}

/* The file gets a second name, or a copy; complete or not there. 0 or -errno. */
static int duplicate(const char *path, const char *to)
{
	_cleanup_strbuf_ StrBuf part = STRBUF_INIT;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) && !link(path, to)) {
		r = file_sync_parent(to);
		if (r < 0)
			(void)unlink(to);
		return r;
	}
	strbuf_appendf(&part, "%s.part", to);
	if (strbuf_error(&part))
		return strbuf_error(&part);
	(void)unlink(strbuf_text(&part));
	r = S_ISLNK(st.st_mode) ? copy_link(path, strbuf_text(&part))
				: copy_file(path, strbuf_text(&part));
	if (!r && rename(strbuf_text(&part), to) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(strbuf_text(&part));
		return r;
	}
	r = file_sync_parent(to);
	if (r < 0)
		(void)unlink(to);
	return r;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* What was there is there again. */
static void undo(void *userdata)
{
	Aside *aside = userdata;
	_cleanup_strbuf_ StrBuf part = STRBUF_INIT;
	int r = 0;

	if (!aside->done)
		return;
	if (!is_same(aside->path, aside->kept) && rename(aside->kept, aside->path) < 0) {
		r = errno == EXDEV ? 0 : -errno;
		strbuf_appendf(&part, "%s.part", aside->path);
		if (!r)
			r = strbuf_error(&part);
		if (!r) {
			(void)unlink(strbuf_text(&part));
			r = duplicate(aside->kept, strbuf_text(&part));
		}
		if (!r && rename(strbuf_text(&part), aside->path) < 0)
			r = -errno;
	}
	if (r < 0) {
		log_error("%s: can't be taken back: %s; it is in %s", aside->path, strerror(-r),
			aside->kept);
		return;
	}
	(void)file_sync_parent(aside->path);
	(void)unlink(aside->kept);
	remove_parents(aside->kept, aside->made);
}

static int apply(void *userdata, Why *ret_why)
{
	Aside *aside = userdata;
	int r = aside_make_parents(aside->kept, &aside->made);

	if (r < 0) {
		remove_parents(aside->kept, aside->made);
		return fail(ret_why, aside->kept, r);
	}
	if (!aside->stays && !rename(aside->path, aside->kept)) {
		r = file_sync_parent(aside->kept);
	} else if (!is_same(aside->path, aside->kept)) {
		r = duplicate(aside->path, aside->kept);
		if (r < 0) {
			remove_parents(aside->kept, aside->made);
			return fail(ret_why, aside->path, r);
		}
	}
	aside->done = true;
	/* rename(2) leaves two names of one file alone. */
	if (!r && !aside->stays && unlink(aside->path) < 0 && errno != ENOENT)
		r = -errno;
	if (!r)
		r = file_sync_parent(aside->path);
	if (r < 0) {
		(void)fail(ret_why, aside->path, r);
		undo(userdata);
	}
	return r;
}

static int add(Plan *plan, const char *dir, const char *path, bool stays)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	struct stat st;
	Aside *aside;

	if (lstat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	aside = calloc(1, sizeof(*aside));
	if (!aside)
		return -ENOMEM;
	*aside = (Aside){strdup(path), aside_name_dup(dir, path), stays, false, 0};
	if (aside->kept)
		strbuf_appendf(&text, stays ? "keep %s as %s" : "move %s to %s", path, aside->kept);
	if (!aside->path || !aside->kept || strbuf_error(&text)) {
		aside_done(aside);
		return -ENOMEM;
	}
	return plan_take_step(plan, strbuf_take(&text), apply, undo, aside_done, aside);
}

int aside_add_move(Plan *plan, const char *dir, const char *path)
{
	return add(plan, dir, path, false);
}

int aside_add_keep(Plan *plan, const char *dir, const char *path)
{
	return add(plan, dir, path, true);
}

/* Taken back, it comes from where it was kept. */
static int apply_removal(void *userdata, Why *ret_why)
{
	const Aside *aside = userdata;

	if (unlink(aside->path) < 0 && errno != ENOENT)
		return fail(ret_why, aside->path, -errno);
	return file_sync_parent(aside->path);
}

int aside_add_removal(Plan *plan, const char *path)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	Aside *aside = calloc(1, sizeof(*aside));

	if (!aside)
		return -ENOMEM;
	aside->path = strdup(path);
	strbuf_appendf(&text, "remove %s", path);
	if (!aside->path || strbuf_error(&text)) {
		aside_done(aside);
		return -ENOMEM;
	}
	return plan_take_step(plan, strbuf_take(&text), apply_removal, NULL, aside_done, aside);
}

static void undo_link(void *userdata)
{
	const Aside *aside = userdata;

	if (aside->done && unlink(aside->path) < 0)
		log_error("%s: can't be taken back: %s", aside->path, strerror(errno));
}

/* In one step, so that at any time one of the two has the name. */
static int apply_link(void *userdata, Why *ret_why)
{
	Aside *aside = userdata;
	_cleanup_strbuf_ StrBuf part = STRBUF_INIT;

	strbuf_appendf(&part, "%s.part", aside->path);
	if (strbuf_error(&part))
		return strbuf_error(&part);
	(void)unlink(strbuf_text(&part));
	if (symlink(aside->kept, strbuf_text(&part)) < 0)
		return fail(ret_why, aside->path, -errno);
	if (rename(strbuf_text(&part), aside->path) < 0) {
		int r = fail(ret_why, aside->path, -errno);

		(void)unlink(strbuf_text(&part));
		return r;
	}
	aside->done = true;
	return file_sync_parent(aside->path);
}

int aside_add_link(Plan *plan, const char *path, const char *target)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	Aside *aside = calloc(1, sizeof(*aside));

	if (!aside)
		return -ENOMEM;
	*aside = (Aside){.path = strdup(path), .kept = strdup(target)};
	strbuf_appendf(&text, "make %s a link to %s, which names the new command", path, target);
	if (!aside->path || !aside->kept || strbuf_error(&text)) {
		aside_done(aside);
		return -ENOMEM;
	}
	return plan_take_step(plan, strbuf_take(&text), apply_link, undo_link, aside_done, aside);
}
