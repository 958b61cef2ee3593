/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/moment.h"

#include "source/mount.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#define EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)

/* A file's time is that of the kernel's last tick (up to 10 ms). */
#define TICKS_US INT64_C(25000)

typedef struct Place {
	char *dir, *prefix;
	int fd;         /* -1: it is missing */
	int descriptor; /* of inotify, -1: times have to do */
	struct stat st; /* as it was at first */
	bool recent; /* it had been changed just before: the next change may have the same time */
} Place;

struct Moment {
	int fd; /* of inotify; -1: none */
	Place *places;
	size_t count;
};

int moment_new(Moment **ret_moment)
{
	Moment *moment = calloc(1, sizeof(*moment));

	if (!moment)
		return -ENOMEM;
	moment->fd = -1;
	*ret_moment = moment;
	return 0;
}

void moment_free(Moment *moment)
{
	if (!moment)
		return;
	/* First, so that nothing is left to be let go of. */
	close_fd(&moment->fd);
	moment->fd = -1;
	moment_begin(moment);
	free(moment->places);
	free(moment);
}

void moment_begin(Moment *moment)
{
	while (moment->count) {
		Place *place = &moment->places[--moment->count];

		/* A directory that is gone took its watch with it. */
		if (place->descriptor >= 0 && moment->fd >= 0)
			(void)inotify_rm_watch(moment->fd, place->descriptor);
		close_fd(&place->fd);
		free(place->dir);
		free(place->prefix);
	}
}

static int64_t time_us(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* A time of the future tells of a clock that is not ours, and nothing of how new it is. */
static bool is_recent(const struct stat *st)
{
	struct timespec now;
	int64_t age_us;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return true;
	age_us = time_us(now) - MAX(time_us(st->st_mtim), time_us(st->st_ctim));
	return age_us >= 0 && age_us < TICKS_US;
}

/* Watches that very directory, whatever has its name now; without /proc the name must do, moment_check() compares. */
static int watch(Moment *moment, const Place *place)
{
	char path[sizeof("/proc/self/fd/") + 11];
	int descriptor;

	if (moment->fd < 0)
		moment->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (moment->fd < 0 || mount_silent_name(place->fd))
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", place->fd);
	descriptor = inotify_add_watch(moment->fd, path, EVENTS | IN_ONLYDIR);
	return descriptor >= 0 ? descriptor
			       : inotify_add_watch(moment->fd, place->dir, EVENTS | IN_ONLYDIR);
}

int moment_add(Moment *moment, const char *dir, const char *prefix, int *ret_fd)
{
	Place *places = reallocarray(moment->places, moment->count + 1, sizeof(*places)), *place;
	int r;

	if (!places)
		return -ENOMEM;
	moment->places = places;
	place = &places[moment->count++];
	*place = (Place){strdup(dir), strdup(prefix), .fd = -1, .descriptor = -1};
	if (!place->dir || !place->prefix)
		return -ENOMEM;
	place->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->fd < 0)
		return -errno;
	place->descriptor = watch(moment, place);
	r = fstat(place->fd, &place->st) < 0 ? -errno : 0;
	place->recent = place->descriptor < 0 && is_recent(&place->st);
	if (!r)
		*ret_fd = place->fd;
	return r;
}

/* Waits until a change of the directory that is under way is done: reading it takes its lock. 0 or -errno. */
static int wait_for_lock(int fd)
{
	_Alignas(8) char entries[1024];

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	/* Directories on some file systems need more for an entry; the lock was taken then, too. */
	if (getdents64(fd, entries, sizeof(entries)) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static int check_place(const Place *place)
{
	struct stat st, named;
	int r;

	if (place->fd < 0)
		return access(place->dir, F_OK) < 0 ? 0 : -ESTALE;
	r = wait_for_lock(place->fd);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	if (fstat(place->fd, &st) < 0)
		return -errno;
	if (stat(place->dir, &named) < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ESTALE : -errno;
	if (st.st_dev != named.st_dev || st.st_ino != named.st_ino)
		return -ESTALE;
	if (place->descriptor < 0 && (place->recent || !same_time(st.st_mtim, place->st.st_mtim) ||
					     !same_time(st.st_ctim, place->st.st_ctim)))
		return -ESTALE;
	return 0;
}

/* Whether the event is about entries that were to stand still; it may be a late one of the while before. */
static bool is_about(const Moment *moment, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	for (size_t i = 0; i < moment->count; i++) {
		const Place *place = &moment->places[i];

		if (place->descriptor != event->wd)
			continue;
		if (!event->len || !strncmp(event->name, place->prefix, strlen(place->prefix)))
			return true;
	}
	return false;
}

/* 0, -ESTALE, -errno. */
static int check_events(const Moment *moment)
{
	_Alignas(struct inotify_event) char
		events[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];

	for (;;) {
		const struct inotify_event *event;
		ssize_t n = read(moment->fd, events, sizeof(events));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		for (const char *at = events; at < events + n; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)(const void *)at;
			if (is_about(moment, event))
				return -ESTALE;
		}
	}
}

int moment_check(Moment *moment)
{
	for (size_t i = 0; i < moment->count; i++) {
		int r = check_place(&moment->places[i]);

		if (r < 0)
			return r;
	}
	return moment->fd >= 0 ? check_events(moment) : 0;
}
