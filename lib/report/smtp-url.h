/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The address of a mail server, smtp://HOST[:PORT][/NAME], as report/transport.h describes it. */

#include "base/base.h"

#define SMTP_URL_MAX 600 /* bytes */

typedef enum SmtpTls {
	SMTP_TLS_OFFERED, /* when the server offers it */
	SMTP_TLS_STARTTLS,
	SMTP_TLS_FROM_START,
} SmtpTls;

typedef struct SmtpUrl {
	SmtpTls tls;
	Span host; /* of an IPv6 address with its brackets */
	uint16_t port;
	Span name;      /* for EHLO; missing: this host's */
	bool this_host; /* it is localhost, 127.0.0.0/8 or [::1] */
} SmtpUrl;

/* 0 (*ret_parsed borrows from url), or -EINVAL with *ret_why as an end of "URL ...". */
int smtp_url_parse(const char *url, SmtpUrl *ret_parsed, Why *ret_why);
