/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file.h"
#include "base/utf8.h"
#include "daemon/assembly.h"
#include "daemon/command.h"
#include "daemon/config-option.h"
#include "daemon/databases.h"
#include "daemon/install.h"
#include "daemon/interrupt.h"
#include "daemon/log.h"
#include "daemon/meter.h"
#include "daemon/newcomer.h"
#include "daemon/owner.h"
#include "state/lock.h"

#include <inttypes.h>
#include <poll.h>
#include <sys/stat.h>

enum { OPTION_FORCE, OPTION_COMPILE };

static const CommandOption options[] = {
	[OPTION_FORCE] = {"force", 0, NULL,
		"take a database that is much smaller than the one before, too"},
	[OPTION_COMPILE] = {"compile", 0, NULL,
		"fetch nothing, bring the image of the databases up to date"},
	{0},
};

#define LOCK_WAIT_MS 60000
#define LOCK_POLL_MS 50

/* One database of the run. */
typedef struct Target {
	const char *what; /* of the meter */
	const char *path;
	char *const *urls, *const *checksum_urls;
	bool is_global;      /* from the default URLs */
	char *new_path;      /* what was fetched; valid when ready */
	bool ready;          /* it was fetched and checked */
	FetchedFile fetched; /* what is to be known of it, when ready */
	GeoSource source;    /* likewise */
	Meter meter;
} Target;

typedef struct Update {
	const Config *config;
	bool force;
	int lock_fd;
	char *image_path, *new_image_path, *fetched_path;
	Fetched known;
	Downloader *downloader;
	Target targets[GEO_KINDS];
	bool failed;
} Update;

static int fail(const char *path, int error)
{
	log_error("%s: %s", path, strerror(-error));
	return EXIT_FAILED;
}

static const char *const kept = "what is there stays";

static char *suffix_dup(const char *path, const char *suffix)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	strbuf_appendf(&sb, "%s%s", path, suffix);
	return strbuf_take(&sb);
}

/* ---- what the run works on --------------------------------------------------------------------- */

static bool is_default(const char *group, const char *key, char *const *urls)
{
	return urls[0] && !urls[1] &&
	       !strcmp(urls[0], config_option_find(group, key, NULL)->fallback);
}

static int set_up(Update *update, const Config *config)
{
	_cleanup_free_ char *dir = file_join_dup(config->paths.state_dir, "db");

	update->config = config;
	update->targets[GEO_COUNTRY] = (Target){
		.what = "countries",
		.path = config->geolocation.country_db_path,
		.urls = config->geolocation.country_db_url,
		.checksum_urls = config->geolocation.country_db_checksum_url,
		.is_global = is_default(
			"geolocation", "country_db_url", config->geolocation.country_db_url),
	};
	update->targets[GEO_ASN] = (Target){
		.what = "networks",
		.path = config->asn_aso.asn_db_path,
		.urls = config->asn_aso.asn_db_url,
		.checksum_urls = config->asn_aso.asn_db_checksum_url,
		.is_global = is_default("ASN_ASO", "asn_db_url", config->asn_aso.asn_db_url),
	};
	update->image_path = config_image_path_dup(config);
	update->fetched_path = dir ? file_join_dup(dir, "fetched") : NULL;
	if (update->image_path)
		update->new_image_path = suffix_dup(update->image_path, ".new");
	for (size_t i = 0; i < GEO_KINDS; i++) {
		update->targets[i].new_path = suffix_dup(update->targets[i].path, ".new");
		if (!update->targets[i].new_path)
			return -ENOMEM;
	}
	return update->fetched_path && update->new_image_path ? 0 : -ENOMEM;
}

static void update_done(Update *update)
{
	for (size_t i = 0; i < GEO_KINDS; i++) {
		if (update->targets[i].ready)
			(void)unlink(update->targets[i].new_path);
		free(update->targets[i].new_path);
		fetched_file_done(&update->targets[i].fetched);
	}
	fetched_done(&update->known);
	downloader_free(update->downloader);
	free(update->image_path);
	free(update->new_image_path);
	free(update->fetched_path);
	close_fd(&update->lock_fd);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* With `wait`, another may finish first. 0 or an exit status. */
static int take_lock(Update *update, bool wait)
{
	_cleanup_free_ char *path =
		file_join_dup(update->config->paths.state_dir, "update-db.lock");
	uint64_t until = now_ms() + (wait ? LOCK_WAIT_MS : 0);
	char holder[LOCK_HOLDER_MAX];
	int r;

	if (!path)
		return fail("update-db.lock", -ENOMEM);
	while ((r = lock_take(path, "update-db", &update->lock_fd, holder)) == LOCK_HELD &&
		now_ms() < until)
		(void)poll(NULL, 0, LOCK_POLL_MS);
	if (r < 0)
		return fail(path, r);
	if (r != LOCK_HELD)
		return 0;
	log_error("%s: another update-db is at work (process %s)", path,
		*holder ? holder : "unknown");
	return EXIT_FAILED;
}

/* state_dir/db, and nothing in it that a run which was killed has left. 0 or an exit status. */
static int prepare_directory(const Update *update)
{
	_cleanup_free_ char *dir = file_parent_dup(update->image_path);
	static const char *const leftovers[] = {
		"ip.image.new", "ip.image.new.tmp", "ip.image.tmp", "fetched.tmp"};
	int r = 0;

	if (!dir)
		return fail("db", -ENOMEM);
	/* The mode is not left to the umask: everybody may look addresses up. */
	if (!mkdir(dir, 0755))
		r = chmod(dir, 0755) < 0 ? -errno : file_sync_parent(dir);
	else if (errno != EEXIST)
		r = -errno;
	for (size_t i = 0; i < ARRAY_SIZE(leftovers) && !r; i++) {
		_cleanup_free_ char *path = file_join_dup(dir, leftovers[i]);

		if (!path)
			r = -ENOMEM;
		else if (unlink(path) < 0 && errno != ENOENT)
			r = -errno;
	}
	return r < 0 ? fail(dir, r) : 0;
}

/* ---- fetching ---------------------------------------------------------------------------------- */

typedef struct Fetch {
	Target *target;
	GeoKind kind;
} Fetch;

static bool on_progress(void *userdata, uint64_t done_bytes, uint64_t total_bytes)
{
	Fetch *fetch = userdata;

	meter_show(&fetch->target->meter, done_bytes, total_bytes);
	return !interrupt_is_pending();
}

/* Parses one database alone. Its path is not said in *ret_why: it is a temporary one. 0 or -errno. */
static int examine(GeoKind kind, const char *path, GeoSource *ret_source, Why *ret_why)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	GeoPaths paths = {{NULL}};
	size_t len = strlen(path);
	Why why = {""};
	int r;

	paths.path[kind] = path;
	r = geodb_build(&paths, &databases_text, &db, &why);
	if (r < 0) {
		bool has_path = !strncmp(why.text, path, len) && !strncmp(why.text + len, ": ", 2);

		why_set(ret_why, "%s", has_path ? why.text + len + 2 : why.text);
		return r;
	}
	*ret_source = *geodb_source(db, kind);
	return 0;
}

static int on_check(void *userdata, const char *part_path, Why *ret_why)
{
	const Fetch *fetch = userdata;
	GeoSource source;

	return examine(fetch->kind, part_path, &source, ret_why);
}

/* The database that is to be replaced, from the image when that is about it. False when there is none that can be read. */
static bool find_before(const Update *update, GeoKind kind, GeoSource *ret_source)
{
	GeoPaths paths = databases_paths(update->config);
	_cleanup_(geodb_freep) GeoDb *db = NULL;

	if (!geodb_load(update->image_path, &paths, &databases_text, &db, NULL))
		*ret_source = *geodb_source(db, kind);
	else if (examine(kind, paths.path[kind], ret_source, NULL) < 0)
		return false;
	return ret_source->there;
}

/* What was fetched must be good enough. 0 or -errno with *ret_why, without a URL. */
static int check(const Update *update, GeoKind kind, Target *target, Why *ret_why)
{
	NewcomerRules rules = {.force = update->force, .is_global = target->is_global};
	GeoSource before;
	int r = examine(kind, target->new_path, &target->source, ret_why);

	if (r < 0)
		return r;
	return newcomer_check(&target->source, find_before(update, kind, &before) ? &before : NULL,
		&rules, ret_why);
}

/* Prints what became of a database. */
static void say(const Target *target, const char *what)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;

	utf8_append_escaped(&line, span_from_string(target->path));
	strbuf_appendf(&line, ": %s\n", what);
	/* main() reports what stdout could not take. */
	(void)fputs(strbuf_text(&line), stdout);
}

static void fetch_target(Update *update, GeoKind kind)
{
	Target *target = &update->targets[kind];
	Fetch fetch = {target, kind};
	const FetchedFile *known = &update->known.files[kind];
	AssemblyRequest request = {
		.downloader = update->downloader,
		.urls = target->urls,
		.checksum_urls = target->checksum_urls,
		.path = target->path,
		.check = on_check,
		.progress = on_progress,
		.userdata = &fetch,
	};
	Why why = {""};
	int r;

	if (!update->force && fetched_file_fits(known, target->path, target->urls))
		request.known = known;
	r = assembly_clean(target->path);
	if (r < 0) {
		update->failed = true;
		(void)fail(target->path, r);
		return;
	}
	meter_init(&target->meter, target->what);
	r = assembly_fetch(&request, &target->fetched, &why);
	target->ready = !r;
	if (r == ASSEMBLY_UNCHANGED) {
		meter_clear(&target->meter);
		say(target, "is the newest");
		return;
	}
	if (!r) {
		Why reason = {""};

		r = check(update, kind, target, &reason);
		if (r < 0)
			why_set(&why, "%.250s%s: %s", target->urls[0],
				target->urls[1] ? " and the others" : "", reason.text);
	}
	meter_clear(&target->meter);
	if (!r)
		return;
	update->failed = true;
	log_error("%s; %s", why.text, access(target->path, F_OK) < 0 ? "there is none yet" : kept);
	if (target->ready)
		(void)unlink(target->new_path);
	target->ready = false;
}

/* ---- putting it in place ------------------------------------------------------------------------- */

/* The image of what will be there, under a name of its own: what takes room on the disk comes before anything is replaced. */
static int save_image(const Update *update, const char *path)
{
	GeoPaths paths = databases_paths(update->config);
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	Why why = {""};
	int r;

	for (size_t i = 0; i < GEO_KINDS; i++)
		if (update->targets[i].ready)
			paths.path[i] = update->targets[i].new_path;
	r = geodb_build(&paths, &databases_text, &db, &why);
	if (r < 0) {
		if (r == -ENOMEM)
			(void)fail(path, r);
		else
			log_error("%s", why.text);
		return r;
	}
	r = geodb_save(db, path);
	if (r < 0)
		log_error("%s: %s; %s", path, strerror(-r), kept);
	return r;
}

/* What is known of the new files, before they get their names: then it is about no file, should they not get them. */
static int save_fetched(Update *update)
{
	int r;

	for (size_t i = 0; i < GEO_KINDS; i++) {
		if (!update->targets[i].ready)
			continue;
		fetched_file_done(&update->known.files[i]);
		update->known.files[i] = update->targets[i].fetched;
		update->targets[i].fetched = (FetchedFile){0};
	}
	r = fetched_save(update->fetched_path, &update->known);
	if (r < 0)
		log_error("%s: %s; %s", update->fetched_path, strerror(-r), kept);
	return r;
}

static void append_date(int64_t date_us, StrBuf *sb)
{
	time_t seconds = (time_t)(date_us / 1000000);
	char text[16] = "?";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		(void)strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	strbuf_append_string(sb, text);
}

static void say_new(const Target *target)
{
	const GeoSource *source = &target->source;
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	strbuf_append_string(&text, "is new: of ");
	append_date(source->date_us, &text);
	strbuf_appendf(&text, ", %" PRIu64 " ranges, %.1f %% of IPv4",
		source->ranges_v4 + source->ranges_v6,
		100 * (double)source->covered_v4 / 4294967296.0);
	say(target, strbuf_text(&text));
}

/* What was fetched becomes what is there, then its image. 0 or -errno, said. */
static int install(Update *update)
{
	int r = save_image(update, update->new_image_path);
	bool has_image = !r;

	if (has_image)
		r = save_fetched(update);
	/* A database that was there before may be damaged. It is no reason to refuse a good one, which has been parsed alone. */
	else if (r == -EBADMSG) {
		update->failed = true;
		r = save_fetched(update);
	}
	for (size_t i = 0; i < GEO_KINDS && !r; i++) {
		Target *target = &update->targets[i];

		if (!target->ready)
			continue;
		r = install_file(target->new_path, target->path);
		if (r < 0) {
			(void)fail(target->path, r);
			break;
		}
		target->ready = false;
		say_new(target);
	}
	if (!r && has_image) {
		r = rename(update->new_image_path, update->image_path) < 0
			    ? -errno
			    : file_sync_parent(update->image_path);
		if (r < 0)
			(void)fail(update->image_path, r);
	}
	if (r < 0)
		(void)unlink(update->new_image_path);
	return r;
}

/* The image of what is there, when it is another one. 0 or -errno, said. */
static int compile(const Update *update)
{
	GeoPaths paths = databases_paths(update->config);
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	int r;

	/* Of nothing there is no image. */
	if (databases_missing(update->config) == (1u << GEO_KINDS) - 1) {
		r = unlink(update->image_path) < 0 && errno != ENOENT ? -errno : 0;
		if (r < 0)
			(void)fail(update->image_path, r);
		return r;
	}
	if (!geodb_load(update->image_path, &paths, &databases_text, &db, NULL))
		return 0;
	return save_image(update, update->image_path);
}

static int fetch(Update *update)
{
	bool wanted = false, ready = false;
	int r = fetched_load(update->fetched_path, &update->known);

	if (!r)
		r = downloader_new(&update->downloader);
	if (r < 0) {
		(void)fail(update->fetched_path, r);
		return r;
	}
	for (size_t i = 0; i < GEO_KINDS; i++) {
		if (!update->targets[i].urls[0] || interrupt_is_pending())
			continue;
		wanted = true;
		fetch_target(update, (GeoKind)i);
		ready |= update->targets[i].ready;
	}
	if (!wanted && !interrupt_is_pending())
		puts("no URL of a database is configured: nothing is fetched");
	if (interrupt_is_pending())
		return -EINTR;
	return ready ? install(update) : compile(update);
}

static int run(Update *update, bool only_compile)
{
	sigset_t before;
	int r = take_lock(update, only_compile);

	if (r) {
		update_done(update);
		return r;
	}
	interrupt_hold(&before);
	r = prepare_directory(update);
	if (!r) {
		r = only_compile ? compile(update) : fetch(update);
		r = r < 0 || update->failed ? EXIT_FAILED : EXIT_DONE;
	}
	update_done(update);
	interrupt_let_go(&before);
	return r;
}

/* What is fetched must not take the place of another file. */
static int check_paths(const Config *config)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r = config_check_databases(config, &errors);

	if (!r)
		return 0;
	if (r != -EINVAL)
		return fail("update-db", r);
	command_log_mistakes(&errors);
	return EXIT_CONFIG;
}

static int update_db(const CommandInvocation *invocation)
{
	_cleanup_(config_freep) Config *config = NULL;
	Update update = {.force = invocation->option[OPTION_FORCE].count, .lock_fd = -1};
	int r = command_load_config(invocation, true, &config);

	if (!r)
		r = check_paths(config);
	if (r)
		return r;
	(void)signal(SIGPIPE, SIG_IGN);
	r = set_up(&update, config);
	if (!r)
		return run(&update, invocation->option[OPTION_COMPILE].count);
	update_done(&update);
	return fail("update-db", r);
}

const Command command_update_db = {
	.name = "update-db",
	.arguments = "",
	.options = options,
	.help = "fetch the newest databases of countries and networks",
	.run = update_db,
};
