/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The Python version's record, its CSV and its offset, as this one's: the CSV, a checkpoint, and the place from which on rows go into
 * the next report, which are today's: those before were reported. It is written by the service's user, whose directories these are.
 */

#include "daemon/plan.h"
#include "migrate/old-config.h"
#include "migrate/old-place.h"
#include "migrate/old-rows.h"

typedef struct OldRecord {
	const Config *config;
	char *csv_path, *state_path;         /* this version's */
	char *old_csv_path, *old_state_path; /* NULL: there is none */
	bool odd_csv;                        /* what has the CSV's name is none that is known */
	bool wanted;                         /* there is a record to take over */
	bool journal;                        /* it was made of the journal */
	uint64_t offset;
	int64_t written_us; /* when the offset was */
	OldRows rows;
	OldPlace place;
	char *bad_path; /* for lines that are no rows */
} OldRecord;

#define OLD_RECORD_INIT ((OldRecord){.rows = OLD_ROWS_INIT})

void old_record_done(OldRecord *record);
#define _cleanup_old_record_ _cleanup_(old_record_done)

/*
 * What there is of it, for a configuration of this version. certain: that program's configuration is there, so that a CSV with commas and
 * without any state is one of its. 0; -EEXIST, -errno with *ret_why.
 */
int old_record_find(const OldConfig *old, const Config *config, bool certain, OldRecord *ret_record,
	Why *ret_why);

/* Reads it without changing anything: fills rows and place. 0 or -errno with *ret_why. */
int old_record_read(OldRecord *record, Why *ret_why);

/* Appends what that has found, a line each. */
void old_record_describe(const OldRecord *record, StrBuf *sb);

/* The steps, below dir what it replaces and what it can't read. The record outlives the plan. 0 or -errno. */
int old_record_add(OldRecord *record, const char *dir, Plan *plan);
