/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/choice.h"

#include "base/calendar.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "source/globs.h"
#include "source/journal.h"
#include "source/siblings.h"

const char *choice_journal(const Config *config)
{
	return *config->source.journal_directory ? config->source.journal_directory : NULL;
}

/* Whether a log of paths.mail_log is there, or a rotated sibling of it. 1, 0, -ENOMEM. */
static int files_are_there(const Config *config)
{
	_cleanup_globs_ GlobList list = GLOB_LIST_INIT;
	_cleanup_(moment_freep) Moment *moment = NULL;
	int r = globs_find((const char *const *)config->paths.mail_log, NULL, NULL, &list);

	if (!r)
		r = moment_new(&moment);
	for (size_t i = 0; i < list.count && !r; i++) {
		_cleanup_siblings_ SiblingList siblings = SIBLING_LIST_INIT;

		if (list.logs[i].there)
			return 1;
		r = siblings_list(list.logs[i].path, moment, &siblings);
		/* what moves is there */
		if (r == -ESTALE || (!r && siblings.count))
			return 1;
		if (r != -ENOMEM)
			r = 0;
	}
	return r;
}

/* What was followed up to now: a checkpoint that does not say so, but has read logs, is of files. */
static SourceKind source_before(const Checkpoint *checkpoint)
{
	for (size_t i = 0; checkpoint->source == SOURCE_UNDECIDED && i < checkpoint->log_count; i++)
		if (checkpoint->logs[i].has_position)
			return SOURCE_FILE;
	return checkpoint->source;
}

static const char *name_of(SourceKind source)
{
	return source == SOURCE_JOURNAL ? "the journal" : "the log's files";
}

static bool is_of(const LogState *log, SourceKind source)
{
	return !strcmp(log->path, CHECKPOINT_JOURNAL) == (source == SOURCE_JOURNAL);
}

/* The time of the newest event of the kind of source; 0: there was none. */
static int64_t newest_us(const Checkpoint *checkpoint, SourceKind source)
{
	int64_t newest = 0;

	for (size_t i = 0; i < checkpoint->log_count; i++)
		if (is_of(&checkpoint->logs[i], source))
			newest = MAX(newest, checkpoint->logs[i].stamp_us);
	return newest;
}

/* A log's stamp of a whole second is that of all events in it. */
static int64_t last_us(int64_t stamp_us)
{
	return stamp_us % USEC_PER_SEC ? stamp_us : stamp_us + USEC_PER_SEC - 1;
}

/*
 * The new source goes on behind the newest event of the old one; where it has recorded later ones itself, when it was the source before,
 * behind those. 0 or -errno.
 */
static int change(Checkpoint *checkpoint, SourceKind source, int64_t *ret_after_us)
{
	SourceKind old = source == SOURCE_FILE ? SOURCE_JOURNAL : SOURCE_FILE;
	int64_t after_us = newest_us(checkpoint, old), own_us = newest_us(checkpoint, source);
	char text[CALENDAR_ISO_MAX] = "its start";
	LocalZone zone = {0};

	if (source == SOURCE_JOURNAL && !checkpoint_find_log(checkpoint, CHECKPOINT_JOURNAL)) {
		LogState *log;
		int r = checkpoint_add_log(checkpoint, CHECKPOINT_JOURNAL, &log);

		if (r < 0)
			return r;
	}
	if (after_us || own_us)
		calendar_format_iso(&zone, MAX(after_us, own_us), text);
	if (after_us) {
		for (size_t i = 0; i < checkpoint->log_count; i++) {
			LogState *log = &checkpoint->logs[i];

			/* Its place is exact. */
			if (!is_of(log, source) || log->stamp_us >= last_us(after_us))
				continue;
			log->after_us = after_us;
			*log->cursor = '\0';
		}
	}
	log_message_kind(LOG_LEVEL_WARNING, MESSAGE_SOURCE_CHANGED, NULL, NULL,
		"source.type was changed: going on with %s behind %s, the last event that was "
		"recorded from %s",
		name_of(source), text, name_of(own_us > after_us ? source : old));
	*ret_after_us = MAX(after_us, own_us);
	return 0;
}

/* The first decision. 0 or -ENOMEM. */
static int decide(const Config *config, SourceKind *ret_source)
{
	int r = files_are_there(config);

	*ret_source = r > 0 ? SOURCE_FILE : SOURCE_UNDECIDED;
	if (r)
		return MIN(r, 0);
	if (!journal_probe(choice_journal(config))) {
		*ret_source = SOURCE_JOURNAL;
		log_message_kind(LOG_LEVEL_INFO, MESSAGE_SOURCE_CHOSEN, NULL, NULL,
			"%s: is not there, following the journal%s%s", config->paths.mail_log[0],
			choice_journal(config) ? " in " : "", config->source.journal_directory);
	}
	return 0;
}

int choice_make(const Config *config, Checkpoint *checkpoint, Choice *ret_choice, StrBuf *ret_why)
{
	SourceKind before = source_before(checkpoint), source = (SourceKind)config->source.type;
	Choice choice = {0};
	int r = 0;

	if (source == SOURCE_UNDECIDED)
		source = before;
	if (source == SOURCE_UNDECIDED)
		r = decide(config, &source);
	if (!r && source == SOURCE_JOURNAL &&
		journal_probe(choice_journal(config)) == -EOPNOTSUPP) {
		strbuf_reset(ret_why);
		strbuf_append_string(ret_why,
			"source.type: this program was built without libsystemd and can't read the "
			"journal");
		return EXIT_CONFIG;
	}
	if (!r && before != SOURCE_UNDECIDED && source != before)
		r = change(checkpoint, source, &choice.after_us);
	if (r < 0) {
		strbuf_reset(ret_why);
		strbuf_append_string(ret_why, strerror(-r));
		return EXIT_FAILED;
	}
	choice.source = checkpoint->source = source;
	*ret_choice = choice;
	return 0;
}
