/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns-options.h"

#define TIMEOUT_MS_MIN 10U
#define TIMEOUT_MS_MAX 60000U
#define TRIES_MAX 8U
#define TOTAL_MS_MAX 300000U
#define CACHE_SIZE_MAX 10000000U
#define CACHE_TTL_SECONDS_MAX (30U * 86400)

uint64_t rdns_options_total_ms(const RdnsOptions *options)
{
	return (uint64_t)options->timeout_ms * ((1U << options->tries) - 1);
}

static int check_range(const char *what, uint64_t value, unsigned min, unsigned max, Why *ret_why)
{
	if (value >= min && value <= max)
		return 0;
	why_set(ret_why, "%s: %llu is not between %u and %u", what, (unsigned long long)value, min,
		max);
	return -EINVAL;
}

int rdns_options_read(const RdnsOptions *options, RdnsServers *ret_servers, Why *ret_why)
{
	uint64_t total_ms;
	int r;

	r = check_range("timeout_ms", options->timeout_ms, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX, ret_why);
	if (!r)
		r = check_range("tries", options->tries, 1, TRIES_MAX, ret_why);
	if (!r)
		r = check_range(
			"max_in_flight", options->max_in_flight, 1, RDNS_IN_FLIGHT_MAX, ret_why);
	if (!r)
		r = check_range("cache size", options->cache_size, 0, CACHE_SIZE_MAX, ret_why);
	if (!r)
		r = check_range("cache ttl_seconds", options->cache_ttl_seconds, 0,
			CACHE_TTL_SECONDS_MAX, ret_why);
	if (r < 0)
		return r;
	total_ms = rdns_options_total_ms(options);
	if (total_ms > TOTAL_MS_MAX) {
		why_set(ret_why, "timeout_ms: %u tries from %u ms on take %llu ms, more than %u",
			options->tries, options->timeout_ms, (unsigned long long)total_ms,
			TOTAL_MS_MAX);
		return -EINVAL;
	}
	return rdns_servers_parse(span_from_string(options->servers), ret_servers, ret_why);
}

int rdns_options_check(const RdnsOptions *options, Why *ret_why)
{
	RdnsServers servers;

	return rdns_options_read(options, &servers, ret_why);
}
