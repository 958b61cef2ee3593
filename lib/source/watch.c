/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/watch.h"

#include "base/file.h"

#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>

/* IN_MASK_ADD: what is a log's name for one slot can be a directory for another. */
#define DIRECTORY_EVENTS                                                                       \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | \
		IN_ATTRIB | IN_MASK_ADD)
#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_MASK_ADD)

typedef struct Slot {
	int directory, name, open; /* watch descriptors, -1: none */
} Slot;

struct Watch {
	int fd;
	Slot *slots;
	size_t slot_count;
};

int watch_new(Watch **ret_watch)
{
	_cleanup_(watch_freep) Watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	*ret_watch = TAKE(watch);
	return 0;
}

void watch_free(Watch *watch)
{
	if (!watch)
		return;
	if (watch->fd >= 0)
		(void)close(watch->fd);
	free(watch->slots);
	free(watch);
}

int watch_fd(const Watch *watch)
{
	return watch->fd;
}

/* The kernel gives one descriptor per inode, so several slots can share it. */
static bool is_used(const Watch *watch, int descriptor)
{
	for (size_t i = 0; i < watch->slot_count; i++) {
		const Slot *slot = &watch->slots[i];

		if (slot->directory == descriptor || slot->name == descriptor ||
			slot->open == descriptor)
			return true;
	}
	return false;
}

/* Puts a new descriptor (or -1) into *place and lets go of the old one. True when it is another. */
static bool replace(Watch *watch, int *place, int descriptor)
{
	int old = *place;

	if (old == descriptor)
		return false;
	*place = descriptor;
	/* It may be gone already (IN_IGNORED): nothing to do then. */
	if (old >= 0 && !is_used(watch, old))
		(void)inotify_rm_watch(watch->fd, old);
	return descriptor >= 0;
}

/* Watches the directory of path, or the nearest one above that exists. The descriptor or -errno. */
static int add_directory(Watch *watch, const char *path)
{
	_cleanup_free_ char *dir = file_parent_dup(path);

	while (dir) {
		int descriptor = inotify_add_watch(watch->fd, dir, DIRECTORY_EVENTS | IN_ONLYDIR);
		char *above;

		if (descriptor >= 0)
			return descriptor;
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			return -errno;
		if (!strcmp(dir, "/") || !strcmp(dir, "."))
			return -ENOENT;
		above = file_parent_dup(dir);
		free(dir);
		dir = above;
	}
	return -ENOMEM;
}

static int get_slot(Watch *watch, size_t index, Slot **ret_slot)
{
	if (index >= watch->slot_count) {
		Slot *slots = reallocarray(watch->slots, index + 1, sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		watch->slots = slots;
		while (watch->slot_count <= index)
			slots[watch->slot_count++] = (Slot){-1, -1, -1};
	}
	*ret_slot = &watch->slots[index];
	return 0;
}

int watch_arm(Watch *watch, size_t index, const char *path, int open_fd)
{
	char open_path[sizeof("/proc/self/fd/") + 11];
	int directory, name, open = -1, r;
	bool news = false;
	Slot *slot;

	r = get_slot(watch, index, &slot);
	if (r < 0)
		return r;
	directory = add_directory(watch, path);
	if (directory < 0)
		return directory;
	news |= replace(watch, &slot->directory, directory);
	name = inotify_add_watch(watch->fd, path, FILE_EVENTS);
	if (name < 0 && errno != ENOENT && errno != ENOTDIR && errno != EACCES)
		return -errno;
	news |= replace(watch, &slot->name, MAX(name, -1));
	if (open_fd >= 0) {
		(void)snprintf(open_path, sizeof(open_path), "/proc/self/fd/%d", open_fd);
		open = inotify_add_watch(watch->fd, open_path, FILE_EVENTS);
		/* Deleted, or without /proc: nobody can be noticed writing to it, the poll sees it. */
		if (open < 0 && errno == ENOSPC)
			return -errno;
	}
	news |= replace(watch, &slot->open, MAX(open, -1));
	return news ? WATCH_NEW : 0;
}

int watch_dispatch(Watch *watch)
{
	char events[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	ssize_t n;

	/* What they say does not matter: who is woken looks at everything, and watch_arm() finds out what is gone. */
	do
		n = read(watch->fd, events, sizeof(events));
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 && errno != EAGAIN ? -errno : 0;
}
