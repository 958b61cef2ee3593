/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The kinds of messages that a program which reads the journal may look for. Each has an id of its own (MESSAGE_ID of
 * systemd.journal-fields(7)), which never changes and never means anything else; packaging/maillogsentinel.catalog says of each what
 * it means and what to do, maillogsentinel(8) lists them. test/check/messages.sh holds the three together.
 */

#include "base/base.h"

typedef enum MessageKind {
	MESSAGE_NONE, /* has no id */
	MESSAGE_STARTED,
	MESSAGE_STOPPING,
	MESSAGE_RELOADED,
	MESSAGE_RELOAD_FAILED,
	MESSAGE_CONFIG_MISTAKE,
	MESSAGE_FAILED_LOGIN,
	MESSAGE_LOG_ROTATED,
	MESSAGE_CSV_ROTATED,
	MESSAGE_CSV_CHANGED,
	MESSAGE_SOURCE_CHOSEN,
	MESSAGE_SOURCE_CHANGED,
	MESSAGE_JOB_STARTED,
	MESSAGE_JOB_DONE,
	MESSAGE_DATABASES_NEW,
	MESSAGE_WARNING_ENDED,
	/* A warning (daemon/warnings.h) begins; which one. */
	MESSAGE_WARNING,
	MESSAGE_WARNING_PAUSED,
	MESSAGE_WARNING_MISSING,
	MESSAGE_WARNING_UNREADABLE,
	MESSAGE_WARNING_QUIET,
	MESSAGE_WARNING_SMTPD,
	MESSAGE_WARNING_LOST,
	MESSAGE_WARNING_PATTERN,
	MESSAGE_WARNING_DIRECTORY,
	MESSAGE_WARNING_TOO_MANY,
	MESSAGE_WARNING_OPEN_FILES,
	MESSAGE_WARNING_WATCH,
	MESSAGE_WARNING_RESOLVER,
	MESSAGE_WARNING_DATABASE,
	MESSAGE_WARNING_OLD,
	MESSAGE_WARNING_JOB,
	MESSAGE_WARNING_REPORT,
	MESSAGE_WARNING_METRICS,
	MESSAGE_KIND_COUNT,
} MessageKind;

/* 32 hexadecimal digits; NULL for MESSAGE_NONE. */
const char *message_id(MessageKind kind);

/* Of the warning with this key ("missing:/var/log/mail.log"), by what stands before the colon. */
MessageKind message_of_warning(const char *key);
