/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * make-completion SHELL TEMPLATE: prints the completion for a shell: the template, in which each @NAME@ is replaced by
 * what the program's own tables say. Runs during the build.
 */

#include "daemon/command.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Part {
	const char *shell, *name;
	void (*print)(void);
} Part;

static bool is_file(const char *argument)
{
	return argument && strstr(argument, "FILE");
}

/* The name of an argument as people read it: "[FILE]..." is "file". */
static void print_argument(const char *argument)
{
	for (; *argument; argument++)
		if (isalpha((unsigned char)*argument) || *argument == '-')
			putchar(tolower((unsigned char)*argument));
}

/* ---- bash ---------------------------------------------------------------------------------- */

static void bash_names(const CommandOption *options, const char **separator)
{
	for (const CommandOption *o = options; o && o->name; o++) {
		if (o->letter)
			printf("%s-%c", *separator, o->letter);
		printf("%s--%s", o->letter ? " " : *separator, o->name);
		*separator = " ";
	}
}

static void bash_options(void)
{
	const char *separator = "";

	printf("\t\t[-]='");
	bash_names(command_global_options, &separator);
	puts("'");
	for (const Command *const *c = command_table; *c; c++) {
		separator = "";
		printf("\t\t[%s]='", (*c)->name);
		bash_names((*c)->options, &separator);
		bash_names(command_help_options, &separator);
		puts("'");
	}
}

static void bash_commands(void)
{
	for (const Command *const *c = command_table; *c; c++)
		printf("%s%s", c == command_table ? "" : " ", (*c)->name);
}

/* COMMAND:OPTION of those whose argument is a file, or of the others with an argument. */
static void bash_arguments(const char *command, const CommandOption *options, bool files)
{
	for (const CommandOption *o = options; o && o->name; o++) {
		if (!o->argument || is_file(o->argument) != files)
			continue;
		if (o->letter)
			printf("%s:-%c ", command, o->letter);
		printf("%s:--%s ", command, o->name);
	}
}

static void bash_all_arguments(bool files)
{
	bash_arguments("", command_global_options, files);
	for (const Command *const *c = command_table; *c; c++) {
		bash_arguments((*c)->name, (*c)->options, files);
		if ((*c)->arguments_max && is_file((*c)->arguments) == files)
			printf("%s: ", (*c)->name);
	}
}

static void bash_files(void)
{
	bash_all_arguments(true);
}

static void bash_others(void)
{
	bash_all_arguments(false);
}

/* ---- zsh ----------------------------------------------------------------------------------- */

static void zsh_text(const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", stdout);
		else if (strchr(special, *text))
			putchar('\\');
		putchar(*text);
	}
}

static void zsh_commands(void)
{
	for (const Command *const *c = command_table; *c; c++) {
		printf("\t\t'%s:", (*c)->name);
		zsh_text((*c)->help, "\\:");
		puts("'");
	}
}

/* What excludes it, its names, its text, its argument: '(-c --config)'{-c+,--config=}'[text]:file:_files' */
static void zsh_option(const CommandOption *o, const char *excludes)
{
	printf("\t\t\t'");
	if (excludes)
		printf("(%s)", excludes);
	else if (o->repeats)
		putchar('*');
	else if (o->letter)
		printf("(-%c --%s)", o->letter, o->name);
	if (o->letter)
		printf("'{-%c%s,--%s%s}'[", o->letter, o->argument ? "+" : "", o->name,
			o->argument ? "=" : "");
	else
		printf("--%s%s[", o->name, o->argument ? "=" : "");
	zsh_text(o->help, "\\[]:");
	putchar(']');
	if (o->argument) {
		putchar(':');
		print_argument(o->argument);
		fputs(is_file(o->argument) ? ":_files" : ": ", stdout);
	}
	puts("' \\");
}

/* Behind the help and the version nothing else makes sense. */
static void zsh_options(void)
{
	for (const CommandOption *o = command_global_options; o->name; o++)
		zsh_option(o, o->argument ? NULL : "- *");
}

static void zsh_command_options(void)
{
	for (const Command *const *c = command_table; *c; c++) {
		printf("\t\t%s)\n\t\t\t_arguments \\\n", (*c)->name);
		for (const CommandOption *o = (*c)->options; o && o->name; o++)
			zsh_option(o, NULL);
		for (const CommandOption *o = command_help_options; o->name; o++)
			zsh_option(o, "- *");
		if ((*c)->arguments_max) {
			printf("\t\t\t'%s:", (*c)->arguments_max > 1 ? "*" : "");
			print_argument((*c)->arguments);
			printf("%s' \\\n", is_file((*c)->arguments) ? ":_files" : ": ");
		}
		puts("\t\t\t&& ret=0\n\t\t\t;;");
	}
}

/* ---- fish ---------------------------------------------------------------------------------- */

static void fish_text(const char *text)
{
	fputs(" -d '", stdout);
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	puts("'");
}

static void fish_option(const CommandOption *o, const char *condition, const char *command)
{
	printf("complete -c maillogsentinel -n '%s%s'", condition, command);
	if (o->letter)
		printf(" -s %c", o->letter);
	printf(" -l %s", o->name);
	if (o->argument)
		fputs(is_file(o->argument) ? " -r -F" : " -x", stdout);
	fish_text(o->help);
}

static void fish_options(void)
{
	for (const CommandOption *o = command_global_options; o->name; o++)
		fish_option(o, "not __maillogsentinel_command", "");
}

static void fish_commands(void)
{
	for (const Command *const *c = command_table; *c; c++) {
		printf("complete -c maillogsentinel -n 'not __maillogsentinel_command' -a %s",
			(*c)->name);
		fish_text((*c)->help);
	}
}

static void fish_command_options(void)
{
	for (const Command *const *c = command_table; *c; c++) {
		for (const CommandOption *o = (*c)->options; o && o->name; o++)
			fish_option(o, "__maillogsentinel_has ", (*c)->name);
		for (const CommandOption *o = command_help_options; o->name; o++)
			fish_option(o, "__maillogsentinel_has ", (*c)->name);
		if ((*c)->arguments_max && is_file((*c)->arguments))
			printf("complete -c maillogsentinel -n '__maillogsentinel_has %s' -F\n",
				(*c)->name);
	}
}

/* -------------------------------------------------------------------------------------------- */

static const Part parts[] = {
	{"bash", "options", bash_options},
	{"bash", "commands", bash_commands},
	{"bash", "files", bash_files},
	{"bash", "others", bash_others},
	{"zsh", "commands", zsh_commands},
	{"zsh", "options", zsh_options},
	{"zsh", "command_options", zsh_command_options},
	{"fish", "options", fish_options},
	{"fish", "commands", fish_commands},
	{"fish", "command_options", fish_command_options},
};

/* The part whose @NAME@ the text begins with, or NULL. */
static const Part *part_at(const char *text, const char *shell)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t length = strlen(parts[i].name);

		if (!strcmp(parts[i].shell, shell) && text[0] == '@' &&
			!strncmp(text + 1, parts[i].name, length) && text[length + 1] == '@')
			return &parts[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	FILE *template = argc == 3 ? fopen(argv[2], "re") : NULL;
	char line[1024];

	if (!template) {
		fprintf(stderr, "usage: make-completion bash|zsh|fish TEMPLATE\n");
		return EXIT_USAGE;
	}
	while (fgets(line, sizeof(line), template)) {
		for (const char *c = line; *c; c++) {
			const Part *part = part_at(c, argv[1]);

			if (part) {
				part->print();
				c += strlen(part->name) + 1;
			} else {
				putchar(*c);
			}
		}
	}
	if (ferror(template) || ferror(stdout) || fflush(stdout)) {
		perror("make-completion");
		return EXIT_FAILED;
	}
	(void)fclose(template);
	return EXIT_DONE;
}
