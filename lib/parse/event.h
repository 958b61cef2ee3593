/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a line of the log says about a login. All Spans are borrowed from the line. */

#include "base/ipaddr.h"

typedef enum EventKind {
	EVENT_OTHER = 0, /* says nothing about a login */
	EVENT_FAILURE,   /* a client's login failed: a row */
	EVENT_SUCCESS,   /* a logged-in client handed over a mail */
	EVENT_OUTAGE,    /* the server's own authentication backend failed it */
	EVENT_ABORTED,   /* the client gave up in the middle */
	EVENT_KIND_COUNT,
} EventKind;

#define EVENT_REPEAT_MAX 10000 /* "message repeated N times": N is capped here */

typedef struct AuthEvent {
	EventKind kind;
	bool has_time;
	bool repeat_capped; /* N was above EVENT_REPEAT_MAX */
	int64_t time_us;
	uint32_t count; /* 1, or N of "message repeated N times" */
	IpAddr ip;      /* IP_UNKNOWN where Postfix says unknown */
	Span server;    /* the host that logged it; missing when the line has no header */
	Span service;   /* the tag without [pid]: "postfix/submission/smtpd" */
	Span client;    /* the client's name as Postfix resolved it, "unknown" too */
	Span method;    /* missing when it is not [A-Za-z0-9_-]{1,20} */
	Span reason;    /* missing when there is none */
	Span user;      /* missing when the line has none; may be empty */
} AuthEvent;

/* "failure", "success", ...: the names that `explain` prints. */
const char *event_kind_name(EventKind kind);
