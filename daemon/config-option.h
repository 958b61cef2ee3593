/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The table of options: what one is called, which values it takes, where in a Config it is kept. Adding an option is
 * a field in Config and a row in config-option.c; reading, checking and dumping follow from the row, and test/check/options.sh
 * says where else (default file, manual) it must be named.
 */

#include "daemon/config.h"

typedef enum ConfigType {
	CONFIG_BOOL,      /* bool */
	CONFIG_NUMBER,    /* unsigned, min to max */
	CONFIG_SIZE,      /* uint64_t bytes, min to max; a string ("5 MiB") or a number */
	CONFIG_DURATION,  /* uint64_t ms, min to max; a string ("24 h") or a number of seconds */
	CONFIG_TEXT,      /* char *, UTF-8 without control characters */
	CONFIG_FILE_NAME, /* char *, without a slash */
	CONFIG_PATH,      /* char *, absolute */
	CONFIG_PATHS,     /* char **, absolute; a string or a list of strings */
	CONFIG_URLS,      /* char **, a string or a list of strings; "" and [] are none */
	CONFIG_ADDRESS,   /* char *, of mail; "" is none */
	CONFIG_ADDRESSES, /* char **, a string or a list of strings; "" and [] are none */
	CONFIG_SMTP_URL,  /* char *, of a mail server */
	CONFIG_SQL_NAME,  /* char *, of a table */
	CONFIG_COLUMNS, /* char **, "COLUMN=NAME" or "COLUMN="; a string or a list of strings; "" and [] are none */
	CONFIG_SCHEDULE,  /* char *, a calendar expression; "" and "off" are never */
	CONFIG_LOG_LEVEL, /* int, a LogLevel */
	CONFIG_CHOICE,    /* int, which of choices */
} ConfigType;

typedef struct ConfigOption {
	const char *group, *key;
	ConfigType type;
	size_t offset;        /* of the field in Config */
	const char *fallback; /* the default, as text */
	uint64_t min, max;
	const char *unit;           /* of a number: "ms" */
	const char *const *choices; /* of a CONFIG_CHOICE; NULL at the end */
	bool may_be_empty;          /* of a CONFIG_PATH */
	bool needs_restart;         /* a reload can't change it */
	const char *help;           /* one line, without the range */
} ConfigOption;

typedef struct ConfigGroup {
	const char *name;
	const char *help; /* one line */
} ConfigGroup;

extern const ConfigGroup config_groups[];
extern const size_t config_group_count;

/* Ordered by group, as config_groups is. */
extern const ConfigOption config_options[];
extern const size_t config_option_count;

/* A value as the file has it. */
typedef struct ConfigValue {
	enum {
		CONFIG_VALUE_BOOL,
		CONFIG_VALUE_NUMBER,
		CONFIG_VALUE_TEXT,  /* texts[0] */
		CONFIG_VALUE_TEXTS, /* a list of strings */
		CONFIG_VALUE_OTHER, /* a group, a float, a list of something else */
	} kind;
	bool truth;
	int64_t number;
	const char **texts; /* borrowed */
	size_t text_count;
} ConfigValue;

/* Checks the value and stores a copy in its field. 0; -EINVAL with *ret_why ("wants true or false"); -ENOMEM. */
int config_option_set(
	const ConfigOption *option, Config *config, const ConfigValue *value, Why *ret_why);

/* The same with the default. 0 or -ENOMEM. */
int config_option_set_fallback(const ConfigOption *option, Config *config);

/* Frees what the field holds. */
void config_option_clear(const ConfigOption *option, Config *config);

/* Appends the field's value in libconfig's syntax. */
void config_option_format(const ConfigOption *option, const Config *config, StrBuf *sb);

/* Appends the line of help with the range: "Tries for a name. (1 to 10)". */
void config_option_describe(const ConfigOption *option, StrBuf *sb);

/*
 * The option, or NULL. For one that is not found, *ret_nearest (when wanted) is the one that was probably meant: the same key
 * in another group, or a similar key (first of this group), else NULL.
 */
const ConfigOption *config_option_find(
	const char *group, const char *key, const ConfigOption **ret_nearest);

/* The same for a group. */
const ConfigGroup *config_group_find(const char *name, const ConfigGroup **ret_nearest);
