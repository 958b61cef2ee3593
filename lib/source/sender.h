/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who wrote a journal's entry. Anybody can send one with Postfix's name in it; _UID and _SYSTEMD_UNIT are journald's own findings.
 * What a person's account wrote from outside of Postfix's service is not Postfix's: its smtpd has a system account or
 * root's. _UID is known of every sender; the unit is not of one that had ended before journald looked.
 */

#include "base/base.h"

/* Whether SYSLOG_IDENTIFIER is a name of Postfix's smtpd: "smtpd", or ends in "/smtpd". */
bool sender_is_smtpd(Span identifier);

/* Whether _UID is an account of a person. */
bool sender_is_person(Span uid);

/* Whether _SYSTEMD_UNIT is one of Postfix's. */
bool sender_is_postfix(Span unit);
