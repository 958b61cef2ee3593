/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The command line: finds the command, reads its options by its table, and runs it. */

#include "build-config.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/old-names.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static void print_options(FILE *to, const CommandOption *options)
{
	for (const CommandOption *o = options; o->name; o++) {
		char left[64];

		if (o->letter)
			(void)snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter, o->name,
				o->argument ? " " : "", o->argument ? o->argument : "");
		else
			(void)snprintf(left, sizeof(left), "--%s%s%s", o->name,
				o->argument ? " " : "", o->argument ? o->argument : "");
		fprintf(to, "  %-22s %s\n", left, o->help);
	}
}

static void print_help(FILE *to)
{
	fprintf(to, "Usage: maillogsentinel [-c FILE] COMMAND ...\n"
		    "Follows Postfix's log and records each failed login as one row of a CSV.\n\n"
		    "Commands:\n");
	for (const Command *const *c = command_table; *c; c++)
		fprintf(to, "  %-22s %s\n", (*c)->name, (*c)->help);
	fprintf(to, "\nOptions:\n");
	print_options(to, command_global_options);
	fprintf(to, "\n'maillogsentinel COMMAND --help' shows the options of a command; "
		    "maillogsentinel(8) has it all.\n");
}

static void print_command_help(const Command *command)
{
	printf("Usage: maillogsentinel [-c FILE] %s%s%s%s\n%s\n", command->name,
		command->options ? " [OPTION]..." : "", *command->arguments ? " " : "",
		command->arguments, command->help);
	printf("\nOptions:\n");
	if (command->options)
		print_options(stdout, command->options);
	print_options(stdout, command_help_options);
}

static int usage(const char *command)
{
	fprintf(stderr, "maillogsentinel: try 'maillogsentinel%s%s --help'\n", command ? " " : "",
		command ? command : "");
	return EXIT_USAGE;
}

/* stdout can be a full disk or a closed pipe: what was printed must have got there. */
static int flush_stdout(int status)
{
	if (!ferror(stdout) && !fflush(stdout))
		return status;
	fprintf(stderr, "maillogsentinel: stdout: %s\n", strerror(errno));
	return status ? status : EXIT_FAILED;
}

/* getopt_long's tables out of ours; letters get ':' where an argument follows. */
static void fill_getopt(const CommandOption *options, struct option *longs, char *letters)
{
	size_t n = 0;

	*letters++ = '+';
	for (const CommandOption *o = options; o && o->name; o++) {
		longs[n++] = (struct option){o->name, o->argument ? required_argument : no_argument,
			NULL, 256 + (int)(o - options)};
		if (o->letter)
			*letters++ = o->letter;
		if (o->letter && o->argument)
			*letters++ = ':';
	}
	longs[n++] = (struct option){"help", no_argument, NULL, 'h'};
	*letters++ = 'h';
	longs[n] = (struct option){0};
	*letters = '\0';
}

/* The index of the option that getopt_long returned as c, or -1. */
static int option_index(const CommandOption *options, int c)
{
	if (c >= 256)
		return c - 256;
	for (const CommandOption *o = options; o && o->name; o++)
		if (o->letter && o->letter == c)
			return (int)(o - options);
	return -1;
}

static int run_command(const Command *command, const char *config_path, int argc, char **argv)
{
	struct option longs[COMMAND_OPTIONS_MAX + 2];
	char letters[2 * COMMAND_OPTIONS_MAX + 3];
	CommandInvocation invocation = {.config_path = config_path};
	_cleanup_free_ const char **values =
		calloc((size_t)argc * COMMAND_OPTIONS_MAX, sizeof(*values));
	int c;

	if (!values) {
		fprintf(stderr, "maillogsentinel: %s: %s\n", command->name, strerror(ENOMEM));
		return EXIT_FAILED;
	}
	fill_getopt(command->options, longs, letters);
	/* Options may stand behind arguments, as people type them. */
	letters[0] = '-';
	optind = 0;
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		int index = option_index(command->options, c);

		if (c == 1) {
			argv[1 + invocation.argument_count++] = optarg;
			continue;
		}
		if (index < 0 && c == 'h') {
			print_command_help(command);
			return flush_stdout(EXIT_DONE);
		}
		if (index < 0)
			return usage(command->name);
		if (!invocation.option[index].values)
			invocation.option[index].values = values + index * argc;
		invocation.option[index].value = optarg;
		invocation.option[index].values[invocation.option[index].count++] = optarg;
	}
	while (optind < argc)
		argv[1 + invocation.argument_count++] = argv[optind++];
	invocation.arguments = argv + 1;
	if (invocation.argument_count < command->arguments_min ||
		invocation.argument_count > command->arguments_max) {
		fprintf(stderr, "maillogsentinel: %s: %s\n", command->name,
			invocation.argument_count < command->arguments_min
				? "an argument is missing"
				: "too many arguments");
		return usage(command->name);
	}
	return flush_stdout(command->run(&invocation));
}

int main(int argc, char **argv)
{
	struct option longs[COMMAND_OPTIONS_MAX + 2];
	char letters[2 * COMMAND_OPTIONS_MAX + 3];
	const char *config_path = NULL;
	int c, status;

	/* A file that may not grow (RLIMIT_FSIZE) is an error that the write returns, not a reason to die. */
	(void)signal(SIGXFSZ, SIG_IGN);
	if (old_names_answer(argc, argv))
		return EXIT_USAGE;
	fill_getopt(command_global_options, longs, letters);
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		switch (c >= 256 ? command_global_options[c - 256].letter : c) {
		case 'c': config_path = optarg; break;
		case 'h': print_help(stdout); return flush_stdout(EXIT_DONE);
		case 'V': puts("maillogsentinel " MLS_VERSION); return flush_stdout(EXIT_DONE);
		default: return usage(NULL);
		}
	}
	if (optind == argc) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	for (const Command *const *command = command_table; *command; command++) {
		if (strcmp(argv[optind], (*command)->name))
			continue;
		status = run_command(*command, config_path, argc - optind, argv + optind);
		log_close();
		return status;
	}
	fprintf(stderr, "maillogsentinel: '%s' is not a command\n", argv[optind]);
	return usage(NULL);
}
