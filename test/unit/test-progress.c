/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/progress.h"

#include "tap.h"

/* Looks one after the other, and whether the watchdog is fed then. */
static const struct {
	const char *what;
	uint64_t now_s;
	size_t waiting;
	uint64_t rows;
	bool paused;
	bool fed;
} looks[] = {
	{"at first", 1000, 0, 0, false, true},
	{"an idle hour", 4600, 0, 0, false, true},
	{"something waits", 4601, 1, 0, false, true},
	{"it waits for its deadline", 4900, 1, 0, false, true},
	{"and past every deadline", 4961, 1, 0, false, false},
	{"more that comes does not help", 4962, 500, 0, false, false},
	{"a row does", 4963, 499, 1, false, true},
	{"a queue that is full", 5300, 8192, 100, false, true},
	{"and stays full while rows come out of it", 5600, 8192, 200, false, true},
	{"for as long as it takes", 5900, 8192, 201, false, true},
	{"it stops", 6259, 8192, 201, false, true},
	{"for too long", 6260, 8192, 201, false, false},
	{"a pause that was said", 6261, 8192, 201, true, true},
	{"however long it is", 9000, 8192, 201, true, true},
	{"is no reason to end it just after", 9359, 8192, 201, false, true},
	{"but some time after", 9360, 8192, 201, false, false},
	{"rows are counted anew after a failure", 9361, 10, 0, false, true},
	{"nothing waits any more", 9800, 0, 0, false, true},
	{"the next one has all its time", 9900, 1, 0, false, true},
};

int main(void)
{
	Progress progress = {0};

	for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
		tap_ok(progress_is_made(&progress, looks[i].waiting, looks[i].rows, looks[i].paused,
			       looks[i].now_s * 1000) == looks[i].fed,
			"%s: %s", looks[i].what, looks[i].fed ? "fed" : "not fed");
	return tap_done();
}
