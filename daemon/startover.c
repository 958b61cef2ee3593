/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/startover.h"

#include "base/file.h"
#include "daemon/archive.h"
#include "daemon/database.h"
#include "daemon/dialog.h"
#include "daemon/interrupt.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/owner.h"
#include "daemon/sql-mark.h"
#include "daemon/standstill.h"
#include "daemon/unit.h"
#include "report/display.h"
#include "state/bookmark.h"
#include "state/checkpoint.h"

#include <signal.h>
#include <stdio.h>

enum { OPTION_TO, OPTION_GZIP, OPTION_YES };

#define NAMED_MAX 20 /* files of a directory that are named one by one */

typedef struct Run {
	const StartOver *what;
	const Config *config;
	const Seat *seat;
	ArchiveOptions options;
	bool ask;
} Run;

static int fail(const char *path, int error)
{
	log_error("%s: %s", path, strerror(-error));
	return EXIT_FAILED;
}

static int say_nothing_changed(void)
{
	puts("Nothing was changed.");
	return EXIT_FAILED;
}

/* ---- words ------------------------------------------------------------------------------------ */

typedef struct SizeText {
	char text[32];
} SizeText;

static SizeText size_text(uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;
	SizeText size;

	for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	(void)snprintf(size.text, sizeof(size.text), unit ? "%.1f %s" : "%.0f %s", value,
		bytes == 1 ? "byte" : units[unit]);
	return size;
}

/* A line on stdout; what is in it may come from outside. */
static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void say(const char *fmt, ...)
{
	_cleanup_strbuf_ StrBuf raw = STRBUF_INIT, text = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vappendf(&raw, fmt, ap);
	va_end(ap);
	display_append_escaped(&text, (Span){strbuf_text(&raw), raw.len});
	puts(strbuf_text(&text));
}

static void say_notes(const StrBuf *notes)
{
	const char *line = strbuf_text(notes);

	while (*line) {
		size_t n = strcspn(line, "\n");

		dialog_say(0, "Note: %.*s", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

/* What went where. */
static void say_folder(const Belongings *list, size_t number)
{
	const BelongingFolder *folder = &list->folders[number];
	uint64_t bytes = 0;
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (list->files[i].folder != number)
			continue;
		count++;
		bytes += list->files[i].size_bytes;
	}
	if (count > NAMED_MAX) {
		say("  %s/* -> %s/ (%zu files, %s)", folder->source, folder->name, count,
			size_text(bytes).text);
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		const Belonging *file = &list->files[i];

		if (file->folder == number)
			say("  %s -> %s/%s%s (%s%s)", file->path, folder->name, file->name,
				file->packed ? ".gz" : "", size_text(file->size_bytes).text,
				file->stays ? "; it stays, too" : "");
	}
}

static void say_done(const Archive *archive, const Belongings *list, bool reset)
{
	say("Archived in %s:", archive_path(archive));
	for (size_t i = 0; i < list->folder_count; i++)
		say_folder(list, i);
	if (reset)
		say("The service reads the logs from their start when it is started%s; so does "
		    "'maillogsentinel extract'.",
			unit_is_possible() ? " (systemctl start maillogsentinel)" : "");
	else
		puts("All is as after the installation.");
}

/* ---- what somebody should know ----------------------------------------------------------------- */

static bool is_before(const CsvPlace *a, const Checkpoint *checkpoint)
{
	return a->number != checkpoint->csv_number ? a->number < checkpoint->csv_number
						   : a->offset < checkpoint->csv.offset;
}

/* Rows that a database of this host's gets, or has. */
static void note_sql(const Run *run, StrBuf *notes)
{
	const Config *config = run->config;
	_cleanup_free_ char *path = file_join_dup(config->paths.state_dir, "state.offset");
	_cleanup_checkpoint_ Checkpoint checkpoint = CHECKPOINT_INIT;
	Bookmark bookmark;
	Why why;

	if (!path || bookmark_load(config->paths.state_dir, "sql-export", &bookmark, NULL, &why))
		return;
	if (!checkpoint_load(path, &checkpoint, &why) &&
		bookmark.place.series == checkpoint.csv_series &&
		is_before(&bookmark.place, &checkpoint))
		strbuf_append_string(notes,
			"the CSV has rows that sql-export has not written yet; run it before, and "
			"they get into the database, too.\n");
	if (!run->what->everything) {
		strbuf_append_string(notes,
			"rows were exported for a database, which takes those that are read again "
			"for other ones. When they are read, the next sql-export is to be told: "
			"--from-now leaves them out, --from-start exports them.\n");
	} else if (config->database.db_type != SQL_SQLITE) {
		database_append_name(config, notes);
		strbuf_append_string(notes,
			": is not touched; rows that are read again get there once more, unless "
			"the first sql-export is told --from-now.\n");
	}
}

/* ---- the steps -------------------------------------------------------------------------------- */

/* 0 or an exit status, said. */
static int confirm(const Run *run, const char *question)
{
	bool yes = false;
	int r;

	if (!run->ask)
		return 0;
	r = dialog_confirm(question, false, &yes);
	if (r < 0)
		return fail(run->what->command, r);
	if (r)
		putchar('\n');
	return yes ? 0 : say_nothing_changed();
}

/* resumed: some may have been removed by a run before. 0 or an exit status, said. */
static int finish(
	const Run *run, Archive *archive, const Belongings *list, bool reset, bool resumed)
{
	bool begun;
	Why why = {""};
	int r = archive_remove(archive, list, &begun, &why);

	if (r < 0 && !begun && !resumed) {
		log_error("%s", why.text);
		r = archive_take_back(archive, &why);
		if (!r)
			return say_nothing_changed();
	}
	if (r < 0) {
		log_error("%s; %s has the copies, and a further '%s' removes the rest", why.text,
			archive_path(archive), run->what->command);
		return EXIT_FAILED;
	}
	say_done(archive, list, reset);
	return r == ARCHIVE_CHANGED ? EXIT_FAILED : EXIT_DONE;
}

/* What a run that was killed has begun. 0 when there is nothing left of it to do; or an exit status, said. *ret_all: no more is to be done. */
static int resume(const Run *run, bool *ret_all)
{
	_cleanup_(archive_freep) Archive *archive = NULL;
	_cleanup_belongings_ Belongings list = BELONGINGS_INIT;
	_cleanup_free_ char *command = NULL;
	Why why = {""};
	int r = archive_find(&run->options, &archive, &list, &command, &why);
	bool reset;

	*ret_all = false;
	if (r == ARCHIVE_NONE)
		return 0;
	if (r < 0) {
		log_error("%s", why.text);
		return EXIT_FAILED;
	}
	reset = strcmp(command, "purge") != 0;
	*ret_all = !reset || !run->what->everything;
	say("A %s was interrupted, with its archive in %s.", command, archive_path(archive));
	r = confirm(run, "Bring it to its end");
	return r ? r : finish(run, archive, &list, reset, true);
}

static int say_plan(const Run *run, const Archive *archive, const Belongings *list)
{
	_cleanup_strbuf_ StrBuf notes = STRBUF_INIT;

	if (run->ask)
		dialog_say(0, "%zu file%s (%s) in %s will be archived in %s. %s", list->count,
			list->count == 1 ? "" : "s", size_text(list->size_bytes).text,
			run->config->paths.state_dir, archive_path(archive), run->what->then);
	strbuf_append(&notes, strbuf_text(&list->notes), list->notes.len);
	note_sql(run, &notes);
	say_notes(&notes);
	return strbuf_error(&notes) ? fail(run->what->command, strbuf_error(&notes)) : 0;
}

/* A folder that would archive itself. */
static int check_place(const Archive *archive, const Belongings *list)
{
	for (size_t i = 0; i < list->folder_count; i++)
		if ((list->folders[i].leaves || !strcmp(list->folders[i].name, "db")) &&
			archive_is_below(archive, list->folders[i].source)) {
			log_error("%s: is in %s, which is to be archived; name another place with "
				  "--to DIR",
				archive_path(archive), list->folders[i].source);
			return EXIT_FAILED;
		}
	return 0;
}

/* The exit status. */
static int start_over(Run *run)
{
	_cleanup_(archive_freep) Archive *archive = NULL;
	_cleanup_belongings_ Belongings list = BELONGINGS_INIT;
	Why why = {""};
	int r = belongings_find(run->config, run->what->everything, &list, &why);

	if (!r && !list.count) {
		puts("There is nothing to archive.");
		return EXIT_DONE;
	}
	if (!r)
		r = archive_new(&run->options, &archive, &why);
	if (r) {
		log_error("%s", why.text);
		return say_nothing_changed();
	}
	r = check_place(archive, &list);
	if (!r)
		r = say_plan(run, archive, &list);
	if (!r)
		r = confirm(run, "Go on");
	if (r)
		return r;
	r = archive_make(archive, &list, &why);
	if (r) {
		log_error("%s", r == -EINTR ? "interrupted" : why.text);
		return say_nothing_changed();
	}
	return finish(run, archive, &list, !run->what->everything, false);
}

/* The exit status. */
static int run_alone(Run *run)
{
	_cleanup_(standstill_freep) Standstill *standstill = NULL;
	bool all = false;
	int r = standstill_new(run->config, run->what->command, &standstill);

	if (!r)
		r = resume(run, &all);
	return r || all ? r : start_over(run);
}

int startover_run(const StartOver *what, const CommandInvocation *invocation)
{
	_cleanup_(config_freep) Config *config = NULL;
	Run run = {.what = what, .ask = !invocation->option[OPTION_YES].count};
	sigset_t before;
	Seat seat;
	Why why = {""};
	int r;

	if (run.ask && !dialog_is_possible()) {
		log_error("%s: asks before it does anything, and this is no terminal; --yes is the "
			  "answer",
			what->command);
		return EXIT_USAGE;
	}
	/* Its log file is among what is archived: what goes wrong is said on stderr alone. */
	r = command_read_config(invocation, &config);
	if (r)
		return r;
	if (seat_take(config->paths.state_dir, &seat, &why) < 0) {
		log_error("%s", why.text);
		return EXIT_FAILED;
	}
	run.config = config;
	run.seat = &seat;
	run.options = (ArchiveOptions){
		.seat = &seat,
		.state_dir = config->paths.state_dir,
		.command = what->command,
		.directory = invocation->option[OPTION_TO].value,
		.gzip = invocation->option[OPTION_GZIP].count,
		.now_us = loop_wall_us(),
	};
	/* Whoever reads what we say may go away: what was begun is brought to its end all the same. */
	(void)signal(SIGPIPE, SIG_IGN);
	interrupt_hold(&before);
	r = run_alone(&run);
	/* Who we were: what comes at the end of a program is not done in another's name. */
	seat_rise(&seat);
	(void)fflush(stdout);
	interrupt_let_go(&before);
	return r;
}
