/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/dns-counts.h"

#include "base/file.h"

void dns_counts_begin(DnsCounts *counts, const char *state_dir, int64_t now_us)
{
	_cleanup_free_ char *path = file_join_dup(state_dir, "status");
	_cleanup_status_ Status status = STATUS_INIT;
	bool running;
	Why why;

	*counts = (DnsCounts){.since_us = now_us};
	if (!path || status_read(path, &status, &running, &why) < 0 || !status.dns.since_us)
		return;
	counts->since_us = status.dns.since_us;
	counts->before = status.dns.counts;
}

void dns_counts_status(const DnsCounts *counts, const Rdns *rdns, bool enabled, Status *status)
{
	const StatusDnsCounts *before = &counts->before;
	StatusDns *dns = &status->dns;
	RdnsCounts now = {0};

	if (rdns)
		rdns_counts(rdns, &now);
	*dns = (StatusDns){
		.since_us = counts->since_us,
		.enabled = enabled,
		.dead = now.resolver_dead,
		.before = *before,
		.in_flight = now.in_flight,
		.queued = now.waiting,
		.cached = now.cached,
	};
	dns->counts = (StatusDnsCounts){
		.lookups = before->lookups + now.lookups,
		.cache_hits = before->cache_hits + now.cache_hits,
		.shared = before->shared + now.shared,
		.queries = before->queries + now.sent,
		.ok = before->ok + now.answered[RDNS_OK],
		.no_name = before->no_name + now.answered[RDNS_NO_NAME],
		.failed = before->failed + now.answered[RDNS_SERVER_FAILED],
		.no_ptr = before->no_ptr + now.answered[RDNS_NO_PTR],
		.timeout = before->timeout + now.answered[RDNS_TIMEOUT],
		.off = before->off + now.answered[RDNS_OFF],
	};
}
