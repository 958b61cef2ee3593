/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The files of SQL that wait for the database: what people and programs are told of them. The directory is only read when it, or what
 * sql-import has noted, has changed since: it may hold the files of years.
 */

#include "daemon/config.h"
#include "state/status.h"

#include <sys/stat.h>

typedef struct SqlQueue {
	struct stat dir, mark; /* as they were; all 0: not there, or not looked at yet */
	bool is_known;
	StatusSql sql; /* without the texts */
} SqlQueue;

/* Says it of config's directory; nothing where neither job has a schedule and there is no such directory. The texts are config's. */
void sqlqueue_status(SqlQueue *queue, const Config *config, Status *status);
