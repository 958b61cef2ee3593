/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/spool.h"

#include "base/file.h"
#include "base/number.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define DIRECTORY "spool"
#define WAITING ".eml"
#define FAILED ".failed"
#define TRIES ".state"
#define TEMPORARY ".tmp"
#define SEQUENCE_MAX 999999999999 /* what has a larger one is not ours */

void spool_done(Spool *spool)
{
	free(spool->dir);
	free(spool->entries);
	*spool = SPOOL_INIT;
}

/* ---- names ---------------------------------------------------------------------------------- */

static char *path_dup(const Spool *spool, const SpoolEntry *entry, const char *ending)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	strbuf_appendf(&sb, "%s/%s%s", spool->dir, entry->name, ending);
	return strbuf_take(&sb);
}

char *spool_letter_path_dup(const Spool *spool, const SpoolEntry *entry)
{
	return path_dup(spool, entry, entry->failed ? FAILED : WAITING);
}

char *spool_tries_path_dup(const Spool *spool, const SpoolEntry *entry)
{
	return path_dup(spool, entry, TRIES);
}

/* A number at the start of text, and the character behind it; both are taken off. */
static bool take_number(Span *text, char behind, uint64_t max, uint64_t *ret_number)
{
	const char *end = text->len ? memchr(text->data, behind, text->len) : NULL;
	size_t len = end ? (size_t)(end - text->data) : text->len;

	if ((!end && behind) || number_parse_u64((Span){text->data, len}, max, ret_number))
		return false;
	len += !!end;
	*text = (Span){text->data + len, text->len - len};
	return true;
}

/* Whether it is a name of a letter's files, without the ending. */
static bool parse_name(Span name, SpoolEntry *ret_entry)
{
	SpoolEntry entry = {.sequence = 0};
	Span rest = name;

	if (name.len >= sizeof(entry.name))
		return false;
	if (!take_number(&rest, '-', SEQUENCE_MAX, &entry.sequence) ||
		!take_number(&rest, '.', UINT64_MAX, &entry.start.number) ||
		!take_number(&rest, '-', UINT64_MAX, &entry.start.offset) ||
		!take_number(&rest, '.', UINT64_MAX, &entry.end.number) ||
		!take_number(&rest, '\0', UINT64_MAX, &entry.end.offset))
		return false;
	memcpy(entry.name, name.data, name.len);
	*ret_entry = entry;
	return true;
}

static bool take_ending(Span *name, const char *ending)
{
	size_t len = strlen(ending);

	if (name->len < len || memcmp(name->data + name->len - len, ending, len) != 0)
		return false;
	name->len -= len;
	return true;
}

/* ---- what is there -------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const SpoolEntry *one = a, *other = b;

	if (one->sequence != other->sequence)
		return one->sequence < other->sequence ? -1 : 1;
	return strcmp(one->name, other->name);
}

static int add_entry(Spool *spool, const SpoolEntry *entry, uint64_t size_bytes)
{
	SpoolEntry *entries = array_grow(spool->entries, spool->count, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	spool->entries = entries;
	entries[spool->count++] = *entry;
	spool->size_bytes += size_bytes;
	return 0;
}

static int look_at(void *userdata, int directory, const char *file)
{
	Spool *spool = userdata;
	Span name = span_from_string(file);
	bool failed = take_ending(&name, FAILED);
	SpoolEntry entry;
	struct stat st;

	if ((!failed && !take_ending(&name, WAITING)) || !parse_name(name, &entry))
		return 0;
	entry.failed = failed;
	if (fstatat(directory, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	/* What is no file is none of ours. */
	return S_ISREG(st.st_mode) ? add_entry(spool, &entry, (uint64_t)st.st_size) : 0;
}

int spool_read(const char *state_dir, Spool *ret_spool)
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;
	int r;

	spool.dir = file_join_dup(state_dir, DIRECTORY);
	if (!spool.dir)
		return -ENOMEM;
	r = file_walk(spool.dir, look_at, &spool);
	if (r < 0 && r != -ENOENT)
		return r;
	if (spool.count)
		qsort(spool.entries, spool.count, sizeof(*spool.entries), compare);
	*ret_spool = spool;
	spool = SPOOL_INIT;
	return 0;
}

/* ---- under the lock ------------------------------------------------------------------------- */

static bool has_name(const Spool *spool, Span name)
{
	for (size_t i = 0; i < spool->count; i++)
		if (span_equal_string(name, spool->entries[i].name))
			return true;
	return false;
}

/* What was begun and has no name yet, and what is known of a letter that is gone. */
static int clean(void *userdata, int directory, const char *file)
{
	const Spool *spool = userdata;
	Span name = span_from_string(file);
	bool temporary = take_ending(&name, TEMPORARY);
	bool tries = take_ending(&name, TRIES);
	SpoolEntry entry;

	if (!tries && !(temporary && take_ending(&name, WAITING)))
		return 0;
	if (!parse_name(name, &entry) || (!temporary && has_name(spool, name)))
		return 0;
	/* A directory of that name is in nobody's way. */
	return unlinkat(directory, file, 0) < 0 && errno != ENOENT && errno != EISDIR ? -errno : 0;
}

int spool_open(const char *state_dir, Spool *ret_spool)
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;
	int r = spool_read(state_dir, &spool);

	if (r < 0)
		return r;
	if (!mkdir(spool.dir, 0700))
		r = file_sync_parent(spool.dir);
	else if (errno != EEXIST)
		r = -errno;
	if (!r)
		r = file_walk(spool.dir, clean, &spool);
	if (r < 0)
		return r;
	*ret_spool = spool;
	spool = SPOOL_INIT;
	return 0;
}

int spool_add(Spool *spool, const Letter *letter)
{
	const CsvPlace *start = &letter->start.place, *end = &letter->end.place;
	_cleanup_free_ char *path = NULL;
	SpoolEntry entry = {.start = *start, .end = *end};
	int r;

	/* Only the one who has the lock adds, and the sequence begins anew when all is done. */
	entry.sequence = spool->count ? spool->entries[spool->count - 1].sequence + 1 : 1;
	if (spool->count >= SPOOL_COUNT_MAX || entry.sequence > SEQUENCE_MAX ||
		spool->size_bytes + letter->message.len > SPOOL_BYTES_MAX)
		return SPOOL_FULL;
	if (snprintf(entry.name, sizeof(entry.name),
		    "%06" PRIu64 "-%" PRIu64 ".%" PRIu64 "-%" PRIu64 ".%" PRIu64, entry.sequence,
		    start->number, start->offset, end->number,
		    end->offset) >= (int)sizeof(entry.name))
		return -ENAMETOOLONG;
	path = spool_letter_path_dup(spool, &entry);
	if (!path)
		return -ENOMEM;
	/* Before there is a letter that is not among the entries. */
	r = add_entry(spool, &entry, letter->message.len);
	if (!r)
		r = letter_save(path, letter);
	if (r < 0 && spool->count && !strcmp(spool->entries[spool->count - 1].name, entry.name))
		spool->count--;
	return r;
}

int spool_load(const Spool *spool, const SpoolEntry *entry, Letter *ret_letter, Why *ret_why)
{
	_cleanup_free_ char *path = spool_letter_path_dup(spool, entry);

	if (path)
		return letter_load(path, ret_letter, ret_why);
	why_set(ret_why, "%s", strerror(ENOMEM));
	return -ENOMEM;
}

int spool_remove(const Spool *spool, const SpoolEntry *entry)
{
	_cleanup_free_ char *path = spool_letter_path_dup(spool, entry);
	_cleanup_free_ char *tries = spool_tries_path_dup(spool, entry);
	int r;

	if (!path || !tries)
		return -ENOMEM;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	r = file_sync_parent(path);
	/* What is left of it is removed by the next one. */
	if (!r)
		(void)unlink(tries);
	return r;
}

int spool_fail(const Spool *spool, SpoolEntry *entry)
{
	_cleanup_free_ char *from = spool_letter_path_dup(spool, entry);
	SpoolEntry failed = *entry;
	_cleanup_free_ char *to = NULL;

	failed.failed = true;
	to = spool_letter_path_dup(spool, &failed);
	if (!from || !to)
		return -ENOMEM;
	if (rename(from, to) < 0)
		return -errno;
	entry->failed = true;
	return file_sync_parent(to);
}

void spool_failures(const Spool *spool, SpoolFailures *ret_failures)
{
	SpoolFailures failures = {.count = 0};
	_cleanup_tries_ Tries tries = TRIES_INIT;
	_cleanup_free_ char *path = NULL;
	const SpoolEntry *last = NULL;

	for (size_t i = 0; i < spool->count; i++) {
		if (!spool->entries[i].failed)
			continue;
		last = &spool->entries[i];
		failures.count++;
	}
	if (last) {
		memcpy(failures.name, last->name, sizeof(failures.name));
		path = spool_tries_path_dup(spool, last);
	}
	if (path && !tries_load(path, &tries, NULL)) {
		failures.created_us = tries.created_us;
		if (tries.reason)
			(void)snprintf(
				failures.reason, sizeof(failures.reason), "%s", tries.reason);
	}
	*ret_failures = failures;
}
