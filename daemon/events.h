/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Failed logins for the program's log (log_events_level()): kept from when their row is made until it is written, so that the
 * log never has what the CSV has not; then said, each as one message (MESSAGE_FAILED_LOGIN) with a field for each column and more. The
 * record is the CSV: what there is no memory for is missing here, and after a crash one may be said twice, as its line is read again.
 *
 * The text begins with "failed login from ADDRESS (" and ends with the name of the user. All that an attacker can choose stands behind the
 * address. Of a login that is older than EVENTS_LATE_US when it is said, as after a time without the service, it begins
 * otherwise: who bans addresses by how many come in a while must not take a day's that are read at once for that.
 */

#include "base/base.h"
#include "store/columns.h"

#define EVENTS_LATE_US ((int64_t)300 * 1000000)

typedef struct FailedLogin {
	Row row; /* the values as they came, not as the CSV writes them */
	int64_t time_us;
	uint32_t count; /* how many the line stands for */
	Span log;       /* where it was read */
	Span service;   /* "postfix/smtpd" */
	Span method;    /* missing: not told */
} FailedLogin;

typedef struct Events {
	struct KeptLogin *first, **end; /* end is where the next one goes, NULL: first */
} Events;

#define EVENTS_INIT ((Events){NULL, NULL})

/* Forgets all of them. */
void events_done(Events *events);

/* Copies it; one that there is no memory for is left out. */
void events_add(Events *events, const FailedLogin *login);

/* Says all of them and forgets them. */
void events_say(Events *events, int64_t now_us);
