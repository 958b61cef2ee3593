/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is to be found out about this machine's mail, without asking anybody: where Postfix logs, whether a mail server takes mail here,
 * who reads root's mail, which time zone holds. Only files are read, and one connection to this host itself is made.
 */

#include "base/base.h"

typedef struct Survey {
	char *log;           /* the file that is most likely Postfix's log; NULL: none is there */
	bool log_is_postfix; /* it holds lines of Postfix */
	int64_t log_us;      /* when it was last written */
	uint64_t log_size_bytes;
	bool journal;            /* the journal can be read: */
	bool journal_is_postfix; /* and holds entries of Postfix's smtpd */
	bool postfix;            /* is installed */
	char *mail_server; /* what the server on port 25 of this host says of itself; NULL: nobody answers */
	char *recipient; /* who reads root's mail, addresses with blanks between; NULL: nobody knows */
	char zone[128]; /* "Europe/Berlin (CET, UTC+01:00)" */
} Survey;

#define SURVEY_INIT ((Survey){0})

void survey_done(Survey *survey);
#define _cleanup_survey_ _cleanup_(survey_done)

/* 0 or -ENOMEM. What can't be found out is as if it were not there. */
int survey_make(int64_t now_us, Survey *ret_survey);
