/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/watch.h"

#include "base/file.h"
#include "source/links.h"

#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>

/* IN_MASK_ADD: what is a log's name for one slot can be a directory for another. */
#define DIRECTORY_EVENTS                                                                       \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | \
		IN_ATTRIB | IN_MASK_ADD)
#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_MASK_ADD)

/* A link on the way that the log's path leads, in its directory. */
typedef struct LinkWatch {
	int descriptor;
	char *name;
} LinkWatch;

#define LINKS_MAX 8 /* whoever has more has to wait for the poll */

typedef struct Slot {
	int directory, name, open; /* watch descriptors, -1: none */
	/* Of the log, as far as the entries of its own directory that begin so are about it; NULL: all are. */
	char *base;
	bool parent; /* directory is the log's own, not one above */
	LinkWatch links[LINKS_MAX];
	size_t link_count;
} Slot;

/* Who is woken by a descriptor. */
typedef struct User {
	int descriptor;
	size_t slot;
} User;

struct Watch {
	int fd;
	Slot *slots;
	size_t slot_count;
	User *users; /* sorted by descriptor */
	size_t user_count;
	bool users_stale;
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
	for (size_t i = 0; i < watch->slot_count; i++) {
		Slot *slot = &watch->slots[i];

		free(slot->base);
		while (slot->link_count)
			free(slot->links[--slot->link_count].name);
	}
	free(watch->slots);
	free(watch->users);
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
		for (size_t j = 0; j < slot->link_count; j++)
			if (slot->links[j].descriptor == descriptor)
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
	watch->users_stale = true;
	/* It may be gone already (IN_IGNORED): nothing to do then. */
	if (old >= 0 && !is_used(watch, old))
		(void)inotify_rm_watch(watch->fd, old);
	return descriptor >= 0;
}

/* Lets go of the slot's links from index on. */
static void drop_links(Watch *watch, Slot *slot, size_t index)
{
	while (slot->link_count > index) {
		LinkWatch *link = &slot->links[slot->link_count - 1];

		(void)replace(watch, &link->descriptor, -1);
		free(link->name);
		slot->link_count--;
	}
}

typedef struct Arming {
	Watch *watch;
	Slot *slot;
	size_t count;
	bool news;
} Arming;

/* The arming's next link. 0, -errno, or 1 when there are too many. */
static int arm_link(void *userdata, const char *dir, const char *name)
{
	Arming *arming = userdata;
	Slot *slot = arming->slot;
	LinkWatch *link = &slot->links[arming->count];
	int descriptor;
	char *copy;

	if (arming->count == LINKS_MAX)
		return 1;
	descriptor = inotify_add_watch(arming->watch->fd, dir, DIRECTORY_EVENTS | IN_ONLYDIR);
	if (descriptor < 0)
		return errno == ENOENT || errno == EACCES ? 1 : -errno;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	if (arming->count == slot->link_count)
		slot->links[slot->link_count++] = (LinkWatch){-1, NULL};
	arming->news |= replace(arming->watch, &link->descriptor, descriptor);
	arming->news |= !link->name || strcmp(link->name, copy) != 0;
	free(link->name);
	link->name = copy;
	arming->count++;
	return 0;
}

/* Watches the links that path leads over. WATCH_NEW when they are others, 0, -errno. */
static int arm_links(Watch *watch, Slot *slot, const char *path)
{
	Arming arming = {.watch = watch, .slot = slot};
	int r = links_walk(path, arm_link, &arming);

	drop_links(watch, slot, arming.count);
	return r < 0 ? r : arming.news ? WATCH_NEW : 0;
}

/* Watches dir (taken), or the nearest one above that exists: then *ret_exact is false. The descriptor or -errno. */
static int add_directory(Watch *watch, char *dir_take, bool *ret_exact)
{
	_cleanup_free_ char *dir = dir_take;

	*ret_exact = true;
	while (dir) {
		int descriptor = inotify_add_watch(watch->fd, dir, DIRECTORY_EVENTS | IN_ONLYDIR);
		char *above;

		if (descriptor >= 0)
			return descriptor;
		*ret_exact = false;
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
	while (watch->slot_count <= index) {
		Slot *slots = array_grow(watch->slots, watch->slot_count, sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		watch->slots = slots;
		slots[watch->slot_count++] = (Slot){.directory = -1, .name = -1, .open = -1};
	}
	*ret_slot = &watch->slots[index];
	return 0;
}

/* The name that events of the log's directory must begin with. 0 or -ENOMEM. */
static int set_base(Slot *slot, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	if (slot->base && !strcmp(slot->base, base))
		return 0;
	free(slot->base);
	slot->base = strdup(base);
	return slot->base ? 0 : -ENOMEM;
}

int watch_arm(Watch *watch, size_t index, const char *path, int open_fd)
{
	char open_path[sizeof("/proc/self/fd/") + 11];
	int directory, name, open = -1, r;
	bool news = false;
	Slot *slot;

	r = get_slot(watch, index, &slot);
	if (!r)
		r = set_base(slot, path);
	if (r < 0)
		return r;
	directory = add_directory(watch, file_parent_dup(path), &slot->parent);
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
	r = arm_links(watch, slot, path);
	if (r < 0)
		return r;
	news |= r == WATCH_NEW;
	return news ? WATCH_NEW : 0;
}

int watch_arm_directory(Watch *watch, size_t index, const char *path)
{
	Slot *slot;
	int r = get_slot(watch, index, &slot), directory;

	if (r < 0)
		return r;
	free(TAKE(slot->base));
	directory = add_directory(watch, strdup(path), &slot->parent);
	if (directory < 0)
		return directory;
	(void)replace(watch, &slot->name, -1);
	(void)replace(watch, &slot->open, -1);
	drop_links(watch, slot, 0);
	return replace(watch, &slot->directory, directory) ? WATCH_NEW : 0;
}

void watch_disarm(Watch *watch, size_t index)
{
	Slot *slot = index < watch->slot_count ? &watch->slots[index] : NULL;

	if (!slot)
		return;
	(void)replace(watch, &slot->directory, -1);
	(void)replace(watch, &slot->name, -1);
	(void)replace(watch, &slot->open, -1);
	drop_links(watch, slot, 0);
}

static int compare_users(const void *left, const void *right)
{
	const User *a = left, *b = right;

	if (a->descriptor != b->descriptor)
		return a->descriptor < b->descriptor ? -1 : 1;
	return (a->slot > b->slot) - (a->slot < b->slot);
}

/* 0 or -ENOMEM. */
static int sort_users(Watch *watch)
{
	User *users =
		reallocarray(watch->users, (3 + LINKS_MAX) * watch->slot_count + 1, sizeof(*users));

	if (!users)
		return -ENOMEM;
	watch->users = users;
	watch->user_count = 0;
	for (size_t i = 0; i < watch->slot_count; i++) {
		const Slot *slot = &watch->slots[i];
		const int descriptors[] = {slot->directory, slot->name, slot->open};

		for (size_t j = 0; j < ARRAY_SIZE(descriptors); j++)
			if (descriptors[j] >= 0)
				users[watch->user_count++] = (User){descriptors[j], i};
		for (size_t j = 0; j < slot->link_count; j++)
			users[watch->user_count++] = (User){slot->links[j].descriptor, i};
	}
	qsort(users, watch->user_count, sizeof(*users), compare_users);
	watch->users_stale = false;
	return 0;
}

/*
 * Whether what happened is about the slot's log: to an entry of its directory that is the log, a rotated file of it or anything
 * where that is a directory above; to a link that leads to it; to one of these directories or files itself.
 */
static bool is_about(const Slot *slot, int descriptor, const struct inotify_event *event)
{
	if (!event->len || descriptor == slot->name || descriptor == slot->open)
		return true;
	if (descriptor == slot->directory &&
		(!slot->parent || !slot->base ||
			!strncmp(event->name, slot->base, strlen(slot->base))))
		return true;
	for (size_t i = 0; i < slot->link_count; i++)
		if (descriptor == slot->links[i].descriptor &&
			!strcmp(event->name, slot->links[i].name))
			return true;
	return false;
}

static void wake(
	const Watch *watch, const struct inotify_event *event, const WatchCallbacks *callbacks)
{
	size_t low = 0, high = watch->user_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (watch->users[middle].descriptor < event->wd)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < watch->user_count && watch->users[low].descriptor == event->wd; low++) {
		const User *user = &watch->users[low];

		if (is_about(&watch->slots[user->slot], user->descriptor, event))
			callbacks->changed(callbacks->userdata, user->slot);
	}
}

int watch_dispatch(Watch *watch, const WatchCallbacks *callbacks)
{
	_Alignas(struct inotify_event) char
		events[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	bool all = false;
	ssize_t n;

	/* What has happened does not matter: who is woken looks at everything, and watch_arm() finds out what is gone. */
	do {
		const struct inotify_event *event;

		n = read(watch->fd, events, sizeof(events));
		if (n > 0 && watch->users_stale && sort_users(watch) < 0)
			all = true;
		for (const char *at = events; at < events + MAX(n, (ssize_t)0);
			at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)(const void *)at;
			if (event->mask & IN_Q_OVERFLOW)
				all = true;
			else if (!all)
				wake(watch, event, callbacks);
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 && errno != EAGAIN)
		n = -errno;
	else
		n = 0;
	if (all || n)
		callbacks->changed(callbacks->userdata, WATCH_ALL);
	return (int)n;
}
