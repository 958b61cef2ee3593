/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The databases that the configuration names, for those who place addresses: their image (enrich/geodb) when it fits them, else
 * what is built from them, which is then saved as the image for the next one, where that can be done. Directories are not made.
 */

#include "daemon/config.h"
#include "daemon/warnings.h"
#include "enrich/geodb.h"

/* The text that their records carry is that of the CSV's last three columns. */
extern const GeoText databases_text;

/* Data older than that is worth a warning. */
#define DATABASE_OLD_US ((int64_t)45 * 86400 * 1000000)

/* Borrowed from the configuration. */
GeoPaths databases_paths(const Config *config);

/* A set of databases: bit 0 is GEO_COUNTRY, and so on. */
typedef unsigned DatabaseSet;

/* Those of which there is no file. */
DatabaseSet databases_missing(const Config *config);

/* The paths of the set, as "A and B". */
void databases_append_paths(const Config *config, DatabaseSet set, StrBuf *sb);

/* What they say: "countries", "networks and organisations", "countries, networks and organisations". */
const char *databases_subject(DatabaseSet set);

/* One warning for those that are missing, which ends when none is; with warnings NULL a line in the program's log. */
void databases_say_missing(const Config *config, DatabaseSet missing, Warnings *warnings);

/*
 * For one who works once. One that is missing is a warning (as above), and what it would say stays unknown; without any, *ret_geodb is
 * NULL, which geodb_lookup understands. 0; -errno with *ret_why when one can't be read or is damaged.
 */
int databases_open(const Config *config, Warnings *warnings, GeoDb **ret_geodb, Why *ret_why);

/* For the service: one that can't be read or is damaged is left out, with a warning. */
void databases_open_rest(const Config *config, Warnings *warnings, GeoDb **ret_geodb);
