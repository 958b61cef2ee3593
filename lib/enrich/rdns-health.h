/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whether the name servers answer at all. After 64 timeouts in a row without one answer they count
 * as dead, so that they do not turn a backlog into hours: who asks is refused at once, and once a
 * second an address that was refused is tried, until anything is answered. When nobody has asked
 * for a minute nothing is tried any more (an idle daemon shall not wake up); the next one who asks
 * is let through, and one more timeout is enough. Start it with zero.
 */

#include "base/ipaddr.h"

typedef struct RdnsHealth {
	unsigned timeouts_in_row;
	bool dead;
	IpAddr refused;      /* the last one */
	uint64_t refused_ms; /* when */
	uint64_t probe_due_ms;
} RdnsHealth;

/* A server has answered; what, does not matter. */
void rdns_health_answered(RdnsHealth *health);
void rdns_health_timed_out(RdnsHealth *health, const IpAddr *addr, uint64_t now_ms);

/* Somebody asks for addr: true when there is no use in it. */
bool rdns_health_refuses(RdnsHealth *health, const IpAddr *addr, uint64_t now_ms);

/* True once a second while dead: *ret_addr is to be tried. */
bool rdns_health_probes(RdnsHealth *health, uint64_t now_ms, IpAddr *ret_addr);
/* When it will be; -1: not. */
int64_t rdns_health_timeout(const RdnsHealth *health, uint64_t now_ms);
