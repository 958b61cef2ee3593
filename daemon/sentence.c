/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/sentence.h"

#include "base/utf8.h"

#include <inttypes.h>

static void append_text(StrBuf *sb, const char *text)
{
	utf8_append_escaped(sb, span_from_string(text));
}

static void append_logs(StrBuf *sb, const Status *status, bool waiting)
{
	size_t count = 0;

	for (size_t i = 0; i < status->log_count; i++)
		count += status->logs[i].open;
	if (status->log_count == 1)
		append_text(sb, status->logs[0].path);
	else if (waiting || count == status->log_count)
		strbuf_appendf(sb, "%zu logs", status->log_count);
	else
		strbuf_appendf(sb, "%zu of %zu logs", count, status->log_count);
}

static bool is_any_open(const Status *status)
{
	for (size_t i = 0; i < status->log_count; i++)
		if (status->logs[i].open)
			return true;
	return false;
}

/* A refused configuration is what somebody looks for who has just reloaded; else what began last. */
static const StatusWarning *choose_warning(const Status *status)
{
	for (size_t i = 0; i < status->warning_count; i++)
		if (!strcmp(status->warnings[i].key, "reload"))
			return &status->warnings[i];
	return status->warning_count ? &status->warnings[status->warning_count - 1] : NULL;
}

static void append_warnings(StrBuf *sb, const Status *status)
{
	const StatusWarning *warning = choose_warning(status);
	uint64_t count = status->warning_count + status->more_warnings;

	if (!warning)
		return;
	if (count == 1)
		strbuf_append_string(sb, "; warning: ");
	else
		strbuf_appendf(sb, "; %" PRIu64 " warnings, such as: ", count);
	append_text(sb, warning->text);
}

static void append_all(StrBuf *sb, const Status *status)
{
	Counters sum = status_sum(status);
	bool open = is_any_open(status);

	if (status->stopping && !status->stopped_us) {
		strbuf_appendf(sb, "Stopping; %" PRIu64 " failed logins wait for their names",
			status->waiting);
		return;
	}
	if (status->paused && !status->stopped_us) {
		strbuf_append_string(sb, "Paused: ");
		append_text(sb, status->paused);
		return;
	}
	strbuf_append_string(sb, status->stopped_us ? "Stopped; read "
				 : open             ? "Following "
						    : "Waiting for ");
	append_logs(sb, status, !open);
	strbuf_appendf(
		sb, ": %" PRIu64 " failed logins in %" PRIu64 " lines", sum.failures, sum.lines);
	append_warnings(sb, status);
}

void sentence_append(const Status *status, StrBuf *sb)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	size_t len;

	append_all(&text, status);
	if (strbuf_error(&text))
		return;
	len = MIN(text.len, (size_t)SENTENCE_MAX);
	/* Between two characters. */
	while (len < text.len && len && (text.data[len] & 0xc0) == 0x80)
		len--;
	strbuf_append(sb, text.data, len);
	if (len < text.len)
		strbuf_append_string(sb, "...");
}
