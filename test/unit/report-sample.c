/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report-sample.h"

#include "base/calendar.h"

#define AT(day, hour, minute) \
	((((int64_t)(20758 + (day)) * 24 + (hour)) * 60 + (minute)) * 60 * USEC_PER_SEC)
#define NOW AT(21, 23, 59) /* 2026-11-22 */

#define COUNTS(field, n, ...)                                    \
	do {                                                     \
		static const ReportCount list[] = {__VA_ARGS__}; \
		memcpy(ret_facts->field, list, sizeof(list));    \
		ret_facts->n = ARRAY_SIZE(list);                 \
	} while (0)

#define S SPAN_LITERAL

static void fill_common(ReportFacts *ret_facts)
{
	*ret_facts = (ReportFacts){
		.version = "2.0.0",
		.server = "mx1.example.com",
		.mode = "file /var/log/mail.log",
		.now_us = NOW,
		.from_us = NOW - (int64_t)86400 * USEC_PER_SEC,
		.until_us = NOW,
		.date = "2026-11-22",
		.day_before = -1,
		.week_mean = -1,
		.csv_bytes = 2417664,
		.csv_rows = 25904,
		.csv_path = "/var/lib/maillogsentinel/maillogsentinel.csv",
	};
}

static void fill_hours(ReportFacts *ret_facts, const uint64_t hours[24])
{
	for (size_t i = 0; i < 24; i++)
		ret_facts->hours[i] = hours[i];
}

/* A day with an attack in its small hours. */
static void fill_busy(ReportFacts *ret_facts)
{
	static const ReportTarget targets[] = {
		{S("admin@example.com"), S("81.30.107.24"), SPAN_MISSING, S("AE"), 412},
		{S("info@example.com"), S("81.30.107.24"), SPAN_MISSING, S("AE"), 161},
		{S("sales@example.com"), S("205.177.40.1"), S("static-205-177-40-1.example.net"),
			S("US"), 97},
		{S("postmaster"), S("2a00:20:c045:1f2e:5c8a:77ff:fe12:9d3b"),
			S("p200300c0451f2e5c8a77.dip0.example.de"), S("DE"), 64},
		{S("contribute"), S("45.148.10.81"), S("host-45-148-10-81.example.ro"), S("RO"),
			58},
		{S("root"), S("218.92.0.112"), SPAN_MISSING, S("CN"), 51},
		{S("test"), S("218.92.0.112"), SPAN_MISSING, S("CN"), 43},
		{S("anna.lindqvist@example.com"), S("177.54.144.9"),
			S("177-54-144-9.isp.example.com.br"), S("BR"), 31},
		{S("backup"), S("103.145.12.7"), SPAN_MISSING, S("VN"), 22},
		{S("scanner@example.com"), S("unknown"), SPAN_MISSING, SPAN_MISSING, 19},
	};
	static const uint64_t hours[24] = {21, 34, 88, 154, 231, 142, 61, 38, 29, 24, 31, 27, 22,
		19, 26, 33, 41, 37, 28, 24, 31, 36, 30, 27};
	static const StatusWarning warnings[] = {
		{NOW - (int64_t)11 * 3600 * USEC_PER_SEC, "old:country",
			"The database of countries is 52 days old; 'maillogsentinel update-db' "
			"fetches a new one"},
	};
	static const Span new_countries[] = {S("BR"), S("VN")};

	fill_common(ret_facts);
	ret_facts->whole_day = true;
	ret_facts->total = 1234;
	ret_facts->distinct_addresses = 312;
	ret_facts->distinct_users = 187;
	memcpy(ret_facts->targets, targets, sizeof(targets));
	ret_facts->target_count = ARRAY_SIZE(targets);
	COUNTS(users, user_count, {S("admin@example.com"), 437}, {S("info@example.com"), 178},
		{S("sales@example.com"), 102}, {S("root"), 91}, {S("postmaster"), 77},
		{S("test"), 70}, {S("contribute"), 58}, {S("anna.lindqvist@example.com"), 31},
		{S("backup"), 26}, {SPAN_MISSING, 12});
	COUNTS(countries, country_count, {S("AE"), 573}, {S("CN"), 181}, {S("US"), 148},
		{S("DE"), 79}, {S("RO"), 66}, {S("BR"), 44}, {S("VN"), 37}, {S("RU"), 31},
		{S("NL"), 24}, {SPAN_MISSING, 19});
	COUNTS(asns, asn_count, {S("44947"), 573}, {S("4134"), 172}, {S("7018"), 97},
		{S("3320"), 79}, {S("48090"), 66}, {S("28573"), 44}, {S("131414"), 37},
		{S("15169"), 31}, {S("60781"), 24}, {SPAN_MISSING, 19});
	ret_facts->asn_names[0] = S("AMWAJ ALKHYR COMMERCIAL BROKERS CO.");
	ret_facts->asn_names[1] = S("CHINANET-BACKBONE");
	ret_facts->asn_names[2] = S("AT&T Enterprises, LLC");
	ret_facts->asn_names[3] = S("Deutsche Telekom AG");
	ret_facts->asn_names[4] = S("TECHOFF SRV LIMITED");
	ret_facts->asn_names[5] = S("Claro NXT Telecomunicacoes Ltda");
	ret_facts->asn_names[6] = S("LVSS");
	ret_facts->asn_names[7] = S("Google LLC");
	ret_facts->asn_names[8] = S("LeaseWeb Netherlands B.V.");
	COUNTS(organisations, organisation_count, {S("AMWAJ ALKHYR COMMERCIAL BROKERS CO."), 573},
		{S("CHINANET-BACKBONE"), 172}, {S("AT&T Enterprises, LLC"), 97},
		{S("Deutsche Telekom AG"), 79}, {S("TECHOFF SRV LIMITED"), 66},
		{S("Claro NXT Telecomunicacoes Ltda"), 44}, {S("LVSS"), 37}, {S("Google LLC"), 31},
		{S("LeaseWeb Netherlands B.V."), 24}, {SPAN_MISSING, 19});
	fill_hours(ret_facts, hours);
	ret_facts->rdns_failures = 811;
	COUNTS(rdns, rdns_count, {S("Errno 1"), 702}, {S("Errno 2"), 71}, {S("Timeout"), 35},
		{S("Errno 4"), 3});
	ret_facts->day_before = 1102;
	ret_facts->week_mean = 380.4;
	ret_facts->week_days = 7;
	ret_facts->history_known = true;
	ret_facts->history_days = 30;
	ret_facts->new_addresses = 41;
	ret_facts->new_networks = 17;
	ret_facts->new_countries = ARRAY_SIZE(new_countries);
	memcpy(ret_facts->new_country_codes, new_countries, sizeof(new_countries));
	ret_facts->counters_known = true;
	ret_facts->successes = 5231;
	ret_facts->outages = 0;
	ret_facts->aborted = 3;
	ret_facts->attachment = "maillogsentinel-2026-11-22.csv";
	ret_facts->warnings = warnings;
	ret_facts->warning_count = ARRAY_SIZE(warnings);
}

/* Nobody came. */
static void fill_quiet(ReportFacts *ret_facts)
{
	fill_common(ret_facts);
	ret_facts->whole_day = true;
	ret_facts->mode = "journal";
	ret_facts->day_before = 4;
	ret_facts->week_mean = 2.571;
	ret_facts->week_days = 7;
	ret_facts->history_known = true;
	ret_facts->history_days = 30;
	ret_facts->counters_known = true;
	ret_facts->successes = 64;
	ret_facts->csv_bytes = 912;
	ret_facts->csv_rows = 11;
}

/* The first report: nothing to compare it with. */
static void fill_first(ReportFacts *ret_facts)
{
	static const ReportTarget targets[] = {
		{S("contribute"), S("81.30.107.24"), SPAN_MISSING, S("AE"), 2},
		{S("admin"), S("192.0.2.45"), S("host.example.org"), SPAN_MISSING, 1},
	};

	fill_common(ret_facts);
	ret_facts->from_us = 0;
	ret_facts->total = 3;
	ret_facts->distinct_addresses = 2;
	ret_facts->distinct_users = 2;
	memcpy(ret_facts->targets, targets, sizeof(targets));
	ret_facts->target_count = ARRAY_SIZE(targets);
	COUNTS(users, user_count, {S("contribute"), 2}, {S("admin"), 1});
	COUNTS(countries, country_count, {S("AE"), 2}, {SPAN_MISSING, 1});
	COUNTS(asns, asn_count, {S("44947"), 2}, {SPAN_MISSING, 1});
	ret_facts->asn_names[0] = S("AMWAJ ALKHYR COMMERCIAL BROKERS CO.");
	COUNTS(organisations, organisation_count, {S("AMWAJ ALKHYR COMMERCIAL BROKERS CO."), 2},
		{SPAN_MISSING, 1});
	ret_facts->hours[9] = 2;
	ret_facts->hours[23] = 1;
	ret_facts->rdns_failures = 2;
	COUNTS(rdns, rdns_count, {S("Errno 1"), 2});
	ret_facts->counters_known = true;
	ret_facts->aborted = 1;
	ret_facts->csv_bytes = 301;
	ret_facts->csv_rows = 3;
	ret_facts->skipped_rows = 2;
	ret_facts->attachment_note = "left out: its 24.2 MiB are more than report.max_attachment, "
				     "10.0 MiB; it lies on the server";
}

#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16
#define COMBINED "\xcc\x8d\xcc\x8d\xcc\x8d\xcc\x8d\xcc\x8d\xcc\x8d\xcc\x8d\xcc\x8d"

/* Whatever an attacker may write where a name stands; rows as csv_parse_row() gives them. */
static void fill_hostile(ReportFacts *ret_facts)
{
	static const ReportTarget targets[] = {
		{S("<script>document.title='owned'</script>"),
			S("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
			S("<img src=http://192.0.2.1/x onerror=alert(1)>"), S("<b"),
			18446744073709551615U},
		{S("\"><svg/onload=fetch('http://192.0.2.1/')>"), S("192.0.2.1"),
			S("javascript:alert(1)"), S("\"'>"), 999999999999U},
		{S("</td></table></body></html>"), S("192.0.2.2"), S("-->"), S("&lt"), 1000},
		{S("]]></style><style>*{display:none}"), S("192.0.2.3"), S("expression(alert(1))"),
			S("{{"), 999},
		{S("\\x1b[31mred\\x1b[0m\\x0d\\x0aBcc: x@example.com"), S("192.0.2.4"),
			S("http://192.0.2.1/login?a=b&c=d"), S("DE"), 998},
		{S("admin\xe2\x80\xaegpj.exe\xe2\x80\xac \xe2\x80\x8b\xef\xbb\xbf"), S("192.0.2.5"),
			S("\xd9\x85\xd8\xaf\xd9\x8a\xd8\xb1 "
			  "\xd7\x91\xd7\x93\xd7\x99\xd7\xa7\xd7\x94"),
			S("SA"), 997},
		{S("Z" COMBINED "a" COMBINED "l" COMBINED "g" COMBINED "o" COMBINED),
			S("192.0.2.6"),
			S("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xf0\x9f\x98\x80\xf0\x9f\x91\xa9\xe2"
			  "\x80\x8d"
			  "\xf0\x9f\x92\xbb"),
			S("JP"), 996},
		{S(X64 "-begin-" X64 "\xe2\x80\xa6" X64 "-end"), S("192.0.2.7"), S(X64 X64 X64),
			S("US"), 995},
		{S("  two  blanks  "), S("192.0.2.8"), S("From me@example.com"), S("N/A"), 994},
		{S(""), S("unknown"), S("."), SPAN_MISSING, 993},
	};
	static const uint64_t hours[24] = {
		[0] = 18446744073709551615U, [5] = 1, [23] = 9223372036854775807U};
	static const StatusWarning warnings[] = {
		{NOW, "report-failed",
			"3 reports could not be sent: 550 5.7.1 <script>alert(1)</script> "
			"\xe2\x80\xae"
			"rejected; \x1b[2J \xff see https://192.0.2.1/why?a=1&b=2"},
		{0, "skipped", X64 X64 X64 X64 "/" X64 X64 X64 X64},
		{NOW, "missing", "/var/log/'<mail>\".log: no such file\r\nSubject: x"},
	};

	fill_common(ret_facts);
	ret_facts->server = "<i>mx1</i>" X64;
	ret_facts->mode = "file /var/log/<mail>.log, " X64 X64;
	ret_facts->csv_path = "/var/lib/" X64 "/" X64 "/" X64 "/\"><script>x</script>.csv";
	ret_facts->total = 18446744073709551615U;
	ret_facts->distinct_addresses = 18446744073709551615U;
	ret_facts->distinct_users = 18446744073709551615U;
	memcpy(ret_facts->targets, targets, sizeof(targets));
	ret_facts->target_count = ARRAY_SIZE(targets);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		ret_facts->users[i] = (ReportCount){targets[i].user, targets[i].count};
		ret_facts->countries[i] = (ReportCount){targets[i].country, targets[i].count};
		ret_facts->asns[i] = (ReportCount){targets[i].host, targets[i].count};
		ret_facts->asn_names[i] = targets[i].user;
		ret_facts->organisations[i] = (ReportCount){targets[i].host, targets[i].count};
	}
	ret_facts->user_count = ret_facts->country_count = ret_facts->asn_count =
		ret_facts->organisation_count = ARRAY_SIZE(targets);
	fill_hours(ret_facts, hours);
	ret_facts->rdns_failures = 18446744073709551615U;
	COUNTS(rdns, rdns_count, {S("<Errno 1>"), 18446744073709551615U}, {S(X64 X64), 1});
	ret_facts->day_before = 1;
	ret_facts->week_mean = 0.125;
	ret_facts->week_days = 1;
	ret_facts->history_known = true;
	ret_facts->history_days = 1;
	ret_facts->new_addresses = ret_facts->new_networks = ret_facts->new_countries =
		18446744073709551615U;
	for (size_t i = 0; i < FACTS_COUNTRY_CODES_MAX; i++)
		ret_facts->new_country_codes[i] = S(X16 "<u>");
	ret_facts->counters_known = true;
	ret_facts->successes = ret_facts->outages = ret_facts->aborted = 18446744073709551615U;
	ret_facts->csv_bytes = ret_facts->csv_rows = ret_facts->skipped_rows =
		18446744073709551615U;
	ret_facts->attachment = "<a href=http://192.0.2.1/>" X64 ".csv";
	ret_facts->warnings = warnings;
	ret_facts->warning_count = ARRAY_SIZE(warnings);
}

static const struct {
	const char *name;
	void (*fill)(ReportFacts *ret_facts);
} samples[] = {
	{"busy", fill_busy},
	{"quiet", fill_quiet},
	{"first", fill_first},
	{"hostile", fill_hostile},
};

const char *report_sample_name(size_t i)
{
	return i < ARRAY_SIZE(samples) ? samples[i].name : NULL;
}

bool report_sample(const char *name, ReportFacts *ret_facts)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (!strcmp(samples[i].name, name)) {
			samples[i].fill(ret_facts);
			return true;
		}
	return false;
}
