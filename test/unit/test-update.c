/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What update-db is made of: whether a new database is good enough, how it takes the old one's place, what is known of it. */

#include "daemon/fetched.h"
#include "daemon/install.h"
#include "daemon/newcomer.h"
#include "scratch.h"
#include "tap.h"

#include <sys/stat.h>

#define IPV4 4294967296.0

/* ---- the rules --------------------------------------------------------------------------------- */

typedef struct Sizes {
	uint64_t ranges, v4, v6;
} Sizes;

static GeoSource source_of(const Sizes *sizes)
{
	return (GeoSource){
		.there = true,
		.ranges_v4 = sizes->ranges / 2,
		.ranges_v6 = sizes->ranges - sizes->ranges / 2,
		.covered_v4 = sizes->v4,
		.covered_v6 = sizes->v6,
	};
}

static void test_newcomer(void)
{
	static const struct {
		const char *what;
		Sizes newcomer, before; /* all 0: there is none */
		NewcomerRules rules;
		const char *why; /* NULL: taken */
	} rows[] = {
		{"the first", {1, 1, 0}, {0}, {0}, NULL},
		{"one that says nothing", {1, 0, 0}, {0}, {0}, "says nothing"},
		{"the same by force", {1, 0, 0}, {0}, {.force = true}, "says nothing"},
		{"the same again", {100, 100, 100}, {100, 100, 100}, {0}, NULL},
		{"a larger one", {1000, 1000, 1000}, {100, 100, 100}, {0}, NULL},
		{"80 % of the ranges", {80, 100, 100}, {100, 100, 100}, {0}, NULL},
		{"79 % of the ranges", {79, 100, 100}, {100, 100, 100}, {0},
			"79.0 % of the ranges"},
		{"80 % of IPv4", {100, 80, 100}, {100, 100, 100}, {0}, NULL},
		{"79 % of IPv4", {100, 79, 100}, {100, 100, 100}, {0}, "79.0 % of the IPv4"},
		{"nearly 80 %", {79999, 100, 100}, {100000, 100, 100}, {0}, "79.9 % of the ranges"},
		{"80 % of IPv6", {100, 100, UINT64_MAX / 5 * 4 + 4}, {100, 100, UINT64_MAX}, {0},
			NULL},
		{"79 % of IPv6", {100, 100, UINT64_MAX / 100 * 79}, {100, 100, UINT64_MAX}, {0},
			"% of the IPv6"},
		{"no IPv6 any more", {100, 100, 0}, {100, 100, 1}, {0}, "0.0 % of the IPv6"},
		{"1 % by force", {1, 1, 1}, {100, 100, 100}, {.force = true}, NULL},
		{"60 % of all", {1, (uint64_t)(IPV4 * 0.6) + 1, 0}, {0}, {.is_global = true}, NULL},
		{"59 % of all", {1, (uint64_t)(IPV4 * 0.59999), 0}, {0}, {.is_global = true},
			"59.9 % of IPv4"},
		{"59 % of all by force", {1, (uint64_t)(IPV4 * 0.59), 0}, {0},
			{.is_global = true, .force = true}, NULL},
		{"little by little", {90, 90, 90}, {100, 100, 100}, {.is_global = true},
			"0.0 % of IPv4"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		GeoSource newcomer = source_of(&rows[i].newcomer),
			  before = source_of(&rows[i].before);
		Why why = {""};
		int r = newcomer_check(
			&newcomer, rows[i].before.ranges ? &before : NULL, &rows[i].rules, &why);

		if (!tap_ok(rows[i].why ? r == -EBADMSG && strstr(why.text, rows[i].why) : !r,
			    "%s is %s", rows[i].what, rows[i].why ? "refused" : "taken"))
			tap_note("%d: %s", r, why.text);
	}
}

/* ---- the place --------------------------------------------------------------------------------- */

static void test_install(void)
{
	scratch_text("x.new", "1");
	tap_ok(!install_file("x.new", "x") && scratch_holds("x", "1", 1) &&
			access("x.prev", F_OK) && access("x.new", F_OK),
		"where there was none, there is no one before");
	scratch_text("x.new", "2");
	tap_ok(!install_file("x.new", "x") && scratch_holds("x", "2", 1) &&
			scratch_holds("x.prev", "1", 1),
		"the one before is kept");
	scratch_text("x.new", "3");
	tap_ok(!install_file("x.new", "x") && scratch_holds("x", "3", 1) &&
			scratch_holds("x.prev", "2", 1) && access("x.prev.new", F_OK),
		"and that alone");
	/* killed between the two renames */
	MUST(!unlink("x.prev") && !link("x", "x.prev") && !link("x", "x.prev.new"));
	scratch_text("x.new", "4");
	tap_ok(!install_file("x.new", "x") && scratch_holds("x", "4", 1) &&
			scratch_holds("x.prev", "3", 1) && access("x.prev.new", F_OK),
		"after a kill in between");
	MUST(!mkdir("d", 0700));
	scratch_text("x.new", "5");
	tap_ok(install_file("x.new", "d") == -EISDIR && scratch_holds("x.new", "5", 1),
		"a directory is not replaced");
	MUST(!unlink("x") && !symlink("x.prev", "x"));
	tap_ok(!install_file("x.new", "x") && scratch_holds("x", "5", 1),
		"a symbolic link is, and not what it leads to");
	tap_ok(install_file("none", "y") == -ENOENT && access("y", F_OK), "nothing new");
}

/* ---- what is known ----------------------------------------------------------------------------- */

#define SUM "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static void test_fetched(void)
{
	char one[] = "https://h/1", two[] = "file:///two%20", three[] = "https://h/3";
	char *urls[] = {one, two, NULL}, *fewer[] = {one, NULL}, *other[] = {one, three, NULL},
	     *more[] = {one, two, three, NULL};
	Fetched fetched = {0}, got;
	FetchedFile *file = &fetched.files[GEO_ASN];
	struct stat st;

	tap_ok(!fetched_load("fetched", &got) && !got.files[GEO_ASN].count,
		"nothing is known at first");
	scratch_text("x.mmdb", "hello");
	MUST(!stat("x.mmdb", &st));
	file->size_bytes = 5;
	file->mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	MUST(!fetched_file_add(file, one, SUM, "W/\"a b\""));
	MUST(!fetched_file_add(file, two, SUM, ""));
	tap_ok(!fetched_save("fetched", &fetched), "what is known is kept");
	fetched_done(&fetched);
	tap_ok(!fetched_load("fetched", &got) && !got.files[GEO_COUNTRY].count &&
			got.files[GEO_ASN].count == 2,
		"and found again");
	file = &got.files[GEO_ASN];
	tap_ok(file->count == 2 && !strcmp(file->parts[0].etag, "W/\"a b\"") &&
			!*file->parts[1].etag && !strcmp(file->parts[1].sha256, SUM),
		"as it was");
	tap_ok(fetched_file_fits(file, "x.mmdb", urls), "it is about the file that lies there");
	tap_ok(!fetched_file_fits(file, "x.mmdb", fewer) &&
			!fetched_file_fits(file, "x.mmdb", more) &&
			!fetched_file_fits(file, "x.mmdb", other),
		"from these URLs alone");
	tap_ok(!fetched_file_fits(file, "none", urls), "not about one that is gone");
	scratch_text("x.mmdb", "hello");
	tap_ok(!fetched_file_fits(file, "x.mmdb", urls), "nor about one that is written anew");
	fetched_done(&got);
	scratch_append("fetched", "x", 1);
	tap_ok(!fetched_load("fetched", &got) && !got.files[GEO_ASN].count,
		"a damaged file is as good as none");
	fetched_done(&got);
}

int main(void)
{
	scratch_enter();
	test_newcomer();
	test_install();
	test_fetched();
	return tap_done();
}
