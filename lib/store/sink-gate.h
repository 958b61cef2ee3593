/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Stands between libpq and a PostgreSQL server without TLS until this has let us in, and passes no message on that asks for the password in clear
 * text, which libpq before 16 would answer. libpq keeps the number of its socket: behind it there is a pair of our own, until the connection
 * itself takes its place again. One message at a time goes through, so that nothing is in the pair then.
 */

#include "base/base.h"

typedef struct SinkGate {
	int server, ours; /* the connection, and our end of the pair; -1: it is not there */
	uint64_t pair;    /* the other end's inode */
	uint8_t head[9];  /* of the message that is going through: type, length, kind of login */
	size_t have;
	uint64_t rest; /* bytes of it that are still to go through */
	bool ended;    /* the server has said its last */
	bool passed;   /* it has let us in */
} SinkGate;

#define SINK_GATE_INIT                   \
	{                                \
		.server = -1, .ours = -1 \
	}

/* Is it behind this socket? It is not any more when libpq has gone on to another address. */
bool sinkgate_guards(const SinkGate *gate, int fd);

/* Puts it behind the socket, of which nothing has been read yet. 0 or -errno. */
int sinkgate_close(SinkGate *gate, int fd);

enum { SINK_GATE_TIMED_OUT = 1 };

/* Passes on what comes until the socket has one of the events. 0; SINK_GATE_TIMED_OUT; -EACCES: the server wants the password in clear text; other -errno. */
int sinkgate_wait(SinkGate *gate, int fd, short events, uint64_t until_ms);

/* Goes away where the server has let us in and libpq knows it. 0 or -errno. */
int sinkgate_open(SinkGate *gate, int fd);

void sinkgate_done(SinkGate *gate);
