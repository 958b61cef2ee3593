/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/newcomer.h"

#include <inttypes.h>

#define IPV4_ADDRESSES 4294967296.0

static double percent(uint64_t part, double whole)
{
	return 100 * (double)part / whole;
}

static int compare(const char *what, uint64_t newcomer, uint64_t before, Why *ret_why)
{
	double share = before ? percent(newcomer, (double)before) : 100;

	if (share >= NEWCOMER_PERCENT_MIN)
		return 0;
	/* Never rounded up to what would do. */
	why_set(ret_why,
		"has only %.1f %% of the %s of the one before, less than %d %% (--force takes it)",
		(double)(int64_t)(share * 10) / 10, what, NEWCOMER_PERCENT_MIN);
	return -EBADMSG;
}

int newcomer_check(const GeoSource *newcomer, const GeoSource *before, const NewcomerRules *rules,
	Why *ret_why)
{
	double share = percent(newcomer->covered_v4, IPV4_ADDRESSES);
	int r = 0;

	if (!newcomer->covered_v4 && !newcomer->covered_v6) {
		why_set(ret_why, "says nothing of any address");
		return -EBADMSG;
	}
	if (rules->force)
		return 0;
	if (before) {
		r = compare("ranges", newcomer->ranges_v4 + newcomer->ranges_v6,
			before->ranges_v4 + before->ranges_v6, ret_why);
		if (!r)
			r = compare("IPv4 addresses", newcomer->covered_v4, before->covered_v4,
				ret_why);
		if (!r)
			r = compare(
				"IPv6 networks", newcomer->covered_v6, before->covered_v6, ret_why);
	}
	if (!r && rules->is_global && share < NEWCOMER_IPV4_PERCENT_MIN) {
		why_set(ret_why, "covers only %.1f %% of IPv4, less than %d %% (--force takes it)",
			(double)(int64_t)(share * 10) / 10, NEWCOMER_IPV4_PERCENT_MIN);
		r = -EBADMSG;
	}
	return r;
}
