/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Country, network number and organisation of an address, from a country and an ASN database. It
 * is built from CSV (geodb-csv.h has the forms) and MMDB (sapics' and MaxMind's keys), whichever
 * the content turns out to be, whatever the name; both become the same structure (iptrie), with one
 * search per address for all answers, in one block of bytes without pointers, the image
 * (geodb-image.h). That can be saved as a file, which the next process maps instead of building it
 * again: it opens in some milliseconds, and its memory is shared by all who have it open.
 *
 * An image is used only when it is whole (a checksum), of this version, and made from the databases
 * that are there now (size and time of modification). Even so nothing that it holds is trusted:
 * whatever its bytes, and whatever somebody does to the file while it is mapped, a lookup reads
 * only what belongs to the image, and says unknown where that makes no sense.
 *
 * Limits: databases of 512 MiB, 16 million ranges a family, organisations of 255 bytes, images of
 * 1 GiB, MAPPINGS_MAX images that are mapped at a time. The databases of today make an image of
 * 14 MB, and take some 80 MB for a third of a second while it is built.
 */

#include "base/ipaddr.h"
#include "base/strbuf.h"

typedef struct GeoDb GeoDb;

/* The kinds of databases: the index of paths and sources. */
typedef enum GeoKind {
	GEO_COUNTRY,
	GEO_ASN,
	GEO_KINDS,
} GeoKind;

/* Where the databases are. NULL, or a file that does not exist: there is none of the kind. */
typedef struct GeoPaths {
	const char *path[GEO_KINDS];
} GeoPaths;

/*
 * How the text that a record carries is written: the image holds it ready-made. What is unknown is
 * a missing Span and 0. The version is another one when it writes something else for the same;
 * append sets sb's error or none.
 */
typedef struct GeoText {
	void (*append)(StrBuf *sb, Span country_code, uint32_t asn, Span organisation);
	uint32_t version;
} GeoText;

/* A database from which a GeoDb was made. */
typedef struct GeoSource {
	bool there; /* false: no such database; all else is 0 */
	uint64_t size_bytes;
	int64_t mtime_ns;
	uint64_t hash;                 /* XXH3 of the file (base/digest.h) */
	int64_t date_us;               /* when its data was made: what an MMDB says, else mtime */
	uint64_t rows;                 /* rows or networks read */
	uint64_t rejected;             /* rows that were not understood, skipped */
	uint64_t ranges_v4, ranges_v6; /* after flattening, those of equal value joined */
	uint64_t covered_v4;           /* addresses that have a value */
	uint64_t covered_v6;           /* /64 networks in which an address has a value */
} GeoSource;

typedef struct GeoRecord {
	char country_code[3]; /* "" when unknown */
	uint32_t asn;         /* 0 when unknown */
	Span organisation;    /* missing when unknown; borrowed from the GeoDb */
	Span text;            /* what GeoText writes of these; missing when there is no database */
} GeoRecord;

typedef struct GeoCounts {
	uint64_t rows;                     /* of all sources */
	uint64_t rejected;                 /* of all sources */
	uint64_t segments_v4, segments_v6; /* after flattening both databases into one table */
	size_t size_bytes;                 /* of the image */
} GeoCounts;

/*
 * Builds the image in memory. 0; -errno with *ret_why naming the path and the reason
 * ("/x/asn.csv: line 17: ..."): a database that is neither CSV nor MMDB, is damaged, or in which more
 * than 0.1 % of the rows are rejected, is -EBADMSG; one that others write while it is read, -EAGAIN.
 * The files are not needed any more then.
 */
int geodb_build(const GeoPaths *paths, const GeoText *text, GeoDb **ret_db, Why *ret_why);
void geodb_free(GeoDb *db);
DEFINE_CLEANUP(GeoDb *, geodb_freep, geodb_free)

/*
 * Writes the image to the path, in one step: who opens that has the old image or the new one, and a
 * failure leaves nothing behind. Mode 0644; written by root it belongs to the directory's owner. 0;
 * -ESTALE (it is lost, see below), -errno.
 */
int geodb_save(const GeoDb *db, const char *image_path);

enum {
	GEODB_STALE = 1, /* the image is of no use: to be built and saved again */
	GEODB_MORE,      /* step again */
};

/*
 * Maps the image. 0; GEODB_STALE with *ret_why (there is none; it was made from other databases, by
 * another version or with another text; it is damaged); -errno with *ret_why when the image or a
 * database can't be looked at.
 */
int geodb_load(const char *image_path, const GeoPaths *paths, const GeoText *text, GeoDb **ret_db,
	Why *ret_why);

/*
 * The same in steps, for those who must not stop for long: each reads at most GEODB_STEP_MAX bytes.
 */
typedef struct GeoLoader GeoLoader;
#define GEODB_STEP_MAX ((size_t)256 << 10)

/* The first step. 0, GEODB_STALE or -errno as geodb_load. */
int geodb_loader_new(const char *image_path, const GeoPaths *paths, const GeoText *text,
	GeoLoader **ret_loader, Why *ret_why);
void geodb_loader_free(GeoLoader *loader);
DEFINE_CLEANUP(GeoLoader *, geodb_loader_freep, geodb_loader_free)

/* GEODB_MORE; 0 with *ret_db, which does not need the loader; GEODB_STALE or -errno as geodb_load. */
int geodb_loader_step(GeoLoader *loader, GeoDb **ret_db, Why *ret_why);

/* The database of the kind that this was made from; borrowed from db. */
const GeoSource *geodb_source(const GeoDb *db, GeoKind kind);

void geodb_counts(const GeoDb *db, GeoCounts *ret_counts);

/*
 * All unknown for special-purpose addresses and for IP_UNKNOWN. Never fails. db may be NULL: all
 * unknown.
 */
void geodb_lookup(const GeoDb *db, const IpAddr *addr, GeoRecord *ret_record);

/*
 * Whether somebody has cut or overwritten the image's file since it was opened: then all is unknown,
 * and it must be loaded again. What a record borrows may hold zeros when it is lost after the lookup.
 */
bool geodb_is_lost(const GeoDb *db);
