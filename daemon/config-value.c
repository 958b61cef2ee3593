/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/config-option.h"

#include <inttypes.h>
#include <limits.h>

#include "base/calspec.h"
#include "base/number.h"
#include "base/utf8.h"
#include "daemon/log.h"
#include "fetch/url.h"
#include "report/address.h"
#include "report/letter.h"
#include "report/transport.h"
#include "store/sql.h"

#define TEXT_MAX 500 /* bytes: more than that no header and no command takes */

static void *field_of(const ConfigOption *option, Config *config)
{
	return (char *)config + option->offset;
}

static const void *const_field_of(const ConfigOption *option, const Config *config)
{
	return (const char *)config + option->offset;
}

static void free_texts(char **texts)
{
	for (char **text = texts; text && *text; text++)
		free(*text);
	free(texts);
}

void config_option_clear(const ConfigOption *option, Config *config)
{
	switch (option->type) {
	case CONFIG_TEXT:
	case CONFIG_ADDRESS:
	case CONFIG_SMTP_URL:
	case CONFIG_FILE_NAME:
	case CONFIG_SQL_NAME:
	case CONFIG_SCHEDULE:
	case CONFIG_PATH: {
		char **text = field_of(option, config);

		free(*text);
		*text = NULL;
		break;
	}
	case CONFIG_PATHS:
	case CONFIG_URLS:
	case CONFIG_ADDRESSES:
	case CONFIG_COLUMNS: {
		char ***texts = field_of(option, config);

		free_texts(*texts);
		*texts = NULL;
		break;
	}
	case CONFIG_BOOL:
	case CONFIG_NUMBER:
	case CONFIG_SIZE:
	case CONFIG_DURATION:
	case CONFIG_LOG_LEVEL:
	case CONFIG_CHOICE: break;
	}
}

/* In the largest unit that leaves nothing over. */
static void append_size(uint64_t size_bytes, StrBuf *sb)
{
	static const char *const units[] = {" B", " KiB", " MiB", " GiB"};
	size_t unit = 0;

	while (size_bytes && !(size_bytes % 1024) && unit + 1 < ARRAY_SIZE(units)) {
		size_bytes /= 1024;
		unit++;
	}
	strbuf_append_u64(sb, size_bytes);
	strbuf_append_string(sb, units[unit]);
}

/* Likewise, up to hours: a day is not always 24 of them. */
static void append_duration(uint64_t duration_ms, StrBuf *sb)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{" h", 3600000}, {" min", 60000}, {" s", 1000}, {" ms", 1}};

	for (size_t i = 0; i < ARRAY_SIZE(units) && duration_ms; i++)
		if (!(duration_ms % units[i].ms)) {
			strbuf_append_u64(sb, duration_ms / units[i].ms);
			strbuf_append_string(sb, units[i].name);
			return;
		}
	strbuf_append_char(sb, '0');
}

static void append_range(const ConfigOption *option, StrBuf *sb)
{
	if (option->type == CONFIG_SIZE) {
		append_size(option->min, sb);
		strbuf_append_string(sb, " to ");
		append_size(option->max, sb);
		return;
	}
	if (option->type == CONFIG_DURATION) {
		append_duration(option->min, sb);
		strbuf_append_string(sb, " to ");
		append_duration(option->max, sb);
		return;
	}
	strbuf_appendf(sb, "%" PRIu64 " to %" PRIu64 "%s%s", option->min, option->max,
		option->unit ? " " : "", option->unit ? option->unit : "");
}

/* What the option takes, when it got something else. */
static int wants(const ConfigOption *option, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf range = STRBUF_INIT;
	const char *example = *option->fallback ? option->fallback : "/path/of/a/file";

	if (option->type == CONFIG_URLS)
		example = "https://example.org/db.csv";
	if (option->type == CONFIG_ADDRESS || option->type == CONFIG_ADDRESSES)
		example = "postmaster@example.org";
	if (option->type == CONFIG_COLUMNS)
		example = "user=login";

	switch (option->type) {
	case CONFIG_BOOL: why_set(ret_why, "wants true or false"); break;
	case CONFIG_NUMBER:
		append_range(option, &range);
		why_set(ret_why, "wants a number from %s", strbuf_text(&range));
		break;
	case CONFIG_SIZE:
		append_range(option, &range);
		why_set(ret_why, "wants a size such as \"5 MiB\", from %s", strbuf_text(&range));
		break;
	case CONFIG_DURATION:
		append_range(option, &range);
		why_set(ret_why, "wants a duration such as \"1 h 30 min\", from %s",
			strbuf_text(&range));
		break;
	case CONFIG_LOG_LEVEL:
		why_set(ret_why, "wants \"DEBUG\", \"INFO\", \"WARNING\" or \"ERROR\"");
		break;
	case CONFIG_CHOICE:
		for (const char *const *choice = option->choices; *choice; choice++)
			strbuf_appendf(&range, "%s\"%s\"",
				choice == option->choices ? ""
				: choice[1]               ? ", "
							  : " or ",
				*choice);
		why_set(ret_why, "wants %s", strbuf_text(&range));
		break;
	case CONFIG_SCHEDULE:
		why_set(ret_why, "wants a string such as \"weekly\", \"Mon..Fri 06:00\" or "
				 "\"off\"");
		break;
	case CONFIG_PATHS:
	case CONFIG_URLS:
		why_set(ret_why,
			"wants a string such as \"%s\" or a list of strings such as [ \"%s\", "
			"\"%s.2\" ]",
			example, example, example);
		break;
	case CONFIG_ADDRESSES:
	case CONFIG_COLUMNS:
		why_set(ret_why, "wants a string such as \"%s\" or a list of strings", example);
		break;
	case CONFIG_TEXT: why_set(ret_why, "wants a string, text in quotes"); break;
	case CONFIG_ADDRESS:
	case CONFIG_SMTP_URL:
	case CONFIG_FILE_NAME:
	case CONFIG_SQL_NAME:
	case CONFIG_PATH: why_set(ret_why, "wants a string such as \"%s\"", example); break;
	}
	return -EINVAL;
}

static int set_number(
	const ConfigOption *option, Config *config, const ConfigValue *value, Why *ret_why)
{
	if (value->kind != CONFIG_VALUE_NUMBER || value->number < 0 ||
		(uint64_t)value->number < option->min || (uint64_t)value->number > option->max)
		return wants(option, ret_why);
	*(unsigned *)field_of(option, config) = (unsigned)value->number;
	return 0;
}

static int set_size(
	const ConfigOption *option, Config *config, const ConfigValue *value, Why *ret_why)
{
	uint64_t size_bytes;

	if (value->kind == CONFIG_VALUE_NUMBER && value->number >= 0)
		size_bytes = (uint64_t)value->number;
	else if (value->kind != CONFIG_VALUE_TEXT ||
		 number_parse_size(span_from_string(value->texts[0]), &size_bytes))
		return wants(option, ret_why);
	if (size_bytes < option->min || size_bytes > option->max)
		return wants(option, ret_why);
	*(uint64_t *)field_of(option, config) = size_bytes;
	return 0;
}

static int set_duration(
	const ConfigOption *option, Config *config, const ConfigValue *value, Why *ret_why)
{
	uint64_t duration_ms;

	if (value->kind == CONFIG_VALUE_NUMBER && value->number >= 0 &&
		(uint64_t)value->number <= option->max / 1000)
		duration_ms = (uint64_t)value->number * 1000;
	else if (value->kind != CONFIG_VALUE_TEXT ||
		 number_parse_duration(span_from_string(value->texts[0]), &duration_ms))
		return wants(option, ret_why);
	if (duration_ms < option->min || duration_ms > option->max)
		return wants(option, ret_why);
	*(uint64_t *)field_of(option, config) = duration_ms;
	return 0;
}

static int set_log_level(
	const ConfigOption *option, Config *config, const ConfigValue *value, Why *ret_why)
{
	LogLevel level;

	if (value->kind != CONFIG_VALUE_TEXT || log_level_from_name(value->texts[0], &level))
		return wants(option, ret_why);
	*(int *)field_of(option, config) = (int)level;
	return 0;
}

static int set_choice(
	const ConfigOption *option, Config *config, const ConfigValue *value, Why *ret_why)
{
	for (int i = 0; value->kind == CONFIG_VALUE_TEXT && option->choices[i]; i++)
		if (!strcmp(value->texts[0], option->choices[i])) {
			*(int *)field_of(option, config) = i;
			return 0;
		}
	return wants(option, ret_why);
}

/* It is shown, and becomes part of a header or a line. */
static int check_text(const char *text, Why *ret_why)
{
	size_t left = strlen(text), n;
	uint32_t cp;

	if (left > TEXT_MAX) {
		why_set(ret_why, "is longer than %d bytes", TEXT_MAX);
		return -EINVAL;
	}
	for (; left; text += n, left -= n) {
		n = utf8_decode(text, left, &cp);
		if (!n)
			why_set(ret_why, "is not UTF-8");
		else if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f))
			why_set(ret_why, "holds a control character");
		else
			continue;
		return -EINVAL;
	}
	return 0;
}

static int check_file_name(const char *name, Why *ret_why)
{
	if (!*name)
		why_set(ret_why, "is empty");
	else if (strchr(name, '/'))
		why_set(ret_why, "\"%s\" holds a slash: only a name is wanted here", name);
	else if (!strcmp(name, ".") || !strcmp(name, ".."))
		why_set(ret_why, "\"%s\" is a directory", name);
	else if (strlen(name) > NAME_MAX)
		why_set(ret_why, "is longer than %d bytes", NAME_MAX);
	else
		return 0;
	return -EINVAL;
}

static int check_path(const char *path, Why *ret_why)
{
	if (!*path)
		why_set(ret_why, "is empty");
	else if (*path != '/')
		why_set(ret_why, "\"%s\" does not start with /: a path must be absolute", path);
	else if (strlen(path) >= PATH_MAX)
		why_set(ret_why, "is longer than %d bytes", PATH_MAX - 1);
	else
		return 0;
	return -EINVAL;
}

/* One path has one spelling where a second one costs nothing to avoid, so that two options that name the same file are seen. */
static char *path_dup(const char *path)
{
	char *copy = malloc(strlen(path) + 1), *to = copy;

	if (!copy)
		return NULL;
	for (; *path; path++)
		if (*path != '/' || to == copy || to[-1] != '/')
			*to++ = *path;
	if (to > copy + 1 && to[-1] == '/')
		to--;
	*to = '\0';
	return copy;
}

static int check_schedule(const char *text, Why *ret_why)
{
	CalSpec spec;
	Why why;

	if (!*text || !strcmp(text, "off") || !calspec_parse(span_from_string(text), &spec, &why))
		return 0;
	why_set(ret_why, "\"%.200s\" is no time that comes again, such as \"weekly\": %s", text,
		why.text);
	return -EINVAL;
}

static int check_mail_address(const char *address, Why *ret_why)
{
	Why why;

	if (!*address) {
		why_set(ret_why, "is empty");
		return -EINVAL;
	}
	if (!address_check(address, &why))
		return 0;
	why_set(ret_why, "\"%.200s\" %s", address, why.text);
	return -EINVAL;
}

static int check_smtp_url(const char *url, Why *ret_why)
{
	Why why;

	if (!transport_check_url(url, &why))
		return 0;
	why_set(ret_why, "\"%.200s\" %s", url, why.text);
	return -EINVAL;
}

/* Names that begin with sqlite_ are SQLite's own. */
static int check_table(const char *name, Why *ret_why)
{
	if (sql_name_valid(span_from_string(name)) && strncmp(name, "sqlite_", 7) != 0)
		return 0;
	why_set(ret_why,
		"%.200s: a name begins with a small letter or _, and has these and digits alone, "
		"at "
		"most %d; and a table's does not begin with sqlite_",
		*name ? name : "\"\"", SQL_NAME_MAX);
	return -EINVAL;
}

static int set_text(
	const ConfigOption *option, Config *config, const ConfigValue *value, Why *ret_why)
{
	char **field = field_of(option, config), *copy;
	const char *text;
	int r = 0;

	if (value->kind != CONFIG_VALUE_TEXT)
		return wants(option, ret_why);
	text = value->texts[0];
	if (option->type == CONFIG_TEXT)
		r = check_text(text, ret_why);
	else if (option->type == CONFIG_ADDRESS && *text)
		r = check_mail_address(text, ret_why);
	else if (option->type == CONFIG_SMTP_URL)
		r = check_smtp_url(text, ret_why);
	else if (option->type == CONFIG_FILE_NAME)
		r = check_file_name(text, ret_why);
	else if (option->type == CONFIG_SQL_NAME)
		r = check_table(text, ret_why);
	else if (option->type == CONFIG_SCHEDULE)
		r = check_schedule(text, ret_why);
	else if (option->type == CONFIG_PATH && (*text || !option->may_be_empty))
		r = check_path(text, ret_why);
	if (r)
		return r;
	copy = option->type == CONFIG_PATH ? path_dup(text) : strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int check_url(const char *url, Why *ret_why)
{
	UrlScheme scheme;
	Why why;

	if (!url_check(url, &scheme, &why))
		return 0;
	why_set(ret_why, "\"%.200s\" %s", url, why.text);
	return -EINVAL;
}

static int check_column(const char *mapping, Why *ret_why)
{
	SqlTable scratch;
	int r = sql_table_init(&scratch, SQL_SQLITE, "x");

	return r ? r : sql_table_map(&scratch, mapping, ret_why);
}

static int check_item(const ConfigOption *option, const char *text, Why *ret_why)
{
	if (option->type == CONFIG_PATHS)
		return check_path(text, ret_why);
	if (option->type == CONFIG_COLUMNS)
		return check_column(text, ret_why);
	return (option->type == CONFIG_URLS ? check_url : check_mail_address)(text, ret_why);
}

/* Of paths, or of what there may be none of. */
static int set_list(
	const ConfigOption *option, Config *config, const ConfigValue *value, Why *ret_why)
{
	char ***field = field_of(option, config), **copy;
	size_t count = value->text_count;
	bool paths = option->type == CONFIG_PATHS;
	int r = 0;

	if (value->kind != CONFIG_VALUE_TEXT && value->kind != CONFIG_VALUE_TEXTS)
		return wants(option, ret_why);
	if (!paths && value->kind == CONFIG_VALUE_TEXT && !*value->texts[0])
		count = 0;
	if (!count && paths) {
		why_set(ret_why, "is an empty list");
		return -EINVAL;
	}
	if (option->type == CONFIG_ADDRESSES && count > LETTER_RECIPIENTS_MAX) {
		why_set(ret_why, "has more than %d addresses", LETTER_RECIPIENTS_MAX);
		return -EINVAL;
	}
	copy = calloc(count + 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < count && !r; i++) {
		r = check_item(option, value->texts[i], ret_why);
		if (r)
			break;
		copy[i] = paths ? path_dup(value->texts[i]) : strdup(value->texts[i]);
		if (!copy[i])
			r = -ENOMEM;
		for (size_t j = 0; j < i && !r; j++)
			if (!strcmp(copy[i], copy[j])) {
				why_set(ret_why, "\"%s\" is listed twice", copy[i]);
				r = -EINVAL;
			}
	}
	if (r) {
		free_texts(copy);
		return r;
	}
	free_texts(*field);
	*field = copy;
	return 0;
}

int config_option_set(
	const ConfigOption *option, Config *config, const ConfigValue *value, Why *ret_why)
{
	switch (option->type) {
	case CONFIG_BOOL:
		if (value->kind != CONFIG_VALUE_BOOL)
			return wants(option, ret_why);
		*(bool *)field_of(option, config) = value->truth;
		return 0;
	case CONFIG_NUMBER: return set_number(option, config, value, ret_why);
	case CONFIG_SIZE: return set_size(option, config, value, ret_why);
	case CONFIG_DURATION: return set_duration(option, config, value, ret_why);
	case CONFIG_LOG_LEVEL: return set_log_level(option, config, value, ret_why);
	case CONFIG_CHOICE: return set_choice(option, config, value, ret_why);
	case CONFIG_PATHS:
	case CONFIG_URLS:
	case CONFIG_ADDRESSES:
	case CONFIG_COLUMNS: return set_list(option, config, value, ret_why);
	case CONFIG_TEXT:
	case CONFIG_ADDRESS:
	case CONFIG_SMTP_URL:
	case CONFIG_FILE_NAME:
	case CONFIG_SQL_NAME:
	case CONFIG_SCHEDULE:
	case CONFIG_PATH: return set_text(option, config, value, ret_why);
	}
	return -EINVAL;
}

int config_option_set_fallback(const ConfigOption *option, Config *config)
{
	ConfigValue value = {.kind = CONFIG_VALUE_TEXT,
		.texts = (const char *[]){option->fallback},
		.text_count = 1};
	uint64_t number;

	if (option->type == CONFIG_BOOL) {
		value.kind = CONFIG_VALUE_BOOL;
		value.truth = !strcmp(option->fallback, "true");
	} else if (option->type == CONFIG_NUMBER &&
		   !number_parse_u64(span_from_string(option->fallback), INT64_MAX, &number)) {
		value.kind = CONFIG_VALUE_NUMBER;
		value.number = (int64_t)number;
	}
	return config_option_set(option, config, &value, NULL);
}

/* libconfig knows \xHH for every byte. */
static void append_quoted(const char *text, StrBuf *sb)
{
	const char *end = text + strlen(text);

	strbuf_append_char(sb, '"');
	while (text < end) {
		uint32_t cp;
		size_t n = utf8_decode(text, (size_t)(end - text), &cp);

		if (!n || cp < 0x20 || (cp >= 0x7f && cp <= 0x9f)) {
			for (n = MAX(n, (size_t)1); n; n--)
				strbuf_appendf(sb, "\\x%02x", (unsigned char)*text++);
			continue;
		}
		if (cp == '"' || cp == '\\')
			strbuf_append_char(sb, '\\');
		strbuf_append(sb, text, n);
		text += n;
	}
	strbuf_append_char(sb, '"');
}

static void append_list(char *const *texts, StrBuf *sb)
{
	if (!texts[0] || !texts[1]) {
		append_quoted(texts[0] ? texts[0] : "", sb);
		return;
	}
	for (size_t i = 0; texts[i]; i++) {
		strbuf_append_string(sb, i ? ", " : "[ ");
		append_quoted(texts[i], sb);
	}
	strbuf_append_string(sb, " ]");
}

void config_option_format(const ConfigOption *option, const Config *config, StrBuf *sb)
{
	const void *field = const_field_of(option, config);

	switch (option->type) {
	case CONFIG_BOOL: strbuf_append_string(sb, *(const bool *)field ? "true" : "false"); break;
	case CONFIG_NUMBER: strbuf_append_u64(sb, *(const unsigned *)field); break;
	case CONFIG_SIZE:
		strbuf_append_char(sb, '"');
		append_size(*(const uint64_t *)field, sb);
		strbuf_append_char(sb, '"');
		break;
	case CONFIG_DURATION:
		strbuf_append_char(sb, '"');
		append_duration(*(const uint64_t *)field, sb);
		strbuf_append_char(sb, '"');
		break;
	case CONFIG_LOG_LEVEL:
		append_quoted(log_level_name((LogLevel) * (const int *)field), sb);
		break;
	case CONFIG_CHOICE: append_quoted(option->choices[*(const int *)field], sb); break;
	case CONFIG_TEXT:
	case CONFIG_ADDRESS:
	case CONFIG_SMTP_URL:
	case CONFIG_FILE_NAME:
	case CONFIG_SQL_NAME:
	case CONFIG_SCHEDULE:
	case CONFIG_PATH: append_quoted(*(char *const *)field, sb); break;
	case CONFIG_PATHS:
	case CONFIG_URLS:
	case CONFIG_ADDRESSES:
	case CONFIG_COLUMNS: append_list(*(char **const *)field, sb); break;
	}
}

void config_option_describe(const ConfigOption *option, StrBuf *sb)
{
	strbuf_append_string(sb, option->help);
	if (option->max) {
		strbuf_append_string(sb, " (");
		append_range(option, sb);
		strbuf_append_char(sb, ')');
	}
	if (option->needs_restart)
		strbuf_append_string(sb, " (a change needs a restart)");
}
