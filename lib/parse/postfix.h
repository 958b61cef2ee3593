/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Postfix's words about logins. Everything after the tag is in the attacker's reach, so every
 * rule is anchored at the start of the message and reads left to right. A method that is none
 * (RFC 4422: 20 letters, digits, "-", "_") may hold anything, so method and user are dropped with
 * it; the address, which stands before, and the kind hold. Nothing is allocated, a line may have
 * any length and any bytes, and what a cut line no longer says is missing.
 */

#include "parse/event.h"
#include "parse/header.h"

/*
 * What the line (no newline; a CR before it is the caller's to strip) says. Always fills the event; kind is
 * EVENT_OTHER where it says nothing about a login; time, server and service are filled whenever
 * the header has them.
 */
void postfix_parse_line(StampContext *context, Span line, AuthEvent *ret_event);

/*
 * The same for a source that has the header in fields (the journal): fills kind, count, ip,
 * client, method, reason and user from tag and message (either may be missing); leaves time,
 * server and service alone.
 */
void postfix_parse_message(Span tag, Span message, AuthEvent *event);

/*
 * The next place in [data, data + len) where a line that may say something about a login has its
 * needle ("SASL " in failures, outages and aborts, "sasl_method=" in successes, "syslogd" where rsyslogd may say
 * what it lost, for parse/lost); NULL when there is none. Reading a log
 * goes from needle to needle; the lines between need no parsing at all.
 */
const char *postfix_find_candidate(const char *data, size_t len);
