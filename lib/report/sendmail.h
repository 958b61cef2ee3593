/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Hands a message to this host's sendmail program: PATH -i -f FROM -- TO..., the message on its
 * stdin. It gets the whole message as a file, so that none is ever sent in part, whoever of both
 * ends first.
 */

#include "report/transport.h"

/* As transport_send(); all recipients share one fate, as the exit status (sysexits.h) has it. */
int sendmail_send(const char *path, unsigned total_ms, const char *from, const char *const *to,
	size_t to_count, Span message, Delivery *ret_deliveries, Why *ret_why);
