/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Small databases with something of everything, to be damaged. */

#include "geodb-tools.h"
#include "mmdb-writer.h"

/* A small database with something of everything. */
__attribute__((unused)) static void write_sample(
	StrBuf *file, unsigned ip_version, unsigned record_size, int kind, MmdbStyle style)
{
	static const char *const codes[] = {"US", "DE", "FR", "JP", "CN", "BR", "ZA", "AU"};
	MmdbWriter w;

	mmdb_writer_init(
		&w, ip_version, record_size, kind == COUNTRY ? "Test-Country" : "Test-ASN");
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t offset = kind == COUNTRY ? mmdb_writer_country(&w, style, codes[i])
						  : mmdb_writer_network(&w, 64500 + i,
							    span_from_string(codes[i]));

		mmdb_writer_range(&w, IP_V4, (IpKey){0, (5U + i) << 24},
			(IpKey){0, ((5U + i) << 24) + 300}, offset);
		if (ip_version == 6)
			mmdb_writer_range(&w, IP_V6, (IpKey){0x2a00000000000000 + i, i},
				(IpKey){0x2a00000000000000 + i, 300}, offset);
	}
	mmdb_writer_finish(&w, file);
	mmdb_writer_done(&w);
}

static void write_csv_sample(StrBuf *csv, int kind)
{
	for (unsigned i = 0; i < 40; i++) {
		if (i % 2)
			strbuf_appendf(csv, "5.0.%u.0,5.0.%u.255,", i, i + i % 3);
		else
			strbuf_appendf(csv, "2a00:%x::,2a00:%x::ffff,", i, i + i % 3);
		strbuf_append_string(
			csv, kind == COUNTRY ? "DE\n" : "64500,\"A \"\"quoted\"\", name\"\n");
	}
}

/*
 * CSV, then MMDB with an IPv6 tree in 24 bits, IPv4 in 28, IPv6 in 32: each for countries and,
 * the odd ones, ASNs.
 */
#define SAMPLE_FORMS 8

__attribute__((unused)) static void write_form(StrBuf *file, unsigned form, MmdbStyle style)
{
	int kind = form % 2 ? ASN : COUNTRY;

	strbuf_reset(file);
	if (form < 2)
		write_csv_sample(file, kind);
	else
		write_sample(file, form % 4 < 2 ? 4 : 6,
			form < 4   ? 24
			: form < 6 ? 28
				   : 32,
			kind, style);
}
