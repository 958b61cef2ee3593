/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parse/event.h"

static const char *const kind_names[EVENT_KIND_COUNT] = {
	[EVENT_OTHER] = "other",
	[EVENT_FAILURE] = "failure",
	[EVENT_SUCCESS] = "success",
	[EVENT_OUTAGE] = "outage",
	[EVENT_ABORTED] = "aborted",
};

const char *event_kind_name(EventKind kind)
{
	return kind_names[kind];
}
