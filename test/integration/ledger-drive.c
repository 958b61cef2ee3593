/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The ledger test, see ledger.h: ledger-drive PROGRAM DIRECTORY SEED ROTATIONS KILLS RELOADS LINES_PER_S CONFIG...
 * DIRECTORY holds csv/ and state/ of the configurations; the log is log/mail.log in it, which is made here. Ends with
 * status 0 when every row of the ledger is in the CSV files, once and in order, and nothing else. With RELOADS the configurations may name
 * several CSVs: then the rows are read as the report reads them.
 */

#include "ledger-daemon.h"
#include "ledger-rotate.h"
#include "ledger-writer.h"

#include "base/number.h"
#include "base/strbuf.h"
#include "store/csvreader.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>

#define CSV_HEADER "server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso\n"

typedef struct Drive {
	Random random; /* for the CSV */
	Writer writer;
	Daemon daemon;
	Rotator rotator;
	uint32_t csv_count; /* rotated */
} Drive;

static Drive drive;
static FILE *operations;

uint64_t ledger_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void ledger_sleep_us(uint32_t us)
{
	const struct timespec time = {us / 1000000, (long)(us % 1000000) * 1000};

	(void)nanosleep(&time, NULL);
}

void ledger_log(const char *fmt, ...)
{
	const Counters *written = &drive.writer.written;
	struct timespec now;
	struct stat st;
	struct tm tm;
	va_list ap;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)localtime_r(&now.tv_sec, &tm);
	if (drive.writer.fd < 0 || fstat(drive.writer.fd, &st) < 0)
		st = (struct stat){0};
	(void)fprintf(operations,
		"%02d:%02d:%02d.%06ld line %" PRIu64 " row %" PRIu64 " inode %" PRIu64
		" size %" PRIu64 ": ",
		tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000, written->lines,
		written->failures, (uint64_t)st.st_ino, (uint64_t)st.st_size);
	va_start(ap, fmt);
	(void)vfprintf(operations, fmt, ap);
	va_end(ap);
	(void)fputc('\n', operations);
	(void)fflush(operations);
}

void ledger_fail(const char *fmt, ...)
{
	va_list ap;

	(void)fputs("failed: ", stdout);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)printf("\nafter %u rotations, %u kills; last: %" PRIu64 " lines, %" PRIu64
		     " rows were written\n",
		drive.rotator.rotations, drive.daemon.kills, drive.writer.written.lines,
		drive.writer.written.failures);
	(void)fflush(NULL);
	if (drive.daemon.pid)
		(void)kill(drive.daemon.pid, SIGKILL);
	_exit(1);
}

/* ---- the CSV ------------------------------------------------------------------------------------ */

static void csv_path(uint32_t number, char path[LEDGER_PATH])
{
	(void)snprintf(path, LEDGER_PATH,
		number ? "csv/maillogsentinel.csv-%06u" : "csv/maillogsentinel.csv", number);
}

/* Now and then the CSV is rotated too: renamed, and sometimes an empty one is made as logrotate's "create" does. */
static void rotate_csv(void)
{
	char from[LEDGER_PATH], to[LEDGER_PATH];
	bool now = random_chance(&drive.random, 30), create = random_chance(&drive.random, 300);
	int fd;

	if (!now)
		return;
	csv_path(0, from);
	csv_path(drive.csv_count + 1, to);
	if (rename(from, to) < 0)
		return;
	drive.csv_count++;
	fd = create ? open(from, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640) : -1;
	if (fd >= 0) {
		LEDGER_MUST(!drive.daemon.uid || !fchown(fd, drive.daemon.uid, drive.daemon.gid));
		(void)close(fd);
	}
	ledger_log("the CSV becomes %s%s", to, fd < 0 ? "" : ", an empty one is made");
}

typedef struct CsvFiles {
	uint32_t number; /* of the rotated file; 0 is the last one */
	uint64_t line;
	FILE *file;
	char path[LEDGER_PATH];
} CsvFiles;

static bool csv_open(CsvFiles *files)
{
	csv_path(files->number, files->path);
	files->file = fopen(files->path, "re");
	files->line = 0;
	return files->file;
}

/* The next row of all files. False: there is none. */
static bool csv_next(CsvFiles *files, char *row, size_t size)
{
	for (;;) {
		if (fgets(row, (int)size, files->file)) {
			if (files->line++)
				return true;
			if (strcmp(row, CSV_HEADER))
				ledger_fail("%s does not begin with the header", files->path);
			continue;
		}
		(void)fclose(files->file);
		if (!files->number)
			return false;
		files->number = files->number == drive.csv_count ? 0 : files->number + 1;
		if (!csv_open(files))
			ledger_fail("%s: %s", files->path, strerror(errno));
	}
}

/* What stands behind the columns that the ledger has. */
static bool rest_is_right(const char *rest)
{
	static const char *const rests[] = {",null,Off,N/A,N/A,\"N/A\"\n",
		",null,Errno 1,N/A,N/A,\"N/A\"\n", ",null,Timeout,N/A,N/A,\"N/A\"\n"};

	for (size_t i = 0; i < ARRAY_SIZE(rests); i++)
		if (!strcmp(rest, rests[i]))
			return true;
	return false;
}

/* The next row of whatever was the CSV meanwhile. False: there is none. */
static bool series_next(CsvReader *reader, char *row, size_t size)
{
	Why why = {""};
	Span line;
	int r = csvreader_next(reader, &line, &why);

	if (r == CSVREADER_END)
		return false;
	if (r || line.len + 2 > size)
		ledger_fail("reading the CSVs: %s", r ? why.text : "a row is too long");
	memcpy(row, line.data, line.len);
	memcpy(row + line.len, "\n", 2);
	return true;
}

/* Of a reader that has read nothing yet: all files are kept in mind for it. */
static void keep_series(void)
{
	const Bookmark bookmark = {.place = {.series = 1, .number = 1}, .written_us = 1};

	LEDGER_MUST(!bookmark_save("state", bookmark_readers[0], &bookmark, SPAN_LITERAL("")));
	LEDGER_MUST(!drive.daemon.uid ||
		    !chown("state/report.offset", drive.daemon.uid, drive.daemon.gid));
}

static void compare(void)
{
	char wanted[1024], got[1024];
	CsvFiles files = {.number = drive.csv_count ? 1 : 0};
	_cleanup_(csvreader_freep) CsvReader *reader = NULL;
	uint64_t row = 0;
	Why why = {""};
	FILE *ledger;

	ledger = fopen("ledger", "re");
	LEDGER_MUST(ledger);
	if (drive.daemon.reload_permyriad && csvreader_open("state", NULL, &reader, &why))
		ledger_fail("the CSVs: %s", why.text);
	if (!reader && !csv_open(&files))
		ledger_fail("%s: %s", files.path, strerror(errno));
	for (;; row++) {
		bool more = fgets(wanted, sizeof(wanted), ledger);
		bool there = reader ? series_next(reader, got, sizeof(got))
				    : csv_next(&files, got, sizeof(got));
		size_t len;

		if (!more && !there)
			break;
		if (!more)
			ledger_fail("row %" PRIu64 " is one too many: %s line %" PRIu64 ": %s", row,
				files.path, files.line, got);
		if (!there)
			ledger_fail("the rows end before row %" PRIu64 ": %s", row, wanted);
		len = strcspn(wanted, "\n");
		if (strncmp(got, wanted, len) || !rest_is_right(got + len))
			ledger_fail("row %" PRIu64 " is wrong, %s line %" PRIu64
				    "\nwanted: %sgot:    %s",
				row, files.path, files.line, wanted, got);
	}
	(void)fclose(ledger);
	if (row != drive.writer.written.failures)
		ledger_fail("%" PRIu64 " rows in the ledger", row);
}

static void compare_counters(void)
{
	const Counters *wanted = &drive.writer.written;
	Counters got;
	uint64_t rows = daemon_counters(&drive.daemon, &got);

	if (rows != wanted->failures || got.lines != wanted->lines ||
		got.failures != wanted->failures || got.successes != wanted->successes ||
		got.outages != wanted->outages || got.aborted != wanted->aborted ||
		got.skipped != wanted->skipped)
		ledger_fail("counters: rows %" PRIu64 " lines %" PRIu64 "/%" PRIu64
			    " failures %" PRIu64 "/%" PRIu64 " successes %" PRIu64 "/%" PRIu64
			    " outages %" PRIu64 "/%" PRIu64 " aborted %" PRIu64 "/%" PRIu64
			    " skipped %" PRIu64 "/%" PRIu64 " (got/wanted)",
			rows, got.lines, wanted->lines, got.failures, wanted->failures,
			got.successes, wanted->successes, got.outages, wanted->outages, got.aborted,
			wanted->aborted, got.skipped, wanted->skipped);
}

/* Nothing may be said to be lost, but where the daemon could not know that it was not. */
static void compare_warnings(void)
{
	static const char *const bad[] = {"is shorter than", "damaged or cut short",
		"is not the file that", "the file that was written last is gone", "ERROR",
		"maillogsentinel: error"};
	FILE *said = fopen(drive.daemon.said_path, "re");
	uint32_t gone = 0;
	char line[4096];

	LEDGER_MUST(said);
	while (fgets(line, sizeof(line), said)) {
		gone += strstr(line, " is gone; ") != NULL;
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
			if (strstr(line, bad[i]))
				ledger_fail("the daemon said: %s", line);
	}
	(void)fclose(said);
	if (gone > drive.rotator.lost_warnings)
		ledger_fail("the daemon said %u times that a file is gone, it can be %u at most",
			gone, drive.rotator.lost_warnings);
	if (!drive.daemon.reload_permyriad)
		return;
	(void)daemon_reloads(&drive.daemon);
	printf("%u reloads were done, %u were refused\n", drive.daemon.reloaded,
		drive.daemon.refused);
	if (!drive.daemon.reloaded || !drive.daemon.refused)
		ledger_fail("no reload was done, or none was refused");
}

/* ---- reloads ----------------------------------------------------------------------------------- */

/* Between two rotations, which leave little time. */
static void reload_meanwhile(void)
{
	for (int i = 0; i < 12; i++) {
		writer_write(&drive.writer, 100);
		daemon_tick(&drive.daemon);
		ledger_sleep_us(random_below(&drive.random, 10000));
	}
}

/* ---- all ---------------------------------------------------------------------------------------- */

static uint32_t number(const char *text)
{
	uint64_t value;

	if (number_parse_u64(span_from_string(text), UINT32_MAX, &value) < 0)
		ledger_fail("no number: %s", text);
	return (uint32_t)value;
}

int main(int argc, char **argv)
{
	uint32_t rotations, kills, reloads, lines_per_s;
	uint64_t seed, began = ledger_now_ms();
	const struct passwd *nobody = getuid() ? NULL : getpwnam("nobody");

	if (argc < 9) {
		(void)fputs("usage: ledger-drive PROGRAM DIRECTORY SEED ROTATIONS KILLS RELOADS "
			    "LINES_PER_S CONFIG...\n",
			stderr);
		return 2;
	}
	(void)umask(022);
	LEDGER_MUST(!chdir(argv[2]));
	seed = (uint64_t)number(argv[3]) * 4;
	rotations = number(argv[4]);
	kills = number(argv[5]);
	reloads = number(argv[6]);
	lines_per_s = number(argv[7]);
	operations = fopen("operations", "we");
	LEDGER_MUST(operations);
	drive.random = ledger_random(seed);
	drive.daemon = (Daemon){.random = ledger_random(seed + 1),
		.program = argv[1],
		.checkpoint_path = "state/state.offset",
		.said_path = "said",
		.configs = (const char *const *)&argv[8],
		.config_count = (uint32_t)argc - 8,
		.uid = nobody ? nobody->pw_uid : 0,
		.gid = nobody ? nobody->pw_gid : 0,
		/* some 5 ticks are in a rotation */
		.kill_permyriad = rotations ? 10000 * kills / rotations / (reloads ? 17 : 5) : 0,
		.reload_permyriad = reloads ? 5000 : 0};
	writer_init(&drive.writer, "ledger", seed + 2, lines_per_s);
	/* so many that writing as fast as it can takes most of the time that it has */
	rotator_init(&drive.rotator, &drive.writer, &drive.daemon, seed + 3, 4000);
	if (reloads)
		keep_series();
	while (drive.rotator.rotations < rotations || drive.daemon.kills < kills ||
		daemon_reloads(&drive.daemon) < reloads) {
		rotator_next(&drive.rotator);
		rotate_csv();
		if (reloads)
			reload_meanwhile();
		writer_pace(&drive.writer);
	}
	rotator_done(&drive.rotator);
	writer_write_failure(&drive.writer);
	daemon_hold(&drive.daemon);
	daemon_wait_for(&drive.daemon, drive.writer.written.lines, drive.writer.written.failures);
	daemon_stop(&drive.daemon);
	LEDGER_MUST(!fflush(drive.writer.ledger));
	compare();
	compare_counters();
	compare_warnings();
	printf("%" PRIu64 " rows of %" PRIu64 " lines in %u CSV files, exact; %" PRIu64
	       " s, at most %" PRIu64 " ms behind\n",
		drive.writer.written.failures, drive.writer.written.lines, drive.csv_count + 1,
		(ledger_now_ms() - began) / 1000, drive.daemon.longest_wait_ms);
	printf("%u rotations; the daemon was started %u times (%u of them extract), killed %u "
	       "times, ended %u times\n",
		drive.rotator.rotations, drive.daemon.starts, drive.daemon.extracts,
		drive.daemon.kills, drive.daemon.terms);
	rotator_print(&drive.rotator);
	writer_done(&drive.writer);
	if (drive.daemon.said)
		(void)fclose(drive.daemon.said);
	(void)fclose(operations);
	return 0;
}
