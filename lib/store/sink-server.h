/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the sinks have in common that talk to a server (store/sink-pgsql, store/sink-mysql). */

#include "store/sink.h"

/* A transaction that nobody goes on with for so long is ended by the server, with its locks: its client's host is gone. */
#define SINK_IDLE_S 600

/* A server that hasn't let us in for so long is away, whatever the timeout is. */
#define SINK_CONNECT_S 30

/* Nor may others' rows and tables be waited for longer. */
#define SINK_LOCK_S 60

/* A host that is gone without a word is noticed after so long, also while a long answer is waited for. */
#define SINK_KEEPALIVE_IDLE_S 30
#define SINK_KEEPALIVE_INTERVAL_S 10
#define SINK_KEEPALIVE_COUNT 3
#define SINK_UNHEARD_S 60

/* The monotonic clock. */
uint64_t sink_now_ms(void);

/* The password as a string, heap memory, for sink_password_free(); NULL where there is none. 0, -EINVAL: no server can take it, -ENOMEM. */
int sink_password_dup(const SinkOptions *options, char **ret_password, Why *ret_why);
void sink_password_free(char *password);
DEFINE_CLEANUP(char *, sink_password_freep, sink_password_free)

/* The file of certificates that are trusted: the options', or the system's; borrowed. 0, or -ENOENT: there is none. */
int sink_trusted(const SinkOptions *options, const char **ret_path, Why *ret_why);

/* A text that isn't given is NULL. */
static inline const char *sink_given(const char *text)
{
	return text && *text ? text : NULL;
}
