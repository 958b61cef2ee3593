/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/transport.h"

#include "base/password.h"
#include "report/sendmail.h"
#include "report/smtp-url.h"
#include "report/smtp.h"

int transport_check_url(const char *url, Why *ret_why)
{
	SmtpUrl parsed;

	return smtp_url_parse(url, &parsed, ret_why);
}

/* ---- sending --------------------------------------------------------------------------------- */

static int send_by_smtp(const TransportOptions *options, const char *from, const char *const *to,
	size_t to_count, Span message, Delivery *ret_deliveries, Why *ret_why)
{
	char password[PASSWORD_MAX + 1] = "";
	SmtpOptions smtp = {
		.url = options->url,
		.connect_ms = TRANSPORT_CONNECT_S * 1000,
		.answer_ms = TRANSPORT_ANSWER_S * 1000,
		.last_answer_ms = TRANSPORT_LAST_ANSWER_S * 1000,
		.total_ms = TRANSPORT_TOTAL_S * 1000,
	};
	int r = 0;

	if (options->user && *options->user) {
		const char *path = options->password_file ? options->password_file : "";
		Why why = {"there is a user, but no file with a password"};

		r = *path ? password_read(path, password, &why) : -EINVAL;
		if (r < 0)
			why_set(ret_why, "%s%s%s", path, *path ? ": " : "", why.text);
		smtp.user = options->user;
		smtp.password = password;
	}
	if (!r)
		r = smtp_send(&smtp, from, to, to_count, message, ret_deliveries, ret_why);
	explicit_bzero(password, sizeof(password));
	return r;
}

int transport_send(const TransportOptions *options, const char *from, const char *const *to,
	size_t to_count, Span message, Delivery *ret_deliveries, Why *ret_why)
{
	for (size_t i = 0; i < to_count; i++)
		ret_deliveries[i] = DELIVERY_LATER;
	if (!options->sendmail)
		return send_by_smtp(options, from, to, to_count, message, ret_deliveries, ret_why);
	return sendmail_send(options->sendmail_path, TRANSPORT_TOTAL_S * 1000, from, to, to_count,
		message, ret_deliveries, ret_why);
}
