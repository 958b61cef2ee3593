/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/draft.h"

#include "daemon/hostname.h"
#include "report/address.h"
#include "report/html.h"
#include "report/message.h"
#include "report/text.h"
#include "report/wording.h"

#include <inttypes.h>
#include <pwd.h>
#include <sys/random.h>

#define ANYBODY "maillogsentinel"

void draft_done(Draft *draft)
{
	strbuf_done(&draft->message);
	free(draft->from);
	*draft = DRAFT_INIT;
}

/* The host as what stands behind an @, where not all that a host can be called may stand ("my_host"). NULL without memory. */
static char *domain_dup(const char *host)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	size_t len;

	strbuf_append_string(&sb, ANYBODY "@");
	len = sb.len;
	for (const char *p = host + strspn(host, ".-"); *p; p++) {
		bool is_plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
				(*p >= 'A' && *p <= 'Z') || *p == '.';

		strbuf_append_char(&sb, is_plain ? *p : '-');
	}
	if (strbuf_error(&sb))
		return NULL;
	while (sb.len > len && strchr(".-", sb.data[sb.len - 1]))
		strbuf_truncate(&sb, sb.len - 1);
	if (address_check(sb.data, NULL) < 0) {
		strbuf_truncate(&sb, len);
		strbuf_append_string(&sb, "localhost");
	}
	strbuf_consume(&sb, len);
	return strbuf_take(&sb);
}

/* user@domain, or what is configured. NULL without memory. */
static char *sender_dup(const Config *config, const char *domain)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	const struct passwd *user;

	if (*config->report.sender_override)
		return strdup(config->report.sender_override);
	user = getpwuid(geteuid());
	strbuf_appendf(&sb, "%s@%s", user ? user->pw_name : ANYBODY, domain);
	/* Users can have names that no address has. */
	if (!strbuf_error(&sb) && address_check(sb.data, NULL) < 0) {
		strbuf_reset(&sb);
		strbuf_appendf(&sb, "%s@%s", ANYBODY, domain);
	}
	return strbuf_take(&sb);
}

/* No two are the same, whatever the clock does. */
static void append_message_id(int64_t now_us, const char *domain, StrBuf *sb)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = (uint64_t)getpid();
	strbuf_appendf(sb, "maillogsentinel.%" PRIx64 ".%016" PRIx64 "@%s", (uint64_t)now_us,
		random, domain);
}

/* "[MailLogSentinel] mail.example.org: 55 failed logins on 2025-05-17, 2 warnings" */
static void append_subject(const Config *config, const ReportFacts *facts, StrBuf *sb)
{
	LocalZone zone = {0};

	if (*config->report.subject_prefix)
		strbuf_appendf(sb, "%s ", config->report.subject_prefix);
	strbuf_appendf(sb, "%.255s: %" PRIu64 " failed login%s", facts->server, facts->total,
		facts->total == 1 ? "" : "s");
	if (facts->whole_day) {
		strbuf_appendf(sb, " on %s", facts->date);
	} else if (facts->from_us) {
		strbuf_append_char(sb, ' ');
		wording_append_window(sb, facts, &zone);
	}
	if (facts->warning_count)
		strbuf_appendf(sb, ", %zu warning%s", facts->warning_count,
			facts->warning_count == 1 ? "" : "s");
}

int draft_write(const Config *config, const Gather *gather, int64_t now_us, Draft *ret_draft)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, html = STRBUF_INIT, subject = STRBUF_INIT,
				id = STRBUF_INIT;
	_cleanup_draft_ Draft draft = DRAFT_INIT;
	_cleanup_free_ char *host = hostname_dup();
	_cleanup_free_ char *domain = host ? domain_dup(host) : NULL;
	const ReportFacts *facts = gather_facts(gather);
	Message message;
	int r;

	draft.from = domain ? sender_dup(config, domain) : NULL;
	if (!draft.from)
		return -ENOMEM;
	append_message_id(now_us, domain, &id);
	append_subject(config, facts, &subject);
	r = strbuf_error(&subject) ? strbuf_error(&subject) : strbuf_error(&id);
	if (!r)
		r = report_text(facts, &text);
	if (!r)
		r = report_html(facts, &html);
	if (r < 0)
		return r;
	message = (Message){
		.from = draft.from,
		.from_name = "MailLogSentinel",
		.to = (const char *const *)config->report.email,
		.date_us = now_us,
		.message_id = id.data,
		.subject = {subject.data, subject.len},
		.text = {strbuf_text(&text), text.len},
		.html = {strbuf_text(&html), html.len},
	};
	while (message.to[message.to_count])
		message.to_count++;
	(void)gather_attachment(
		gather, &message.attachment_name, &message.attachment_type, &message.attachment);
	r = message_append(&message, &draft.message);
	if (r < 0)
		return r;
	*ret_draft = draft;
	draft = DRAFT_INIT;
	return 0;
}
