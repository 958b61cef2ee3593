/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The commands: one table row and one cmd-NAME.c each. A row's options drive getopt_long, --help, the completions of the
 * shells (packaging/completions) and the check against the manual.
 */

#include "daemon/config.h"

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_RUNNING = 3, /* of status, as LSB has it */
	EXIT_UNREADABLE = 4,  /* likewise: not known */
	EXIT_CONFIG = 78,     /* EX_CONFIG of sysexits.h */
};

typedef struct CommandOption {
	const char *name;     /* long name; NULL ends the list */
	char letter;          /* 0: none */
	const char *argument; /* "FILE"; NULL: takes none */
	const char *help;
	bool repeats; /* may be given more than once, and each counts */
} CommandOption;

#define COMMAND_OPTIONS_MAX 8

typedef struct CommandInvocation {
	const char *config_path; /* of -c, or NULL */
	struct {
		size_t count; /* how often the option at the same place of the table was given */
		const char *value;   /* the last value */
		const char **values; /* all values */
	} option[COMMAND_OPTIONS_MAX];
	size_t argument_count;
	char **arguments;
} CommandInvocation;

typedef struct Command {
	const char *name;
	const char *arguments; /* "ADDRESS...", "[FILE]", "" */
	size_t arguments_min, arguments_max;
	const char *help; /* one line */
	const CommandOption *options;
	int (*run)(const CommandInvocation *invocation); /* returns the exit status */
} Command;

extern const Command command_run, command_extract, command_explain, command_lookup, command_report,
	command_update_db, command_sql_export, command_sql_import, command_status,
	command_check_config, command_anonymize, command_setup, command_reset, command_purge;

extern const Command *const command_table[];         /* in the order of --help; NULL ends it */
extern const CommandOption command_global_options[]; /* those before a command */
extern const CommandOption command_help_options[];   /* those that every command has, too */

/* The value of --year (NULL: 0, not given). 0 or EXIT_USAGE, said on stderr. */
int command_year(const char *text, int *ret_year);

/* Logs what config_load() or a check has found, a line each. */
void command_log_mistakes(const StrBuf *mistakes);

/* Puts config's log in force, as log_configure(). */
int command_configure_log(const Config *config);

/* Reads the configuration that -c names; on failure the mistakes are on stderr. 0 or an exit status. */
int command_read_config(const CommandInvocation *invocation, Config **ret_config);

/*
 * The same, and its log is put in force; before that, a command that writes state goes on as the owner of state_dir
 * (daemon/owner.h).
 */
int command_load_config(
	const CommandInvocation *invocation, bool writes_state, Config **ret_config);
