/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whether a database that was fetched may take the place of the one that is there. That it can be parsed, that its values are sane
 * and that at most 0.1 % of its rows are rejected is for enrich/geodb to see; here it is compared with the one before, because what was cut
 * at the end of a line, or made from half of the data, is a sound database.
 */

#include "enrich/geodb.h"

#define NEWCOMER_PERCENT_MIN 80 /* of the ranges and addresses of the one before */
#define NEWCOMER_IPV4_PERCENT_MIN \
	60 /* of all of IPv4, where it is known that the source has that */

typedef struct NewcomerRules {
	bool force;     /* not compared with the one before */
	bool is_global; /* its source is known to cover most of IPv4 */
} NewcomerRules;

/* before is NULL where there is none that can be read. 0, or -EBADMSG with *ret_why. */
int newcomer_check(const GeoSource *newcomer, const GeoSource *before, const NewcomerRules *rules,
	Why *ret_why);
