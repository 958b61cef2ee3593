/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/calspec.h"

#include <time.h>

#include "tap.h"

#define NEVER 0

/* Times as `systemd-analyze calendar` has them (see integration/calspec.sh), but for *:0/7, where it errs, and Santiago, where it gives up. */
static const struct {
	const char *zone, *expression;
	int64_t after_s;
	int64_t times_s[3]; /* ends with NEVER */
} cases[] = {
	{"UTC", "minutely", 1795352508, {1795352520, 1795352580, 1795352640}},
	{"UTC", "hourly", 1795352508, {1795356000, 1795359600, 1795363200}},
	{"UTC", "daily", 1795352508, {1795392000, 1795478400, 1795564800}},
	{"UTC", "WEEKLY", 1795352508, {1795392000, 1795996800, 1796601600}},
	{"UTC", "monthly", 1795352508, {1796083200, 1798761600, 1801440000}},
	{"UTC", "quarterly", 1795352508, {1798761600, 1806537600, 1814400000}},
	{"UTC", "semiannually", 1795352508, {1798761600, 1814400000, 1830297600}},
	{"UTC", "yearly", 1795352508, {1798761600, 1830297600, 1861920000}},
	{"UTC", "23:59", 1795352508, {1795391940, 1795478340, 1795564740}},
	{"UTC", "23:59:30", 1795352508, {1795391970, 1795478370, 1795564770}},
	{"UTC", "Mon..Fri 06:00", 1795352508, {1795413600, 1795500000, 1795586400}},
	{"UTC", "Sat,Sun 3:0", 1795352508, {1795834800, 1795921200, 1796439600}},
	{"UTC", "mon,WED..Fri,sunday 02:30", 1795352508, {1795401000, 1795573800, 1795660200}},
	{"UTC", "*:0/5", 1795352508, {1795352700, 1795353000, 1795353300}},
	{"UTC", "*:0/7", 1830297599, {1830297600, 1830298020, 1830298440}},
	{"UTC", "*:*:15..20", 1795352508, {1795352535, 1795352536, 1795352537}},
	{"UTC", "1..23/4:0/20", 1795352508, {1795353600, 1795354800, 1795366800}},
	{"UTC", "5..5:0", 1795352508, {1795410000, 1795496400, 1795582800}},
	{"UTC", "*-*-01 03:00", 1795352508, {1796094000, 1798772400, 1801450800}},
	{"UTC", "*-*-31 02:00", 1795352508, {1798682400, 1801360800, 1806458400}},
	{"UTC", "*-02-29 12:00", 1795352508, {1835438400, 1961668800, 2087899200}},
	{"UTC", "*-02~03", 1795352508, {1803600000, 1835222400, 1866758400}},
	{"UTC", "Sat *-*~07/1 18:00", 1795352508, {1795888800, 1798308000, 1801332000}},
	{"UTC", "*-*~16..25/8", 1795352508, {1796688000, 1797379200, 1799366400}},
	{"UTC", "Fri *-*-13", 1795352508, {1818115200, 1855008000, 1870732800}},
	{"UTC", "26/2-1-1", 1795352508, {1830297600, 1893456000, 1956528000}},
	{"UTC", "2027-01-01", 1795352508, {1798761600, NEVER}},
	{"UTC", "2026-12-24   18:00", 1795352508, {1798135200, NEVER}},
	{"UTC", "2199-12-31 23:59:59", 1795352508, {7258118399, NEVER}},
	{"UTC", "2020-01-01", 1795352508, {NEVER}},
	{"UTC", "*-02-30", 1795352508, {NEVER}},
	{"UTC", "*-04,06,09,11-31", 1795352508, {NEVER}},
	{"UTC", "*-*-29..31 0:0", -62135596800, {2419200, 2505600, 2592000}},
	{"Europe/Berlin", "Sun 02:30", 1743246000, {1743899400, 1744504200, 1745109000}},
	{"Europe/Berlin", "02:30", 1743202800, {1743211800, 1743381000, 1743467400}},
	{"Europe/Berlin", "*:0/15", 1743294600, {1743295500, 1743296400, 1743297300}},
	{"Europe/Berlin", "02:30", 1761364800, {1761438600, 1761528600, 1761615000}},
	{"Europe/Berlin", "*:0/15", 1761436800, {1761437700, 1761438600, 1761439500}},
	{"Europe/Berlin", "*:0/15", 1761438000, {1761438600, 1761439500, 1761444000}},
	{"Europe/Berlin", "*:0/15", 1761441000, {1761441300, 1761442200, 1761443100}},
	{"Europe/Berlin", "hourly", 1761434999, {1761436800, 1761444000, 1761447600}},
	{"Europe/Berlin", "12:00 UTC", 1761386400, {1761393600, 1761480000, 1761566400}},
	{"Europe/Berlin", "weekly", 1761386400, {1761519600, 1762124400, 1762729200}},
	{"America/New_York", "2:0", 1741498200, {1741586400, 1741672800, 1741759200}},
	{"America/New_York", "*:0/20", 1762063800, {1762064400, 1762065600, 1762066800}},
	{"Australia/Lord_Howe", "*:0/15", 1743865200, {1743866100, 1743867000, 1743867900}},
	{"Australia/Lord_Howe", "02:15", 1759581000, {1759677300, 1759763700, 1759850100}},
	{"Asia/Kolkata", "Mon..Fri 06:00", 1761373800, {1761525000, 1761611400, 1761697800}},
	{"America/Santiago", "daily", 1757174400, {1757300400, 1757386800, 1757473200}},
	{"Pacific/Apia", "daily", 1325116800, {1325152800, 1325239200, 1325325600}},
};

static void test_times(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t at_us = cases[i].after_s * USEC_PER_SEC;
		LocalZone zone = {0};
		CalSpec spec;
		Why why;
		bool ok;

		if (setenv("TZ", cases[i].zone, 1))
			abort();
		tzset();
		ok = !calspec_parse(span_from_string(cases[i].expression), &spec, &why);
		for (size_t n = 0; ok && n < ARRAY_SIZE(cases[i].times_s); n++) {
			int64_t wanted_s = cases[i].times_s[n];
			int r = calspec_next(&spec, &zone, at_us, &at_us);

			ok = wanted_s == NEVER ? r == CALSPEC_NEVER
					       : !r && at_us == wanted_s * USEC_PER_SEC;
			if (!ok)
				tap_note("%d %" PRId64 ", expected %" PRId64, r,
					(int64_t)(at_us / USEC_PER_SEC), wanted_s);
			if (wanted_s == NEVER)
				break;
		}
		tap_ok(ok, "%s %s", cases[i].zone, cases[i].expression);
	}
}

/* Within a second: what is at its start is before, and nothing is between. */
static void test_fractions(void)
{
	int64_t next_us = 0, noon_us = 1795348800 * USEC_PER_SEC;
	LocalZone zone = {0};
	CalSpec spec;

	if (setenv("TZ", "UTC", 1))
		abort();
	tzset();
	tap_ok(!calspec_parse(SPAN_LITERAL("*:*:*"), &spec, NULL) &&
			!calspec_next(&spec, &zone, noon_us - 1, &next_us) && next_us == noon_us,
		"just before a time comes that time");
	tap_ok(!calspec_next(&spec, &zone, noon_us, &next_us) && next_us == noon_us + USEC_PER_SEC,
		"at a time comes the next");
	tap_ok(!calspec_next(&spec, &zone, noon_us + 1, &next_us) &&
			next_us == noon_us + USEC_PER_SEC,
		"and just behind it");
	tap_ok(!calspec_next(&spec, &zone, -1, &next_us) && !next_us, "the first time of all");
	tap_ok(calspec_next(&spec, &zone, INT64_MAX, &next_us) == CALSPEC_NEVER, "too late");
	tap_ok(!calspec_next(&spec, &zone, INT64_MIN, &next_us) && !next_us, "long before");
}

static const struct {
	const char *expression, *why;
} refused[] = {
	{"", "ends where a time is wanted"},
	{"UTC", "wants an hour at \"UTC\""},
	{" UTC", "ends where a time is wanted"},
	{"dayly", "wants an hour at \"dayly\""},
	{" daily", "time zones are not known, but for this host's own and UTC"},
	{"12", "ends where : and the minute is wanted"},
	{"12:", "ends where a minute is wanted"},
	{"24:00", "an hour is a number from 0 to 23"},
	{"12:60", "a minute is a number from 0 to 59"},
	{"12:00:60", "a second is a number from 0 to 59"},
	{"12:00 ", "wants the end, UTC, or : and the second at \" \""},
	{"*:0/0", "a step of 0 leads nowhere"},
	{"*:55/10", "a step of 10 is too large"},
	{"10..5:00", "a range goes from the smaller to the larger number"},
	{"5..:00", "wants an hour at \":00\""},
	{"1,:00", "wants an hour at \":00\""},
	{"*-13-01", "a month is a number from 1 to 12"},
	{"*-*-32", "a day is a number from 1 to 31"},
	{"*-*~29", "a day before the end is a number from 1 to 28"},
	{"2200-1-1", "a year is a number from 1970 to 2199"},
	{"Mon..", "ends where a day of the week is wanted"},
	{"Sat..Mon", "a range of weekdays goes on until Sunday at most"},
	{"Mon12:00", "wants a blank behind the days of the week at \"12:00\""},
	{"99999999999999999999:00", "\"99999999999999999999\" is too large"},
	{"12:00:00.5", "fractions of seconds are not known"},
	{"@1766000000", "instants as @SECONDS are not known"},
	{"12:00 Europe/Berlin", "time zones are not known, but for this host's own and UTC"},
};

static void test_refused(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		CalSpec spec;
		Why why = {""};

		if (!tap_ok(calspec_parse(span_from_string(refused[i].expression), &spec, &why) ==
					    -EINVAL &&
				    !strcmp(why.text, refused[i].why),
			    "'%s' is refused", refused[i].expression))
			tap_note("%s", why.text);
	}
}

int main(void)
{
	test_times();
	test_fractions();
	test_refused();
	return tap_done();
}
