/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "base/utf8.h"
#include "build-config.h"
#include "daemon/command.h"
#include "daemon/legacy.h"
#include "daemon/log.h"

enum { OPTION_DUMP };

static const CommandOption options[] = {
	[OPTION_DUMP] = {"dump", 0, NULL, "print the values in force, as a configuration file"},
	{0},
};

static int print(FILE *to, const StrBuf *text)
{
	if (strbuf_error(text)) {
		log_error("%s", strerror(-strbuf_error(text)));
		return EXIT_FAILED;
	}
	if (fwrite(strbuf_text(text), 1, text->len, to) != text->len || fflush(to) != 0) {
		log_error("write: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* What the Python version left is in nobody's configuration, but who looks here wants to know. */
static void note_legacy(const char *path, const Config *config)
{
	_cleanup_legacy_ Legacy legacy = LEGACY_INIT;
	_cleanup_strbuf_ StrBuf notes = STRBUF_INIT;
	int r = legacy_find(path ? path : MLS_DEFAULT_CONFIG, config, &legacy);

	if (r < 0) {
		log_error("%s", strerror(-r));
		return;
	}
	legacy_append(&legacy, "note: ", &notes);
	(void)print(stderr, &notes);
}

/* The configuration is read, not put in force: the check must not create a log file. */
static int run(const CommandInvocation *invocation)
{
	_cleanup_(config_freep) Config *config = NULL;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT, notes = STRBUF_INIT, text = STRBUF_INIT;
	bool dump = invocation->option[OPTION_DUMP].count;
	int r;

	r = config_load(invocation->config_path, &config, &errors);
	if (r < 0) {
		(void)print(stderr, &errors);
		note_legacy(invocation->config_path, NULL);
		return EXIT_CONFIG;
	}
	r = config_check_paths(config, &errors, &notes);
	if (r < 0 && r != -EINVAL) {
		log_error("%s", strerror(-r));
		return EXIT_FAILED;
	}
	(void)print(stderr, &errors);
	(void)print(stderr, &notes);
	note_legacy(invocation->config_path, config);
	if (dump) {
		config_dump(config, &text);
	} else if (!r) {
		utf8_append_escaped(
			&text, span_from_string(config->path ? config->path : MLS_DEFAULT_CONFIG));
		strbuf_append_string(
			&text, config->path ? ": no mistakes\n"
					    : ": not there; the defaults have no mistakes\n");
	}
	if (print(stdout, &text) != EXIT_DONE)
		return EXIT_FAILED;
	return r ? EXIT_CONFIG : EXIT_DONE;
}

const Command command_check_config = {
	.name = "check-config",
	.arguments = "",
	.help = "find every mistake in the configuration",
	.options = options,
	.run = run,
};
