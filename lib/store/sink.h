/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A connection to a database of one of the dialects (store/sql), through the client library of each, which is loaded when it is first needed
 * (base/library). It knows nothing of rows: statements go in as text, answers come out as text. Its calls wait; none takes longer than the
 * options' timeout without a sign of life from the server. Text is UTF-8 in both directions.
 */

#include "store/sql.h"

typedef enum SinkTls {
	SINK_TLS_OFF,
	SINK_TLS_PREFER,  /* where the server offers it */
	SINK_TLS_REQUIRE, /* whoever the server is */
	SINK_TLS_VERIFY,  /* its certificate is good, and in its name */
} SinkTls;

/* What is borrowed must live as long as the call. A text that is NULL or "" is not given. */
typedef struct SinkOptions {
	SqlDialect dialect;
	const char *path; /* SQLite's file; the rest is for servers */
	const char *host, *socket;
	unsigned port; /* 0: the usual */
	const char *name, *user;
	Span password;
	SinkTls tls;
	const char *ca_file;
	unsigned
		timeout_ms; /* of the connection, of each answer, and of waiting for another's transaction; 0 is not allowed */
} SinkOptions;

typedef struct Sink Sink;

/*
 * What any of the calls may return: the server can't be reached, the connection was lost, or another holds what is
 * needed; with *ret_why. Later it may do. A connection that was lost stays so.
 */
enum { SINK_AWAY = 1 };

/*
 * 0; SINK_AWAY; -ENOSYS: this dialect was left out of the build; -ENOENT: there is no client library, or no such database; -EACCES: the server
 * doesn't let us in, or TLS is not as wanted; other -errno; with *ret_why.
 */
int sink_open(const SinkOptions *options, Sink **ret_sink, Why *ret_why);

/* Whatever was not committed is undone, and locks are let go of. */
void sink_free(Sink *sink);
DEFINE_CLEANUP(Sink *, sink_freep, sink_free)

SqlDialect sink_dialect(const Sink *sink);

/*
 * One statement that gives no rows; a ; at its end is as good as none. Where it fails within a transaction, a part of it may be done: to be rolled
 * back. 0; SINK_AWAY; -ENOSPC: the disk is full; -EACCES: we may not;
 * -EBADMSG: the database doesn't take it as it is (syntax, value, constraint; *ret_why has its words); other -errno.
 */
int sink_execute(Sink *sink, const char *statement, Why *ret_why);

/* A row of an answer: its values as text, NULL for NULL; borrowed. Returns 0 to go on, or -errno, which ends the query and is its result. */
typedef int SinkRow(void *userdata, const char *const *values, size_t count);

/* One statement that gives rows; likewise. */
int sink_query(Sink *sink, const char *statement, SinkRow *row, void *userdata, Why *ret_why);

/*
 * Takes a lock by name ([a-z0-9_]*, at most 64 bytes) within this database, which whoever asks for the same name waits for, at most wait_ms.
 * It ends with sink_unlock() or the connection; a connection holds one at a time. In SQLite it is nothing: there a transaction that began with BEGIN IMMEDIATE is alone.
 * 0; SINK_AWAY when another has it for longer; -errno.
 */
int sink_lock(Sink *sink, const char *name, unsigned wait_ms, Why *ret_why);
int sink_unlock(Sink *sink, Why *ret_why);
