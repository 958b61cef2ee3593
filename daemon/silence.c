/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/silence.h"

#include "base/calendar.h"

#define SMTPD_INTERVAL_US ((int64_t)60 * 1000000)

void silence_init(Silence *silence, int64_t written_us, int64_t now_us)
{
	*silence = (Silence){
		.since_us = written_us ? MIN(written_us, now_us) : now_us, .no_smtpd_us = now_us};
}

void silence_end(Silence *silence, const Source *source, uint64_t limit_ms, int64_t now_us)
{
	/* To look for smtpd's once in a while will do. */
	int64_t interval_us = MIN((int64_t)limit_ms * 250, SMTPD_INTERVAL_US);

	silence->read_us = silence->since_us = now_us;
	if (now_us - silence->no_smtpd_us >= interval_us && source_has_smtpd(source))
		silence->no_smtpd_us = now_us;
}

static void warn(Warnings *warnings, const char *condition, const char *name, const char *what,
	int64_t since_us)
{
	char key[WARNINGS_KEY_MAX], date[CALENDAR_MINUTE_MAX];
	LocalZone zone = {0};

	(void)calendar_format_minute(&zone, since_us, date);
	warnings_raise(warnings, LOG_LEVEL_WARNING, warnings_key(key, condition, name), since_us,
		"%s: %s since %s", name, what, date);
}

void silence_check(const Silence *silence, const char *name, bool awaited, uint64_t limit_ms,
	Warnings *warnings, int64_t now_us)
{
	int64_t limit_us = (int64_t)limit_ms * 1000;
	char key[WARNINGS_KEY_MAX];

	if (!limit_us) {
		warnings_clear(warnings, warnings_key(key, "quiet", name), NULL);
		warnings_clear(warnings, warnings_key(key, "smtpd", name), NULL);
		return;
	}
	if (awaited && now_us - silence->since_us >= limit_us) {
		warn(warnings, "quiet", name, "no new line", silence->since_us);
		return;
	}
	warnings_clear(warnings, warnings_key(key, "quiet", name),
		awaited ? "%s: lines come again" : NULL, name);
	if (now_us - silence->no_smtpd_us < limit_us)
		warnings_clear(warnings, warnings_key(key, "smtpd", name),
			"%s: lines of smtpd come again", name);
	else if (silence->read_us > silence->no_smtpd_us)
		warn(warnings, "smtpd", name, "lines, but none of Postfix's smtpd",
			silence->no_smtpd_us);
}
