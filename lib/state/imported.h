/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How far the files of SQL are in the database, as the last import found it: state_dir/sql-import.offset. It is for people and for the
 * service, who don't ask the database; an import asks the database.
 */

#include "base/base.h"

typedef struct Imported {
	uint64_t sequence;  /* all files up to this one are in; 0: none is */
	int64_t checked_us; /* when that was seen */
} Imported;

enum { IMPORTED_NONE = 1 };

/*
 * 0; IMPORTED_NONE when there never was an import; -EBADMSG with *ret_why when it is torn, foreign or of a newer version; -errno with
 * *ret_why.
 */
int imported_load(const char *state_dir, Imported *ret_imported, Why *ret_why);

/* Replaces it durably. 0 or -errno. */
int imported_save(const char *state_dir, const Imported *imported);
