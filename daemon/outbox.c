/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/outbox.h"

#include "base/file.h"
#include "daemon/command.h"
#include "daemon/courier.h"
#include "daemon/draft.h"
#include "daemon/gather.h"
#include "daemon/interrupt.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "state/bookmark.h"

#include <inttypes.h>

#define READER "report"

/* ---- a run ----------------------------------------------------------------------------------- */

typedef struct Outbox {
	const Config *config;
	sigset_t signals; /* as they were before they were held */
	int lock_fd;
	char *bookmark_path;
	Spool spool;
	bool has_bookmark;
	Bookmark bookmark;
	size_t covered; /* the entries of the spool that the durable bookmark is behind: these may be sent */
} Outbox;

static void outbox_done(Outbox *outbox)
{
	close_fd(&outbox->lock_fd);
	free(outbox->bookmark_path);
	spool_done(&outbox->spool);
}

/* Says what went wrong. Returns -errno. */
static int fail(const char *what, int error)
{
	log_error("%s: %s", what, strerror(-error));
	return error;
}

/* Gathers a report. 0 or -errno, said. */
static int gather(const Config *config, const GatherOptions *options, Gather **ret_gather)
{
	Why why = {""};
	int r = gather_new(config, options, ret_gather, &why);

	if (r == GATHER_NOTHING) {
		log_error("%s: holds no state.offset: nothing has been recorded yet",
			config->paths.state_dir);
		return -ENOENT;
	}
	if (r == -ENOMEM)
		return fail("report", r);
	if (r < 0)
		log_error("%s", why.text);
	return r;
}

/* The same for who holds the signals: nothing is half done meanwhile, and with many rows it takes long. */
static int gather_freely(const Outbox *outbox, const GatherOptions *options, Gather **ret_gather)
{
	sigset_t held;
	int r;

	interrupt_let_go(&outbox->signals);
	r = gather(outbox->config, options, ret_gather);
	interrupt_hold(&held);
	return r;
}

/* Who has the lock is alone with bookmark and spool. 0 or -errno, said. */
static int open_outbox(Outbox *outbox)
{
	const char *state_dir = outbox->config->paths.state_dir;
	char holder[LOCK_HOLDER_MAX];
	Why why = {""};
	int r;

	outbox->bookmark_path = file_join_dup(state_dir, READER ".offset");
	if (!outbox->bookmark_path)
		return fail(state_dir, -ENOMEM);
	r = bookmark_lock(state_dir, READER, READER, &outbox->lock_fd, holder);
	if (r < 0)
		return fail(state_dir, r);
	if (r == LOCK_HELD) {
		log_error("%s: another report is being sent (process %s)", state_dir,
			*holder ? holder : "unknown");
		return -EBUSY;
	}
	r = spool_open(state_dir, &outbox->spool);
	if (r < 0) {
		log_error("%s/spool: %s", state_dir, strerror(-r));
		return r;
	}
	r = bookmark_load(state_dir, READER, &outbox->bookmark, NULL, &why);
	if (r < 0) {
		log_error("%s: %s; nothing is sent until it is put right (without it all rows are "
			  "reported again)",
			outbox->bookmark_path, *why.text ? why.text : strerror(-r));
		return r;
	}
	outbox->has_bookmark = r != BOOKMARK_NONE;
	/* It may have got its name just before a power cut, and what is sent could then be composed once more. */
	r = file_sync_parent(outbox->bookmark_path);
	return r < 0 ? fail(outbox->bookmark_path, r) : 0;
}

static int move_bookmark(Outbox *outbox, const Bookmark *end, const Gather *gather)
{
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT;
	int r;

	gather_payload(gather, &payload);
	r = strbuf_error(&payload);
	if (!r)
		r = bookmark_save(outbox->config->paths.state_dir, READER, end,
			(Span){strbuf_text(&payload), payload.len});
	if (r < 0)
		return fail(outbox->bookmark_path, r);
	outbox->bookmark = *end;
	outbox->has_bookmark = true;
	return 0;
}

/* ---- what a crash has left -------------------------------------------------------------------- */

static bool is_further(const CsvPlace *a, const CsvPlace *b)
{
	return a->number != b->number ? a->number > b->number : a->offset > b->offset;
}

/* Whether the letter was made durable and the bookmark was not moved. */
static bool is_uncovered(const Outbox *outbox, const Letter *letter)
{
	const Bookmark *bookmark = &outbox->bookmark;
	const CsvPlace *start = &letter->start.place, *end = &letter->end.place;

	if (!outbox->has_bookmark)
		return true;
	/* Also one without rows, or of a CSV that was started over. */
	if (letter->has_start && letter->start.written_us == bookmark->written_us &&
		start->series == bookmark->place.series &&
		start->number == bookmark->place.number && start->offset == bookmark->place.offset)
		return letter->end.written_us != bookmark->written_us ||
		       is_further(end, &bookmark->place);
	/* A bookmark that is older than it was, from a backup. */
	return end->series == bookmark->place.series && is_further(end, &bookmark->place);
}

/*
 * The last letter that is not covered; *ret_at is the number of entries when there is none. What is damaged can't be sent either, and no
 * bookmark needs to be behind it; what can't be read now is one that the bookmark was behind when it was tried, if its name says so.
 * 0 or -errno, said.
 */
static int find_uncovered(const Outbox *outbox, size_t *ret_at, Letter *ret_letter)
{
	const Spool *spool = &outbox->spool;

	for (size_t i = spool->count; i--;) {
		_cleanup_letter_ Letter letter = LETTER_INIT;
		const SpoolEntry *entry = &spool->entries[i];
		bool passed =
			outbox->has_bookmark && !is_further(&entry->end, &outbox->bookmark.place);
		Why why = {""};
		int r;

		if (entry->failed && passed)
			continue;
		r = spool_load(spool, entry, &letter, &why);
		if (r < 0 && r != -ENOENT && r != -EBADMSG && !entry->failed && !passed) {
			log_error("%s/%s: %s", spool->dir, entry->name, why.text);
			return r;
		}
		if (r < 0 || !is_uncovered(outbox, &letter))
			continue;
		*ret_at = i;
		*ret_letter = letter;
		letter = LETTER_INIT;
		return 0;
	}
	*ret_at = spool->count;
	return 0;
}

/* Its rows are read once more, for what the bookmark keeps of them. 0 or -errno, said. */
static int adopt(Outbox *outbox, const Letter *letter)
{
	/* It was composed then. */
	const GatherOptions options = {
		.until = &letter->end.place, .now_us = letter->end.written_us};
	_cleanup_(gather_freep) Gather *gathered = NULL;
	int r = gather_freely(outbox, &options, &gathered);

	return r ? r : move_bookmark(outbox, &letter->end, gathered);
}

/* ---- what is new ------------------------------------------------------------------------------ */

static int spool_message(Outbox *outbox, const Gather *gather, int64_t now_us)
{
	_cleanup_draft_ Draft draft = DRAFT_INIT;
	const Bookmark *start = gather_start(gather);
	Letter letter = {.created_us = now_us, .end = *gather_end(gather)};
	int r = draft_write(outbox->config, gather, now_us, &draft);

	if (r < 0)
		return fail("report", r);
	letter.has_start = start;
	if (start)
		letter.start = *start;
	letter.from = draft.from;
	letter.to = (const char *const *)outbox->config->report.email;
	while (letter.to[letter.to_count])
		letter.to_count++;
	if (letter.to_count > LETTER_RECIPIENTS_MAX) {
		log_error("report.email: has more than %d addresses", LETTER_RECIPIENTS_MAX);
		return -E2BIG;
	}
	letter.message = (Span){draft.message.data, draft.message.len};
	r = spool_add(&outbox->spool, &letter);
	if (r == SPOOL_FULL) {
		log_error("%s: is full of reports that could not be sent (at most %d, and %" PRIu64
			  " MiB); the rows since the last one wait for the next",
			outbox->spool.dir, SPOOL_COUNT_MAX, SPOOL_BYTES_MAX >> 20);
		return -ENOSPC;
	}
	return r < 0 ? fail(outbox->spool.dir, r) : 0;
}

static bool is_wanted(const Outbox *outbox, const ReportFacts *facts, bool adopted)
{
	if (facts->total || facts->skipped_rows)
		return true;
	/* The one that was left is this run's. */
	if (adopted)
		return false;
	return outbox->config->report.when_empty != REPORT_EMPTY_SKIP || facts->warning_count;
}

/* 0 or -errno, said. */
static int compose(Outbox *outbox, bool adopted)
{
	const GatherOptions options = {.with_attachment = true, .now_us = loop_wall_us()};
	_cleanup_(gather_freep) Gather *gathered = NULL;
	int r = gather_freely(outbox, &options, &gathered);

	if (r)
		return r;
	if (!is_wanted(outbox, gather_facts(gathered), adopted))
		return 0;
	r = spool_message(outbox, gathered, options.now_us);
	if (!r)
		r = move_bookmark(outbox, gather_end(gathered), gathered);
	return r;
}

/* Makes the spool be what is to be sent. 0 or -errno, said. */
static int prepare(Outbox *outbox, bool only_spooled)
{
	_cleanup_letter_ Letter letter = LETTER_INIT;
	size_t at;
	int r = find_uncovered(outbox, &at, &letter);
	bool is_left = !r && at < outbox->spool.count;

	if (r)
		return r;
	outbox->covered = at;
	if (is_left)
		r = adopt(outbox, &letter);
	if (r)
		return r;
	outbox->covered = outbox->spool.count;
	if (!only_spooled && !interrupt_is_pending())
		r = compose(outbox, is_left);
	if (!r)
		outbox->covered = outbox->spool.count;
	return r;
}

static bool has_recipient(const Config *config)
{
	if (config->report.email[0])
		return true;
	log_error("report.email is not set: nothing is sent");
	return false;
}

int outbox_send(const Config *config, bool only_spooled)
{
	Outbox outbox = {.config = config, .lock_fd = -1, .spool = SPOOL_INIT};
	bool ok;

	if (!has_recipient(config))
		return EXIT_FAILED;
	/* Whoever ends it waits until what is on disk says what was done. */
	interrupt_hold(&outbox.signals);
	(void)signal(SIGPIPE, SIG_IGN);
	ok = !open_outbox(&outbox);
	if (ok) {
		ok = !prepare(&outbox, only_spooled);
		ok &= courier_send(config, &outbox.spool, outbox.covered);
	}
	outbox_done(&outbox);
	interrupt_let_go(&outbox.signals);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

int outbox_send_day(const Config *config, const char *date)
{
	const GatherOptions options = {
		.date = date, .with_attachment = true, .now_us = loop_wall_us()};
	_cleanup_(gather_freep) Gather *gathered = NULL;
	_cleanup_draft_ Draft draft = DRAFT_INIT;
	sigset_t before;
	bool ok;
	int r;

	if (!has_recipient(config))
		return EXIT_FAILED;
	if (gather(config, &options, &gathered))
		return EXIT_FAILED;
	r = draft_write(config, gathered, options.now_us, &draft);
	if (r) {
		(void)fail("report", r);
		return EXIT_FAILED;
	}
	interrupt_hold(&before);
	(void)signal(SIGPIPE, SIG_IGN);
	ok = courier_send_now(config, draft.from, (Span){draft.message.data, draft.message.len});
	interrupt_let_go(&before);
	return ok ? EXIT_DONE : EXIT_FAILED;
}
