/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/old-names.h"

#include <stdio.h>

static const struct {
	const char *option, *command;
} options[] = {
	{"--report", "report --send"},
	{"--reset", "reset"},
	{"--purge", "purge"},
	{"--sql-export", "sql-export"},
	{"--sql-import", "sql-import"},
	{"--setup", "setup"},
	{"--update", "update-db"},
};

/* What the programs do without these: links in their places lead here (maillogsentinel-migrate(8)). */
static const struct {
	const char *program, *command;
} programs[] = {
	{"maillogsentinel.py", "extract"},
	{"maillogsentinel_setup.py", "setup"},
	{"ipinfo.py", "lookup ADDRESS..."},
	{"log_anonymizer.py", "anonymize [-i FILE] [-o FILE]"},
};

/* How the person wanted to be asked, where it was said. */
static const char *setup_option(int argc, char *const argv[])
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--interactive"))
			return " --interactive";
		if (!strcmp(argv[i], "--automated"))
			return " --automated FILE";
	}
	return "";
}

static void answer(const char *program, const char *option, const char *command, const char *more)
{
	fprintf(stderr,
		"maillogsentinel: '%s%s%s' is how the Python version was called; now it is "
		"'maillogsentinel %s%s'\n",
		program, *option ? " " : "", option, command, more);
}

/* Options that stand before a command, or anywhere where there is none, as in those programs. */
static bool find_option(const char *program, int argc, char *const argv[])
{
	bool old = program != NULL;

	for (int i = 1; i < argc && (old || *argv[i] == '-'); i++) {
		if (!strcmp(argv[i], "-c") || !strcmp(argv[i], "--config")) {
			i++;
			continue;
		}
		for (size_t k = 0; k < ARRAY_SIZE(options); k++) {
			if (strcmp(argv[i], options[k].option) != 0)
				continue;
			answer(old ? program : "maillogsentinel", options[k].option,
				options[k].command,
				!strcmp(options[k].command, "setup") ? setup_option(argc, argv)
								     : "");
			return true;
		}
	}
	return false;
}

bool old_names_answer(int argc, char *const argv[])
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "";

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		if (strcmp(name, programs[i].program) != 0)
			continue;
		if (!find_option(programs[i].program, argc, argv))
			answer(programs[i].program, "", programs[i].command,
				i == 1 ? setup_option(argc, argv) : "");
		return true;
	}
	return find_option(NULL, argc, argv);
}
