/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/daemon.h"

#include "base/file.h"
#include "base/strbuf.h"
#include "build-config.h"
#include "daemon/command.h"
#include "daemon/databases.h"
#include "daemon/dns-counts.h"
#include "daemon/failures.h"
#include "daemon/geo-keeper.h"
#include "daemon/handover.h"
#include "daemon/log.h"
#include "daemon/logs.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/progress.h"
#include "daemon/reload.h"
#include "daemon/resolver.h"
#include "daemon/session.h"
#include "daemon/status-keeper.h"
#include "daemon/timetable.h"
#include "daemon/warnings.h"

#include <signal.h>

#define STOP_DEADLINE_MS 10000
#define STOP_LONGEST_MS 60000   /* that, the end of jobs and a slow disk */
#define START_LONGEST_MS 120000 /* of one step of a start: databases without an image, many logs */
#define REOPEN_MIN_MS \
	1000 /* the first wait before a session is opened again; each is twice as long */
#define REOPEN_MAX_MS 30000

typedef struct Daemon {
	DaemonOptions options;
	Config *config;
	Loop *loop;
	uint64_t tick_ms; /* how soon it ticks; 0: not yet */
	LoopTimer *tick_timer, *stop_timer, *reopen_timer;
	Reload reload;
	Handover *handover; /* a reload's, between reading and applying it; NULL: not the service */
	bool reload_again;  /* SIGHUP came meanwhile */
	Resolver *resolver; /* NULL: lookups are off, and not the service */
	GeoDb *geodb;
	GeoKeeper *geo_keeper; /* NULL: not the service */
	Session *session;
	bool broken;       /* the session is broken, or NULL: it will be opened again */
	StrBuf trouble;    /* why, as it was said; empty when a commit worked since */
	int64_t reopen_ms; /* how long that was waited for last time; 0 likewise */
	Warnings *warnings;
	StatusKeeper *keeper; /* NULL: not the service */
	Timetable *timetable; /* likewise */
	int64_t started_us, stopped_us;
	DnsCounts dns_counts;

	bool stopping;     /* a signal came: nothing is read any more */
	bool ready;        /* systemd was told */
	Progress progress; /* for the watchdog */
	int exit_status;
} Daemon;

/* ---- what people and programs are told ------------------------------------------------------ */

static void fill_status(void *userdata, Status *status)
{
	Daemon *daemon = userdata;

	if (daemon->resolver)
		resolver_check(daemon->resolver, daemon->warnings);
	status->version = MLS_VERSION;
	status->pid = getpid();
	status->started_us = daemon->started_us;
	status->stopped_us = daemon->stopped_us;
	status->stopping = daemon->stopping;
	reload_status(&daemon->reload, status);
	if (daemon->session)
		session_status(daemon->session, status);
	dns_counts_status(&daemon->dns_counts,
		daemon->resolver ? resolver_rdns(daemon->resolver) : NULL,
		daemon->config->dns.enabled && !daemon->options.no_dns, status);
	geo_keeper_status(daemon->geo_keeper, status);
	if (daemon->timetable)
		timetable_status(daemon->timetable, status);
	status->warnings =
		warnings_copy_dup(daemon->warnings, &status->warning_count, &status->more_warnings);
	status->paused = warnings_text(daemon->warnings, "paused");
}

static void status_changed(Daemon *daemon)
{
	if (daemon->keeper)
		status_keeper_changed(daemon->keeper);
}

static void finish(Daemon *daemon, int exit_status)
{
	if (exit_status)
		daemon->exit_status = exit_status;
	loop_stop(daemon->loop);
}

/* ---- what the session says ------------------------------------------------------------------ */

static void on_ended(void *userdata, int exit_status)
{
	Daemon *daemon = userdata;

	if (exit_status || !handover_ended(daemon->handover))
		finish(daemon, exit_status);
}

/* Starts the jobs that are due, and sets when to tick next: sooner when one is due then. */
static void set_tick(Daemon *daemon)
{
	uint64_t interval = notify_watchdog_interval_ms();
	uint64_t poll_ms = daemon->session ? session_poll_ms(daemon->session) : LOGS_POLL_MS;
	int64_t job_ms = timetable_look(daemon->timetable);

	daemon->tick_ms = interval ? MIN(interval, poll_ms) : poll_ms;
	if (job_ms >= 0)
		daemon->tick_ms = MIN(daemon->tick_ms, (uint64_t)job_ms);
	loop_timer_set(daemon->tick_timer, (int64_t)daemon->tick_ms);
}

static void on_job_ended(void *userdata)
{
	Daemon *daemon = userdata;

	failures_look(daemon->config->paths.state_dir, daemon->warnings);
	status_changed(daemon);
	set_tick(daemon);
}

static void on_round(void *userdata)
{
	Daemon *daemon = userdata;

	/* A log that can't be watched was found. */
	if (daemon->options.follow && daemon->tick_ms &&
		session_poll_ms(daemon->session) < daemon->tick_ms)
		set_tick(daemon);
	if (!daemon->ready && daemon->options.follow) {
		daemon->ready = true;
		log_message_kind(LOG_LEVEL_INFO, MESSAGE_STARTED, "MLS_VERSION", MLS_VERSION,
			"version " MLS_VERSION " has started");
		notify_ready();
	}
	if (daemon->resolver)
		resolver_rearm(daemon->resolver);
	if (daemon->geo_keeper)
		geo_keeper_check(daemon->geo_keeper);
	status_changed(daemon);
}

static void on_committed(void *userdata)
{
	Daemon *daemon = userdata;

	status_changed(daemon);
	strbuf_reset(&daemon->trouble);
	daemon->reopen_ms = 0;
	/* It may have been another session's. */
	warnings_clear(daemon->warnings, "paused", "writing works again");
}

/* Says what is wrong, once, and tries again after a while. */
static void reopen_later(Daemon *daemon, const char *why)
{
	warnings_raise(daemon->warnings, LOG_LEVEL_ERROR, "paused", loop_wall_us(),
		"%s; going on from what is on disk for certain, as soon as that works", why);
	strbuf_reset(&daemon->trouble);
	strbuf_append_string(&daemon->trouble, why);
	status_changed(daemon);
	daemon->broken = true;
	daemon->reopen_ms =
		daemon->reopen_ms ? MIN(2 * daemon->reopen_ms, REOPEN_MAX_MS) : REOPEN_MIN_MS;
	loop_timer_set(daemon->reopen_timer, daemon->reopen_ms);
}

/* What was not committed is read again at the next start. */
static void give_up(Daemon *daemon, const char *why)
{
	log_error("%s; what is not on disk for certain is read again at the next start", why);
	finish(daemon, EXIT_FAILED);
}

static void on_broken(void *userdata, const char *why)
{
	Daemon *daemon = userdata;

	if (daemon->stopping) {
		give_up(daemon, why);
		return;
	}
	reopen_later(daemon, why);
	(void)handover_ended(daemon->handover);
}

static void on_answered(void *userdata)
{
	Daemon *daemon = userdata;

	if (!daemon->broken)
		session_wake(daemon->session);
}

static void on_status(void *userdata)
{
	status_changed(userdata);
}

/* ---- stopping, ticking ---------------------------------------------------------------------- */

static void on_stop_deadline(void *userdata)
{
	Daemon *daemon = userdata;
	size_t waiting = session_waiting(daemon->session);

	if (waiting)
		log_warning("stopped while %zu failed logins wait for their names; they are read "
			    "again at the next start",
			waiting);
	finish(daemon, daemon->options.follow ? 0 : EXIT_FAILED);
}

static void on_signal(void *userdata, int signal)
{
	Daemon *daemon = userdata;
	bool ended;

	if (daemon->stopping) {
		/* Without a session it has ended by the signal before. */
		if (!daemon->broken)
			on_stop_deadline(daemon);
		return;
	}
	log_message_kind(
		LOG_LEVEL_INFO, MESSAGE_STOPPING, NULL, NULL, "%s: stopping", strsignal(signal));
	notify_stopping();
	notify_extend(STOP_LONGEST_MS);
	daemon->stopping = true;
	ended = handover_cancel(daemon->handover);
	status_changed(daemon);
	if (daemon->timetable)
		timetable_end(daemon->timetable);
	if (daemon->broken) {
		give_up(daemon, strbuf_text(&daemon->trouble));
		return;
	}
	if (ended) {
		finish(daemon, 0);
		return;
	}
	/* What waits has its own deadline; this is for the case that the disk is full as well. */
	loop_timer_set(daemon->stop_timer, STOP_DEADLINE_MS);
	session_drain(daemon->session);
}

static bool is_moving(Daemon *daemon, uint64_t now_ms)
{
	/* Without a session it waits for room on the disk or the like, which was said. */
	if (daemon->broken)
		return progress_is_made(&daemon->progress, 0, 0, true, now_ms);
	return progress_is_made(&daemon->progress, session_waiting(daemon->session),
		session_rows(daemon->session), session_is_paused(daemon->session), now_ms);
}

/* The one timer of the idle daemon: feeds the watchdog, and looks at the logs in case no event came. */
static void on_tick(void *userdata)
{
	Daemon *daemon = userdata;

	if (is_moving(daemon, loop_now_ms()))
		notify_watchdog();
	if (!daemon->broken)
		session_look(daemon->session);
	geo_keeper_look(daemon->geo_keeper);
	failures_look(daemon->config->paths.state_dir, daemon->warnings);
	status_changed(daemon);
	set_tick(daemon);
}

/* ---- start ---------------------------------------------------------------------------------- */

static int open_geodb(Daemon *daemon)
{
	const GeoKeeperOptions options = {
		daemon->loop, daemon->config, daemon->warnings, &daemon->geodb, on_status, daemon};
	Why why = {""};
	int r;

	if (daemon->options.follow) {
		r = geo_keeper_new(&options, &daemon->geo_keeper);
		/* Better a row without its country than a service that does not run. */
		if (!r)
			databases_open_rest(daemon->config, daemon->warnings, &daemon->geodb);
	} else {
		r = databases_open(daemon->config, daemon->warnings, &daemon->geodb, &why);
	}
	if (r < 0 && *why.text)
		log_error("%s", why.text);
	else if (r < 0)
		log_error("IP databases: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

static int open_resolver(Daemon *daemon)
{
	Why why = {""};
	int r;

	/* The service keeps one, whose answers are counted, also while lookups are off. */
	if (!daemon->options.follow && (!daemon->config->dns.enabled || daemon->options.no_dns))
		return 0;
	r = resolver_new(
		daemon->loop, daemon->config, on_answered, daemon, &daemon->resolver, &why);
	if (r < 0)
		log_error("resolver: %s", *why.text ? why.text : strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

static int open_session(
	Daemon *daemon, const Config *config, const Session *former, StrBuf *ret_why)
{
	SessionCallbacks callbacks = {
		on_round, on_committed, on_status, on_broken, on_ended, daemon, daemon->warnings};

	return session_open(daemon->loop, config, &daemon->options, &callbacks, former,
		&daemon->session, ret_why);
}

static int start_session(Daemon *daemon, const Config *config, StrBuf *ret_why)
{
	Rdns *rdns =
		daemon->resolver && config->dns.enabled ? resolver_rdns(daemon->resolver) : NULL;

	return session_start(daemon->session, rdns, &daemon->geodb, ret_why);
}

/* A session in the place of former, which was closed, or freed (NULL). 0; or an exit status with ret_why, and there is none. */
static int renew_session(
	Daemon *daemon, const Config *config, const Session *former, StrBuf *ret_why)
{
	int r = open_session(daemon, config, former, ret_why);

	if (!r)
		r = start_session(daemon, config, ret_why);
	if (r) {
		session_free(TAKE(daemon->session));
		return r;
	}
	daemon->broken = false;
	loop_timer_set(daemon->reopen_timer, -1);
	/* What it says ends with a commit. */
	if (warnings_text(daemon->warnings, "paused"))
		session_prove(daemon->session);
	return 0;
}

/* There is no session, by what renew_session() says: it is tried again, or somebody has to look. */
static void go_without_session(Daemon *daemon, int exit_status, const StrBuf *why)
{
	if (exit_status == EXIT_CONFIG) {
		log_error("%s", strbuf_text(why));
		daemon->broken = true;
		finish(daemon, exit_status);
		return;
	}
	reopen_later(daemon, strbuf_error(why) ? strerror(ENOMEM) : strbuf_text(why));
}

static void on_reopen(void *userdata)
{
	Daemon *daemon = userdata;
	_cleanup_strbuf_ StrBuf why = STRBUF_INIT;
	int r;

	session_free(TAKE(daemon->session));
	r = renew_session(daemon, daemon->config, NULL, &why);
	if (r)
		go_without_session(daemon, r, &why);
}

/* ---- reload --------------------------------------------------------------------------------- */

/* What an -errno that nothing was said of says. */
static int explain(int r, StrBuf *why)
{
	if (r < 0 && !why->len)
		strbuf_append_string(why, strerror(-r));
	return r;
}

static int apply_log(void *userdata, const Config *config, StrBuf *ret_why)
{
	int r = command_configure_log(config);

	if (r < 0)
		strbuf_appendf(ret_why, "%s: %s", config->general.log_file, strerror(-r));
	return r;
}

static int apply_resolver(void *userdata, const Config *config, StrBuf *ret_why)
{
	Daemon *daemon = userdata;
	Why why = {""};
	int r = resolver_reconfigure(daemon->resolver, config, &why);

	strbuf_append_string(ret_why, why.text);
	/* What was found out about the servers of before says nothing any more. */
	if (!r)
		warnings_clear(daemon->warnings, "resolver", NULL);
	return explain(r, ret_why);
}

static int apply_databases(void *userdata, const Config *config, StrBuf *ret_why)
{
	Daemon *daemon = userdata;

	geo_keeper_reconfigure(daemon->geo_keeper, config);
	return 0;
}

static int apply_timetable(void *userdata, const Config *config, StrBuf *ret_why)
{
	Daemon *daemon = userdata;

	return explain(timetable_reconfigure(daemon->timetable, config), ret_why);
}

static int apply_metrics(void *userdata, const Config *config, StrBuf *ret_why)
{
	Daemon *daemon = userdata;

	return explain(status_keeper_reconfigure(daemon->keeper, config), ret_why);
}

static bool minds(void *userdata, const char *key)
{
	return session_minds(userdata, key);
}

/*
 * The session ends at a commit and another one goes on from there, as after a restart: so whatever is changed, each line is
 * read once for the record. What waits for a name is read again, and finds the name or its question in the resolver; the files of
 * the logs stay open, lest one is lost that has no name any more. Where it can't be opened, one as before goes on from the same place.
 */
static int apply_session(void *userdata, const Config *config, StrBuf *ret_why)
{
	Daemon *daemon = userdata;
	_cleanup_(session_freep) Session *former = TAKE(daemon->session);
	_cleanup_strbuf_ StrBuf why = STRBUF_INIT;
	bool broken = daemon->broken;
	int r, back;

	if (broken) {
		session_free(TAKE(former));
	} else {
		if (!session_is_paused(former))
			(void)session_finish(former, 0);
		session_close(former);
	}
	r = renew_session(daemon, config, former, ret_why);
	if (!r) {
		warnings_sweep(daemon->warnings, minds, daemon->session);
		return 0;
	}
	/* A broken one is opened again when its time has come. */
	back = broken ? 0 : renew_session(daemon, daemon->config, former, &why);
	if (back)
		go_without_session(daemon, back, &why);
	return r;
}

/* What needs no room on a disk first; what can only fail without memory last. */
static const ReloadStep reload_steps[] = {
	{"general.log_file", apply_log},
	{"dns", apply_resolver},
	{"databases", apply_databases},
	{"metrics", apply_metrics},
	{"logs and CSV", apply_session},
	{"schedule", apply_timetable},
};

static void begin_reload(Daemon *daemon);

static void end_reload(Daemon *daemon)
{
	failures_look(daemon->config->paths.state_dir, daemon->warnings);
	status_changed(daemon);
	set_tick(daemon);
	if (daemon->reload_again) {
		daemon->reload_again = false;
		begin_reload(daemon);
		return;
	}
	/* Before that it is a start, which the first round ends. */
	if (daemon->ready)
		notify_ready();
}

static void apply_reload(void *userdata)
{
	Daemon *daemon = userdata;
	_cleanup_strbuf_ StrBuf why = STRBUF_INIT;
	int r = reload_apply(&daemon->reload, reload_steps, ARRAY_SIZE(reload_steps), daemon,
		&daemon->config, daemon->warnings);

	/* It did not come to the session, which has ended all the same. */
	if (r && daemon->session && session_is_draining(daemon->session) &&
		apply_session(daemon, daemon->config, &why))
		log_error("%s", strbuf_text(&why));
	end_reload(daemon);
}

/*
 * What waits for a name is read again by the next session, which has its files. Where the session has gone on to the file
 * after it, that may not be there any more: then what waits comes to its row first.
 */
static void begin_reload(Daemon *daemon)
{
	notify_reloading();
	notify_extend(START_LONGEST_MS);
	if (reload_read(&daemon->reload, daemon->config, daemon->warnings)) {
		end_reload(daemon);
		return;
	}
	if (daemon->broken || !session_must_drain(daemon->session)) {
		apply_reload(daemon);
		return;
	}
	handover_begin(daemon->handover);
	session_drain(daemon->session);
}

static void hurry_session(void *userdata)
{
	Daemon *daemon = userdata;

	log_warning("the reload waits no longer for the names of %zu failed logins: their status "
		    "is Timeout",
		session_waiting(daemon->session));
	session_hurry(daemon->session);
}

static void on_hangup(void *userdata, int signal)
{
	Daemon *daemon = userdata;

	if (daemon->stopping)
		log_info("%s: nothing is reloaded any more", strsignal(signal));
	else if (handover_goes_on(daemon->handover))
		daemon->reload_again = true;
	else
		begin_reload(daemon);
}

/* ---- start ---------------------------------------------------------------------------------- */

static int open_loop(Daemon *daemon)
{
	struct {
		LoopFunction function;
		LoopTimer **timer;
	} timers[] = {
		{on_tick, &daemon->tick_timer},
		{on_stop_deadline, &daemon->stop_timer},
		{on_reopen, &daemon->reopen_timer},
	};
	const struct {
		int signal;
		LoopSignalFunction function;
	} signals[] = {
		{SIGTERM, on_signal},
		{SIGINT, on_signal},
		{SIGHUP, daemon->options.follow ? on_hangup : on_signal},
	};
	const HandoverCallbacks handover = {hurry_session, apply_reload, daemon};
	int r = loop_new(&daemon->loop);

	for (size_t i = 0; i < ARRAY_SIZE(timers) && !r; i++)
		r = loop_timer_new(daemon->loop, timers[i].function, daemon, timers[i].timer);
	for (size_t i = 0; i < ARRAY_SIZE(signals) && !r; i++)
		r = loop_signal(daemon->loop, signals[i].signal, signals[i].function, daemon);
	if (!r && daemon->options.follow)
		r = handover_new(daemon->loop, &handover, &daemon->handover);
	/* They were kept back until loop_signal() could take them. */
	if (!r && daemon->options.follow)
		r = notify_hangups();
	if (!r && signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		r = -errno;
	if (r < 0)
		log_error("event loop: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

static int open_status(Daemon *daemon)
{
	int r = warnings_new(&daemon->warnings);

	daemon->started_us = loop_wall_us();
	dns_counts_begin(&daemon->dns_counts, daemon->config->paths.state_dir, daemon->started_us);
	if (!r && daemon->options.follow)
		r = status_keeper_new(daemon->loop, daemon->config, daemon->warnings, fill_status,
			daemon, &daemon->keeper);
	if (r < 0)
		log_error("status: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

static int open_timetable(Daemon *daemon)
{
	int r = 0;

	if (daemon->options.follow)
		r = timetable_new(daemon->loop, daemon->config, daemon->warnings, on_job_ended,
			daemon, &daemon->timetable);
	if (r < 0)
		log_error("jobs: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

static int start(Daemon *daemon)
{
	_cleanup_strbuf_ StrBuf why = STRBUF_INIT;
	int r;

	/* One for each log. */
	file_raise_open_max();
	r = open_loop(daemon);
	if (!r)
		r = open_status(daemon);
	if (r)
		return r;
	/* First what another writer can hold: that is said at once, not after the databases are read. */
	notify_extend(START_LONGEST_MS);
	r = open_session(daemon, daemon->config, NULL, &why);
	if (!r)
		r = open_timetable(daemon);
	notify_extend(START_LONGEST_MS);
	if (!r)
		r = open_geodb(daemon);
	notify_extend(START_LONGEST_MS);
	if (!r)
		r = open_resolver(daemon);
	if (!r)
		r = start_session(daemon, daemon->config, &why);
	if (r && strbuf_error(&why))
		log_error("start: %s", strerror(ENOMEM));
	else if (why.len)
		log_error("%s", strbuf_text(&why));
	return r;
}

static void stop(Daemon *daemon)
{
	notify_extend(STOP_LONGEST_MS);
	reload_done(&daemon->reload);
	timetable_free(daemon->timetable);
	status_keeper_free(daemon->keeper);
	session_free(daemon->session);
	resolver_free(daemon->resolver);
	geo_keeper_free(daemon->geo_keeper);
	warnings_free(daemon->warnings);
	geodb_free(daemon->geodb);
	strbuf_done(&daemon->trouble);
	loop_timer_free(daemon->tick_timer);
	loop_timer_free(daemon->stop_timer);
	loop_timer_free(daemon->reopen_timer);
	handover_free(daemon->handover);
	loop_free(daemon->loop);
	config_free(daemon->config);
}

int daemon_main(Config *config_take, const DaemonOptions *options)
{
	Daemon daemon = {.options = *options, .config = config_take};
	int r;

	reload_init(&daemon.reload, options->config_path);
	r = start(&daemon);
	if (!r) {
		if (options->follow)
			on_tick(&daemon);
		loop_run(daemon.loop);
		r = daemon.broken ? daemon.exit_status
				  : session_finish(daemon.session, daemon.exit_status);
		daemon.stopped_us = loop_wall_us();
		if (daemon.keeper)
			status_keeper_write(daemon.keeper);
	}
	stop(&daemon);
	return r;
}
