/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/geodb-rows.h"

int geo_rows_init(GeoRows *rows, GeoKind kind)
{
	uint32_t unknown;
	int r;

	*rows = (GeoRows){.kind = kind};
	r = intern_init(&rows->networks);
	if (!r)
		r = geo_network_value(rows, 0, SPAN_MISSING, &unknown);
	return r;
}

void geo_rows_done(GeoRows *rows)
{
	ipsegments_done(&rows->v4);
	ipsegments_done(&rows->v6);
	intern_done(&rows->networks);
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

int geo_country_value(Span code, uint32_t *ret_value)
{
	uint32_t value;

	if (!code.len || (code.len == 1 && code.data[0] == '-')) {
		*ret_value = 0;
		return 0;
	}
	if (code.len != 2 || !is_letter(code.data[0]) || !is_letter(code.data[1]))
		return -EINVAL;
	value = (uint32_t)(code.data[0] & ~0x20) << 8 | (uint32_t)(code.data[1] & ~0x20);
	*ret_value = value == ('Z' << 8 | 'Z') ? 0 : value;
	return 0;
}

void geo_country_code(uint32_t value, char ret_code[3])
{
	ret_code[0] = (char)(value >> 8);
	ret_code[1] = (char)value;
	ret_code[2] = '\0';
}

/*
 * Where to cut: before the first byte of the character that doesn't fit. Bytes that are no UTF-8
 * are cut anywhere.
 */
static size_t kept_length(Span text)
{
	size_t cut = GEO_ORGANISATION_MAX;

	if (text.len <= GEO_ORGANISATION_MAX)
		return text.len;
	while (cut > GEO_ORGANISATION_MAX - 3 && (text.data[cut] & 0xc0) == 0x80)
		cut--;
	return (text.data[cut] & 0xc0) == 0x80 ? GEO_ORGANISATION_MAX : cut;
}

int geo_network_value(GeoRows *rows, uint32_t asn, Span organisation, uint32_t *ret_value)
{
	char network[sizeof(asn) + GEO_ORGANISATION_MAX];
	size_t len = asn ? kept_length(organisation) : 0;

	memcpy(network, &asn, sizeof(asn));
	if (len)
		memcpy(network + sizeof(asn), organisation.data, len);
	return intern_add(&rows->networks, network, sizeof(asn) + len, ret_value);
}

void geo_network_get(const GeoRows *rows, uint32_t value, uint32_t *ret_asn, Span *ret_organisation)
{
	Span network = intern_get(&rows->networks, value);

	memcpy(ret_asn, network.data, sizeof(*ret_asn));
	*ret_organisation = (Span){network.data + sizeof(*ret_asn), network.len - sizeof(*ret_asn)};
}

int geo_rows_add(GeoRows *rows, IpFamily family, IpKey first, IpKey last, uint32_t value)
{
	int r = ipsegments_add(family == IP_V4 ? &rows->v4 : &rows->v6, first, last, value);

	if (!r)
		rows->rows++;
	return r;
}
