/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/columns.h"

const ColumnInfo columns[COLUMN_COUNT] = {
	[COLUMN_SERVER] = {"server", "MLS_SERVER", "server", NULL, false, true},
	[COLUMN_DATE] = {"date", "MLS_DATE", "date", NULL, true, false},
	[COLUMN_IP] = {"ip", "MLS_IP", "ip", NULL, false, false},
	[COLUMN_USER] = {"user", "MLS_USER", "username", "N/A", false, true},
	[COLUMN_HOSTNAME] = {"hostname", "MLS_HOSTNAME", "hostname", "null", false, true},
	[COLUMN_RDNS_STATUS] = {"reverse_dns_status", "MLS_REVERSE_DNS_STATUS",
		"reverse_dns_status", NULL, false, false},
	[COLUMN_COUNTRY_CODE] = {"country_code", "MLS_COUNTRY", "country_code", "N/A", false,
		false},
	[COLUMN_ASN] = {"asn", "MLS_ASN", "asn", "N/A", false, false},
	[COLUMN_ASO] = {"aso", "MLS_ASO", "aso", "N/A", true, true},
};
