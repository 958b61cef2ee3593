/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Country, network number and organisation of an address, from a country and an ASN database in
 * memory. Reads CSV (geodb-csv.h has the forms) and MMDB (sapics' and MaxMind's keys), whichever
 * the content turns out to be, whatever the name; both become the same structure (iptrie), with one
 * search per address for all three answers. It is complete when geodb_new returns: the files are
 * not needed any more, and nothing about it changes until geodb_free.
 *
 * Limits: files of 512 MiB, 16 million ranges a family, organisations of 255 bytes. The databases
 * of today take 14 MB, and some 80 MB for a third of a second while they are read.
 */

#include "base/ipaddr.h"

typedef struct GeoDb GeoDb;

typedef struct GeoRecord {
	char country_code[3]; /* "" when unknown */
	uint32_t asn;         /* 0 when unknown */
	Span organisation;    /* missing when unknown; borrowed from the GeoDb */
} GeoRecord;

typedef struct GeoCounts {
	uint64_t rows;                     /* rows or networks read */
	uint64_t rejected;                 /* rows that were not understood, skipped */
	uint64_t segments_v4, segments_v6; /* after flattening both databases into one table */
	size_t size_bytes;                 /* memory of the lookup structure */
} GeoCounts;

/*
 * Loads the databases: either path may be NULL (unknown for all addresses). 0; -errno with
 * *ret_why naming the path and the reason ("/x/asn.csv: line 17: ..."): a missing file is
 * -ENOENT, one that is neither CSV nor MMDB, is damaged, or in which more than 0.1 % of the rows
 * are rejected, is -EBADMSG.
 */
int geodb_new(const char *country_path, const char *asn_path, GeoDb **ret_db, Why *ret_why);
void geodb_free(GeoDb *db);
DEFINE_CLEANUP(GeoDb *, geodb_freep, geodb_free)

void geodb_counts(const GeoDb *db, GeoCounts *ret_counts);

/*
 * All unknown for special-purpose addresses and for IP_UNKNOWN. Never fails. db may be NULL: all
 * unknown.
 */
void geodb_lookup(const GeoDb *db, const IpAddr *addr, GeoRecord *ret_record);
