/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The image as a file: saved, loaded, refused. */

#include <sys/stat.h>

#include "geodb-tools.h"
#include "scratch.h"
#include "tap.h"

#define IMAGE "ip.image"

static const GeoPaths paths = {{"country", "asn"}};

static void write_databases(void)
{
	scratch_text("country", "8.0.0.0,8.0.0.255,US\n8.0.1.0,8.0.1.255,DE\n2a00::,2a00::f,DE\n");
	scratch_text("asn", "8.0.0.128,8.0.1.127,64500,Alpha\n8.0.1.128,8.0.2.255,64501,\"=B\"\n");
}

static const char answers[] = "8.0.0.0=US|8.0.0.128=US64500 Alpha|8.0.1.0=DE64500 Alpha|"
			      "8.0.1.128=DE64501 =B|8.0.2.0=64501 =B|8.0.3.0=|2a00::1=DE|2a01::=";

static void test_round(void)
{
	_cleanup_(geodb_freep) GeoDb *built = NULL, *loaded = NULL;
	Why why = {0};

	tap_ok(geodb_load(IMAGE, &paths, &geo_csv_text, &loaded, &why) == GEODB_STALE &&
			!strcmp(why.text, IMAGE ": there is none"),
		"no image");
	tap_ok(!geodb_build(&paths, &geo_csv_text, &built, &why) && answers_are(built, answers),
		"built");
	tap_ok(!geodb_save(built, IMAGE), "saved");
	if (!tap_ok(!geodb_load(IMAGE, &paths, &geo_csv_text, &loaded, &why), "loaded"))
		tap_note("%s", why.text);
	tap_ok(loaded && answers_are(loaded, answers), "with the same answers");
}

int main(void)
{
	scratch_enter();
	write_databases();
	test_round();
	return tap_done();
}
