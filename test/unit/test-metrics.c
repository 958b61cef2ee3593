/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/metrics.h"

#include "daemon/metrics-file.h"
#include "scratch.h"
#include "tap.h"

static StatusLog logs[] = {
	{"/var/log/mail.log", false, 0, 0, 0, NULL, 1700000000000001, {0}, {7, 3, 2, 1, 0, 0, 0}},
	{"/x\n\x1b[31m\"\\\xff\xc3\xa4\\x41", false, 0, 0, 0, NULL, 0, {0}, {0}},
};
static StatusDatabase databases[] = {
	{"country", "/db/c.mmdb", true, true, 1690000000000000, 3, 18446744073709551615u, 5},
	{"asn", "", false, false, 0, 0, 0, 0},
};
static StatusJob jobs[] = {
	{"report", 0, 1700000003000000, 1700000001000000, 1700000002500000, 2, "x"},
	{"update-db", 4, 0, 0, 0, 0, ""},
};
static StatusWarning warnings[] = {
	{1, "missing:/a:b", "x"},
	{2, "resolver", "x"},
	{3, "missing:/c", "x"},
};

/* Without logs that are there: a lag is a file's. */
static Status sample(void)
{
	return (Status){
		.version = "2.0.0",
		.started_us = 1690000000000000,
		.committed_us = 1700000000000002,
		.generation = 5,
		.reloaded_us = 1700000000500000,
		.reload_error = "x",
		.rows = 8,
		.waiting = 9,
		.paused = "why",
		.logs = logs,
		.log_count = ARRAY_SIZE(logs),
		.dns = {21, true, false, {22, 3, 1, 18, 10, 1, 2, 3, 1, 1}, {0}, 32, 33, 34},
		.committed = {107, 103, 102, 101, 100, 5, 6},
		.committed_rows = 103,
		.databases = databases,
		.database_count = ARRAY_SIZE(databases),
		.jobs = jobs,
		.job_count = ARRAY_SIZE(jobs),
		.sql = {"/x/sql", 4, 5, 1700000004000000, 1700000005500000},
		.warnings = warnings,
		.warning_count = ARRAY_SIZE(warnings),
		.more_warnings = 10,
	};
}

/* All samples of it, without what explains them. */
static const char expected[] =
	"up 1\n"
	"build_info{version=\"2.0.0\"} 1\n"
	"start_time_seconds 1690000000.000000\n"
	"config_generation 5\n"
	"config_last_reload_successful 0\n"
	"config_last_reload_timestamp_seconds 1700000000.500000\n"
	"last_commit_timestamp_seconds 1700000000.000002\n"
	"paused 1\n"
	"lines_total 107\n"
	"lines_cut_total 5\n"
	"messages_lost_total 6\n"
	"logins_total{result=\"failure\"} 103\n"
	"logins_total{result=\"success\"} 102\n"
	"logins_total{result=\"outage\"} 101\n"
	"logins_total{result=\"aborted\"} 100\n"
	"rows_total 103\n"
	"logins_waiting 9\n"
	"logs 2\n"
	"logs_open 0\n"
	"lag_bytes 0\n"
	"log_last_read_timestamp_seconds{log=\"/var/log/mail.log\"} 1700000000.000001\n"
	"log_lines_total{log=\"/var/log/mail.log\"} 7\n"
	"log_lines_total{log=\"/x\\\\x0a\\\\x1b[31m\\\"\\\\\\\\xff\xc3\xa4\\\\x5cx41\"} 0\n"
	"log_failures_total{log=\"/var/log/mail.log\"} 3\n"
	"log_failures_total{log=\"/x\\\\x0a\\\\x1b[31m\\\"\\\\\\\\xff\xc3\xa4\\\\x5cx41\"} 0\n"
	"dns_enabled 1\n"
	"dns_up 1\n"
	"dns_lookups_total{by=\"cache\"} 3\n"
	"dns_lookups_total{by=\"other\"} 1\n"
	"dns_lookups_total{by=\"new\"} 18\n"
	"dns_queries_total 18\n"
	"dns_answers_total{status=\"ok\"} 10\n"
	"dns_answers_total{status=\"no_name\"} 1\n"
	"dns_answers_total{status=\"failed\"} 2\n"
	"dns_answers_total{status=\"no_ptr\"} 3\n"
	"dns_answers_total{status=\"timeout\"} 1\n"
	"dns_answers_total{status=\"off\"} 1\n"
	"dns_queries_in_flight 32\n"
	"dns_lookups_queued 33\n"
	"dns_cache_entries 34\n"
	"database_used{database=\"country\"} 1\n"
	"database_used{database=\"asn\"} 0\n"
	"database_timestamp_seconds{database=\"country\"} 1690000000.000000\n"
	"database_ranges{database=\"country\",family=\"ipv4\"} 3\n"
	"database_ranges{database=\"country\",family=\"ipv6\"} 18446744073709551615\n"
	"database_ranges{database=\"asn\",family=\"ipv4\"} 0\n"
	"database_ranges{database=\"asn\",family=\"ipv6\"} 0\n"
	"job_running{name=\"report\"} 0\n"
	"job_running{name=\"update-db\"} 1\n"
	"job_failures{name=\"report\"} 2\n"
	"job_failures{name=\"update-db\"} 0\n"
	"job_last_end_timestamp_seconds{name=\"report\"} 1700000001.000000\n"
	"job_last_success_timestamp_seconds{name=\"report\"} 1700000002.500000\n"
	"job_next_timestamp_seconds{name=\"report\"} 1700000003.000000\n"
	"sql_files_waiting 4\n"
	"sql_bytes_waiting 5\n"
	"sql_oldest_waiting_timestamp_seconds 1700000004.000000\n"
	"sql_last_import_timestamp_seconds 1700000005.500000\n"
	"warnings 13\n"
	"warnings_by_kind{kind=\"missing\"} 2\n"
	"warnings_by_kind{kind=\"resolver\"} 1\n";

static StrBuf text_of(const Status *status)
{
	StrBuf sb = STRBUF_INIT;

	metrics_append(status, &sb);
	MUST(!strbuf_error(&sb));
	return sb;
}

static void test_text(void)
{
	Status status = sample();
	_cleanup_strbuf_ StrBuf text = text_of(&status), samples = STRBUF_INIT;
	char *line, *next = text.data;

	while ((line = strsep(&next, "\n"))) {
		if (!strncmp(line, "maillogsentinel_", 16))
			strbuf_appendf(&samples, "%s\n", line + 16);
		else if (*line && *line != '#')
			strbuf_appendf(&samples, "stray: %s\n", line);
	}
	if (!tap_ok(!strcmp(strbuf_text(&samples), expected), "every sample"))
		tap_note("%s", strbuf_text(&samples));
	status.stopped_us = 1;
	text.data[0] = '\0';
	strbuf_reset(&text);
	metrics_append(&status, &text);
	tap_ok(strstr(strbuf_text(&text), "\nmaillogsentinel_up 0\n"), "0 once it was stopped");
}

static size_t count_of(const StrBuf *text, const char *what)
{
	size_t count = 0;

	for (const char *p = text->data; (p = strstr(p, what)); p++)
		count++;
	return count;
}

static void test_limits(void)
{
	static StatusLog many_logs[METRICS_LOGS_MAX + 50];
	static StatusWarning many_warnings[METRICS_KINDS_MAX + 10];
	static char names[METRICS_LOGS_MAX + 50][16];
	Status status = sample();
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(many_logs); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "k%zu", i);
		many_logs[i].path = names[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(many_warnings); i++)
		many_warnings[i] = (StatusWarning){1, names[i], "x"};
	status.logs = many_logs;
	status.log_count = ARRAY_SIZE(many_logs);
	status.warnings = many_warnings;
	status.warning_count = ARRAY_SIZE(many_warnings);
	text = text_of(&status);
	tap_ok(count_of(&text, "\nmaillogsentinel_log_lines_total{") == METRICS_LOGS_MAX &&
			strstr(text.data, "\nmaillogsentinel_logs 150\n"),
		"as many logs as may have series");
	tap_ok(count_of(&text, "\nmaillogsentinel_warnings_by_kind{") == METRICS_KINDS_MAX &&
			strstr(text.data, "\nmaillogsentinel_warnings 52\n"),
		"and kinds of warnings");
}

static void test_lag(void)
{
	StatusLog log = {.path = "log", .open = true, .offset = 3};
	Status status = {.version = "2", .logs = &log, .log_count = 1};
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, rotated = STRBUF_INIT;
	struct stat st;

	scratch_empty();
	scratch_text("log", "12345678");
	MUST(!stat("log", &st));
	log.device = st.st_dev;
	log.inode = st.st_ino;
	text = text_of(&status);
	tap_ok(strstr(text.data, "\nmaillogsentinel_lag_bytes 5\n") &&
			strstr(text.data, "\nmaillogsentinel_log_lag_bytes{log=\"log\"} 5\n"),
		"the bytes that are left");
	log.inode++;
	rotated = text_of(&status);
	tap_ok(!strstr(rotated.data, "\nmaillogsentinel_log_lag_bytes{"),
		"no sample when that can't be known");
}

static bool is_as(const char *path, uint64_t inode, int64_t age_s)
{
	struct stat st;

	return !stat(path, &st) && (!inode || st.st_ino == inode) && (st.st_mode & 07777) == 0644 &&
	       llabs((long long)(time(NULL) - st.st_mtime - age_s)) < 60;
}

static void make_older(const char *path)
{
	struct timespec times[2];

	MUST(!clock_gettime(CLOCK_REALTIME, &times[0]));
	times[0].tv_sec -= 1000;
	times[1] = times[0];
	MUST(!utimensat(AT_FDCWD, path, times, 0));
}

static void test_file(void)
{
	_cleanup_(warnings_freep) Warnings *list = NULL;
	_cleanup_(metrics_file_freep) MetricsFile *file = NULL;
	Status status = sample();
	struct stat st;

	scratch_empty();
	(void)umask(077);
	MUST(!warnings_new(&list) && !metrics_file_new("", list, &file));
	tap_ok(!metrics_file_write(file, &status, 1000), "none is wanted");
	MUST(!metrics_file_set_path(file, "dir/m.prom"));
	tap_ok(metrics_file_write(file, &status, 1000) && warnings_text(list, "metrics") &&
			!metrics_file_write(file, &status, 2000),
		"it can't be written: a warning, once");
	MUST(!mkdir("dir", 0755));
	tap_ok(metrics_file_write(file, &status, 3000) && !warnings_text(list, "metrics") &&
			is_as("dir/m.prom", 0, 0) && access("dir/m.prom.tmp", F_OK) < 0,
		"it can be");
	MUST(!stat("dir/m.prom", &st));
	make_older("dir/m.prom");
	(void)metrics_file_write(file, &status, 3000 + METRICS_FILE_BEAT_MS - 1);
	tap_ok(is_as("dir/m.prom", st.st_ino, 1000), "nothing new: it is left alone");
	(void)metrics_file_write(file, &status, 3000 + METRICS_FILE_BEAT_MS);
	tap_ok(is_as("dir/m.prom", st.st_ino, 0), "after a while it is young again");
	MUST(!unlink("dir/m.prom"));
	(void)metrics_file_write(file, &status, 3000 + 2 * METRICS_FILE_BEAT_MS);
	tap_ok(is_as("dir/m.prom", 0, 0), "it was removed: it comes back");
	MUST(!stat("dir/m.prom", &st));
	status.waiting++;
	(void)metrics_file_write(file, &status, 3001 + 2 * METRICS_FILE_BEAT_MS);
	tap_ok(is_as("dir/m.prom", 0, 0) && !is_as("dir/m.prom", st.st_ino, 0),
		"something new: another file");
	MUST(!metrics_file_set_path(file, "n.prom"));
	tap_ok(access("dir/m.prom", F_OK) < 0, "another path: the old file is gone");
	(void)metrics_file_write(file, &status, 3002 + 2 * METRICS_FILE_BEAT_MS);
	tap_ok(is_as("n.prom", 0, 0), "and the new one is there");
}

int main(void)
{
	scratch_enter();
	test_text();
	test_limits();
	test_lag();
	test_file();
	return tap_done();
}
