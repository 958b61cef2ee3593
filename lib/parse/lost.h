/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the logging says of messages that it has dropped because there were too many: events may have been among them, and nobody will
 * ever see them.
 */

#include "base/base.h"

/*
 * How many messages were dropped, 0 when tag and message (either may be missing) say nothing of it. From systemd-journald only
 * what it dropped of Postfix's services counts; rsyslogd does not say whose it was.
 */
uint64_t lost_parse(Span tag, Span message);
