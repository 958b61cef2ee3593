/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/session.h"

#include "base/file.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/pipeline.h"
#include "daemon/record.h"
#include "daemon/sources.h"
#include "parse/event.h"
#include "store/csv.h"

#include <inttypes.h>

#define COMMIT_INTERVAL_MS 1000        /* with new rows */
#define COMMIT_QUIET_INTERVAL_MS 30000 /* without */
#define RETRY_INTERVAL_MS 1000
#define CHUNKS_PER_ROUND 4

struct Session {
	DaemonOptions options;
	const Config *config;
	SessionCallbacks callbacks;
	const Session *former; /* until it is started */
	Loop *loop;
	LoopTimer *read_timer, *commit_timer;
	Record *record; /* NULL: rows go to stdout */
	Checkpoint peeked;
	StrBuf stdout_rows;
	Pipeline *pipeline;
	Sources *sources;
	Logs *logs;   /* the sources' */
	size_t first; /* the log that a round begins with */

	bool blocked;  /* the FIFO is full */
	bool draining; /* nothing is read any more */
	bool over; /* it has ended or is broken: the owner was told, and nothing is done any more */
	bool failed;          /* nothing more may be committed */
	bool complete;        /* all was committed after the last reading */
	int paused;           /* -errno of what is tried again, while reading waits */
	bool new_rows;        /* since the last commit */
	bool new_lines;       /* since the last commit: positions have moved */
	uint64_t rows_before; /* in the CSVs when the session began */
	uint64_t committed_rows;
	uint64_t committed_ms;
};

static void finish(Session *session, int exit_status)
{
	if (session->over)
		return;
	session->over = true;
	session->callbacks.ended(session->callbacks.userdata, exit_status);
}

static void read_soon(Session *session)
{
	if (!loop_timer_is_set(session->read_timer))
		loop_timer_set(session->read_timer, 0);
}

/* ---- writing -------------------------------------------------------------------------------- */

static StrBuf *output(Session *session)
{
	return session->record ? record_output(session->record) : &session->stdout_rows;
}

static int flush(Session *session)
{
	StrBuf *rows = output(session);
	int r;

	if (!rows->len)
		return 0;
	if (session->record) {
		r = record_flush(session->record);
	} else {
		r = file_write_full(STDOUT_FILENO, rows->data, rows->len);
		strbuf_reset(rows);
	}
	if (r)
		return r;
	session->new_rows = true;
	pipeline_written(session->pipeline, loop_wall_us());
	return 0;
}

/* 0 or -errno. */
static int commit(Session *session)
{
	int r = flush(session);

	if (r < 0 || !session->record)
		return r;
	sources_save(session->sources);
	r = record_commit(session->record, session->rows_before + pipeline_rows(session->pipeline),
		loop_wall_us());
	if (r < 0)
		return r;
	session->new_rows = session->new_lines = false;
	session->committed_ms = loop_now_ms();
	session->committed_rows = record_checkpoint(session->record)->rows;
	sources_committed(session->sources);
	if (session->paused) {
		session->paused = 0;
		warnings_clear(session->callbacks.warnings, "paused",
			"writing works again, reading goes on");
		read_soon(session);
	}
	session->callbacks.committed(session->callbacks.userdata);
	return 0;
}

/* What can't be done now is tried again soon; until then nothing is read. */
static void pause_reading(Session *session, const char *what, int error)
{
	if (session->paused != error)
		warnings_raise(session->callbacks.warnings, LOG_LEVEL_ERROR, "paused",
			loop_wall_us(), "%s: %s; reading pauses until it works again", what,
			strerror(-error));
	session->paused = error;
	loop_timer_set(session->commit_timer, RETRY_INTERVAL_MS);
	session->callbacks.paused(session->callbacks.userdata);
}

/* Something failed that is needed to go on; nothing was lost by that. */
static void fail(Session *session, const char *what, int error)
{
	if (session->options.follow && !session->over) {
		pause_reading(session, what, error);
		return;
	}
	log_error("%s: %s", what, strerror(-error));
	session->failed = true;
	finish(session, EXIT_FAILED);
}

static void write_failed(Session *session, int error)
{
	const char *path = session->record ? record_failed_path(session->record) : "stdout";
	_cleanup_strbuf_ StrBuf why = STRBUF_INIT;

	if (!session->options.follow || session->over || !record_in_doubt(session->record)) {
		fail(session, path, error);
		return;
	}
	session->failed = session->over = true;
	strbuf_appendf(&why, "%s: %s", path, strerror(-error));
	session->callbacks.broken(session->callbacks.userdata, strbuf_text(&why));
}

/* Whether rows may be committed now; reading many files into the CSV is one commit at the end. */
static bool may_commit(const Session *session)
{
	return pipeline_can_save(session->pipeline) && session->record && !session->options.files;
}

static void arm_commit(Session *session)
{
	uint64_t since = loop_now_ms() - session->committed_ms;
	uint64_t interval = session->new_rows ? COMMIT_INTERVAL_MS : COMMIT_QUIET_INTERVAL_MS;

	if (!session->record || session->options.files || session->paused ||
		(!session->new_rows && !session->new_lines))
		return;
	loop_timer_set(session->commit_timer, since >= interval ? 0 : (int64_t)(interval - since));
}

/* Rows whose names are known go to the file at once. Whether that worked; else what is to be done is done. */
static bool write_rows(Session *session)
{
	int r;

	do {
		r = pipeline_write(session->pipeline);
		if (r < 0) {
			fail(session, "rows", r);
			return false;
		}
		r = flush(session);
		if (r < 0) {
			write_failed(session, r);
			return false;
		}
	} while (!pipeline_can_save(session->pipeline));
	return true;
}

/* Also how a pause ends. */
static void on_commit(void *userdata)
{
	Session *session = userdata;
	int r;

	if (session->over || !write_rows(session) || !may_commit(session))
		return;
	r = commit(session);
	if (r < 0)
		write_failed(session, r);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void on_repeat_capped(void *userdata, const char *path)
{
	log_warning("%s: a line says that it was repeated more than %d times; %d are taken", path,
		EVENT_REPEAT_MAX, EVENT_REPEAT_MAX);
}

static void on_lost(void *userdata, const char *path, uint64_t count, uint64_t total)
{
	Session *session = userdata;
	char key[WARNINGS_KEY_MAX];

	warnings_raise(session->callbacks.warnings, LOG_LEVEL_WARNING,
		warnings_key(key, "lost:suppressed", path), loop_wall_us(),
		"%s: %" PRIu64
		" messages were dropped by the system's logging because there were too "
		"many (%" PRIu64 " since the first start); failed logins may have been among them",
		path, count, total);
}

static void read_log(Session *session, size_t index)
{
	for (int i = 0; i < CHUNKS_PER_ROUND && !logs_idle(session->logs, index) &&
			!session->blocked && !session->paused;
		i++) {
		int r = logs_fill(session->logs, index);

		if (r < 0) {
			finish(session, EXIT_FAILED);
			return;
		}
		session->new_lines |= source_has_lines(logs_source(session->logs, index));
		r = pipeline_read(session->pipeline, index, loop_now_ms(), loop_wall_us());
		if (r < 0) {
			fail(session, logs_name(session->logs, index), r);
			return;
		}
		if (!write_rows(session))
			return;
		/* Room may have come at once, when no name had to be waited for. */
		if (r == PIPELINE_FULL)
			session->blocked = !pipeline_has_room(session->pipeline);
	}
	logs_rest(session->logs, index);
	/* Who has filled the FIFO comes last, when there is room again. */
	if (session->blocked)
		session->first = index + 1;
}

/* All that was read is written. */
static void end(Session *session)
{
	bool interrupted =
		session->draining && !session->options.follow && !logs_all_idle(session->logs);
	int r;

	if (interrupted)
		log_error("stopped before all was read%s",
			session->options.files ? "; nothing of it is kept" : "");
	if (may_commit(session)) {
		r = commit(session);
		if (r < 0) {
			write_failed(session, r);
			return;
		}
		session->complete = true;
	}
	finish(session,
		interrupted || (!session->options.follow && sources_say_missing(session->sources))
			? EXIT_FAILED
			: 0);
}

static void read_logs(Session *session)
{
	size_t count = logs_count(session->logs), first = session->first++;

	for (size_t i = 0; i < count && !session->blocked && !session->paused && !session->over;
		i++)
		read_log(session, (first + i) % count);
}

/* One round: something of every log, then back to the loop, so that no log holds up another or the resolver. */
static void on_read(void *userdata)
{
	Session *session = userdata;

	/* The timer tries again, not whoever wakes it. */
	if (session->over || session->paused || !write_rows(session))
		return;
	if (session->blocked && pipeline_has_room(session->pipeline))
		session->blocked = false;
	if (!session->draining)
		read_logs(session);
	if (!session->over && sources_settle(session->sources) < 0)
		fail(session, "logs", -ENOMEM);
	if (session->over)
		return;
	session->callbacks.round(session->callbacks.userdata);
	arm_commit(session);
	if (session->paused)
		return;
	if ((session->draining || (!session->options.follow && logs_all_idle(session->logs))) &&
		pipeline_empty(session->pipeline)) {
		end(session);
		return;
	}
	if (!session->draining && !logs_all_idle(session->logs) && !session->blocked)
		read_soon(session);
}

static void on_change(void *userdata)
{
	read_soon(userdata);
}

static int fail_start(StrBuf *why, const char *what, int error)
{
	strbuf_reset(why);
	strbuf_appendf(why, "%s: %s", what, strerror(-error));
	return EXIT_FAILED;
}

static int open_record(Session *session, StrBuf *ret_why)
{
	Span header = csv_header();

	if (!session->options.to_stdout)
		return record_open(session->config, session->options.follow ? "run" : "extract",
			session->former ? session->former->record : NULL, &session->record,
			ret_why);
	strbuf_append_span(&session->stdout_rows, header);
	if (strbuf_error(&session->stdout_rows))
		return fail_start(ret_why, "stdout", strbuf_error(&session->stdout_rows));
	return session->options.files ? 0 : record_peek(session->config, &session->peeked, ret_why);
}

/* ---- open, start, end ----------------------------------------------------------------------- */

int session_open(Loop *loop, const Config *config, const DaemonOptions *options,
	const SessionCallbacks *callbacks, const Session *former, Session **ret_session,
	StrBuf *ret_why)
{
	_cleanup_(session_freep) Session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return fail_start(ret_why, "session", -ENOMEM);
	session->options = *options;
	session->peeked = CHECKPOINT_INIT;
	session->config = config;
	session->callbacks = *callbacks;
	session->loop = loop;
	session->former = former;
	r = loop_timer_new(session->loop, on_read, session, &session->read_timer);
	if (!r)
		r = loop_timer_new(session->loop, on_commit, session, &session->commit_timer);
	if (r < 0)
		return fail_start(ret_why, "event loop", r);
	r = open_record(session, ret_why);
	if (r)
		return r;
	*ret_session = TAKE(session);
	return 0;
}

int session_start(Session *session, Rdns *rdns, GeoDb *const *geodb, StrBuf *ret_why)
{
	PipelineOptions options = {
		.rdns = rdns,
		.geodb = geodb,
		.output = output(session),
		/* What goes to stdout is not recorded. */
		.tells_events = session->record,
		.repeat_capped = on_repeat_capped,
		.lost = on_lost,
		.userdata = session,
	};
	SourcesOptions sources_options = {
		.loop = session->loop,
		.config = session->config,
		.options = &session->options,
		.checkpoint =
			session->record ? record_checkpoint(session->record) : &session->peeked,
		.seen_us = session->record ? record_found_us(session->record)
					   : session->peeked.written_us,
		.former = session->former ? session->former->sources : NULL,
		.warnings = session->callbacks.warnings,
		.changed = on_change,
		.userdata = session,
	};
	int r = pipeline_new(&options, &session->pipeline);

	if (r < 0)
		return fail_start(ret_why, "pipeline", r);
	sources_options.pipeline = session->pipeline;
	r = sources_open(&sources_options, &session->sources, ret_why);
	if (r)
		return r;
	session->former = NULL;
	session->logs = sources_logs(session->sources);
	if (session->record)
		session->rows_before = session->committed_rows =
			record_checkpoint(session->record)->rows;
	session->committed_ms = loop_now_ms();
	read_soon(session);
	return 0;
}

void session_free(Session *session)
{
	if (!session)
		return;
	pipeline_free(session->pipeline);
	sources_free(session->sources);
	record_free(session->record);
	checkpoint_done(&session->peeked);
	strbuf_done(&session->stdout_rows);
	loop_timer_free(session->read_timer);
	loop_timer_free(session->commit_timer);
	free(session);
}

void session_close(Session *session)
{
	session->over = true;
	pipeline_free(TAKE(session->pipeline));
	record_close(session->record);
}

void session_prove(Session *session)
{
	session->new_rows = true;
}

bool session_minds(const Session *session, const char *key)
{
	return sources_minds(session->sources, key);
}

void session_wake(Session *session)
{
	read_soon(session);
}

void session_look(Session *session)
{
	bool writes = session->record && !session->over && !session->paused;
	int r = writes ? record_look(session->record) : 0;

	if (r < 0)
		write_failed(session, r);
	sources_look(session->sources);
	read_soon(session);
}

unsigned session_poll_ms(const Session *session)
{
	return session->sources ? sources_poll_ms(session->sources) : LOGS_POLL_MS;
}

bool session_must_drain(const Session *session)
{
	if (session->over || session->paused || !may_commit(session))
		return false;
	sources_save(session->sources);
	return sources_have_left(session->sources);
}

void session_drain(Session *session)
{
	session->draining = true;
	if (session->paused)
		loop_timer_set(session->commit_timer, 0);
	read_soon(session);
}

bool session_is_draining(const Session *session)
{
	return session->draining;
}

void session_hurry(Session *session)
{
	pipeline_hurry(session->pipeline);
	read_soon(session);
}

int session_finish(Session *session, int exit_status)
{
	int r;

	/* Files that were read in part would be read again from their start: their rows are not kept. */
	if (session->complete || session->failed || !pipeline_can_save(session->pipeline) ||
		(exit_status && session->options.files))
		return session->failed || session->paused ? EXIT_FAILED : exit_status;
	session->over = true;
	r = commit(session);
	if (r < 0)
		write_failed(session, r);
	return session->failed ? EXIT_FAILED : exit_status;
}

size_t session_waiting(const Session *session)
{
	return pipeline_waiting(session->pipeline);
}

uint64_t session_rows(const Session *session)
{
	return pipeline_rows(session->pipeline);
}

void session_status(const Session *session, Status *status)
{
	if (!session->pipeline || !session->sources)
		return;
	status->rows = session->rows_before + pipeline_rows(session->pipeline);
	status->committed_rows = session->committed_rows;
	status->committed_us = record_checkpoint(session->record)->written_us;
	status->waiting = pipeline_waiting(session->pipeline);
	sources_status(session->sources, status);
}

bool session_is_paused(const Session *session)
{
	return session->paused;
}
