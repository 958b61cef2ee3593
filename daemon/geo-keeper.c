/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/geo-keeper.h"

#include "base/calendar.h"
#include "daemon/databases.h"
#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/vigil.h"

#include <inttypes.h>
#include <time.h>

#define QUIET_MS 1000 /* nobody has changed a file for so long: it is whole */
#define COMPILE_DEADLINE_MS 120000
#define RETRY_MIN_MS 60000 /* the first wait after a failure; each is twice as long */
#define RETRY_MAX_MS 3600000
#define DATE_LEN 10 /* of "2026-11-22 13:01" */

enum { IMAGE = GEO_KINDS, FILES };

typedef enum Stage {
	STAGE_IDLE,
	STAGE_WAITING, /* until nothing changes */
	STAGE_COMPILING,
	STAGE_LOADING,
} Stage;

/* By the clock it is longer where others use the processor too. */
typedef struct Instant {
	int64_t processor_us, clock_us;
} Instant;

struct GeoKeeper {
	GeoKeeperOptions options;
	char *image_path;
	Vigil *vigil;
	Stage stage;
	LoopTimer *timer; /* the next step of the stage */
	bool written;     /* the image was changed in its place, so what is mapped as well */
	bool compiled;    /* the image was made anew for what is being taken into use */
	bool stale;       /* a database was changed since its making began */
	Job *job;
	GeoLoader *loader;
	GeoDb *former; /* not in use any more, freed in a round of its own */
	LoopTimer *free_timer;
	int64_t loaded_us;
	int64_t retry_ms;  /* how long is waited after a failure; 0: there was none */
	uint64_t retry_at; /* loop_now_ms() */
	unsigned steps;    /* of this change: rounds of the loop that took part in it */
	Instant longest;   /* of these; each figure is of the one that took most of it */
	int64_t all_us;    /* processor time of all of these */
	LocalZone zone;
};

static const char *const kind_names[] = {[GEO_COUNTRY] = "country", [GEO_ASN] = "asn"};

/* ---- the files ------------------------------------------------------------------------------ */

static const char *path_of(const GeoKeeper *keeper, unsigned file)
{
	return file == IMAGE ? keeper->image_path
			     : databases_paths(keeper->options.config).path[file];
}

/* Whether anything was changed since the last look. */
static bool take_changes(GeoKeeper *keeper)
{
	unsigned written, changed = vigil_take_changes(keeper->vigil, &written);

	keeper->written |= written & (1u << IMAGE);
	keeper->stale |= changed & ~(1u << IMAGE);
	return changed;
}

static DatabaseSet find_missing(const GeoKeeper *keeper)
{
	DatabaseSet missing = 0;

	for (unsigned kind = 0; kind < GEO_KINDS; kind++)
		if (!vigil_is_there(keeper->vigil, kind))
			missing |= 1u << kind;
	return missing;
}

/* Those whose data is in use. */
static DatabaseSet find_used(const GeoKeeper *keeper)
{
	DatabaseSet used = 0;

	for (unsigned kind = 0; kind < GEO_KINDS && *keeper->options.geodb; kind++)
		if (geodb_source(*keeper->options.geodb, kind)->there)
			used |= 1u << kind;
	return used;
}

/* ---- what people are told ------------------------------------------------------------------- */

static void append_date(GeoKeeper *keeper, int64_t time_us, StrBuf *sb)
{
	char text[CALENDAR_MINUTE_MAX];

	(void)calendar_format_minute(&keeper->zone, time_us, text);
	strbuf_append(sb, text, DATE_LEN);
}

static void say_age(GeoKeeper *keeper)
{
	DatabaseSet used = find_used(keeper);
	int64_t now_us = loop_wall_us();

	for (unsigned kind = 0; kind < GEO_KINDS; kind++) {
		_cleanup_strbuf_ StrBuf key = STRBUF_INIT, date = STRBUF_INIT;
		int64_t date_us = used & (1u << kind)
					  ? geodb_source(*keeper->options.geodb, kind)->date_us
					  : now_us;

		strbuf_appendf(&key, "old:%s", kind_names[kind]);
		append_date(keeper, date_us, &date);
		if (now_us - date_us > DATABASE_OLD_US)
			warnings_raise(keeper->options.warnings, LOG_LEVEL_WARNING,
				strbuf_text(&key), date_us + DATABASE_OLD_US,
				"%s: what it says of %s is of %s, older than 45 days; "
				"'maillogsentinel update-db' fetches what is new",
				path_of(keeper, kind), databases_subject(1u << kind),
				strbuf_text(&date));
		else
			warnings_clear(keeper->options.warnings, strbuf_text(&key),
				used & (1u << kind) ? "%s: it is not older than 45 days any more"
						    : NULL,
				path_of(keeper, kind));
	}
}

/* The databases that are gone though their data is in use. */
static DatabaseSet say_gone(GeoKeeper *keeper)
{
	static const char key[] = "database:gone";
	DatabaseSet gone = find_missing(keeper) & find_used(keeper);
	_cleanup_strbuf_ StrBuf paths = STRBUF_INIT;

	databases_append_paths(keeper->options.config, gone, &paths);
	if (gone)
		warnings_raise(keeper->options.warnings, LOG_LEVEL_WARNING, key, loop_wall_us(),
			"%s: no such file; what was read of %s before stays in use until the "
			"service ends or it is there",
			strbuf_text(&paths), databases_subject(gone));
	else
		warnings_clear(keeper->options.warnings, key, "the databases are there again");
	return gone;
}

static bool is_same_data(const GeoDb *a, const GeoDb *b)
{
	for (unsigned kind = 0; kind < GEO_KINDS; kind++) {
		const GeoSource *source_a = geodb_source(a, kind),
				*source_b = geodb_source(b, kind);

		if (source_a->there != source_b->there || source_a->hash != source_b->hash)
			return false;
	}
	return true;
}

/* After it was put in the place of the former one. */
static void say_swapped(GeoKeeper *keeper)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	DatabaseSet used = find_used(keeper);

	for (unsigned kind = 0; kind < GEO_KINDS; kind++) {
		if (!(used & (1u << kind)))
			continue;
		strbuf_appendf(
			&text, "%s%s of ", text.len ? ", " : "", databases_subject(1u << kind));
		append_date(keeper, geodb_source(*keeper->options.geodb, kind)->date_us, &text);
	}
	if (keeper->former && is_same_data(keeper->former, *keeper->options.geodb))
		log_debug("databases: in use from %s: %s", keeper->image_path, strbuf_text(&text));
	else
		log_message_kind(LOG_LEVEL_INFO, MESSAGE_DATABASES_NEW, NULL, NULL,
			"databases: new in use: %s", strbuf_text(&text));
	warnings_clear(keeper->options.warnings, "database", NULL);
	warnings_clear(keeper->options.warnings, "database:damaged", NULL);
	warnings_clear(keeper->options.warnings, "database:lost", NULL);
}

/* ---- taking into use ------------------------------------------------------------------------ */

static void try_it(GeoKeeper *keeper);

/* It goes on in another way, or has come to an end. */
static void stop_stage(GeoKeeper *keeper)
{
	keeper->options.changed(keeper->options.userdata);
	geodb_loader_free(TAKE(keeper->loader));
	job_free(TAKE(keeper->job));
	loop_timer_set(keeper->timer, -1);
	keeper->stage = STAGE_IDLE;
}

static void wait_for_quiet(GeoKeeper *keeper)
{
	stop_stage(keeper);
	keeper->stage = STAGE_WAITING;
	keeper->compiled = false;
	loop_timer_set(keeper->timer, QUIET_MS);
}

/* What is in use stays. */
static void fail(GeoKeeper *keeper, const char *why)
{
	stop_stage(keeper);
	keeper->compiled = false;
	warnings_raise(keeper->options.warnings, LOG_LEVEL_WARNING, "database", loop_wall_us(),
		"%s; %s", why,
		*keeper->options.geodb ? "what the databases said before stays in use"
				       : "countries and networks are N/A");
	keeper->retry_ms =
		keeper->retry_ms ? MIN(2 * keeper->retry_ms, RETRY_MAX_MS) : RETRY_MIN_MS;
	keeper->retry_at = loop_now_ms() + (uint64_t)keeper->retry_ms;
}

static void on_compiled(void *userdata, int exit_status, const char *reason)
{
	GeoKeeper *keeper = userdata;

	job_free(TAKE(keeper->job));
	(void)take_changes(keeper);
	if (keeper->stale) {
		wait_for_quiet(keeper);
	} else if (exit_status) {
		_cleanup_strbuf_ StrBuf why = STRBUF_INIT;

		strbuf_appendf(&why, "%s", *reason ? reason : "update-db --compile failed");
		fail(keeper, strbuf_text(&why));
	} else {
		keeper->compiled = true;
		try_it(keeper);
	}
}

static void compile(GeoKeeper *keeper, const char *why)
{
	static const char *const arguments[] = {"update-db", "--compile", NULL};
	const JobOptions options = {
		.name = "update-db --compile",
		.arguments = arguments,
		.deadline_ms = COMPILE_DEADLINE_MS,
		.ended = on_compiled,
		.userdata = keeper,
	};
	int r;

	stop_stage(keeper);
	if (keeper->compiled) {
		if (take_changes(keeper))
			wait_for_quiet(keeper);
		else
			fail(keeper, why);
		return;
	}
	log_debug("%s", why);
	keeper->stale = false;
	r = job_start(keeper->options.loop, keeper->options.config, &options, &keeper->job);
	if (r < 0) {
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

		strbuf_appendf(&text, "update-db --compile: %s", strerror(-r));
		fail(keeper, strbuf_text(&text));
		return;
	}
	keeper->stage = STAGE_COMPILING;
}

/* Begins with what is there now. */
static void try_it(GeoKeeper *keeper)
{
	GeoPaths paths = databases_paths(keeper->options.config);
	DatabaseSet missing = find_missing(keeper);
	Why why = {""};
	int r;

	stop_stage(keeper);
	/* Old data is better than none. */
	if (say_gone(keeper))
		return;
	databases_say_missing(keeper->options.config, missing, keeper->options.warnings);
	if (missing == (1u << GEO_KINDS) - 1)
		return;
	r = geodb_loader_new(keeper->image_path, &paths, &databases_text, &keeper->loader, &why);
	if (r < 0) {
		fail(keeper, why.text);
	} else if (r == GEODB_STALE) {
		compile(keeper, why.text);
	} else {
		keeper->stage = STAGE_LOADING;
		loop_timer_set(keeper->timer, 0);
	}
}

static void swap(GeoKeeper *keeper, GeoDb *geodb_take)
{
	stop_stage(keeper);
	keeper->former = *keeper->options.geodb;
	*keeper->options.geodb = geodb_take;
	keeper->loaded_us = loop_wall_us();
	keeper->compiled = false;
	keeper->retry_ms = 0;
	say_swapped(keeper);
	say_age(keeper);
	loop_timer_set(keeper->free_timer, 0);
}

static void load(GeoKeeper *keeper)
{
	GeoDb *geodb = NULL;
	Why why = {""};
	int r = geodb_loader_step(keeper->loader, &geodb, &why);

	if (r == GEODB_MORE)
		loop_timer_set(keeper->timer, 0);
	else if (r == GEODB_STALE)
		compile(keeper, why.text);
	else if (r < 0)
		fail(keeper, why.text);
	else
		swap(keeper, geodb);
}

/* ---- what wakes it -------------------------------------------------------------------------- */

static int64_t clock_us(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static Instant now(void)
{
	return (Instant){clock_us(CLOCK_THREAD_CPUTIME_ID), clock_us(CLOCK_MONOTONIC)};
}

static void count_step(GeoKeeper *keeper, Instant start)
{
	Instant end = now(), *longest = &keeper->longest;
	int64_t processor_us = end.processor_us - start.processor_us;

	keeper->steps++;
	keeper->all_us += processor_us;
	longest->processor_us = MAX(longest->processor_us, processor_us);
	longest->clock_us = MAX(longest->clock_us, end.clock_us - start.clock_us);
}

static void on_timer(void *userdata)
{
	GeoKeeper *keeper = userdata;
	Instant start = now();

	if (keeper->stage == STAGE_LOADING)
		load(keeper);
	else if (take_changes(keeper))
		wait_for_quiet(keeper);
	else
		try_it(keeper);
	count_step(keeper, start);
}

static void on_free(void *userdata)
{
	GeoKeeper *keeper = userdata;
	Instant start = now();

	geodb_free(TAKE(keeper->former));
	count_step(keeper, start);
	log_info("databases: taken into use in %u steps of %" PRId64
		 " us of processor time together, the longest took %" PRId64
		 " us of it, and one %" PRId64 " us by the clock",
		keeper->steps, keeper->all_us, keeper->longest.processor_us,
		keeper->longest.clock_us);
	keeper->steps = 0;
	keeper->longest = (Instant){0};
	keeper->all_us = 0;
}

void geo_keeper_check(GeoKeeper *keeper)
{
	bool written = keeper->written;

	keeper->written = false;
	if (!*keeper->options.geodb || (!written && !geodb_is_lost(*keeper->options.geodb)))
		return;
	geodb_free(TAKE(*keeper->options.geodb));
	warnings_raise(keeper->options.warnings, LOG_LEVEL_ERROR, "database:lost", loop_wall_us(),
		"%s: somebody has written over it while it was in use; countries and networks are "
		"N/A until it is made anew",
		keeper->image_path);
	if (keeper->stage == STAGE_IDLE || keeper->stage == STAGE_WAITING) {
		(void)take_changes(keeper);
		try_it(keeper);
	}
}

static void look(void *userdata)
{
	GeoKeeper *keeper = userdata;
	bool changed = take_changes(keeper);

	geo_keeper_check(keeper);
	if (changed && keeper->stage != STAGE_COMPILING)
		wait_for_quiet(keeper);
}

void geo_keeper_look(GeoKeeper *keeper)
{
	look(keeper);
	if (keeper->stage == STAGE_IDLE && keeper->retry_ms && loop_now_ms() >= keeper->retry_at)
		try_it(keeper);
	say_age(keeper);
}

/* ---- new, free, status ---------------------------------------------------------------------- */

typedef struct VigilPaths {
	const char *path[FILES];
} VigilPaths;

static VigilPaths vigil_paths(const GeoKeeper *keeper)
{
	GeoPaths databases = databases_paths(keeper->options.config);
	VigilPaths paths = {.path = {[IMAGE] = keeper->image_path}};

	for (unsigned kind = 0; kind < GEO_KINDS; kind++)
		paths.path[kind] = databases.path[kind];
	return paths;
}

int geo_keeper_new(const GeoKeeperOptions *options, GeoKeeper **ret_keeper)
{
	_cleanup_(geo_keeper_freep) GeoKeeper *keeper = calloc(1, sizeof(*keeper));
	VigilPaths paths;
	int r;

	if (!keeper)
		return -ENOMEM;
	keeper->options = *options;
	keeper->loaded_us = loop_wall_us();
	keeper->image_path = config_image_path_dup(options->config);
	r = keeper->image_path ? loop_timer_new(options->loop, on_timer, keeper, &keeper->timer)
			       : -ENOMEM;
	if (!r)
		r = loop_timer_new(options->loop, on_free, keeper, &keeper->free_timer);
	if (r < 0)
		return r;
	paths = vigil_paths(keeper);
	r = vigil_new(options->loop, paths.path, FILES, look, keeper, &keeper->vigil);
	if (r < 0)
		return r;
	*ret_keeper = TAKE(keeper);
	return 0;
}

/* Whether both name the same files. */
static bool is_same_paths(const Config *a, const Config *b)
{
	GeoPaths paths_a = databases_paths(a), paths_b = databases_paths(b);

	for (unsigned kind = 0; kind < GEO_KINDS; kind++)
		if (strcmp(paths_a.path[kind], paths_b.path[kind]))
			return false;
	return true;
}

void geo_keeper_reconfigure(GeoKeeper *keeper, const Config *config)
{
	/* What has changed under the names of before is told by no look under others. */
	bool same = !take_changes(keeper) && is_same_paths(keeper->options.config, config);
	VigilPaths paths;

	keeper->options.config = config;
	paths = vigil_paths(keeper);
	vigil_name(keeper->vigil, paths.path);
	same &= !take_changes(keeper);
	if (!same) {
		keeper->stale = true;
		keeper->retry_ms = 0;
		try_it(keeper);
	}
}

void geo_keeper_free(GeoKeeper *keeper)
{
	if (!keeper)
		return;
	job_free(keeper->job);
	geodb_loader_free(keeper->loader);
	geodb_free(keeper->former);
	vigil_free(keeper->vigil);
	loop_timer_free(keeper->timer);
	loop_timer_free(keeper->free_timer);
	free(keeper->image_path);
	free(keeper);
}

void geo_keeper_status(const GeoKeeper *keeper, Status *status)
{
	DatabaseSet used = find_used(keeper);

	status->databases = calloc(GEO_KINDS, sizeof(*status->databases));
	if (!status->databases)
		return;
	status->database_count = GEO_KINDS;
	for (unsigned kind = 0; kind < GEO_KINDS; kind++) {
		StatusDatabase *database = &status->databases[kind];

		*database = (StatusDatabase){
			.kind = kind_names[kind],
			.path = path_of(keeper, kind),
			.there = vigil_is_there(keeper->vigil, kind),
		};
		if (used & (1u << kind)) {
			const GeoSource *source = geodb_source(*keeper->options.geodb, kind);

			database->used = true;
			database->date_us = source->date_us;
			database->ranges_v4 = source->ranges_v4;
			database->ranges_v6 = source->ranges_v6;
			database->loaded_us = keeper->loaded_us;
		}
	}
}
