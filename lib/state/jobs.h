/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What outlasts the service of its jobs: when each ran last and what came of it, and its next slot with the delay that was drawn.
 * state_dir/jobs, replaced whole. Without it, no job has ever run.
 */

#include "base/strbuf.h"

#define JOB_RECORDS_MAX 16
#define JOB_RESULT_MAX 500 /* bytes that are kept */

typedef struct JobRecord {
	char *name;
	char *expression;   /* of the schedule that slot_us is of */
	int64_t since_us;   /* slots up to here are done with; 0: nothing is known */
	int64_t slot_us;    /* the next; INT64_MAX: none comes */
	int64_t due_us;     /* when it runs for it */
	int64_t served_us;  /* when the last run for a slot was started; 0: none, or not known */
	int64_t started_us; /* the last run; 0: none */
	int64_t ended_us;
	int64_t ok_us;     /* when one last ended well */
	uint64_t failures; /* in a row, the last included */
	bool running;      /* the last has not ended */
	char *result;      /* of the last that has, in a line; NULL: not known */
} JobRecord;

void job_record_done(JobRecord *record);

typedef struct JobRecords {
	JobRecord list[JOB_RECORDS_MAX];
	size_t count;
} JobRecords;

#define JOB_RECORDS_INIT ((JobRecords){0})

void job_records_done(JobRecords *records);
#define _cleanup_job_records_ _cleanup_(job_records_done)

enum { JOBS_NONE = 1 };

/* 0; JOBS_NONE when there is no such file; -EBADMSG with *ret_why when it is torn, foreign or of a newer version; -errno with *ret_why. */
int jobs_load(const char *path, JobRecords *ret_records, Why *ret_why);

/* Appends one record's lines, in the file's form; frame_begin(sb, JOBS_NAME, JOBS_VERSION) stands before the first. */
#define JOBS_NAME "jobs"
#define JOBS_VERSION 1
void jobs_append(StrBuf *sb, const JobRecord *record);
