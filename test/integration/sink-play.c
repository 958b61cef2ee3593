/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A connection to a database without the rest, for tests:
 *
 *	sink-play DIALECT [KEY=VALUE]...     DIALECT: sqlite, postgresql, mysql
 *
 * The keys are those of SinkOptions; tls is off, prefer, require or verify. Each line of stdin is a command, each
 * answer a line "RESULT TEXT" (the result is 0, away, or an errno's name; the text is the reason) behind the rows, whose values are joined by tabs:
 *
 *	x STATEMENT     executes it
 *	q STATEMENT     asks it
 *	l MS NAME       takes a lock
 *	u               lets go of it
 *	g SIZE     executes "SELECT 'xx...'" of SIZE bytes
 *
 * The first answer is the connection's.
 */

#include "base/file.h"
#include "base/number.h"
#include "store/sink.h"

#include <stdio.h>

static void answer(int r, const char *why)
{
	if (r > 0)
		(void)printf("away %s\n", why);
	else if (r < 0)
		(void)printf("%s %s\n", strerrorname_np(-r), why);
	else
		(void)printf("0\n");
	(void)fflush(stdout);
}

static int print_row(void *userdata, const char *const *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)printf("%s%s", i ? "\t" : "", values[i] ? values[i] : "\\N");
	(void)printf("\n");
	return 0;
}

static int big(Sink *sink, uint64_t size, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf statement = STRBUF_INIT;
	char *text;

	strbuf_append_string(&statement, "SELECT '");
	text = strbuf_reserve(&statement, size);
	if (!text)
		return -ENOMEM;
	memset(text, 'x', size);
	statement.len += size;
	strbuf_append_char(&statement, '\'');
	return sink_execute(sink, strbuf_text(&statement), ret_why);
}

static unsigned number_of(const char *text)
{
	uint64_t value = 0;

	if (number_parse_u64(span_from_string(text), UINT32_MAX, &value) < 0)
		exit(2);
	return (unsigned)value;
}

static int obey(Sink *sink, char *line, Why *ret_why)
{
	char *name;

	switch (*line) {
	case 'x': return sink_execute(sink, line + 2, ret_why);
	case 'q': return sink_query(sink, line + 2, print_row, NULL, ret_why);
	case 'g': return big(sink, number_of(line + 2), ret_why);
	case 'u': return sink_unlock(sink, ret_why);
	case 'l':
		name = strchr(line + 2, ' ');
		if (!name)
			exit(2);
		*name = '\0';
		return sink_lock(sink, name + 1, number_of(line + 2), ret_why);
	default: exit(2);
	}
}

static SinkTls tls_of(const char *text)
{
	static const char *const names[] = {"off", "prefer", "require", "verify"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(text, names[i]) == 0)
			return (SinkTls)i;
	exit(2);
}

static SqlDialect dialect_of(const char *text)
{
	if (strcmp(text, "postgresql") == 0)
		return SQL_POSTGRESQL;
	return strcmp(text, "mysql") == 0 ? SQL_MYSQL : SQL_SQLITE;
}

static void take_option(SinkOptions *options, char *arg)
{
	char *value = strchr(arg, '=');

	if (!value)
		exit(2);
	*value++ = '\0';
	if (strcmp(arg, "path") == 0)
		options->path = value;
	else if (strcmp(arg, "host") == 0)
		options->host = value;
	else if (strcmp(arg, "socket") == 0)
		options->socket = value;
	else if (strcmp(arg, "port") == 0)
		options->port = number_of(value);
	else if (strcmp(arg, "name") == 0)
		options->name = value;
	else if (strcmp(arg, "user") == 0)
		options->user = value;
	else if (strcmp(arg, "tls") == 0)
		options->tls = tls_of(value);
	else if (strcmp(arg, "ca_file") == 0)
		options->ca_file = value;
	else if (strcmp(arg, "timeout_ms") == 0)
		options->timeout_ms = number_of(value);
	else if (strcmp(arg, "password") == 0)
		options->password = (Span){value, strlen(value)};
	else
		exit(2);
}

int main(int argc, char **argv)
{
	_cleanup_(sink_freep) Sink *sink = NULL;
	_cleanup_free_ char *line = NULL;
	SinkOptions options = {.timeout_ms = 10000};
	size_t size = 0;
	ssize_t len;
	Why why = {""};
	int r;

	if (argc < 2)
		return 2;
	options.dialect = dialect_of(argv[1]);
	for (int i = 2; i < argc; i++)
		take_option(&options, argv[i]);
	r = sink_open(&options, &sink, &why);
	answer(r, why.text);
	while (!r && (len = getline(&line, &size, stdin)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		why.text[0] = '\0';
		answer(obey(sink, line, &why), why.text);
	}
	return r ? 1 : 0;
}
