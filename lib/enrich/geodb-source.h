/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A database file: what is in it, and how its state is told from another. */

#include "enrich/geodb-rows.h"

/*
 * Reads the file at the path into flat lists, whatever its form; with it what is to be known of it. No file there:
 * nothing is read. 0; as geodb_build with *ret_why.
 */
int geo_source_read(const char *path, GeoRows *rows, GeoSource *ret_source, Why *ret_why);

/* Whether the file at the path (NULL: none) seems to be the one that was read: 1, 0, or -errno. */
int geo_source_is_same(const char *path, const GeoSource *source);
