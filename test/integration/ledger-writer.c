/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger-writer.h"

#include "base/file.h"

#include <fcntl.h>

/* How a user can be written, and what the CSV makes of it; # is the number of the row. */
static const struct {
	const char *said, *row;
} users[] = {
	{", sasl_username=user#", "user#"},
	{", sasl_username=user#@example.com", "user#@example.com"},
	{", sasl_username=u #, \"x\"", "\"u #, \"\"x\"\"\""},
	{", sasl_username==cmd#", "'=cmd#"},
	{", sasl_username=(unavailable)", "N/A"},
	{"", "N/A"},
};

static const char *const services[] = {
	"postfix/smtpd", "postfix/submission/smtpd", "postfix/smtps/smtpd", "postfix-out/smtpd"};
static const char *const methods[] = {"LOGIN", "PLAIN", "login", "CRAM-MD5"};
static const char *const reasons[] = {
	"UGFzc3dvcmQ6", "authentication failure", "(reason unavailable)", "generic failure", ""};

/* What is no failure; # is a number, ~ an address. */
static const struct {
	const char *format;
	uint64_t successes, outages, aborted;
} others[] = {
	{"postfix/smtpd[#]: connect from unknown[~]", 0, 0, 0},
	{"postfix/smtpd[#]: disconnect from unknown[~] ehlo=1 auth=0/1 quit=1 commands=2/3", 0, 0,
		0},
	{"postfix/smtpd[#]: lost connection after AUTH from unknown[~]", 0, 0, 0},
	{"postfix/qmgr[#]: 4b1C2d3E4f: from=<a@example.net>, size=~, nrcpt=1", 0, 0, 0},
	{"postfix/smtpd[#]: 4b1C2d3E4f: client=unknown[~], sasl_method=PLAIN, sasl_username=jane",
		1, 0, 0},
	{"postfix/smtpd[#]: warning: unknown[~]: SASL PLAIN authentication failed: Connection "
	 "lost to authentication server",
		0, 1, 0},
	{"postfix/smtpd[#]: warning: unknown[~]: SASL LOGIN authentication aborted", 0, 0, 1},
	{"postfix/smtpd[#]: warning: non-SMTP command from unknown[~]: Subject: "
	 "unknown[1.2.3.4]: "
	 "SASL LOGIN authentication failed: x",
		0, 0, 0},
	{"postfix/smtp[#]: warning: mx[~]: SASL PLAIN authentication failed: x", 0, 0, 0},
	{"dovecot[#]: imap-login: Login: user=<jane>, rip=~", 0, 0, 0},
};

void writer_init(Writer *writer, const char *ledger_path, uint64_t seed, uint32_t lines_per_s)
{
	*writer = (Writer){.random = ledger_random(seed), .fd = -1, .lines_per_s = lines_per_s};
	writer->ledger = fopen(ledger_path, "we");
	LEDGER_MUST(writer->ledger);
	writer->time_us = (int64_t)time(NULL) * 1000000;
	writer->started_ms = ledger_now_ms();
}

void writer_done(Writer *writer)
{
	if (writer->fd >= 0)
		(void)close(writer->fd);
	LEDGER_MUST(!fclose(writer->ledger));
	strbuf_done(&writer->text);
}

void writer_open(Writer *writer, const char *path, bool append, mode_t mode)
{
	if (writer->fd >= 0)
		(void)close(writer->fd);
	writer->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : 0), mode);
	LEDGER_MUST(writer->fd >= 0);
	writer->traditional = random_chance(&writer->random, 300);
}

void writer_set_append(Writer *writer, bool append)
{
	LEDGER_MUST(!fcntl(writer->fd, F_SETFL, append ? O_APPEND : 0));
	LEDGER_MUST(lseek(writer->fd, 0, SEEK_END) >= 0);
}

/* The stamp, and the host that sends the line. */
static void append_stamp(Writer *writer, const char *server)
{
	time_t seconds = (time_t)(writer->time_us / 1000000);
	char text[64];
	struct tm tm;

	if (writer->traditional) {
		LEDGER_MUST(localtime_r(&seconds, &tm));
		LEDGER_MUST(strftime(text, sizeof(text), "%b %e %H:%M:%S", &tm));
		strbuf_appendf(&writer->text, "%s %s ", text, server);
		return;
	}
	LEDGER_MUST(gmtime_r(&seconds, &tm));
	LEDGER_MUST(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm));
	if (random_chance(&writer->random, 200))
		strbuf_appendf(&writer->text, "%sZ %s ", text, server);
	else
		strbuf_appendf(&writer->text, "%s.%06d+00:00 %s ", text,
			(int)(writer->time_us % 1000000), server);
}

/* An address that no other row has, as long as there are less than 16 million. */
static void format_address(uint64_t row, bool v6, char text[64])
{
	if (v6)
		(void)snprintf(text, 64, "2a00:20::%x:%x", 1 + (unsigned)(row >> 16 & 0xff),
			1 + (unsigned)(row & 0xfffe));
	else
		(void)snprintf(text, 64, "81.%u.%u.%u", (unsigned)(row >> 16 & 255),
			(unsigned)(row >> 8 & 255), (unsigned)(row & 255));
}

/* The template, with its # and ~ filled in. */
static void append_filled(StrBuf *sb, const char *template, uint64_t number, const char *ip)
{
	for (const char *at = template; *at; at++) {
		if (*at == '#')
			strbuf_append_u64(sb, number);
		else if (*at == '~')
			strbuf_append_string(sb, ip);
		else
			strbuf_append_char(sb, *at);
	}
}

static void enter_rows(Writer *writer, const char *server, const char *ip, size_t user, unsigned n)
{
	time_t seconds = (time_t)(writer->time_us / 1000000);
	_cleanup_strbuf_ StrBuf name = STRBUF_INIT;
	char date[64];
	struct tm tm;

	LEDGER_MUST(localtime_r(&seconds, &tm));
	LEDGER_MUST(strftime(date, sizeof(date), "%Y-%m-%d %H:%M", &tm));
	append_filled(&name, users[user].row, writer->written.failures, ip);
	for (unsigned i = 0; i < n; i++)
		LEDGER_MUST(fprintf(writer->ledger, "%s,\"%s\",%s,%s\n", server, date, ip,
				    strbuf_text(&name)) > 0);
}

static void append_failure(Writer *writer)
{
	Random *random = &writer->random;
	const char *server = random_chance(random, 500) ? "mx1" : "mx2.example.org";
	unsigned repeated = random_chance(random, 30) ? 2 + random_below(random, 4) : 1;
	size_t user = random_below(random, ARRAY_SIZE(users));
	char ip[64];

	format_address(writer->written.failures, random_chance(random, 200), ip);
	append_stamp(writer, server);
	strbuf_appendf(&writer->text, "%s[%u]: ", services[random_below(random, 4)],
		1 + random_below(random, 30000));
	if (repeated > 1)
		strbuf_appendf(&writer->text, "message repeated %u times: [ ", repeated);
	strbuf_appendf(&writer->text, "warning: %s[%s]%s: SASL %s authentication failed: %s",
		random_chance(random, 700) ? "unknown" : "8.8.8.8.evil.example", ip,
		random_chance(random, 100) ? ":4711" : "", methods[random_below(random, 4)],
		reasons[random_below(random, 5)]);
	append_filled(&writer->text, users[user].said, writer->written.failures, ip);
	strbuf_append_string(&writer->text, repeated > 1 ? "]" : "");
	enter_rows(writer, server, ip, user, repeated);
	writer->written.failures += repeated;
}

static void append_other(Writer *writer)
{
	Random *random = &writer->random;
	size_t which = random_below(random, ARRAY_SIZE(others));
	char ip[64];

	append_stamp(writer, "mx1");
	format_address(random_next(random), random_chance(random, 200), ip);
	append_filled(&writer->text, others[which].format, 1 + random_below(random, 30000), ip);
	writer->written.successes += others[which].successes;
	writer->written.outages += others[which].outages;
	writer->written.aborted += others[which].aborted;
}

static void append_line(Writer *writer)
{
	Random *random = &writer->random;
	uint32_t kind = random_below(random, 10000);

	writer->time_us += random_below(random, 100);
	if (kind < 4000) {
		append_failure(writer);
	} else if (kind < 9990) {
		append_other(writer);
	} else if (kind < 9999) {
		strbuf_append_string(&writer->text, kind % 2 ? "" : "-- MARK --\r");
	} else {
		/* One that is cut before it is understood. */
		append_stamp(writer, "mx1");
		strbuf_append_string(&writer->text,
			"postfix/smtpd[1]: warning: non-SMTP command from unknown[198.51.100.9]: "
			"SASL LOGIN authentication failed: ");
		for (int i = 0; i < 7000; i++)
			strbuf_append_string(&writer->text, "0123456789");
		writer->written.skipped++;
	}
	strbuf_append_char(&writer->text, '\n');
	writer->written.lines++;
}

/* What was gathered, in one piece or in several that end anywhere. */
static void flush(Writer *writer)
{
	const char *data = writer->text.data;
	size_t len = writer->text.len;

	LEDGER_MUST(!strbuf_error(&writer->text));
	while (len) {
		size_t n = random_chance(&writer->random, 700)
				   ? len
				   : 1 + random_below(&writer->random, (uint32_t)len);

		LEDGER_MUST(!file_write_full(writer->fd, data, n));
		data += n;
		len -= n;
		if (len && random_chance(&writer->random, 100))
			ledger_sleep_us(random_below(&writer->random, 2000));
	}
	strbuf_reset(&writer->text);
}

void writer_write(Writer *writer, uint32_t n)
{
	uint32_t lines = n ? random_below(&writer->random, n + 1) : 0;

	while (lines) {
		uint32_t some = 1 + random_below(&writer->random, 300);

		some = MIN(some, lines);
		for (uint32_t i = 0; i < some; i++)
			append_line(writer);
		flush(writer);
		lines -= some;
	}
}

void writer_write_failure(Writer *writer)
{
	writer->time_us++;
	append_failure(writer);
	strbuf_append_char(&writer->text, '\n');
	writer->written.lines++;
	flush(writer);
}

void writer_pace(Writer *writer)
{
	for (;;) {
		uint64_t due_ms = writer->written.lines * 1000 / writer->lines_per_s;
		uint64_t took_ms = ledger_now_ms() - writer->started_ms;

		if (took_ms >= due_ms)
			return;
		ledger_sleep_us((uint32_t)(due_ms - took_ms) * 1000);
	}
}
