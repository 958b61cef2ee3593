/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/sql-queue.h"

#include "base/calendar.h"
#include "base/file.h"
#include "daemon/loop.h"
#include "state/imported.h"
#include "store/sqlspool.h"

/* A change within the same tick of the file system's clock leaves its time as it was. */
#define SETTLED_US (2 * USEC_PER_SEC)

static int64_t changed_us(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * USEC_PER_SEC + st->st_mtim.tv_nsec / 1000;
}

/* All 0 where there is none. */
static struct stat look(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		st = (struct stat){0};
	return st;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* 0 or -errno. */
static int count(const Config *config, StatusSql *ret_sql)
{
	_cleanup_sqlspool_ SqlSpool spool = SQLSPOOL_INIT;
	Imported imported = {.sequence = 0};
	StatusSql sql = {0};
	int r = sqlspool_read(config->database.sql_export_dir, &spool);

	if (r < 0)
		return r;
	/* What can't be read is said by who writes it; until then all are taken for waiting. */
	(void)imported_load(config->paths.state_dir, &imported, NULL);
	sql.imported_us = imported.checked_us;
	for (size_t i = 0; i < spool.count; i++) {
		const SqlSpoolEntry *entry = &spool.entries[i];

		if (entry->sequence <= imported.sequence)
			continue;
		if (!sql.files)
			sql.oldest_us = entry->written_us;
		sql.files++;
		sql.bytes += entry->size_bytes;
	}
	*ret_sql = sql;
	return 0;
}

static bool is_on(const char *schedule)
{
	return *schedule && strcmp(schedule, "off") != 0;
}

void sqlqueue_status(SqlQueue *queue, const Config *config, Status *status)
{
	_cleanup_free_ char *mark_path =
		file_join_dup(config->paths.state_dir, "sql-import.offset");
	struct stat dir = look(config->database.sql_export_dir), mark = {0};
	int64_t settled_us = loop_wall_us() - SETTLED_US;

	if (mark_path)
		mark = look(mark_path);
	if (!dir.st_ino && !is_on(config->schedule.sql_export_schedule) &&
		!is_on(config->schedule.sql_import_schedule))
		return;
	if (!queue->is_known || !is_same(&queue->dir, &dir) || !is_same(&queue->mark, &mark)) {
		if (count(config, &queue->sql) < 0)
			return;
		queue->dir = dir;
		queue->mark = mark;
		queue->is_known = changed_us(&dir) < settled_us && changed_us(&mark) < settled_us;
	}
	status->sql = queue->sql;
	status->sql.path = config->database.sql_export_dir;
}
