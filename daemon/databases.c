/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/databases.h"

#include "daemon/loop.h"
#include "store/csv.h"

#include <sys/stat.h>

const GeoText databases_text = {csv_append_place, CSV_PLACE_VERSION};

#define ALL ((1u << GEO_KINDS) - 1)

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

void databases_append_paths(const Config *config, DatabaseSet set, StrBuf *sb)
{
	GeoPaths paths = databases_paths(config);
	bool first = true;

	for (unsigned kind = 0; kind < GEO_KINDS; kind++)
		if (set & (1u << kind)) {
			strbuf_appendf(sb, "%s%s", first ? "" : " and ", paths.path[kind]);
			first = false;
		}
}

const char *databases_subject(DatabaseSet set)
{
	static const char *const subjects[] = {
		[1u << GEO_COUNTRY] = "countries",
		[1u << GEO_ASN] = "networks and organisations",
		[ALL] = "countries, networks and organisations",
	};

	return subjects[set];
}

void databases_say_missing(const Config *config, DatabaseSet missing, Warnings *warnings)
{
	static const char key[] = "database:missing",
			  format[] = "%s: no such file; %s are N/A until 'maillogsentinel "
				     "update-db' fetches %s";
	const char *subject = databases_subject(missing), *it = missing == ALL ? "them" : "it";
	_cleanup_strbuf_ StrBuf paths = STRBUF_INIT;

	if (!missing) {
		if (warnings)
			warnings_clear(warnings, key, "the databases are all there now");
		return;
	}
	databases_append_paths(config, missing, &paths);
	if (warnings)
		warnings_raise(warnings, LOG_LEVEL_WARNING, key, loop_wall_us(), format,
			strbuf_text(&paths), subject, it);
	else
		log_warning(format, strbuf_text(&paths), subject, it);
}

/*
 * For the next one; most who come by may not write there, which is no news. Nor does root in what is another user's, who might have made a
 * link of db.
 */
static void save(const GeoDb *geodb, const Config *config, const char *image_path)
{
	struct stat st;
	int r = 0;

	if (geteuid() || (!stat(config->paths.state_dir, &st) && !st.st_uid))
		r = geodb_save(geodb, image_path);
	if (r < 0 && r != -ENOENT && r != -EACCES && r != -EPERM && r != -EROFS)
		log_info("%s: %s; it will be made another time", image_path, strerror(-r));
}

/* 0; -errno with *ret_why. */
static int load_or_build(
	const Config *config, const char *image_path, GeoDb **ret_geodb, Why *ret_why)
{
	GeoPaths paths = databases_paths(config);
	int r = geodb_load(image_path, &paths, &databases_text, ret_geodb, ret_why);

	if (!r)
		return 0;
	log_debug("%s", ret_why->text);
	r = geodb_build(&paths, &databases_text, ret_geodb, ret_why);
	if (r < 0)
		return r;
	save(*ret_geodb, config, image_path);
	return 0;
}

int databases_open(const Config *config, Warnings *warnings, GeoDb **ret_geodb, Why *ret_why)
{
	_cleanup_free_ char *image_path = config_image_path_dup(config);
	DatabaseSet missing = databases_missing(config);

	if (!image_path) {
		why_set(ret_why, "databases: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	databases_say_missing(config, missing, warnings);
	if (missing == ALL) {
		*ret_geodb = NULL;
		return 0;
	}
	return load_or_build(config, image_path, ret_geodb, ret_why);
}

/* What is left of them is not the image of what is there, and not saved. */
void databases_open_rest(const Config *config, Warnings *warnings, GeoDb **ret_geodb)
{
	DatabaseSet missing = databases_missing(config), bad = 0;
	GeoPaths paths = databases_paths(config);
	_cleanup_(geodb_freep) GeoDb *rest = NULL;
	_cleanup_strbuf_ StrBuf reasons = STRBUF_INIT;
	Why why = {""};

	if (!databases_open(config, warnings, ret_geodb, &why))
		return;
	for (unsigned kind = 0; kind < GEO_KINDS; kind++) {
		GeoPaths one = {{NULL}};

		one.path[kind] = paths.path[kind];
		if (missing & (1u << kind) ||
			(!rest && !geodb_build(&one, &databases_text, &rest, &why)))
			continue;
		bad |= 1u << kind;
		strbuf_appendf(&reasons, "%s; ", why.text);
	}
	warnings_raise(warnings, LOG_LEVEL_ERROR, "database:damaged", loop_wall_us(),
		"%s%s are N/A until that is mended", strbuf_text(&reasons), databases_subject(bad));
	*ret_geodb = TAKE(rest);
}
