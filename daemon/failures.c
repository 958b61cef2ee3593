/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/failures.h"

#include "base/calendar.h"
#include "daemon/loop.h"
#include "report/spool.h"

int failures_append(const char *state_dir, StrBuf *sb, int64_t *ret_since_us)
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;
	char made[CALENDAR_MINUTE_MAX] = "";
	SpoolFailures failures;
	LocalZone zone = {0};
	int r = spool_read(state_dir, &spool);

	if (r < 0)
		return r;
	spool_failures(&spool, &failures);
	*ret_since_us = failures.created_us;
	if (!failures.count)
		return 0;
	if (failures.created_us)
		(void)calendar_format_minute(&zone, failures.created_us, made);
	if (failures.count > 1)
		strbuf_appendf(
			sb, "%zu reports could not be sent and are kept, the last", failures.count);
	else
		strbuf_append_string(sb, "a report could not be sent and is kept, the one");
	if (*made)
		strbuf_appendf(sb, " of %s", made);
	strbuf_appendf(sb, " in %s/%s.failed", spool.dir, failures.name);
	if (*failures.reason)
		strbuf_appendf(sb, ": %s", failures.reason);
	return 0;
}

void failures_look(const char *state_dir, Warnings *warnings)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int64_t since_us = 0;
	int r = failures_append(state_dir, &text, &since_us);

	if (!r)
		r = strbuf_error(&text);
	if (r < 0)
		warnings_raise(warnings, LOG_LEVEL_WARNING, FAILURES_KEY, loop_wall_us(),
			"%s/spool: %s", state_dir, strerror(-r));
	else if (text.len)
		warnings_raise(warnings, LOG_LEVEL_WARNING, FAILURES_KEY,
			since_us ? since_us : loop_wall_us(), "%s", text.data);
	else
		warnings_clear(warnings, FAILURES_KEY, "no report that could not be sent is left");
}
