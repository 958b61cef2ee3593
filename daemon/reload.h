/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The configuration in force and its exchange for what its file says now (SIGHUP). All of it is read and checked first; what
 * then has to change puts it in force step by step, and when a step can't, the steps before it go back: it is applied whole or not at all.
 * Each reload that is over counts as a generation, also one that changed nothing; what was wrong with that stays as the
 * warning "reload" until there is a good one.
 */

#include "daemon/config.h"
#include "daemon/warnings.h"
#include "state/status.h"

typedef struct ReloadStep {
	const char *name;
	/*
	 * Does as config says from now on, which lives until another one is applied. 0; or what is not, with ret_why saying it, and it does as
	 * before.
	 */
	int (*apply)(void *userdata, const Config *config, StrBuf *ret_why);
} ReloadStep;

typedef struct Reload {
	const char *path; /* as of config_load(); borrowed */
	uint64_t generation;
	int64_t over_us;   /* when the last was over; 0: there was none */
	int64_t failed_us; /* since when it fails; 0: it does not */
	char *error;       /* then: the first mistake, or NULL without memory */
	Config *next;      /* that was read and waits to be applied */
} Reload;

/* path of config_load(), borrowed. */
void reload_init(Reload *reload, const char *path);
void reload_done(Reload *reload);

/*
 * Reads what the file says now, and checks whether that can come after config: then it is next. 0, or not, which is over with that
 * and said in the program's log.
 */
int reload_read(Reload *reload, const Config *config, Warnings *warnings);

/*
 * Puts that in force, by the steps in their order: then *config is that, and what it was before is freed. 0, or not,
 * and nothing has changed; both is said in the program's log.
 */
int reload_apply(Reload *reload, const ReloadStep *steps, size_t step_count, void *userdata,
	Config **config, Warnings *warnings);

/* What status says of it; the text is borrowed. */
void reload_status(const Reload *reload, Status *status);
