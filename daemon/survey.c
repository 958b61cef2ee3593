/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/survey.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/calendar.h"
#include "base/file.h"
#include "report/address.h"
#include "source/journal.h"

#define CONFIG_MAX ((size_t)1 << 20) /* bytes of another program's configuration */
#define TAIL_MAX 262144              /* bytes at a log's end that are looked through */
#define SMTP_PORT 25
#define SMTP_WAIT_MS 2000
#define JOURNAL_ROUNDS \
	256 /* how often the journal is asked for more until it has nothing of smtpd */
#define BLANKS " \t\r"

void survey_done(Survey *survey)
{
	free(survey->log);
	free(survey->mail_server);
	free(survey->recipient);
	*survey = SURVEY_INIT;
}

/* ---- the log -------------------------------------------------------------------------------- */

/* Whether Postfix has written one of the last lines. */
static bool holds_postfix(int fd, off_t size)
{
	static const char mark[] = " postfix/";
	_cleanup_free_ char *tail = malloc(TAIL_MAX);
	off_t start = size > TAIL_MAX ? size - TAIL_MAX : 0;
	ssize_t n = tail ? file_pread_full(fd, tail, TAIL_MAX, start) : -1;

	return n > 0 && memmem(tail, (size_t)n, mark, strlen(mark));
}

/* A log that Postfix writes is better than another one, and a younger one than an older. 0 or -ENOMEM. */
static int consider_log(Survey *survey, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int64_t written_us;
	struct stat st;
	bool is_postfix;
	char *copy;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	is_postfix = holds_postfix(fd, st.st_size);
	written_us = st.st_mtim.tv_sec * USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
	if (survey->log && (is_postfix != survey->log_is_postfix ? survey->log_is_postfix
								 : survey->log_us >= written_us))
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(survey->log);
	survey->log = copy;
	survey->log_is_postfix = is_postfix;
	survey->log_us = written_us;
	survey->log_size_bytes = (uint64_t)st.st_size;
	return 0;
}

/* The next line of the text, without its end; false when there is none. */
static bool next_line(const char **text, Span *ret_line)
{
	size_t n = strcspn(*text, "\n");

	if (!**text)
		return false;
	*ret_line = (Span){*text, n};
	*text += n + ((*text)[n] == '\n');
	return true;
}

/* The value of "NAME = VALUE" when the line is one. */
static char *value_dup(Span line, const char *name)
{
	size_t len = strlen(name);
	const char *p, *end = line.data + line.len;

	if (!span_starts_with(line, name))
		return NULL;
	for (p = line.data + len; p < end && strchr(BLANKS, *p); p++)
		;
	if (p == end || *p++ != '=')
		return NULL;
	for (; p < end && strchr(BLANKS, *p); p++)
		;
	for (; end > p && strchr(BLANKS, end[-1]); end--)
		;
	return span_dup((Span){p, (size_t)(end - p)});
}

/* Postfix can write a log by itself (postlogd). */
static int consider_postfix(Survey *survey)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	const char *rest;
	Span line;

	if (file_read("/etc/postfix/main.cf", CONFIG_MAX, &text) < 0)
		return 0;
	survey->postfix = true;
	for (rest = strbuf_text(&text); next_line(&rest, &line);) {
		_cleanup_free_ char *path = value_dup(line, "maillog_file");

		if (path && *path == '/') {
			int r = consider_log(survey, path);

			if (r)
				return r;
		}
	}
	return 0;
}

/* "mail.*  -/var/log/mail.log": where all of the facility goes. */
static int consider_rule(Survey *survey, Span line)
{
	_cleanup_free_ char *text = span_dup(line);
	char *path;

	if (!text)
		return -ENOMEM;
	if (*text == '#' || (!strstr(text, "mail.*") && !strstr(text, "mail.info")))
		return 0;
	path = strpbrk(text, BLANKS);
	if (!path)
		return 0;
	path += strspn(path, BLANKS);
	path += *path == '-';
	path[strcspn(path, BLANKS ";")] = '\0';
	return *path == '/' ? consider_log(survey, path) : 0;
}

static int consider_rsyslog(Survey *survey)
{
	static const char *const patterns[] = {
		"/etc/rsyslog.conf", "/etc/rsyslog.d/*.conf", "/etc/syslog.conf"};
	glob_t found = {0};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (glob(patterns[i], i ? GLOB_APPEND : 0, NULL, &found) == GLOB_NOSPACE)
			r = -ENOMEM;
	for (size_t i = 0; i < found.gl_pathc && !r; i++) {
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
		const char *rest;
		Span line;

		if (file_read(found.gl_pathv[i], CONFIG_MAX, &text) < 0)
			continue;
		for (rest = strbuf_text(&text); !r && next_line(&rest, &line);)
			r = consider_rule(survey, line);
	}
	globfree(&found);
	return r;
}

static int find_log(Survey *survey)
{
	static const char *const usual[] = {
		"/var/log/mail.log", "/var/log/maillog", "/var/log/mail", "/var/log/mail/mail.log"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(usual) && !r; i++)
		r = consider_log(survey, usual[i]);
	if (!r)
		r = consider_postfix(survey);
	return r ? r : consider_rsyslog(survey);
}

/* What is wrong with a journal its reader will say. */
static void ignore_notice(void *userdata, bool warning, const char *text)
{
	(void)userdata;
	(void)warning;
	(void)text;
}

static int look_at_journal(Survey *survey)
{
	static const JournalOptions options = {.follow = false};
	static const JournalCallbacks callbacks = {.notice = ignore_notice};
	_cleanup_(journal_freep) Journal *journal = NULL;
	JournalEntry entry;
	Why why;
	int r;

	survey->journal = !journal_probe(NULL);
	if (!survey->journal)
		return 0;
	r = journal_new(&options, &callbacks, &journal);
	if (r)
		return r;
	for (int i = 0; i < JOURNAL_ROUNDS && !survey->journal_is_postfix && !r; i++) {
		r = journal_fill(journal, &why);
		survey->journal_is_postfix = journal_entry(journal, &entry);
	}
	return r == -ENOMEM ? r : 0;
}

/* ---- the mail server ------------------------------------------------------------------------ */

static bool wait_ready(int fd, short events)
{
	struct pollfd ready = {.fd = fd, .events = events};

	return poll(&ready, 1, SMTP_WAIT_MS) == 1;
}

/* What it says first: "220 mail.example.org ESMTP Postfix (Debian/GNU)". */
static int find_mail_server(Survey *survey)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(SMTP_PORT),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	char banner[200];
	Span name;
	ssize_t n;

	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
		(errno != EINPROGRESS || !wait_ready(fd, POLLOUT)))
		return 0;
	if (!wait_ready(fd, POLLIN))
		return 0;
	n = read(fd, banner, sizeof(banner));
	if (n < 4 || memcmp(banner, "220", 3) != 0)
		return 0;
	/* politeness; it is well without */
	(void)!send(fd, "QUIT\r\n", 6, MSG_NOSIGNAL);
	name = (Span){banner + 4, (size_t)n - 4};
	for (size_t i = 0; i < name.len; i++)
		if (strchr("\r\n", name.data[i]))
			name.len = i;
	survey->mail_server = span_dup(name);
	return survey->mail_server ? 0 : -ENOMEM;
}

/* ---- who reads root's mail ------------------------------------------------------------------ */

/* Of "a@example.org, b" all, or none when something in it is no address. */
static int take_alias(Survey *survey, Span value)
{
	_cleanup_strbuf_ StrBuf list = STRBUF_INIT;
	_cleanup_free_ char *text = span_dup(value);
	char *save = NULL;

	if (!text)
		return -ENOMEM;
	for (char *word = strtok_r(text, ", \t\r", &save); word;
		word = strtok_r(NULL, ", \t\r", &save)) {
		if (address_check(word, NULL) < 0)
			return 0;
		strbuf_appendf(&list, "%s%s", list.len ? " " : "", word);
	}
	if (!list.len && !strbuf_error(&list))
		return 0;
	free(survey->recipient);
	survey->recipient = strbuf_take(&list);
	return survey->recipient ? 0 : -ENOMEM;
}

static int find_recipient(Survey *survey)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	const char *rest;
	Span line;
	int r = 0;

	if (file_read("/etc/aliases", CONFIG_MAX, &text) < 0)
		return 0;
	for (rest = strbuf_text(&text); !r && next_line(&rest, &line);)
		if (span_starts_with(line, "root:"))
			r = take_alias(survey, (Span){line.data + 5, line.len - 5});
	return r;
}

/* ---- the time zone -------------------------------------------------------------------------- */

static void find_zone(int64_t now_us, Survey *survey)
{
	time_t now = (time_t)(now_us / USEC_PER_SEC);
	const char *name = getenv("TZ"), *mark;
	char link[256], zone[64] = "", offset[16] = "";
	ssize_t n = readlink("/etc/localtime", link, sizeof(link) - 1);
	struct tm civil;

	link[MAX(n, (ssize_t)0)] = '\0';
	mark = strstr(link, "zoneinfo/");
	if (!name || !*name)
		name = mark ? mark + strlen("zoneinfo/") : "";
	if (!localtime_r(&now, &civil))
		return;
	(void)strftime(zone, sizeof(zone), "%Z", &civil);
	(void)strftime(offset, sizeof(offset), "%z", &civil); /* +0100 */
	(void)snprintf(survey->zone, sizeof(survey->zone), "%.60s%s%.20s%sUTC%.3s:%s%s", name,
		*name ? " (" : "", zone, *zone ? ", " : "", offset,
		offset + MIN(strlen(offset), 3u), *name ? ")" : "");
}

int survey_make(int64_t now_us, Survey *ret_survey)
{
	_cleanup_survey_ Survey survey = SURVEY_INIT;
	int r = find_log(&survey);

	if (!r)
		r = look_at_journal(&survey);
	if (!r)
		r = find_mail_server(&survey);
	if (!r)
		r = find_recipient(&survey);
	if (r)
		return r;
	find_zone(now_us, &survey);
	*ret_survey = survey;
	survey = SURVEY_INIT;
	return 0;
}
