/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/daemon.h"

#include "base/file.h"
#include "daemon/command.h"
#include "daemon/databases.h"
#include "daemon/log.h"
#include "daemon/logs.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/pipeline.h"
#include "daemon/record.h"
#include "daemon/resolver.h"
#include "parse/event.h"
#include "store/csv.h"

#include <inttypes.h>
#include <signal.h>

#define COMMIT_INTERVAL_MS 1000        /* with new rows */
#define COMMIT_QUIET_INTERVAL_MS 30000 /* without */
#define RETRY_INTERVAL_MS 1000
#define CHUNKS_PER_ROUND 4
#define HEAD_STUCK_MS 120000 /* longer than any deadline of a lookup */

typedef struct Daemon {
	DaemonOptions options;
	Config *config;
	Loop *loop;
	LoopTimer *read_timer, *commit_timer, *tick_timer, *stop_timer;
	Resolver *resolver; /* NULL: lookups are off */
	GeoDb *geodb;
	Record *record; /* NULL: rows go to stdout */
	Checkpoint peeked;
	StrBuf stdout_rows;
	Pipeline *pipeline;
	Logs *logs;

	bool blocked;  /* the FIFO is full */
	bool stopping; /* a signal came: nothing is read any more */
	bool ready;    /* systemd was told */
	bool failed_to_write;
	int paused;     /* -errno: rows can't be written, reading waits */
	bool new_rows;  /* since the last commit */
	bool new_lines; /* since the last commit: positions have moved */
	uint64_t committed_ms, moved_ms;
	uint64_t moved_rows; /* for the watchdog: when did the FIFO last move */
	size_t waiting_before;
	int exit_status;
} Daemon;

static void finish(Daemon *daemon, int exit_status)
{
	if (exit_status)
		daemon->exit_status = exit_status;
	loop_stop(daemon->loop);
}

static void read_soon(Daemon *daemon)
{
	if (!loop_timer_is_set(daemon->read_timer))
		loop_timer_set(daemon->read_timer, 0);
}

/* ---- writing -------------------------------------------------------------------------------- */

static StrBuf *output(Daemon *daemon)
{
	return daemon->record ? record_output(daemon->record) : &daemon->stdout_rows;
}

static int flush(Daemon *daemon)
{
	StrBuf *rows = output(daemon);
	int r;

	if (!rows->len)
		return 0;
	if (daemon->record) {
		r = record_flush(daemon->record);
	} else {
		r = file_write_full(STDOUT_FILENO, rows->data, rows->len);
		strbuf_reset(rows);
	}
	if (!r)
		daemon->new_rows = true;
	return r;
}

static void save_positions(Daemon *daemon)
{
	Checkpoint *checkpoint = record_checkpoint(daemon->record);

	/* The rows of other files move no position in a log. */
	if (daemon->options.files)
		return;
	for (size_t i = 0; i < logs_count(daemon->logs); i++)
		pipeline_save(daemon->pipeline, i,
			checkpoint_find_log(checkpoint, tail_path(logs_tail(daemon->logs, i))));
}

static void say_status(Daemon *daemon)
{
	Counters sum = {0};
	Checkpoint *checkpoint;

	if (!daemon->options.follow || !daemon->record)
		return;
	checkpoint = record_checkpoint(daemon->record);
	for (size_t i = 0; i < checkpoint->log_count; i++)
		counters_add(&sum, &checkpoint->logs[i].counters);
	notify_status("Following %s%s: %" PRIu64 " failed logins in %" PRIu64 " lines",
		tail_path(logs_tail(daemon->logs, 0)),
		logs_count(daemon->logs) > 1 ? " and others" : "", sum.failures, sum.lines);
}

/* 0 or -errno. */
static int commit(Daemon *daemon)
{
	int r = flush(daemon);

	if (r < 0 || !daemon->record)
		return r;
	save_positions(daemon);
	r = record_commit(daemon->record,
		record_checkpoint(daemon->record)->rows + daemon->moved_rows, loop_wall_us());
	if (r < 0)
		return r;
	daemon->moved_rows = 0;
	daemon->new_rows = daemon->new_lines = false;
	daemon->committed_ms = loop_now_ms();
	say_status(daemon);
	return 0;
}

/*
 * A failure to write: no room ends by itself, so the service waits for it; anything else (EIO, after which the kernel's
 * cache can't be trusted) is an end, because a new start goes on from what is known to be durable.
 */
static void write_failed(Daemon *daemon, int error)
{
	const char *path = daemon->record ? record_failed_path(daemon->record) : "stdout";

	if (daemon->options.follow && (error == -ENOSPC || error == -EDQUOT)) {
		if (daemon->paused != error) {
			log_error("%s: %s; reading pauses until there is room", path,
				strerror(-error));
			notify_status("Paused: %s: %s", path, strerror(-error));
		}
		daemon->paused = error;
		loop_timer_set(daemon->commit_timer, RETRY_INTERVAL_MS);
		return;
	}
	log_error("%s: %s", path, strerror(-error));
	daemon->failed_to_write = true;
	finish(daemon, EXIT_FAILED);
}

/* Whether rows may be committed now; reading many files into the CSV is one commit at the end. */
static bool may_commit(const Daemon *daemon)
{
	return pipeline_can_save(daemon->pipeline) && daemon->record && !daemon->options.files;
}

static void arm_commit(Daemon *daemon)
{
	uint64_t since = loop_now_ms() - daemon->committed_ms;
	uint64_t interval = daemon->new_rows ? COMMIT_INTERVAL_MS : COMMIT_QUIET_INTERVAL_MS;

	if (!daemon->record || daemon->options.files || daemon->paused ||
		(!daemon->new_rows && !daemon->new_lines))
		return;
	loop_timer_set(daemon->commit_timer, since >= interval ? 0 : (int64_t)(interval - since));
}

static void on_commit(void *userdata)
{
	Daemon *daemon = userdata;
	int r;

	if (!may_commit(daemon)) {
		loop_timer_set(daemon->commit_timer, RETRY_INTERVAL_MS);
		return;
	}
	r = commit(daemon);
	if (r < 0) {
		write_failed(daemon, r);
		return;
	}
	if (daemon->paused) {
		daemon->paused = 0;
		log_info("there is room again, reading goes on");
		read_soon(daemon);
	}
}

/* Rows whose names are known go to the file at once. */
static void write_rows(Daemon *daemon)
{
	uint64_t before = pipeline_rows(daemon->pipeline);
	int r;

	do {
		r = pipeline_write(daemon->pipeline);
		if (r < 0) {
			write_failed(daemon, r);
			return;
		}
		if (!output(daemon)->len)
			break;
		r = flush(daemon);
		if (r < 0) {
			daemon->moved_rows += pipeline_rows(daemon->pipeline) - before;
			write_failed(daemon, r);
			return;
		}
	} while (!pipeline_can_save(daemon->pipeline));
	daemon->moved_rows += pipeline_rows(daemon->pipeline) - before;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void on_repeat_capped(void *userdata, const char *path)
{
	log_warning("%s: a line says that it was repeated more than %d times; %d are taken", path,
		EVENT_REPEAT_MAX, EVENT_REPEAT_MAX);
}

static void read_log(Daemon *daemon, size_t index)
{
	Tail *tail = logs_tail(daemon->logs, index);

	for (int i = 0; i < CHUNKS_PER_ROUND && !logs_idle(daemon->logs, index) &&
			!daemon->blocked && !daemon->paused;
		i++) {
		int r = logs_fill(daemon->logs, index);

		if (r < 0) {
			finish(daemon, EXIT_FAILED);
			return;
		}
		daemon->new_lines |= tail_chunk(tail).len > 0;
		r = pipeline_read(daemon->pipeline, index, loop_now_ms(), loop_wall_us());
		if (r < 0) {
			log_error("%s: %s", tail_path(tail), strerror(-r));
			finish(daemon, EXIT_FAILED);
			return;
		}
		write_rows(daemon);
		/* Room may have come at once, when no name had to be waited for. */
		if (r == PIPELINE_FULL)
			daemon->blocked = !pipeline_has_room(daemon->pipeline);
	}
}

/* Says which logs are not there, nor a rotated sibling of them. How many. */
static size_t say_missing(const Daemon *daemon)
{
	size_t missing = 0;

	for (size_t i = 0; i < logs_count(daemon->logs); i++) {
		const Tail *tail = logs_tail(daemon->logs, i);

		if (tail_fd(tail) >= 0)
			continue;
		missing++;
		if (daemon->options.follow)
			log_warning("%s: is not there, waiting for it", tail_path(tail));
		else
			log_error("%s: %s", tail_path(tail), strerror(ENOENT));
	}
	return missing;
}

static void said_ready(Daemon *daemon)
{
	if (daemon->ready || !daemon->options.follow)
		return;
	daemon->ready = true;
	notify_ready();
	(void)say_missing(daemon);
	say_status(daemon);
}

/* All that was read is written. */
static void end(Daemon *daemon)
{
	bool interrupted =
		daemon->stopping && !daemon->options.follow && !logs_all_idle(daemon->logs);

	if (interrupted)
		log_error("stopped before all was read%s",
			daemon->options.files ? "; nothing of it is kept" : "");
	finish(daemon,
		interrupted || (!daemon->options.follow && say_missing(daemon)) ? EXIT_FAILED : 0);
}

/* One round: something of every log, then back to the loop, so that no log holds up another or the resolver. */
static void on_read(void *userdata)
{
	Daemon *daemon = userdata;

	write_rows(daemon);
	if (daemon->blocked && pipeline_has_room(daemon->pipeline))
		daemon->blocked = false;
	if (!daemon->stopping)
		for (size_t i = 0; i < logs_count(daemon->logs); i++)
			read_log(daemon, i);
	if (daemon->exit_status)
		return;
	said_ready(daemon);
	if (daemon->resolver)
		resolver_rearm(daemon->resolver);
	arm_commit(daemon);
	if (daemon->paused)
		return;
	if ((daemon->stopping || (!daemon->options.follow && logs_all_idle(daemon->logs))) &&
		pipeline_empty(daemon->pipeline)) {
		end(daemon);
		return;
	}
	if (!daemon->stopping && !logs_all_idle(daemon->logs) && !daemon->blocked)
		read_soon(daemon);
}

static void on_change(void *userdata)
{
	read_soon(userdata);
}

/* ---- stopping, ticking ---------------------------------------------------------------------- */

static void on_stop_deadline(void *userdata)
{
	Daemon *daemon = userdata;

	log_warning(
		"stopped while %zu failed logins wait for their names; they are read again at the "
		"next start",
		pipeline_waiting(daemon->pipeline));
	finish(daemon, daemon->options.follow ? 0 : EXIT_FAILED);
}

static void on_signal(void *userdata, int signal)
{
	Daemon *daemon = userdata;

	if (daemon->stopping) {
		on_stop_deadline(daemon);
		return;
	}
	log_info("%s: stopping", strsignal(signal));
	notify_stopping();
	daemon->stopping = true;
	/* What waits has its own deadline; this is for the case that the disk is full as well. */
	loop_timer_set(daemon->stop_timer, 10000);
	read_soon(daemon);
}

/* The one timer of the idle daemon: feeds the watchdog, and looks at the logs in case no event came. */
static void on_tick(void *userdata)
{
	Daemon *daemon = userdata;
	uint64_t interval = notify_watchdog_interval_ms(), now = loop_now_ms();
	size_t waiting = pipeline_waiting(daemon->pipeline);

	if (!waiting || waiting != daemon->waiting_before || daemon->paused)
		daemon->moved_ms = now;
	daemon->waiting_before = waiting;
	/* A head that waits past every deadline is a bug that the watchdog may kill. */
	if (now - daemon->moved_ms < HEAD_STUCK_MS)
		notify_watchdog();
	logs_wake(daemon->logs);
	read_soon(daemon);
	loop_timer_set(daemon->tick_timer,
		(int64_t)(interval && interval < LOGS_POLL_MS ? interval : LOGS_POLL_MS));
}

/* ---- start ---------------------------------------------------------------------------------- */

static int open_geodb(Daemon *daemon)
{
	Why why = {""};
	int r = databases_open(daemon->config, &daemon->geodb, &why);

	if (r < 0 && daemon->options.follow) {
		/* Better a row without its country than a service that does not run. */
		log_error("%s; what the databases would say is N/A", why.text);
		return 0;
	}
	if (r < 0)
		log_error("%s", why.text);
	return r < 0 ? EXIT_FAILED : 0;
}

static int open_resolver(Daemon *daemon)
{
	Why why = {""};
	int r;

	if (!daemon->config->dns.enabled || daemon->options.no_dns)
		return 0;
	r = resolver_new(daemon->loop, daemon->config, on_change, daemon, &daemon->resolver, &why);
	if (r < 0)
		log_error("resolver: %s", *why.text ? why.text : strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

/* 0 or -errno. */
static int open_log(Daemon *daemon, Checkpoint *checkpoint, const char *path)
{
	LogState *state = checkpoint_find_log(checkpoint, path);
	int r = 0;

	if (!state)
		r = checkpoint_add_log(checkpoint, path, &state);
	if (!r)
		r = logs_add(daemon->logs, path, state,
			daemon->record ? record_found_us(daemon->record) : checkpoint->written_us);
	if (!r)
		r = pipeline_add_log(daemon->pipeline,
			logs_tail(daemon->logs, logs_count(daemon->logs) - 1), &state->counters);
	return r;
}

/* 0 or -errno. */
static int open_file(Daemon *daemon, const char *name)
{
	int r = logs_add_file(daemon->logs, name);

	if (!r)
		r = pipeline_add_log(daemon->pipeline,
			logs_tail(daemon->logs, logs_count(daemon->logs) - 1), &(Counters){0});
	return r;
}

static int open_sources(Daemon *daemon)
{
	Checkpoint *checkpoint =
		daemon->record ? record_checkpoint(daemon->record) : &daemon->peeked;
	const char *const *names = daemon->options.files
					   ? daemon->options.files
					   : (const char *const *)daemon->config->paths.mail_log;
	int r = logs_new(daemon->loop, daemon->options.follow, on_change, daemon, &daemon->logs);

	if (r < 0) {
		log_error("%s", strerror(-r));
		return EXIT_FAILED;
	}
	for (size_t i = 0; daemon->options.files ? i < daemon->options.file_count : !!names[i];
		i++) {
		r = daemon->options.files ? open_file(daemon, names[i])
					  : open_log(daemon, checkpoint, names[i]);
		if (r < 0) {
			log_error("%s: %s", names[i], strerror(-r));
			return EXIT_FAILED;
		}
	}
	return 0;
}

static int open_record(Daemon *daemon)
{
	Span header = csv_header();

	if (!daemon->options.to_stdout)
		return record_open(daemon->config, daemon->options.follow ? "run" : "extract",
			&daemon->record);
	strbuf_append_span(&daemon->stdout_rows, header);
	return daemon->options.files ? 0 : record_peek(daemon->config, &daemon->peeked);
}

static int open_loop(Daemon *daemon)
{
	struct {
		LoopFunction function;
		LoopTimer **timer;
	} timers[] = {
		{on_read, &daemon->read_timer},
		{on_commit, &daemon->commit_timer},
		{on_tick, &daemon->tick_timer},
		{on_stop_deadline, &daemon->stop_timer},
	};
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	int r = loop_new(&daemon->loop);

	for (size_t i = 0; i < ARRAY_SIZE(timers) && !r; i++)
		r = loop_timer_new(daemon->loop, timers[i].function, daemon, timers[i].timer);
	for (size_t i = 0; i < ARRAY_SIZE(signals) && !r; i++)
		r = loop_signal(daemon->loop, signals[i], on_signal, daemon);
	if (!r && signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		r = -errno;
	if (r < 0)
		log_error("event loop: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

static int start(Daemon *daemon)
{
	PipelineOptions options = {.year = daemon->options.year,
		.repeat_capped = on_repeat_capped,
		.userdata = daemon};
	int r = open_loop(daemon);

	if (!r)
		r = open_record(daemon);
	if (!r)
		r = open_geodb(daemon);
	if (!r)
		r = open_resolver(daemon);
	if (r)
		return r;
	options.rdns = daemon->resolver ? resolver_rdns(daemon->resolver) : NULL;
	options.geodb = daemon->geodb;
	options.output = output(daemon);
	if (pipeline_new(&options, &daemon->pipeline) < 0) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	return open_sources(daemon);
}

static void stop(Daemon *daemon)
{
	pipeline_free(daemon->pipeline);
	logs_free(daemon->logs);
	resolver_free(daemon->resolver);
	geodb_free(daemon->geodb);
	record_free(daemon->record);
	checkpoint_done(&daemon->peeked);
	strbuf_done(&daemon->stdout_rows);
	loop_timer_free(daemon->read_timer);
	loop_timer_free(daemon->commit_timer);
	loop_timer_free(daemon->tick_timer);
	loop_timer_free(daemon->stop_timer);
	loop_free(daemon->loop);
	config_free(daemon->config);
}

int daemon_main(Config *config_take, const DaemonOptions *options)
{
	Daemon daemon = {.options = *options, .config = config_take};
	int r = start(&daemon);

	if (r) {
		stop(&daemon);
		return r;
	}
	daemon.committed_ms = loop_now_ms();
	if (options->follow)
		on_tick(&daemon);
	read_soon(&daemon);
	loop_run(daemon.loop);
	/*
	 * What was written is committed, unless writing is what failed. Files that were read in part would be read
	 * again from their start: their rows are not kept.
	 */
	if (pipeline_can_save(daemon.pipeline) && !daemon.failed_to_write &&
		(!daemon.exit_status || !options->files)) {
		r = commit(&daemon);
		if (r < 0)
			write_failed(&daemon, r);
	}
	stop(&daemon);
	return daemon.exit_status;
}
