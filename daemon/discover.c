/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/discover.h"

#include "daemon/log.h"
#include "daemon/logs.h"
#include "source/globs.h"
#include "source/watch.h"

#define LOOK_DELAY_MS 1000

/* A name that a look has found. They stay, and so what was said of one. */
typedef struct Found {
	char *path;
	bool known;    /* something of it was read, now or by an earlier process */
	bool followed; /* the owner took it */
	bool held;
	bool said; /* why it is not followed */
} Found;

struct Discover {
	Loop *loop;
	const char *const *names;
	bool has_patterns;
	DiscoverCallbacks callbacks;
	LoopTimer *timer; /* set: a look is due; NULL: what appears later does not matter */
	Watch *watch;     /* NULL: the owner's looks must do */
	size_t slots;     /* of watch that are in use */
	int watch_error;  /* said already */
	Found *found;     /* sorted by path */
	size_t count, size;
	size_t too_many;
	Why fault;
};

static void on_timer(void *userdata)
{
	Discover *discover = userdata;

	if (discover_look(discover) < 0)
		log_warning("looking for logs: %s", strerror(ENOMEM));
	discover->callbacks.looked(discover->callbacks.userdata);
}

static void on_changed(void *userdata, size_t slot)
{
	Discover *discover = userdata;

	if (!loop_timer_is_set(discover->timer))
		loop_timer_set(discover->timer, LOOK_DELAY_MS);
}

static void on_watch(void *userdata, int fd, unsigned events)
{
	Discover *discover = userdata;

	(void)watch_dispatch(discover->watch, &(WatchCallbacks){on_changed, discover});
}

static int open_watch(Discover *discover)
{
	int r = loop_timer_new(discover->loop, on_timer, discover, &discover->timer);

	if (r < 0 || !discover->has_patterns)
		return r;
	/* Why there is none is said of the logs themselves. */
	r = watch_new(&discover->watch);
	if (!r)
		r = loop_watch(
			discover->loop, watch_fd(discover->watch), LOOP_READ, on_watch, discover);
	return r == -ENOMEM ? r : 0;
}

int discover_new(Loop *loop, const char *const *names, bool follow,
	const DiscoverCallbacks *callbacks, Discover **ret_discover)
{
	_cleanup_(discover_freep) Discover *discover = calloc(1, sizeof(*discover));
	int r;

	if (!discover)
		return -ENOMEM;
	discover->loop = loop;
	discover->names = names;
	discover->callbacks = *callbacks;
	for (size_t i = 0; names[i]; i++)
		discover->has_patterns |= globs_is_pattern(names[i]);
	r = follow ? open_watch(discover) : 0;
	if (r < 0)
		return r;
	*ret_discover = TAKE(discover);
	return 0;
}

void discover_free(Discover *discover)
{
	if (!discover)
		return;
	if (discover->watch)
		(void)loop_watch(discover->loop, watch_fd(discover->watch), 0, NULL, NULL);
	watch_free(discover->watch);
	loop_timer_free(discover->timer);
	for (size_t i = 0; i < discover->count; i++)
		free(discover->found[i].path);
	free(discover->found);
	free(discover);
}

size_t discover_too_many(const Discover *discover)
{
	return discover->too_many;
}

const char *discover_fault(const Discover *discover)
{
	return discover->fault.text;
}

/* The index of path, or of where it belongs. */
static size_t search(const Discover *discover, const char *path, bool *ret_there)
{
	size_t low = 0, high = discover->count;

	*ret_there = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(discover->found[middle].path, path);

		if (!order) {
			*ret_there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The entry of path, a new one if need be; NULL when out of memory. */
static Found *enter(Discover *discover, const char *path)
{
	bool there;
	size_t at = search(discover, path, &there);
	char *copy;

	if (there)
		return &discover->found[at];
	if (discover->count == discover->size) {
		size_t size = 2 * discover->size + 16;
		Found *found = reallocarray(discover->found, size, sizeof(*found));

		if (!found)
			return NULL;
		discover->found = found;
		discover->size = size;
	}
	copy = strdup(path);
	if (!copy)
		return NULL;
	memmove(&discover->found[at + 1], &discover->found[at],
		(discover->count - at) * sizeof(*discover->found));
	discover->count++;
	discover->found[at] = (Found){.path = copy,
		.known = discover->callbacks.is_known(discover->callbacks.userdata, path)};
	return &discover->found[at];
}

static bool is_known(void *userdata, const char *path)
{
	const Found *found = enter(userdata, path);

	return found && found->known;
}

/* 0 or -ENOMEM. */
static int take_one(Discover *discover, const GlobLog *log, Found *found)
{
	bool twin = log->twin_of;
	int r;

	/* The same name again, as a list and its patterns overlap. */
	if (twin && !strcmp(log->twin_of, log->path))
		return 0;
	if (found->followed && twin != found->held) {
		found->held = twin;
		if (twin)
			log_warning("%s: is the same file as %s now; it is read as that", log->path,
				log->twin_of);
		else
			log_info("%s: is a file of its own again", log->path);
		discover->callbacks.hold(discover->callbacks.userdata, log->path, twin);
	} else if (twin && !found->followed && !found->said) {
		/* Whoever lists a log wants it read; a pattern just happens to match. */
		log_message(log->pattern ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
			"%s: is %s %s; it is read with that", log->path,
			log->rotated ? "a rotated file of" : "the same file as", log->twin_of);
		found->said = true;
	}
	if (twin || found->followed)
		return 0;
	r = discover->callbacks.found(discover->callbacks.userdata, log->path);
	if (r == -ENOMEM)
		return r;
	if (!r) {
		found->followed = found->known = true;
	} else if (r != -EMFILE && !found->said) {
		log_warning("%s: %s", log->path, strerror(-r));
		found->said = true;
	}
	if (r == -EMFILE)
		discover->too_many++;
	return 0;
}

/* Watches all places where a log may appear. What has appeared since the look is seen by the next one. */
static void watch_places(Discover *discover, const GlobList *list)
{
	bool again = false;
	int r = 0;

	if (!discover->watch)
		return;
	for (size_t i = 0; i < list->place_count && r >= 0; i++) {
		const GlobPlace *place = &list->places[i];

		if (place->directory)
			r = watch_arm_directory(discover->watch, i, place->path);
		else
			r = watch_arm(discover->watch, i, place->path, -1);
		again |= r == WATCH_NEW;
	}
	for (size_t i = list->place_count; i < discover->slots; i++)
		watch_disarm(discover->watch, i);
	discover->slots = list->place_count;
	if (r < 0 && r != discover->watch_error)
		log_warning("places where a log may appear can't be watched (%s), looking every %d "
			    "s",
			strerror(-r), LOGS_POLL_MS / 1000);
	discover->watch_error = MIN(r, 0);
	if (again)
		on_changed(discover, 0);
}

int discover_look(Discover *discover)
{
	_cleanup_globs_ GlobList list = GLOB_LIST_INIT;
	int r = globs_find(discover->names, is_known, discover, &list);

	if (r < 0)
		return r;
	discover->fault = list.why;
	discover->too_many = list.too_many;
	for (size_t i = 0; i < list.count; i++) {
		Found *found = enter(discover, list.logs[i].path);

		r = found ? take_one(discover, &list.logs[i], found) : -ENOMEM;
		if (r < 0)
			return r;
	}
	watch_places(discover, &list);
	return 0;
}
