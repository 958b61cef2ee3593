/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/interview.h"

#include <stdio.h>

#include "base/calendar.h"
#include "base/calspec.h"
#include "base/file.h"
#include "base/utf8.h"
#include "daemon/dialog.h"
#include "daemon/log.h"
#include "daemon/owner.h"
#include "daemon/place.h"
#include "daemon/setup.h"
#include "report/smtp-url.h"
#include "state/checkpoint.h"
#include "store/sql.h"

#define WORDS_MAX 256 /* of one answer */
#define SEPARATORS " ,\t"

/* ---- one question --------------------------------------------------------------------------- */

/* 0: the answer is good; -EINVAL with *ret_why as an end of "ANSWER ..."; another -errno. */
typedef int AnswerCheck(const Interview *interview, const char *answer, Why *ret_why);

typedef struct Question {
	const char *text;
	const char *group, *key;
	const char *fallback;
	bool list;          /* words with blanks or commas between them */
	const char *nobody; /* the word for none; NULL: there must be one */
	AnswerCheck *check; /* or NULL */
} Question;

/* What is wrong with the option in the configuration that the answers make so far; nothing when all is well. */
static int find_faults(const Interview *interview, const Question *question, StrBuf *ret_faults)
{
	_cleanup_(config_freep) Config *config = NULL;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r = settings_load(interview->settings, &config, &errors);

	/* Of options that belong together the others are asked for next; in the end all are looked at once more. */
	if (r == -EINVAL)
		return 0;
	if (!r)
		r = place_check_config(
			config, question->group, question->key, interview->systemd, ret_faults);
	return r == -EINVAL ? 0 : r;
}

/* Of lines "FILE: GROUP.KEY: what is wrong", which are escaped already, the end: the person knows which option it is. */
static void say_faults(const Question *question, const StrBuf *faults)
{
	const char *line = strbuf_text(faults);

	while (*line) {
		size_t n = strcspn(line, "\n"), len = strlen(question->key);
		_cleanup_strbuf_ StrBuf raw = STRBUF_INIT;
		const char *at = memmem(line, n, question->key, len);
		const char *text =
			at ? at + MIN(len + strlen(": "), (size_t)(line + n - at)) : line;

		utf8_append_unescaped(&raw, (Span){text, (size_t)(line + n - text)});
		dialog_say(2, "%s", strbuf_text(&raw));
		line += n + (line[n] == '\n');
	}
}

/* Sets the option to the answer. 0; -EINVAL with *ret_why; -ENOMEM. */
static int take_answer(
	const Interview *interview, const Question *question, const char *answer, Why *ret_why)
{
	_cleanup_free_ char *copy = strdup(answer);
	const char *texts[WORDS_MAX] = {copy};
	size_t count = 1;
	char *save = NULL;

	if (!copy)
		return -ENOMEM;
	if (question->nobody && !strcmp(answer, question->nobody)) {
		texts[0] = "";
	} else if (question->list) {
		count = 0;
		for (char *word = strtok_r(copy, SEPARATORS, &save); word;
			word = strtok_r(NULL, SEPARATORS, &save)) {
			if (count == WORDS_MAX) {
				why_set(ret_why, "has more than %d parts", WORDS_MAX);
				return -EINVAL;
			}
			texts[count++] = word;
		}
	}
	return settings_set(
		interview->settings, question->group, question->key, texts, count, ret_why);
}

/* What dialog_ask() has to say of a line that is no answer. */
static bool is_no_answer(int r)
{
	if (r == -EFBIG)
		dialog_say(2, "That is too long.");
	else if (r == -EINVAL)
		dialog_say(2, "That holds a NUL.");
	return r == -EFBIG || r == -EINVAL;
}

/* Some reasons name the answer by themselves. */
static void say_why(const char *answer, const Why *why)
{
	bool named = *why->text == '"';

	if (!strncmp(why->text, "wants ", strlen("wants "))) {
		dialog_say(2, "Wanted here: %s.", why->text + strlen("wants "));
		return;
	}
	dialog_say(2, "%s%s%s.", named ? "" : answer, named ? "" : " ", why->text);
}

/* Asks until the answer is good. 0, DIALOG_ENDED or -errno. */
static int ask(const Interview *interview, const Question *question)
{
	const char *fallback = *question->fallback ? question->fallback
			       : question->nobody  ? question->nobody
						   : "";

	for (;;) {
		_cleanup_strbuf_ StrBuf answer = STRBUF_INIT, faults = STRBUF_INIT;
		int r = dialog_ask(question->text, fallback, &answer);
		Why why = {""};

		if (is_no_answer(r))
			continue;
		if (r)
			return r;
		if (!answer.len) {
			dialog_say(2, "Something is wanted here.");
			continue;
		}
		r = take_answer(interview, question, answer.data, &why);
		if (!r && question->check)
			r = question->check(interview, answer.data, &why);
		if (r == -EINVAL) {
			say_why(answer.data, &why);
			continue;
		}
		if (!r)
			r = find_faults(interview, question, &faults);
		if (r < 0)
			return r;
		if (!faults.len)
			return 0;
		say_faults(question, &faults);
	}
}

static void join(char *const *texts, StrBuf *sb)
{
	for (size_t i = 0; texts[i]; i++)
		strbuf_appendf(sb, "%s%s", i ? " " : "", texts[i]);
}

/* ---- the questions -------------------------------------------------------------------------- */

static void say_size(uint64_t bytes, StrBuf *sb)
{
	if (bytes < 1024)
		strbuf_appendf(sb, "%llu bytes", (unsigned long long)bytes);
	else if (bytes < 1024 * 1024)
		strbuf_appendf(sb, "%llu KiB", (unsigned long long)bytes / 1024);
	else
		strbuf_appendf(sb, "%.1f MiB", (double)bytes / 1048576);
}

static void say_log(const Interview *interview)
{
	const Survey *survey = interview->survey;
	_cleanup_strbuf_ StrBuf size = STRBUF_INIT;
	char written[CALENDAR_MINUTE_MAX];
	LocalZone zone = {0};

	if (survey->log) {
		say_size(survey->log_size_bytes, &size);
		(void)calendar_format_minute(&zone, survey->log_us, written);
		dialog_say(0, "%s %s (%s, last written %s).", survey->log,
			survey->log_is_postfix ? "is a log of Postfix"
					       : "is there, without a line of Postfix yet",
			strbuf_text(&size), written);
	}
	if (survey->journal_is_postfix)
		dialog_say(0, "The systemd journal has entries of Postfix.");
	else if (!survey->log)
		dialog_say(0,
			"There is no log of Postfix yet; \"auto\" takes the first that comes, "
			"/var/log/mail.log or the journal.");
}

/* A log that is written to is better than the journal, which may lose entries; one that was given up is not. */
static bool prefers_journal(const Interview *interview)
{
	const Survey *survey = interview->survey;
	bool fresh = survey->log && survey->log_is_postfix &&
		     interview->now_us - survey->log_us < 2 * 86400 * USEC_PER_SEC;

	return survey->journal_is_postfix && !fresh;
}

#define USUAL_LOG "/var/log/mail.log"

/* "journal", "auto" and logs are one question and two options. 0; -EINVAL with *ret_why; -ENOMEM. */
static int take_log(
	const Interview *interview, const Question *question, const char *answer, Why *ret_why)
{
	bool journal = !strcmp(answer, "journal"), automatic = !strcmp(answer, "auto");
	const char *type = "file";
	int r;

	if (journal)
		type = "journal";
	else if (automatic || (!strcmp(answer, USUAL_LOG) && !access(answer, F_OK) &&
				      interview->config->source.type == SOURCE_UNDECIDED))
		type = "auto";
	/* What is named and not there yet is waited for; the journal does not take its place. */
	r = take_answer(interview, question, journal || automatic ? USUAL_LOG : answer, ret_why);
	return r ? r : settings_set(interview->settings, "source", "type", &type, 1, ret_why);
}

/* What the configuration says that is there; false: it says nothing of it. */
static bool has_log(const Config *config, StrBuf *sb)
{
	char *const *logs = config->paths.mail_log;

	if (config->source.type == SOURCE_JOURNAL)
		strbuf_append_string(sb, "journal");
	else if (strcmp(logs[0], USUAL_LOG) != 0 || logs[1] || config->source.type == SOURCE_FILE)
		join(logs, sb);
	return sb->len > 0;
}

static int ask_log(const Interview *interview)
{
	const Survey *survey = interview->survey;
	_cleanup_strbuf_ StrBuf fallback = STRBUF_INIT;
	bool has = has_log(interview->config, &fallback);

	say_log(interview);
	if (!has)
		strbuf_append_string(&fallback, prefers_journal(interview) ? "journal"
						: survey->log              ? survey->log
									   : "auto");
	for (;;) {
		_cleanup_strbuf_ StrBuf answer = STRBUF_INIT, faults = STRBUF_INIT;
		Question question = {
			"Log (several with blanks between them, \"journal\" or \"auto\")", "paths",
			"mail_log", strbuf_text(&fallback), .list = true};
		Why why = {""};
		int r = strbuf_error(&fallback)
				? strbuf_error(&fallback)
				: dialog_ask(question.text, question.fallback, &answer);

		if (is_no_answer(r))
			continue;
		if (r)
			return r;
		/* What is so already stays as it is written. */
		if (!has || strcmp(answer.data, question.fallback) != 0)
			r = take_log(interview, &question, answer.data, &why);
		if (r == -EINVAL) {
			say_why(answer.data, &why);
			continue;
		}
		if (!strcmp(answer.data, "journal")) {
			question.group = "source";
			question.key = "type";
		}
		if (!r)
			r = find_faults(interview, &question, &faults);
		if (r < 0)
			return r;
		if (!faults.len)
			return 0;
		say_faults(&question, &faults);
		dialog_say(2,
			"The service reads as the user %s with the groups adm and systemd-journal. "
			"To let adm read a log: chgrp adm FILE; chmod g+r FILE",
			OWNER_SERVICE);
	}
}

static int check_directory(const Interview *interview, const char *answer, Why *ret_why)
{
	return place_check_directory(answer, place_is_own(answer), interview->systemd, ret_why);
}

static int ask_directories(const Interview *interview)
{
	const Config *config = interview->config;
	int r = ask(interview, &(Question){"Directory of the CSV", "paths", "working_dir",
				       config->paths.working_dir, .check = check_directory});

	if (r)
		return r;
	return ask(
		interview, &(Question){"Directory of the state and the databases", "paths",
				   "state_dir", config->paths.state_dir, .check = check_directory});
}

static bool is_here(const char *url)
{
	SmtpUrl parsed;
	Why why;

	return !smtp_url_parse(url, &parsed, &why) && parsed.this_host;
}

/* The server wants to know who sends. */
static int ask_login(const Interview *interview)
{
	static const char *const none = "";
	const Config *config = interview->config;
	_cleanup_(config_freep) Config *now = NULL;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r = ask(interview, &(Question){"User name there", "report", "smtp_user",
				       config->report.smtp_user, .nobody = "none"});

	if (r)
		return r;
	/* A user without the password is no configuration: then this fails. */
	r = settings_set(interview->settings, "report", "smtp_password_file", &none, 1, NULL);
	if (!r)
		r = settings_load(interview->settings, &now, &errors);
	if (r != -EINVAL)
		return r;
	return ask(interview, &(Question){"File that holds the password", "report",
				      "smtp_password_file", config->report.smtp_password_file});
}

static int check_schedule(const Interview *interview, const char *answer, Why *ret_why)
{
	char text[CALENDAR_MINUTE_MAX];
	LocalZone zone = {0};
	int64_t next_us;
	CalSpec spec;

	if (!strcmp(answer, "off") || calspec_parse(span_from_string(answer), &spec, ret_why) ||
		calspec_next(&spec, &zone, interview->now_us, &next_us))
		return 0;
	(void)calendar_format_minute(&zone, next_us, text);
	dialog_say(2, "That is next at %s.", text);
	return 0;
}

/* One was sent already. */
static bool has_reported(const Config *config)
{
	_cleanup_free_ char *bookmark = file_join_dup(config->paths.state_dir, "report.offset");

	return bookmark && !access(bookmark, F_OK);
}

static int ask_report(Interview *interview)
{
	const Config *config = interview->config;
	const Survey *survey = interview->survey;
	_cleanup_strbuf_ StrBuf fallback = STRBUF_INIT, errors = STRBUF_INIT;
	_cleanup_(config_freep) Config *now = NULL;
	int r;

	dialog_say(0, "A report says each day what was tried, by whom and from where.");
	if (config->report.email[0])
		join(config->report.email, &fallback);
	else if (!interview->again && survey->recipient)
		strbuf_append_string(&fallback, survey->recipient);
	else if (!interview->again && survey->mail_server)
		strbuf_append_string(&fallback, "root");
	if (strbuf_error(&fallback))
		return strbuf_error(&fallback);
	r = ask(interview,
		&(Question){"Who gets it by mail (addresses, or \"none\")", "report", "email",
			strbuf_text(&fallback), .list = true, .nobody = "none"});
	if (!r)
		r = settings_load(interview->settings, &now, &errors);
	if (r || !now->report.email[0])
		return r == -EINVAL ? 0 : r;
	if (config->report.transport == REPORT_SMTP) {
		if (survey->mail_server)
			dialog_say(0, "A mail server answers here: %s", survey->mail_server);
		else if (is_here(config->report.smtp_url))
			dialog_say(0, "No mail server answers on this host: name another, such as "
				      "smtps://mail.example.org, or see that one does.");
		r = ask(interview,
			&(Question){"Mail server", "report", "smtp_url", config->report.smtp_url});
		config_free(TAKE(now));
		strbuf_reset(&errors);
		if (!r)
			r = settings_load(interview->settings, &now, &errors);
		if (!r && !is_here(now->report.smtp_url))
			r = ask_login(interview);
		if (r && r != -EINVAL)
			return r;
	}
	r = ask(interview, &(Question){"When (\"23:59\", \"Mon..Fri 06:00\", \"off\")", "schedule",
				   "report_schedule", config->schedule.report_schedule,
				   .nobody = "off", .check = check_schedule});
	if (r || !interview->systemd || has_reported(config))
		return r;
	return dialog_confirm(
		"Mail a first report when the service runs", true, &interview->report);
}

/* ---- the database --------------------------------------------------------------------------- */

static bool is_off(const char *schedule)
{
	return !*schedule || !strcmp(schedule, "off");
}

/* Rows get there by the service's own schedule. */
static int set_sql_schedules(const Interview *interview, const char *schedule)
{
	int r = settings_set(
		interview->settings, "schedule", "sql_export_schedule", &schedule, 1, NULL);

	return r ? r
		 : settings_set(interview->settings, "schedule", "sql_import_schedule", &schedule,
			   1, NULL);
}

/* The file that is taken where none is named is not named. */
static int ask_sqlite(const Interview *interview)
{
	const Config *config = interview->config;
	_cleanup_free_ char *usual =
		file_join_dup(config->paths.state_dir, "maillogsentinel.sqlite");
	const char *path = config->database.db_path;

	if (!usual)
		return -ENOMEM;
	return ask(interview,
		&(Question){"Its file (\"usual\": maillogsentinel.sqlite with the state)",
			"database", "db_path", !strcmp(path, usual) ? "" : path,
			.nobody = "usual"});
}

static int ask_tls(const Interview *interview)
{
	static const char *const names[] = {"off", "prefer", "require", "verify"};
	const Config *config = interview->config;
	_cleanup_(config_freep) Config *now = NULL;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r;

	r = ask(interview,
		&(Question){"TLS (\"verify\", \"require\", \"prefer\", \"off\")", "database",
			"db_tls",
			*config->database.db_host ? names[config->database.db_tls] : "verify"});
	if (!r)
		r = settings_load(interview->settings, &now, &errors);
	if (r || strcmp(names[now->database.db_tls], "verify") != 0)
		return r == -EINVAL ? 0 : r;
	return ask(interview,
		&(Question){"Certificates that are trusted (a file, or \"system\")", "database",
			"db_ca_file", config->database.db_ca_file, .nobody = "system"});
}

static int ask_server(const Interview *interview)
{
	static const char *const none = "";
	const Config *config = interview->config;
	_cleanup_(config_freep) Config *now = NULL;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r;

	r = ask(interview, &(Question){"Its host (\"here\": this one, by its socket)", "database",
				   "db_host", config->database.db_host, .nobody = "here"});
	if (!r)
		r = ask(interview, &(Question){"Name of the database there", "database", "db_name",
					   config->database.db_name});
	if (!r)
		r = ask(interview,
			&(Question){"User name there (\"own\": the service's)", "database",
				"db_user", config->database.db_user, .nobody = "own"});
	if (!r)
		r = ask(interview, &(Question){"File that holds the password (or \"none\")",
					   "database", "db_password_file",
					   config->database.db_password_file, .nobody = "none"});
	/* A socket and a host are no configuration: then this fails. */
	if (!r)
		r = settings_load(interview->settings, &now, &errors);
	if (r == -EINVAL)
		r = settings_set(interview->settings, "database", "db_socket", &none, 1, NULL);
	else if (!r && !*now->database.db_host)
		return 0;
	return r ? r : ask_tls(interview);
}

/* "none", or the kind. 0, DIALOG_ENDED or -errno. */
static int ask_kind(const Interview *interview, const char *fallback, StrBuf *ret_answer)
{
	static const Question question = {
		"Database (\"sqlite\", \"postgresql\", \"mysql\" or \"none\")", "database",
		"db_type"};

	for (;;) {
		Why why = {""};
		int r;

		strbuf_reset(ret_answer);
		r = dialog_ask(question.text, fallback, ret_answer);
		if (is_no_answer(r))
			continue;
		if (r || !strcmp(ret_answer->data, "none"))
			return r;
		r = take_answer(interview, &question, ret_answer->data, &why);
		if (r != -EINVAL)
			return r;
		say_why(ret_answer->data, &why);
	}
}

static int ask_database(const Interview *interview)
{
	const Config *config = interview->config;
	bool off = is_off(config->schedule.sql_export_schedule) &&
		   is_off(config->schedule.sql_import_schedule);
	_cleanup_strbuf_ StrBuf kind = STRBUF_INIT;
	int r;

	dialog_say(0, "A database answers questions about years: SQLite's is a file, a server of "
		      "PostgreSQL, MariaDB or MySQL takes the rows of many hosts.");
	r = ask_kind(interview,
		off ? "none" : sql_dialect_name((SqlDialect)config->database.db_type), &kind);
	if (r)
		return r;
	if (!strcmp(kind.data, "none"))
		return off ? 0 : set_sql_schedules(interview, "");
	if (off)
		r = set_sql_schedules(interview, "*:0/5");
	if (r)
		return r;
	return strcmp(kind.data, sql_dialect_name(SQL_SQLITE)) != 0 ? ask_server(interview)
								    : ask_sqlite(interview);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static int ask_databases(Interview *interview)
{
	const Config *config = interview->config;
	const char *schedule = config->schedule.ip_update_schedule;
	bool off = is_off(schedule);
	int r;

	if (!setup_lacks_databases(config))
		return 0;
	putchar('\n');
	dialog_say(0, "Two databases say the country and the network of an address.");
	r = dialog_confirm("Fetch them now, and what is new each week", !off, &interview->fetch);
	if (r || interview->fetch != off)
		return r;
	schedule = off ? "weekly" : "off";
	return settings_set(
		interview->settings, "schedule", "ip_update_schedule", &schedule, 1, NULL);
}

int interview_hold(Interview *interview)
{
	int r;

	dialog_say(0,
		"Nothing is changed before you agree to it at the end. Enter takes what stands in "
		"brackets; Ctrl-C leaves all as it is.");
	putchar('\n');
	dialog_say(0, "Times are those of this host: %s.", interview->survey->zone);
	r = ask_log(interview);
	if (!r)
		putchar('\n'), r = ask_directories(interview);
	if (!r)
		putchar('\n'), r = ask_report(interview);
	if (!r)
		putchar('\n'), r = ask_database(interview);
	if (!r)
		r = ask_databases(interview);
	if (r < 0)
		log_error("setup: %s", strerror(-r));
	return r;
}
