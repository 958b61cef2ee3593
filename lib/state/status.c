/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/status.h"

#include "base/file.h"
#include "base/utf8.h"
#include "state/lock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define FORMAT_NAME "maillogsentinel-status"
#define FORMAT_VERSION 1
#define FILE_MAX ((size_t)16 << 20)
#define LAST_LINE "end\n"
#define READ_ATTEMPTS 20

void status_done(Status *status)
{
	free(status->logs);
	free(status->databases);
	free(status->jobs);
	free(status->warnings);
	free(status->buffer);
	*status = STATUS_INIT;
}

Counters status_sum(const Status *status)
{
	Counters sum = status->gone;

	for (size_t i = 0; i < status->log_count; i++)
		counters_add(&sum, &status->logs[i].counters);
	return sum;
}

bool status_log_lag(const StatusLog *log, uint64_t *ret_bytes)
{
	struct stat st;

	if (!log->open || !log->inode || stat(log->path, &st) < 0 || st.st_dev != log->device ||
		st.st_ino != log->inode || (uint64_t)st.st_size < log->offset)
		return false;
	*ret_bytes = (uint64_t)st.st_size - log->offset;
	return true;
}

bool status_dns_hits(const Status *status, unsigned *ret_permille)
{
	const StatusDns *dns = &status->dns;
	uint64_t lookups = dns->counts.lookups - dns->before.lookups;
	uint64_t hits = dns->counts.cache_hits - dns->before.cache_hits;

	if (!lookups)
		return false;
	*ret_permille = (unsigned)((double)hits * 1000 / (double)lookups);
	return true;
}

uint64_t status_dns_rate(const Status *status, int64_t now_us)
{
	int64_t end_us = status->stopped_us ? MIN(status->stopped_us, now_us) : now_us;
	int64_t seconds = MAX((end_us - status->started_us) / 1000000, 1);
	uint64_t lookups = status->dns.counts.lookups - status->dns.before.lookups;

	return (uint64_t)((double)lookups * 60000 / (double)seconds);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void append_text(StrBuf *sb, const char *key, const char *text)
{
	strbuf_appendf(sb, "%s ", key);
	utf8_append_escaped(sb, span_from_string(text));
	strbuf_append_char(sb, '\n');
}

/* What was added later has a line of its own: an older edition reads the file, too. */
static void append_counters(StrBuf *sb, const char *key, const char *lost_key, const Counters *c)
{
	strbuf_appendf(sb,
		"%s lines=%" PRIu64 " failures=%" PRIu64 " successes=%" PRIu64 " outages=%" PRIu64
		" aborted=%" PRIu64 " skipped=%" PRIu64 "\n%s %" PRIu64 "\n",
		key, c->lines, c->failures, c->successes, c->outages, c->aborted, c->skipped,
		lost_key, c->lost);
}

static void append_log(StrBuf *sb, const StatusLog *log)
{
	append_text(sb, "log", log->path);
	if (log->open)
		strbuf_appendf(sb, "place file=%" PRIu64 ":%" PRIu64 " offset=%" PRIu64 "\n",
			log->device, log->inode, log->offset);
	if (log->cursor)
		append_text(sb, "cursor", log->cursor);
	strbuf_appendf(sb, "read %" PRId64 "\n", log->read_us);
	append_counters(sb, "counters", "lost", &log->counters);
}

static void append_dns_counts(StrBuf *sb, const char *key, const StatusDnsCounts *c)
{
	strbuf_appendf(sb,
		"%s lookups=%" PRIu64 " hits=%" PRIu64 " shared=%" PRIu64 " queries=%" PRIu64
		" ok=%" PRIu64 " no-name=%" PRIu64 " failed=%" PRIu64 " no-ptr=%" PRIu64
		" timeout=%" PRIu64 " off=%" PRIu64 "\n",
		key, c->lookups, c->cache_hits, c->shared, c->queries, c->ok, c->no_name, c->failed,
		c->no_ptr, c->timeout, c->off);
}

static void append_dns(StrBuf *sb, const StatusDns *dns)
{
	strbuf_appendf(sb,
		"dns since=%" PRId64 " enabled=%d dead=%d in-flight=%" PRIu64 " queued=%" PRIu64
		" cached=%" PRIu64 "\n",
		dns->since_us, dns->enabled, dns->dead, dns->in_flight, dns->queued, dns->cached);
	append_dns_counts(sb, "dns-counts", &dns->counts);
	append_dns_counts(sb, "dns-before", &dns->before);
}

static void append_database(StrBuf *sb, const StatusDatabase *database)
{
	append_text(sb, "database", database->kind);
	append_text(sb, "database-path", database->path);
	strbuf_appendf(sb, "database-there %d\n", database->there);
	if (database->used)
		strbuf_appendf(sb,
			"database-data date=%" PRId64 " ranges-v4=%" PRIu64 " ranges-v6=%" PRIu64
			" loaded=%" PRId64 "\n",
			database->date_us, database->ranges_v4, database->ranges_v6,
			database->loaded_us);
}

static void append_job(StrBuf *sb, const StatusJob *job)
{
	append_text(sb, "job", job->name);
	strbuf_appendf(sb,
		"runs since=%" PRId64 " next=%" PRId64 " ended=%" PRId64 " ok=%" PRId64
		" failures=%" PRIu64 "\n",
		job->running_us, job->next_us, job->ended_us, job->ok_us, job->failures);
	append_text(sb, "result", job->result);
}

static void append_sql(StrBuf *sb, const StatusSql *sql)
{
	if (!sql->path)
		return;
	append_text(sb, "sql", sql->path);
	strbuf_appendf(sb,
		"sql-files waiting=%" PRIu64 " bytes=%" PRIu64 " oldest=%" PRId64
		" imported=%" PRId64 "\n",
		sql->files, sql->bytes, sql->oldest_us, sql->imported_us);
}

void status_append(const Status *status, StrBuf *sb)
{
	append_text(sb, "version", status->version);
	strbuf_appendf(sb,
		"pid %" PRId64 "\nstarted %" PRId64 "\nstopped %" PRId64 "\ncommitted %" PRId64
		"\nrows %" PRIu64 "\nwaiting %" PRIu64 "\n",
		status->pid, status->started_us, status->stopped_us, status->committed_us,
		status->rows, status->waiting);
	strbuf_appendf(sb, "generation %" PRIu64 "\nreloaded %" PRId64 "\n", status->generation,
		status->reloaded_us);
	if (status->reload_error)
		append_text(sb, "reload-error", status->reload_error);
	if (status->paused)
		append_text(sb, "paused", status->paused);
	if (status->source)
		append_text(sb, "source", status->source);
	for (size_t i = 0; i < status->log_count; i++)
		append_log(sb, &status->logs[i]);
	append_counters(sb, "gone", "gone-lost", &status->gone);
	append_dns(sb, &status->dns);
	for (size_t i = 0; i < status->database_count; i++)
		append_database(sb, &status->databases[i]);
	for (size_t i = 0; i < status->job_count; i++)
		append_job(sb, &status->jobs[i]);
	append_sql(sb, &status->sql);
	for (size_t i = 0; i < status->warning_count; i++) {
		const StatusWarning *warning = &status->warnings[i];

		strbuf_appendf(sb, "warning %" PRId64 " ", warning->since_us);
		append_text(sb, "", warning->key);
		append_text(sb, "text", warning->text);
	}
	strbuf_appendf(sb, "more-warnings %" PRIu64 "\n", status->more_warnings);
}

/* A file beside path that has the lock before anybody else can have seen it. Its descriptor or -errno. */
static int make_temporary(const char *temporary)
{
	int fd, r;

	if (unlink(temporary) < 0 && errno != ENOENT)
		return -errno;
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = lock_file(fd);
	if (!r && fchmod(fd, 0644) < 0)
		r = -errno;
	if (!r)
		return fd;
	(void)close(fd);
	return r > 0 ? -EBUSY : r;
}

static int replace_file(const char *path, const StrBuf *sb, int *lock_fd)
{
	_cleanup_strbuf_ StrBuf temporary = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	int r;

	strbuf_appendf(&temporary, "%s.tmp", path);
	if (strbuf_error(&temporary))
		return strbuf_error(&temporary);
	fd = make_temporary(temporary.data);
	if (fd < 0)
		return fd;
	r = file_write_full(fd, sb->data, sb->len);
	if (!r && rename(temporary.data, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary.data);
		return r;
	}
	if (*lock_fd >= 0)
		(void)close(*lock_fd);
	*lock_fd = take_fd(&fd);
	return 0;
}

/* The blocks that the file has are its own, however full the disk is. */
static int write_over(const StrBuf *sb, int fd)
{
	size_t done = 0;

	while (done < sb->len) {
		ssize_t n = pwrite(fd, sb->data + done, sb->len - done, (off_t)done);

		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return ftruncate(fd, (off_t)sb->len) < 0 ? -errno : 0;
}

int status_write(const char *path, Span text, int64_t written_us, int *lock_fd)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	int r;

	strbuf_appendf(
		&sb, "%s %d\nwritten %" PRId64 "\n", FORMAT_NAME, FORMAT_VERSION, written_us);
	strbuf_append_span(&sb, text);
	strbuf_append_string(&sb, LAST_LINE);
	if (strbuf_error(&sb))
		return strbuf_error(&sb);
	r = replace_file(path, &sb, lock_fd);
	if ((r == -ENOSPC || r == -EDQUOT) && *lock_fd >= 0)
		r = write_over(&sb, *lock_fd);
	return r;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* The text that stands escaped at value, at the same place: it does not get longer. 0 or -ENOMEM. */
static int read_text(char *value, const char **field)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	utf8_append_unescaped(&sb, span_from_string(value));
	if (strbuf_error(&sb))
		return strbuf_error(&sb);
	memcpy(value, strbuf_text(&sb), sb.len + 1);
	*field = value;
	return 0;
}

static int add_log(Status *status, char *value)
{
	StatusLog *logs;

	if (status->log_count >= CHECKPOINT_LOGS_MAX)
		return -EBADMSG;
	logs = array_grow(status->logs, status->log_count, sizeof(*logs));
	if (!logs)
		return -ENOMEM;
	status->logs = logs;
	logs[status->log_count] = (StatusLog){0};
	return read_text(value, &logs[status->log_count++].path);
}

static int add_database(Status *status, char *value)
{
	StatusDatabase *databases;

	if (status->database_count >= STATUS_DATABASES_MAX)
		return -EBADMSG;
	databases = array_grow(status->databases, status->database_count, sizeof(*databases));
	if (!databases)
		return -ENOMEM;
	status->databases = databases;
	databases[status->database_count] = (StatusDatabase){0};
	return read_text(value, &databases[status->database_count++].kind);
}

static int add_job(Status *status, char *value)
{
	StatusJob *jobs;

	if (status->job_count >= STATUS_JOBS_MAX)
		return -EBADMSG;
	jobs = array_grow(status->jobs, status->job_count, sizeof(*jobs));
	if (!jobs)
		return -ENOMEM;
	status->jobs = jobs;
	jobs[status->job_count] = (StatusJob){.result = ""};
	return read_text(value, &jobs[status->job_count++].name);
}

/* A number that is out of range is one that this program did not write. NOLINTBEGIN(cert-err34-c) */
static int add_warning(Status *status, char *value)
{
	StatusWarning *warnings;
	int64_t since_us;
	int end = 0;

	if (status->warning_count >= STATUS_WARNINGS_MAX ||
		sscanf(value, "%" SCNd64 " %n", &since_us, &end) != 1 || !value[end])
		return -EBADMSG;
	warnings = array_grow(status->warnings, status->warning_count, sizeof(*warnings));
	if (!warnings)
		return -ENOMEM;
	status->warnings = warnings;
	warnings[status->warning_count] = (StatusWarning){.since_us = since_us};
	return read_text(value + end, &warnings[status->warning_count++].key);
}

static int read_signed(const char *value, int64_t *field)
{
	int end = 0;

	return sscanf(value, "%" SCNd64 "%n", field, &end) == 1 && !value[end] ? 0 : -EBADMSG;
}

static int read_unsigned(const char *value, uint64_t *field)
{
	int end = 0;

	return sscanf(value, "%" SCNu64 "%n", field, &end) == 1 && !value[end] ? 0 : -EBADMSG;
}

static int read_place(const char *value, StatusLog *log)
{
	int end = 0;

	log->open = true;
	return sscanf(value, "file=%" SCNu64 ":%" SCNu64 " offset=%" SCNu64 "%n", &log->device,
		       &log->inode, &log->offset, &end) == 3 &&
			       !value[end]
		       ? 0
		       : -EBADMSG;
}

static int read_runs(const char *value, StatusJob *job)
{
	int end = 0;

	return sscanf(value,
		       "since=%" SCNd64 " next=%" SCNd64 " ended=%" SCNd64 " ok=%" SCNd64
		       " failures=%" SCNu64 "%n",
		       &job->running_us, &job->next_us, &job->ended_us, &job->ok_us, &job->failures,
		       &end) == 5 &&
			       !value[end]
		       ? 0
		       : -EBADMSG;
}

static int read_sql(const char *value, StatusSql *sql)
{
	int end = 0;

	return sscanf(value,
		       "waiting=%" SCNu64 " bytes=%" SCNu64 " oldest=%" SCNd64 " imported=%" SCNd64
		       "%n",
		       &sql->files, &sql->bytes, &sql->oldest_us, &sql->imported_us, &end) == 4 &&
			       !value[end]
		       ? 0
		       : -EBADMSG;
}

static int read_counters(const char *value, Counters *c)
{
	int end = 0;

	return sscanf(value,
		       "lines=%" SCNu64 " failures=%" SCNu64 " successes=%" SCNu64
		       " outages=%" SCNu64 " aborted=%" SCNu64 " skipped=%" SCNu64 "%n",
		       &c->lines, &c->failures, &c->successes, &c->outages, &c->aborted,
		       &c->skipped, &end) == 6 &&
			       !value[end]
		       ? 0
		       : -EBADMSG;
}

static int read_dns_counts(const char *value, StatusDnsCounts *c)
{
	int end = 0;

	return sscanf(value,
		       "lookups=%" SCNu64 " hits=%" SCNu64 " shared=%" SCNu64 " queries=%" SCNu64
		       " ok=%" SCNu64 " no-name=%" SCNu64 " failed=%" SCNu64 " no-ptr=%" SCNu64
		       " timeout=%" SCNu64 " off=%" SCNu64 "%n",
		       &c->lookups, &c->cache_hits, &c->shared, &c->queries, &c->ok, &c->no_name,
		       &c->failed, &c->no_ptr, &c->timeout, &c->off, &end) == 10 &&
			       !value[end]
		       ? 0
		       : -EBADMSG;
}

static int read_dns(const char *value, StatusDns *dns)
{
	uint64_t enabled = 2, dead = 2;
	int end = 0;

	if (sscanf(value,
		    "since=%" SCNd64 " enabled=%" SCNu64 " dead=%" SCNu64 " in-flight=%" SCNu64
		    " queued=%" SCNu64 " cached=%" SCNu64 "%n",
		    &dns->since_us, &enabled, &dead, &dns->in_flight, &dns->queued, &dns->cached,
		    &end) != 6 ||
		value[end] || enabled > 1 || dead > 1)
		return -EBADMSG;
	dns->enabled = enabled;
	dns->dead = dead;
	return 0;
}

static int read_data(const char *value, StatusDatabase *database)
{
	int end = 0;

	database->used = true;
	return sscanf(value,
		       "date=%" SCNd64 " ranges-v4=%" SCNu64 " ranges-v6=%" SCNu64
		       " loaded=%" SCNd64 "%n",
		       &database->date_us, &database->ranges_v4, &database->ranges_v6,
		       &database->loaded_us, &end) == 4 &&
			       !value[end]
		       ? 0
		       : -EBADMSG;
}
/* NOLINTEND(cert-err34-c) */

static int read_there(const char *value, bool *field)
{
	*field = !strcmp(value, "1");
	return *field || !strcmp(value, "0") ? 0 : -EBADMSG;
}

/* One "key value" line. 0, -EBADMSG, -ENOMEM. What is not known is of a later edition and says more, not otherwise. */
static int read_line(Status *status, const char *key, char *value)
{
	const struct {
		const char *key;
		int64_t *field;
	} instants[] = {
		{"written", &status->written_us},
		{"pid", &status->pid},
		{"started", &status->started_us},
		{"stopped", &status->stopped_us},
		{"committed", &status->committed_us},
		{"reloaded", &status->reloaded_us},
	};
	const struct {
		const char *key;
		uint64_t *field;
	} numbers[] = {
		{"rows", &status->rows},
		{"waiting", &status->waiting},
		{"generation", &status->generation},
		{"more-warnings", &status->more_warnings},
		{"gone-lost", &status->gone.lost},
	};
	StatusLog *log = status->log_count ? &status->logs[status->log_count - 1] : NULL;
	StatusDatabase *database =
		status->database_count ? &status->databases[status->database_count - 1] : NULL;
	StatusJob *job = status->job_count ? &status->jobs[status->job_count - 1] : NULL;
	StatusWarning *warning =
		status->warning_count ? &status->warnings[status->warning_count - 1] : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(instants); i++)
		if (!strcmp(key, instants[i].key))
			return read_signed(value, instants[i].field);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(key, numbers[i].key))
			return read_unsigned(value, numbers[i].field);
	if (!strcmp(key, "version"))
		return read_text(value, &status->version);
	if (!strcmp(key, "paused"))
		return read_text(value, &status->paused);
	if (!strcmp(key, "source"))
		return read_text(value, &status->source);
	if (!strcmp(key, "gone"))
		return read_counters(value, &status->gone);
	if (!strcmp(key, "dns"))
		return read_dns(value, &status->dns);
	if (!strcmp(key, "dns-counts"))
		return read_dns_counts(value, &status->dns.counts);
	if (!strcmp(key, "dns-before"))
		return read_dns_counts(value, &status->dns.before);
	if (!strcmp(key, "reload-error"))
		return read_text(value, &status->reload_error);
	if (!strcmp(key, "log"))
		return add_log(status, value);
	if (!strcmp(key, "place"))
		return log ? read_place(value, log) : -EBADMSG;
	if (!strcmp(key, "read"))
		return log ? read_signed(value, &log->read_us) : -EBADMSG;
	if (!strcmp(key, "counters"))
		return log ? read_counters(value, &log->counters) : -EBADMSG;
	if (!strcmp(key, "lost"))
		return log ? read_unsigned(value, &log->counters.lost) : -EBADMSG;
	if (!strcmp(key, "cursor"))
		return log ? read_text(value, &log->cursor) : -EBADMSG;
	if (!strcmp(key, "database"))
		return add_database(status, value);
	if (!strcmp(key, "database-path"))
		return database ? read_text(value, &database->path) : -EBADMSG;
	if (!strcmp(key, "database-there"))
		return database ? read_there(value, &database->there) : -EBADMSG;
	if (!strcmp(key, "database-data"))
		return database ? read_data(value, database) : -EBADMSG;
	if (!strcmp(key, "job"))
		return add_job(status, value);
	if (!strcmp(key, "runs"))
		return job ? read_runs(value, job) : -EBADMSG;
	if (!strcmp(key, "result"))
		return job ? read_text(value, &job->result) : -EBADMSG;
	if (!strcmp(key, "sql"))
		return read_text(value, &status->sql.path);
	if (!strcmp(key, "sql-files"))
		return read_sql(value, &status->sql);
	if (!strcmp(key, "warning"))
		return add_warning(status, value);
	if (!strcmp(key, "text"))
		return warning ? read_text(value, &warning->text) : -EBADMSG;
	return 0;
}

static int read_lines(Status *status, char *line, char *end, Why *ret_why)
{
	int r = 0;

	for (char *next; line < end && !r; line = next) {
		char *value;

		next = memchr(line, '\n', (size_t)(end - line));
		if (!next) {
			r = -EBADMSG;
			break;
		}
		*next++ = '\0';
		value = strchr(line, ' ');
		if (value)
			*value++ = '\0';
		r = value ? read_line(status, line, value) : -EBADMSG;
	}
	for (size_t i = 0; i < status->warning_count && !r; i++)
		if (!status->warnings[i].text)
			r = -EBADMSG;
	for (size_t i = 0; i < status->database_count && !r; i++)
		if (!status->databases[i].path)
			r = -EBADMSG;
	if (!r && !status->version)
		r = -EBADMSG;
	if (r == -EBADMSG)
		why_set(ret_why, "a line of it can't be read");
	return r;
}

/* What it says of itself. 0, -EAGAIN (it is being written over), -EBADMSG, -ENOMEM. */
static int parse(StrBuf *sb, Status *ret_status, Why *ret_why)
{
	_cleanup_status_ Status status = STATUS_INIT;
	size_t last = sizeof(LAST_LINE) - 1;
	uint64_t version = 0;
	char *first_end = sb->len ? memchr(sb->data, '\n', sb->len) : NULL;
	int r;

	if (first_end)
		*first_end++ = '\0';
	if (!first_end || strncmp(sb->data, FORMAT_NAME " ", sizeof(FORMAT_NAME)) != 0 ||
		read_unsigned(sb->data + sizeof(FORMAT_NAME), &version) < 0 || !version) {
		why_set(ret_why, "not a status of this program");
		return -EBADMSG;
	}
	if (version > FORMAT_VERSION) {
		why_set(ret_why, "written by a newer version of this program");
		return -EBADMSG;
	}
	if (sb->len < last || memcmp(sb->data + sb->len - last, LAST_LINE, last)) {
		why_set(ret_why, "it is cut short");
		return -EAGAIN;
	}
	r = read_lines(&status, first_end, sb->data + sb->len - last, ret_why);
	if (r < 0)
		return r;
	status.buffer = strbuf_take(sb);
	*ret_status = status;
	status = STATUS_INIT;
	return 0;
}

static int read_fd(int fd, StrBuf *sb)
{
	strbuf_reset(sb);
	for (;;) {
		char *to = strbuf_reserve(sb, 16384);
		ssize_t n = to ? file_pread_full(fd, to, 16384, (off_t)sb->len) : 0;

		if (!to || n < 0)
			return to ? (int)n : strbuf_error(sb);
		if (sb->len + (size_t)n > FILE_MAX)
			return -EFBIG;
		sb->len += (size_t)n;
		sb->data[sb->len] = '\0';
		if (n < 16384)
			return 0;
	}
}

/* Whether somebody has the lock on the file that is open. */
static bool is_locked(int fd)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type == F_WRLCK;
}

int status_read(const char *path, Status *ret_status, bool *ret_running, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	int r = -EAGAIN;

	for (int i = 0; i < READ_ATTEMPTS && r == -EAGAIN; i++) {
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		struct stat st, now;

		if (fd < 0) {
			r = -errno;
			why_set(ret_why, "%s", strerror(errno));
			return r;
		}
		*ret_running = is_locked(fd);
		r = read_fd(fd, &sb);
		if (r < 0) {
			why_set(ret_why, "%s", strerror(-r));
			return r;
		}
		/* The lock goes to the next version: is this one still the last? */
		if (!*ret_running &&
			(fstat(fd, &st) < 0 || stat(path, &now) < 0 || st.st_ino != now.st_ino))
			r = -EAGAIN;
		else
			r = parse(&sb, ret_status, ret_why);
	}
	return r == -EAGAIN ? -EBADMSG : r;
}
