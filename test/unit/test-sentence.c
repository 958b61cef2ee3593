/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/sentence.h"

#include "scratch.h"
#include "tap.h"

static void says(const Status *status, const char *expected, const char *what)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	sentence_append(status, &sb);
	if (!tap_ok(!strcmp(strbuf_text(&sb), expected), "%s", what))
		tap_note("%s", strbuf_text(&sb));
}

int main(void)
{
	StatusLog logs[] = {
		{.path = "/x\n/mail.log", .open = true, .counters = {.lines = 30, .failures = 4}},
		{.path = "/y", .counters = {.lines = 1}},
		{.path = "/z", .counters = {.lines = 2, .failures = 1}},
	};
	StatusWarning warnings[] = {{1, "reload", "conf: not reloaded: \x1b[31m"},
		{2, "missing:/y", "/y: is not there"}};
	Status status = {.logs = logs, .log_count = 1, .waiting = 7};
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char text[1000] = "";

	says(&status, "Following /x\\x0a/mail.log: 4 failed logins in 30 lines",
		"one log, escaped");
	logs[0].open = false;
	says(&status, "Waiting for /x\\x0a/mail.log: 4 failed logins in 30 lines",
		"one that is not there");
	status.log_count = 3;
	says(&status, "Waiting for 3 logs: 5 failed logins in 33 lines", "several");
	logs[2].open = true;
	says(&status, "Following 1 of 3 logs: 5 failed logins in 33 lines",
		"of which one is there");
	status.gone = (Counters){.lines = 10, .failures = 10};
	logs[0].open = logs[1].open = true;
	says(&status, "Following 3 logs: 15 failed logins in 43 lines",
		"with those that are not followed any more");
	status.warnings = &warnings[1];
	status.warning_count = 1;
	says(&status, "Following 3 logs: 15 failed logins in 43 lines; warning: /y: is not there",
		"a warning");
	status.warnings = warnings;
	status.warning_count = 2;
	status.more_warnings = 3;
	says(&status,
		"Following 3 logs: 15 failed logins in 43 lines; 5 warnings, such as: conf: not "
		"reloaded: \\x1b[31m",
		"a refused reload comes first");
	status.paused = "/csv: No space left on device";
	says(&status, "Paused: /csv: No space left on device", "a pause");
	status.stopping = true;
	says(&status, "Stopping; 7 failed logins wait for their names", "its end is near");
	status.stopped_us = 1;
	status.warning_count = status.more_warnings = 0;
	says(&status, "Stopped; read 3 logs: 15 failed logins in 43 lines", "it has ended");
	status = (Status){.paused = text};
	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	sentence_append(&status, &sb);
	tap_ok(sb.len <= SENTENCE_MAX + 3 && sb.len > SENTENCE_MAX - 3 &&
			!strcmp(sb.data + sb.len - 6, "\xe2\x82\xac..."),
		"a long one is cut behind a whole character");
	return tap_done();
}
