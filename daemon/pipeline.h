/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From events to rows, in the log's order: takes what a source says about logins, asks for the names of the failed ones, and
 * writes each row when it and all before it are named. The FIFO between is bounded (PIPELINE_ENTRIES failures,
 * PIPELINE_TEXT bytes of text); when it is full reading stops until its head is answered. What is saved as
 * position and counters is always that of the last row that was written, so a crash loses and doubles nothing.
 */

#include "base/strbuf.h"
#include "daemon/source.h"
#include "enrich/geodb.h"
#include "enrich/rdns.h"
#include "state/checkpoint.h"

#define PIPELINE_ENTRIES 8192
#define PIPELINE_TEXT ((size_t)4 << 20)
#define PIPELINE_OUTPUT_MAX ((size_t)1 << 20) /* rows stop here until the owner has written them */

typedef struct Pipeline Pipeline;

typedef struct PipelineOptions {
	Rdns *rdns; /* borrowed; NULL: every status is Off */
	GeoDb *const *
		geodb; /* borrowed, as is what it leads to when a row is written; that may be NULL: all unknown */
	StrBuf *output;    /* borrowed: rows are appended here, the owner writes and empties it */
	bool tells_events; /* failed logins may be told in the program's log */
	/* A line said "message repeated N times" with N above EVENT_REPEAT_MAX; the row count was capped. */
	void (*repeat_capped)(void *userdata, const char *path);
	/* The logging says that it has dropped so many messages before they came to the log; total: since the first start. */
	void (*lost)(void *userdata, const char *path, uint64_t count, uint64_t total);
	void *userdata;
} PipelineOptions;

/* 0 or -ENOMEM. */
int pipeline_new(const PipelineOptions *options, Pipeline **ret_pipeline);
void pipeline_free(Pipeline *pipeline);
DEFINE_CLEANUP(Pipeline *, pipeline_freep, pipeline_free)

/*
 * Another log, read through source (borrowed), whose counters and last event's time so far are those of state. Logs are numbered
 * 0, 1, ... 0 or -ENOMEM.
 */
int pipeline_add_log(Pipeline *pipeline, Source *source, const LogState *state);

enum { PIPELINE_FULL = 1 };

/*
 * Takes what was read of the log. 0: all of them; PIPELINE_FULL: the FIFO is full, call again after
 * pipeline_write() has made room; -ENOMEM (what was taken is kept, call again).
 */
int pipeline_read(Pipeline *pipeline, size_t log, uint64_t now_ms, int64_t wall_us);

/*
 * Appends the rows that are ready to the output. 0 or -ENOMEM (nothing is lost, call again).
 */
int pipeline_write(Pipeline *pipeline);

/* The output was written: its failed logins are told in the program's log, where that is wanted (daemon/events.h). */
void pipeline_written(Pipeline *pipeline, int64_t wall_us);

/* From now on nothing waits for a name: who has none yet gets the status Timeout. */
void pipeline_hurry(Pipeline *pipeline);

/* Nothing waits for a name. */
bool pipeline_empty(const Pipeline *pipeline);
size_t pipeline_waiting(const Pipeline *pipeline);
size_t pipeline_log_waiting(const Pipeline *pipeline, size_t log);

/* Whether another failure would fit. */
bool pipeline_has_room(const Pipeline *pipeline);

/* Of all that was read of the log, whether its rows are written or not. Borrowed. */
const Counters *pipeline_counters(const Pipeline *pipeline, size_t log);

/* Rows appended to the output so far. */
uint64_t pipeline_rows(const Pipeline *pipeline);

/*
 * False while a line that stands for many rows is written in part: then the CSV's length must not be committed, because
 * the line's position comes with its last row.
 */
bool pipeline_can_save(const Pipeline *pipeline);

/* Sets position, counters and the last event's time of state to what has been appended to the output, nothing later.
 * Only when pipeline_can_save(). */
void pipeline_save(Pipeline *pipeline, size_t log, LogState *state);
