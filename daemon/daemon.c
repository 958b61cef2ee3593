/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/daemon.h"

#include "base/file.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/pipeline.h"
#include "daemon/record.h"
#include "parse/event.h"
#include "source/watch.h"
#include "store/csv.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>

#define COMMIT_INTERVAL_MS 1000        /* with new rows */
#define COMMIT_QUIET_INTERVAL_MS 30000 /* without */
#define TICK_INTERVAL_MS 30000
#define RETRY_INTERVAL_MS 1000
#define CHUNKS_PER_ROUND 4
#define HEAD_STUCK_MS 120000 /* longer than any deadline of a lookup */

typedef struct Log {
	Tail *tail;
	bool idle;
	int error; /* said already, and not over */
	int watch_error;
} Log;

typedef struct Daemon {
	DaemonOptions options;
	Config *config;
	Loop *loop;
	LoopTimer *read_timer, *commit_timer, *dns_timer, *tick_timer, *stop_timer;
	Rdns *rdns;
	GeoDb *geodb;
	Record *record; /* NULL: rows go to stdout */
	Checkpoint peeked;
	StrBuf stdout_rows;
	Pipeline *pipeline;
	Watch *watch;
	Log *logs;
	size_t log_count;

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

static void rearm_dns(Daemon *daemon)
{
	if (daemon->rdns)
		loop_timer_set(daemon->dns_timer, rdns_timeout(daemon->rdns, loop_now_ms()));
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
	for (size_t i = 0; i < daemon->log_count; i++)
		pipeline_save(daemon->pipeline, i,
			checkpoint_find_log(checkpoint, tail_path(daemon->logs[i].tail)));
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
		tail_path(daemon->logs[0].tail), daemon->log_count > 1 ? " and others" : "",
		sum.failures, sum.lines);
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

static void on_notice(void *userdata, bool warning, const char *text)
{
	log_message(warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "%s", text);
}

static void on_repeat_capped(void *userdata, const char *path)
{
	log_warning("%s: a line says that it was repeated more than %d times; %d are taken", path,
		EVENT_REPEAT_MAX, EVENT_REPEAT_MAX);
}

static const char *log_name(const Log *log)
{
	return tail_path(log->tail);
}

/* All was read: watch it, and look once more if it was not watched before. */
static void watch_log(Daemon *daemon, Log *log)
{
	int r;

	if (!daemon->options.follow || !daemon->watch)
		return;
	r = watch_arm(
		daemon->watch, (size_t)(log - daemon->logs), log_name(log), tail_fd(log->tail));
	if (r < 0 && r != log->watch_error)
		log_warning("%s: can't be watched (%s), looking every %d s", log_name(log),
			strerror(-r), TICK_INTERVAL_MS / 1000);
	log->watch_error = MIN(r, 0);
	if (r == WATCH_NEW) {
		log->idle = false;
		read_soon(daemon);
	}
}

/* Reads more of a log into its tail. */
static void fill_log(Daemon *daemon, Log *log)
{
	Why why = {""};
	int r = tail_fill(log->tail, loop_wall_us(), &why);

	if (r >= 0 && log->error) {
		log_info("%s: can be read again", log_name(log));
		log->error = 0;
	}
	if (!r)
		return;
	log->idle = true;
	if (r == TAIL_IDLE) {
		watch_log(daemon, log);
		return;
	}
	if (!daemon->options.follow) {
		log_error("%s", why.text);
		finish(daemon, EXIT_FAILED);
		return;
	}
	if (r != log->error) {
		log_warning("%s; waiting until it can be read", why.text);
		notify_status("Waiting: %s", why.text);
	}
	log->error = r;
	/* What is missing may be a permission: that is an event too. */
	watch_log(daemon, log);
}

static bool all_idle(const Daemon *daemon)
{
	for (size_t i = 0; i < daemon->log_count; i++)
		if (!daemon->logs[i].idle)
			return false;
	return true;
}

static void read_log(Daemon *daemon, size_t index)
{
	Log *log = &daemon->logs[index];

	for (int i = 0; i < CHUNKS_PER_ROUND && !log->idle && !daemon->blocked && !daemon->paused;
		i++) {
		int r;

		if (!tail_chunk(log->tail).len)
			fill_log(daemon, log);
		daemon->new_lines |= !log->idle;
		r = pipeline_read(daemon->pipeline, index, loop_now_ms(), loop_wall_us());
		if (r < 0) {
			log_error("%s: %s", log_name(log), strerror(-r));
			finish(daemon, EXIT_FAILED);
			return;
		}
		write_rows(daemon);
		/* Room may have come at once, when no name had to be waited for. */
		if (r == PIPELINE_FULL && tail_chunk(log->tail).len &&
			pipeline_waiting(daemon->pipeline))
			daemon->blocked = !pipeline_has_room(daemon->pipeline);
	}
}

static void said_ready(Daemon *daemon)
{
	if (daemon->ready || !daemon->options.follow)
		return;
	daemon->ready = true;
	notify_ready();
	say_status(daemon);
}

/* All that was read is written. */
static void end(Daemon *daemon)
{
	bool interrupted = daemon->stopping && !daemon->options.follow && !all_idle(daemon);

	if (interrupted)
		log_error("stopped before all was read%s",
			daemon->options.files ? "; nothing of it is kept" : "");
	finish(daemon, interrupted ? EXIT_FAILED : 0);
}

/* One round: something of every log, then back to the loop, so that no log holds up another or the resolver. */
static void on_read(void *userdata)
{
	Daemon *daemon = userdata;

	write_rows(daemon);
	if (daemon->blocked && pipeline_has_room(daemon->pipeline))
		daemon->blocked = false;
	if (!daemon->stopping)
		for (size_t i = 0; i < daemon->log_count; i++)
			read_log(daemon, i);
	said_ready(daemon);
	rearm_dns(daemon);
	arm_commit(daemon);
	if (daemon->paused)
		return;
	if ((daemon->stopping || (!daemon->options.follow && all_idle(daemon))) &&
		pipeline_empty(daemon->pipeline)) {
		end(daemon);
		return;
	}
	if (!daemon->stopping && !all_idle(daemon) && !daemon->blocked)
		read_soon(daemon);
}

static void wake_logs(Daemon *daemon)
{
	for (size_t i = 0; i < daemon->log_count; i++)
		daemon->logs[i].idle = false;
	read_soon(daemon);
}

static void on_watch(void *userdata, int fd, unsigned events)
{
	Daemon *daemon = userdata;
	int r = watch_dispatch(daemon->watch);

	if (r < 0)
		log_warning("inotify: %s", strerror(-r));
	wake_logs(daemon);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void on_dns_fd(void *userdata, int fd, unsigned events)
{
	Daemon *daemon = userdata;

	rdns_dispatch(daemon->rdns, fd,
		(events & LOOP_READ ? RDNS_READ : 0u) | (events & LOOP_WRITE ? RDNS_WRITE : 0u),
		loop_now_ms());
	rearm_dns(daemon);
}

static void on_dns_timer(void *userdata)
{
	Daemon *daemon = userdata;

	rdns_dispatch(daemon->rdns, -1, 0, loop_now_ms());
	rearm_dns(daemon);
}

static void on_dns_watch(void *userdata, int fd, unsigned events)
{
	Daemon *daemon = userdata;
	int r = loop_watch(daemon->loop, fd,
		(events & RDNS_READ ? LOOP_READ : 0u) | (events & RDNS_WRITE ? LOOP_WRITE : 0u),
		on_dns_fd, daemon);

	/* The lookups on it end by their deadline. */
	if (r < 0)
		log_warning("resolver: %s", strerror(-r));
}

static void on_dns_answered(void *userdata)
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
	finish(daemon, 0);
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
	wake_logs(daemon);
	loop_timer_set(daemon->tick_timer,
		(int64_t)(interval && interval < TICK_INTERVAL_MS ? interval : TICK_INTERVAL_MS));
}

/* ---- start ---------------------------------------------------------------------------------- */

static const char *existing(const char *path)
{
	struct stat st;

	if (!stat(path, &st) || errno != ENOENT)
		return path;
	log_warning("%s: no such file; what it would say is N/A", path);
	return NULL;
}

static int open_geodb(Daemon *daemon)
{
	const char *country = existing(daemon->config->geolocation.country_db_path);
	const char *asn = existing(daemon->config->asn_aso.asn_db_path);
	Why why = {""};
	int r;

	if (!country && !asn)
		return 0;
	r = geodb_new(country, asn, &daemon->geodb, &why);
	if (r < 0 && daemon->options.follow) {
		/* Better a row without its country than a service that does not run. */
		log_error("%s; what it would say is N/A", why.text);
		return 0;
	}
	if (r < 0)
		log_error("%s", why.text);
	return r < 0 ? EXIT_FAILED : 0;
}

static int open_rdns(Daemon *daemon)
{
	const Config *config = daemon->config;
	RdnsOptions options = {
		.enabled = true,
		.servers = config->dns.servers,
		.timeout_ms = config->dns.timeout_ms,
		.tries = config->dns.tries,
		.max_in_flight = config->dns.max_in_flight,
		.cache_enabled = config->dns_cache.enabled,
		.cache_size = config->dns_cache.size,
		.cache_ttl_seconds = config->dns_cache.ttl_seconds,
	};
	RdnsCallbacks callbacks = {
		.watch = on_dns_watch, .answered = on_dns_answered, .userdata = daemon};
	Why why = {""};
	int r;

	if (!config->dns.enabled || daemon->options.no_dns)
		return 0;
	r = rdns_new(&options, &callbacks, &daemon->rdns, &why);
	if (r < 0)
		log_error("resolver: %s", *why.text ? why.text : strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

static int add_tail(Daemon *daemon, Tail *tail_take, const Counters *counters)
{
	_cleanup_(tail_freep) Tail *tail = tail_take;
	Log *logs = reallocarray(daemon->logs, daemon->log_count + 1, sizeof(*logs));

	if (!logs)
		return -ENOMEM;
	daemon->logs = logs;
	if (pipeline_add_log(daemon->pipeline, tail, counters) < 0)
		return -ENOMEM;
	logs[daemon->log_count++] = (Log){.tail = TAKE(tail)};
	return 0;
}

static int open_file(Daemon *daemon, const char *name)
{
	bool is_stdin = !strcmp(name, "-");
	TailCallbacks callbacks = {on_notice, daemon};
	Tail *tail;
	int r, fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			     : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	r = fd < 0 ? -errno
		   : tail_new_single(fd, is_stdin ? "standard input" : name, &callbacks, &tail);
	if (!r)
		r = add_tail(daemon, tail, &(Counters){0});
	if (r < 0)
		log_error("%s: %s", is_stdin ? "standard input" : name, strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

static int open_log(Daemon *daemon, Checkpoint *checkpoint, const char *path)
{
	LogState *state = checkpoint_find_log(checkpoint, path);
	TailCallbacks callbacks = {on_notice, daemon};
	Tail *tail;
	int r = 0;

	if (!state)
		r = checkpoint_add_log(checkpoint, path, &state);
	if (!r)
		r = tail_new(path, state,
			daemon->record ? record_found_us(daemon->record) : checkpoint->written_us,
			&callbacks, &tail);
	if (!r)
		r = add_tail(daemon, tail, &state->counters);
	if (r < 0)
		log_error("%s: %s", path, strerror(-r));
	return r < 0 ? EXIT_FAILED : 0;
}

static int open_sources(Daemon *daemon)
{
	Checkpoint *checkpoint =
		daemon->record ? record_checkpoint(daemon->record) : &daemon->peeked;
	int r = 0;

	if (daemon->options.files) {
		for (size_t i = 0; i < daemon->options.file_count && !r; i++)
			r = open_file(daemon, daemon->options.files[i]);
		return r;
	}
	for (char **path = daemon->config->paths.mail_log; *path && !r; path++)
		r = open_log(daemon, checkpoint, *path);
	return r;
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
		{on_dns_timer, &daemon->dns_timer},
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

static void open_watch(Daemon *daemon)
{
	int r;

	if (!daemon->options.follow)
		return;
	r = watch_new(&daemon->watch);
	if (!r)
		r = loop_watch(daemon->loop, watch_fd(daemon->watch), LOOP_READ, on_watch, daemon);
	if (r < 0)
		log_warning(
			"inotify: %s; looking every %d s", strerror(-r), TICK_INTERVAL_MS / 1000);
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
		r = open_rdns(daemon);
	if (r)
		return r;
	options.rdns = daemon->rdns;
	options.geodb = daemon->geodb;
	options.output = output(daemon);
	if (pipeline_new(&options, &daemon->pipeline) < 0) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	r = open_sources(daemon);
	if (!r)
		open_watch(daemon);
	return r;
}

static void stop(Daemon *daemon)
{
	pipeline_free(daemon->pipeline);
	for (size_t i = 0; i < daemon->log_count; i++)
		tail_free(daemon->logs[i].tail);
	free(daemon->logs);
	rdns_free(daemon->rdns);
	geodb_free(daemon->geodb);
	watch_free(daemon->watch);
	record_free(daemon->record);
	checkpoint_done(&daemon->peeked);
	strbuf_done(&daemon->stdout_rows);
	loop_timer_free(daemon->read_timer);
	loop_timer_free(daemon->commit_timer);
	loop_timer_free(daemon->dns_timer);
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
