/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/config.h"

#include <libconfig.h>

#include "base/file.h"
#include "base/utf8.h"
#include "build-config.h"
#include "daemon/config-mistakes.h"
#include "daemon/config-option.h"
#include "daemon/config-scan.h"
#include "enrich/rdns.h"
#include "store/sql.h"

#define CONFIG_FILE_MAX ((size_t)1 << 20) /* bytes; a real one has 5 KiB */
#define LIST_MAX 256                      /* texts in a list */

typedef struct Reader {
	Config *config;
	ConfigMistakes mistakes;
	int error; /* -ENOMEM */
} Reader;

static unsigned line_of(const config_setting_t *setting)
{
	return config_setting_source_line(setting);
}

/* config_scan's marks: *N stands for what was broken, NAME*N for a name that was there before. */
static bool name_of(const config_setting_t *setting, char name[64])
{
	const char *given = config_setting_name(setting);
	size_t len = strcspn(given, "*");

	if (!len)
		return false;
	len = MIN(len, (size_t)63);
	memcpy(name, given, len);
	name[len] = '\0';
	return true;
}

static void read_value(
	const config_setting_t *setting, const char *texts[LIST_MAX], ConfigValue *ret_value)
{
	ConfigValue value = {.kind = CONFIG_VALUE_OTHER, .texts = texts};

	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_BOOL:
		value.kind = CONFIG_VALUE_BOOL;
		value.truth = config_setting_get_bool(setting);
		break;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		value.kind = CONFIG_VALUE_NUMBER;
		value.number = config_setting_get_int64(setting);
		break;
	case CONFIG_TYPE_STRING:
		value.kind = CONFIG_VALUE_TEXT;
		texts[value.text_count++] = config_setting_get_string(setting);
		break;
	case CONFIG_TYPE_ARRAY:
	case CONFIG_TYPE_LIST:
		if (config_setting_length(setting) > LIST_MAX)
			break;
		value.kind = CONFIG_VALUE_TEXTS;
		for (int i = 0; i < config_setting_length(setting); i++) {
			texts[i] = config_setting_get_string_elem(setting, i);
			if (!texts[i])
				value.kind = CONFIG_VALUE_OTHER;
		}
		value.text_count = (size_t)config_setting_length(setting);
		break;
	default: break;
	}
	*ret_value = value;
}

static void read_option(Reader *reader, const char *group, const config_setting_t *setting)
{
	const char *texts[LIST_MAX];
	const ConfigOption *option, *nearest;
	ConfigValue value;
	char key[64];
	Why why;
	int r;

	if (!name_of(setting, key))
		return;
	option = config_option_find(group, key, &nearest);
	if (!option) {
		config_mistakes_add(&reader->mistakes, line_of(setting),
			"%s.%s: unknown key%s%s%s%s%s", group, key,
			nearest ? "; did you mean " : "", nearest ? nearest->group : "",
			nearest ? "." : "", nearest ? nearest->key : "", nearest ? "?" : "");
		return;
	}
	read_value(setting, texts, &value);
	r = config_option_set(option, reader->config, &value, &why);
	if (r == -EINVAL)
		config_mistakes_add(
			&reader->mistakes, line_of(setting), "%s.%s: %s", group, key, why.text);
	else if (r)
		reader->error = r;
	else
		reader->config->lines[option - config_options] = line_of(setting);
}

static void read_group(Reader *reader, const config_setting_t *setting)
{
	const ConfigGroup *group, *nearest;
	const ConfigOption *option;
	char name[64];

	if (!name_of(setting, name))
		return;
	group = config_group_find(name, &nearest);
	if (group && config_setting_is_group(setting)) {
		for (int i = 0; i < config_setting_length(setting); i++)
			read_option(
				reader, group->name, config_setting_get_elem(setting, (unsigned)i));
		return;
	}
	(void)config_option_find("", name, &option);
	if (group)
		config_mistakes_add(&reader->mistakes, line_of(setting),
			"%s: is a group and wants braces: %s: { ... };", name, name);
	else if (!config_setting_is_group(setting) && option)
		config_mistakes_add(&reader->mistakes, line_of(setting),
			"%s: stands outside of a group; did you mean %s: { %s = ...; };?", name,
			option->group, option->key);
	else
		config_mistakes_add(&reader->mistakes, line_of(setting), "%s: unknown group%s%s%s",
			name, nearest ? "; did you mean " : "", nearest ? nearest->name : "",
			nearest ? "?" : "");
}

/* The line that libconfig stumbled over, in short. */
static Span line_text(const StrBuf *text, unsigned line)
{
	const char *p = strbuf_text(text), *end = p + text->len, *stop;

	while (--line && (p = memchr(p, '\n', (size_t)(end - p))))
		p++;
	if (!p)
		return SPAN_LITERAL("");
	p += strspn(p, " \t");
	stop = memchr(p, '\n', (size_t)(end - p));
	return (Span){p, MIN((size_t)((stop ? stop : end) - p), (size_t)60)};
}

static void read_tree(Reader *reader, const StrBuf *raw, const StrBuf *scanned)
{
	config_setting_t *root;
	config_t tree;

	config_init(&tree);
	/* After an error, what stands before it is in the tree. */
	if (!config_read_string(&tree, strbuf_text(scanned))) {
		unsigned line = (unsigned)config_error_line(&tree);
		Span near = line_text(raw, line);

		config_mistakes_add(&reader->mistakes, line, "%s near \"%.*s\"",
			config_error_text(&tree), (int)near.len, near.data);
	}
	root = config_root_setting(&tree);
	for (int i = 0; i < config_setting_length(root); i++)
		read_group(reader, config_setting_get_elem(root, (unsigned)i));
	config_destroy(&tree);
}

static void check_dns(Reader *reader)
{
	const Config *config = reader->config;
	RdnsOptions options = {
		.enabled = config->dns.enabled,
		.servers = config->dns.servers,
		.timeout_ms = config->dns.timeout_ms,
		.tries = config->dns.tries,
		.max_in_flight = config->dns.max_in_flight,
		.cache_enabled = config->dns_cache.enabled,
		.cache_size = config->dns_cache.size,
		.cache_ttl_seconds = config->dns_cache.ttl_seconds,
	};
	const ConfigOption *option;
	char key[64] = "";
	Why why;

	if (rdns_options_check(&options, &why) != -EINVAL)
		return;
	/* "servers: ...": the reason starts with the key. */
	memcpy(key, why.text, MIN(strcspn(why.text, ":"), sizeof(key) - 1));
	option = config_option_find("dns", key, NULL);
	config_mistakes_add(&reader->mistakes, option ? config->lines[option - config_options] : 0,
		"dns.%s", why.text);
}

static unsigned line_of_option(const Reader *reader, const ConfigOption *option)
{
	return reader->config->lines[option - config_options];
}

/* A user and the password belong together. */
static void check_report(Reader *reader)
{
	const Config *config = reader->config;
	const char *missing = NULL, *key = NULL;

	if (*config->report.smtp_user && !*config->report.smtp_password_file) {
		key = "smtp_user";
		missing = "smtp_password_file";
	} else if (*config->report.smtp_password_file && !*config->report.smtp_user) {
		key = "smtp_password_file";
		missing = "smtp_user";
	}
	if (key)
		config_mistakes_add(&reader->mistakes,
			line_of_option(reader, config_option_find("report", key, NULL)),
			"report.%s: is of no use without report.%s", key, missing);
}

/* The collector looks at no other files, and one that looks right and does nothing is hard to find. */
static void check_metrics(Reader *reader)
{
	const char *path = reader->config->metrics.textfile;
	size_t len = strlen(path);

	if (len && (len < 6 || strcmp(path + len - 5, ".prom") != 0 || path[len - 6] == '/'))
		config_mistakes_add(&reader->mistakes,
			line_of_option(reader, config_option_find("metrics", "textfile", NULL)),
			"metrics.textfile: wants a name such as maillogsentinel.prom; the "
			"collector reads only what ends in .prom");
}

int config_sql_table(const Config *config, SqlTable *ret_table, Why *ret_why)
{
	int r = sql_table_init(
		ret_table, (SqlDialect)config->database.db_type, config->database.table);

	for (char **text = config->database.columns; *text && !r; text++)
		r = sql_table_map(ret_table, *text, ret_why);
	return r ? r : sql_table_check(ret_table, ret_why);
}

static void add_to_database(Reader *reader, const char *key, const char *why)
{
	config_mistakes_add(&reader->mistakes,
		line_of_option(reader, config_option_find("database", key, NULL)),
		"database.%s: %s", key, why);
}

/* Each column of the CSV is spoken of once, and each of the table has a name of its own. */
static void check_columns(Reader *reader)
{
	char **texts = reader->config->database.columns;
	SqlTable table;
	Why why;

	for (char **text = texts; *text; text++)
		for (char **other = texts; other < text; other++) {
			size_t len = strcspn(*text, "=");

			if (strncmp(*text, *other, len + 1) != 0)
				continue;
			why_set(&why, "%.*s is there twice", (int)len, *text);
			add_to_database(reader, "columns", why.text);
		}
	if (config_sql_table(reader->config, &table, &why) < 0)
		add_to_database(reader, "columns", why.text);
}

static void check_database(Reader *reader)
{
	const Config *config = reader->config;

	if (*config->database.db_host && *config->database.db_socket)
		add_to_database(reader, "db_socket", "is of no use with database.db_host");
	if (!*config->database.db_name)
		add_to_database(reader, "db_name", "is empty");
	check_columns(reader);
}

/* One of the two databases, and the options that say where it is. */
typedef struct Database {
	const char *group, *url_key, *checksum_key;
	const char *name; /* of the file, by default */
	char **path, ***urls, ***checksum_urls;
} Database;

static size_t count_of(char *const *texts)
{
	size_t n = 0;

	while (texts[n])
		n++;
	return n;
}

static void empty(char **texts)
{
	for (size_t i = count_of(texts); i > 0; i--) {
		free(texts[i - 1]);
		texts[i - 1] = NULL;
	}
}

static bool is_fallback(const ConfigOption *option, char *const *texts)
{
	return texts[0] && !texts[1] && !strcmp(texts[0], option->fallback);
}

/*
 * What stands for "" and for what is not said. The default URLs are those of the default file: a file elsewhere, which another
 * program may keep up to date, is left alone unless there is a URL for it. And the default checksums are those of the default URLs.
 */
static int complete_database(Reader *reader, const Database *database)
{
	const ConfigOption *url = config_option_find(database->group, database->url_key, NULL);
	const ConfigOption *checksum =
		config_option_find(database->group, database->checksum_key, NULL);
	_cleanup_free_ char *dir = file_join_dup(reader->config->paths.state_dir, "db");
	_cleanup_free_ char *path = dir ? file_join_dup(dir, database->name) : NULL;
	size_t urls, checksums;

	if (!path)
		return -ENOMEM;
	if (**database->path && strcmp(*database->path, path) != 0 && !line_of_option(reader, url))
		empty(*database->urls);
	if (!is_fallback(url, *database->urls) && !line_of_option(reader, checksum))
		empty(*database->checksum_urls);
	urls = count_of(*database->urls);
	checksums = count_of(*database->checksum_urls);
	if (checksums > 1 && checksums != urls)
		config_mistakes_add(&reader->mistakes, line_of_option(reader, checksum),
			"%s.%s: has %zu checksums for %zu URLs; wants one for each, or one for all",
			database->group, database->checksum_key, checksums, urls);
	if (!**database->path) {
		free(*database->path);
		*database->path = TAKE(path);
	}
	return 0;
}

static int complete_databases(Reader *reader)
{
	Config *config = reader->config;
	const Database databases[] = {
		{"geolocation", "country_db_url", "country_db_checksum_url", "user-country.mmdb",
			&config->geolocation.country_db_path, &config->geolocation.country_db_url,
			&config->geolocation.country_db_checksum_url},
		{"ASN_ASO", "asn_db_url", "asn_db_checksum_url", "origin-asn.mmdb",
			&config->asn_aso.asn_db_path, &config->asn_aso.asn_db_url,
			&config->asn_aso.asn_db_checksum_url},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(databases) && !r; i++)
		r = complete_database(reader, &databases[i]);
	return r;
}

/* "" stands for `name` in state_dir. 0 or -ENOMEM. */
static int complete_path(const Config *config, const char *name, char **path)
{
	char *full;

	if (**path)
		return 0;
	full = file_join_dup(config->paths.state_dir, name);
	if (!full)
		return -ENOMEM;
	free(*path);
	*path = full;
	return 0;
}

static int complete_paths(Reader *reader)
{
	Config *config = reader->config;
	int r = complete_databases(reader);

	if (!r)
		r = complete_path(config, "maillogsentinel.sqlite", &config->database.db_path);
	return r ? r : complete_path(config, "sql", &config->database.sql_export_dir);
}

static int config_new(Config **ret_config)
{
	_cleanup_(config_freep) Config *config = calloc(1, sizeof(*config));
	int r;

	if (!config)
		return -ENOMEM;
	config->lines = calloc(config_option_count, sizeof(*config->lines));
	if (!config->lines)
		return -ENOMEM;
	for (size_t i = 0; i < config_option_count; i++) {
		r = config_option_set_fallback(&config_options[i], config);
		if (r)
			return r;
	}
	*ret_config = TAKE(config);
	return 0;
}

void config_free(Config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config_option_count; i++)
		config_option_clear(&config_options[i], config);
	free(config->lines);
	free(config->path);
	free(config);
}

static int fail(const char *path, int r, StrBuf *ret_errors)
{
	utf8_append_escaped(ret_errors, span_from_string(path));
	strbuf_appendf(ret_errors, ": %s\n",
		r == -EFBIG ? "is too large for a configuration file" : strerror(-r));
	return r;
}

static bool is_group(const char *name)
{
	return config_group_find(name, NULL);
}

/* Where there are mistakes (-EINVAL), the configuration is what is right. */
static int load(const char *path, Config **ret_config, StrBuf *ret_errors)
{
	_cleanup_(config_freep) Config *config = NULL;
	_cleanup_strbuf_ StrBuf raw = STRBUF_INIT, scanned = STRBUF_INIT;
	const char *file = path ? path : MLS_DEFAULT_CONFIG;
	Reader reader = {0};
	int r, absent;

	r = config_new(&config);
	if (r)
		return fail(file, r, ret_errors);
	absent = file_read(file, CONFIG_FILE_MAX, &raw);
	if (absent && (absent != -ENOENT || path))
		return fail(file, absent, ret_errors);
	if (!absent) {
		config->path = strdup(file);
		if (!config->path)
			return fail(file, -ENOMEM, ret_errors);
	}
	reader.config = config;
	r = config_scan((Span){strbuf_text(&raw), raw.len}, is_group, &reader.mistakes, &scanned);
	if (!r)
		read_tree(&reader, &raw, &scanned);
	if (r >= 0)
		r = reader.error;
	if (!r && !reader.mistakes.count) {
		check_dns(&reader);
		check_report(&reader);
		check_metrics(&reader);
		check_database(&reader);
		r = complete_paths(&reader);
	}
	if (!r)
		r = reader.mistakes.error;
	if (!r && reader.mistakes.count) {
		config_mistakes_write(&reader.mistakes, file, ret_errors);
		r = strbuf_error(ret_errors) ? strbuf_error(ret_errors) : -EINVAL;
	} else if (r) {
		(void)fail(file, r, ret_errors);
	}
	config_mistakes_done(&reader.mistakes);
	if (!r || r == -EINVAL)
		*ret_config = TAKE(config);
	return r;
}

int config_load(const char *path, Config **ret_config, StrBuf *ret_errors)
{
	_cleanup_(config_freep) Config *config = NULL;
	int r = load(path, &config, ret_errors);

	if (!r)
		*ret_config = TAKE(config);
	return r;
}

int config_find_state_dir(const char *path, char **ret_state_dir, StrBuf *ret_errors)
{
	_cleanup_(config_freep) Config *config = NULL;
	int r = load(path, &config, ret_errors);

	if (!config)
		return r;
	*ret_state_dir = TAKE(config->paths.state_dir);
	return r ? CONFIG_MISTAKES : 0;
}

char *config_csv_path_dup(const Config *config)
{
	return file_join_dup(config->paths.working_dir, config->paths.csv_filename);
}

char *config_image_path_dup(const Config *config)
{
	_cleanup_free_ char *dir = file_join_dup(config->paths.state_dir, "db");

	return dir ? file_join_dup(dir, "ip.image") : NULL;
}
