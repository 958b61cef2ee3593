/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Keeps the service's databases as they are on disk. It watches them and their image (inotify, and whenever its owner ticks), and when one has
 * changed and nothing has for a second, it takes the image into use: read in small steps between other work, then put in the place of the one
 * before between two rows. An image that does not fit the databases is made anew first, by a job (`update-db --compile`), never here.
 *
 * What can't be taken into use leaves the one before in its place, with a warning, and is tried again when a file changes, or later by
 * itself. So does a database that is gone: what it said stays in use as long as the service runs, until it is back. An image that
 * somebody has cut or written over is not used any more at once: all is unknown until it is made anew.
 */

#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/warnings.h"
#include "enrich/geodb.h"

typedef struct GeoKeeper GeoKeeper;

typedef struct GeoKeeperOptions {
	Loop *loop;
	const Config *config;
	Warnings *warnings;
	/* *geodb is the owner's, who frees it at the end; until then it is replaced when there is another, and NULL when there is none. */
	GeoDb **geodb;
	/* What status says of the databases will be something else. */
	void (*changed)(void *userdata);
	void *userdata;
} GeoKeeperOptions;

/* All is borrowed. What is changed after this call is noticed, so it comes before opening. 0 or -errno. */
int geo_keeper_new(const GeoKeeperOptions *options, GeoKeeper **ret_keeper);
void geo_keeper_free(GeoKeeper *keeper);
DEFINE_CLEANUP(GeoKeeper *, geo_keeper_freep, geo_keeper_free)

/*
 * Keeps the databases of config from now on, which must live as long. What was in use stays until they can be. It
 * needs no memory to do so: a reload goes back by it, and lets go of the other configuration.
 */
void geo_keeper_reconfigure(GeoKeeper *keeper, const Config *config);

/* After lookups: whether the image was lost. */
void geo_keeper_check(GeoKeeper *keeper);

/* Looks whether anything has changed, in case no event came, and how old the data is. */
void geo_keeper_look(GeoKeeper *keeper);

/* What status says of the databases; they are status's to free. */
void geo_keeper_status(const GeoKeeper *keeper, Status *status);
