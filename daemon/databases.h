/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The databases that the configuration names, for those who place addresses. */

#include "daemon/config.h"
#include "daemon/warnings.h"
#include "enrich/geodb.h"

/* The text that their records carry is that of the CSV's last three columns. */
extern const GeoText databases_text;

/* Borrowed from the configuration. */
GeoPaths databases_paths(const Config *config);

/* A set of databases: bit 0 is GEO_COUNTRY, and so on. */
typedef unsigned DatabaseSet;

/* Those of which there is no file. */
DatabaseSet databases_missing(const Config *config);

/*
 * Loads the databases that are there. One that is not there is a warning (also in warnings, if that is not NULL): what it would say stays unknown; without any, *ret_geodb is
 * NULL, which geodb_lookup understands. 0; -errno with *ret_why when one can't be read or is damaged.
 */
int databases_open(const Config *config, Warnings *warnings, GeoDb **ret_geodb, Why *ret_why);
