/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What RdnsOptions may hold. */

#include "enrich/rdns-servers.h"
#include "enrich/rdns.h"

#define RDNS_IN_FLIGHT_MAX 256U

/*
 * Checks the options; *ret_servers has count 0 when resolv.conf's are meant. 0, or -EINVAL with
 * *ret_why.
 */
int rdns_options_read(const RdnsOptions *options, RdnsServers *ret_servers, Why *ret_why);

/* How long all tries take together. */
uint64_t rdns_options_total_ms(const RdnsOptions *options);
