/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/journal.h"

#include "build-config.h"

#if !HAVE_SYSTEMD

/* Built without libsystemd: there is no journal, and it says so. */

int journal_new(
	const JournalOptions *options, const JournalCallbacks *callbacks, Journal **ret_journal)
{
	return -EOPNOTSUPP;
}

void journal_free(Journal *journal)
{
}

const char *journal_name(const Journal *journal)
{
	return "journal";
}

int journal_probe(const char *path)
{
	return -EOPNOTSUPP;
}

int journal_fill(Journal *journal, Why *ret_why)
{
	why_set(ret_why, "journal: this program was built without libsystemd");
	return -EOPNOTSUPP;
}

bool journal_entry(const Journal *journal, JournalEntry *ret_entry)
{
	return false;
}

void journal_consume(Journal *journal)
{
}

const char *journal_entry_cursor(const Journal *journal)
{
	return "";
}

const char *journal_cursor(const Journal *journal)
{
	return "";
}

int64_t journal_after_us(const Journal *journal)
{
	return 0;
}

int journal_fd(const Journal *journal)
{
	return -1;
}

#endif
