/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns-health.h"

#define TIMEOUTS_MAX 64
#define PROBE_INTERVAL_MS 1000
#define IDLE_MS 60000

static bool is_idle(const RdnsHealth *health, uint64_t now_ms)
{
	return now_ms >= health->refused_ms + IDLE_MS;
}

void rdns_health_answered(RdnsHealth *health)
{
	health->timeouts_in_row = 0;
	health->dead = false;
}

void rdns_health_timed_out(RdnsHealth *health, const IpAddr *addr, uint64_t now_ms)
{
	if (health->dead || ++health->timeouts_in_row < TIMEOUTS_MAX)
		return;
	health->dead = true;
	health->refused = *addr;
	health->refused_ms = now_ms;
	health->probe_due_ms = now_ms + PROBE_INTERVAL_MS;
}

bool rdns_health_refuses(RdnsHealth *health, const IpAddr *addr, uint64_t now_ms)
{
	if (!health->dead)
		return false;
	if (is_idle(health, now_ms)) {
		health->dead = false;
		health->timeouts_in_row = TIMEOUTS_MAX - 1;
		return false;
	}
	health->refused = *addr;
	health->refused_ms = now_ms;
	return true;
}

bool rdns_health_probes(RdnsHealth *health, uint64_t now_ms, IpAddr *ret_addr)
{
	if (rdns_health_timeout(health, now_ms) != 0)
		return false;
	health->probe_due_ms = now_ms + PROBE_INTERVAL_MS;
	*ret_addr = health->refused;
	return true;
}

int64_t rdns_health_timeout(const RdnsHealth *health, uint64_t now_ms)
{
	if (!health->dead || is_idle(health, now_ms))
		return -1;
	return health->probe_due_ms > now_ms ? (int64_t)(health->probe_due_ms - now_ms) : 0;
}
