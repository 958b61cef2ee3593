/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the logging says of messages that it has dropped. */
#include "parse/lost.h"

#include "tap.h"

static const struct {
	const char *tag, *message;
	uint64_t count;
} cases[] = {
	{"systemd-journald", "Suppressed 88 messages from postfix@-.service", 88},
	{"systemd-journald", "Suppressed 12 messages from /system.slice/postfix.service", 12},
	{"systemd-journal", "Suppressed 1 messages from postfix.service", 1},
	{"systemd-journald", "Suppressed 88 messages from cron.service", 0},
	{"systemd-journald", "Suppressed 4294967295 messages from postfix.service", 4294967295},
	{"systemd-journald", "Suppressed 4294967296 messages from postfix.service", 0},
	{"systemd-journald", "Suppressed  messages from postfix.service", 0},
	{"systemd-journald", "Suppressed 88", 0},
	{"systemd-journald", "Suppressed 88 letters from postfix.service", 0},
	{"systemd-journald", "Journal started", 0},
	{"postfix/smtpd", "Suppressed 88 messages from postfix@-.service", 0},
	{"rsyslogd",
		"imjournal: 300 messages lost due to rate-limiting (20000 allowed within 600 "
		"seconds)",
		300},
	{"rsyslogd", "imuxsock[pid 812]: 55 messages lost due to rate-limiting", 55},
	{"rsyslogd-2177", "imuxsock lost 255 messages from pid 12105 due to rate-limiting", 255},
	{"rsyslogd", "imuxsock[pid 812]: begin to drop messages due to rate-limiting", 0},
	{"rsyslogd-2177", "imuxsock begins to drop messages from pid 1 due to rate-limiting", 0},
	{"rsyslogd", "imuxsock lost many messages from pid 1 due to rate-limiting", 0},
	{"rsyslogd", "action 'x' resumed", 0},
	{"rsyslogd", "", 0},
	{NULL, "Suppressed 88 messages from postfix@-.service", 0},
	{"systemd-journald", NULL, 0},
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tap_ok(lost_parse(span_from_string(cases[i].tag),
			       span_from_string(cases[i].message)) == cases[i].count,
			"%s: %s", cases[i].tag ? cases[i].tag : "none",
			cases[i].message ? cases[i].message : "none");
	return tap_done();
}
