/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The finished message of what was gathered: both forms of the report, and its attachment, as they are mailed. */

#include "daemon/config.h"
#include "daemon/gather.h"

typedef struct Draft {
	StrBuf message;
	char *from;
} Draft;

#define DRAFT_INIT ((Draft){.message = STRBUF_INIT})

void draft_done(Draft *draft);
#define _cleanup_draft_ _cleanup_(draft_done)

/* To all recipients that are configured, with a Message-ID that no other has. 0 or -errno. */
int draft_write(const Config *config, const Gather *gather, int64_t now_us, Draft *ret_draft);
