/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/unit.h"

#include "base/file.h"
#include "store/sql.h"
#include "unit-text.h" /* MLS_UNIT_TEXT */

#define MARK "# Written by 'maillogsentinel setup'"

bool unit_is_possible(void)
{
	return !access("/run/systemd/system", F_OK);
}

bool unit_is_packaged(void)
{
	static const char *const paths[] = {"/usr/local/lib/systemd/system/" UNIT_NAME,
		"/usr/lib/systemd/system/" UNIT_NAME, "/lib/systemd/system/" UNIT_NAME};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!access(paths[i], F_OK))
			return true;
	return false;
}

bool unit_is_ours(Span text)
{
	return span_starts_with(text, MARK);
}

/* As systemd.syntax(7) wants a word; the prefix is part of it. */
static void append_word(const char *prefix, const char *word, StrBuf *sb)
{
	strbuf_appendf(sb, "\"%s", prefix);
	for (; *word; word++) {
		if (strchr("\"\\", *word))
			strbuf_append_char(sb, '\\');
		if (*word == '%') /* a specifier */
			strbuf_append_char(sb, *word);
		strbuf_append_char(sb, *word);
	}
	strbuf_append_char(sb, '"');
}

static bool is_plain(const char *path)
{
	return !path[strspn(
		path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+")];
}

void unit_append(const char *program, StrBuf *sb)
{
	static const char text[] = MLS_UNIT_TEXT, place[] = "@PROGRAM@";
	const char *rest = text, *at;

	strbuf_append_string(sb, MARK ", which writes it anew\n");
	while ((at = strstr(rest, place))) {
		strbuf_append(sb, rest, (size_t)(at - rest));
		if (is_plain(program))
			strbuf_append_string(sb, program);
		else
			append_word("", program, sb);
		rest = at + strlen(place);
	}
	strbuf_append_string(sb, rest);
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

const char *unit_hides(const char *path)
{
	static const struct {
		const char *dir, *why;
	} hidden[] = {
		{"/home", "lies in /home, which the service does not see"},
		{"/root", "lies in /root, which the service does not see"},
		{"/run/user", "lies in /run/user, which the service does not see"},
		{"/tmp", "lies in /tmp, of which the service has one of its own"},
		{"/var/tmp", "lies in /var/tmp, of which the service has one of its own"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (is_below(path, hidden[i].dir))
			return hidden[i].why;
	return NULL;
}

/* What the unit's LogsDirectory= and StateDirectory= are. */
static bool is_own(const char *path)
{
	return is_below(path, "/var/log/maillogsentinel") ||
	       is_below(path, "/var/lib/maillogsentinel");
}

/* The directories that are written to, once each. */
static int add(char **dirs, size_t *count, char *dir)
{
	if (!dir)
		return -ENOMEM;
	for (size_t i = 0; i < *count; i++)
		if (is_below(dir, dirs[i])) {
			free(dir);
			return 0;
		}
	if (is_own(dir))
		free(dir);
	else
		dirs[(*count)++] = dir;
	return 0;
}

/* A line of a unit can't hold it: what stands behind a line's end would be a line of its own. */
static bool holds_control(const char *path)
{
	for (; *path; path++)
		if ((unsigned char)*path < 0x20 || *path == 0x7f)
			return true;
	return false;
}

int unit_append_drop_in(const Config *config, StrBuf *sb, Why *ret_why)
{
	const char *metrics = config->metrics.textfile;
	char *dirs[8];
	size_t count = 0;
	int r = 0;

	if (*config->general.log_file)
		r = add(dirs, &count, file_parent_dup(config->general.log_file));
	if (!r)
		r = add(dirs, &count, strdup(config->paths.working_dir));
	if (!r)
		r = add(dirs, &count, strdup(config->paths.state_dir));
	/* What is fetched is put in place; another program's database is only read. */
	if (!r && config->geolocation.country_db_url[0])
		r = add(dirs, &count, file_parent_dup(config->geolocation.country_db_path));
	if (!r && config->asn_aso.asn_db_url[0])
		r = add(dirs, &count, file_parent_dup(config->asn_aso.asn_db_path));
	if (!r && *metrics)
		r = add(dirs, &count, file_parent_dup(metrics));
	if (!r)
		r = add(dirs, &count, strdup(config->database.sql_export_dir));
	if (!r && config->database.db_type == SQL_SQLITE)
		r = add(dirs, &count, file_parent_dup(config->database.db_path));
	if (count)
		strbuf_append_string(sb, MARK ", which writes it anew: the service may write here, "
					      "too\n[Service]\n");
	for (size_t i = 0; i < count; i++) {
		strbuf_append_string(sb, "ReadWritePaths=");
		/* One that is gone some day shall not keep the service from its start: then it says what is wrong. */
		append_word("-", dirs[i], sb);
		strbuf_append_char(sb, '\n');
		if (holds_control(dirs[i])) {
			why_set(ret_why, "%s: holds a control character, which no unit can name",
				dirs[i]);
			r = -EINVAL;
		}
		free(dirs[i]);
	}
	return r ? r : strbuf_error(sb);
}
