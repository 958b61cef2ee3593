/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/journal-lag.h"

#include "source/journal.h"

/* What is wrong with the journal the service says. */
static void on_notice(void *userdata, bool warning, const char *text)
{
}

bool journal_lag(const StatusLog *log, uint64_t *ret_entries)
{
	const JournalCallbacks callbacks = {.notice = on_notice};
	_cleanup_(journal_freep) Journal *journal = NULL;
	JournalOptions options = {.cursor = log->cursor};
	uint64_t entries = 0;
	JournalEntry entry;
	Why why;
	int r = 0;

	if (!log->cursor)
		return false;
	if (strcmp(log->path, CHECKPOINT_JOURNAL) != 0)
		options.path = log->path;
	if (journal_probe(options.path) < 0 || journal_new(&options, &callbacks, &journal) < 0)
		return false;
	while (!r && entries < JOURNAL_LAG_MAX) {
		r = journal_fill(journal, &why);
		while (r >= 0 && journal_entry(journal, &entry)) {
			entries += entry.lines;
			journal_consume(journal);
		}
	}
	*ret_entries = MIN(entries, (uint64_t)JOURNAL_LAG_MAX);
	return r >= 0;
}
