/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/databases.h"

#include <sys/stat.h>

#include "daemon/loop.h"

static const char *existing(const char *path, const char *key, Warnings *warnings)
{
	static const char format[] = "%s: no such file; what it would say is N/A";
	struct stat st;

	if (!stat(path, &st) || errno != ENOENT)
		return path;
	if (warnings)
		warnings_raise(warnings, LOG_LEVEL_WARNING, key, loop_wall_us(), format, path);
	else
		log_warning(format, path);
	return NULL;
}

int databases_open(const Config *config, Warnings *warnings, GeoDb **ret_geodb, Why *ret_why)
{
	const char *country =
		existing(config->geolocation.country_db_path, "database:country", warnings);
	const char *asn = existing(config->asn_aso.asn_db_path, "database:asn", warnings);

	if (country || asn)
		return geodb_new(country, asn, ret_geodb, ret_why);
	*ret_geodb = NULL;
	return 0;
}
