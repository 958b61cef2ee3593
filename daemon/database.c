/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/database.h"

#include "base/password.h"

/* An index of many million rows is one answer. */
#define SERVER_TIMEOUT_MS 600000

static const char *const server_names[] = {[SQL_POSTGRESQL] = "postgresql", [SQL_MYSQL] = "mysql"};

void database_append_name(const Config *config, StrBuf *sb)
{
	if (config->database.db_type == SQL_SQLITE) {
		strbuf_append_string(sb, config->database.db_path);
		return;
	}
	strbuf_appendf(sb, "%s at %s", server_names[config->database.db_type],
		*config->database.db_host     ? config->database.db_host
		: *config->database.db_socket ? config->database.db_socket
					      : "this host");
	if (config->database.db_port)
		strbuf_appendf(sb, ":%u", config->database.db_port);
	strbuf_appendf(sb, ", %s", config->database.db_name);
}

int database_open(const Config *config, Sink **ret_sink, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf name = STRBUF_INIT;
	const char *password_file = config->database.db_password_file;
	char password[PASSWORD_MAX + 1] = "";
	SinkOptions options = {
		.dialect = (SqlDialect)config->database.db_type,
		.path = config->database.db_path,
		.host = config->database.db_host,
		.socket = config->database.db_socket,
		.port = config->database.db_port,
		.name = config->database.db_name,
		.user = config->database.db_user,
		.tls = (SinkTls)config->database.db_tls,
		.ca_file = config->database.db_ca_file,
		.timeout_ms = SERVER_TIMEOUT_MS,
	};
	Why why = {""};
	int r = 0;

	database_append_name(config, &name);
	if (options.dialect == SQL_SQLITE) {
		options.timeout_ms = DATABASE_WAIT_MS;
	} else if (*password_file) {
		r = password_read(password_file, password, &why);
		options.password = span_from_string(password);
	}
	if (r < 0) {
		why_set(ret_why, "%s: %s", password_file, why.text);
		return r;
	}
	r = sink_open(&options, ret_sink, &why);
	explicit_bzero(password, sizeof(password));
	if (r)
		why_set(ret_why, "%s: %s", strbuf_text(&name), why.text);
	return r;
}
