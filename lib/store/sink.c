/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sink.h"

#include "build-config.h"
#include "store/sink-driver.h"

struct Sink {
	const SinkDriver *driver;
	SqlDialect dialect;
	void *connection;
};

static const SinkDriver *const drivers[SQL_DIALECT_COUNT] = {
#if HAVE_SQLITE
	[SQL_SQLITE] = &sink_sqlite,
#endif
#if HAVE_POSTGRESQL
	[SQL_POSTGRESQL] = &sink_pgsql,
#endif
#if HAVE_MARIADB
	[SQL_MYSQL] = &sink_mysql,
#endif
};

int sink_open(const SinkOptions *options, Sink **ret_sink, Why *ret_why)
{
	const SinkDriver *driver = drivers[options->dialect];
	_cleanup_free_ Sink *sink = calloc(1, sizeof(*sink));
	int r;

	if (!driver) {
		why_set(ret_why, "this program was built without %s",
			sql_dialect_name(options->dialect));
		return -ENOSYS;
	}
	if (!sink) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	sink->driver = driver;
	sink->dialect = options->dialect;
	r = driver->open(options, &sink->connection, ret_why);
	if (!r)
		*ret_sink = TAKE(sink);
	return r;
}

void sink_free(Sink *sink)
{
	if (!sink)
		return;
	sink->driver->close(sink->connection);
	free(sink);
}

SqlDialect sink_dialect(const Sink *sink)
{
	return sink->dialect;
}

int sink_execute(Sink *sink, const char *statement, Why *ret_why)
{
	return sink->driver->execute(sink->connection, statement, ret_why);
}

int sink_query(Sink *sink, const char *statement, SinkRow *row, void *userdata, Why *ret_why)
{
	return sink->driver->query(sink->connection, statement, row, userdata, ret_why);
}

int sink_lock(Sink *sink, const char *name, unsigned wait_ms, Why *ret_why)
{
	return sink->driver->lock(sink->connection, name, wait_ms, ret_why);
}

int sink_unlock(Sink *sink, Why *ret_why)
{
	return sink->driver->unlock(sink->connection, ret_why);
}
