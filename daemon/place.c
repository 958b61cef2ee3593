/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/place.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/password.h"
#include "base/utf8.h"
#include "daemon/choice.h"
#include "daemon/trial.h"
#include "daemon/unit.h"
#include "source/journal.h"
#include "state/checkpoint.h"
#include "store/sql.h"

bool place_is_own(const char *path)
{
	return !strcmp(path, "/var/log/maillogsentinel") ||
	       !strcmp(path, "/var/lib/maillogsentinel");
}

static int try_directory(const void *subject, StrBuf *ret_text)
{
	if (!faccessat(AT_FDCWD, subject, W_OK | X_OK, AT_EACCESS))
		return 0;
	strbuf_append_string(ret_text, strerror(errno));
	return -EINVAL;
}

int place_check_directory(const char *path, bool own, bool systemd, Why *ret_why)
{
	const char *hidden = systemd ? unit_hides(path) : NULL;
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	_cleanup_free_ char *above = strdup(path);
	struct stat st;

	if (!above)
		return -ENOMEM;
	if (hidden) {
		why_set(ret_why, "%s", hidden);
		return -EINVAL;
	}
	if (!stat(path, &st)) {
		if (!S_ISDIR(st.st_mode)) {
			why_set(ret_why, "is there and no directory");
			return -EINVAL;
		}
		if (own || geteuid() != 0 || trial_run(try_directory, path, &text) != -EINVAL)
			return 0;
		why_set(ret_why,
			"is there, and the service's user can't write to it (%s); name one that is "
			"to be "
			"made, or give it to him",
			strbuf_text(&text));
		return -EINVAL;
	}
	/* What is above it. */
	while (stat(above, &st) < 0) {
		char *slash = strrchr(above, '/');

		if (errno != ENOENT) {
			why_set(ret_why, "can't be made: %s", strerror(errno));
			return -EINVAL;
		}
		slash[slash == above] = '\0';
	}
	if (S_ISDIR(st.st_mode))
		return 0;
	why_set(ret_why, "can't be made: %s is no directory", above);
	return -EINVAL;
}

static int try_inputs(const void *subject, StrBuf *ret_text)
{
	_cleanup_strbuf_ StrBuf notes = STRBUF_INIT;

	return config_check_inputs(subject, ret_text, &notes);
}

static int try_journal(const void *subject, StrBuf *ret_text)
{
	int r = journal_probe(choice_journal(subject));

	if (!r)
		return 0;
	strbuf_appendf(ret_text, "source.type: the journal: %s",
		r == -ENOENT       ? "there is none"
		: r == -EOPNOTSUPP ? "this program was built without libsystemd"
				   : strerror(-r));
	return -EINVAL;
}

/* What the service may read when it runs, and not yet: place_check_config() looks at it by itself. */
static const char *const password_options[] = {
	"report.smtp_password_file", "database.db_password_file"};

static bool is_of(Span line, const char *option)
{
	_cleanup_strbuf_ StrBuf mark = STRBUF_INIT;

	strbuf_appendf(&mark, ": %s: ", option);
	return memmem(line.data, line.len, strbuf_text(&mark), mark.len) != NULL;
}

/* Of the lines those that are of option (NULL: all but those of passwords). */
static void filter(const StrBuf *lines, const char *option, StrBuf *to)
{
	const char *text = strbuf_text(lines);

	while (*text) {
		Span line = {text, strcspn(text, "\n")};
		bool taken = true;

		if (option)
			taken = is_of(line, option);
		for (size_t i = 0; i < ARRAY_SIZE(password_options) && !option; i++)
			taken &= !is_of(line, password_options[i]);
		if (taken) {
			strbuf_append_span(to, line);
			strbuf_append_char(to, '\n');
		}
		text += line.len + (text[line.len] == '\n');
	}
}

static void add(StrBuf *errors, const char *option, const char *path, const char *why)
{
	strbuf_appendf(errors, "setup: %s: ", option);
	utf8_append_escaped(errors, span_from_string(path));
	strbuf_appendf(errors, ": %s\n", why);
}

/* What only the service can't see. */
static void check_hidden(const Config *config, StrBuf *errors)
{
	bool sqlite = config->database.db_type == SQL_SQLITE;
	const struct {
		const char *option, *path;
	} files[] = {
		{"report.smtp_password_file", config->report.smtp_password_file},
		{"geolocation.country_db_path", config->geolocation.country_db_path},
		{"ASN_ASO.asn_db_path", config->asn_aso.asn_db_path},
		{"general.log_file", config->general.log_file},
		{"metrics.textfile", config->metrics.textfile},
		{"database.sql_export_dir", config->database.sql_export_dir},
		{"database.db_path", sqlite ? config->database.db_path : ""},
		{"database.db_socket", sqlite ? "" : config->database.db_socket},
		{"database.db_password_file", sqlite ? "" : config->database.db_password_file},
		{"database.db_ca_file", sqlite ? "" : config->database.db_ca_file},
	};
	const char *why;

	for (char **log = config->paths.mail_log; *log; log++) {
		why = unit_hides(*log);
		if (why)
			add(errors, "paths.mail_log", *log, why);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		why = unit_hides(files[i].path);
		if (why)
			add(errors, files[i].option, files[i].path, why);
	}
}

static void check_password(const char *option, const char *path, bool used, StrBuf *errors)
{
	Why why = {""};

	if (used && *path && password_check_file(path, &why) < 0)
		add(errors, option, path, why.text);
}

int place_check_config(
	const Config *config, const char *group, const char *key, bool systemd, StrBuf *ret_errors)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT, found = STRBUF_INIT, option = STRBUF_INIT;
	bool root = geteuid() == 0;
	int r = root ? trial_run(try_inputs, config, &found) : 0;

	if (r < 0 && r != -EINVAL)
		return r;
	filter(&found, NULL, &errors);
	check_password("report.smtp_password_file", config->report.smtp_password_file,
		root && config->report.transport == REPORT_SMTP, &errors);
	check_password("database.db_password_file", config->database.db_password_file,
		root && config->database.db_type != SQL_SQLITE, &errors);
	if (systemd)
		check_hidden(config, &errors);
	strbuf_reset(&found);
	if (config->source.type == SOURCE_JOURNAL &&
		trial_run(try_journal, config, &found) == -EINVAL)
		strbuf_appendf(&errors, "setup: %s\n", strbuf_text(&found));
	if (group)
		strbuf_appendf(&option, "%s.%s", group, key);
	if (strbuf_error(&errors) || strbuf_error(&option))
		return -ENOMEM;
	if (group)
		filter(&errors, option.data, ret_errors);
	else
		strbuf_append(ret_errors, strbuf_text(&errors), errors.len);
	if (strbuf_error(ret_errors))
		return strbuf_error(ret_errors);
	return ret_errors->len ? -EINVAL : 0;
}

#define HEADER_MAX 4096 /* of a CSV */

static bool has_rows(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char head[HEADER_MAX];
	const char *end;
	ssize_t n;

	if (fd < 0)
		return false;
	n = file_pread_full(fd, head, sizeof(head), 0);
	end = n > 0 ? memchr(head, '\n', (size_t)n) : NULL;
	return end && end + 1 < head + n;
}

int place_check_record(const Config *config, StrBuf *ret_errors)
{
	_cleanup_free_ char *csv = config_csv_path_dup(config);
	_cleanup_free_ char *state = file_join_dup(config->paths.state_dir, "state.offset");
	bool rows;

	if (!csv || !state)
		return -ENOMEM;
	rows = has_rows(csv);
	if (!rows || !access(state, F_OK) || errno != ENOENT)
		return 0;
	add(ret_errors, "paths.state_dir", config->paths.state_dir,
		"knows nothing of the rows that the CSV has already: name the directories that "
		"belong together, or move the CSV away");
	return -EINVAL;
}

static int try_file(const void *subject, StrBuf *ret_text)
{
	if (!faccessat(AT_FDCWD, subject, R_OK, AT_EACCESS) || errno == ENOENT)
		return 0;
	strbuf_append_string(ret_text, strerror(errno));
	return -EINVAL;
}

int place_check_readable(const char *path, StrBuf *ret_errors)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int r = geteuid() == 0 ? trial_run(try_file, path, &text) : 0;

	if (r == -EINVAL) {
		strbuf_append_string(ret_errors, "setup: ");
		utf8_append_escaped(ret_errors, span_from_string(path));
		strbuf_appendf(
			ret_errors, ": the service's user can't read it: %s\n", strbuf_text(&text));
	}
	return r;
}
