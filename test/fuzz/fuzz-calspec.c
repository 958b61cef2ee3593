/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Calendar expressions: the first byte chooses a zone, then come an instant and the text. What is refused is refused in words; a
 * time that is found comes after the instant, is what the text asks for, and nothing that it asks for lies just before it.
 */

#include "fuzz.h"

#include "base/calspec.h"

static const char *const zones[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia",
	"Africa/Casablanca", "America/New_York", "America/Santiago", "Asia/Kathmandu"};

static void check_match(const CalSpec *spec, const CivilTime *t)
{
	unsigned year = (unsigned)(t->year - CALSPEC_YEAR_MIN);
	int days = 31;

	while (!calendar_date_valid(t->year, t->month, days))
		days--;
	HOLDS(spec->years[year / 64] >> year % 64 & 1);
	HOLDS(spec->months >> t->month & 1);
	HOLDS(spec->days >> (spec->from_end ? days + 1 - t->day : t->day) & 1);
	HOLDS(spec->weekdays >> (calendar_days(t->year, t->month, t->day) + 3) % 7 & 1);
	HOLDS(spec->hours >> t->hour & 1);
	HOLDS(spec->minutes >> t->minute & 1);
	HOLDS(spec->seconds >> t->second & 1);
}

FUZZ_TARGET(calspec)
{
	FuzzInput input = {data, size};
	const char *name = zones[fuzz_take(&input, 1) % ARRAY_SIZE(zones)];
	int64_t after_us, next_us, again_us;
	LocalZone zone = {0}, cold = {0};
	Why why = {""};
	CivilTime civil;
	CalSpec spec;

	fuzz_set_zone(name);
	/* up to the year 2242 */
	after_us = (int64_t)(fuzz_take(&input, 5) & 0x1ffffffff) * USEC_PER_SEC;
	if (calspec_parse(fuzz_rest(&input), &spec, &why)) {
		HOLDS(*why.text);
		return 0;
	}
	for (int i = 0; i < 4 && !calspec_next(&spec, &zone, after_us, &next_us); i++) {
		HOLDS(next_us > after_us && next_us % USEC_PER_SEC == 0);
		if (spec.utc)
			fuzz_set_zone("UTC");
		local_zone_civil(&cold, next_us, &civil);
		fuzz_set_zone(name);
		check_match(&spec, &civil);
		/* From closer by it is still the next. */
		HOLDS(!calspec_next(&spec, &zone, next_us - 1, &again_us) && again_us == next_us);
		after_us = next_us;
		cold = (LocalZone){0};
	}
	return 0;
}
