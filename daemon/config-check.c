/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/password.h"
#include "daemon/archive.h"
#include "daemon/config-mistakes.h"
#include "daemon/config-option.h"
#include "source/globs.h"
#include "source/siblings.h"
#include "state/bookmark.h"
#include "store/sql.h"

typedef struct Checker {
	const Config *config;
	ConfigMistakes errors, notes;
} Checker;

static unsigned line_of(const Checker *checker, const char *group, const char *key)
{
	return checker->config->lines[config_option_find(group, key, NULL) - config_options];
}

static void add(
	Checker *checker, const char *group, const char *key, const char *path, const char *why)
{
	config_mistakes_add(&checker->errors, line_of(checker, group, key), "%s.%s: %s: %s", group,
		key, path, why);
}

/* access(2) of the effective user, also where a read-only mount forbids what the mode allows. */
static const char *find_access_fault(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0 ? strerror(errno) : NULL;
}

static const char *find_directory_fault(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return strerror(errno);
	if (!S_ISDIR(st.st_mode))
		return "is not a directory";
	return find_access_fault(path, W_OK | X_OK);
}

/* *ret_absent says that there is no such file, which is no fault. */
static const char *find_file_fault(const char *path, int mode, bool *ret_absent)
{
	struct stat st;

	*ret_absent = false;
	if (stat(path, &st) < 0) {
		*ret_absent = errno == ENOENT;
		return *ret_absent ? NULL : strerror(errno);
	}
	if (!S_ISREG(st.st_mode))
		return "is not a regular file";
	return find_access_fault(path, mode);
}

static void check_directory(Checker *checker, const char *key, const char *path)
{
	const char *fault = find_directory_fault(path);

	if (fault)
		add(checker, "paths", key, path, fault);
}

static void check_readable(Checker *checker, const char *group, const char *key, const char *path,
	const char *absent_note)
{
	bool absent;
	const char *fault = find_file_fault(path, R_OK, &absent);

	if (fault)
		add(checker, group, key, path, fault);
	else if (absent)
		config_mistakes_add(&checker->notes, line_of(checker, group, key),
			"note: %s.%s: %s: %s", group, key, path, absent_note);
}

static void check_log_file(Checker *checker, const char *path)
{
	_cleanup_free_ char *dir = file_parent_dup(path);
	const char *fault;
	bool absent;

	if (!*path)
		return;
	if (!dir) {
		checker->errors.error = -ENOMEM;
		return;
	}
	fault = find_file_fault(path, W_OK, &absent);
	if (!fault) /* rotating it renames */
		fault = find_directory_fault(dir);
	if (fault)
		add(checker, "general", "log_file", path, fault);
}

/* Its directory may be made at the start of the service. */
static void check_metrics(Checker *checker, const char *path)
{
	_cleanup_free_ char *dir = file_parent_dup(path);
	const char *fault;
	bool absent;

	if (!*path)
		return;
	if (!dir) {
		checker->errors.error = -ENOMEM;
		return;
	}
	if (access(dir, F_OK) < 0 && errno == ENOENT) {
		config_mistakes_add(&checker->notes, line_of(checker, "metrics", "textfile"),
			"note: metrics.textfile: %s: is not there; nothing is written until it is",
			dir);
		return;
	}
	fault = find_file_fault(path, F_OK, &absent);
	if (!fault)
		fault = find_directory_fault(dir);
	if (fault)
		add(checker, "metrics", "textfile", path, fault);
}

/* What a report can't be sent without. */
static void check_report(Checker *checker)
{
	const Config *config = checker->config;
	const char *password = config->report.smtp_password_file;
	const char *program = config->report.sendmail_path, *fault;
	Why why = {""};

	if (config->report.transport == REPORT_SENDMAIL) {
		fault = find_access_fault(program, X_OK);
		if (fault)
			add(checker, "report", "sendmail_path", program, fault);
	} else if (*password && password_check_file(password, &why) < 0) {
		add(checker, "report", "smtp_password_file", password, why.text);
	}
}

/* Of a directory that is made when it is needed: its parent; else itself. */
static void check_made_directory(Checker *checker, const char *key, const char *path)
{
	_cleanup_free_ char *parent = file_parent_dup(path);
	const char *fault;

	if (!parent) {
		checker->errors.error = -ENOMEM;
		return;
	}
	fault = find_directory_fault(access(path, F_OK) < 0 && errno == ENOENT ? parent : path);
	if (fault)
		add(checker, "database", key, path, fault);
}

/* SQLite makes files beside its own. */
static void check_sqlite(Checker *checker, const char *path)
{
	_cleanup_free_ char *dir = file_parent_dup(path);
	const char *fault;
	bool absent;

	if (!dir) {
		checker->errors.error = -ENOMEM;
		return;
	}
	fault = find_file_fault(path, R_OK | W_OK, &absent);
	if (!fault)
		fault = find_directory_fault(dir);
	if (fault)
		add(checker, "database", "db_path", path, fault);
}

static bool is_scheduled(const char *schedule)
{
	return *schedule && strcmp(schedule, "off") != 0;
}

/* What the jobs of the database write; who runs them by hand is told by themselves. */
static void check_database_outputs(Checker *checker)
{
	const Config *config = checker->config;
	bool import = is_scheduled(config->schedule.sql_import_schedule);

	if (import || is_scheduled(config->schedule.sql_export_schedule))
		check_made_directory(checker, "sql_export_dir", config->database.sql_export_dir);
	if (import && config->database.db_type == SQL_SQLITE)
		check_sqlite(checker, config->database.db_path);
}

/* What they read: of a server's options what is a file. */
static void check_database_inputs(Checker *checker)
{
	const Config *config = checker->config;
	const char *password = config->database.db_password_file;
	const char *authority = config->database.db_ca_file, *fault;
	Why why = {""};

	if (config->database.db_type == SQL_SQLITE)
		return;
	if (*password && password_check_file(password, &why) < 0)
		add(checker, "database", "db_password_file", password, why.text);
	fault = *authority ? find_access_fault(authority, R_OK) : NULL;
	if (fault)
		add(checker, "database", "db_ca_file", authority, fault);
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat st_a, st_b;

	if (!strcmp(a, b))
		return true;
	return !stat(a, &st_a) && !stat(b, &st_b) && st_a.st_dev == st_b.st_dev &&
	       st_a.st_ino == st_b.st_ino;
}

/* A pattern may match nothing yet; what it matches must be readable. */
static void check_pattern(Checker *checker, const char *pattern)
{
	_cleanup_globs_ GlobList list = GLOB_LIST_INIT;
	const char *names[] = {pattern, NULL}, *note = NULL;
	int r = globs_find(names, NULL, NULL, &list);

	if (r < 0) {
		checker->errors.error = r;
		return;
	}
	if (*list.why.text)
		note = list.why.text;
	else if (!list.count)
		note = "matches no log yet; one is waited for";
	if (note)
		config_mistakes_add(&checker->notes, line_of(checker, "paths", "mail_log"),
			"note: paths.mail_log: %s: %s", pattern, note);
	for (size_t i = 0; i < list.count; i++)
		check_readable(
			checker, "paths", "mail_log", list.logs[i].path, "is not there any more");
}

/* A rotated file is read with its log. */
static void check_log(Checker *checker, const char *path)
{
	for (char **log = checker->config->paths.mail_log; *log; log++) {
		size_t len = strlen(*log);

		if (!strncmp(path, *log, len) && siblings_read_suffix(path + len))
			config_mistakes_add(&checker->errors, line_of(checker, "paths", "mail_log"),
				"paths.mail_log: %s: is a rotated file of %s and read with it",
				path, *log);
	}
	check_readable(checker, "paths", "mail_log", path, "is not there yet; it is waited for");
}

/* Whether path is one of the files that the program keeps in state_dir. */
static bool is_own_file(const Config *config, const char *path)
{
	static const char *const names[] = {"lock", "state.offset", "status", "jobs",
		"update-db.lock", "db/fetched", "db/ip.image", "sql-import.lock",
		"sql-import.offset", ARCHIVE_PENDING};
	_cleanup_strbuf_ StrBuf own = STRBUF_INIT;
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(names) && !found; i++) {
		strbuf_reset(&own);
		strbuf_appendf(&own, "%s/%s", config->paths.state_dir, names[i]);
		found = is_same_file(strbuf_text(&own), path);
	}
	for (const char *const *reader = bookmark_readers; *reader && !found; reader++) {
		size_t len;

		strbuf_reset(&own);
		strbuf_appendf(&own, "%s/%s.", config->paths.state_dir, *reader);
		len = own.len;
		strbuf_appendf(&own, "offset");
		found = is_same_file(strbuf_text(&own), path);
		own.len = len;
		strbuf_appendf(&own, "lock");
		found |= is_same_file(strbuf_text(&own), path);
	}
	return found;
}

/* What is written. */
enum { FILE_CSV, FILE_LOG, FILE_METRICS, FILE_SQLITE, FILE_COUNTRY_DB, FILE_ASN_DB };

/* Of the files from `first` on: a CSV that is its own log, or a log file that is the CSV, destroys what it was to keep. */
static void check_distinct(Checker *checker, const char *csv, size_t first)
{
	const Config *config = checker->config;
	const struct {
		const char *group, *key, *path;
	} files[] = {
		[FILE_CSV] = {"paths", "csv_filename", csv},
		[FILE_LOG] = {"general", "log_file", config->general.log_file},
		[FILE_METRICS] = {"metrics", "textfile", config->metrics.textfile},
		[FILE_SQLITE] = {"database", "db_path",
			config->database.db_type == SQL_SQLITE ? config->database.db_path : ""},
		[FILE_COUNTRY_DB] = {"geolocation", "country_db_path",
			config->geolocation.country_db_path},
		[FILE_ASN_DB] = {"ASN_ASO", "asn_db_path", config->asn_aso.asn_db_path},
	};

	for (size_t i = first; i < ARRAY_SIZE(files); i++) {
		if (!*files[i].path)
			continue;
		if (is_own_file(config, files[i].path))
			add(checker, files[i].group, files[i].key, files[i].path,
				"is a file that this program keeps in paths.state_dir");
		for (size_t j = 0; j < i; j++)
			if (is_same_file(files[i].path, files[j].path))
				config_mistakes_add(&checker->errors,
					line_of(checker, files[i].group, files[i].key),
					"%s.%s: %s: is %s.%s too", files[i].group, files[i].key,
					files[i].path, files[j].group, files[j].key);
		for (char **log = config->paths.mail_log; *log; log++)
			if (globs_is_pattern(*log) && globs_matches(*log, files[i].path))
				config_mistakes_add(&checker->errors,
					line_of(checker, files[i].group, files[i].key),
					"%s.%s: %s: is matched by paths.mail_log %s",
					files[i].group, files[i].key, files[i].path, *log);
			else if (is_same_file(files[i].path, *log))
				config_mistakes_add(&checker->errors,
					line_of(checker, files[i].group, files[i].key),
					"%s.%s: %s: is a paths.mail_log too", files[i].group,
					files[i].key, files[i].path);
	}
}

/* 0, -EINVAL when there are errors, or -ENOMEM. ret_notes may be NULL where there are none. */
static int checker_end(Checker *checker, StrBuf *ret_errors, StrBuf *ret_notes)
{
	const char *file = checker->config->path ? checker->config->path : "defaults";
	int r = checker->errors.error ? checker->errors.error : checker->notes.error;

	if (!r) {
		config_mistakes_write(&checker->errors, file, ret_errors);
		if (ret_notes)
			config_mistakes_write(&checker->notes, file, ret_notes);
		r = checker->errors.count ? -EINVAL : 0;
	}
	config_mistakes_done(&checker->errors);
	config_mistakes_done(&checker->notes);
	return r;
}

/* What is written. */
static void check_outputs(Checker *checker, const char *csv)
{
	const Config *config = checker->config;
	const char *fault;
	bool absent;

	check_directory(checker, "working_dir", config->paths.working_dir);
	check_directory(checker, "state_dir", config->paths.state_dir);
	fault = find_file_fault(csv, R_OK | W_OK, &absent);
	if (fault)
		add(checker, "paths", "csv_filename", csv, fault);
	check_log_file(checker, config->general.log_file);
	check_metrics(checker, config->metrics.textfile);
	check_database_outputs(checker);
}

/* What is read or run. */
static void check_inputs(Checker *checker)
{
	const Config *config = checker->config;

	for (char **log = config->paths.mail_log; *log; log++)
		if (globs_is_pattern(*log))
			check_pattern(checker, *log);
		else
			check_log(checker, *log);
	check_readable(checker, "geolocation", "country_db_path",
		config->geolocation.country_db_path, "is not there; countries stay unknown");
	check_readable(checker, "ASN_ASO", "asn_db_path", config->asn_aso.asn_db_path,
		"is not there; networks and organisations stay unknown");
	check_report(checker);
	check_database_inputs(checker);
}

static int check(const Config *config, bool outputs, StrBuf *ret_errors, StrBuf *ret_notes)
{
	_cleanup_free_ char *csv = config_csv_path_dup(config);
	Checker checker = {.config = config};

	if (!csv)
		return -ENOMEM;
	if (outputs)
		check_outputs(&checker, csv);
	check_inputs(&checker);
	check_distinct(&checker, csv, FILE_CSV);
	return checker_end(&checker, ret_errors, ret_notes);
}

int config_check_paths(const Config *config, StrBuf *ret_errors, StrBuf *ret_notes)
{
	return check(config, true, ret_errors, ret_notes);
}

int config_check_inputs(const Config *config, StrBuf *ret_errors, StrBuf *ret_notes)
{
	return check(config, false, ret_errors, ret_notes);
}

int config_check_databases(const Config *config, StrBuf *ret_errors)
{
	_cleanup_free_ char *csv = config_csv_path_dup(config);
	Checker checker = {.config = config};

	if (!csv)
		return -ENOMEM;
	check_distinct(&checker, csv, FILE_COUNTRY_DB);
	return checker_end(&checker, ret_errors, NULL);
}
