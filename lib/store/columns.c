/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/columns.h"

const ColumnInfo columns[COLUMN_COUNT] = {
	[COLUMN_SERVER] = {"server", NULL, false, true},
	[COLUMN_DATE] = {"date", NULL, true, false},
	[COLUMN_IP] = {"ip", NULL, false, false},
	[COLUMN_USER] = {"user", "N/A", false, true},
	[COLUMN_HOSTNAME] = {"hostname", "null", false, true},
	[COLUMN_RDNS_STATUS] = {"reverse_dns_status", NULL, false, false},
	[COLUMN_COUNTRY_CODE] = {"country_code", "N/A", false, false},
	[COLUMN_ASN] = {"asn", "N/A", false, false},
	[COLUMN_ASO] = {"aso", "N/A", true, true},
};
