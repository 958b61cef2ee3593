/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The mistakes of one configuration file, collected in whatever order they are found, written in the order of their
 * lines. Keeps at most CONFIG_MISTAKES_MAX and counts the rest. Bytes that are not text appear as \xHH.
 */

#include "base/strbuf.h"

#define CONFIG_MISTAKES_MAX 100

typedef struct ConfigMistake {
	unsigned line; /* 0: of the file as a whole */
	char *text;
} ConfigMistake;

typedef struct ConfigMistakes {
	ConfigMistake mistake[CONFIG_MISTAKES_MAX];
	size_t count; /* also those that were not kept */
	int error;    /* 0 or -ENOMEM, sticky */
} ConfigMistakes;

void config_mistakes_done(ConfigMistakes *mistakes);

void config_mistakes_add(ConfigMistakes *mistakes, unsigned line, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Appends "path:line: text" lines. */
void config_mistakes_write(ConfigMistakes *mistakes, const char *path, StrBuf *sb);
