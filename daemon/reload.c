/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/reload.h"

#include "base/utf8.h"
#include "build-config.h"
#include "daemon/command.h"
#include "daemon/config-option.h"
#include "daemon/log.h"
#include "daemon/loop.h"

#include <inttypes.h>

#define WARNING_KEY "reload"
#define NAMES_MAX 12 /* of options that are named in the log as changed */

void reload_init(Reload *reload, const char *path)
{
	*reload = (Reload){.path = path, .generation = 1};
}

void reload_done(Reload *reload)
{
	config_free(reload->next);
	free(reload->error);
}

static const char *path_of(const Config *config)
{
	return config->path ? config->path : MLS_DEFAULT_CONFIG;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Values are compared as they are written. Without memory they differ. */
static bool is_changed(const ConfigOption *option, const Config *before, const Config *now)
{
	_cleanup_strbuf_ StrBuf a = STRBUF_INIT, b = STRBUF_INIT;

	config_option_format(option, before, &a);
	config_option_format(option, now, &b);
	return strbuf_error(&a) || strbuf_error(&b) || a.len != b.len ||
	       (a.len && memcmp(a.data, b.data, a.len) != 0);
}

/* 0 or -EINVAL. */
static int check_restart(const Config *before, const Config *next, StrBuf *errors)
{
	int r = 0;

	for (size_t i = 0; i < config_option_count; i++) {
		const ConfigOption *option = &config_options[i];

		if (!option->needs_restart || !is_changed(option, before, next))
			continue;
		utf8_append_escaped(errors, span_from_string(path_of(next)));
		strbuf_appendf(errors, ":%u: %s.%s: a reload can't change it from ", next->lines[i],
			option->group, option->key);
		config_option_format(option, before, errors);
		strbuf_append_string(errors, "; it needs a restart\n");
		r = -EINVAL;
	}
	return r;
}

/* 0 or -errno with lines of errors, which are escaped. */
static int read_config(
	const Reload *reload, const Config *before, Config **ret_config, StrBuf *ret_errors)
{
	_cleanup_(config_freep) Config *next = NULL;
	_cleanup_strbuf_ StrBuf notes = STRBUF_INIT;
	/* A file that is gone is a mistake, and not the wish for the defaults. */
	const char *path = reload->path ? reload->path : before->path;
	int r = config_load(path, &next, ret_errors), restart;

	if (r < 0)
		return r;
	restart = check_restart(before, next, ret_errors);
	r = config_check_paths(next, ret_errors, &notes);
	if (!r)
		r = restart;
	if (!r)
		*ret_config = TAKE(next);
	return r;
}

/* ---- putting in force ----------------------------------------------------------------------- */

static int apply(const ReloadStep *steps, size_t count, void *userdata, const Config *before,
	const Config *next, StrBuf *ret_why)
{
	size_t done = 0;
	int r = 0;

	while (done < count && !r) {
		r = steps[done].apply(userdata, next, ret_why);
		done += !r;
	}
	while (r && done-- > 0) {
		_cleanup_strbuf_ StrBuf why = STRBUF_INIT;

		if (steps[done].apply(userdata, before, &why))
			log_error("%s: can't go back to the configuration of before: %s",
				steps[done].name, strbuf_text(&why));
	}
	return r;
}

/* ---- what is said --------------------------------------------------------------------------- */

static void say_done(const Reload *reload, const Config *before, const Config *now)
{
	_cleanup_strbuf_ StrBuf names = STRBUF_INIT;
	size_t count = 0;

	for (size_t i = 0; i < config_option_count; i++) {
		const ConfigOption *option = &config_options[i];

		if (!is_changed(option, before, now))
			continue;
		if (count++ < NAMES_MAX)
			strbuf_appendf(&names, "%s%s.%s", names.len ? ", " : "", option->group,
				option->key);
	}
	if (count > NAMES_MAX)
		strbuf_appendf(&names, " and %zu more", count - NAMES_MAX);
	log_message_kind(LOG_LEVEL_INFO, MESSAGE_RELOADED, NULL, NULL,
		"%s: reloaded, generation %" PRIu64 "; changed: %s", path_of(now),
		reload->generation, count ? strbuf_text(&names) : "nothing");
}

/* The first line of errors as it was before it was escaped; NULL without memory, or when there is none. */
static char *first_error_dup(const StrBuf *errors)
{
	_cleanup_strbuf_ StrBuf raw = STRBUF_INIT;
	const char *text = strbuf_text(errors);

	utf8_append_unescaped(&raw, (Span){text, strcspn(text, "\n")});
	return raw.len ? strbuf_take(&raw) : NULL;
}

static void say_failed(Reload *reload, const Config *config, int error, const StrBuf *errors,
	const StrBuf *why, Warnings *warnings)
{
	command_log_mistakes(errors);
	free(reload->error);
	reload->error = first_error_dup(errors);
	if (!reload->error)
		reload->error =
			strdup(why->len ? strbuf_text(why) : strerror(error < 0 ? -error : EIO));
	if (!reload->failed_us)
		reload->failed_us = loop_wall_us();
	/* So that it is said each time. */
	warnings_clear(warnings, WARNING_KEY, NULL);
	warnings_raise(warnings, LOG_LEVEL_ERROR, WARNING_KEY, reload->failed_us,
		"%s: not reloaded, the configuration of before stays in force: %s", path_of(config),
		reload->error ? reload->error : strerror(ENOMEM));
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void end(Reload *reload)
{
	reload->generation++;
	reload->over_us = loop_wall_us();
}

int reload_read(Reload *reload, const Config *config, Warnings *warnings)
{
	_cleanup_(config_freep) Config *next = NULL;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT, why = STRBUF_INIT;
	int r = read_config(reload, config, &next, &errors);

	if (r) {
		end(reload);
		say_failed(reload, config, r, &errors, &why, warnings);
		return r;
	}
	config_free(reload->next);
	reload->next = TAKE(next);
	return 0;
}

int reload_apply(Reload *reload, const ReloadStep *steps, size_t step_count, void *userdata,
	Config **config, Warnings *warnings)
{
	_cleanup_(config_freep) Config *next = TAKE(reload->next);
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT, why = STRBUF_INIT;
	int r = apply(steps, step_count, userdata, *config, next, &why);

	end(reload);
	if (r) {
		say_failed(reload, *config, r, &errors, &why, warnings);
		return r;
	}
	say_done(reload, *config, next);
	free(TAKE(reload->error));
	reload->failed_us = 0;
	warnings_clear(warnings, WARNING_KEY, NULL);
	config_free(*config);
	*config = TAKE(next);
	return 0;
}

void reload_status(const Reload *reload, Status *status)
{
	status->generation = reload->generation;
	status->reloaded_us = reload->over_us;
	if (reload->failed_us)
		status->reload_error = reload->error ? reload->error : "not reloaded";
}
