/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/databases.h"

#include <sys/stat.h>

#include "daemon/loop.h"
#include "store/csv.h"

const GeoText databases_text = {csv_append_place, CSV_PLACE_VERSION};

GeoPaths databases_paths(const Config *config)
{
	return (GeoPaths){{
		[GEO_COUNTRY] = config->geolocation.country_db_path,
		[GEO_ASN] = config->asn_aso.asn_db_path,
	}};
}

DatabaseSet databases_missing(const Config *config)
{
	GeoPaths paths = databases_paths(config);
	DatabaseSet missing = 0;
	struct stat st;

	for (unsigned kind = 0; kind < GEO_KINDS; kind++)
		if (stat(paths.path[kind], &st) < 0 && errno == ENOENT)
			missing |= 1u << kind;
	return missing;
}

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
		return geodb_build(&paths, &databases_text, ret_geodb, ret_why);
	*ret_geodb = NULL;
	return 0;
}
