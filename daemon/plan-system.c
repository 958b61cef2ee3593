/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Steps that run other programs: what makes users, and whatever a plan names. */

#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include "daemon/log.h"
#include "daemon/owner.h"
#include "daemon/plan-step.h"
#include "daemon/program.h"

#define ARGUMENTS_MAX 15

/* ---- programs ------------------------------------------------------------------------------- */

typedef struct Command {
	char *argv[ARGUMENTS_MAX + 1];
	char *undo[ARGUMENTS_MAX + 1];
} Command;

static void command_done(void *userdata)
{
	Command *command = userdata;

	for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
		free(command->argv[i]);
		free(command->undo[i]);
	}
	free(command);
}

/* 0; a step that has failed is -EIO with the reason. */
static int run(char *const argv[], bool quiet, Why *ret_why)
{
	const char *copy[ARGUMENTS_MAX + 1] = {NULL};
	int r;

	for (size_t i = 0; argv[i]; i++)
		copy[i] = argv[i];
	r = program_run(copy, &(ProgramOptions){.quiet = quiet});
	if (r < 0)
		why_set(ret_why, "%s: %s", argv[0], strerror(-r));
	else if (r)
		why_set(ret_why, "%s %s: exit status %d", argv[0], argv[1] ? argv[1] : "", r);
	return r > 0 ? -EIO : r;
}

static int apply_command(void *userdata, Why *ret_why)
{
	const Command *command = userdata;

	return *command->argv ? run(command->argv, false, ret_why) : 0;
}

static void undo_command(void *userdata)
{
	const Command *command = userdata;
	Why why;

	if (*command->undo && run(command->undo, true, &why) < 0)
		log_error("can't be taken back: %s", why.text);
}

static int copy_arguments(const char *const argv[], char *copy[ARGUMENTS_MAX + 1])
{
	for (size_t i = 0; argv && argv[i] && i < ARGUMENTS_MAX; i++) {
		copy[i] = strdup(argv[i]);
		if (!copy[i])
			return -ENOMEM;
	}
	return 0;
}

int plan_add_command(
	Plan *plan, const char *text, const char *const argv[], const char *const undo[])
{
	Command *command = calloc(1, sizeof(*command));
	char *copy = text ? strdup(text) : NULL;

	if (!command || (text && !copy) || copy_arguments(argv, command->argv) < 0 ||
		copy_arguments(undo, command->undo) < 0) {
		if (command)
			command_done(command);
		free(copy);
		return -ENOMEM;
	}
	return plan_take_step(plan, copy, apply_command, undo_command, command_done, command);
}

/* ---- the user ------------------------------------------------------------------------------- */

typedef struct User {
	char *name;
	bool has_group[OWNER_LOG_GROUPS]; /* it was there before */
} User;

static void user_done(void *userdata)
{
	User *user = userdata;

	free(user->name);
	free(user);
}

static void undo_user(void *userdata)
{
	const User *user = userdata;
	Why why;

	if (getpwnam(user->name) &&
		run((char *[]){(char[]){"userdel"}, user->name, NULL}, true, &why) < 0)
		log_error("the user %s can't be taken back: %s", user->name, why.text);
	if (getgrnam(user->name) &&
		run((char *[]){(char[]){"groupdel"}, user->name, NULL}, true, &why) < 0)
		log_error("the group %s can't be taken back: %s", user->name, why.text);
	for (size_t i = 0; i < OWNER_LOG_GROUPS; i++)
		if (!user->has_group[i] && getgrnam(owner_log_groups[i])) {
			const char *const argv[] = {"groupdel", owner_log_groups[i], NULL};

			(void)program_run(argv, &(ProgramOptions){.quiet = true});
		}
}

/* As packaging/systemd/sysusers.conf has it. */
static int make_by_sysusers(const User *user)
{
	char line[128], members[OWNER_LOG_GROUPS][128];
	const char *argv[5 + OWNER_LOG_GROUPS] = {"systemd-sysusers", "--inline", line};

	(void)snprintf(line, sizeof(line), "u %s - \"MailLogSentinel\" /var/lib/maillogsentinel",
		user->name);
	for (size_t i = 0; i < OWNER_LOG_GROUPS; i++) {
		(void)snprintf(
			members[i], sizeof(members[i]), "m %s %s", user->name, owner_log_groups[i]);
		argv[3 + i] = members[i];
	}
	return program_run(argv, &(ProgramOptions){.quiet = false});
}

/* Where there is no systemd; the groups are given to the service by itself (daemon/owner.h). */
static int make_by_useradd(const User *user)
{
	const char *const argv[] = {"useradd", "--system", "--user-group", "--no-create-home",
		"--home-dir", "/var/lib/maillogsentinel", "--shell", "/usr/sbin/nologin",
		"--comment", "MailLogSentinel", user->name, NULL};

	return program_run(argv, &(ProgramOptions){.quiet = false});
}

static int apply_user(void *userdata, Why *ret_why)
{
	const User *user = userdata;
	int r = make_by_sysusers(user);

	if (r == -ENOENT)
		r = make_by_useradd(user);
	if (r == -ENOENT)
		why_set(ret_why,
			"there is neither systemd-sysusers nor useradd here: make the user %s by "
			"hand, then run this again",
			user->name);
	else if (r < 0)
		why_set(ret_why, "the user %s: %s", user->name, strerror(-r));
	else if (r)
		why_set(ret_why, "the user %s: exit status %d", user->name, r);
	if (!r)
		return 0;
	undo_user(userdata);
	return r > 0 ? -EIO : r;
}

int plan_add_user(Plan *plan, const char *name)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	User *user;

	if (getpwnam(name))
		return 0;
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->name = strdup(name);
	for (size_t i = 0; i < OWNER_LOG_GROUPS; i++)
		user->has_group[i] = getgrnam(owner_log_groups[i]) != NULL;
	strbuf_appendf(&text, "make the system user %s, who may read the logs", name);
	if (!user->name || strbuf_error(&text)) {
		user_done(user);
		return -ENOMEM;
	}
	return plan_take_step(plan, strbuf_take(&text), apply_user, undo_user, user_done, user);
}
