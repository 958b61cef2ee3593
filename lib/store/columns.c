/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/columns.h"

const ColumnInfo columns[COLUMN_COUNT] = {
	[COLUMN_SERVER] = {"server", "MLS_SERVER", NULL, false, true},
	[COLUMN_DATE] = {"date", "MLS_DATE", NULL, true, false},
	[COLUMN_IP] = {"ip", "MLS_IP", NULL, false, false},
	[COLUMN_USER] = {"user", "MLS_USER", "N/A", false, true},
	[COLUMN_HOSTNAME] = {"hostname", "MLS_HOSTNAME", "null", false, true},
	[COLUMN_RDNS_STATUS] = {"reverse_dns_status", "MLS_REVERSE_DNS_STATUS", NULL, false, false},
	[COLUMN_COUNTRY_CODE] = {"country_code", "MLS_COUNTRY", "N/A", false, false},
	[COLUMN_ASN] = {"asn", "MLS_ASN", "N/A", false, false},
	[COLUMN_ASO] = {"aso", "MLS_ASO", "N/A", true, true},
};
