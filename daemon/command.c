/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/command.h"
#include "base/utf8.h"
#include "build-config.h"
#include "daemon/log.h"
#include "daemon/owner.h"

const Command *const command_table[] = {
	&command_run,
	&command_extract,
	&command_explain,
	&command_lookup,
	&command_report,
	&command_update_db,
	&command_sql_export,
	&command_sql_import,
	&command_status,
	&command_check_config,
	&command_anonymize,
	&command_setup,
	&command_reset,
	&command_purge,
	NULL,
};

const CommandOption command_global_options[] = {
	{"config", 'c', "FILE", "configuration file (default " MLS_DEFAULT_CONFIG ")"},
	{"help", 'h', NULL, "show this help, or with a command the command's"},
	{"version", 'V', NULL, "show the version"},
	{0},
};

const CommandOption command_help_options[] = {
	{"help", 'h', NULL, "show this help"},
	{0},
};

void command_log_mistakes(const StrBuf *mistakes)
{
	const char *line = strbuf_text(mistakes);
	_cleanup_strbuf_ StrBuf raw = STRBUF_INIT;

	while (*line) {
		size_t n = strcspn(line, "\n");

		/* The mistakes come escaped, and the log escapes what it gets. */
		strbuf_reset(&raw);
		utf8_append_unescaped(&raw, (Span){line, n});
		log_message_kind(LOG_LEVEL_ERROR, MESSAGE_CONFIG_MISTAKE, NULL, NULL, "%s",
			strbuf_text(&raw));
		line += n + (line[n] == '\n');
	}
}

int command_read_config(const CommandInvocation *invocation, Config **ret_config)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;

	if (config_load(invocation->config_path, ret_config, &errors) >= 0)
		return 0;
	command_log_mistakes(&errors);
	return EXIT_CONFIG;
}

int command_configure_log(const Config *config)
{
	const LogOptions options = {
		.level = (LogLevel)config->general.log_level,
		.file = config->general.log_file,
		.file_max_bytes = config->general.log_file_max_bytes,
		.file_backup_count = config->general.log_file_backup_count,
		.events = config->general.journal_events,
	};

	return log_configure(&options);
}

int command_load_config(const CommandInvocation *invocation, bool writes_state, Config **ret_config)
{
	_cleanup_(config_freep) Config *config = NULL;
	Why why = {""};
	int r = command_read_config(invocation, &config);

	if (r)
		return r;
	if (writes_state && owner_become(config->paths.state_dir, &why) < 0) {
		log_error("%s", why.text);
		return EXIT_FAILED;
	}
	r = command_configure_log(config);
	if (r < 0) {
		log_error("%s: %s", config->general.log_file, strerror(-r));
		return EXIT_CONFIG;
	}
	*ret_config = TAKE(config);
	return 0;
}
