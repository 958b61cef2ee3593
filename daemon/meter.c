/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/meter.h"

#define INTERVAL_MS 200
#define WIDTH 72

void meter_init(Meter *meter, const char *what)
{
	*meter = (Meter){.what = what, .on = isatty(STDERR_FILENO)};
}

void meter_show(Meter *meter, uint64_t done_bytes, uint64_t total_bytes)
{
	char line[WIDTH + 1], total[48] = "";
	struct timespec now;
	uint64_t now_ms;

	if (!meter->on)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (meter->shown && now_ms - meter->shown_ms < INTERVAL_MS)
		return;
	meter->shown = true;
	meter->shown_ms = now_ms;
	if (total_bytes)
		(void)snprintf(total, sizeof(total), " of %.1f MiB, %.0f %%",
			(double)total_bytes / 1048576,
			100 * (double)MIN(done_bytes, total_bytes) / (double)total_bytes);
	(void)snprintf(line, sizeof(line), "%s: %.1f%s", meter->what, (double)done_bytes / 1048576,
		*total ? total : " MiB");
	fprintf(stderr, "\r%-*s", WIDTH, line);
	(void)fflush(stderr);
}

void meter_clear(Meter *meter)
{
	if (meter->shown)
		fprintf(stderr, "\r%*s\r", WIDTH, "");
	meter->shown = false;
}
