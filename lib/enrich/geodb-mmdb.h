/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Reads the MMDB form of an IP database (MaxMind DB 2.0), as MaxMind and sapics publish it, through
 * libmaxminddb: the whole tree becomes ranges. IPv4 is at ::/96 of an IPv6 tree; other ways to the
 * same place (2002::/16, ::ffff:0:0/96) are not gone.
 *
 * Strict, because the format has no checksum: damage shall be seen here and not in wrong answers.
 * The tree must reach each of its nodes exactly once, every record must lead to a whole map, and
 * each map must say, or at least be about, what the database is for.
 */

#include "enrich/geodb-rows.h"

/*
 * 1 when the end of the file holds the mark of an MMDB, 0 when not, -errno when it can't be read.
 */
int geodb_mmdb_recognise(int fd, off_t size);

/*
 * Reads the whole file. 0; -EBADMSG with *ret_why when it is damaged or holds nothing of
 * rows->kind; another -errno when it can't be read (*ret_why then says how).
 */
int geodb_mmdb_read(int fd, off_t size, GeoRows *rows, Why *ret_why);
