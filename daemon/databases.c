/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/databases.h"

#include <sys/stat.h>

#include "daemon/log.h"

static const char *existing(const char *path)
{
	struct stat st;

	if (!stat(path, &st) || errno != ENOENT)
		return path;
	log_warning("%s: no such file; what it would say is N/A", path);
	return NULL;
}

int databases_open(const Config *config, GeoDb **ret_geodb, Why *ret_why)
{
	const char *country = existing(config->geolocation.country_db_path);
	const char *asn = existing(config->asn_aso.asn_db_path);

	if (country || asn)
		return geodb_new(country, asn, ret_geodb, ret_why);
	*ret_geodb = NULL;
	return 0;
}
