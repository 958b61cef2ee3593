/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is read from one database file, whatever its format: ranges with a value, by family. The
 * value of a country database is the code itself, that of an ASN database the number of a network
 * (ASN and organisation).
 */

#include "enrich/geodb.h"
#include "enrich/intern.h"
#include "enrich/ipsegments.h"

#define GEO_ORGANISATION_MAX 255

typedef struct GeoRows {
	GeoKind kind;
	IpSegments v4, v6;
	Intern networks;           /* 0 is the unknown network */
	uint64_t rows, rejected;   /* rows or networks read; rows skipped */
	uint64_t size_bytes, hash; /* of the bytes that were read */
	uint64_t built_s;          /* what the file says of when its data was made; 0: nothing */
} GeoRows;

int geo_rows_init(GeoRows *rows, GeoKind kind);
void geo_rows_done(GeoRows *rows);

/*
 * The value of a country code: two letters, upper-cased. 0 (unknown) for "", "-" and "ZZ", which
 * databases use for what they do not know. 0, or -EINVAL for anything else.
 */
int geo_country_value(Span code, uint32_t *ret_value);

/* The two letters of a value. */
void geo_country_code(uint32_t value, char ret_code[3]);

/*
 * The value of a network. ASN 0 is nobody's (RFC 7607): unknown. Of the organisation the first
 * GEO_ORGANISATION_MAX bytes are kept, less when that would cut a UTF-8 character. 0, -ENOMEM,
 * -EFBIG.
 */
int geo_network_value(GeoRows *rows, uint32_t asn, Span organisation, uint32_t *ret_value);

/* ASN and organisation (len 0: none) of a value; borrowed. */
void geo_network_get(
	const GeoRows *rows, uint32_t value, uint32_t *ret_asn, Span *ret_organisation);

/* Adds a range; both ends are of the family. As ipsegments_add. */
int geo_rows_add(GeoRows *rows, IpFamily family, IpKey first, IpKey last, uint32_t value);
