/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Steps that change a system, made first, shown, and then done, all or none: when one fails, or a signal that ends programs is pending, those
 * before it are taken back, the last one first. What can't be taken back comes last, behind plan_add_end().
 *
 * Steps are remembered as data until plan_apply(); what they name is copied. The plan looks at what is there as it is when a
 * step is added, and adds none where all is as it shall be already. All return 0 or -errno.
 */

#include "base/strbuf.h"

typedef struct Plan Plan;

int plan_new(Plan **ret_plan);
void plan_free(Plan *plan);
DEFINE_CLEANUP(Plan *, plan_freep, plan_free)

/* A system user without a password, and the group of that name. */
int plan_add_user(Plan *plan, const char *user);

/*
 * A directory of the user (who may be made by this plan) and those above it that are missing; these are root's. One that is there already
 * becomes the user's when `adopt` says so.
 */
int plan_add_directory(Plan *plan, const char *path, const char *user, mode_t mode, bool adopt);

/*
 * The file shall hold text; *ret_backup, when wanted, becomes the path (borrowed) that the one before keeps, with the day in its name; without
 * ret_backup none is kept. A link is followed. Directories above it are made. It keeps the mode and the owner that the one before has.
 */
int plan_add_file(Plan *plan, const char *path, Span text, mode_t mode, const char **ret_backup);

/* The user's group may read the file, which is there. -ELOOP: it is a link, and who can set that chooses the file. */
int plan_add_group_right(Plan *plan, const char *path, const char *user);

/* The file shall not be there. */
int plan_add_removal(Plan *plan, const char *path);

/* A program is run. undo, when given, takes it back. `text` says what for; NULL: the step is not shown. */
int plan_add_command(
	Plan *plan, const char *text, const char *const argv[], const char *const undo[]);

/*
 * A step of somebody else's. apply returns 0 or -errno with *ret_why (which may hold bytes from outside); PLAN_GOES_ON with *ret_why: not
 * done, which is no reason to stop. undo may be NULL.
 */
enum { PLAN_GOES_ON = 1 };
typedef int PlanApply(void *userdata, Why *ret_why);
typedef void PlanUndo(void *userdata);
int plan_add_step(Plan *plan, const char *text, PlanApply *apply, PlanUndo *undo, void *userdata);

/* From here on nothing is taken back, and no signal stops it. */
void plan_add_end(Plan *plan);

/* How many steps are shown. */
size_t plan_count(const Plan *plan);

/* Appends a numbered line for each. */
void plan_append(const Plan *plan, StrBuf *sb);

/*
 * Does them, each with a line on stdout. Whoever calls holds the signals (daemon/interrupt.h). 0; PLAN_INTERRUPTED: a signal is pending, and all
 * was taken back; PLAN_TAKEN_BACK: a step failed, which was said, and all was taken back; PLAN_FAILED: one behind the end
 * failed, which was said. What can't be taken back is said, too.
 */
enum { PLAN_INTERRUPTED = 1, PLAN_TAKEN_BACK, PLAN_FAILED };
int plan_apply(Plan *plan);
