/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What an installed Python version of this program has left where this one keeps its own: units that shadow or start this one's, an INI
 * file as configuration, a CSV with semicolons, a number as state. It only looks. Whether a file is one is told by what is in
 * it, so that this program's own files of the same names are none.
 */

#include "daemon/config.h"

typedef enum LegacyKind {
	LEGACY_UNIT, /* of systemd; one of the same name as ours is in its place */
	LEGACY_CONFIG,
	LEGACY_CSV,
	LEGACY_STATE,
	LEGACY_PROGRAM, /* the only one that is in nobody's way */
} LegacyKind;

#define LEGACY_MAX 24

typedef struct Legacy {
	size_t count;
	bool blocks; /* something is in this program's way */
	struct {
		LegacyKind kind;
		char *path;
	} item[LEGACY_MAX];
} Legacy;

#define LEGACY_INIT ((Legacy){0})

void legacy_done(Legacy *legacy);
#define _cleanup_legacy_ _cleanup_(legacy_done)

/* Whether the text is of the Python version's configuration: an INI file with its sections. */
bool legacy_is_config(Span text);

/*
 * Looks at this system's units and programs, at the configuration file at path, and at what the configuration (NULL: it can't be
 * read, so the default places) names. What can't be read is not seen. 0 or -ENOMEM.
 */
int legacy_find(const char *config_path, const Config *config, Legacy *ret_legacy);

/* Appends a line for each, "PATH: what it is; what to do", and one that names the manual; nothing when there is none. */
void legacy_append(const Legacy *legacy, const char *prefix, StrBuf *sb);
