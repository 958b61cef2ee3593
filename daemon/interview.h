/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The questions of `setup --interactive`: few, each with a default that fits this machine (or is what the configuration says that is there
 * already), each answer checked at once as check-config checks it, by the service's user, and asked again when it is no good.
 */

#include "daemon/settings.h"
#include "daemon/survey.h"

typedef struct Interview {
	const Survey *survey;
	const Config *config; /* that there is already; the defaults when there is none */
	bool again; /* config is of an earlier interview: what it does not say was answered so */
	bool systemd;
	int64_t now_us;
	/* The answers. */
	Settings *settings; /* begins as those of config */
	bool fetch;         /* the databases, before the service starts */
	bool report;        /* when it has started */
} Interview;

/* 0, DIALOG_ENDED, or -errno, which is said. */
int interview_hold(Interview *interview);
