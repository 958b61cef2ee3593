/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the running daemon is doing, for `status` and whoever else wants to know: state_dir/status, replaced whole, versioned
 * text, one "key value..." per line, bytes from outside as \xHH. It holds instants and places, no ages: those are
 * the reader's to reckon. Nothing depends on it after a crash, so it is not synced.
 *
 * Everybody may read the file. The daemon keeps a lock on it (F_OFD_SETLK) as long as it lives, however it ends, so the
 * file says for itself whether who wrote it still runs. Each version is locked before it has the name.
 */

#include "base/strbuf.h"
#include "state/checkpoint.h"

#define STATUS_WARNINGS_MAX 1024
#define STATUS_DATABASES_MAX 16
#define STATUS_JOBS_MAX 64

typedef struct StatusLog {
	const char *path;
	bool open;              /* a file of it is being read: */
	uint64_t device, inode; /* which */
	uint64_t offset;        /* read up to here */
	const char *cursor;     /* the same of the journal; NULL: it is a file, or not known */
	int64_t read_us;        /* when lines were last read; 0: not yet */
	Counters counters;      /* of all that was read, also by earlier processes */
	Counters committed;     /* of them what is on disk for certain; not in the file */
} StatusLog;

typedef struct StatusWarning {
	int64_t since_us;
	const char
		*key; /* what it is about, one word without blanks: "missing:/var/log/mail.log" */
	const char *text;
} StatusWarning;

typedef struct StatusDatabase {
	const char *kind; /* "country", "asn" */
	const char *path;
	bool there;                    /* the file */
	bool used;                     /* addresses are looked up in what it said: */
	int64_t date_us;               /* when that was made */
	uint64_t ranges_v4, ranges_v6; /* in it */
	int64_t loaded_us;             /* when that was begun */
} StatusDatabase;

typedef struct StatusJob {
	const char *name;
	int64_t running_us; /* since when it runs; 0: it does not */
	int64_t next_us;    /* when it runs next; 0: it does now, or never */
	int64_t ended_us;   /* when it last ended; 0: it never did */
	int64_t ok_us;      /* when it last ended well; likewise */
	uint64_t failures;  /* in a row, the last run included */
	const char *result; /* of the last run, in a line */
} StatusJob;

/* The files of SQL that sql-export writes and sql-import takes into the database. */
typedef struct StatusSql {
	const char *path;      /* their directory; NULL: nothing is known of them */
	uint64_t files, bytes; /* that wait */
	int64_t oldest_us;     /* when the first of them was written; 0: none waits */
	int64_t imported_us;   /* when an import last said what waits; 0: none ever did */
} StatusSql;

/* What reverse DNS has done. */
typedef struct StatusDnsCounts {
	uint64_t lookups;
	uint64_t cache_hits; /* of them, answered from the cache */
	uint64_t shared;     /* likewise, with the answer to a query that was under way */
	uint64_t queries;    /* that were sent, without repetitions */
	/* The others, by what came of them: */
	uint64_t ok, no_name, failed, no_ptr, timeout, off;
} StatusDnsCounts;

typedef struct StatusDns {
	int64_t since_us; /* when the counting began; 0: nothing is known of it */
	bool enabled;
	bool dead; /* no name server answers */
	StatusDnsCounts counts;
	StatusDnsCounts before;             /* of them, by earlier processes */
	uint64_t in_flight, queued, cached; /* queries, lookups that wait to be sent, answers */
} StatusDns;

/* All texts are borrowed: by a reader from the buffer, by a writer from wherever it has them. */
typedef struct Status {
	int64_t written_us;
	const char *version;
	int64_t pid;
	int64_t started_us;
	int64_t stopped_us;       /* 0: it has not been stopped */
	bool stopping;            /* it is about to be; the file does not say that */
	uint64_t generation;      /* of the configuration: 1 and one for each reload that is over */
	int64_t reloaded_us;      /* when the last was over; 0: there was none */
	const char *reload_error; /* why it changed nothing; NULL: it did */
	int64_t committed_us;     /* when the checkpoint was last written */
	uint64_t rows;            /* in the CSV, since the first start */
	uint64_t waiting;         /* failures that wait for their names */
	const char *paused;       /* why nothing is read; NULL: it is not */
	const char *source;       /* "file", "journal"; NULL: that is not decided */
	StatusLog *logs;
	size_t log_count;
	Counters gone;           /* of logs that were read once and are not followed any more */
	Counters committed;      /* of all logs, what is on disk for certain; not in the file */
	uint64_t committed_rows; /* likewise */
	StatusDns dns;
	StatusDatabase *databases;
	size_t database_count;
	StatusJob *jobs; /* that have a schedule */
	size_t job_count;
	StatusSql sql;
	StatusWarning *warnings;
	size_t warning_count;
	uint64_t more_warnings; /* that are not listed */
	char *buffer;           /* status_read()'s */
} Status;

#define STATUS_INIT ((Status){0})

/* Frees what status_read() has made. */
void status_done(Status *status);
#define _cleanup_status_ _cleanup_(status_done)

/* Of all logs, those included that are not followed any more: since the first start. */
Counters status_sum(const Status *status);

/* The bytes of the log that were not read yet; false where that can't be known (the journal, a file that was rotated or may not be looked at). */
bool status_log_lag(const StatusLog *log, uint64_t *ret_bytes);

/* Of the lookups since the daemon was started, how many of 1000 were answered from the cache; false when there were none. */
bool status_dns_hits(const Status *status, unsigned *ret_permille);

/* Lookups in 1000 minutes, of those from its start until now_us (its end, if it has ended). */
uint64_t status_dns_rate(const Status *status, int64_t now_us);

/* Appends the file's text without the instant of writing, so that two can be compared. */
void status_append(const Status *status, StrBuf *sb);

/*
 * Replaces the file at path by text (of status_append), written at written_us, 0644, and the lock that *lock_fd holds (-1: none yet)
 * by one on the new file. Without room for another file the old one is written over. 0 or -errno.
 */
int status_write(const char *path, Span text, int64_t written_us, int *lock_fd);

/*
 * Reads the file and whether its writer runs. 0; -ENOENT; -EBADMSG with *ret_why when it is none of this program or of a newer
 * version; -errno.
 */
int status_read(const char *path, Status *ret_status, bool *ret_running, Why *ret_why);
