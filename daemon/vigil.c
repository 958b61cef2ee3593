/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/vigil.h"

#include "daemon/log.h"
#include "source/watch.h"

#include <sys/stat.h>

typedef struct FileState {
	int error; /* errno; then the rest is 0 */
	dev_t device;
	ino_t inode;
	off_t size_bytes;
	struct timespec modified, changed;
} FileState;

struct Vigil {
	Loop *loop;
	Watch *watch;    /* NULL: who asks must do */
	int watch_error; /* said already */
	LoopFunction something;
	void *userdata;
	unsigned count;
	const char *paths[VIGIL_FILES_MAX];
	FileState seen[VIGIL_FILES_MAX];
};

static FileState look_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (FileState){.error = errno};
	return (FileState){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size_bytes = st.st_size,
		.modified = st.st_mtim,
		.changed = st.st_ctim,
	};
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const FileState *a, const FileState *b)
{
	return a->error == b->error && a->device == b->device && a->inode == b->inode &&
	       a->size_bytes == b->size_bytes && is_same_time(&a->modified, &b->modified) &&
	       is_same_time(&a->changed, &b->changed);
}

static bool is_written(const FileState *before, const FileState *now)
{
	return !before->error && !now->error && before->device == now->device &&
	       before->inode == now->inode &&
	       (before->size_bytes != now->size_bytes ||
		       !is_same_time(&before->modified, &now->modified));
}

static void say(Vigil *vigil, int error)
{
	if (error != vigil->watch_error)
		log_info("databases are looked at every half a minute, as inotify says: %s",
			strerror(-error));
	vigil->watch_error = error;
}

/* What the names lead over now. */
static void arm(Vigil *vigil)
{
	for (unsigned file = 0; file < vigil->count && vigil->watch; file++) {
		int r = watch_arm(vigil->watch, file, vigil->paths[file], -1);

		if (r < 0)
			say(vigil, r);
	}
}

/* Which file it is about is seen by looking at all of them. */
static void on_named(void *userdata, size_t file)
{
	bool *named = userdata;

	*named = true;
}

static void on_watch(void *userdata, int fd, unsigned events)
{
	Vigil *vigil = userdata;
	bool named = false;
	int r = watch_dispatch(vigil->watch, &(WatchCallbacks){on_named, &named});

	if (r < 0)
		say(vigil, r);
	if (named)
		vigil->something(vigil->userdata);
}

int vigil_new(Loop *loop, const char *const *paths, unsigned count, LoopFunction something,
	void *userdata, Vigil **ret_vigil)
{
	_cleanup_(vigil_freep) Vigil *vigil = calloc(1, sizeof(*vigil));
	unsigned written;
	int r;

	if (!vigil)
		return -ENOMEM;
	vigil->loop = loop;
	vigil->something = something;
	vigil->userdata = userdata;
	vigil->count = count;
	memcpy(vigil->paths, paths, count * sizeof(*paths));
	r = watch_new(&vigil->watch);
	if (!r)
		r = loop_watch(loop, watch_fd(vigil->watch), LOOP_READ, on_watch, vigil);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		say(vigil, r);
	(void)vigil_take_changes(vigil, &written);
	*ret_vigil = TAKE(vigil);
	return 0;
}

void vigil_free(Vigil *vigil)
{
	if (!vigil)
		return;
	if (vigil->watch)
		(void)loop_watch(vigil->loop, watch_fd(vigil->watch), 0, NULL, NULL);
	watch_free(vigil->watch);
	free(vigil);
}

void vigil_name(Vigil *vigil, const char *const *paths)
{
	memcpy(vigil->paths, paths, vigil->count * sizeof(*paths));
}

unsigned vigil_take_changes(Vigil *vigil, unsigned *ret_written)
{
	unsigned changed = 0;

	*ret_written = 0;

	/* First, so that nothing is changed between unseen. */
	arm(vigil);
	for (unsigned file = 0; file < vigil->count; file++) {
		FileState now = look_at(vigil->paths[file]);

		if (is_same(&now, &vigil->seen[file]))
			continue;
		if (is_written(&vigil->seen[file], &now))
			*ret_written |= 1u << file;
		vigil->seen[file] = now;
		changed |= 1u << file;
	}
	return changed;
}

bool vigil_is_there(const Vigil *vigil, unsigned file)
{
	return vigil->seen[file].error != ENOENT;
}
