/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/sources.h"

#include "daemon/choice.h"
#include "daemon/command.h"
#include "daemon/discover.h"
#include "daemon/log.h"
#include "source/globs.h"

#include <sys/stat.h>

struct Sources {
	SourcesOptions options;
	Logs *logs;
	Discover *discover; /* NULL: files are read, or the journal */
	Choice choice;
	size_t *states;      /* of each log: where in the checkpoint it is */
	Counters *committed; /* of each log: what is on disk for certain */
};

Logs *sources_logs(const Sources *sources)
{
	return sources->logs;
}

void sources_free(Sources *sources)
{
	if (!sources)
		return;
	discover_free(sources->discover);
	logs_free(sources->logs);
	free(sources->states);
	free(sources->committed);
	free(sources);
}

/* A pattern can match what this program writes. */
static bool is_own(const Sources *sources, const char *path)
{
	const Config *config = sources->options.config;
	_cleanup_free_ char *csv = config_csv_path_dup(config);
	const char *own[] = {csv, config->general.log_file};
	struct stat st, own_st;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i] && *own[i] && !stat(path, &st) && !stat(own[i], &own_st) &&
			st.st_dev == own_st.st_dev && st.st_ino == own_st.st_ino)
			return true;
	return false;
}

/* The state of a log that will be the next one. 0 or -errno: -EMFILE when the checkpoint is full. */
static int next_state(Sources *sources, const char *path, LogState **ret_state)
{
	Checkpoint *checkpoint = sources->options.checkpoint;
	LogState *state = checkpoint_find_log(checkpoint, path);
	size_t count = logs_count(sources->logs),
	       *states = array_grow(sources->states, count, sizeof(*states));
	Counters *committed;
	int r = 0;

	if (!states)
		return -ENOMEM;
	sources->states = states;
	committed = array_grow(sources->committed, count, sizeof(*committed));
	if (!committed)
		return -ENOMEM;
	sources->committed = committed;
	if (!state) {
		r = checkpoint_add_log(checkpoint, path, &state);
		if (r < 0)
			return r;
		state->after_us = sources->choice.after_us;
	}
	states[count] = (size_t)(state - checkpoint->logs);
	committed[count] = state->counters;
	*ret_state = state;
	return 0;
}

/* The log that was added last goes on from state. 0 or -errno. */
static int join_pipeline(Sources *sources, const LogState *state)
{
	int r = pipeline_add_log(sources->options.pipeline,
		logs_source(sources->logs, logs_count(sources->logs) - 1), state);

	/* Both count the same logs. */
	if (r)
		logs_take_back(sources->logs);
	return r;
}

/* 0 or -errno: -EMFILE when the checkpoint is full. */
static int open_log(void *userdata, const char *path)
{
	Sources *sources = userdata;
	LogState *state;
	int r;

	if (is_own(sources, path)) {
		log_warning("%s: is written by this program, and not followed", path);
		return 0;
	}
	r = next_state(sources, path, &state);
	if (!r)
		r = logs_add(sources->logs, path, state, sources->options.seen_us,
			sources->options.options->year);
	return r ? r : join_pipeline(sources, state);
}

/* 0 or -errno. */
static int open_journal(Sources *sources)
{
	LogState *state;
	int r = next_state(sources, CHECKPOINT_JOURNAL, &state);

	if (!r)
		r = logs_add_journal(sources->logs, choice_journal(sources->options.config), state);
	return r ? r : join_pipeline(sources, state);
}

/* 0 or -errno. */
static int open_file(Sources *sources, const char *name)
{
	int r = logs_add_file(sources->logs, name, sources->options.options->year);

	return r ? r : join_pipeline(sources, &(LogState){0});
}

static bool is_known(void *userdata, const char *path)
{
	const Sources *sources = userdata;
	const LogState *state = checkpoint_find_log(sources->options.checkpoint, path);

	return state && (state->has_position || state->has_finished);
}

static void hold_log(void *userdata, const char *path, bool hold)
{
	Sources *sources = userdata;

	for (size_t i = 0; i < logs_count(sources->logs); i++)
		if (!strcmp(logs_name(sources->logs, i), path))
			logs_hold(sources->logs, i, hold);
}

static void on_looked(void *userdata)
{
	Sources *sources = userdata;

	sources->options.changed(sources->options.userdata);
}

static int fail(StrBuf *why, const char *what, int error)
{
	strbuf_reset(why);
	strbuf_appendf(why, "%s: %s", what, strerror(-error));
	return EXIT_FAILED;
}

/* The logs of the configuration. 0 or -errno. */
static int open_logs(Sources *sources)
{
	DiscoverCallbacks callbacks = {is_known, open_log, hold_log, on_looked, sources};
	int r;

	if (sources->choice.source == SOURCE_JOURNAL)
		return open_journal(sources);
	r = discover_new(sources->options.loop,
		(const char *const *)sources->options.config->paths.mail_log,
		sources->options.options->follow, &callbacks, &sources->discover);
	return r ? r : discover_look(sources->discover);
}

int sources_open(const SourcesOptions *options, Sources **ret_sources, StrBuf *ret_why)
{
	_cleanup_(sources_freep) Sources *sources = calloc(1, sizeof(*sources));
	const DaemonOptions *how = options->options;
	LogsOptions logs_options = {
		.follow = how->follow,
		.quiet_warning_ms = options->config->source.quiet_warning_ms,
		.warnings = options->warnings,
		.former = options->former ? options->former->logs : NULL,
		.changed = options->changed,
		.userdata = options->userdata,
	};
	int r;

	if (!sources)
		return fail(ret_why, "logs", -ENOMEM);
	sources->options = *options;
	r = logs_new(options->loop, &logs_options, &sources->logs);
	if (!r && !how->files) {
		r = choice_make(options->config, options->checkpoint, &sources->choice, ret_why);
		if (r)
			return r;
		r = open_logs(sources);
		/* What appears later is no log that was read through the journal. */
		sources->choice.after_us = 0;
	}
	if (r < 0)
		return fail(ret_why, "logs", r);
	for (size_t i = 0; how->files && i < how->file_count; i++) {
		r = open_file(sources, how->files[i]);
		if (r < 0)
			return fail(ret_why, how->files[i], r);
	}
	logs_forget_former(sources->logs);
	sources->options.former = NULL;
	*ret_sources = TAKE(sources);
	return 0;
}

int sources_settle(Sources *sources)
{
	Choice *choice = &sources->choice;

	if (choice->source != SOURCE_UNDECIDED || sources->options.options->files)
		return 0;
	for (size_t i = 0; i < logs_count(sources->logs); i++)
		if (!logs_missing(sources->logs, i) && !logs_held(sources->logs, i))
			choice->source = SOURCE_FILE;
	if (choice->source == SOURCE_UNDECIDED &&
		!journal_probe(choice_journal(sources->options.config))) {
		size_t files = logs_count(sources->logs);
		int r = open_journal(sources);

		/* It is tried again. */
		if (r < 0)
			return r;
		choice->source = SOURCE_JOURNAL;
		log_message_kind(LOG_LEVEL_INFO, MESSAGE_SOURCE_CHOSEN, NULL, NULL,
			"there is a journal now, following it");
		discover_free(sources->discover);
		sources->discover = NULL;
		for (size_t i = 0; i < files; i++)
			logs_hold(sources->logs, i, true);
	}
	sources->options.checkpoint->source = choice->source;
	return 0;
}

void sources_save(Sources *sources)
{
	/* The rows of other files move no position in a log. */
	if (sources->options.options->files)
		return;
	for (size_t i = 0; i < logs_count(sources->logs); i++)
		pipeline_save(sources->options.pipeline, i,
			&sources->options.checkpoint->logs[sources->states[i]]);
}

bool sources_have_left(const Sources *sources)
{
	for (size_t i = 0; i < logs_count(sources->logs); i++) {
		const LogState *state = &sources->options.checkpoint->logs[sources->states[i]];
		const Tail *tail = source_tail(logs_source(sources->logs, i));

		if (tail && pipeline_log_waiting(sources->options.pipeline, i) &&
			(!state->has_position || !tail_holds(tail, &state->position)))
			return true;
	}
	return false;
}

void sources_committed(Sources *sources)
{
	if (sources->options.options->files)
		return;
	for (size_t i = 0; i < logs_count(sources->logs); i++)
		sources->committed[i] =
			sources->options.checkpoint->logs[sources->states[i]].counters;
}

/* ---- what is said of them ------------------------------------------------------------------- */

static bool has_match(const Sources *sources, const char *pattern)
{
	for (size_t i = 0; i < logs_count(sources->logs); i++)
		if (globs_matches(pattern, logs_name(sources->logs, i)))
			return true;
	return false;
}

size_t sources_say_missing(const Sources *sources)
{
	char **name = sources->options.config->paths.mail_log;
	size_t missing = 0;

	for (; sources->discover && *name; name++) {
		if (!globs_is_pattern(*name) || has_match(sources, *name))
			continue;
		missing++;
		log_error("%s: matches no log", *name);
	}
	if (sources->discover && discover_too_many(sources->discover)) {
		missing += discover_too_many(sources->discover);
		log_error("there are %zu logs more than the %d that can be followed",
			discover_too_many(sources->discover), GLOBS_LOGS_MAX);
	}
	for (size_t i = 0; i < logs_count(sources->logs); i++) {
		const Source *source = logs_source(sources->logs, i);

		if (!logs_missing(sources->logs, i))
			continue;
		missing++;
		/* Why the journal can't be read was said when it was tried. */
		if (source_tail(source))
			log_error("%s: %s", source_name(source), strerror(ENOENT));
	}
	return missing;
}

/* What the patterns match, and what they can't. */
static void check_patterns(Sources *sources)
{
	Warnings *warnings = sources->options.warnings;
	const char *fault = discover_fault(sources->discover);
	char key[WARNINGS_KEY_MAX];

	for (char **name = sources->options.config->paths.mail_log; *name; name++) {
		if (!globs_is_pattern(*name))
			continue;
		(void)warnings_key(key, "pattern", *name);
		if (has_match(sources, *name))
			warnings_clear(warnings, key, "%s: matches a log now", *name);
		else
			warnings_raise(warnings, LOG_LEVEL_WARNING, key, loop_wall_us(),
				"%s: matches no log, waiting for one", *name);
	}
	if (*fault)
		warnings_raise(
			warnings, LOG_LEVEL_WARNING, "directory", loop_wall_us(), "%s", fault);
	else
		warnings_clear(warnings, "directory", "all directories can be read again");
	if (discover_too_many(sources->discover))
		warnings_raise(warnings, LOG_LEVEL_WARNING, "too-many", loop_wall_us(),
			"there are more logs than the %d that can be followed", GLOBS_LOGS_MAX);
	else
		warnings_clear(warnings, "too-many", "all logs can be followed again");
}

bool sources_minds(const Sources *sources, const char *key)
{
	static const char *const of_logs[] = {
		"missing:", "quiet:", "smtpd:", "unreadable:", "events:", "file-system:"};
	static const char pattern[] = "pattern:";

	/* Those of discovery. */
	if (!strcmp(key, "directory") || !strcmp(key, "too-many"))
		return sources->discover;
	if (!strncmp(key, pattern, strlen(pattern))) {
		char **name = sources->options.config->paths.mail_log;

		while (*name && strcmp(*name, key + strlen(pattern)) != 0)
			name++;
		return sources->discover && *name;
	}
	for (size_t i = 0; i < ARRAY_SIZE(of_logs); i++) {
		size_t len = strlen(of_logs[i]), log = 0;

		if (strncmp(key, of_logs[i], len) != 0)
			continue;
		while (log < logs_count(sources->logs) &&
			strcmp(logs_name(sources->logs, log), key + len) != 0)
			log++;
		return log < logs_count(sources->logs);
	}
	return true;
}

void sources_look(Sources *sources)
{
	if (sources->discover) {
		if (discover_look(sources->discover) < 0)
			log_warning("looking for logs: %s", strerror(ENOMEM));
		check_patterns(sources);
	}
	if (!sources->options.options->files)
		logs_check(sources->logs, loop_wall_us());
	logs_wake(sources->logs);
}

unsigned sources_poll_ms(const Sources *sources)
{
	return logs_poll_ms(sources->logs);
}

/* What was read of logs that are not among those that are followed now. */
static Counters count_gone(const Sources *sources)
{
	const Checkpoint *checkpoint = sources->options.checkpoint;
	Counters all = {0}, live = {0};

	for (size_t i = 0; i < checkpoint->log_count; i++)
		counters_add(&all, &checkpoint->logs[i].counters);
	for (size_t i = 0; i < logs_count(sources->logs); i++)
		counters_add(&live, &checkpoint->logs[sources->states[i]].counters);
	return counters_without(&all, &live);
}

void sources_status(const Sources *sources, Status *status)
{
	static const char *const kinds[] = {
		[SOURCE_UNDECIDED] = NULL,
		[SOURCE_FILE] = "file",
		[SOURCE_JOURNAL] = "journal",
	};
	size_t count = logs_count(sources->logs);

	status->source = kinds[sources->choice.source];
	status->gone = status->committed = count_gone(sources);
	for (size_t i = 0; i < count; i++)
		counters_add(&status->committed, &sources->committed[i]);
	status->logs = count ? calloc(count, sizeof(*status->logs)) : NULL;
	for (size_t i = 0; status->logs && i < count; i++) {
		const Source *source = logs_source(sources->logs, i);
		const char *cursor = source_cursor(source);
		LogState state = {0};

		source_save(logs_source(sources->logs, i), &state);
		status->logs[status->log_count++] = (StatusLog){
			.path = source_name(source),
			.open = source_tail(source) ? state.has_position
						    : !source_is_missing(source),
			.device = state.position.device,
			.inode = state.position.inode,
			.offset = state.position.offset,
			.cursor = cursor && *cursor ? cursor : NULL,
			.read_us = logs_read_us(sources->logs, i),
			.counters = *pipeline_counters(sources->options.pipeline, i),
			.committed = sources->committed[i],
		};
	}
}
