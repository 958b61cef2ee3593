/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/databases.h"

#include <sys/stat.h>

#include "daemon/loop.h"
#include "store/csv.h"

/* What the pipeline writes of a place. */
static const GeoText csv_text = {csv_append_place, CSV_PLACE_VERSION};

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
	const GeoPaths paths = {{
		existing(config->geolocation.country_db_path, "database:country", warnings),
		existing(config->asn_aso.asn_db_path, "database:asn", warnings),
	}};

	if (paths.path[GEO_COUNTRY] || paths.path[GEO_ASN])
		return geodb_build(&paths, &csv_text, ret_geodb, ret_why);
	*ret_geodb = NULL;
	return 0;
}
