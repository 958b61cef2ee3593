/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "migrate/old-config.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/number.h"
#include "daemon/config-option.h"

#define WORKING_DIR "/var/log/maillogsentinel"
#define STATE_DIR "/var/lib/maillogsentinel"

typedef enum Kind {
	TEXT,
	PATH, /* what is not absolute is below the working directory */
	NUMBER,
	MEBIBYTES,
	TRUTH,
	ADDRESSES, /* with commas between */
	SENDER,
	LEVEL,
	SOURCE,
	DATABASE_TYPE,
	SCHEDULE,
	DATABASE, /* of addresses: taken with its URL or not at all, see take_databases() */
	NOTHING,  /* of no use here; the note says why */
} Kind;

typedef struct Key {
	const char *section, *name;
	Kind kind;
	const char *group, *option; /* here */
	const char *
		fallback; /* that program's default, with a | between several; for NOTHING the note */
} Key;

#define FOLLOWS "not needed: the service reads each line when it is written"
#define RUNS_AS "not needed: the service runs as the user maillogsentinel"
#define PASSWORD "not taken: write it to a file of its own, which database.db_password_file names"

static const Key keys[] = {
	{"paths", "working_dir", PATH, "paths", "working_dir", NULL},
	{"paths", "state_dir", PATH, "paths", "state_dir", NULL},
	{"paths", "mail_log", PATH, "paths", "mail_log", NULL},
	{"paths", "csv_filename", TEXT, "paths", "csv_filename", NULL},
	{"log_source", "source_type", SOURCE, "source", "type", NULL},
	{"log_source", "journald_unit", NOTHING, NULL, NULL,
		"not needed: in the journal all messages of Postfix are found, whatever their "
		"unit"},
	{"report", "email", ADDRESSES, "report", "email", "security-team@example.org"},
	{"report", "recipient", ADDRESSES, "report", "email", "security-team@example.org"},
	{"report", "subject_prefix", TEXT, "report", "subject_prefix", NULL},
	{"report", "report_subject_prefix", TEXT, "report", "subject_prefix", NULL},
	{"report", "sender_override", SENDER, "report", "sender_override", NULL},
	{"report", "report_sender_override", SENDER, "report", "sender_override", NULL},
	{"report", "sender", SENDER, "report", "sender_override", NULL},
	{"geolocation", "country_db_path", DATABASE, NULL, NULL, NULL},
	{"geolocation", "country_db_url", DATABASE, NULL, NULL, NULL},
	{"geo", "country_db_path", DATABASE, NULL, NULL, NULL},
	{"ASN_ASO", "asn_db_path", DATABASE, NULL, NULL, NULL},
	{"ASN_ASO", "asn_db_url", DATABASE, NULL, NULL, NULL},
	{"geo", "asn_db_path", DATABASE, NULL, NULL, NULL},
	{"general", "log_level", LEVEL, "general", "log_level", NULL},
	{"general", "log_file", PATH, "general", "log_file", WORKING_DIR "/maillogsentinel.log"},
	{"general", "log_file_max_bytes", NUMBER, "general", "log_file_max_bytes", "1000000"},
	{"general", "log_file_max_mb", MEBIBYTES, "general", "log_file_max_bytes", "64"},
	{"general", "log_file_backup_count", NUMBER, "general", "log_file_backup_count", "5|7"},
	{"dns_cache", "enabled", TRUTH, "dns_cache", "enabled", NULL},
	{"dns_cache", "size", NUMBER, "dns_cache", "size", "128|256"},
	{"dns_cache", "ttl_seconds", NUMBER, "dns_cache", "ttl_seconds", NULL},
	{"dns_cache", "ttl", NUMBER, "dns_cache", "ttl_seconds", NULL},
	{"database", "db_type", DATABASE_TYPE, "database", "db_type", NULL},
	{"database", "db_path", PATH, "database", "db_path", NULL},
	{"database", "path", PATH, "database", "db_path", NULL},
	{"database", "db_host", TEXT, "database", "db_host", NULL},
	{"database", "host", TEXT, "database", "db_host", NULL},
	{"database", "db_port", NUMBER, "database", "db_port", NULL},
	{"database", "port", NUMBER, "database", "db_port", NULL},
	{"database", "db_name", TEXT, "database", "db_name", NULL},
	{"database", "name", TEXT, "database", "db_name", NULL},
	{"database", "database", TEXT, "database", "db_name", NULL},
	{"database", "db_user", TEXT, "database", "db_user", NULL},
	{"database", "user", TEXT, "database", "db_user", NULL},
	{"database", "username", TEXT, "database", "db_user", NULL},
	{"database", "db_password", NOTHING, NULL, NULL, PASSWORD},
	{"database", "password", NOTHING, NULL, NULL, PASSWORD},
	{"database", "password_hash", NOTHING, NULL, NULL, PASSWORD},
	{"database", "salt", NOTHING, NULL, NULL, "not needed"},
	{"database", "sql_export_dir", PATH, "database", "sql_export_dir", NULL},
	{"sqlite_database", "db_type", DATABASE_TYPE, "database", "db_type", NULL},
	{"sqlite_database", "db_path", PATH, "database", "db_path", NULL},
	{"sqlite_database", "user", NOTHING, NULL, NULL, "not needed: SQLite knows no users"},
	{"sqlite_database", "password_hash", NOTHING, NULL, NULL,
		"not needed: SQLite knows no passwords"},
	{"sqlite_database", "salt", NOTHING, NULL, NULL, "not needed: SQLite knows no passwords"},
	{"sql_export_settings", "table_name", TEXT, "database", "table", "maillogsentinel_events"},
	{"sql_export_settings", "column_mapping_file", NOTHING, NULL, NULL,
		"not taken: database.columns names columns otherwise"},
	{"sql_export_systemd", "frequency", SCHEDULE, "schedule", "sql_export_schedule", NULL},
	{"sql_import_systemd", "frequency", SCHEDULE, "schedule", "sql_import_schedule", NULL},
	{"systemd", "extraction_schedule", NOTHING, NULL, NULL, FOLLOWS},
	{"systemd", "report_schedule", SCHEDULE, "schedule", "report_schedule", NULL},
	{"systemd", "report_on_calendar", SCHEDULE, "schedule", "report_schedule", NULL},
	{"systemd", "ip_update_schedule", SCHEDULE, "schedule", "ip_update_schedule", NULL},
	{"systemd", "sql_export_schedule", SCHEDULE, "schedule", "sql_export_schedule", NULL},
	{"systemd", "sql_import_schedule", SCHEDULE, "schedule", "sql_import_schedule", NULL},
	{"timers", "log_extraction", NOTHING, NULL, NULL, FOLLOWS},
	{"timers", "report", SCHEDULE, "schedule", "report_schedule", NULL},
	{"timers", "ip_db_update", SCHEDULE, "schedule", "ip_update_schedule", NULL},
	{"timers", "sql_export", SCHEDULE, "schedule", "sql_export_schedule", NULL},
	{"timers", "sql_import", SCHEDULE, "schedule", "sql_import_schedule", NULL},
	{"User", "run_as_user", NOTHING, NULL, NULL, RUNS_AS},
	{"permissions", "service_user", NOTHING, NULL, NULL, RUNS_AS},
	{"meta", "schema_version", NOTHING, NULL, NULL, "not needed"},
};

void old_config_done(OldConfig *config)
{
	settings_free(config->settings);
	strbuf_done(&config->notes);
	free(config->working_dir);
	free(config->state_dir);
	free(config->mail_log);
	free(config->csv_filename);
	free(config->log_file);
	free(config->country_db);
	free(config->asn_db);
	free(config->sqlite);
	free(config->sql_dir);
	*config = OLD_CONFIG_INIT;
}

static const Key *find_key(const IniEntry *entry)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcasecmp(keys[i].section, entry->section) &&
			!strcmp(keys[i].name, entry->key))
			return &keys[i];
	return NULL;
}

/* Whether the value is one of those that have a | between them. */
static bool is_one_of(const char *value, const char *list)
{
	size_t len = strlen(value);

	while (list && *list) {
		size_t n = strcspn(list, "|");

		if (n == len && !memcmp(list, value, n))
			return true;
		list += n + (list[n] == '|');
	}
	return false;
}

static void note(OldConfig *config, const IniEntry *entry, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void note(OldConfig *config, const IniEntry *entry, const char *fmt, ...)
{
	va_list ap;

	strbuf_appendf(&config->notes, "[%s] %s: ", entry->section, entry->key);
	va_start(ap, fmt);
	strbuf_vappendf(&config->notes, fmt, ap);
	va_end(ap);
	strbuf_append_char(&config->notes, '\n');
}

/* 0; -EINVAL, noted; -ENOMEM. */
static int set_value(OldConfig *config, const IniEntry *entry, const char *group,
	const char *option, const ConfigValue *value)
{
	Why why = {""};
	int r = settings_set_value(config->settings, group, option, value, &why);

	if (!r)
		config->taken++;
	if (r == -EINVAL)
		note(config, entry, "'%s' is not taken, %s.%s has its default: %s", entry->value,
			group, option, why.text);
	return r;
}

static int set_texts(OldConfig *config, const IniEntry *entry, const char *group,
	const char *option, const char **texts, size_t count)
{
	const ConfigValue value = {
		.kind = count == 1 ? CONFIG_VALUE_TEXT : CONFIG_VALUE_TEXTS,
		.texts = texts,
		.text_count = count,
	};

	return set_value(config, entry, group, option, &value);
}

static int set_text(OldConfig *config, const IniEntry *entry, const char *group, const char *option,
	const char *text)
{
	return set_texts(config, entry, group, option, &text, 1);
}

static int set_number(OldConfig *config, const IniEntry *entry, const Key *key)
{
	ConfigValue value = {.kind = CONFIG_VALUE_NUMBER};
	uint64_t number;

	/* Python takes 1_000_000, too. */
	if (number_parse_u64(span_from_string(entry->value), INT64_MAX >> 20, &number)) {
		note(config, entry, "'%s' is not taken, %s.%s has its default: wants a number",
			entry->value, key->group, key->option);
		return -EINVAL;
	}
	value.number = (int64_t)number << (key->kind == MEBIBYTES ? 20 : 0);
	return set_value(config, entry, key->group, key->option, &value);
}

static int set_truth(OldConfig *config, const IniEntry *entry, const Key *key)
{
	static const char *const words[2][4] = {
		{"0", "no", "false", "off"}, {"1", "yes", "true", "on"}};

	for (int truth = 0; truth <= 1; truth++)
		for (size_t i = 0; i < ARRAY_SIZE(words[0]); i++)
			if (!strcasecmp(entry->value, words[truth][i]))
				return set_value(config, entry, key->group, key->option,
					&(ConfigValue){.kind = CONFIG_VALUE_BOOL, .truth = truth});
	note(config, entry, "'%s' is not taken, %s.%s has its default: wants true or false",
		entry->value, key->group, key->option);
	return -EINVAL;
}

#define ADDRESSES_MAX 100

static int set_addresses(OldConfig *config, const IniEntry *entry, const Key *key)
{
	_cleanup_free_ char *copy = strdup(entry->value);
	const char *texts[ADDRESSES_MAX];
	char *rest = copy, *word;
	size_t count = 0;

	if (!copy)
		return -ENOMEM;
	while ((word = strtok_r(rest, ", \t\n", &rest)) && count < ADDRESSES_MAX)
		texts[count++] = word;
	return count ? set_texts(config, entry, key->group, key->option, texts, count) : 0;
}

static int set_word(OldConfig *config, const IniEntry *entry, const Key *key)
{
	static const struct {
		Kind kind;
		const char *old, *now;
	} words[] = {
		{LEVEL, "CRITICAL", "ERROR"},
		{SOURCE, "auto", "auto"},
		{SOURCE, "syslog", "file"},
		{SOURCE, "journald", "journal"},
		{DATABASE_TYPE, "sqlite3", "sqlite"},
		{DATABASE_TYPE, "postgres", "postgresql"},
		{DATABASE_TYPE, "mariadb", "mysql"},
	};
	const char *text = entry->value;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (key->kind == words[i].kind && !strcasecmp(text, words[i].old))
			text = words[i].now;
	config->journal |= key->kind == SOURCE && !strcmp(text, "journal");
	return set_text(config, entry, key->group, key->option, text);
}

/* Below the working directory, where it is not absolute. */
static char *absolute_dup(const OldConfig *config, const char *path)
{
	return *path == '/' ? strdup(path) : file_join_dup(config->working_dir, path);
}

static int set_path(OldConfig *config, const IniEntry *entry, const Key *key)
{
	_cleanup_free_ char *path = absolute_dup(config, entry->value);

	return path ? set_text(config, entry, key->group, key->option, path) : -ENOMEM;
}

/* What the timer's unit says counts more; without any of its timers, SQL was not done. */
static int set_schedule(
	OldConfig *config, const IniEntry *entry, const Key *key, const OldTimes *times)
{
	const struct {
		const char *option, *time;
		bool needs_timer;
	} of[] = {
		{"report_schedule", times->report, false},
		{"ip_update_schedule", times->ip_update, false},
		{"sql_export_schedule", times->sql_export, true},
		{"sql_import_schedule", times->sql_import, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		if (strcmp(of[i].option, key->option) != 0)
			continue;
		if (of[i].time && strcmp(of[i].time, entry->value) != 0)
			note(config, entry, "not taken, since its timer says '%s'", of[i].time);
		/* The timer itself is taken afterwards. */
		if (of[i].time)
			return 0;
		if (of[i].needs_timer) {
			note(config, entry,
				"not taken, since it had no timer: schedule.%s says when it is "
				"done here",
				key->option);
			return 0;
		}
	}
	return set_text(config, entry, key->group, key->option, entry->value);
}

static int take(OldConfig *config, const IniEntry *entry, const Key *key, const OldTimes *times)
{
	if (!*entry->value && key->kind != NOTHING)
		return 0;
	if (key->kind != NOTHING && is_one_of(entry->value, key->fallback)) {
		note(config, entry, "'%s' was its default; this version's holds", entry->value);
		return 0;
	}
	switch (key->kind) {
	case TEXT: return set_text(config, entry, key->group, key->option, entry->value);
	case PATH: return set_path(config, entry, key);
	case NUMBER:
	case MEBIBYTES: return set_number(config, entry, key);
	case TRUTH: return set_truth(config, entry, key);
	case ADDRESSES: return set_addresses(config, entry, key);
	case LEVEL:
	case SOURCE:
	case DATABASE_TYPE: return set_word(config, entry, key);
	case SCHEDULE: return set_schedule(config, entry, key, times);
	case SENDER:
		/* What its setup proposed, which no mail server takes. */
		if (strstr(entry->value, "@localhost")) {
			note(config, entry,
				"'%s' is no address that others know; the default holds",
				entry->value);
			return 0;
		}
		return set_text(config, entry, key->group, key->option, entry->value);
	case DATABASE: return 0;
	case NOTHING: note(config, entry, "%s", key->fallback); return 0;
	}
	return 0;
}

/* ---- databases of addresses ----------------------------------------------------------------- */

#define OLD_URL "raw.githubusercontent.com/sapics/"
#define OLD_PATHS                                                                                 \
	STATE_DIR "/country_aside.csv|" STATE_DIR "/country.mmdb|" STATE_DIR                      \
		  "/asn-country-ipv4.csv|" STATE_DIR "/asn.csv|" STATE_DIR "/asn.mmdb|" STATE_DIR \
		  "/asn-ipv4.csv"

/*
 * One that is fetched from a place of one's own, or put there by somebody else, is taken with its path. What came from where that
 * program had it by default can't be fetched there any more: then path and URL have the defaults. *ret_left is the file that is of no use then.
 */
static int take_database(
	OldConfig *config, const Ini *ini, const char *group, const char *which, char **ret_left)
{
	char path_key[32], url_key[32], checksum_key[32];
	const IniEntry *path, *url;
	bool has_url;
	int r = 0;

	(void)snprintf(path_key, sizeof(path_key), "%s_db_path", which);
	(void)snprintf(url_key, sizeof(url_key), "%s_db_url", which);
	(void)snprintf(checksum_key, sizeof(checksum_key), "%s_db_checksum_url", which);
	path = ini_find(ini, group, path_key);
	if (!path)
		path = ini_find(ini, "geo", path_key);
	url = ini_find(ini, group, url_key);
	has_url = url && *url->value && !strstr(url->value, OLD_URL);
	if (url && *url->value && !has_url)
		note(config, url, "is gone; the default holds");
	if (path && *path->value && (has_url || (!url && !is_one_of(path->value, OLD_PATHS)))) {
		_cleanup_free_ char *text = absolute_dup(config, path->value);

		r = text ? set_text(config, path, group, path_key, text) : -ENOMEM;
	} else if (path && *path->value) {
		note(config, path, "not taken: the default database knows IPv6, too");
		*ret_left = absolute_dup(config, path->value);
		if (!*ret_left)
			return -ENOMEM;
	}
	if (r == -ENOMEM || (!has_url && (*ret_left || !path || url)))
		return MIN(r, 0) == -ENOMEM ? r : 0;
	r = set_text(config, has_url ? url : path, group, url_key, has_url ? url->value : "");
	if (!r)
		r = set_text(config, has_url ? url : path, group, checksum_key, "");
	config->taken -= r ? 0 : has_url ? 1 : 2;
	return r == -ENOMEM ? r : 0;
}

/* ---- timers --------------------------------------------------------------------------------- */

static int take_times(OldConfig *config, const OldTimes *times)
{
	const struct {
		const char *unit, *option, *time;
	} of[] = {
		{"maillogsentinel-report.timer", "report_schedule", times->report},
		{"ipinfo-update.timer", "ip_update_schedule", times->ip_update},
		{"maillogsentinel-sql-export.timer", "sql_export_schedule", times->sql_export},
		{"maillogsentinel-sql-import.timer", "sql_import_schedule", times->sql_import},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(of) && r != -ENOMEM; i++) {
		IniEntry entry = {(char[]){"timer"}, NULL, NULL, 0};
		_cleanup_free_ char *unit = strdup(of[i].unit), *time = NULL;

		if (!unit)
			return -ENOMEM;
		if (!of[i].time)
			continue;
		time = strdup(of[i].time);
		if (!time)
			return -ENOMEM;
		entry.key = unit;
		entry.value = time;
		r = set_text(config, &entry, "schedule", of[i].option, time);
	}
	return r == -ENOMEM ? r : 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* The value, or what it is without one; heap memory. */
static char *value_dup(const Ini *ini, const char *section, const char *key, const char *fallback)
{
	const IniEntry *entry = ini_find(ini, section, key);

	return strdup(entry && *entry->value ? entry->value : fallback);
}

static char *path_dup(const OldConfig *config, const Ini *ini, const char *section, const char *key,
	const char *fallback)
{
	_cleanup_free_ char *path = value_dup(ini, section, key, fallback);

	return path ? absolute_dup(config, path) : NULL;
}

/* One that named no directory of its state had it in one of two places. */
static const char *state_fallback(const OldConfig *config)
{
	_cleanup_free_ char *path = file_join_dup(config->working_dir, "state/state.offset");

	return path && !access(path, F_OK) ? "state" : STATE_DIR;
}

static int find_places(OldConfig *config, const Ini *ini)
{
	const IniEntry *database = ini_find(ini, "database", "db_path");

	config->working_dir = value_dup(ini, "paths", "working_dir", WORKING_DIR);
	if (!config->working_dir)
		return -ENOMEM;
	config->state_dir = path_dup(config, ini, "paths", "state_dir", state_fallback(config));
	config->mail_log = path_dup(config, ini, "paths", "mail_log", "/var/log/mail.log");
	config->csv_filename = value_dup(ini, "paths", "csv_filename", "maillogsentinel.csv");
	config->log_file = path_dup(config, ini, "general", "log_file", "maillogsentinel.log");
	config->sqlite = path_dup(config, ini, database ? "database" : "sqlite_database", "db_path",
		STATE_DIR "/maillogsentinel.sqlite");
	config->sql_dir = path_dup(config, ini, "database", "sql_export_dir", "sql");
	return config->state_dir && config->mail_log && config->csv_filename && config->log_file &&
			       config->sqlite && config->sql_dir
		       ? 0
		       : -ENOMEM;
}

int old_config_read(Span text, const OldTimes *times, OldConfig *ret_config)
{
	_cleanup_old_config_ OldConfig config = OLD_CONFIG_INIT;
	_cleanup_ini_ Ini ini = INI_INIT;
	int r = settings_new(NULL, &config.settings);

	if (!r)
		r = ini_parse(text, &ini, &config.notes);
	if (!r)
		r = find_places(&config, &ini);
	for (size_t i = 0; i < ini.count && (!r || r == -EINVAL); i++) {
		const IniEntry *entry = &ini.entries[i];
		const Key *key = find_key(entry);

		if (ini_find(&ini, entry->section, entry->key) != entry)
			continue;
		if (key)
			r = take(&config, entry, key, times);
		else
			note(&config, entry, "is not known here (line %u)", entry->line);
	}
	if (!r || r == -EINVAL)
		r = take_database(&config, &ini, "geolocation", "country", &config.country_db);
	if (!r)
		r = take_database(&config, &ini, "ASN_ASO", "asn", &config.asn_db);
	if (!r)
		r = take_times(&config, times);
	if (!r)
		r = strbuf_error(&config.notes);
	if (r)
		return r;
	*ret_config = config;
	config = OLD_CONFIG_INIT;
	return 0;
}
