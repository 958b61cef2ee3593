/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Sends a message over SMTP (RFC 5321), to all its recipients in one transaction, each command's
 * answer awaited.
 */

#include "report/transport.h"

typedef struct SmtpOptions {
	const char *url;             /* as transport_check_url() wants it */
	const char *user, *password; /* NULL: none */
	unsigned connect_ms, answer_ms, last_answer_ms, total_ms;
} SmtpOptions;

/* As transport_send(). */
int smtp_send(const SmtpOptions *options, const char *from, const char *const *to, size_t to_count,
	Span message, Delivery *ret_deliveries, Why *ret_why);
