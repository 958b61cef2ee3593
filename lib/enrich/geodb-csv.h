/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Reads the CSV form of an IP database, as sapics' ip-location-db and others publish it:
 *
 *	start,end,CC[,...]      country
 *	start,end,asn[,org]     ASN
 *
 * start and end are inclusive, dotted or decimal, of one family; fields may be quoted (RFC 4180);
 * LF or CRLF; a header line or none. Reads in pieces: the file is never in memory as a whole. A
 * line is at most GEODB_CSV_LINE_MAX bytes.
 */

#include "enrich/geodb-rows.h"

#define GEODB_CSV_LINE_MAX 65536

/*
 * Reads the whole file from the descriptor's position. 0; -EBADMSG with *ret_why ("line 17: ...")
 * when it holds no rows, is no CSV, ends in the middle of a line, or more than 0.1 % of its rows
 * were rejected; another -errno when reading fails (*ret_why then says how).
 */
int geodb_csv_read(int fd, GeoRows *rows, Why *ret_why);
