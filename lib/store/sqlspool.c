/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sqlspool.h"

#include "base/calendar.h"
#include "base/file.h"
#include "base/number.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

void sqlspool_done(SqlSpool *spool)
{
	free(spool->dir);
	free(spool->entries);
	*spool = SQLSPOOL_INIT;
}

/* ---- names ---------------------------------------------------------------------------------- */

int sqlspool_name(uint64_t sequence, int64_t now_us, char ret_name[SQLSPOOL_NAME_MAX])
{
	time_t now = (time_t)(now_us / USEC_PER_SEC);
	char name[128] = "";
	struct tm tm;

	if (!sequence || sequence > SQLSPOOL_SEQUENCE_MAX || now_us < 0 || !gmtime_r(&now, &tm) ||
		tm.tm_year > 9999 - 1900)
		return -ERANGE;
	(void)snprintf(name, sizeof(name), "%010" PRIu64 "-%04d%02d%02dT%02d%02d%02dZ.sql",
		sequence, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
	memcpy(ret_name, name, SQLSPOOL_NAME_MAX);
	return 0;
}

static int number_at(const char *digits, size_t count)
{
	int value = 0;

	while (count--)
		value = value * 10 + (*digits++ - '0');
	return value;
}

static bool parse_name(Span name, SqlSpoolEntry *ret_entry)
{
	static const char form[SQLSPOOL_NAME_LEN + 1] = "dddddddddd-ddddddddTddddddZ.sql";
	SqlSpoolEntry entry = {.sequence = 0};
	const char *date = name.data + 11, *hour = name.data + 20;

	if (name.len != SQLSPOOL_NAME_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (form[i] == 'd' ? name.data[i] < '0' || name.data[i] > '9'
				   : name.data[i] != form[i])
			return false;
	if (number_parse_u64((Span){name.data, 10}, SQLSPOOL_SEQUENCE_MAX, &entry.sequence) < 0 ||
		!entry.sequence ||
		!calendar_date_valid(
			number_at(date, 4), number_at(date + 4, 2), number_at(date + 6, 2)) ||
		number_at(hour, 2) > 23 || number_at(hour + 2, 2) > 59 ||
		number_at(hour + 4, 2) > 59)
		return false;
	memcpy(entry.name, name.data, name.len);
	entry.written_us =
		(calendar_days(number_at(date, 4), number_at(date + 4, 2), number_at(date + 6, 2)) *
				86400 +
			number_at(hour, 2) * 3600 + number_at(hour + 2, 2) * 60 +
			number_at(hour + 4, 2)) *
		USEC_PER_SEC;
	*ret_entry = entry;
	return true;
}

char *sqlspool_path_dup(const SqlSpool *spool, const SqlSpoolEntry *entry)
{
	return file_join_dup(spool->dir, entry->name);
}

/* ---- what is there -------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const SqlSpoolEntry *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static int look_at(void *userdata, int directory, const char *file)
{
	SqlSpool *spool = userdata;
	SqlSpoolEntry entry, *entries;
	struct stat st;

	if (!parse_name(span_from_string(file), &entry))
		return 0;
	if (fstatat(directory, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	/* What is no file is none of ours. */
	if (!S_ISREG(st.st_mode))
		return 0;
	entries = array_grow(spool->entries, spool->count, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	spool->entries = entries;
	entry.size_bytes = (uint64_t)st.st_size;
	entries[spool->count++] = entry;
	return 0;
}

/* What was begun and has no name yet: .NAME.tmp */
static int clean(void *userdata, int directory, const char *file)
{
	Span name = span_from_string(file);
	SqlSpoolEntry entry;

	(void)userdata;
	if (name.len != SQLSPOOL_NAME_LEN + 5 || *file != '.' ||
		strcmp(file + 1 + SQLSPOOL_NAME_LEN, ".tmp") != 0 ||
		!parse_name((Span){file + 1, SQLSPOOL_NAME_LEN}, &entry))
		return 0;
	/* A directory of that name is in nobody's way. */
	return unlinkat(directory, file, 0) < 0 && errno != ENOENT && errno != EISDIR ? -errno : 0;
}

int sqlspool_read(const char *dir, SqlSpool *ret_spool)
{
	_cleanup_sqlspool_ SqlSpool spool = SQLSPOOL_INIT;
	int r;

	spool.dir = strdup(dir);
	if (!spool.dir)
		return -ENOMEM;
	r = file_walk(spool.dir, look_at, &spool);
	if (r < 0 && r != -ENOENT)
		return r;
	if (spool.count)
		qsort(spool.entries, spool.count, sizeof(*spool.entries), compare);
	*ret_spool = spool;
	spool = SQLSPOOL_INIT;
	return 0;
}

int sqlspool_open(const char *dir, SqlSpool *ret_spool)
{
	_cleanup_sqlspool_ SqlSpool spool = SQLSPOOL_INIT;
	int r = 0;

	if (!mkdir(dir, 0700))
		r = file_sync_parent(dir);
	else if (errno != EEXIST)
		r = -errno;
	if (!r)
		r = sqlspool_read(dir, &spool);
	if (!r)
		r = file_walk(spool.dir, clean, NULL);
	if (r < 0)
		return r;
	*ret_spool = spool;
	spool = SQLSPOOL_INIT;
	return 0;
}

int sqlspool_remove(const SqlSpool *spool, const SqlSpoolEntry *entry)
{
	_cleanup_free_ char *path = sqlspool_path_dup(spool, entry);

	if (!path)
		return -ENOMEM;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int sqlspool_sync(const SqlSpool *spool)
{
	_cleanup_close_ int fd = open(spool->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}
