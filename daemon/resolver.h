/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The reverse DNS (enrich/rdns) on the event loop: its descriptors and its one timer. */

#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/warnings.h"
#include "enrich/rdns.h"

typedef struct Resolver Resolver;

/*
 * Resolves as config says; with dns.enabled off every status is Off. answered(userdata) is called when names have arrived, never from within
 * resolver_rearm() or an rdns_lookup(). 0 or -errno with *ret_why.
 */
int resolver_new(Loop *loop, const Config *config, LoopFunction answered, void *userdata,
	Resolver **ret_resolver, Why *ret_why);
/* Entries must all have been unreferenced before. */
void resolver_free(Resolver *resolver);
DEFINE_CLEANUP(Resolver *, resolver_freep, resolver_free)

/*
 * Resolves as config says from now on. What was asked already ends as it would have; what waits to be asked is asked in the new way. 0 or
 * -errno with *ret_why, and nothing has changed.
 */
int resolver_reconfigure(Resolver *resolver, const Config *config, Why *ret_why);

/* For lookups. Borrowed. */
Rdns *resolver_rdns(const Resolver *resolver);

/* Raises or ends the warning that no name server answers. */
void resolver_check(const Resolver *resolver, Warnings *warnings);

/* After lookups: sets the timer anew. */
void resolver_rearm(Resolver *resolver);
