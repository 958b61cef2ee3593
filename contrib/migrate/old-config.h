/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The Python version's configuration as settings of this one. Each of its keys is accounted for: it is taken over, or a note says why
 * not. Where it says what was that program's default, the default of this version holds: that is the better one, or its place
 * is another.
 */

#include "daemon/settings.h"
#include "migrate/ini.h"

/* When its timers run, as their units say (OnCalendar=), which counts more than what the configuration says; NULL: there is no such timer. */
typedef struct OldTimes {
	char *report, *ip_update, *sql_export, *sql_import;
} OldTimes;

typedef struct OldConfig {
	Settings *settings;
	size_t taken; /* keys */
	StrBuf notes; /* a line for each that was not, "[section] key: why"; bytes from outside are in it as they are */
	/* Where that program had its things. */
	char *working_dir, *state_dir, *mail_log, *csv_filename, *log_file;
	char *country_db, *asn_db, *sqlite,
		*sql_dir; /* NULL: not named, or named for this version too */
	bool journal;     /* it read the journal */
} OldConfig;

#define OLD_CONFIG_INIT ((OldConfig){.notes = STRBUF_INIT})

/* An empty text is its defaults. 0 or -ENOMEM. */
int old_config_read(Span text, const OldTimes *times, OldConfig *ret_config);
void old_config_done(OldConfig *config);
#define _cleanup_old_config_ _cleanup_(old_config_done)
