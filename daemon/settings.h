/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The options that a configuration sets otherwise than by default, and the file that says just that: each with its comment,
 * in the order of the table of options. Values are checked as they come in, as a configuration file's are.
 */

#include "daemon/config.h"

typedef struct Settings Settings;

/* Those of the configuration; NULL: none. 0 or -ENOMEM. */
int settings_new(const Config *config, Settings **ret_settings);
void settings_free(Settings *settings);
DEFINE_CLEANUP(Settings *, settings_freep, settings_free)

/*
 * Sets an option that takes a text, or a list of texts, or takes what is its default. 0; -EINVAL with *ret_why as an end of "VALUE ...";
 * -ENOMEM.
 */
int settings_set(Settings *settings, const char *group, const char *key, const char *const *texts,
	size_t count, Why *ret_why);

struct ConfigValue; /* of daemon/config-option.h */

/* The same for a value of any kind. */
int settings_set_value(Settings *settings, const char *group, const char *key,
	const struct ConfigValue *value, Why *ret_why);

/* Whether both set the same options to the same. */
bool settings_equal(const Settings *a, const Settings *b);

/* Appends them as a configuration file, without an introduction. */
void settings_append(const Settings *settings, StrBuf *sb);

/* The configuration that they make. As config_load(), with "setup" in the place of the path. */
int settings_load(const Settings *settings, Config **ret_config, StrBuf *ret_errors);
