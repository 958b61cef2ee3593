/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/journal.h"

#include "build-config.h"

#if HAVE_SYSTEMD

#include "base/calendar.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "source/openfiles.h"
#include "source/sender.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

#define BATCH_ITEMS 256    /* entries that are handed out before libsystemd is asked again */
#define BATCH_ENTRIES 4096 /* entries that are looked at for that */
#define BATCH_TEXT ((size_t)256 << 10) /* bytes of them that are kept; the last may exceed it */
#define NAME_TEXT_MAX ((size_t)255)    /* of a host's and a program's name */

/* What journald says when it dropped messages of a service that wrote too many (SD_MESSAGE_JOURNAL_DROPPED). */
#define DROPPED_MATCH "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"

/* An entry of the batch; its texts stand in a row in the buffer, server first. */
typedef struct Item {
	int64_t time_us;
	size_t text;
	size_t server_len, tag_len, message_len;
	bool has_server, has_tag, cut;
	uint32_t lines, skipped;
	char cursor[CURSOR_MAX];
} Item;

struct Journal {
	char *path; /* NULL: the system's */
	char *name;
	bool follow;
	JournalCallbacks callbacks;

	sd_journal *handle; /* NULL: not open */
	bool fresh;         /* nothing was read through the handle yet */
	bool ended;         /* it has no more */
	uint64_t usage;     /* bytes of all its files, as of the last look */
	size_t files;       /* that it has open */
	bool unfiltered;    /* no matches: the index that they need is damaged */
	bool damage_said, forged_said, volatile_said;

	char cursor[CURSOR_MAX]; /* behind what was consumed */
	int64_t after_us;
	LocalZone zone;

	Item *items;
	size_t count, at;
	StrBuf text;
	uint32_t lines, skipped;  /* since the last item */
	char scanned[CURSOR_MAX]; /* the last entry that was looked at */
};

static void notice(Journal *journal, bool warning, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void notice(Journal *journal, bool warning, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) >= 0)
		journal->callbacks.notice(journal->callbacks.userdata, warning, text);
	va_end(ap);
}

int journal_new(
	const JournalOptions *options, const JournalCallbacks *callbacks, Journal **ret_journal)
{
	_cleanup_(journal_freep) Journal *journal = NULL;
	Cursor cursor;

	if (options->cursor && *options->cursor && cursor_parse(options->cursor, &cursor))
		return -EINVAL;
	journal = calloc(1, sizeof(*journal));
	if (!journal)
		return -ENOMEM;
	journal->callbacks = *callbacks;
	journal->follow = options->follow;
	journal->after_us = options->after_us;
	if (options->cursor)
		cursor_copy(journal->cursor, options->cursor);
	journal->items = calloc(BATCH_ITEMS, sizeof(*journal->items));
	if (options->path)
		journal->path = strdup(options->path);
	journal->name = strdup(options->path ? options->path : "journal");
	if (!journal->items || (options->path && !journal->path) || !journal->name)
		return -ENOMEM;
	*ret_journal = TAKE(journal);
	return 0;
}

void journal_free(Journal *journal)
{
	if (!journal)
		return;
	sd_journal_close(journal->handle);
	strbuf_done(&journal->text);
	free(journal->items);
	free(journal->name);
	free(journal->path);
	free(journal);
}

const char *journal_name(const Journal *journal)
{
	return journal->name;
}

/* ---- opening -------------------------------------------------------------------------------- */

DEFINE_CLEANUP(sd_journal *, handle_freep, sd_journal_close)

/* 0 or -errno. */
static int open_handle(const char *path, int flags, sd_journal **ret_handle)
{
	const char *files[] = {path, NULL};
	struct stat st;

	if (!path)
		return sd_journal_open(ret_handle, flags);
	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return sd_journal_open_directory(ret_handle, path, 0);
	return sd_journal_open_files(ret_handle, files, 0);
}

/* Why nothing could be opened: libsystemd passes over what it may not read. */
static int why_nothing(const char *path)
{
	if (path)
		return access(path, R_OK) < 0 ? -errno : -ENOENT;
	return geteuid() && (!access("/var/log/journal", F_OK) || !access("/run/log/journal", F_OK))
		       ? -EACCES
		       : -ENOENT;
}

int journal_probe(const char *path)
{
	_cleanup_(handle_freep) sd_journal *handle = NULL;
	uint64_t usage = 0;
	/* Everybody may read a journal of his own; what counts is the system's. */
	int r = open_handle(path, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM, &handle);

	if (!r)
		r = sd_journal_get_usage(handle, &usage);
	if (r < 0)
		return r;
	return usage ? 0 : why_nothing(path);
}

/*
 * Everything of the mail facility, of Postfix under its usual names, and of Debian's units for it: other instances have
 * names of their own, and syslog_facility can be changed.
 */
static int add_matches(sd_journal *handle)
{
	static const char *const matches[] = {
		"SYSLOG_FACILITY=2",
		"SYSLOG_IDENTIFIER=postfix/smtpd",
		"SYSLOG_IDENTIFIER=postfix/submission/smtpd",
		"SYSLOG_IDENTIFIER=postfix/submissions/smtpd",
		"SYSLOG_IDENTIFIER=postfix/smtps/smtpd",
		"_SYSTEMD_SLICE=system-postfix.slice",
		DROPPED_MATCH,
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(matches) && r >= 0; i++) {
		r = sd_journal_add_match(handle, matches[i], 0);
		if (r >= 0)
			r = sd_journal_add_disjunction(handle);
	}
	return MIN(r, 0);
}

static void close_journal(Journal *journal)
{
	sd_journal_close(journal->handle);
	journal->handle = NULL;
}

static void drop_batch(Journal *journal)
{
	journal->count = journal->at = 0;
	journal->lines = journal->skipped = 0;
	strbuf_reset(&journal->text);
}

/* Takes note of the files. 0 or -errno. */
static int count_files(Journal *journal)
{
	journal->files = openfiles_count(".journal");
	return sd_journal_get_usage(journal->handle, &journal->usage);
}

/* Opens it at the place, or at its start. 0 or -errno. */
static int open_journal(Journal *journal)
{
	_cleanup_(handle_freep) sd_journal *handle = NULL;
	int r = journal_probe(journal->path);

	if (!r)
		r = open_handle(journal->path, SD_JOURNAL_LOCAL_ONLY, &handle);
	if (r < 0)
		return r;
	/* Changes are noticed from here on, before anything is read. */
	if (journal->follow) {
		r = sd_journal_get_fd(handle);
		if (r < 0)
			return r;
	}
	r = sd_journal_set_data_threshold(handle, JOURNAL_MESSAGE_MAX + 64);
	if (r >= 0 && !journal->unfiltered)
		r = add_matches(handle);
	if (r >= 0)
		r = *journal->cursor ? sd_journal_seek_cursor(handle, journal->cursor)
		    : journal->after_us
			    ? sd_journal_seek_realtime_usec(handle, (uint64_t)journal->after_us)
			    : sd_journal_seek_head(handle);
	if (r < 0)
		return r;
	if (!journal->path && journal->follow && !journal->volatile_said &&
		!sd_journal_has_persistent_files(handle)) {
		journal->volatile_said = true;
		notice(journal, true,
			"%s is kept in memory alone (there is no /var/log/journal): what was not "
			"read of it before a reboot is lost",
			journal->name);
	}
	journal->handle = TAKE(handle);
	journal->fresh = true;
	journal->ended = false;
	return count_files(journal);
}

/* ---- where reading goes on ------------------------------------------------------------------- */

/* The cursor of the entry. 0 or -errno. */
static int entry_cursor(sd_journal *handle, char ret_cursor[CURSOR_MAX])
{
	_cleanup_free_ char *cursor = NULL;
	int r = sd_journal_get_cursor(handle, &cursor);

	if (r < 0)
		return r;
	if (strlen(cursor) >= CURSOR_MAX)
		return -E2BIG;
	cursor_copy(ret_cursor, cursor);
	return 0;
}

/* The first entry at or behind the place, whoever wrote it. 0 or -errno. */
static int entry_at_place(const Journal *journal, Cursor *ret_cursor)
{
	_cleanup_(handle_freep) sd_journal *handle = NULL;
	char cursor[CURSOR_MAX];
	int r = open_handle(journal->path, SD_JOURNAL_LOCAL_ONLY, &handle);

	if (r >= 0)
		r = sd_journal_seek_cursor(handle, journal->cursor);
	if (r >= 0)
		r = sd_journal_next(handle);
	if (!r)
		r = -ENOENT;
	if (r > 0)
		r = entry_cursor(handle, cursor);
	return r < 0 ? r : cursor_parse(cursor, ret_cursor);
}

static void say_removed(Journal *journal, const Cursor *from, const Cursor *to)
{
	char since[CALENDAR_ISO_MAX], until[CALENDAR_ISO_MAX];

	calendar_format_iso(&journal->zone, (int64_t)from->realtime_us, since);
	calendar_format_iso(&journal->zone, (int64_t)to->realtime_us, until);
	notice(journal, true,
		"%s: the entry that was read last is gone; entries from between %s and %s may have "
		"been "
		"removed before they were read",
		journal->name, since, until);
}

enum { PLACE_DONE = 1 };

/*
 * The first entry since the seek, which is the one at the place or, as libsystemd does not tell, one behind it.
 * PLACE_DONE: it is the one; 0: it is new; -errno.
 */
static int check_place(Journal *journal)
{
	char cursor[CURSOR_MAX];
	Cursor place = {0}, entry = {0}, next = {0};
	int r;

	journal->fresh = false;
	if (!*journal->cursor)
		return 0;
	r = entry_cursor(journal->handle, cursor);
	if (!r)
		r = cursor_parse(cursor, &entry);
	if (!r)
		r = cursor_parse(journal->cursor, &place);
	if (r < 0)
		return r;
	if (cursor_same_entry(&place, &entry))
		return PLACE_DONE;
	/* Others' entries lie between two of Postfix: only among all of them a gap can be seen. */
	r = entry_at_place(journal, &next);
	if (r < 0 || (!cursor_same_entry(&place, &next) && !cursor_adjacent(&place, &next)))
		say_removed(journal, &place, r < 0 ? &entry : &next);
	return 0;
}

/* ---- one entry ------------------------------------------------------------------------------ */

/* The value of a field, borrowed until the next one is asked for. 0, -ENOENT, -EBADMSG or another -errno. */
static int get_field(const Journal *journal, const char *name, Span *ret_value)
{
	size_t len, skip = strlen(name) + 1;
	const void *data;
	int r = sd_journal_get_data(journal->handle, name, &data, &len);

	if (r < 0)
		return r;
	if (len < skip)
		return -EBADMSG;
	*ret_value = (Span){(const char *)data + skip, len - skip};
	return 0;
}

static bool field_is(const Journal *journal, const char *name, const char *value)
{
	Span text;

	return !get_field(journal, name, &text) && span_equal_string(text, value);
}

static bool is_forged(const Journal *journal)
{
	Span text;

	if (get_field(journal, "_UID", &text) || !sender_is_person(text))
		return false;
	return get_field(journal, "_SYSTEMD_UNIT", &text) || !sender_is_postfix(text);
}

static void say_forged(Journal *journal)
{
	Span uid;

	if (journal->forged_said || get_field(journal, "_UID", &uid))
		return;
	journal->forged_said = true;
	notice(journal, true, "%s: entries in Postfix's name that user %.*s wrote are passed over",
		journal->name, (int)MIN(uid.len, (size_t)10), uid.data);
}

/*
 * Whether the entry is up to after_us, when another source had been read. What counts is when it was sent: journald
 * hands it on to syslog before it writes it with a later time. A time of whole seconds is a log's that has no finer ones.
 */
static bool is_passed_over(const Journal *journal, int64_t time_us)
{
	int64_t until_us = journal->after_us;
	uint64_t sent_us;
	Span text;

	if (!until_us)
		return false;
	if (!(until_us % USEC_PER_SEC))
		until_us += USEC_PER_SEC - 1;
	if (!get_field(journal, "_SOURCE_REALTIME_TIMESTAMP", &text) &&
		!number_parse_u64(text, INT64_MAX, &sent_us))
		time_us = (int64_t)sent_us;
	return time_us <= until_us;
}

/* Appends the field's value, cut to max bytes. 0 or -errno. */
static int keep_field(
	Journal *journal, const char *name, size_t max, size_t *ret_len, bool *ret_cut)
{
	Span text;
	int r = get_field(journal, name, &text);

	if (r < 0)
		return r;
	strbuf_append(&journal->text, text.data, MIN(text.len, max));
	*ret_len = MIN(text.len, max);
	*ret_cut = text.len > max;
	return strbuf_error(&journal->text);
}

/* Whether the entry is worth looking into: smtpd's, or journald's that it dropped some. 1, 0, -errno. */
static int is_wanted(Journal *journal)
{
	Span tag;
	int r = get_field(journal, "SYSLOG_IDENTIFIER", &tag);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	/* An own message of journald's has no sender that could have made it up. */
	if (span_equal_string(tag, "systemd-journald"))
		return field_is(journal, "_TRANSPORT", "driver");
	if (!sender_is_smtpd(tag))
		return 0;
	if (!is_forged(journal))
		return 1;
	say_forged(journal);
	return 0;
}

/* Makes an item of the entry. 0, PLACE_DONE where there is none to make, -errno. */
static int make_item(Journal *journal, Item *item)
{
	uint64_t time_us;
	bool cut;
	int r = sd_journal_get_realtime_usec(journal->handle, &time_us);

	if (r < 0)
		return r;
	*item = (Item){.text = journal->text.len, .time_us = (int64_t)time_us};
	if (is_passed_over(journal, item->time_us))
		return PLACE_DONE;
	r = keep_field(journal, "_HOSTNAME", NAME_TEXT_MAX, &item->server_len, &cut);
	item->has_server = !r;
	if (!r || r == -ENOENT)
		r = keep_field(journal, "SYSLOG_IDENTIFIER", NAME_TEXT_MAX, &item->tag_len, &cut);
	item->has_tag = !r;
	if (!r)
		r = keep_field(
			journal, "MESSAGE", JOURNAL_MESSAGE_MAX, &item->message_len, &item->cut);
	if (!r)
		r = entry_cursor(journal->handle, item->cursor);
	return r == -ENOENT ? PLACE_DONE : r;
}

/* Without matches there are others' entries too. */
static bool is_counted(const Journal *journal)
{
	return !journal->unfiltered || field_is(journal, "SYSLOG_FACILITY", "2");
}

static bool is_damage(int r)
{
	/* systemd's own readers take these for a damaged entry, or one in a compression that is not built in */
	return r == -EBADMSG || r == -EADDRNOTAVAIL || r == -EIO || r == -E2BIG ||
	       r == -EPROTONOSUPPORT || r == -ENOBUFS;
}

/* Looks at the entry. 0 or -errno. */
static int scan_entry(Journal *journal)
{
	Item *item = &journal->items[journal->count];
	size_t text_len = journal->text.len;
	int r = 0;

	if (journal->fresh)
		r = check_place(journal);
	if (r == PLACE_DONE)
		return 0;
	if (!r)
		r = entry_cursor(journal->handle, journal->scanned);
	if (!r)
		r = is_wanted(journal);
	journal->lines += r > 0 || is_counted(journal);
	if (r > 0) {
		r = make_item(journal, item);
		if (!r) {
			item->lines = journal->lines;
			item->skipped = journal->skipped + item->cut;
			journal->lines = journal->skipped = 0;
			journal->count++;
			return 0;
		}
		journal->text.len = text_len;
	}
	if (r >= 0)
		return 0;
	if (!is_damage(r))
		return r;
	journal->skipped++;
	if (!journal->damage_said)
		notice(journal, true, "%s: an entry is damaged and passed over (%s)", journal->name,
			strerror(-r));
	journal->damage_said = true;
	return 0;
}

/* ---- many entries --------------------------------------------------------------------------- */

/* What was looked at behind the last item is an item of its own, so that the place moves over it. */
static void close_batch(Journal *journal)
{
	Item *item = &journal->items[journal->count];

	if (!journal->lines && !journal->skipped)
		return;
	*item = (Item){.lines = journal->lines, .skipped = journal->skipped};
	cursor_copy(item->cursor, journal->scanned);
	journal->count++;
	journal->lines = journal->skipped = 0;
}

/* 0 or -errno; then there is no batch. */
static int read_batch(Journal *journal)
{
	int r = 1;

	drop_batch(journal);
	for (size_t i = 0; i < BATCH_ENTRIES && journal->count < BATCH_ITEMS - 1 &&
			   journal->text.len < BATCH_TEXT;
		i++) {
		r = sd_journal_next(journal->handle);
		if (r <= 0)
			break;
		r = scan_entry(journal);
		if (r < 0)
			break;
		r = 1;
	}
	journal->ended = !r;
	if (r < 0)
		drop_batch(journal);
	else
		close_batch(journal);
	return MIN(r, 0);
}

/*
 * libsystemd silently does without a file in which it can't find the next entry, and closes it. The files are fewer bytes then, which they
 * also are when a finished file's unused end was cut off; so they are counted. 1, 0, -errno.
 */
static int has_lost_file(Journal *journal)
{
	uint64_t usage = journal->usage;
	size_t files = journal->files;
	int r = sd_journal_get_usage(journal->handle, &journal->usage);

	if (r < 0 || journal->usage >= usage)
		return r;
	r = count_files(journal);
	return r < 0 ? r : journal->files < files;
}

/*
 * A batch. What was read while a file was left out does not count: it is read again through a new handle, and where that has
 * the same fate, without matches, whose index is what is damaged most often; entries that come later are then still
 * reached. Where not even that helps, reading goes on behind the damage. 0 or -errno.
 */
static int read_whole_batch(Journal *journal)
{
	int r = 0;

	for (int try = 0; try < 4; try++) {
		if (!journal->handle)
			r = open_journal(journal);
		if (r < 0)
			return r;
		r = read_batch(journal);
		if (r < 0 && !is_damage(r))
			break;
		if (!r)
			r = has_lost_file(journal);
		if (!r || try == 3)
			break;
		if (try == 1 && !journal->unfiltered) {
			journal->unfiltered = true;
			notice(journal, true,
				"%s: a file of it is damaged (journalctl --verify names it); all "
				"entries are read "
				"to find those of Postfix",
				journal->name);
		}
		drop_batch(journal);
		close_journal(journal);
		r = 0;
	}
	if (r > 0) {
		notice(journal, true,
			"%s: what follows in a damaged file can't be read and is passed over "
			"(journalctl --verify names the file)",
			journal->name);
		r = 0;
	}
	if (r < 0)
		close_journal(journal);
	return r;
}

/* All was read: only now what has changed about the files is looked at, so that one that is removed was read before. */
static int look_for_changes(Journal *journal)
{
	int r;

	if (!journal->follow)
		return JOURNAL_IDLE;
	r = sd_journal_process(journal->handle);
	if (r == SD_JOURNAL_NOP)
		return JOURNAL_IDLE;
	if (r < 0)
		return r;
	r = count_files(journal);
	if (!r && !journal->usage)
		r = -ENOENT;
	return r;
}

int journal_fill(Journal *journal, Why *ret_why)
{
	int r = read_whole_batch(journal);

	if (!r && !journal->count && journal->ended) {
		r = look_for_changes(journal);
		if (r < 0)
			close_journal(journal);
	}
	if (r == -ENOENT)
		why_set(ret_why, "%s: there is none", journal->name);
	else if (r == -EACCES && !journal->path)
		why_set(ret_why, "%s: %s; the group systemd-journal may read it", journal->name,
			strerror(-r));
	else if (r < 0)
		why_set(ret_why, "%s: %s", journal->name, strerror(-r));
	return r;
}

bool journal_entry(const Journal *journal, JournalEntry *ret_entry)
{
	const Item *item = &journal->items[journal->at];
	const char *text;

	if (journal->at >= journal->count)
		return false;
	text = strbuf_text(&journal->text) + item->text;
	*ret_entry = (JournalEntry){
		.time_us = item->time_us,
		.cut = item->cut,
		.lines = item->lines,
		.skipped = item->skipped,
	};
	if (item->has_server)
		ret_entry->server = (Span){text, item->server_len};
	if (item->has_tag) {
		ret_entry->tag = (Span){text + item->server_len, item->tag_len};
		ret_entry->message =
			(Span){text + item->server_len + item->tag_len, item->message_len};
	}
	return true;
}

const char *journal_entry_cursor(const Journal *journal)
{
	return journal->items[journal->at].cursor;
}

void journal_consume(Journal *journal)
{
	const Item *item = &journal->items[journal->at++];

	cursor_copy(journal->cursor, item->cursor);
	if (item->has_tag)
		journal->after_us = 0;
}

const char *journal_cursor(const Journal *journal)
{
	return journal->cursor;
}

int64_t journal_after_us(const Journal *journal)
{
	return journal->after_us;
}

int journal_fd(const Journal *journal)
{
	return journal->handle && journal->follow ? sd_journal_get_fd(journal->handle) : -1;
}

#endif
