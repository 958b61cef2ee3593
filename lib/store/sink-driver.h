/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a database's client library must offer to be a sink (store/sink, which has the contract of each). */

#include "store/sink.h"

typedef struct SinkDriver {
	int (*open)(const SinkOptions *options, void **ret_connection, Why *ret_why);
	void (*close)(void *connection);
	int (*execute)(void *connection, const char *statement, Why *ret_why);
	int (*query)(void *connection, const char *statement, SinkRow *row, void *userdata,
		Why *ret_why);
	int (*lock)(void *connection, const char *name, unsigned wait_ms, Why *ret_why);
	int (*unlock)(void *connection, Why *ret_why);
} SinkDriver;

/* Those that are built. */
extern const SinkDriver sink_sqlite, sink_pgsql, sink_mysql;
